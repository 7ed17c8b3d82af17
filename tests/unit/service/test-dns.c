/* test-dns.c - queries, lookups and exchangers over a transport that the test plays. */
#include <glib.h>
#include <string.h>

#include "service/dns-private.h"
#include "unit/service/fake-clock.h"
#include "unit/service/suites.h"

enum { DNS_RUNS = 200, DNS_THREADS = 4 };

#define NEVER_WAIT 0

typedef struct {
	char *name;
	PtnRecord type;
	DnsLookup *lookup;
} Asked;

typedef struct {
	FakeClock clock;
	Dns *dns;
	GPtrArray *asked; /* what was asked and has no answer yet */
	unsigned starts, fresh_starts;
	bool is_refusing;
} Wire;

static void
asked_free(void *data)
{
	Asked *asked = data;

	g_free(asked->name);
	g_free(asked);
}

static bool
wire_start(void *data, const char *name, PtnRecord type, bool is_fresh, DnsLookup *lookup)
{
	Wire *wire = data;
	Asked *asked;

	wire->starts++;
	wire->fresh_starts += is_fresh ? 1 : 0;
	if (wire->is_refusing)
		return false;
	asked = g_new(Asked, 1);
	*asked = (Asked){ g_strdup(name), type, lookup };
	g_ptr_array_add(wire->asked, asked);
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
	DnsSettings settings = { .timeout_us = 10 * CLOCK_SECOND, .cache_size = 1 << 20, .most_lookups = 100, .limits = dns_limits_default() };

	*wire = (Wire){ .clock = fake_clock(), .asked = g_ptr_array_new_with_free_func(asked_free) };
	settings.clock = &wire->clock.clock;
	wire->dns = dns_new_over(&transport, wire, &settings);
}

static void
wire_close(Wire *wire)
{
	dns_free(wire->dns);
	g_ptr_array_unref(wire->asked);
}

/* Takes `answer`.  What is not asked shows. */
static void
wire_answer(Wire *wire, const char *name, PtnRecord type, DnsAnswer *answer)
{
	for (guint i = 0; i < wire->asked->len; i++) {
		const Asked *asked = g_ptr_array_index(wire->asked, i);

		if (strcmp(asked->name, name) == 0 && asked->type == type) {
			dns_deliver(wire->dns, asked->lookup, answer);
			(void)g_ptr_array_remove_index(wire->asked, i);
			return;
		}
	}
	ASSERT_TEXT("not asked", name);
	dns_answer_unref(answer);
}

#define VALUES(...) ((const char *const[]){ __VA_ARGS__, NULL })

static DnsAnswer *
found(const char *const *values)
{
	return dns_answer_make(PTN_OK, values, 60 * CLOCK_SECOND);
}

static DnsAnswer *
none(bool is_nxdomain)
{
	DnsAnswer *answer = dns_answer_make(PTN_NONE, NULL, 30 * CLOCK_SECOND);

	answer->is_nxdomain = is_nxdomain;
	return answer;
}

static DnsAnswer *
unsure(void)
{
	return dns_answer_make(PTN_UNSURE, NULL, 0);
}

/* Values joined by ";", "none", "unsure"; "?" if there is no answer yet.  New. */
static char *
shown(const DnsQuery *query)
{
	const PtnAnswer *answer = dns_query_answer(query);

	if (answer == NULL)
		return g_strdup("?");
	if (answer->status != PTN_OK)
		return g_strdup(answer->status == PTN_NONE ? "none" : "unsure");
	return g_strjoinv(";", (char **)(uintptr_t)answer->values);
}

static void
assert_shown(const DnsQuery *query, const char *expected)
{
	g_autofree char *text = shown(query);

	ASSERT_TEXT(text, expected);
}

static void
test_one_in_flight(void)
{
	g_autoptr(DnsQuery) first = NULL;
	g_autoptr(DnsQuery) second = NULL;
	g_autoptr(DnsQuery) other = NULL;
	g_autoptr(DnsQuery) cached = NULL;
	Wire wire;

	wire_open(&wire);
	first = dns_start(wire.dns, "mx.Example.net", PTN_A);
	second = dns_start(wire.dns, "MX.example.net.", PTN_A);
	other = dns_start(wire.dns, "mx.example.net", PTN_AAAA);
	CU_ASSERT_EQUAL(wire.starts, 2);
	assert_shown(first, "?");
	CU_ASSERT_EQUAL(dns_wait(first, NEVER_WAIT)->status, PTN_UNSURE);
	wire_answer(&wire, "mx.example.net", PTN_A, found(VALUES("192.0.2.1", "192.0.2.2")));
	assert_shown(first, "192.0.2.1;192.0.2.2");
	assert_shown(second, "192.0.2.1;192.0.2.2");
	assert_shown(other, "?");
	CU_ASSERT_EQUAL(dns_wait(first, NEVER_WAIT)->count, 2);
	cached = dns_start(wire.dns, "mx.example.net", PTN_A);
	assert_shown(cached, "192.0.2.1;192.0.2.2");
	CU_ASSERT_EQUAL(wire.starts, 2);
	wire_close(&wire);
	assert_shown(other, "unsure");
	assert_shown(first, "192.0.2.1;192.0.2.2");
}

static void
test_ttl(void)
{
	Wire wire;

	wire_open(&wire);
	dns_query_unref(dns_start(wire.dns, "a.example", PTN_A));
	wire_answer(&wire, "a.example", PTN_A, found(VALUES("192.0.2.1")));
	wire.clock.now_us += 20 * CLOCK_SECOND;
	{
		g_autoptr(DnsQuery) again = dns_start(wire.dns, "a.example", PTN_A);

		CU_ASSERT_EQUAL_FATAL(dns_query_answer(again) != NULL, true);
		CU_ASSERT_EQUAL(dns_query_answer(again)->ttl, 40 * CLOCK_SECOND);
	}
	wire.clock.now_us += 40 * CLOCK_SECOND;
	{
		g_autoptr(DnsQuery) expired = dns_start(wire.dns, "a.example", PTN_A);

		assert_shown(expired, "?");
	}
	wire_close(&wire);
}

static void
test_three_answers(void)
{
	g_autoptr(DnsQuery) a = NULL;
	g_autoptr(DnsQuery) b = NULL;
	g_autoptr(DnsQuery) c = NULL;
	g_autoptr(DnsQuery) again = NULL;
	DnsAnswer *bogus = unsure();
	Wire wire;

	bogus->is_bogus = true;
	wire_open(&wire);
	a = dns_start(wire.dns, "none.example", PTN_A);
	b = dns_start(wire.dns, "failed.example", PTN_A);
	c = dns_start(wire.dns, "bogus.example", PTN_A);
	CU_ASSERT_FALSE(dns_query_is_bogus(c));
	wire_answer(&wire, "none.example", PTN_A, none(true));
	wire_answer(&wire, "failed.example", PTN_A, unsure());
	wire_answer(&wire, "bogus.example", PTN_A, bogus);
	assert_shown(a, "none");
	assert_shown(b, "unsure");
	assert_shown(c, "unsure");
	CU_ASSERT_TRUE(dns_query_is_bogus(c));
	CU_ASSERT_FALSE(dns_query_is_bogus(b));
	again = dns_start(wire.dns, "failed.example", PTN_A);
	assert_shown(again, "unsure");
	dns_query_unref(again);
	wire.clock.now_us += 6 * CLOCK_SECOND;
	again = dns_start(wire.dns, "failed.example", PTN_A);
	assert_shown(again, "?");
	dns_query_unref(again);
	again = dns_start(wire.dns, "none.example", PTN_A);
	assert_shown(again, "none");
	wire_close(&wire);
}

static void
test_late(void)
{
	g_autoptr(DnsQuery) first = NULL;
	g_autoptr(DnsQuery) second = NULL;
	g_autoptr(DnsQuery) third = NULL;
	Wire wire;

	wire_open(&wire);
	first = dns_start(wire.dns, "slow.example", PTN_TXT);
	wire.clock.now_us += 4 * CLOCK_SECOND;
	second = dns_start(wire.dns, "slow.example", PTN_TXT);
	CU_ASSERT_EQUAL(dns_expire(wire.dns), wire.clock.now_us + 6 * CLOCK_SECOND);
	wire.clock.now_us += 6 * CLOCK_SECOND;
	CU_ASSERT_EQUAL(dns_expire(wire.dns), wire.clock.now_us + 4 * CLOCK_SECOND);
	assert_shown(first, "unsure");
	assert_shown(second, "?");
	/* The late answer is for the one that still waits, and for the cache. */
	wire_answer(&wire, "slow.example", PTN_TXT, found(VALUES("text")));
	assert_shown(first, "unsure");
	assert_shown(second, "text");
	CU_ASSERT_EQUAL(dns_expire(wire.dns), CLOCK_NEVER);
	third = dns_start(wire.dns, "slow.example", PTN_TXT);
	assert_shown(third, "text");
	CU_ASSERT_EQUAL(wire.starts, 1);
	wire_close(&wire);
}

static void
test_left(void)
{
	Wire wire;

	wire_open(&wire);
	dns_query_unref(dns_start(wire.dns, "left.example", PTN_A));
	dns_query_unref(dns_start(wire.dns, "never.example", PTN_A));
	wire_answer(&wire, "left.example", PTN_A, found(VALUES("192.0.2.1")));
	wire.clock.now_us += 20 * CLOCK_SECOND;
	(void)dns_expire(wire.dns);
	wire_close(&wire);
}

static void
count_end(void *data)
{
	++*(unsigned *)data;
}

/* Whoever pays for a lookup pays until the servers are not asked any more, and not for one that nobody would be served by. */
static void
test_ends_with_the_servers(void)
{
	unsigned ended = 0;
	Wire wire;

	wire_open(&wire);
	for (int i = 0; i < 2; i++) {
		DnsQuery *query = dns_start(wire.dns, "slow.example", i == 0 ? PTN_A : PTN_EXCHANGERS);

		dns_query_on_end(query, count_end, &ended);
		dns_query_unref(query);
	}
	wire.clock.now_us += 20 * CLOCK_SECOND;
	(void)dns_expire(wire.dns);
	CU_ASSERT_EQUAL(ended, 0);
	wire_answer(&wire, "slow.example", PTN_A, found(VALUES("192.0.2.1")));
	CU_ASSERT_EQUAL(ended, 1);
	wire_answer(&wire, "slow.example", PTN_MX, none(false));
	CU_ASSERT_EQUAL(ended, 2);
	CU_ASSERT_EQUAL(wire.starts, 2);
	wire_close(&wire);
}

/* Who left before the answer is not asked for further. */
static void
test_left_exchangers(void)
{
	unsigned ended = 0;
	DnsQuery *query;
	Wire wire;

	wire_open(&wire);
	query = dns_start(wire.dns, "left.example", PTN_EXCHANGERS);
	dns_query_on_end(query, count_end, &ended);
	dns_query_unref(query);
	wire_answer(&wire, "left.example", PTN_MX, none(false));
	CU_ASSERT_EQUAL(wire.starts, 1);
	CU_ASSERT_EQUAL(ended, 1);
	CU_ASSERT_EQUAL(dns_expire(wire.dns), CLOCK_NEVER);
	wire_close(&wire);
}

static void
test_most_lookups(void)
{
	g_autoptr(GPtrArray) queries = g_ptr_array_new_with_free_func((GDestroyNotify)dns_query_unref);
	g_autoptr(DnsQuery) refused = NULL;
	g_autoptr(DnsQuery) shared = NULL;
	Wire wire;

	wire_open(&wire);
	for (int i = 0; i < 100; i++) {
		g_autofree char *name = g_strdup_printf("n%d.example", i);

		g_ptr_array_add(queries, dns_start(wire.dns, name, PTN_A));
		CU_ASSERT_FALSE(dns_query_is_refused(queries->pdata[i]));
	}
	refused = dns_start(wire.dns, "more.example", PTN_A);
	assert_shown(refused, "unsure");
	CU_ASSERT_TRUE(dns_query_is_refused(refused));
	shared = dns_start(wire.dns, "n1.example", PTN_A);
	assert_shown(shared, "?");
	wire_close(&wire);
	assert_shown(shared, "unsure");
	CU_ASSERT_FALSE(dns_query_is_refused(shared));
}

static void
test_fresh(void)
{
	g_autoptr(DnsQuery) fresh = NULL;
	g_autoptr(DnsQuery) failed = NULL;
	g_autoptr(DnsQuery) cached = NULL;
	Wire wire;

	wire_open(&wire);
	dns_query_unref(dns_start(wire.dns, "a.example", PTN_A));
	wire_answer(&wire, "a.example", PTN_A, found(VALUES("192.0.2.1")));
	CU_ASSERT_EQUAL(wire.fresh_starts, 0);
	fresh = dns_start_fresh(wire.dns, "a.example", PTN_A);
	assert_shown(fresh, "?");
	CU_ASSERT_EQUAL(wire.fresh_starts, 1);
	wire_answer(&wire, "a.example", PTN_A, found(VALUES("192.0.2.2")));
	assert_shown(fresh, "192.0.2.2");
	failed = dns_start_fresh(wire.dns, "a.example", PTN_A);
	wire_answer(&wire, "a.example", PTN_A, unsure());
	assert_shown(failed, "unsure");
	cached = dns_start(wire.dns, "a.example", PTN_A);
	assert_shown(cached, "192.0.2.2");
	wire_close(&wire);
}

static void
test_odd_names(void)
{
	static const char *const impossible[] = { "", ".", "a..b", ".a", "a b", "a\\.b", "a\nb" };
	g_autofree char *endless = g_strnfill(64, 'a');
	g_autoptr(DnsQuery) label = NULL;
	g_autoptr(DnsQuery) unicode = NULL;
	g_autoptr(DnsQuery) underscore = NULL;
	Wire wire;

	wire_open(&wire);
	for (size_t i = 0; i < G_N_ELEMENTS(impossible); i++) {
		g_autoptr(DnsQuery) query = dns_start(wire.dns, impossible[i], PTN_EXCHANGERS);

		assert_shown(query, "none");
	}
	label = dns_start(wire.dns, endless, PTN_A);
	assert_shown(label, "none");
	CU_ASSERT_EQUAL(wire.starts, 0);
	unicode = dns_start(wire.dns, "b\u00fccher.example", PTN_A);
	wire_answer(&wire, "xn--bcher-kva.example", PTN_A, found(VALUES("192.0.2.1")));
	assert_shown(unicode, "192.0.2.1");
	underscore = dns_start(wire.dns, "_dmarc.example", PTN_TXT);
	wire_answer(&wire, "_dmarc.example", PTN_TXT, none(false));
	assert_shown(underscore, "none");
	wire_close(&wire);
}

static void
test_refused(void)
{
	g_autoptr(DnsQuery) plain = NULL;
	g_autoptr(DnsQuery) exchangers = NULL;
	Wire wire;

	wire_open(&wire);
	wire.is_refusing = true;
	plain = dns_start(wire.dns, "a.example", PTN_A);
	exchangers = dns_start(wire.dns, "a.example", PTN_EXCHANGERS);
	assert_shown(plain, "unsure");
	assert_shown(exchangers, "unsure");
	wire_close(&wire);
}

/* ---- exchangers ---- */

typedef struct {
	DnsAnswer *mx, *a, *aaaa; /* NULL: must not be asked */
	const char *result;
} ExchangersCase;

static void
exchangers_run(const ExchangersCase *c)
{
	g_autoptr(DnsQuery) query = NULL;
	Wire wire;

	wire_open(&wire);
	query = dns_start(wire.dns, "example.net", PTN_EXCHANGERS);
	wire_answer(&wire, "example.net", PTN_MX, c->mx);
	if (c->a != NULL) {
		assert_shown(query, "?");
		wire_answer(&wire, "example.net", PTN_A, c->a);
		wire_answer(&wire, "example.net", PTN_AAAA, c->aaaa);
	}
	CU_ASSERT_EQUAL(wire.asked->len, 0);
	assert_shown(query, c->result);
	wire_close(&wire);
}

static void
test_exchangers(void)
{
	const ExchangersCase cases[] = {
		{ found(VALUES("20 b.example", "5 a.example", "100 c.example")), NULL, NULL, "5 a.example;20 b.example;100 c.example" },
		{ found(VALUES("0 .")), NULL, NULL, "" },
		{ found(VALUES("0 .", "10 a.example")), NULL, NULL, "10 a.example" },
		{ none(true), NULL, NULL, "none" },
		{ unsure(), NULL, NULL, "unsure" },
		{ none(false), found(VALUES("192.0.2.1")), none(false), "0 example.net" },
		{ none(false), none(false), found(VALUES("2001:db8::1")), "0 example.net" },
		{ none(false), none(false), none(false), "none" },
		{ none(false), unsure(), none(false), "unsure" },
		{ none(false), none(false), unsure(), "unsure" },
		{ none(false), unsure(), found(VALUES("2001:db8::1")), "0 example.net" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
		exchangers_run(&cases[i]);
}

static void
test_exchangers_early(void)
{
	g_autoptr(DnsQuery) query = NULL;
	g_autoptr(DnsQuery) cached = NULL;
	Wire wire;

	wire_open(&wire);
	query = dns_start(wire.dns, "example.net", PTN_EXCHANGERS);
	wire_answer(&wire, "example.net", PTN_MX, none(false));
	wire_answer(&wire, "example.net", PTN_A, found(VALUES("192.0.2.1")));
	/* One address is enough: AAAA may take its time. */
	assert_shown(query, "0 example.net");
	cached = dns_start(wire.dns, "example.net", PTN_EXCHANGERS);
	assert_shown(cached, "0 example.net");
	CU_ASSERT_EQUAL(dns_query_answer(cached)->ttl, 30 * CLOCK_SECOND);
	wire_close(&wire);
}

static void
test_exchangers_random(void)
{
	unsigned first = 0;
	Wire wire;

	wire_open(&wire);
	dns_query_unref(dns_start(wire.dns, "example.net", PTN_MX));
	wire_answer(&wire, "example.net", PTN_MX, found(VALUES("10 a.example", "10 b.example", "5 first.example")));
	for (int i = 0; i < DNS_RUNS; i++) {
		g_autoptr(DnsQuery) query = dns_start(wire.dns, "example.net", PTN_EXCHANGERS);

		CU_ASSERT_EQUAL_FATAL(dns_query_answer(query)->count, 3);
		ASSERT_TEXT(dns_query_answer(query)->values[0], "5 first.example");
		first += strcmp(dns_query_answer(query)->values[1], "10 a.example") == 0;
	}
	CU_ASSERT_TRUE(first > DNS_RUNS / 5 && first < DNS_RUNS * 4 / 5);
	wire_close(&wire);
}

static PtnAnswer *
script(void *data, const char *name, PtnRecord type)
{
	(*(unsigned *)data)++;
	if (strcmp(name, "a-only.example") == 0 && type == PTN_A)
		return dns_answer_new(PTN_OK, VALUES("192.0.2.1"), CLOCK_SECOND);
	if (strcmp(name, "a-only.example") == 0)
		return dns_answer_new(PTN_NONE, NULL, CLOCK_SECOND);
	return NULL;
}

static void
test_scripted(void)
{
	unsigned calls = 0;
	g_autoptr(Dns) dns = dns_new_scripted(script, &calls);
	g_autoptr(DnsQuery) a = dns_start(dns, "A-only.example", PTN_A);
	g_autoptr(DnsQuery) exchangers = dns_start(dns, "a-only.example", PTN_EXCHANGERS);
	g_autoptr(DnsQuery) unknown = dns_start_fresh(dns, "b.example", PTN_A);

	assert_shown(a, "192.0.2.1");
	assert_shown(exchangers, "0 a-only.example");
	assert_shown(unknown, "unsure");
	CU_ASSERT_EQUAL(calls, 5);
	CU_ASSERT_EQUAL(dns_wait(a, NEVER_WAIT)->ttl, CLOCK_SECOND);
}

/* ---- threads ---- */

static void *
dns_waiter(void *data)
{
	g_autoptr(DnsQuery) query = dns_start(data, "example.net", PTN_EXCHANGERS);

	return (void *)(uintptr_t)dns_wait(query, CLOCK_NEVER)->count;
}

static void
test_threads(void)
{
	GThread *threads[DNS_THREADS];
	g_autoptr(DnsQuery) query = NULL;
	Wire wire;

	wire_open(&wire);
	query = dns_start(wire.dns, "example.net", PTN_EXCHANGERS);
	for (int i = 0; i < DNS_THREADS; i++)
		threads[i] = g_thread_new("wait", dns_waiter, wire.dns);
	wire_answer(&wire, "example.net", PTN_MX, found(VALUES("10 a.example", "20 b.example")));
	for (int i = 0; i < DNS_THREADS; i++)
		CU_ASSERT_EQUAL((uintptr_t)g_thread_join(threads[i]), 2);
	wire_close(&wire);
}

/* What is not among the records that were kept may exist. */
static void
test_cut(void)
{
	g_autoptr(DnsQuery) query = NULL, whole = NULL;
	DnsAnswer *answer = found(VALUES("one"));
	Wire wire;

	wire_open(&wire);
	query = dns_start(wire.dns, "cut.example", PTN_TXT);
	CU_ASSERT_FALSE(dns_query_is_cut(query));
	answer->is_cut = true;
	wire_answer(&wire, "cut.example", PTN_TXT, answer);
	CU_ASSERT_TRUE(dns_query_is_cut(query));
	whole = dns_start(wire.dns, "whole.example", PTN_TXT);
	wire_answer(&wire, "whole.example", PTN_TXT, found(VALUES("one")));
	CU_ASSERT_FALSE(dns_query_is_cut(whole));
	wire_close(&wire);
}

static const UnitTest dns_tests[] = {
	{ "one lookup in flight for a name and type", test_one_in_flight },
	{ "F-11 answers are kept by their TTL", test_ttl },
	{ "R-18 found, none, failed and bogus are four things", test_three_answers },
	{ "a query gives up, the late answer is kept", test_late },
	{ "a waiter that left does no harm", test_left },
	{ "a lookup ends when the servers are not asked any more", test_ends_with_the_servers },
	{ "nothing more is asked for who left", test_left_exchangers },
	{ "so many lookups at a time", test_most_lookups },
	{ "I-21 a fresh query goes past the cache and fills it", test_fresh },
	{ "names that cannot be, and U-labels", test_odd_names },
	{ "what cannot be asked is unsure", test_refused },
	{ "R-03 R-07 exchangers: MX, null MX, implicit MX", test_exchangers },
	{ "an implicit MX needs one address", test_exchangers_early },
	{ "exchangers of one preference come in random order", test_exchangers_random },
	{ "a scripted DNS answers at once", test_scripted },
	{ "an answer says that it was cut", test_cut },
	{ "threads wait for one answer", test_threads },
	{ NULL, NULL },
};
const UnitSuite suite_dns = { "dns", dns_tests };
