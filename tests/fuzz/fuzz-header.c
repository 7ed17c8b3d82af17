/* fuzz-header.c - the fields of a header section follow each other without a gap. */
#include <glib.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "proto/header.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *content = (const char *)data;
	HeaderScan scan;
	HeaderField field;
	size_t end = 0, body;

	header_scan_start(&scan, content, size);
	while (header_scan_next(&scan, &field)) {
		g_autofree char *name = g_strndup(field.name, field.name_size);

		g_assert(field.offset == end && field.size > 1 && field.offset + field.size <= size);
		g_assert(field.name == content + field.offset && field.name_size > 0);
		g_assert(field.value > field.name + field.name_size && field.value[-1] == ':');
		g_assert(field.value + field.value_size <= content + field.offset + field.size);
		g_assert(header_is(&field, name));
		g_assert(field.name_size > 77 || header_name_is_valid(name));
		end = field.offset + field.size;
	}
	g_assert(scan.at == end);
	body = header_body(content, size);
	g_assert(body == end || (body == end + 2 && memcmp(content + end, "\r\n", 2) == 0));
	return 0;
}
