/* reply.h - SMTP replies: those of servers, read; ours, checked (RFC 5321 4.2, RFC 2034). */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

enum { REPLY_LINE_MAX = 2048, REPLY_LINES_MAX = 200, REPLY_TEXT_MAX = 1000, REPLY_OURS_MAX = 480 };

typedef struct {
	int code;            /* 200 … 599 */
	char enhanced[12];   /* "5.7.1" of the first line, if its class is the code's, or "" */
	GString *text;       /* lines joined by '\n', without codes, at most REPLY_TEXT_MAX octets kept, controls as
	                      * '?'; valid UTF-8 (other octets are '?', too) */
	unsigned n_lines;
} ServerReply;

typedef enum { REPLY_LAST, REPLY_MORE, REPLY_BAD } ReplyResult;

/* Takes one line without its end.  Start with code 0, n_lines 0 and an empty text; MORE: the next line, too.
 * BAD: no reply, another code than the line before, too long or too many; the connection is of no use. */
ReplyResult reply_take_line(ServerReply *reply, const char *line, size_t size);

/* True if a plugin's or our reply may be sent: code 2xx…5xx, enhanced's class equal to the code's (3xx have
 * none: "" or NULL), text printable ASCII (UTF-8 if `is_utf8`) without line ends, 1 … 480 octets. */
bool reply_is_valid(int code, const char *enhanced, const char *text, bool is_utf8);
