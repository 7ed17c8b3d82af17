/* api-reach.c - where plugins may connect to: what the administrator did not write must be public (io/reach.h). */
#include "host/host-private.h"
#include "io/reach.h"

/* That of the configuration in use: an instance keeps its own over a reload that does not change its sections. */
static const Config *
api_config(const PtnHook *h)
{
	return h->set != NULL ? h->set->config : h->instance->config;
}

static GArray *
api_private_networks(const PtnHook *h)
{
	const ConfigSection *section = config_section(api_config(h), "delivery", NULL);
	const char *const *text = section != NULL ? config_list(section, "private-networks") : NULL;
	GArray *networks = g_array_new(FALSE, FALSE, sizeof(IpNetwork));

	for (; text != NULL && *text != NULL; text++) {
		IpNetwork network;

		if (ip_network_parse(*text, &network, NULL))
			g_array_append_val(networks, network);
	}
	return networks;
}

/* Who wants to know whether we take mail may ask us, at the ports where everybody may. */
static bool
api_is_our_door(const PtnHook *h, const IpAddress *address, uint16_t port)
{
	const GPtrArray *listeners = config_sections(api_config(h), "listener");
	g_autofree char *text = g_strdup_printf("%u", port);

	if (ip_scope(address) != IP_GLOBAL)
		return false;
	for (guint i = 0; i < listeners->len; i++)
		if (g_strv_contains(config_list(g_ptr_array_index(listeners, i), "ports"), text))
			return true;
	return false;
}

bool
api_may_reach(const PtnHook *h, const IpAddress *address, uint16_t port)
{
	g_autoptr(GArray) networks = api_private_networks(h);

	return reach_is_allowed(networks, address) || api_is_our_door(h, address, port);
}

bool
ptn_is_private(PtnHook *h, const char *host, int port)
{
	bool is_unsure = false;
	g_autoptr(GArray) addresses = api_addresses(h, host, &is_unsure);

	for (guint i = 0; i < addresses->len; i++)
		if (api_may_reach(h, &g_array_index(addresses, IpAddress, i), (uint16_t)port))
			return false;
	return addresses->len > 0 && !is_unsure;
}
