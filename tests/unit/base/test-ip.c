/* test-ip.c - IP addresses and networks. */
#include "base/ip.h"

#include <string.h>

#include "base/error.h"
#include "suites.h"

static void
reads_addresses(void)
{
	static const struct {
		const char *text, *shown, *reversed;
		bool is_v4;
	} cases[] = {
		{ "192.0.2.1", "192.0.2.1", "1.2.0.192", true },
		{ "::ffff:192.0.2.1", "192.0.2.1", "1.2.0.192", true },
		{ "::ffff:c000:201", "192.0.2.1", "1.2.0.192", true },
		{ "255.255.255.255", "255.255.255.255", "255.255.255.255", true },
		{ "2001:DB8:0::1", "2001:db8::1",
			"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2", false },
		{ "::", "::", "0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0", false },
		{ "::1", "::1", "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0", false },
	};
	static const char *const bad[] = { "", "192.0.2", "192.0.2.1.", "192.0.2.256", "192.0.2.01",
		"192.0.2.1/32", " 192.0.2.1",
		"[2001:db8::1]", "2001:db8::1%eth0", "2001:db8::g", "1::2::3", "example.net" };
	char text[IP_TEXT_SIZE], reversed[IP_REVERSED_SIZE];
	IpAddress address;

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		CU_ASSERT_TRUE_FATAL(ip_parse(cases[i].text, &address));
		ASSERT_TEXT(ip_format(&address, text), cases[i].shown);
		ASSERT_TEXT(ip_reversed(&address, reversed), cases[i].reversed);
		CU_ASSERT_EQUAL(ip_is_v4(&address), cases[i].is_v4);
	}
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
		ASSERT_TEXT(ip_parse(bad[i], &address) ? bad[i] : NULL, NULL);
}

static void
compares_addresses(void)
{
	IpAddress a, b, c;

	CU_ASSERT(ip_parse("192.0.2.1", &a) && ip_parse("::ffff:192.0.2.1", &b) && ip_parse("192.0.2.2", &c));
	CU_ASSERT_TRUE(ip_equal(&a, &b));
	CU_ASSERT_FALSE(ip_equal(&a, &c));
}

static void
tells_public(void)
{
	static const char *const public[] = { "1.2.3.4", "172.15.255.255", "172.32.0.1", "11.0.0.1",
		"9.255.255.255", "100.63.255.255",
		"100.128.0.0", "126.255.255.255", "128.0.0.1", "169.253.255.255", "169.255.0.0",
			"192.167.255.255", "192.169.0.0",
		"223.255.255.255", "192.0.2.1", "2001:db8::1", "2600::1", "::ffff:1.2.3.4" };
	static const char *const other[] = { "10.0.0.0", "10.255.255.255", "172.16.0.0", "172.31.255.255",
		"192.168.0.0",
		"192.168.255.255", "127.0.0.1", "127.255.255.255", "0.0.0.0", "0.1.2.3", "169.254.0.1",
			"100.64.0.1", "100.127.255.255",
		"224.0.0.1", "239.1.2.3", "240.0.0.1", "255.255.255.255", "::", "::1", "fc00::1", "fdff::1",
			"fe80::1", "febf::1",
		"ff02::1", "::ffff:10.0.0.1" };
	IpAddress address;

	for (size_t i = 0; i < G_N_ELEMENTS(public); i++) {
		CU_ASSERT_TRUE_FATAL(ip_parse(public[i], &address));
		ASSERT_TEXT(ip_is_public(&address) ? public[i] : NULL, public[i]);
	}
	for (size_t i = 0; i < G_N_ELEMENTS(other); i++) {
		CU_ASSERT_TRUE_FATAL(ip_parse(other[i], &address));
		ASSERT_TEXT(ip_is_public(&address) ? other[i] : NULL, NULL);
	}
}

static void
tells_scopes(void)
{
	static const struct {
		IpScope scope;
		const char *addresses[24];
	} cases[] = {
		{ IP_GLOBAL, { "1.1.1.1", "192.0.1.0", "192.88.98.1", "198.17.255.255", "198.20.0.0", "223.255.255.255", "2600::1",
						 "2001:200::1", "2a00::1", "3ffe::1", "2620:4f:8000::1", "64:ff9b::1.1.1.1", "2002:0101:0101::1" } },
		{ IP_EXAMPLE, { "192.0.2.0", "192.0.2.255", "198.18.0.0", "198.19.255.255", "198.51.100.7", "203.0.113.7",
						  "2001:db8::1", "3fff::1", "3fff:fff::1", "64:ff9b::192.0.2.1" } },
		{ IP_SPECIAL, { "192.0.0.1", "192.88.99.1", "2001::1", "2001:0:102:304::", "2001:1ff::1", "100::1", "64:ff9b:1::1",
						  "fec0::1", "5f00::1", "4000::1", "::1.2.3.4", "::ffff:0:1.2.3.4", "64:ff9b::10.0.0.5",
						  "64:ff9b::127.0.0.1", "2002:7f00:1::1", "2002:a00:5::", "2002:a9fe:a9fe::", "::ffff:169.254.169.254" } },
	};
	IpAddress address;

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		for (const char *const *text = cases[i].addresses; *text != NULL; text++) {
			CU_ASSERT_TRUE_FATAL(ip_parse(*text, &address));
			ASSERT_TEXT(ip_scope(&address) == cases[i].scope ? *text : NULL, *text);
		}
	}
}

static void
matches_networks(void)
{
	static const struct {
		const char *network, *address;
		bool contains;
	} cases[] = {
		{ "192.0.2.0/24", "192.0.2.0", true }, { "192.0.2.0/24", "192.0.2.255", true },
		{ "192.0.2.0/24", "192.0.3.0", false },
		{ "192.0.2.1", "192.0.2.1", true }, { "192.0.2.1", "192.0.2.2", false },
		{ "192.0.2.0/31", "192.0.2.1", true },
		{ "192.0.2.0/31", "192.0.2.2", false }, { "192.0.2.0/25", "192.0.2.128", false },
		{ "0.0.0.0/0", "192.0.2.1", true },
		{ "0.0.0.0/0", "2001:db8::1", false }, { "::/0", "2001:db8::1", true },
		{ "2001:db8::/32", "2001:db8:ffff::1", true },
		{ "2001:db8::/32", "2001:db9::1", false }, { "2001:db8::/33", "2001:db8:8000::1", false },
		{ "2001:db8::1", "2001:db8::1", true },
		{ "192.0.2.0/24", "::ffff:192.0.2.7", true },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		IpNetwork network;
		IpAddress address;
		g_autofree char *what = g_strdup_printf("%s %s %d", cases[i].network, cases[i].address,
			cases[i].contains);
		g_autofree char *got = NULL;

		CU_ASSERT_TRUE_FATAL(ip_network_parse(cases[i].network, &network, NULL));
		CU_ASSERT_TRUE_FATAL(ip_parse(cases[i].address, &address));
		got = g_strdup_printf("%s %s %d", cases[i].network, cases[i].address,
			ip_network_contains(&network, &address));
		ASSERT_TEXT(got, what);
	}
}

static void
refuses_networks(void)
{
	static const struct {
		const char *text, *part; /* of the message */
	} cases[] = {
		{ "", "not an IP address" }, { "example.net", "\"example.net\" is not an IP address" },
		{ "192.0.2.0/", "prefix length is 0 to 32" },
		{ "192.0.2.0/33", "0 to 32" }, { "192.0.2.0/-1", "0 to 32" }, { "192.0.2.0/24x", "0 to 32" },
		{ "192.0.2.0/ 24", "0 to 32" },
		{ "2001:db8::/129", "0 to 128" }, { "192.0.2.1/24", "did you mean \"192.0.2.0/24\"?" },
		{ "2001:db8::1/32", "did you mean \"2001:db8::/32\"?" }, { "/24", "not an IP address" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		IpNetwork network;

		CU_ASSERT_FALSE_FATAL(ip_network_parse(cases[i].text, &network, &error));
		CU_ASSERT_TRUE(g_error_matches(error, POSTERN_ERROR, POSTERN_ERROR_INVALID));
		ASSERT_TEXT(strstr(error->message, cases[i].part) != NULL ? cases[i].part : error->message,
			cases[i].part);
	}
}

static const UnitTest tests[] = {
	{ "special-purpose addresses, and those inside NAT64 and 6to4", tells_scopes },
	{ "addresses are read, shown and reversed", reads_addresses },
	{ "a mapped address is its IPv4 address", compares_addresses },
	{ "I-09 I-10 I-11 only what is routed in public is public", tells_public },
	{ "networks hold addresses", matches_networks },
	{ "a network that is none is explained", refuses_networks },
	{ 0 },
};

const UnitSuite suite_ip = { "ip", tests };
