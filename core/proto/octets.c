/* octets.c - what a hop must be able to carry. */
#include "proto/octets.h"

#include <stdint.h>
#include <string.h>

bool
octets_are_ascii(const char *octets, size_t size)
{
	uint64_t all = 0;

	while (size >= sizeof all) {
		uint64_t word;

		memcpy(&word, octets, sizeof word);
		all |= word;
		octets += sizeof word;
		size -= sizeof word;
	}
	while (size-- > 0)
		all |= (unsigned char)*octets++;
	return (all & UINT64_C(0x8080808080808080)) == 0;
}

void
octets_note(OctetFacts *facts, const char *octets, size_t size)
{
	const char *at = octets, *const end = octets + size;
	const char *lf;

	facts->has_8bit = facts->has_8bit || !octets_are_ascii(octets, size);
	while (!facts->has_long && (lf = memchr(at, '\n', (size_t)(end - at))) != NULL) {
		const size_t line = facts->line + (size_t)(lf - at);

		facts->has_long =
			line > LINE_CONTENT_MAX + 1 || (line == LINE_CONTENT_MAX + 1 && lf > at && lf[-1] != '\r');
		facts->line = 0;
		at = lf + 1;
	}
	facts->line += (size_t)(end - at);
	facts->has_long = facts->has_long || facts->line > LINE_CONTENT_MAX + 1;
}
