/* proxied.c - a plugin that tags mail with what a PROXY header said of its client; tests/system/test_listeners.py loads it. */
#include "plugin-api.h"

static PtnVerdict
tag(PtnHook *h)
{
	static const char *const names[] = { "proxy.authority", "proxy.alpn", "proxy.tls", "proxy.tls.version",
		"proxy.tls.cipher", "proxy.tls.client-name", "proxy.tls.verified" };

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		const char *value = ptn_fact(h, names[i]);

		if (value != NULL)
			ptn_add_header(h, "X-Fact", "%s=%s", names[i], value);
	}
	return PTN_NEXT;
}

static const PtnHookRow hooks[] = {
	{ PTN_MESSAGE, tag, PTN_INLINE },
	{ 0 },
};

PTN_PLUGIN(proxied) = {
	PTN_HEAD("proxied"),
	.version = "1",
	.summary = "tags mail with what its proxy said",
	.hooks = hooks,
};
