/* eol.h - whether octets use CRLF, and only CRLF, as line ends: for content that came without dot-stuffing. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* `last`: the last octet of the stretch before, 0 at the start; kept between calls.  `is_end`: nothing
 * follows, so that a CR at the very end is bare, too. */
bool eol_has_bare(uint8_t *last, const char *octets, size_t size, bool is_end);
