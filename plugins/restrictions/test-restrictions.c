/* test-restrictions.c - the plugin restrictions in the test host, behind auth: letter R as far as one node has it. */
#include "plugin-test.h"

#include <stdio.h>
#include <string.h>

#include "unit/unit.h"

extern const PtnPlugin ptn_plugin_auth, ptn_plugin_restrictions;

#define LOGIN "user@example.net"
#define PASSWORD "mypassword"
#define CONTENT "Subject: a\r\n\r\nb\r\n"

static PtnTest *
new_test(const char *config)
{
	static const PtnPlugin *const plugins[] = { &ptn_plugin_auth, &ptn_plugin_restrictions, NULL };
	PtnTest *test = ptn_test_new_chain(plugins, config);

	ptn_test_entry(test, PTN_ACCOUNT, LOGIN, "password", PASSWORD, NULL);
	ptn_test_dns(test, "example.net", PTN_MX, PTN_OK, "10 mail.example.net", NULL);
	ptn_test_dns(test, "example.org", PTN_MX, PTN_OK, "10 mx.example.org", NULL);
	ptn_test_dns(test, "address.example", PTN_A, PTN_OK, "192.0.2.80", NULL);
	ptn_test_dns(test, "six.example", PTN_AAAA, PTN_OK, "2001:db8::80", NULL);
	ptn_test_dns(test, "null.example", PTN_MX, PTN_OK, "0 .", NULL);
	ptn_test_dns(test, "slow.example", PTN_MX, PTN_UNSURE, NULL);
	ptn_test_dns(test, "half.example", PTN_A, PTN_UNSURE, NULL); /* no MX, and the address is not to be had */
	ptn_test_dns(test, "text.example", PTN_TXT, PTN_OK, "words", NULL);
	ptn_test_connect(test, "192.0.2.1");
	CU_ASSERT_EQUAL(strncmp(ptn_test_login(test, LOGIN, PASSWORD), "235", 3), 0);
	return test;
}

static void
expect(PtnTest *test, const char *line, const char *start)
{
	const char *reply = ptn_test_say(test, line);
	char shown[400], wanted[400];

	(void)snprintf(shown, sizeof shown, "%s: %s", line, strncmp(reply, start, strlen(start)) == 0 ? start : reply);
	(void)snprintf(wanted, sizeof wanted, "%s: %s", line, start);
	ASSERT_TEXT(shown, wanted);
}

static void
expect_sender(PtnTest *test, const char *sender, const char *start)
{
	char line[200];

	(void)ptn_test_say(test, "RSET");
	(void)snprintf(line, sizeof line, "MAIL FROM:<%s>", sender);
	expect(test, line, start);
}

static void
expect_recipient(PtnTest *test, const char *recipient, const char *start)
{
	char line[200];

	(void)ptn_test_say(test, "RSET");
	expect(test, "MAIL FROM:<user@example.net>", "250");
	(void)snprintf(line, sizeof line, "RCPT TO:<%s>", recipient);
	expect(test, line, start);
}

/* ---- recipients ---- */

static void
test_recipient_missing(void)
{
	PtnTest *test = new_test(NULL);

	expect_recipient(
		test, "x@absent.example", "450 4.1.2 <x@absent.example>: Recipient address rejected: Domain not found");
	expect_recipient(test, "x@text.example", "450 4.1.2");
	expect_recipient(test, "x@example.org", "250 2.1.5");
	expect_recipient(test, "x@address.example", "250 2.1.5");
	expect_recipient(test, "x@six.example", "250 2.1.5");
	CU_ASSERT_EQUAL(ptn_test_queued(test), 0);
	ptn_test_free(test);
}

static void
test_recipient_unsure(void)
{
	PtnTest *test = new_test(NULL);

	expect_recipient(test, "x@slow.example",
		"450 4.1.2 <x@slow.example>: Recipient address rejected: Domain lookup failed, try again later");
	expect_recipient(test, "x@half.example",
		"450 4.1.2 <x@half.example>: Recipient address rejected: Domain lookup failed, try again later");
	ptn_test_dns(test, "slow.example", PTN_MX, PTN_OK, "10 mx.slow.example", NULL);
	expect_recipient(test, "x@slow.example", "250");
	ptn_test_free(test);
}

static void
test_recipient_null_mx(void)
{
	PtnTest *test = new_test(NULL);

	expect_recipient(test, "x@null.example", "556 5.1.10 <x@null.example>: Recipient address rejected");
	ptn_test_free(test);
}

static void
test_recipient_of_ours(void)
{
	PtnTest *test = new_test("[plugin restrictions]\nexempt-domains = relay.internal .lan.example\n");

	ptn_test_entry(test, PTN_DOMAIN, "shop.example", "customer", "acme", "mode", "redirect", "destination",
		"192.0.2.7:2525", NULL);
	ptn_test_entry(test, PTN_DOMAIN, "sends.example", "customer", "acme", "mode", "outbound-only", NULL);
	expect_recipient(test, "x@shop.example", "250");
	expect_recipient(test, "x@sends.example", "450 4.1.2");
	expect_recipient(test, "x@relay.internal", "250");
	expect_recipient(test, "x@a.relay.internal", "450 4.1.2");
	expect_recipient(test, "x@host.LAN.example", "250");
	expect_recipient(test, "x@lan.example", "450 4.1.2");
	expect_recipient(test, "x@evillan.example", "450 4.1.2");
	expect_recipient(test, "postmaster", "250");
	ptn_test_free(test);
}

/* ---- senders ---- */

static void
test_sender_missing(void)
{
	PtnTest *test = new_test(NULL);

	expect_sender(
		test, "x@absent.example", "450 4.1.8 <x@absent.example>: Sender address rejected: Domain not found");
	expect_sender(test, "x@slow.example",
		"450 4.1.8 <x@slow.example>: Sender address rejected: Domain lookup failed, try again later");
	expect_sender(test, "x@half.example",
		"450 4.1.8 <x@half.example>: Sender address rejected: Domain lookup failed, try again later");
	expect_sender(test, "x@text.example", "450 4.1.8");
	expect_sender(test, "", "250 2.1.0");
	ptn_test_free(test);
}

static void
test_require_mx(void)
{
	PtnTest *test = new_test(NULL);

	expect_sender(test, "x@example.net", "250");
	expect_sender(test, "x@address.example", "250");
	expect_sender(test, "x@six.example", "250");
	ptn_test_free(test);
	test = new_test("[plugin restrictions]\nrequire-mx = yes\n");
	expect_sender(test, "x@example.net", "250");
	expect_sender(test, "x@address.example", "450 4.1.8 <x@address.example>: Sender address rejected: Domain");
	expect_sender(test, "x@six.example", "450 4.1.8");
	expect_sender(test, "x@null.example", "250");
	expect_recipient(test, "x@address.example", "250");
	ptn_test_entry(test, PTN_ACCOUNT, LOGIN, "restrictions.require-mx", "no", NULL);
	expect_sender(test, "x@address.example", "250");
	ptn_test_free(test);
}

static void
test_sender_null_mx(void)
{
	PtnTest *test = new_test(NULL);

	expect_sender(test, "x@null.example", "250 2.1.0");
	ptn_test_free(test);
	test = new_test("[plugin restrictions]\nnull-mx-senders = refuse\n");
	expect_sender(test, "x@null.example", "550 5.7.27");
	expect_sender(test, "x@example.net", "250");
	ptn_test_free(test);
}

/* Temporary refusals become permanent where the account wants that: the same words. */
static void
test_reject_mode(void)
{
	PtnTest *test = new_test("[plugin restrictions]\nrequire-mx = yes\n");

	ptn_test_entry(test, PTN_ACCOUNT, LOGIN, "on-refusal", "reject", NULL);
	expect_sender(
		test, "x@absent.example", "550 5.1.8 <x@absent.example>: Sender address rejected: Domain not found");
	expect_sender(test, "x@slow.example",
		"550 5.1.8 <x@slow.example>: Sender address rejected: Domain lookup failed, try again later");
	expect_sender(test, "x@address.example", "550 5.1.8");
	expect_recipient(
		test, "x@absent.example", "550 5.1.2 <x@absent.example>: Recipient address rejected: Domain not found");
	expect_recipient(test, "x@slow.example", "550 5.1.2");
	expect_recipient(test, "x@example.org", "250");
	ptn_test_free(test);
}

/* ---- what the core judges ---- */

static void
test_qualified(void)
{
	PtnTest *test = new_test(NULL);

	expect_recipient(test, "bob", "504 5.5.2 <bob>: Recipient address rejected: need fully-qualified address");
	expect_recipient(test, "bob@host", "504 5.5.2");
	expect_sender(test, "bob", "504 5.5.2 <bob>: Sender address rejected: need fully-qualified address");
	expect_sender(test, "bob@host", "504 5.5.2");
	ptn_test_free(test);
}

static void
test_one_bad_recipient(void)
{
	PtnTest *test = new_test(NULL);

	expect(test, "MAIL FROM:<user@example.net>", "250");
	expect(test, "RCPT TO:<a@example.org>", "250");
	expect(test, "RCPT TO:<b@absent.example>", "450 4.1.2");
	expect(test, "RCPT TO:<c@null.example>", "556 5.1.10");
	expect(test, "RCPT TO:<d@example.org>", "250");
	expect(test, "DATA", "354");
	expect(test, CONTENT ".", "250");
	CU_ASSERT_EQUAL(ptn_test_queued(test), 1);
	ASSERT_TEXT(ptn_test_queued_recipient(test, 0, 0), "a@example.org");
	ASSERT_TEXT(ptn_test_queued_recipient(test, 0, 1), "d@example.org");
	CU_ASSERT_PTR_NULL(ptn_test_queued_recipient(test, 0, 2));
	expect(test, "MAIL FROM:<user@example.net>", "250");
	expect(test, "RCPT TO:<b@absent.example>", "450 4.1.2");
	expect(test, "DATA", "554 5.5.1 Error: no valid recipients");
	CU_ASSERT_EQUAL(ptn_test_queued(test), 1);
	ptn_test_free(test);
}

static void
test_many_recipients(void)
{
	PtnTest *test = new_test(NULL);

	expect(test, "MAIL FROM:<user@example.net>", "250");
	for (int i = 0; i < 1000; i++) {
		char line[100];

		(void)snprintf(line, sizeof line, "RCPT TO:<r%d@example.org>", i);
		expect(test, line, "250");
	}
	expect(test, "RCPT TO:<more@example.org>", "452 4.5.3 Error: too many recipients");
	expect(test, "DATA", "354");
	expect(test, CONTENT ".", "250");
	CU_ASSERT_EQUAL(ptn_test_queued(test), 1);
	ASSERT_TEXT(ptn_test_queued_recipient(test, 0, 999), "r999@example.org");
	CU_ASSERT_PTR_NULL(ptn_test_queued_recipient(test, 0, 1000));
	ptn_test_free(test);
}

/* Without an account it is the core's to say who may relay, and no name is looked up for strangers. */
static void
test_strangers(void)
{
	PtnTest *test = new_test(NULL);

	ptn_test_connect(test, "192.0.2.2");
	expect(test, "EHLO x.example", "250");
	expect(test, "MAIL FROM:<x@absent.example>", "530 5.7.0");
	ptn_test_free(test);
}

static const UnitTest tests[] = {
	{ "R-01 a recipient's domain that does not exist is 450 4.1.2", test_recipient_missing },
	{ "R-02, R-18 a recipient's domain that cannot be found out (SERVFAIL, bogus) is 450, never permanent",
		test_recipient_unsure },
	{ "R-03 a recipient's domain with a null MX is 556 5.1.10", test_recipient_null_mx },
	{ "recipients that the directory or the configuration routes need no DNS", test_recipient_of_ours },
	{ "R-06, R-18 a sender's domain that does not exist, or cannot be found out, is 450 4.1.8",
		test_sender_missing },
	{ "R-07 a sender's domain with an address only is good, unless require-mx", test_require_mx },
	{ "R-08 a sender's domain with a null MX is good, unless it is to be refused with 550 5.7.27",
		test_sender_null_mx },
	{ "R-01, R-02, R-06, R-18, O-01, O-02 in reject mode they are 5xx, by the same words", test_reject_mode },
	{ "R-04, R-05 addresses are fully qualified: 504 5.5.2", test_qualified },
	{ "R-10 beyond 1000 recipients: 452 4.5.3 for the surplus", test_many_recipients },
	{ "R-16 one bad recipient leaves the others; without any, DATA is 554 5.5.1", test_one_bad_recipient },
	{ "strangers are not looked up", test_strangers },
	{ NULL, NULL },
};

int
main(int argc, char **argv)
{
	static const UnitSuite suite = { "restrictions", tests };
	static const UnitSuite *const suites[] = { &suite, NULL };

	return unit_main(argc, argv, suites);
}
