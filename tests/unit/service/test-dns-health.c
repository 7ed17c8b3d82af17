/* test-dns-health.c - when resolvers count as away, over a transport that keeps what is asked. */
#include <glib.h>

#include "service/dns-private.h"
#include "unit/service/fake-clock.h"
#include "unit/service/suites.h"

typedef struct {
	FakeClock clock;
	Dns *dns;
	DnsLookup *lookup; /* the last one */
} Wire;

static bool
wire_start(void *data, const char *name, PtnRecord type, bool is_fresh, DnsLookup *lookup)
{
	(void)name, (void)type, (void)is_fresh;
	((Wire *)data)->lookup = lookup;
	return true;
}

static void
wire_nothing(void *data)
{
	(void)data;
}

static void
wire_open(Wire *wire)
{
	static const DnsTransport transport = { wire_start, wire_nothing, wire_nothing };
	DnsSettings settings = { .timeout_us = 10 * CLOCK_SECOND,
		.cache_size = 1 << 20,
		.most_lookups = 100,
		.limits = dns_limits_default() };

	*wire = (Wire){ .clock = fake_clock() };
	settings.clock = &wire->clock.clock;
	wire->dns = dns_new_over(&transport, wire, &settings);
}

static void
answer(Wire *wire, const char *name, DnsAnswer *answer)
{
	dns_query_unref(dns_start_fresh(wire->dns, name, PTN_A));
	dns_deliver(wire->dns, wire->lookup, answer);
}

static void
fail(Wire *wire, const char *name)
{
	answer(wire, name, dns_answer_make(PTN_UNSURE, NULL, 0));
}

static bool
is_away(const Wire *wire)
{
	g_autofree char *text = dns_trouble(wire->dns);

	return text != NULL;
}

/* Names that fail by themselves are no outage; that nothing is answered for a minute is one, until something is. */
static void
test_failures(void)
{
	Wire wire;

	wire_open(&wire);
	CU_ASSERT_FALSE(dns_is_doubtful(wire.dns));
	for (int i = 0; i < 100; i++) { /* one name, over and over */
		fail(&wire, "broken.example");
		wire.clock.now_us += CLOCK_SECOND;
	}
	CU_ASSERT_TRUE(dns_is_doubtful(wire.dns));
	CU_ASSERT_FALSE(is_away(&wire));
	fail(&wire, "two.example");
	CU_ASSERT_FALSE(is_away(&wire));
	fail(&wire, "three.example");
	CU_ASSERT_TRUE(is_away(&wire));
	answer(&wire, "none.example", dns_answer_make(PTN_NONE, NULL, 0));
	CU_ASSERT_FALSE(dns_is_doubtful(wire.dns));
	CU_ASSERT_FALSE(is_away(&wire));

	fail(&wire, "one.example"); /* many at once are no minute */
	fail(&wire, "two.example");
	fail(&wire, "three.example");
	wire.clock.now_us += 59 * CLOCK_SECOND;
	CU_ASSERT_FALSE(is_away(&wire));
	wire.clock.now_us += CLOCK_SECOND;
	CU_ASSERT_TRUE(is_away(&wire));
	dns_free(wire.dns);
}

/* What DNSSEC rejects is an answer. */
static void
test_bogus(void)
{
	DnsAnswer *bogus = dns_answer_make(PTN_UNSURE, NULL, 0);
	Wire wire;

	wire_open(&wire);
	fail(&wire, "one.example");
	bogus->is_bogus = true;
	answer(&wire, "two.example", bogus);
	CU_ASSERT_FALSE(dns_is_doubtful(wire.dns));
	dns_free(wire.dns);
}

/* Servers that say nothing: the queries give up. */
static void
test_silence(void)
{
	static const char *const names[] = { "one.example", "two.example", "three.example" };
	DnsLookup *lookups[G_N_ELEMENTS(names)];
	DnsQuery *queries[G_N_ELEMENTS(names)];
	Wire wire;

	wire_open(&wire);
	for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
		queries[i] = dns_start(wire.dns, names[i], PTN_A);
		lookups[i] = wire.lookup;
	}
	wire.clock.now_us += 10 * CLOCK_SECOND;
	(void)dns_expire(wire.dns);
	CU_ASSERT_FALSE(is_away(&wire));
	wire.clock.now_us += 60 * CLOCK_SECOND;
	CU_ASSERT_TRUE(is_away(&wire));
	for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
		dns_deliver(wire.dns, lookups[i], dns_answer_make(PTN_NONE, NULL, 0));
		dns_query_unref(queries[i]);
	}
	CU_ASSERT_FALSE(is_away(&wire));
	dns_free(wire.dns);
}

static const UnitTest tests[] = {
	{ "resolvers are away when nothing is answered for a minute, of three names or more", test_failures },
	{ "a forged answer is one", test_bogus },
	{ "also where they say nothing", test_silence },
	{ NULL, NULL },
};

const UnitSuite suite_dns_health = { "dns-health", tests };
