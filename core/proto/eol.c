/* eol.c - whether octets use CRLF, and only CRLF, as line ends. */
#include "proto/eol.h"

bool
eol_has_bare(uint8_t *last, const char *octets, size_t size, bool is_end)
{
	for (size_t i = 0; i < size; i++) {
		const uint8_t octet = (uint8_t)octets[i];

		if ((octet == '\n') != (*last == '\r'))
			return true;
		*last = octet;
	}
	return is_end && *last == '\r';
}
