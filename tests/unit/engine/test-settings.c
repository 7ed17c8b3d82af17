/* test-settings.c - the presets that the catalogue of behaviours names. */
#include "engine/settings.h"

#include "base/clock.h"
#include "suites.h"

static void
test_presets(void)
{
	g_autoptr(EngineSettings) settings = engine_settings_new();

	CU_ASSERT_EQUAL(settings->max_message, 209715200);
	CU_ASSERT_EQUAL(settings->max_recipients, 1000);
	CU_ASSERT_EQUAL(settings->clients.connections, 500);
	CU_ASSERT_EQUAL(settings->soft_errors, 10);
	CU_ASSERT_EQUAL(settings->hard_errors, 20);
	CU_ASSERT_EQUAL(settings->max_junk, 100);
	CU_ASSERT_EQUAL(settings->idle_us, 300 * CLOCK_SECOND);
	CU_ASSERT_EQUAL(settings->error_delay_us, CLOCK_SECOND);
	CU_ASSERT_FALSE(settings->shows_login);
	CU_ASSERT_FALSE(settings->opens_server_accounts);
	CU_ASSERT_TRUE(settings->removes_bcc && settings->adds_date && settings->adds_message_id);
}

static void
test_listener(void)
{
	ListenerSettings *listener = listener_settings_new("submission");

	ASSERT_TEXT(listener->name, "submission");
	CU_ASSERT_EQUAL(listener->tls, LISTENER_TLS_NONE);
	CU_ASSERT_FALSE(listener->takes_auth || listener->takes_auth_in_clear || listener->is_lenient);
	CU_ASSERT_EQUAL(listener->ports->len, 0);
	listener_settings_free(listener);
}

static void
add_network(GArray *networks, const char *text)
{
	IpNetwork network;

	CU_ASSERT_TRUE(ip_network_parse(text, &network, NULL));
	g_array_append_val(networks, network);
}

static bool
is_monitor(const EngineSettings *settings, const char *text)
{
	IpAddress address = { 0 };

	CU_ASSERT_TRUE(ip_parse(text, &address));
	return engine_settings_is_monitor(settings, &address);
}

/* Loopback is by default; proxies are, whichever listener names them. */
static void
test_monitors(void)
{
	g_autoptr(EngineSettings) settings = engine_settings_new();
	ListenerSettings *plain = listener_settings_new("plain"), *proxied = listener_settings_new("proxied");

	g_ptr_array_add(settings->listeners, plain);
	g_ptr_array_add(settings->listeners, proxied);
	add_network(proxied->proxies, "192.0.2.8/31");
	CU_ASSERT_TRUE(is_monitor(settings, "127.0.0.1") && is_monitor(settings, "127.255.0.9"));
	CU_ASSERT_TRUE(is_monitor(settings, "::1") && is_monitor(settings, "::ffff:127.0.0.1"));
	CU_ASSERT_TRUE(is_monitor(settings, "192.0.2.9"));
	CU_ASSERT_FALSE(is_monitor(settings, "192.0.2.10") || is_monitor(settings, "::2"));
	g_array_set_size(settings->monitors, 0);
	add_network(settings->monitors, "2001:db8::/32");
	CU_ASSERT_FALSE(is_monitor(settings, "127.0.0.1"));
	CU_ASSERT_TRUE(is_monitor(settings, "2001:db8::7") && is_monitor(settings, "192.0.2.8"));
}

static const UnitTest tests[] = {
	{ "E-05, E-14 limits and times are those of the catalogue", test_presets },
	{ "C-11, E-12 a listener permits nothing by itself", test_listener },
	{ "K-16 monitors, and proxies of any listener, are not counted", test_monitors },
	{ NULL, NULL },
};

const UnitSuite suite_settings = { "settings", tests };
