/* escape.h - foreign text for people's eyes: nothing of it moves a cursor, hides a word, or begins a line.
 *
 * Everything that others chose (logins, addresses, replies of servers, names in the log) goes through here before it is in
 * a table, in JSON or in a log line. */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef enum {
	ESCAPE_CELL,  /* of a table: one line                                       */
	ESCAPE_LINES, /* text of several lines: newlines and tabs stay              */
	ESCAPE_JSON,  /* what stands between the quotes of a JSON string: " and \ too */
} EscapeForm;

/* Appends `text` with "\uXXXX" for control characters (C0, DEL, C1), line and paragraph separators, and what changes the
 * direction of writing; what is not UTF-8 becomes U+FFFD. */
void escape_append(GString *out, const char *text, EscapeForm form);
/* The same; new. */
char *escape_text(const char *text, EscapeForm form);
/* False: the text has something that would be escaped, or is not UTF-8. */
bool escape_is_plain(const char *text);
