/* fuzz-line.c - lines are the same however the octets come in. */
#include <glib.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "proto/line.h"

/* Cuts all there is, `piece` octets at a time; what was found, as text. */
static char *
cut(const char *data, size_t size, size_t limit, bool is_lenient, size_t piece)
{
	g_autoptr(GString) found = g_string_new(NULL);
	size_t at = 0, available = 0;

	while (at < size) {
		size_t line_size, used;
		const LineResult result = line_find(data + at, available, limit, is_lenient, &line_size, &used);

		if (result == LINE_MORE) {
			g_assert(available < limit);
			if (at + available == size)
				break;
			available += MIN(piece, size - at - available);
			continue;
		}
		g_assert(used > 0 && used <= available && used <= limit && line_size < used + 1);
		g_string_append_printf(found, "%d:%zu:%zu ", result, result == LINE_TOO_LONG ? 0 : line_size, used);
		at += used;
		available -= used;
	}
	return g_strdup(found->str);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data + 1;
	g_autofree char *whole = NULL, *pieces = NULL;
	size_t limit;

	if (size == 0)
		return 0;
	limit = 2 + data[0] / 2 % 64;
	whole = cut(text, size - 1, limit, data[0] & 1, size);
	pieces = cut(text, size - 1, limit, data[0] & 1, 1 + data[0] % 7);
	g_assert_cmpstr(whole, ==, pieces);
	return 0;
}
