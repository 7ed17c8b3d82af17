/* command.h - SMTP command lines (RFC 5321 4.1.1).
 *
 * Pure: bytes in, values out.  What stands in an argument: path.h and xtext.h, which come along. */
#pragma once

#include <stddef.h>

#include "proto/path.h"
#include "proto/xtext.h"

enum {
	COMMAND_LINE_MAX = 4096,       /* a command line with CRLF; RFC 5321 asks for 512, extensions add */
	COMMAND_AUTH_LINE_MAX = 12290, /* an AUTH line and SASL responses (RFC 4954 4)                    */
	COMMAND_VERB_SIZE = 12,
};

typedef struct {
	char verb[COMMAND_VERB_SIZE]; /* upper case; "" if the first word is no verb: empty, longer, or with other
	                               * characters than letters, digits and hyphens ("Subject:", say) */
	const char *argument;         /* behind the blanks, trailing blanks cut, NUL-terminated; "" if none.
	                               * Without a verb the whole line, up to its first NUL */
} Command;

/* Splits a line (without its end; line[size] is a NUL; NULs inside it make `verb` "").  Changes `line`.
 * Blanks are spaces and tabs. */
void command_split(char *line, size_t size, Command *command);
