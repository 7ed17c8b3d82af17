/* test-refusals.c - what becomes of a plugin's refusal: the account's action, when it is told, and who is exempt. */
#include "plugin-test.h"

#include <stdio.h>
#include <string.h>

#include "engine/exempt.h"
#include "engine/refusal.h"
#include "host/test-host.h"
#include "unit/unit.h"

static const char *const stages[] = { "connect", "helo", "mail", "rcpt", "data", "message", "none", NULL };

static PtnVerdict
identify(PtnHook *h)
{
	return ptn_identify(h, ptn_login(h));
}

static PtnVerdict
refuse_at(PtnHook *h, int stage)
{
	const int64_t code = ptn_option_number(h, "code");

	if (stage == 3 && ptn_login(h) != NULL)
		ptn_permit(h);
	if (ptn_option_number(h, "at") != stage)
		return PTN_NEXT;
	return ptn_refuse(h, (PtnCause)ptn_option_number(h, "cause"), (int)code, code < 500 ? "4.7.1" : "5.7.1", "No");
}

static PtnVerdict refuse_connect(PtnHook *h) { return refuse_at(h, 0); }
static PtnVerdict refuse_helo(PtnHook *h) { return refuse_at(h, 1); }
/* One sender is good whatever is refused. */
static PtnVerdict
refuse_mail(PtnHook *h)
{
	return strcmp(ptn_sender(h), "good@example.net") == 0 ? PTN_NEXT : refuse_at(h, 2);
}

static PtnVerdict refuse_rcpt(PtnHook *h) { return refuse_at(h, 3); }
static PtnVerdict refuse_data(PtnHook *h) { return refuse_at(h, 4); }

/* At message it tells whether content is exempt. */
static PtnVerdict
judge_content(PtnHook *h)
{
	if (ptn_fact(h, "content-exempt") != NULL)
		return PTN_NEXT;
	return refuse_at(h, 5);
}

static int observed_code;

static PtnVerdict
observe(PtnHook *h)
{
	(void)ptn_reply(h, &observed_code, NULL, NULL);
	return PTN_NEXT;
}

static const PtnOption options[] = {
	{ "at", PTN_CHOICE, PTN_IN_SERVER, "none", "where", 0, 0, stages },
	{ "code", PTN_NUMBER, PTN_IN_SERVER, "450", "with what", 400, 599 },
	{ "cause", PTN_NUMBER, PTN_IN_SERVER, "1", "why", 1, 8 },
	{ 0 },
};
static const PtnHookRow hooks[] = { { PTN_AUTH, identify, PTN_INLINE }, { PTN_CONNECT, refuse_connect, PTN_INLINE },
	{ PTN_HELO, refuse_helo, PTN_INLINE }, { PTN_MAIL, refuse_mail, PTN_INLINE }, { PTN_RCPT, refuse_rcpt, PTN_INLINE },
	{ PTN_DATA, refuse_data, PTN_INLINE }, { PTN_MESSAGE, judge_content, PTN_INLINE }, { PTN_REPLY, observe, 0 }, { 0 } };
static const PtnPlugin refuser = { PTN_HEAD("refuser"), .version = "1", .summary = "refuses", .options = options, .hooks = hooks };

static PtnTest *
new_test(const char *at, int code, PtnCause cause, const char *action)
{
	char config[200];
	PtnTest *test;

	(void)snprintf(config, sizeof config, "[plugin refuser]\nat = %s\ncode = %d\ncause = %d\n", at, code, (int)cause);
	test = ptn_test_new(&refuser, config);
	ptn_test_entry(test, PTN_ACCOUNT, "user@example.net", "password", "unused", "on-refusal", action, NULL);
	return test;
}

/* What RCPT is answered by a refusal at RCPT. */
static void
check_mapped(const char *action, PtnCause cause, int code, const char *expected)
{
	PtnTest *test = new_test("rcpt", code, cause, action);

	ptn_test_connect(test, "192.0.2.1");
	(void)ptn_test_login(test, "user@example.net", "x");
	(void)ptn_test_say(test, "MAIL FROM:<user@example.net>");
	ASSERT_TEXT(ptn_test_say(test, "RCPT TO:<x@example.org>"), expected);
	CU_ASSERT_EQUAL(ptn_test_queued(test), 0);
	ptn_test_free(test);
}

static void
test_actions(void)
{
	check_mapped("automatic", PTN_DNS, 450, "450 4.7.1 No\n");
	check_mapped(NULL, PTN_POLICY, 554, "554 5.7.1 No\n");
	for (PtnCause cause = PTN_POLICY; cause <= PTN_CONTENT; cause++) {
		check_mapped("reject", cause, 450, "550 5.7.1 No\n");
		check_mapped("defer", cause, 550, "450 4.7.1 No\n");
	}
	check_mapped("reject", PTN_CONTENT, 451, "554 5.7.1 No\n");
	check_mapped("reject", PTN_RATE, 452, "552 5.7.1 No\n");
	check_mapped("reject", PTN_POLICY, 553, "553 5.7.1 No\n");
	check_mapped("defer", PTN_POLICY, 553, "450 4.7.1 No\n");
	check_mapped("defer", PTN_POLICY, 554, "451 4.7.1 No\n");
}

/* Whatever counts goes by the rule. */
static void
test_counted_as_the_rule_has_it(void)
{
	static const struct {
		const char *action;
		int code, now, good;
	} cases[] = { { "reject", 450, 1, 0 }, { "defer", 550, 0, 1 }, { "automatic", 450, 1, 0 } };

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		PtnTest *test = new_test("rcpt", cases[i].code, PTN_POLICY, cases[i].action);

		ptn_test_connect(test, "192.0.2.1");
		(void)ptn_test_login(test, "user@example.net", "x");
		(void)ptn_test_say(test, "MAIL FROM:<user@example.net>");
		(void)ptn_test_say(test, "RCPT TO:<x@example.org>");
		ptn_test_finish_work(test);
		CU_ASSERT_EQUAL(ptn_test_count(test, "replies.4xx"), cases[i].now);
		CU_ASSERT_EQUAL(ptn_test_count(test, "replies.5xx"), cases[i].good);
		CU_ASSERT_EQUAL(observed_code, cases[i].code);
		ptn_test_free(test);
	}
}

static void
test_causes_that_stay(void)
{
	for (PtnCause cause = PTN_CREDENTIALS; cause <= PTN_LOCAL; cause++) {
		check_mapped("reject", cause, 451, "451 4.7.1 No\n");
		check_mapped("defer", cause, 554, "554 5.7.1 No\n");
	}
}

static void
test_end_of_session_stays(void)
{
	int code = 421;
	char enhanced[REFUSAL_ENHANCED_SIZE] = "4.7.0";

	refusal_map(REFUSAL_FOR_GOOD, PTN_RATE, &code, enhanced);
	CU_ASSERT_EQUAL(code, 421);
	ASSERT_TEXT(enhanced, "4.7.0");
}

/* Nothing is refused, so nothing is mapped. */
static void
test_success_stays(void)
{
	PtnTest *test = new_test("none", 450, PTN_POLICY, "reject");

	ptn_test_connect(test, "192.0.2.1");
	(void)ptn_test_login(test, "user@example.net", "x");
	CU_ASSERT_EQUAL(strncmp(ptn_test_submit(test, "user@example.net", "x@example.org", "Subject: x\r\n\r\nx\r\n"), "250", 3), 0);
	CU_ASSERT_EQUAL(ptn_test_queued(test), 1);
	ptn_test_free(test);
}

static void
test_next_session_and_before_auth(void)
{
	PtnTest *test = new_test("helo", 450, PTN_POLICY, "reject");

	/* before AUTH nobody's wishes are known */
	ptn_test_connect(test, "192.0.2.1");
	ASSERT_TEXT(ptn_test_say(test, "EHLO client.example.net"), "450 4.7.1 No\n");
	ptn_test_free(test);
	test = new_test("rcpt", 450, PTN_POLICY, NULL);
	ptn_test_entry(test, PTN_ACCOUNT, "user@example.net", "on-refusal", "reject", NULL);
	ptn_test_connect(test, "192.0.2.1");
	(void)ptn_test_login(test, "user@example.net", "x");
	(void)ptn_test_say(test, "MAIL FROM:<user@example.net>");
	ASSERT_TEXT(ptn_test_say(test, "RCPT TO:<x@example.org>"), "550 5.7.1 No\n");
	ptn_test_free(test);
}

/* ---- when it is told ---- */

static void
check_told_at_rcpt(const char *at)
{
	PtnTest *test = new_test(at, 554, PTN_POLICY, NULL);

	test_host_settings(test)->refuses_at_rcpt = true;
	ptn_test_connect(test, "192.0.2.1");
	CU_ASSERT_EQUAL(strncmp(ptn_test_reply(test), "220", 3), 0);
	CU_ASSERT_EQUAL(strncmp(ptn_test_login(test, "user@example.net", "x"), "235", 3), 0);
	ASSERT_TEXT(ptn_test_say(test, "MAIL FROM:<user@example.net>"), "250 2.1.0 Ok\n");
	ASSERT_TEXT(ptn_test_say(test, "RCPT TO:<x@example.org>"), "554 5.7.1 No\n");
	ASSERT_TEXT(ptn_test_say(test, "RCPT TO:<y@example.org>"), "554 5.7.1 No\n");
	ASSERT_TEXT(ptn_test_say(test, "DATA"), "554 5.5.1 Error: no valid recipients\n");
	CU_ASSERT_EQUAL(ptn_test_queued(test), 0);
	/* the message is over, what was decided of the session is not */
	ASSERT_TEXT(ptn_test_say(test, "RSET"), "250 2.0.0 Ok\n");
	ASSERT_TEXT(ptn_test_say(test, "MAIL FROM:<user@example.net>"), "250 2.1.0 Ok\n");
	ASSERT_TEXT(ptn_test_say(test, "RCPT TO:<x@example.org>"), "554 5.7.1 No\n");
	ptn_test_free(test);
}

static void
test_told_at_rcpt(void)
{
	check_told_at_rcpt("connect");
	check_told_at_rcpt("helo");
	check_told_at_rcpt("mail");
}

/* What MAIL was refused for ends with its message, however that ends. */
static void
test_told_for_one_message(void)
{
	static const char *const ends[] = { "RSET", "EHLO client.example.net" };

	for (size_t i = 0; i < G_N_ELEMENTS(ends); i++) {
		PtnTest *test = new_test("mail", 554, PTN_POLICY, NULL);

		test_host_settings(test)->refuses_at_rcpt = true;
		ptn_test_connect(test, "192.0.2.1");
		(void)ptn_test_login(test, "user@example.net", "x");
		(void)ptn_test_say(test, "MAIL FROM:<user@example.net>");
		ASSERT_TEXT(ptn_test_say(test, "RCPT TO:<x@example.org>"), "554 5.7.1 No\n");
		(void)ptn_test_say(test, ends[i]);
		ASSERT_TEXT(ptn_test_say(test, "MAIL FROM:<good@example.net>"), "250 2.1.0 Ok\n");
		ASSERT_TEXT(ptn_test_say(test, "RCPT TO:<x@example.org>"), "250 2.1.5 Ok\n");
		ptn_test_free(test);
	}
}

static void
test_told_at_once(void)
{
	PtnTest *test = new_test("connect", 554, PTN_POLICY, NULL);

	ptn_test_connect(test, "192.0.2.1");
	ASSERT_TEXT(ptn_test_reply(test), "554 5.7.1 No\n");
	ptn_test_free(test);
}

/* What is told later is for the account, too. */
static void
test_told_later_as_the_account_wants(void)
{
	PtnTest *test = new_test("connect", 450, PTN_DNS, "reject");

	test_host_settings(test)->refuses_at_rcpt = true;
	ptn_test_connect(test, "192.0.2.1");
	(void)ptn_test_login(test, "user@example.net", "x");
	(void)ptn_test_say(test, "MAIL FROM:<user@example.net>");
	ASSERT_TEXT(ptn_test_say(test, "RCPT TO:<x@example.org>"), "550 5.7.1 No\n");
	ptn_test_free(test);
}

/* ---- who is exempt ---- */

static void
check_exempt(const char *first, const char *second, bool is_exempt)
{
	PtnTest *test = new_test("message", 550, PTN_CONTENT, NULL);
	char line[100];

	ptn_test_connect(test, "192.0.2.1");
	(void)ptn_test_login(test, "user@example.net", "x");
	(void)ptn_test_say(test, "MAIL FROM:<user@example.net>");
	(void)snprintf(line, sizeof line, "RCPT TO:<%s>", first);
	(void)ptn_test_say(test, line);
	(void)snprintf(line, sizeof line, "RCPT TO:<%s>", second != NULL ? second : first);
	(void)ptn_test_say(test, line);
	(void)ptn_test_say(test, "DATA");
	(void)ptn_test_say(test, "Subject: x\r\n\r\nx\r\n.");
	CU_ASSERT_EQUAL(ptn_test_queued(test), is_exempt ? 1 : 0);
	ptn_test_free(test);
}

static void
test_exempt(void)
{
	check_exempt("submit.0123456789abcdef@spam.spamcop.net", NULL, true);
	check_exempt("1234567@reports.SpamCop.net", "x@spamcop.net", true);
	check_exempt("abuse@anywhere.example", NULL, true);
	check_exempt("Abuse@anywhere.example", NULL, true);
	check_exempt("abuse@anywhere.example", "friend@anywhere.example", false);
	check_exempt("friend@anywhere.example", NULL, false);
	check_exempt("notabuse@anywhere.example", NULL, false);
	check_exempt("abuse.x@anywhere.example", NULL, false);
	check_exempt("x@notspamcop.net", NULL, false);
	check_exempt("x@spamcop.net.example", NULL, false);
}

static void
test_exempt_patterns(void)
{
	static const char *const good[] = { "abuse@", ".spamcop.net", "spamcop.net", "user@example.net" };
	static const char *const bad[] = { "", "@", "@example.net", ".", "a b", "user@exa mple" };

	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		CU_ASSERT_TRUE(exempt_pattern_is_valid(good[i]));
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		CU_ASSERT_FALSE(exempt_pattern_is_valid(bad[i]));
}

/* ---- inbound ---- */

static void
test_inbound(void)
{
	PtnTest *test = new_test("none", 450, PTN_POLICY, NULL);

	test_host_listener(test)->is_inbound = true;
	test_host_settings(test)->postmaster = g_strdup("postmaster@example.net");
	ptn_test_connect(test, "192.0.2.1");
	(void)ptn_test_say(test, "EHLO client.example.net");
	ASSERT_TEXT(ptn_test_say(test, "MAIL FROM:<>"), "250 2.1.0 Ok\n");
	ASSERT_TEXT(ptn_test_say(test, "RCPT TO:<PostMaster@Example.net>"), "250 2.1.5 Ok\n");
	ASSERT_TEXT(ptn_test_say(test, "RCPT TO:<x@example.org>"), "554 5.7.1 <x@example.org>: Relay access denied\n");
	ptn_test_free(test);
	test = new_test("none", 450, PTN_POLICY, NULL);
	test_host_settings(test)->postmaster = g_strdup("postmaster@example.net");
	ptn_test_connect(test, "192.0.2.1");
	(void)ptn_test_say(test, "EHLO client.example.net");
	CU_ASSERT_EQUAL(strncmp(ptn_test_say(test, "MAIL FROM:<>"), "530", 3), 0);
	ptn_test_free(test);
}

static const UnitTest tests[] = {
	{ "O-01 O-02 O-05 each cause of the rules is mapped as the account wants", test_actions },
	{ "O-10 metrics and observers have the code of the rule", test_counted_as_the_rule_has_it },
	{ "O-03 protocol, credentials and our own troubles stay as they are", test_causes_that_stay },
	{ "O-03 the end of a session stays", test_end_of_session_stays },
	{ "O-04 a success stays", test_success_stays },
	{ "O-06 O-07 from the next session on, and only behind AUTH", test_next_session_and_before_auth },
	{ "refuse-at = rcpt: connect, helo and mail are told at RCPT", test_told_at_rcpt },
	{ "refuse-at = rcpt: what MAIL was refused for ends with its message", test_told_for_one_message },
	{ "refuse-at = stage: at once", test_told_at_once },
	{ "refuse-at = rcpt: as the account wants", test_told_later_as_the_account_wants },
	{ "U-13 U-14 U-15 X-04 content is exempt if all recipients are", test_exempt },
	{ "patterns of exempt-recipients", test_exempt_patterns },
	{ "V-16 an inbound listener takes mail for our postmaster without AUTH", test_inbound },
	{ 0 },
};

int
main(int argc, char **argv)
{
	static const UnitSuite suite = { "refusals", tests };
	static const UnitSuite *const suites[] = { &suite, NULL };

	return unit_main(argc, argv, suites);
}
