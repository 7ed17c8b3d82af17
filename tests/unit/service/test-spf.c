/* test-spf.c - SPF records of a scripted DNS. */
#include <string.h>

#include "service/dns-private.h"
#include "service/spf.h"
#include "unit/service/suites.h"

static const struct {
	const char *name;
	PtnRecord type;
	const char *value; /* NULL: cannot be found out */
} spf_zone[] = {
	{ "ip4.test", PTN_TXT, "v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 -all" },
	{ "minus.test", PTN_TXT, "v=spf1 -ip4:192.0.2.9 ip4:192.0.2.0/24 -all" },
	{ "soft.test", PTN_TXT, "v=spf1 ~all" },
	{ "any.test", PTN_TXT, "v=spf1 +all" },
	{ "include.test", PTN_TXT, "v=spf1 include:ip4.test -all" },
	{ "redirect.test", PTN_TXT, "v=spf1 redirect=include.test" },
	{ "a.test", PTN_TXT, "v=spf1 a -all" },
	{ "a.test", PTN_A, "192.0.2.1" },
	{ "mx.test", PTN_TXT, "v=spf1 mx:elsewhere.test -all" },
	{ "elsewhere.test", PTN_MX, "10 a.test" },
	{ "loop.test", PTN_TXT, "v=spf1 include:loop.test -all" },
	{ "other.test", PTN_TXT, "v=spf10 +all" },
	{ "broken.test", PTN_TXT, NULL },
	{ "behind.test", PTN_TXT, "v=spf1 include:broken.test +all" },
	{ "cut.test", PTN_TXT, "v=spf1 ip4:192.0.2.0/24" },
};

static PtnAnswer *
spf_answer(const char *name, const char *const *values)
{
	DnsAnswer *answer = dns_answer_make(values[0] != NULL ? PTN_OK : PTN_UNSURE, values, 300 * PTN_SECOND);

	answer->is_cut = strcmp(name, "cut.test") == 0;
	return &answer->shown;
}

static PtnAnswer *
spf_script(void *data, const char *name, PtnRecord type)
{
	const char *values[] = { NULL, NULL };

	(void)data;
	for (size_t i = 0; i < G_N_ELEMENTS(spf_zone); i++)
		if (strcmp(spf_zone[i].name, name) == 0 && spf_zone[i].type == type) {
			values[0] = spf_zone[i].value;
			return spf_answer(name, values);
		}
	return dns_answer_new(PTN_NONE, values, 300 * PTN_SECOND);
}

static SpfResult
spf_of(const char *domain, const char *ip)
{
	g_autoptr(Dns) dns = dns_new_scripted(spf_script, NULL);
	IpAddress address;

	CU_ASSERT_FATAL(ip_parse(ip, &address));
	return spf_check(dns, domain, &address, g_get_monotonic_time() + PTN_SECOND);
}

static void
test_mechanisms(void)
{
	CU_ASSERT_EQUAL(spf_of("ip4.test", "192.0.2.7"), SPF_PASS);
	CU_ASSERT_EQUAL(spf_of("ip4.test", "198.51.100.7"), SPF_FAIL);
	CU_ASSERT_EQUAL(spf_of("ip4.test", "2001:db8::7"), SPF_PASS);
	CU_ASSERT_EQUAL(spf_of("ip4.test", "2001:db9::7"), SPF_FAIL);
	CU_ASSERT_EQUAL(spf_of("minus.test", "192.0.2.9"), SPF_FAIL);
	CU_ASSERT_EQUAL(spf_of("minus.test", "192.0.2.8"), SPF_PASS);
	CU_ASSERT_EQUAL(spf_of("soft.test", "192.0.2.8"), SPF_FAIL);
	CU_ASSERT_EQUAL(spf_of("any.test", "192.0.2.8"), SPF_PASS);
	CU_ASSERT_EQUAL(spf_of("a.test", "192.0.2.1"), SPF_PASS);
	CU_ASSERT_EQUAL(spf_of("a.test", "192.0.2.2"), SPF_FAIL);
	CU_ASSERT_EQUAL(spf_of("mx.test", "192.0.2.1"), SPF_PASS);
}

static void
test_other_records(void)
{
	CU_ASSERT_EQUAL(spf_of("include.test", "192.0.2.7"), SPF_PASS);
	CU_ASSERT_EQUAL(spf_of("include.test", "198.51.100.7"), SPF_FAIL);
	CU_ASSERT_EQUAL(spf_of("redirect.test", "192.0.2.7"), SPF_PASS);
	CU_ASSERT_EQUAL(spf_of("redirect.test", "198.51.100.7"), SPF_FAIL);
}

static void
test_no_answer(void)
{
	CU_ASSERT_EQUAL(spf_of("nothing.test", "192.0.2.7"), SPF_NONE);
	CU_ASSERT_EQUAL(spf_of("other.test", "192.0.2.7"), SPF_NONE);
	CU_ASSERT_EQUAL(spf_of("broken.test", "192.0.2.7"), SPF_UNSURE);
	CU_ASSERT_EQUAL(spf_of("behind.test", "192.0.2.7"), SPF_UNSURE);
	CU_ASSERT_EQUAL(spf_of("loop.test", "192.0.2.7"), SPF_UNSURE);
	CU_ASSERT_EQUAL(spf_of("cut.test", "192.0.2.7"), SPF_UNSURE);
	CU_ASSERT_EQUAL(spf_of("cut.test", "198.51.100.7"), SPF_UNSURE);
}

const UnitSuite suite_spf = { "spf", (const UnitTest[]){
	{ "mechanisms and qualifiers", test_mechanisms },
	{ "R-14 include and redirect", test_other_records },
	{ "no record, no answer, no end", test_no_answer },
	{ 0 } } };
