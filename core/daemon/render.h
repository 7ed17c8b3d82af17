/* render.h - an answer of the daemon for people (a table) or for programs (JSON). */
#pragma once

#include <gio/gio.h>
#include <stdbool.h>

/* The fields of a line of an answer, without its letter; new. */
char **render_fields(const char *line);
/* Reads to the end and prints; errors go to stderr in either form.  The exit code. */
int render_answer(GInputStream *stream, bool is_json, GError **error);
