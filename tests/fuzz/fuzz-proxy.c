/* fuzz-proxy.c - the PROXY protocol's header: less than the whole is never taken for it. */
#include <glib.h>

#include "fuzz/fuzz.h"
#include "proto/proxy.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	ProxyHeader header, shorter;
	size_t used, less;
	const ProxyResult result = proxy_parse(text, size, &header, &used);

	if (result == PROXY_MORE)
		g_assert(size < PROXY_HEADER_MAX);
	if (result != PROXY_OK)
		return 0;
	g_assert(used > 0 && used <= size && used <= PROXY_HEADER_MAX);
	g_assert(proxy_parse(text, used, &shorter, &less) == PROXY_OK && less == used);
	for (size_t i = 0; i < used; i++)
		g_assert(proxy_parse(text, i, &shorter, &less) == PROXY_MORE);
	return 0;
}
