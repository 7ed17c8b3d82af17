/* test-senderverify.c - the plugin senderverify in the test host: letter V, what is asked and what is answered. */
#include "test-senderverify.h"

#include <glib.h>

extern const PtnPlugin ptn_plugin_auth, ptn_plugin_nullsender_rewrite, ptn_plugin_senderverify;

PtnTest *
new_test(const char *options)
{
	static const PtnPlugin *const plugins[] = { &ptn_plugin_auth, &ptn_plugin_nullsender_rewrite,
		&ptn_plugin_senderverify, NULL };
	char config[500];
	PtnTest *test;

	(void)snprintf(config, sizeof config,
		"[plugin nullsender-rewrite]\nforeign-senders = keep\n"
		"[plugin senderverify]\nprobe-sender = probe@example.net\n%s%s",
		options != NULL && strstr(options, "quote-remote") != NULL ? "" : "quote-remote = yes\n",
		options != NULL ? options : "");
	test = ptn_test_new_chain(plugins, config);
	ptn_test_open_server_accounts(test);
	ptn_test_entry(test, PTN_ACCOUNT, LOGIN, "password", PASSWORD, "type", "server", NULL);
	ptn_test_dns(test, "example.net", PTN_MX, PTN_OK, "10 mx.example.net", NULL);
	ptn_test_dns(test, "mx.example.net", PTN_A, PTN_OK, MX, NULL);
	ptn_test_dns(test, "null.example", PTN_MX, PTN_OK, "0 .", NULL);
	ptn_test_dns(test, "slow.example", PTN_MX, PTN_UNSURE, NULL);
	ptn_test_dialog(test, MX, 25, "", "220 mx ESMTP", NULL);
	ptn_test_connect(test, "192.0.2.1");
	CU_ASSERT_EQUAL(strncmp(ptn_test_login(test, LOGIN, PASSWORD), "235", 3), 0);
	return test;
}

const char *
mail(PtnTest *test, const char *sender)
{
	static char kept[700];
	char line[400];

	(void)ptn_test_say(test, "RSET");
	(void)snprintf(line, sizeof line, "MAIL FROM:<%s>", sender);
	(void)snprintf(kept, sizeof kept, "%s", ptn_test_say(test, line));
	return kept;
}

bool
begins(const char *text, const char *start)
{
	if (strncmp(text, start, strlen(start)) == 0)
		return true;
	fprintf(stderr, "\n\"%s\" does not begin with \"%s\"\n", text, start);
	return false;
}

bool
has(const char *text, const char *part)
{
	if (strstr(text, part) != NULL)
		return true;
	fprintf(stderr, "\n\"%s\" does not have \"%s\"\n", text, part);
	return false;
}

enum { PATIENCE = 1000 }; /* looks, one every 10 ms */

bool
answers_soon(PtnTest *test, const char *sender, const char *start)
{
	for (int i = 0; i < PATIENCE; i++) {
		if (strncmp(mail(test, sender), start, strlen(start)) == 0)
			return true;
		g_usleep(10000);
	}
	return begins(mail(test, sender), start);
}

size_t
connections(PtnTest *test, const char *address, size_t wanted)
{
	for (int i = 0; i < PATIENCE && ptn_test_connections(test, address, 25) != wanted; i++)
		g_usleep(10000);
	return ptn_test_connections(test, address, 25);
}

size_t
probes(PtnTest *test)
{
	ptn_test_finish_work(test);
	return ptn_test_connections(test, MX, 25);
}

void
pass(PtnTest *test, int64_t time)
{
	ptn_test_advance(test, time);
	ptn_test_connect(test, "192.0.2.1");
	CU_ASSERT_EQUAL(strncmp(ptn_test_login(test, LOGIN, PASSWORD), "235", 3), 0);
}

/* ---- one probe ---- */

static void
test_first_use(void)
{
	PtnTest *test = new_test("learn-domains = no\n");

	EXPECT(SENDER, "250 2.1.0");
	ptn_test_finish_work(test);
	ASSERT_TEXT(ptn_test_heard(test, MX, 25),
		"EHLO test.example.net\nMAIL FROM:<probe@example.net>\nRCPT TO:<" SENDER ">\nQUIT\n");
	CU_ASSERT_EQUAL(ptn_test_count(test, "plugin.senderverify.probes.good"), 1);
	EXPECT(SENDER, "250");
	CU_ASSERT_EQUAL(strncmp(ptn_test_submit(test, SENDER, "x@elsewhere.example", CONTENT), "503", 3), 0);
	(void)ptn_test_say(test, "RSET");
	CU_ASSERT_EQUAL(strncmp(ptn_test_submit(test, SENDER, "x@elsewhere.example", CONTENT), "250", 3), 0);
	EXPECT_PROBES(1);
	ptn_test_free(test);
}

static void
test_refused(void)
{
	PtnTest *test = new_test(NULL);

	ptn_test_dialog(test, MX, 25, "", "220 mx", "RCPT TO:<bad@", "550 5.1.1 no such user", NULL);
	EXPECT("bad@example.net", "550 5.1.7 <bad@example.net>: Sender address rejected: undeliverable address: "
							  "mx.example.net said: 550 5.1.1 no such user");
	CU_ASSERT_EQUAL(ptn_test_count(test, "plugin.senderverify.failures"), 1);
	EXPECT("good@example.net", "250");
	ptn_test_free(test);
}

static void
test_stock_code(void)
{
	PtnTest *test = new_test("undeliverable-code = 450\n");

	ptn_test_dialog(test, MX, 25, "", "220 mx", "RCPT TO:<bad@", "550 5.1.1 no such user", NULL);
	EXPECT("bad@example.net", "450 4.1.7 <bad@example.net>: Sender address rejected: undeliverable address");
	ptn_test_free(test);
}

/* 5xx wherever it comes is a refusal; 4xx, silence or nonsense is not. */
static void
test_every_stage(void)
{
	static const struct {
		const char *start, *reply, *expected;
	} cases[] = { { "", "554 5.7.1 go away", "550 5.1.7" }, { "EHLO", "550 5.7.1 go away", "250" },
		{ "MAIL", "550 5.7.1 not you", "550 5.1.7" }, { "RCPT TO:<user", "553 5.1.8 odd", "550 5.1.7" },
		{ "RCPT TO:<user", "550-5.1.1 two\n550 5.1.1 lines", "550 5.1.7" }, { "", "421 4.3.2 busy", "450 4.1.7" },
		{ "EHLO", "421 4.3.2 busy", "450 4.1.7" }, { "MAIL", "451 4.3.0 later", "450 4.1.7" },
		{ "RCPT TO:<user", "450 4.2.0 greylisted", "450 4.1.7" }, { "RCPT TO:<user", "354 what", "450 4.1.7" },
		{ "RCPT TO:<user", "close", "450 4.1.7" }, { "", "close", "450 4.1.7" },
		{ "", "no SMTP here", "450 4.1.7" }, { "MAIL", "250-a\n550 b", "450 4.1.7" } };

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		PtnTest *test = new_test(NULL);

		if (cases[i].start[0] == '\0')
			ptn_test_dialog(test, MX, 25, "", cases[i].reply, NULL);
		else
			ptn_test_dialog(test, MX, 25, "", "220 mx", cases[i].start, cases[i].reply, NULL);
		if (!begins(mail(test, SENDER), cases[i].expected)) {
			fprintf(stderr, "case %zu: %s\n", i, cases[i].reply);
			CU_FAIL("a stage");
		}
		ptn_test_free(test);
	}
}

/* Both EHLO and HELO refused: so is the address. */
static void
test_refused_hello(void)
{
	PtnTest *test = new_test(NULL);

	ptn_test_dialog(test, MX, 25, "", "220 mx", "EHLO", "550 5.7.1 no", "HELO", "550 5.7.1 never", NULL);
	EXPECT(SENDER, "550 5.1.7");
	CU_ASSERT(has(ptn_test_heard(test, MX, 25), "HELO test.example.net\n"));
	ptn_test_free(test);
}

static void
test_odd_words(void)
{
	PtnTest *test = new_test(NULL);
	char reply[900] = "550 5.1.1 caf\xc3\xa9 \xff\x07 ";

	memset(reply + strlen(reply), 'x', 700);
	ptn_test_dialog(test, MX, 25, "", "220 mx", "RCPT", reply, NULL);
	EXPECT(SENDER, "550 5.1.7 <" SENDER
				   ">: Sender address rejected: undeliverable address: mx.example.net said: 550 5.1.1 caf");
	ptn_test_free(test);
}

/* ---- which server ---- */

static void
test_second_mx(void)
{
	PtnTest *test = new_test("learn-domains = no\n");

	ptn_test_dns(test, "example.net", PTN_MX, PTN_OK, "20 two.example.net", "10 mx.example.net", NULL);
	ptn_test_dns(test, "two.example.net", PTN_A, PTN_OK, SECOND_MX, NULL);
	ptn_test_dialog(test, SECOND_MX, 25, "", "220 two", "RCPT TO:<bad", "550 5.1.1 no", NULL);
	ptn_test_no_server(test, MX, 25);
	EXPECT(SENDER, "250");
	EXPECT("bad@example.net", "550 5.1.7");
	ptn_test_dialog(test, MX, 25, "", "220 mx", "RCPT", "450 4.2.0 later", NULL);
	EXPECT("other@example.net", "250");
	ptn_test_dialog(
		test, MX, 25, "", "554 5.7.1 not here", NULL); /* one of two turns us away: the other decides */
	EXPECT("third@example.net", "250");
	EXPECT("bad2@example.net", "550 5.1.7");
	ptn_test_free(test);
}

/* So short a deadline that nothing is left of it when the exchanger is known. */
static void
test_no_time(void)
{
	PtnTest *test = new_test("deadline = 100ms\n");

	CU_ASSERT(has(ptn_test_command(test, "senderverify", "probe", SENDER, NULL), "state=unsure"));
	CU_ASSERT(has(ptn_test_command(test, "senderverify", "show", "example.net", NULL), "error: nothing is known"));
	CU_ASSERT_EQUAL(ptn_test_connections(test, MX, 25), 0);
	ptn_test_free(test);
}

static void
test_no_server(void)
{
	PtnTest *test = new_test(NULL);

	ptn_test_no_server(test, MX, 25);
	EXPECT(SENDER,
		"450 4.1.7 <" SENDER ">: Sender address rejected: unverified address: no connection to mx.example.net");
	ptn_test_free(test);
}

/* The directory has the domain, with a destination of its own, which is not asked. */
static void
test_public_mx(void)
{
	PtnTest *test = new_test(NULL);

	ptn_test_entry(test, PTN_DOMAIN, "example.net", "mode", "redirect", "destination", "192.0.2.77:25", NULL);
	ptn_test_dialog(test, "192.0.2.77", 25, "", "220 inner", NULL);
	ptn_test_dialog(test, MX, 25, "", "220 mx", "RCPT", "550 5.1.1 no such user", NULL);
	EXPECT(SENDER, "550 5.1.7");
	CU_ASSERT_EQUAL(ptn_test_connections(test, "192.0.2.77", 25), 0);
	ptn_test_free(test);
}

static void
test_null_mx(void)
{
	PtnTest *test = new_test(NULL);

	ptn_test_dns(test, "null.example", PTN_A, PTN_OK, MX, NULL);
	EXPECT("x@null.example", "250");
	EXPECT_PROBES(0);
	CU_ASSERT(has(ptn_test_command(test, "senderverify", "probe", "x@null.example", NULL), "error: "));
	ptn_test_free(test);
}

static void
test_exempt(void)
{
	PtnTest *test = new_test("exempt-domains = absent.example .lan.example\n");

	EXPECT("x@absent.example", "250");
	EXPECT("x@host.lan.example", "250");
	EXPECT("x@lan.example", "450 4.1.8");
	EXPECT("x@evillan.example", "450 4.1.8");
	EXPECT(SENDER, "250");
	EXPECT_PROBES(1);
	ptn_test_free(test);
}

static void
test_dns_failure(void)
{
	PtnTest *test = new_test(NULL);

	EXPECT("x@slow.example",
		"450 4.1.8 <x@slow.example>: Sender address rejected: Domain lookup failed, try again later");
	EXPECT("x@absent.example", "450 4.1.8");
	EXPECT_PROBES(0);
	ptn_test_dns(test, "slow.example", PTN_A, PTN_OK, MX, NULL);
	ptn_test_dns(test, "slow.example", PTN_MX, PTN_NONE, NULL);
	EXPECT("x@slow.example", "250");
	ptn_test_free(test);
}

/* ---- senders that are not verified, or not as submitted ---- */

static void
test_null_sender(void)
{
	PtnTest *test = new_test(NULL);

	ptn_test_entry(test, PTN_ACCOUNT, LOGIN, "nullsender-rewrite.null-senders", "keep", NULL);
	EXPECT("", "250");
	EXPECT_PROBES(0);
	ptn_test_free(test);
}

static void
test_rewritten(void)
{
	PtnTest *test = new_test("learn-domains = no\n");

	ptn_test_entry(test, PTN_CUSTOMER, "acme", "postmaster", "pm@example.net", NULL);
	ptn_test_entry(test, PTN_ACCOUNT, LOGIN, "nullsender-rewrite.foreign-senders", "rewrite", NULL);
	EXPECT("", "250");
	EXPECT("x@absent.example", "250");
	EXPECT_PROBES(1);
	CU_ASSERT(has(ptn_test_heard(test, MX, 25), "RCPT TO:<pm@example.net>\n"));
	CU_ASSERT_PTR_NULL(strstr(ptn_test_heard(test, MX, 25), "absent"));
	ptn_test_dialog(test, MX, 25, "", "220 mx", "RCPT TO:<it@", "550 5.1.1 no", NULL);
	ptn_test_entry(test, PTN_CUSTOMER, "acme", "postmaster", "it@example.net", NULL);
	EXPECT("", "550 5.1.7 <it@example.net>");
	ptn_test_free(test);
}

/* The reply repeats what a foreign server says only where the administrator wants that. */
static void
test_quoting(void)
{
	PtnTest *test = new_test("quote-remote = no\n");

	ptn_test_dialog(test, MX, 25, "", "220 mx", "RCPT TO:<bad@", "550 5.1.1 secret of the inside", "RCPT TO:<later@",
		"450 4.2.0 another secret", NULL);
	EXPECT("bad@example.net", "550 5.1.7 <bad@example.net>: Sender address rejected: undeliverable address: "
							  "its mail server does not take mail for it");
	EXPECT("later@example.net",
		"450 4.1.7 <later@example.net>: Sender address rejected: unverified address: its mail server gave no answer");
	ptn_test_free(test);
}

/* Exchangers in our own network are not asked, and the answer is final. */
static void
test_inside(void)
{
	PtnTest *test = new_test(NULL);

	ptn_test_dns(test, "inside.example", PTN_MX, PTN_OK, "10 mx.inside.example", NULL);
	ptn_test_dns(test, "mx.inside.example", PTN_A, PTN_OK, "10.0.0.5", "127.0.0.1", NULL);
	ptn_test_dialog(test, "10.0.0.5", 25, "", "220 secret", NULL);
	EXPECT("x@inside.example", "550 5.1.7 <x@inside.example>: Sender address rejected: undeliverable address: "
							   "mx.inside.example has no public address");
	ASSERT_TEXT(ptn_test_heard(test, "10.0.0.5", 25), "");
	ptn_test_free(test);
}

static void
test_recipients(void)
{
	PtnTest *test = new_test(NULL);

	EXPECT("x@null.example", "250");
	CU_ASSERT(begins(ptn_test_say(test, "RCPT TO:<someone@example.net>"), "250"));
	EXPECT_PROBES(0);
	ptn_test_free(test);
}

/* The account's action on submission errors maps what is temporary, and the permanent, too. */
static void
test_on_refusal(void)
{
	PtnTest *test = new_test("learn-domains = no\n");

	ptn_test_dialog(test, MX, 25, "", "220 mx", "RCPT TO:<bad", "550 5.1.1 no", "RCPT TO:<later",
		"450 4.2.0 later", NULL);
	ptn_test_entry(test, PTN_ACCOUNT, LOGIN, "on-refusal", "reject", NULL);
	EXPECT("later@example.net", "550 5.1.7 <later@example.net>: Sender address rejected: unverified address: mx");
	EXPECT("x@absent.example", "550 5.1.8");
	EXPECT("good@example.net", "250");
	ptn_test_entry(test, PTN_ACCOUNT, LOGIN, "on-refusal", "defer", NULL);
	EXPECT("bad@example.net", "450 4.1.7 <bad@example.net>: Sender address rejected: undeliverable address");
	ptn_test_free(test);
}

/* The same for an answer that does not come in time. */
static void
test_on_refusal_of_silence(void)
{
	PtnTest *test = new_test("wait = 50ms\n");

	ptn_test_dialog(test, MX, 25, "", "silence", NULL);
	ptn_test_entry(test, PTN_ACCOUNT, LOGIN, "on-refusal", "reject", NULL);
	EXPECT("slow@example.net",
		"550 5.1.7 <slow@example.net>: Sender address rejected: unverified address: Address verification");
	ptn_test_free(test);
}

/* ---- our own side ---- */

static void
test_probe_sender(void)
{
	PtnTest *test = new_test(NULL);

	ptn_test_connect(test, "192.0.2.2");
	(void)ptn_test_say(test, "EHLO other.example");
	CU_ASSERT(begins(ptn_test_say(test, "MAIL FROM:<>"), "530")); /* a listener for submission */
	ptn_test_free(test);
}

static void
test_commands(void)
{
	PtnTest *test = new_test(NULL);

	ptn_test_dialog(test, MX, 25, "", "220 mx", "RCPT TO:<bad@", "550 5.1.1 no such user", NULL);
	CU_ASSERT(
		has(ptn_test_command(test, "senderverify", "show", "bad@example.net", NULL), "error: nothing is known"));
	CU_ASSERT(has(ptn_test_command(test, "senderverify", "probe", "bad@Example.net", NULL),
		"name=bad@example.net state=bad"));
	CU_ASSERT(has(ptn_test_command(test, "senderverify", "show", "bad@example.net", NULL),
		"by=mx.example.net text=mx.example.net said: 550 5.1.1 no such user"));
	EXPECT("bad@example.net", "550 5.1.7");
	EXPECT_PROBES(1);
	CU_ASSERT(has(ptn_test_command(test, "senderverify", "forget", "bad@example.net", NULL), "state=forgotten"));
	CU_ASSERT(has(
		ptn_test_command(test, "senderverify", "forget", "bad@example.net", NULL), "error: nothing was known"));
	EXPECT("bad@example.net", "550 5.1.7");
	EXPECT_PROBES(2);
	CU_ASSERT(has(ptn_test_command(test, "senderverify", "probe", "x>@example.net", NULL), "error: say"));
	CU_ASSERT(has(ptn_test_command(test, "senderverify", "probe", NULL), "error: say"));
	CU_ASSERT(has(ptn_test_command(test, "senderverify", "show", NULL), "error: say"));
	ptn_test_free(test);
}

static void
test_failures(void)
{
	PtnTest *test = new_test("learn-domains = no\n");

	ptn_test_dialog(test, MX, 25, "", "220 mx", "RCPT TO:<bad", "550 5.1.1 no", "RCPT TO:<later",
		"450 4.2.0 later", NULL);
	EXPECT("bad1@example.net", "550");
	EXPECT("bad1@example.net", "550");
	EXPECT("later@example.net", "450");
	EXPECT("good@example.net", "250");
	CU_ASSERT_EQUAL(ptn_test_count(test, "plugin.senderverify.failures"), 3);
	ptn_test_free(test);
}

/* What is not known yet is no failure. */
static void
test_silence_is_no_failure(void)
{
	PtnTest *test = new_test("wait = 50ms\n");

	ptn_test_dialog(test, MX, 25, "", "silence", NULL);
	EXPECT("slow@example.net", "450");
	CU_ASSERT_EQUAL(ptn_test_count(test, "plugin.senderverify.failures"), 0);
	ptn_test_free(test);
}

static const UnitTest tests[] = {
	{ "what a server says is not repeated without quote-remote", test_quoting },
	{ "exchangers that are not public are not asked", test_inside },
	{ "V-01, V-02 a first use probes, by EHLO, MAIL, RCPT, QUIT, and passes", test_first_use },
	{ "V-03 a 5xx to RCPT refuses the sender with 550 5.1.7", test_refused },
	{ "V-03 with the code of stock Postfix", test_stock_code },
	{ "V-03, V-08 5xx at any stage refuses, 4xx and nonsense are unsure", test_every_stage },
	{ "V-03 EHLO and HELO refused", test_refused_hello },
	{ "V-03 what a server says fits into our reply", test_odd_words },
	{ "V-08, V-09, O-01, O-02 the account's action on submission errors", test_on_refusal },
	{ "V-09, O-01 the account's action where no answer comes in time", test_on_refusal_of_silence },
	{ "V-14 the first exchanger unreachable, the second decides", test_second_mx },
	{ "V-08 no connection is 450 4.1.7", test_no_server },
	{ "V-08 no time to ask is unsure, and says nothing of the domain", test_no_time },
	{ "V-11 the public exchanger is asked, not the directory's", test_public_mx },
	{ "V-13, R-08 a null MX is not asked", test_null_mx },
	{ "exempt domains are not asked", test_exempt },
	{ "R-06 DNS failures are 450 4.1.8, and not remembered", test_dns_failure },
	{ "V-12, N-08 the null sender is not verified", test_null_sender },
	{ "V-18, N-08 a rewritten sender is verified as it is then, once", test_rewritten },
	{ "V-20, R-09 recipients are never probed", test_recipients },
	{ "V-16 a listener for submission does not open for the probe sender", test_probe_sender },
	{ "V-17 failures are counted per account", test_failures },
	{ "V-17 no answer in time is no failure", test_silence_is_no_failure },
	{ "commands", test_commands },
	{ NULL, NULL },
};

int
main(int argc, char **argv)
{
	static const UnitSuite suite = { "senderverify", tests };
	static const UnitSuite *const suites[] = { &suite, &suite_cache, &suite_lock, NULL };

	return unit_main(argc, argv, suites);
}
