/* api-block.c - clients that may not connect any more. */
#include "host/host-private.h"

PtnStatus
ptn_block(PtnHook *h, const char *network, int64_t time, const char *reason)
{
	const Engine *engine = h->instance->services->engine;
	g_autoptr(GError) error = NULL;
	IpNetwork parsed;

	if (engine == NULL || engine->blocks == NULL)
		return PTN_UNSURE;
	if (!ip_network_parse(network, &parsed, &error)) {
		ptn_log(h, PTN_WARNING, "ptn_block(): %s", error->message);
		return PTN_UNSURE;
	}
	if (!h->call->may_wait) {
		h->call->would_have_waited = true;
		return PTN_UNSURE;
	}
	if (call_is_rehearsed(h)) {
		call_note(h, "would block %s: %s", network, reason);
		return PTN_OK;
	}
	ptn_log(h, PTN_INFO, "blocks %s: %s", network, reason);
	return blocks_add(engine->blocks, &parsed, time, h->instance->plugin->name, reason);
}
