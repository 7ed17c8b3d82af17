/* reply.h - SMTP replies: those of servers, read; ours, checked (RFC 5321 4.2, RFC 2034). */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

enum { REPLY_LINE_MAX = 2048, REPLY_LINES_MAX = 200, REPLY_TEXT_MAX = 1000 };

typedef struct {
	int code;            /* 200 … 599 */
	char enhanced[12];   /* "5.7.1", or "" */
	GString *text;       /* lines joined by '\n', without codes, at most REPLY_TEXT_MAX octets kept, controls as '?' */
	unsigned n_lines;
} ServerReply;

typedef enum { REPLY_LAST, REPLY_MORE, REPLY_BAD } ReplyResult;

/* Takes one line without its end.  Start with code 0 and an empty text; MORE: the next line, too. */
ReplyResult reply_take_line(ServerReply *reply, const char *line, size_t size);

/* True if a plugin's or our reply may be sent: code 2xx…5xx, enhanced's class equal to the code's, text
 * printable ASCII (UTF-8 if `is_utf8`) without line ends, 1 … 480 octets. */
bool reply_is_valid(int code, const char *enhanced, const char *text, bool is_utf8);
