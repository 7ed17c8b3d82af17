/* line.h - cutting a stream of octets into lines that only CRLF ends (RFC 5321 2.3.8). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

typedef enum {
	LINE_OK,        /* a line; `size` without its end, `used` with it                                */
	LINE_MORE,      /* not complete yet                                                              */
	LINE_TOO_LONG,  /* more than `limit` octets and no end: `used` octets may be thrown away, the rest of the line follows */
	LINE_BARE,      /* a bare LF, or a bare CR, before any CRLF (strict mode)                          */
} LineResult;

/* `is_lenient`: a bare LF ends the line, too (`bare-newline = normalise`); a bare CR stays content. */
LineResult line_find(const char *data, size_t available, size_t limit, bool is_lenient, size_t *size, size_t *used);
