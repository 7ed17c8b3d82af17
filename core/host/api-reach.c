/* api-reach.c - where plugins may connect to: what the administrator did not write must be public (io/reach.h). */
#include "host/host-private.h"
#include "io/reach.h"

struct HostReach {
	GArray *private_networks; /* of IpNetwork: [delivery] private-networks */
	GArray *our_ports;        /* of uint16_t: those of the listeners */
};

static void
reach_take_networks(HostReach *reach, const Config *config)
{
	const ConfigSection *section = config_section(config, "delivery", NULL);
	const char *const *text = section != NULL ? config_list(section, "private-networks") : NULL;

	for (; text != NULL && *text != NULL; text++) {
		IpNetwork network;

		if (ip_network_parse(*text, &network, NULL))
			g_array_append_val(reach->private_networks, network);
	}
}

static void
reach_take_ports(HostReach *reach, const Config *config)
{
	const GPtrArray *listeners = config_sections(config, "listener");

	for (guint i = 0; i < listeners->len; i++) {
		const char *const *text = config_list(g_ptr_array_index(listeners, i), "ports");

		for (; *text != NULL; text++) {
			const uint16_t port = (uint16_t)g_ascii_strtoull(*text, NULL, 10);

			g_array_append_val(reach->our_ports, port);
		}
	}
}

HostReach *
host_reach_new(const Config *config)
{
	HostReach *reach = g_new0(HostReach, 1);

	reach->private_networks = g_array_new(FALSE, FALSE, sizeof(IpNetwork));
	reach->our_ports = g_array_new(FALSE, FALSE, sizeof(uint16_t));
	reach_take_networks(reach, config);
	reach_take_ports(reach, config);
	return reach;
}

void
host_reach_free(HostReach *reach)
{
	if (reach == NULL)
		return;
	g_array_unref(reach->private_networks);
	g_array_unref(reach->our_ports);
	g_free(reach);
}

/* Who wants to know whether we take mail may ask us, at the ports where everybody may. */
static bool
reach_is_our_door(const HostReach *reach, const IpAddress *address, uint16_t port)
{
	if (ip_scope(address) != IP_GLOBAL)
		return false;
	for (guint i = 0; i < reach->our_ports->len; i++)
		if (g_array_index(reach->our_ports, uint16_t, i) == port)
			return true;
	return false;
}

static bool
reach_permits(const HostReach *reach, const IpAddress *address, uint16_t port)
{
	return reach_is_allowed(reach->private_networks, address) || reach_is_our_door(reach, address, port);
}

/* By the configuration in use: an instance keeps its own over a reload that does not change its sections. */
bool
api_may_reach(const PtnHook *h, const IpAddress *address, uint16_t port)
{
	HostReach *own;
	bool may;

	if (h->set != NULL)
		return reach_permits(h->set->reach, address, port);
	own = host_reach_new(h->instance->config); /* in start and stop */
	may = reach_permits(own, address, port);
	host_reach_free(own);
	return may;
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
