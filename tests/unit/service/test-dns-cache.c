/* test-dns-cache.c - how long and how many answers are kept; records' data as text. */
#include <glib.h>
#include <string.h>

#include "service/dns-private.h"
#include "unit/service/suites.h"

#define DAY (86400 * CLOCK_SECOND)

static DnsCache *
cache_of(size_t most)
{
	const DnsLimits limits = dns_limits_default();

	return dns_cache_new(most, &limits);
}

static bool
has(DnsCache *cache, const char *key, int64_t now_us)
{
	int64_t ttl;
	DnsAnswer *answer = dns_cache_get(cache, key, now_us, &ttl);

	dns_answer_unref(answer);
	return answer != NULL;
}

static void
test_lives(void)
{
	static const struct {
		PtnStatus status;
		int64_t ttl_us, life_us;
	} cases[] = { { PTN_OK, 100 * CLOCK_SECOND, 100 * CLOCK_SECOND }, { PTN_OK, 30 * DAY, DAY },
		{ PTN_OK, 0, 0 }, { PTN_NONE, 60 * CLOCK_SECOND, 60 * CLOCK_SECOND }, { PTN_NONE, DAY, 3600 * CLOCK_SECOND },
		{ PTN_UNSURE, 0, 5 * CLOCK_SECOND } };

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		DnsCache *cache = cache_of(1 << 20);
		DnsAnswer *answer = dns_answer_make(cases[i].status, NULL, cases[i].ttl_us);

		dns_cache_put(cache, "k", answer, 1);
		CU_ASSERT_EQUAL(has(cache, "k", cases[i].life_us), cases[i].life_us > 0);
		CU_ASSERT_FALSE(has(cache, "k", cases[i].life_us + 1));
		CU_ASSERT_EQUAL(dns_cache_size(cache), 0);
		dns_answer_unref(answer);
		dns_cache_free(cache);
	}
}

/* Octets that one answer takes in a cache. */
static size_t
octets_of(DnsAnswer *answer)
{
	DnsCache *cache = cache_of(1 << 20);
	size_t octets;

	dns_cache_put(cache, "a", answer, 0);
	octets = dns_cache_octets(cache);
	dns_cache_free(cache);
	return octets;
}

static void
test_bound(void)
{
	static const char *const keys[] = { "a", "b", "c", "d" };
	DnsAnswer *answer = dns_answer_make(PTN_OK, NULL, DAY);
	DnsCache *cache = cache_of(3 * octets_of(answer));

	for (size_t i = 0; i < 3; i++)
		dns_cache_put(cache, keys[i], answer, 0);
	CU_ASSERT_TRUE(has(cache, "a", 1));
	dns_cache_put(cache, keys[3], answer, 0);
	CU_ASSERT_EQUAL(dns_cache_size(cache), 3);
	CU_ASSERT_TRUE(has(cache, "a", 1));
	CU_ASSERT_FALSE(has(cache, "b", 1));
	CU_ASSERT_TRUE(has(cache, "d", 1));
	dns_answer_unref(answer);
	dns_cache_free(cache);
}

/* A large answer costs what it takes: it pushes out as many small ones, and one that is larger than the cache is not kept. */
static void
test_octets(void)
{
	g_autofree char *text = g_strnfill(4000, 'x');
	DnsAnswer *small = dns_answer_make(PTN_OK, (const char *const[]){ "192.0.2.1", NULL }, DAY);
	DnsAnswer *large = dns_answer_make(PTN_OK, (const char *const[]){ text, NULL }, DAY);
	const size_t most = 4000 + 4 * octets_of(small);
	DnsCache *cache = cache_of(most);

	for (int i = 0; i < 1000; i++) {
		g_autofree char *key = g_strdup_printf("k%d", i);

		dns_cache_put(cache, key, small, 0);
		CU_ASSERT(dns_cache_octets(cache) <= most);
	}
	CU_ASSERT(dns_cache_size(cache) > 10);
	CU_ASSERT_TRUE(has(cache, "k999", 1));
	dns_cache_put(cache, "large", large, 0);
	CU_ASSERT(dns_cache_octets(cache) <= most);
	CU_ASSERT(dns_cache_size(cache) < 5);
	CU_ASSERT_TRUE(has(cache, "large", 1));
	dns_cache_free(cache);
	cache = cache_of(3000);
	dns_cache_put(cache, "k", small, 0);
	dns_cache_put(cache, "large", large, 0);
	CU_ASSERT_FALSE(has(cache, "large", 1));
	CU_ASSERT_TRUE(has(cache, "k", 1));
	dns_cache_free(cache);
	dns_answer_unref(small);
	dns_answer_unref(large);
}

/* `n` times the same record. */
static DnsAnswer *
answer_of(PtnRecord type, const char *octets, size_t size, size_t n)
{
	g_autofree char **data = g_new0(char *, n + 1);
	g_autofree int *sizes = g_new0(int, n + 1);
	const DnsLimits limits = dns_limits_default();

	for (size_t i = 0; i < n; i++) {
		data[i] = (char *)(uintptr_t)octets;
		sizes[i] = (int)size;
	}
	return dns_answer_found(&limits, type, data, sizes, 300);
}

static void
test_most_records(void)
{
	static const struct {
		PtnRecord type;
		const char *octets;
		size_t size, most;
	} cases[] = { { PTN_PTR, "\4host\7example\3org\0", 18, 1 }, { PTN_A, "\300\000\002\001", 4, 32 },
		{ PTN_AAAA, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1", 16, 32 }, { PTN_MX, "\0\012\2mx\0", 6, 100 } };

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		DnsAnswer *few = answer_of(cases[i].type, cases[i].octets, cases[i].size, cases[i].most);
		DnsAnswer *many = answer_of(cases[i].type, cases[i].octets, cases[i].size, 2900);

		CU_ASSERT_EQUAL(few->shown.status, PTN_OK);
		CU_ASSERT_EQUAL(few->shown.count, cases[i].most);
		CU_ASSERT_FALSE(few->is_cut);
		CU_ASSERT_EQUAL(many->shown.count, cases[i].most);
		CU_ASSERT_TRUE(many->is_cut);
		CU_ASSERT(dns_answer_octets(many) < 5000);
		dns_answer_unref(few);
		dns_answer_unref(many);
	}
}

/* Of [dns]: other limits than the defaults. */
static void
test_limits(void)
{
	const DnsLimits limits = { .addresses = 2,
		.exchangers = 1,
		.text = 5,
		.found_us = 10 * CLOCK_SECOND,
		.none_us = 3 * CLOCK_SECOND,
		.failed_us = 2 * CLOCK_SECOND };
	static const struct {
		PtnStatus status;
		int64_t life_us;
	} lives[] = { { PTN_OK, 10 * CLOCK_SECOND }, { PTN_NONE, 3 * CLOCK_SECOND }, { PTN_UNSURE, 2 * CLOCK_SECOND } };
	static const struct {
		PtnRecord type;
		const char *octets;
		int size;
		size_t count;
		const char *last;
	} answers[] = { { PTN_A, "\300\000\002\001", 4, 2, "192.0.2.1" }, { PTN_MX, "\0\012\2mx\0", 6, 1, "10 mx" },
		{ PTN_TXT, "\3abc", 4, 2, "ab" } };
	DnsCache *cache = dns_cache_new(1 << 20, &limits);

	for (size_t i = 0; i < G_N_ELEMENTS(lives); i++) {
		DnsAnswer *answer = dns_answer_make(lives[i].status, NULL, DAY);

		dns_cache_put(cache, "k", answer, 1);
		CU_ASSERT_TRUE(has(cache, "k", lives[i].life_us));
		CU_ASSERT_FALSE(has(cache, "k", lives[i].life_us + 1));
		dns_answer_unref(answer);
	}
	dns_cache_free(cache);
	for (size_t i = 0; i < G_N_ELEMENTS(answers); i++) {
		char *const octets = (char *)(uintptr_t)answers[i].octets;
		const int size = answers[i].size;
		DnsAnswer *answer = dns_answer_found(&limits, answers[i].type,
			(char *const[]){ octets, octets, octets, NULL }, (const int[]){ size, size, size }, 300);

		CU_ASSERT_EQUAL_FATAL(answer->shown.count, answers[i].count);
		ASSERT_TEXT(answer->shown.values[answers[i].count - 1], answers[i].last);
		CU_ASSERT_TRUE(answer->is_cut);
		dns_answer_unref(answer);
	}
}

static void
test_most_text(void)
{
	char record[201];
	DnsAnswer *answer;
	size_t octets = 0;

	memset(record, 'x', sizeof record);
	record[0] = (char)200;
	answer = answer_of(PTN_TXT, record, sizeof record, 2900);
	for (size_t i = 0; i < answer->shown.count; i++)
		octets += strlen(answer->shown.values[i]);
	CU_ASSERT_EQUAL(octets, 4096);
	CU_ASSERT_TRUE(answer->is_cut);
	dns_answer_unref(answer);
	answer = answer_of(PTN_TXT, record, sizeof record, 20);
	CU_ASSERT_EQUAL(answer->shown.count, 20);
	CU_ASSERT_FALSE(answer->is_cut);
	dns_answer_unref(answer);
	answer = answer_of(PTN_A, "\1", 1, 3); /* damaged */
	CU_ASSERT_EQUAL(answer->shown.status, PTN_UNSURE);
	dns_answer_unref(answer);
}

#define DATA(TYPE, OCTETS, TEXT) { (TYPE), (const uint8_t *)(OCTETS), sizeof(OCTETS) - 1, (TEXT) }

static void
test_rdata(void)
{
	static const struct {
		PtnRecord type;
		const uint8_t *data;
		size_t size;
		const char *text;
	} cases[] = {
		DATA(PTN_A, "\300\000\002\001", "192.0.2.1"),
		DATA(PTN_A, "\300\000\002", NULL),
		DATA(PTN_AAAA, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1", "2001:db8::1"),
		DATA(PTN_MX, "\0\012\2MX\7example\0", "10 mx.example"),
		DATA(PTN_MX, "\0\0\0", "0 ."),
		DATA(PTN_MX, "\0\0", NULL),
		DATA(PTN_PTR, "\3a.b\1c\0", "a\\046b.c"),
		DATA(PTN_PTR, "\3a\r\n\1c\0", "a\\013\\010.c"),
		DATA(PTN_PTR, "\5abc", NULL),
		DATA(PTN_PTR, "\1a", NULL),
		DATA(PTN_PTR, "\1a\0x", NULL),
		DATA(PTN_PTR, "\300\014", NULL),
		DATA(PTN_PTR, "", NULL),
		DATA(PTN_TXT, "\3abc\0\2\r\0", "abc  "),
		DATA(PTN_TXT, "\4abc", NULL),
		DATA(PTN_TXT, "\0", ""),
		DATA(6, "x", NULL),
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *text = dns_rdata_text(cases[i].type, cases[i].data, cases[i].size);

		ASSERT_TEXT(text, cases[i].text);
	}
}

static const UnitTest dns_cache_tests[] = {
	{ "lives have upper bounds by kind of answer", test_lives },
	{ "the one used least recently goes when the cache is full", test_bound },
	{ "the cache is bounded by octets", test_octets },
	{ "of an answer so many records are kept", test_most_records },
	{ "of an answer so many octets of text are kept", test_most_text },
	{ "all of it follows the limits", test_limits },
	{ "records' data as text, damaged ones told apart", test_rdata },
	{ NULL, NULL },
};
const UnitSuite suite_dns_cache = { "dns-cache", dns_cache_tests };
