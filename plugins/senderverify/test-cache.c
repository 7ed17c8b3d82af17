/* test-cache.c - letter V: what senderverify remembers, of addresses and of domains, and how long one waits for it. */
#include "test-senderverify.h"

/* ---- the cache ---- */

static void
test_good_is_cached(void)
{
	PtnTest *test = new_test("learn-domains = no\n");

	EXPECT(SENDER, "250");
	pass(test, 7 * DAY - HOUR);
	EXPECT(SENDER, "250");
	EXPECT_PROBES(1);
	pass(test, 2 * HOUR); /* asked again behind; the old answer holds */
	ptn_test_dialog(test, MX, 25, "", "220 mx", "RCPT", "550 5.1.1 gone", NULL);
	EXPECT(SENDER, "250");
	EXPECT_PROBES(2);
	EXPECT(SENDER, "250"); /* V-07: the failure does not spoil it */
	EXPECT_PROBES(2);
	pass(test, 4 * HOUR);
	EXPECT(SENDER, "250");
	EXPECT_PROBES(3);
	pass(test, 24 * DAY); /* the 31st day */
	EXPECT(SENDER, "550 5.1.7");
	ptn_test_free(test);
}

static void
test_refresh_renews(void)
{
	PtnTest *test = new_test("learn-domains = no\n");

	for (int week = 0; week < 6; week++) {
		EXPECT(SENDER, "250");
		EXPECT_PROBES((size_t)week + 1);
		pass(test, 8 * DAY);
	}
	ptn_test_free(test);
}

static void
test_bad_is_cached(void)
{
	PtnTest *test = new_test(NULL);

	ptn_test_dialog(test, MX, 25, "", "220 mx", "RCPT", "550 5.1.1 no such user", NULL);
	EXPECT(SENDER, "550 5.1.7");
	EXPECT_PROBES(1);
	pass(test, 3 * HOUR - 60 * PTN_SECOND);
	EXPECT(SENDER, "550 5.1.7");
	EXPECT_PROBES(1);
	pass(test, 120 * PTN_SECOND);
	EXPECT(SENDER, "550 5.1.7"); /* from the cache, while it is asked again */
	EXPECT_PROBES(2);
	pass(test, 4 * HOUR);
	ptn_test_dialog(test, MX, 25, "", "220 mx", NULL);
	EXPECT(SENDER, "550 5.1.7");
	EXPECT_PROBES(3);
	EXPECT(SENDER, "250"); /* V-06: repaired */
	ptn_test_free(test);
}

static void
test_bad_dies(void)
{
	PtnTest *test = new_test(NULL);

	ptn_test_dialog(test, MX, 25, "", "220 mx", "RCPT", "550 5.1.1 no such user", NULL);
	EXPECT(SENDER, "550 5.1.7");
	ptn_test_dialog(test, MX, 25, "", "220 mx", NULL);
	pass(test, 3 * DAY + HOUR);
	EXPECT(SENDER, "250"); /* asked anew, and waited for */
	EXPECT_PROBES(2);
	ptn_test_free(test);
}

static void
test_unsure_is_cached(void)
{
	PtnTest *test = new_test(NULL);

	ptn_test_dialog(test, MX, 25, "", "220 mx", "RCPT", "450 4.2.0 later", NULL);
	EXPECT(SENDER, "450 4.1.7");
	EXPECT_PROBES(1);
	pass(test, 4 * 60 * PTN_SECOND);
	EXPECT(SENDER, "450 4.1.7");
	EXPECT_PROBES(1);
	ptn_test_dialog(test, MX, 25, "", "220 mx", NULL);
	pass(test, 2 * 60 * PTN_SECOND);
	EXPECT(SENDER, "450 4.1.7"); /* from the cache, while it is asked again */
	EXPECT_PROBES(2);
	EXPECT(SENDER, "250");
	ptn_test_free(test);
}

static void
test_unsure_setting(void)
{
	PtnTest *test = new_test("unsure-refresh = 3h\n");

	ptn_test_dialog(test, MX, 25, "", "220 mx", "RCPT", "450 4.2.0 later", NULL);
	EXPECT(SENDER, "450 4.1.7");
	pass(test, 2 * HOUR);
	EXPECT(SENDER, "450 4.1.7");
	EXPECT_PROBES(1);
	pass(test, 2 * HOUR);
	EXPECT(SENDER, "450 4.1.7");
	EXPECT_PROBES(2);
	ptn_test_free(test);
}

static void
test_key(void)
{
	PtnTest *test = new_test("learn-domains = no\n");

	EXPECT("User@Example.NET", "250");
	EXPECT("User@example.net", "250");
	EXPECT_PROBES(1);
	EXPECT("user@example.net", "250"); /* local parts are their domain's business */
	EXPECT_PROBES(2);
	ptn_test_free(test);
}

/* ---- waiting ---- */

static void
test_in_progress(void)
{
	PtnTest *test = new_test("wait = 100ms\n");

	ptn_test_dialog(test, MX, 25, "", "220 mx", "RCPT", "silence", NULL);
	EXPECT(SENDER,
		"450 4.1.7 <" SENDER ">: Sender address rejected: unverified address: Address verification in progress");
	EXPECT(SENDER, "450 4.1.7"); /* V-10: no second probe beside the first */
	EXPECT_CONNECTIONS(MX, 1);
	ptn_test_free(test);
}

/* What others hold: a claim of the plugin itself, in the same store. */
static void
test_claim(void)
{
	PtnTest *test = new_test("wait = 50ms\n");

	ptn_test_dialog(test, MX, 25, "", "silence", NULL);
	EXPECT(SENDER, "450 4.1.7");
	EXPECT_CONNECTIONS(MX, 1);
	CU_ASSERT(has(ptn_test_command(test, "senderverify", "probe", SENDER, NULL), "error: a probe of it"));
	CU_ASSERT_EQUAL(ptn_test_connections(test, MX, 25), 1);
	pass(test, 999 * PTN_SECOND);
	EXPECT(SENDER, "450 4.1.7");
	CU_ASSERT_EQUAL(ptn_test_connections(test, MX, 25), 1);
	pass(test, 2 * PTN_SECOND); /* 1000 s: who held it is taken for dead */
	EXPECT(SENDER, "450 4.1.7");
	EXPECT_CONNECTIONS(MX, 2);
	ptn_test_free(test);
}

static void
test_cap(void)
{
	PtnTest *test = new_test("wait = 100ms\nper-destination = 1\n");

	ptn_test_dns(test, "other.example", PTN_MX, PTN_OK, "10 mx.example.net", NULL);
	ptn_test_dns(test, "third.example", PTN_A, PTN_OK, SECOND_MX, NULL);
	ptn_test_dialog(test, SECOND_MX, 25, "", "220 two", NULL);
	ptn_test_dialog(test, MX, 25, "", "220 mx", "RCPT TO:<user", "silence", NULL);
	EXPECT(SENDER, "450 4.1.7");
	EXPECT_CONNECTIONS(MX, 1);
	EXPECT("x@other.example",
		"450 4.1.7 <x@other.example>: Sender address rejected: unverified address: Address verification in");
	CU_ASSERT_EQUAL(ptn_test_connections(test, MX, 25), 1);
	CU_ASSERT(ptn_test_count(test, "plugin.senderverify.put-off") > 0);
	CU_ASSERT(answers_soon(test, "x@third.example", "250"));
	ptn_test_free(test);
}

static void
test_cap_in_all(void)
{
	PtnTest *test = new_test("wait = 100ms\nmost-probes = 1\n");

	ptn_test_dns(test, "third.example", PTN_A, PTN_OK, SECOND_MX, NULL);
	ptn_test_dialog(test, SECOND_MX, 25, "", "220 two", NULL);
	ptn_test_dialog(test, MX, 25, "", "silence", NULL);
	EXPECT(SENDER, "450 4.1.7");
	EXPECT_CONNECTIONS(MX, 1);
	EXPECT("x@third.example", "450 4.1.7");
	CU_ASSERT_EQUAL(ptn_test_connections(test, SECOND_MX, 25), 0);
	ptn_test_free(test);
}

/* ---- domains ---- */

static void
test_accepts_all(void)
{
	PtnTest *test = new_test("learn-domains = yes\n");

	EXPECT("one@example.net", "250");
	EXPECT_PROBES(1);
	CU_ASSERT(has(ptn_test_heard(test, MX, 25), "RCPT TO:<no-such-user-"));
	EXPECT("two@example.net", "250");
	EXPECT_PROBES(1);
	CU_ASSERT(has(ptn_test_command(test, "senderverify", "show", "Example.NET", NULL), "state=accepts-all"));
	ptn_test_dialog(test, MX, 25, "", "220 mx", "RCPT TO:<one", "250 2.1.5 Ok", "RCPT", "550 5.1.1 no", NULL);
	EXPECT("three@example.net", "250");
	pass(test, 7 * DAY + HOUR); /* found out anew */
	EXPECT("three@example.net", "550 5.1.7");
	EXPECT_PROBES(2);
	ptn_test_free(test);
}

/* A server that counts unknown recipients sees none from us, unless the administrator wants it. */
static void
test_asks_for_no_random_address(void)
{
	static const char *const options[] = { NULL, "learn-domains = refusals\n", "learn-domains = no\n" };

	for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
		PtnTest *test = new_test(options[i]);

		EXPECT("one@example.net", "250");
		EXPECT("two@example.net", "250");
		EXPECT_PROBES(2);
		CU_ASSERT_PTR_NULL(strstr(ptn_test_heard(test, MX, 25), "no-such-user"));
		ptn_test_free(test);
	}
}

static void
test_selective(void)
{
	PtnTest *test = new_test("learn-domains = yes\n");
	const char *heard, *first;

	ptn_test_dialog(
		test, MX, 25, "", "220 mx", "RCPT TO:<no-such-user", "550 5.1.1 no", "RCPT TO:<bad", "550 5.1.1 no", NULL);
	EXPECT("one@example.net", "250");
	EXPECT("two@example.net", "250");
	EXPECT("bad@example.net", "550 5.1.7");
	EXPECT_PROBES(3);
	heard = ptn_test_heard(test, MX, 25);
	first = strstr(heard, "no-such-user-");
	CU_ASSERT_PTR_NOT_NULL_FATAL(first);
	CU_ASSERT_PTR_NULL(strstr(first + 1, "no-such-user-")); /* asked once */
	CU_ASSERT(has(ptn_test_command(test, "senderverify", "show", "example.net", NULL), "state=selective"));
	ptn_test_free(test);
}

static void
test_refuses_all(void)
{
	PtnTest *test = new_test(NULL);

	EXPECT("friend@example.net", "250"); /* good before: stays so */
	ptn_test_command(test, "senderverify", "forget", "example.net", NULL);
	ptn_test_dialog(test, MX, 25, "", "220 mx", "MAIL", "550 5.7.1 your network is listed", NULL);
	EXPECT("one@example.net", "550 5.1.7");
	EXPECT_PROBES(2);
	EXPECT("two@example.net", "550 5.1.7 <two@example.net>: Sender address rejected: undeliverable address: "
							  "mx.example.net said: 550 5.7.1 your network is listed");
	EXPECT("friend@example.net", "250");
	EXPECT_PROBES(2);
	ptn_test_dialog(test, MX, 25, "", "220 mx", NULL);
	pass(test, 4 * HOUR);
	EXPECT("three@example.net", "550 5.1.7"); /* asked behind: the domain takes mail again */
	EXPECT_PROBES(3);
	EXPECT("three@example.net", "250");
	EXPECT("two@example.net", "250");
	ptn_test_free(test);
}

static void
test_refuses_by_policy(void)
{
	PtnTest *test = new_test(NULL);

	ptn_test_dialog(test, MX, 25, "", "220 mx", "RCPT TO:<one@",
		"554 5.7.1 <one@example.net>: Client host blocked", "RCPT TO:<postmaster@",
		"554 5.7.1 <postmaster@example.net>: Client host blocked", NULL);
	EXPECT("one@example.net", "550 5.1.7");
	EXPECT("two@example.net", "550 5.1.7");
	EXPECT_PROBES(1);
	ptn_test_free(test);
}

/* Neither a postmaster that is missing nor other words make a domain one that refuses all. */
static void
test_refuses_one(void)
{
	static const char *const replies[][2] = { { "550 5.1.1 no such user", "550 5.1.1 no such user" },
		{ "550 5.7.1 not for you", "550 5.7.1 other words" }, { "550 5.7.1 no", "250 2.1.5 Ok" },
		{ "550 no such user", "550 no such user" }, { "550 5.7.1 no", "550 5.1.1 no" },
		{ "550 5.7.1 no", "450 4.7.1 no" } };

	for (size_t i = 0; i < sizeof replies / sizeof *replies; i++) {
		PtnTest *test = new_test(NULL);

		ptn_test_dialog(test, MX, 25, "", "220 mx", "RCPT TO:<one@", replies[i][0], "RCPT TO:<postmaster@",
			replies[i][1], NULL);
		EXPECT("one@example.net", "550 5.1.7");
		EXPECT("two@example.net", "250");
		ptn_test_free(test);
	}
}

static void
test_learns_nothing(void)
{
	PtnTest *test = new_test("learn-domains = no\n");

	ptn_test_dialog(test, MX, 25, "", "220 mx", "MAIL", "550 5.7.1 listed", NULL);
	EXPECT("one@example.net", "550 5.1.7");
	EXPECT("two@example.net", "550 5.1.7");
	EXPECT_PROBES(2);
	ptn_test_free(test);
}

static const UnitTest tests[] = {
	{ "V-02 no random address is asked for unless learn-domains = yes", test_asks_for_no_random_address },
	{ "V-04, V-07 a good sender is good for 31 days, asked again after 7, and not spoilt by a failure",
		test_good_is_cached },
	{ "V-04 a refresh that goes well renews it", test_refresh_renews },
	{ "V-05, V-06 a bad sender is refused from the cache, asked again after 3 h, repaired then",
		test_bad_is_cached },
	{ "V-05 a bad entry dies after 3 days", test_bad_dies },
	{ "V-08 an unsure sender is asked again after 5 minutes", test_unsure_is_cached },
	{ "V-08 or as unsure-refresh says", test_unsure_setting },
	{ "V-19 the key is the address, its domain in lower case", test_key },
	{ "V-09, V-10 a probe that takes longer is in progress", test_in_progress },
	{ "V-10 one probe per address, for 1000 s at most", test_claim },
	{ "a cap per destination", test_cap },
	{ "a cap in all", test_cap_in_all },
	{ "a domain that accepts all is learned", test_accepts_all },
	{ "a domain that knows its addresses is asked once", test_selective },
	{ "a domain that refuses all is learned, and forgotten", test_refuses_all },
	{ "a domain that refuses us by policy is learned", test_refuses_by_policy },
	{ "a domain that refuses one address is not one that refuses all", test_refuses_one },
	{ "nothing is learned where that is set", test_learns_nothing },
	{ NULL, NULL },
};

const UnitSuite suite_cache = { "senderverify-cache", tests };
