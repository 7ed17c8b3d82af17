/* reply.h - SMTP replies: those of servers, read; ours, checked (RFC 5321 4.2, RFC 2034). */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

enum {
	REPLY_LINE_MAX = 2048,       /* octets of a line that are kept */
	REPLY_TEXT_MAX = 64 * 1024,  /* octets of the text of all lines that are kept */
	REPLY_SHOWN_MAX = 1000,      /* octets of it that go into logs, states and reports */
	REPLY_OURS_MAX = 480,
};

typedef struct {
	int code;            /* 100 … 999; of the last line that was taken */
	char enhanced[12];   /* "5.7.1" of the first line with this code, if its class is the code's, or "" */
	GString *text;       /* lines joined by '\n', without codes, at most REPLY_TEXT_MAX octets kept, controls as
	                      * '?'; valid UTF-8 (other octets are '?', too) */
	unsigned n_lines;
	bool is_odd;         /* its codes differ, or are none of 2xx to 5xx; lines without one stood between; or torn */
	bool is_torn;        /* the connection failed, or too much came, before the last line was complete */
} ServerReply;

typedef enum { REPLY_LAST, REPLY_MORE, REPLY_BAD } ReplyResult;

/* Takes one line without its end.  Start with code 0, n_lines 0 and an empty text; MORE: the next line, too.  Servers that
 * change the code within a reply are taken at their last word (RFC 5321 4.2.1 says that all are equal), and what
 * exceeds the limits is left out.  BAD: the line has no code; `reply` is as it was. */
ReplyResult reply_take_line(ServerReply *reply, const char *line, size_t size);

/* True if a plugin's or our reply may be sent: code 2xx…5xx, enhanced's class equal to the code's (3xx have
 * none: "" or NULL), text printable ASCII (UTF-8 if `is_utf8`) without line ends, 1 … 480 octets. */
bool reply_is_valid(int code, const char *enhanced, const char *text, bool is_utf8);
