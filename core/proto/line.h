/* line.h - cutting a stream of octets into lines that only CRLF ends (RFC 5321 2.3.8). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

typedef enum {
	LINE_OK,        /* a line; `size` without its end, `used` with it                                 */
	LINE_MORE,      /* not complete yet, and `available` is below `limit`                             */
	LINE_TOO_LONG,  /* no end within `limit` octets: `used` of them may be thrown away; what follows, up to and
	                 * with the next LINE_OK (which may be empty), is still that line                 */
	LINE_BARE,      /* strict: a bare LF, or a bare CR, before any CRLF; `size` stands before, `used` behind it */
} LineResult;

/* `limit`: octets of a line with its end, at least 2.  `is_lenient`: a bare LF ends the line, too
 * (`bare-newline = normalise`); a bare CR stays content.  `size` and `used` are set but with LINE_MORE. */
LineResult line_find(const char *data, size_t available, size_t limit, bool is_lenient,
	size_t *size, size_t *used);
