/* test-dns-cache.c - how long and how many answers are kept; records' data as text. */
#include <glib.h>

#include "service/dns-private.h"
#include "unit/service/suites.h"

#define DAY (86400 * CLOCK_SECOND)

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
		DnsCache *cache = dns_cache_new(10);
		DnsAnswer *answer = dns_answer_make(cases[i].status, NULL, cases[i].ttl_us);

		dns_cache_put(cache, "k", answer, 1);
		CU_ASSERT_EQUAL(has(cache, "k", cases[i].life_us), cases[i].life_us > 0);
		CU_ASSERT_FALSE(has(cache, "k", cases[i].life_us + 1));
		CU_ASSERT_EQUAL(dns_cache_size(cache), 0);
		dns_answer_unref(answer);
		dns_cache_free(cache);
	}
}

static void
test_bound(void)
{
	static const char *const keys[] = { "a", "b", "c", "d" };
	DnsCache *cache = dns_cache_new(3);
	DnsAnswer *answer = dns_answer_make(PTN_OK, NULL, DAY);

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
	{ "the least used goes when the cache is full", test_bound },
	{ "records' data as text, damaged ones told apart", test_rdata },
	{ NULL, NULL },
};
const UnitSuite suite_dns_cache = { "dns-cache", dns_cache_tests };
