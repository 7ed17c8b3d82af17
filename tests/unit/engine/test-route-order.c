/* test-route-order.c - MX hosts in every order in which the DNS may name them. */
#include <string.h>

#include "engine/route.h"
#include "suites.h"
#include "unit/service/fake-clock.h"

enum { MOST = 4 };

/* What the DNS says of example.org. */
typedef struct {
	const char *mx[MOST + 1];
} Zone;

static PtnAnswer *
zone_resolve(void *data, const char *name, PtnRecord type)
{
	static const struct {
		const char *name, *address;
	} hosts[] = { { "mx1.example", "192.0.2.1" }, { "mx2.example", "192.0.2.2" },
		{ "mx3.example", "192.0.2.3" }, { "us.example", "192.0.2.250" } };
	const Zone *zone = data;

	if (strcmp(name, "example.org") == 0 && type == PTN_MX)
		return dns_answer_new(PTN_OK, zone->mx, CLOCK_SECOND);
	if (strcmp(name, "failing.example") == 0)
		return dns_answer_new(PTN_UNSURE, NULL, CLOCK_SECOND);
	for (size_t i = 0; i < G_N_ELEMENTS(hosts) && type == PTN_A; i++)
		if (strcmp(name, hosts[i].name) == 0)
			return dns_answer_new(
				PTN_OK, (const char *const[]){ hosts[i].address, NULL }, CLOCK_SECOND);
	return dns_answer_new(PTN_NONE, NULL, CLOCK_SECOND);
}

/* "OK 1 2": the last numbers of the addresses, or "DEFER 4.4.3"; new. */
static char *
zone_route(Zone *zone)
{
	static const char *const names[] = { "OK", "DEFER", "FAIL" };
	g_autoptr(NextHop) hop = next_hop_parse("mx:example.org", TLS_MAY, NULL);
	g_autoptr(DeliverySettings) settings = delivery_settings_new();
	g_autoptr(GPtrArray) addresses = NULL;
	g_autofree char *reply = NULL;
	GString *shown = g_string_new(NULL);
	Dns *dns = dns_new_scripted(zone_resolve, zone);
	IpNetwork examples;
	IpAddress own;

	settings->hostname = g_strdup("mail.example.net");
	CU_ASSERT(ip_parse("192.0.2.250", &own) && ip_network_parse("192.0.2.0/24", &examples, NULL));
	g_array_append_val(settings->own, own);
	g_array_append_val(settings->private_networks, examples);
	g_string_append(
		shown, names[route_addresses(dns, settings, hop, CLOCK_NEVER, &addresses, &reply)]);
	if (reply != NULL)
		g_string_append_printf(shown, " %.*s", (int)strcspn(reply, " "), reply);
	for (guint i = 0; addresses != NULL && i < addresses->len; i++) {
		char text[IP_TEXT_SIZE];

		g_string_append_printf(shown, " %s",
			strrchr(ip_format(&((const HopAddress *)addresses->pdata[i])->address, text), '.') + 1);
	}
	dns_free(dns);
	return g_string_free(shown, FALSE);
}

/* The rows from `from` on in all their orders. */
static void
check_orders(Zone *zone, size_t from, size_t n, const char *expected)
{
	if (from == n) {
		g_autofree char *shown = zone_route(zone);

		if (strcmp(shown, expected) != 0) {
			g_autofree char *order = g_strjoinv(", ", (char **)(uintptr_t)zone->mx);
			g_autofree char *got = g_strdup_printf("%s: %s", order, shown);

			ASSERT_TEXT(got, expected);
		}
	}
	for (size_t i = from; i < n; i++) {
		const char *const row = zone->mx[from], *const other = zone->mx[i];

		zone->mx[from] = other;
		zone->mx[i] = row;
		check_orders(zone, from + 1, n, expected);
		zone->mx[from] = row;
		zone->mx[i] = other;
	}
}

static void
test_orders(void)
{
	static const struct {
		const char *mx[MOST + 1], *expected;
	} cases[] = {
		{ { "10 mx1.example", "20 mx2.example", "30 mx3.example" }, "OK 1 2 3" },
		{ { "9 mx1.example", "10 mx2.example", "100 mx3.example" },
			"OK 1 2 3" }, /* numbers, not texts */
		{ { "10 mx1.example", "100 us.example", "110 mx2.example" }, "OK 1" },
		{ { "0 mx1.example", "1 mx2.example", "65535 mx3.example" }, "OK 1 2 3" },
		{ { "10 mx1.example", "20 mx2.example", "30 us.example" }, "OK 1 2" },
		{ { "10 mx1.example", "20 us.example", "30 mx2.example" }, "OK 1" },
		{ { "10 us.example", "20 mx1.example", "30 mx2.example" }, "FAIL 5.4.6" },
		{ { "10 mx1.example", "20 us.example", "20 mx2.example", "30 mx3.example" }, "OK 1" },
		{ { "10 mx1.example", "20 mail.example.net", "20 mx2.example", "30 mx3.example" }, "OK 1" },
		{ { "10 us.example", "10 mx1.example", "10 mx2.example", "20 mx3.example" }, "FAIL 5.4.6" },
		{ { "10 mx1.example", "20 us.example", "30 us.example", "30 mx2.example" }, "OK 1" },
		{ { "10 failing.example", "20 mx2.example", "30 mx3.example" }, "OK 2 3" },
		{ { "10 failing.example", "20 us.example", "30 mx3.example" }, "DEFER 4.4.3" },
		{ { "10 failing.example", "10 us.example", "20 mx3.example" }, "FAIL 5.4.6" },
		{ { "10 nowhere.example", "20 us.example", "30 mx3.example" }, "FAIL 5.4.6" },
		{ { "10 nowhere.example", "20 mx2.example", "30 us.example" }, "OK 2" },
	};

	for (size_t k = 0; k < G_N_ELEMENTS(cases); k++) {
		Zone zone;
		size_t n = 0;

		memcpy(zone.mx, cases[k].mx, sizeof zone.mx);
		while (zone.mx[n] != NULL)
			n++;
		check_orders(&zone, 0, n, cases[k].expected);
	}
}

/* RFC 5321 5.1: of equal ones each comes first as often as the others. */
static void
test_equal(void)
{
	Zone zone = { { "10 mx1.example", "10 mx2.example", "5 mx3.example" } };
	unsigned first[2] = { 0 };

	for (int i = 0; i < 200; i++) {
		g_autofree char *shown = zone_route(&zone);

		CU_ASSERT(strcmp(shown, "OK 3 1 2") == 0 || strcmp(shown, "OK 3 2 1") == 0);
		first[shown[5] == '2']++;
	}
	CU_ASSERT(first[0] > 40 && first[1] > 40);
}

static const UnitTest tests[] = {
	{ "Q-37 MX hosts in every order, ourselves among them", test_orders },
	{ "MX hosts of one preference take turns", test_equal },
	{ NULL, NULL },
};

const UnitSuite suite_route_order = { "route-order", tests };
