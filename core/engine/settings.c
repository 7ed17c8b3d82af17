/* settings.c - plain values, with the presets of the configuration. */
#include "engine/settings.h"

#include "base/clock.h"

ListenerSettings *
listener_settings_new(const char *name)
{
	ListenerSettings *settings = g_new0(ListenerSettings, 1);

	settings->name = g_strdup(name);
	settings->addresses = g_array_new(FALSE, FALSE, sizeof(IpAddress));
	settings->ports = g_array_new(FALSE, FALSE, sizeof(uint16_t));
	settings->proxies = g_array_new(FALSE, FALSE, sizeof(IpNetwork));
	return settings;
}

void
listener_settings_free(ListenerSettings *settings)
{
	g_free(settings->name);
	g_array_unref(settings->addresses);
	g_array_unref(settings->ports);
	g_array_unref(settings->proxies);
	g_free(settings);
}

static void
settings_add_network(GArray *networks, const char *text)
{
	IpNetwork network;

	if (ip_network_parse(text, &network, NULL))
		g_array_append_val(networks, network);
}

EngineSettings *
engine_settings_new(void)
{
	EngineSettings *settings = g_new0(EngineSettings, 1);

	settings->max_message = 209715200;
	settings->held_per_domain = UINT64_C(1) << 30;
	settings->forward_days = 21;
	settings->max_recipients = 1000;
	settings->max_received = 50;
	settings->max_connections = 20000;
	settings->max_commands = 100000;
	settings->max_lookups = 10000;
	settings->clients = client_limits_default();
	settings->accounts = account_limits_default();
	settings->soft_errors = 10;
	settings->hard_errors = 20;
	settings->max_junk = 100;
	settings->max_auth_failures = 5;
	settings->min_data_rate = 256;
	settings->max_unread = 64 << 10;
	settings->max_ahead = 512 << 10;
	settings->last_reply_us = 60 * CLOCK_SECOND;
	settings->handshake_us = 60 * CLOCK_SECOND;
	settings->idle_us = 300 * CLOCK_SECOND;
	settings->session_max_us = 3600 * CLOCK_SECOND;
	settings->error_delay_us = CLOCK_SECOND;
	settings->auth_delay_us = CLOCK_SECOND;
	settings->auto_tls_wait_us = CLOCK_SECOND / 5;
	settings->chain_us = 60 * CLOCK_SECOND;
	settings->exempt_recipients = g_strsplit("abuse@ .spamcop.net", " ", -1);
	settings->adds_date = settings->adds_message_id = settings->removes_bcc = settings->removes_return_path = true;
	settings->etrn_clients = g_array_new(FALSE, FALSE, sizeof(IpNetwork));
	settings->monitors = g_array_new(FALSE, FALSE, sizeof(IpNetwork));
	settings_add_network(settings->monitors, "127.0.0.0/8");
	settings_add_network(settings->monitors, "::1");
	settings->listeners = g_ptr_array_new_with_free_func((GDestroyNotify)listener_settings_free);
	return settings;
}

void
engine_settings_free(EngineSettings *settings)
{
	if (settings == NULL)
		return;
	g_free(settings->hostname);
	g_free(settings->banner_name);
	g_free(settings->header_prefix);
	g_free(settings->support);
	g_free(settings->abuse_text);
	g_free(settings->postmaster);
	g_free(settings->service_name);
	g_free(settings->templates);
	g_strfreev(settings->ehlo_without);
	g_strfreev(settings->exempt_recipients);
	g_array_unref(settings->etrn_clients);
	g_array_unref(settings->monitors);
	g_ptr_array_unref(settings->listeners);
	g_free(settings);
}

bool
engine_settings_is_monitor(const EngineSettings *settings, const IpAddress *address)
{
	if (ip_networks_contain(settings->monitors, address))
		return true;
	for (guint i = 0; i < settings->listeners->len; i++)
		if (ip_networks_contain(((const ListenerSettings *)settings->listeners->pdata[i])->proxies, address))
			return true;
	return false;
}
