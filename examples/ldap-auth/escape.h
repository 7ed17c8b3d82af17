/* escape.h - logins within DNs (RFC 4514) and filters (RFC 4515).
 *
 * In both any octet may be written as a backslash and two hexadecimal digits, so all but the harmless ones are. */
#pragma once

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static inline bool
escape_is_harmless(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("@._-", c) != NULL;
}

/* Writes `size` octets of `text` to `out`, which has room for three times as many and a NUL. */
static inline void
escape(char *out, const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		const unsigned char c = (unsigned char)text[i];

		if (c != '\0' && escape_is_harmless(c))
			*out++ = (char)c;
		else
			out += snprintf(out, 4, "\\%02x", c);
	}
	*out = '\0';
}
