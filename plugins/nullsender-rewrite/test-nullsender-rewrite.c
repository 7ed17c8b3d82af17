/* test-nullsender-rewrite.c - the plugin in the test host, behind auth and sender-rules: letter N. */
#include "plugin-test.h"

#include <stdio.h>
#include <string.h>

#include "unit/unit.h"

extern const PtnPlugin ptn_plugin_auth, ptn_plugin_sender_rules, ptn_plugin_nullsender_rewrite;

#define SERVER "example.net"
#define PASSWORD "mypassword"
#define POSTMASTER "postmaster@acme.example"
#define CONTENT "From: x@elsewhere.example\r\nSubject: a\r\n\r\nb\r\n"

/* Keeps with the message what a plugin behind sees of its sender. */
static PtnVerdict
note_senders(PtnHook *h)
{
	ptn_note(h, "senders", ptn_format(h, "<%s> <%s>", ptn_sender_submitted(h), ptn_sender(h)));
	return PTN_NEXT;
}

static const PtnHookRow witness_hooks[] = { { PTN_MESSAGE, note_senders, PTN_INLINE }, { 0 } };
static const PtnPlugin witness = { PTN_HEAD("witness"), .version = "1", .summary = "sees",
	.hooks = witness_hooks };

static PtnTest *
new_session(const char *login, const char *config)
{
	static const PtnPlugin *const plugins[] = { &ptn_plugin_auth, &ptn_plugin_sender_rules,
		&ptn_plugin_nullsender_rewrite, &witness, NULL };
	PtnTest *test = ptn_test_new_chain(plugins, config);

	ptn_test_open_server_accounts(test);
	ptn_test_entry(test, PTN_CUSTOMER, "acme", "postmaster", POSTMASTER, NULL);
	ptn_test_entry(test, PTN_CUSTOMER, "other", "primary", "it@other.example", NULL);
	ptn_test_entry(test, PTN_DOMAIN, "other.example", "customer", "other", "mode", "outbound-only", NULL);
	ptn_test_entry(test, PTN_ACCOUNT, login, "password", PASSWORD, strchr(login, '@') == NULL ? "type" : NULL,
		"server", NULL);
	ptn_test_connect(test, "192.0.2.1");
	CU_ASSERT_EQUAL(strncmp(ptn_test_login(test, login, PASSWORD), "235", 3), 0);
	return test;
}

/* The sender that it was queued with, or the reply that refused it. */
static const char *
sent_as(PtnTest *test, const char *sender, const char *content)
{
	const size_t before = ptn_test_queued(test);
	const char *reply = ptn_test_submit(test, sender, "y@example.org", content);

	if (ptn_test_queued(test) == before + 1)
		return ptn_test_queued_sender(test, before);
	(void)ptn_test_reply(test);
	return reply;
}

static bool
is_refused(PtnTest *test, const char *sender, const char *content, const char *start)
{
	char kept[200];
	const char *reply = sent_as(test, sender, content);

	(void)snprintf(kept, sizeof kept, "%s", reply);
	(void)ptn_test_say(test, "RSET");
	if (strncmp(kept, start, strlen(start)) == 0)
		return true;
	fprintf(stderr, "\n\"%s\" does not begin with \"%s\"\n", kept, start);
	return false;
}

/* ---- null senders ---- */

static void
test_null_sender(void)
{
	PtnTest *test = new_session(SERVER, NULL);

	ASSERT_TEXT(sent_as(test, "", CONTENT), POSTMASTER);
	CU_ASSERT_EQUAL(ptn_test_count(test, "plugin.nullsender-rewrite.null-senders"), 1);
	ptn_test_free(test);
}

static void
test_primary(void)
{
	PtnTest *test = new_session(SERVER, NULL);

	ptn_test_entry(test, PTN_CUSTOMER, "acme", "postmaster", NULL, NULL);
	ASSERT_TEXT(sent_as(test, "", CONTENT), "it@acme.example");
	ptn_test_entry(test, PTN_CUSTOMER, "acme", "postmaster", "", NULL);
	ASSERT_TEXT(sent_as(test, "", CONTENT), "it@acme.example");
	ptn_test_entry(test, PTN_CUSTOMER, "acme", "primary", NULL, NULL);
	CU_ASSERT(is_refused(test, "", CONTENT, "451 4.3.0")); /* nobody to rewrite to: not silently kept */
	ptn_test_free(test);
}

static void
test_header_stays(void)
{
	PtnTest *test = new_session(SERVER, NULL);

	ASSERT_TEXT(sent_as(test, "", CONTENT), POSTMASTER);
	CU_ASSERT_PTR_NOT_NULL(strstr(ptn_test_queued_text(test, 0), "From: x@elsewhere.example\r\n"));
	CU_ASSERT_PTR_NULL(strstr(ptn_test_queued_text(test, 0), POSTMASTER));
	ptn_test_free(test);
}

static void
test_submitted_is_known(void)
{
	PtnTest *test = new_session(SERVER, NULL);

	ASSERT_TEXT(sent_as(test, "", CONTENT), POSTMASTER);
	ASSERT_TEXT(ptn_test_queued_note(test, 0, "witness.senders"), "<> <" POSTMASTER ">");
	ptn_test_free(test);
}

static void
test_refuse_null(void)
{
	PtnTest *test = new_session(SERVER, "[plugin nullsender-rewrite]\nnull-senders = refuse\n");

	CU_ASSERT(is_refused(test, "", CONTENT, "550 5.7.1"));
	ASSERT_TEXT(sent_as(test, "x@example.net", CONTENT), "x@example.net");
	ptn_test_entry(test, PTN_ACCOUNT, SERVER, "nullsender-rewrite.null-senders", "keep", NULL);
	ASSERT_TEXT(sent_as(test, "", CONTENT), "");
	CU_ASSERT_EQUAL(ptn_test_queued(test), 2);
	ptn_test_free(test);
}

static void
test_other_types(void)
{
	static const char *const logins[] = { "user@example.net", "@example.net" };

	for (size_t i = 0; i < 2; i++) {
		PtnTest *test = new_session(logins[i], NULL);

		ASSERT_TEXT(sent_as(test, "", CONTENT), POSTMASTER);
		ASSERT_TEXT(sent_as(test, POSTMASTER, CONTENT), POSTMASTER);
		ptn_test_entry(test, PTN_ACCOUNT, logins[i], "nullsender-rewrite.null-senders", "refuse", NULL);
		CU_ASSERT(is_refused(test, "", CONTENT, "550 5.7.1"));
		ptn_test_free(test);
	}
}

static void
test_multi_recipient(void)
{
	static const char *const configs[] = { NULL, "[plugin nullsender-rewrite]\nnull-senders = keep\n" };

	for (size_t i = 0; i < 2; i++) {
		PtnTest *test = new_session(SERVER, configs[i]);

		(void)ptn_test_say(test, "MAIL FROM:<>");
		(void)ptn_test_say(test, "RCPT TO:<a@example.org>");
		(void)ptn_test_say(test, "RCPT TO:<b@example.org>");
		CU_ASSERT_EQUAL(strncmp(ptn_test_say(test, "DATA"), "550 5.5.3", 9), 0);
		CU_ASSERT_PTR_NOT_NULL(strstr(ptn_test_reply(test), "Multi-recipient bounce"));
		(void)ptn_test_say(test, "RSET");
		(void)ptn_test_say(test, "MAIL FROM:<x@example.net>");
		(void)ptn_test_say(test, "RCPT TO:<a@example.org>");
		(void)ptn_test_say(test, "RCPT TO:<b@example.org>");
		CU_ASSERT_EQUAL(strncmp(ptn_test_say(test, "DATA"), "354", 3), 0);
		CU_ASSERT_EQUAL(ptn_test_queued(test), 0);
		ptn_test_free(test);
	}
}

/* ---- foreign senders ---- */

static void
test_foreign(void)
{
	PtnTest *test = new_session(SERVER, NULL);

	ASSERT_TEXT(sent_as(test, "x@elsewhere.example", CONTENT), POSTMASTER);
	ASSERT_TEXT(sent_as(test, "x@other.example", CONTENT), POSTMASTER); /* another customer's */
	ASSERT_TEXT(sent_as(test, "x@evilexample.net", CONTENT), POSTMASTER);
	ASSERT_TEXT(sent_as(test, "x@example.net.evil.org", CONTENT), POSTMASTER);
	CU_ASSERT_EQUAL(ptn_test_count(test, "plugin.nullsender-rewrite.foreign-senders"), 4);
	ASSERT_TEXT(sent_as(test, "x@example.net", CONTENT), "x@example.net");
	ASSERT_TEXT(sent_as(test, "X@EXAMPLE.net", CONTENT), "X@example.net");
	ASSERT_TEXT(sent_as(test, "x@a.b.example.net", CONTENT), "x@a.b.example.net");
	ASSERT_TEXT(sent_as(test, "Postmaster@Acme.Example", CONTENT), "Postmaster@acme.example");
	CU_ASSERT_EQUAL(ptn_test_count(test, "plugin.nullsender-rewrite.foreign-senders"), 4);
	/* below one of the customer's, but another customer's by name: the nearest decides */
	ptn_test_entry(test, PTN_CUSTOMER, "lodger", "primary", "it@lodger.example", NULL);
	ptn_test_entry(test, PTN_DOMAIN, "lodger.example.net", "customer", "lodger", "mode", "hold", NULL);
	ASSERT_TEXT(sent_as(test, "x@lodger.example.net", CONTENT), POSTMASTER);
	ASSERT_TEXT(sent_as(test, "x@a.lodger.example.net", CONTENT), POSTMASTER);
	ASSERT_TEXT(sent_as(test, "x@lodger2.example.net", CONTENT), "x@lodger2.example.net");
	ptn_test_free(test);
}

static void
test_foreign_choices(void)
{
	PtnTest *test = new_session(SERVER, "[plugin nullsender-rewrite]\nforeign-senders = keep\n");

	ASSERT_TEXT(sent_as(test, "x@elsewhere.example", CONTENT), "x@elsewhere.example");
	ptn_test_entry(test, PTN_CUSTOMER, "acme", "nullsender-rewrite.foreign-senders", "refuse", NULL);
	CU_ASSERT(is_refused(test, "x@elsewhere.example", CONTENT, "553 5.7.1"));
	ASSERT_TEXT(sent_as(test, "x@sub.example.net", CONTENT), "x@sub.example.net");
	ptn_test_entry(test, PTN_ACCOUNT, SERVER, "nullsender-rewrite.foreign-senders", "rewrite", NULL);
	ASSERT_TEXT(sent_as(test, "x@elsewhere.example", CONTENT), POSTMASTER);
	ptn_test_free(test);
}

/* ---- bounces ---- */

static void
check_reports(PtnTest *test, const char *const *contents, bool are_refused)
{
	for (; *contents != NULL; contents++) {
		const char *reply = sent_as(test, "x@example.net", *contents);

		if (strncmp(reply, are_refused ? "550 5.7.1" : "x@example.net", 9) != 0) {
			fprintf(stderr, "\n%s\nis answered %s\n", *contents, reply);
			CU_FAIL("a report");
		}
	}
}

static void
test_reports(void)
{
	static const char *const bounces[] = {
		"From: a@b.example\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=x\r\n\r\n--x\r\n",
		"Content-Type: Multipart/REPORT;\r\n boundary=\"x;y\";\r\n\tReport-Type = \"delivery-status\"\r\n\r\n--x\r\n",
		"Content-Type: multipart/report; boundary=x\r\n\r\n--x\r\n",
		"From: Mail Delivery System <MAILER-DAEMON@mail.example.net>\r\n\r\nreturned\r\n",
		"From: mailer-daemon (Mail Delivery System)\r\n\r\nreturned\r\n",
		"From: \"MAILER-DAEMON\" <x@example.net>\r\n\r\nreturned\r\n",
		"From: a@example.net\r\nX-MS-Exchange-Message-Is-Ndr: \r\n\r\nreturned\r\n", NULL
	};
	static const char *const others[] = {
		"Content-Type: multipart/report; report-type=disposition-notification; boundary=x\r\n\r\n--x\r\n",
		"Content-Type: multipart/report; report-type=feedback-report; boundary=x\r\n\r\n--x\r\n",
		"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: multipart/report\r\n\r\n--x--\r\n",
		"Content-Type: multipart/reports; boundary=x\r\n\r\n--x\r\n",
		"From: not-a-mailer-daemon@example.net\r\n\r\nhello\r\n",
		"From: mailer-daemons@example.net\r\n\r\nhello\r\n",
		"From: a@b.example\r\nSubject: from MAILER-DAEMON\r\n\r\nMAILER-DAEMON@b.example\r\n", NULL
	};
	PtnTest *test = new_session(SERVER, "[plugin nullsender-rewrite]\nbackscatter = refuse\n");

	check_reports(test, bounces, true);
	CU_ASSERT_EQUAL(ptn_test_queued(test), 0);
	CU_ASSERT(is_refused(test, "", bounces[0], "550 5.7.1"));
	check_reports(test, others, false);
	ptn_test_entry(test, PTN_ACCOUNT, SERVER, "nullsender-rewrite.backscatter", "pass", NULL);
	check_reports(test, bounces, false);
	ptn_test_free(test);
}

static const UnitTest tests[] = {
	{ "N-01 a null sender becomes the customer's postmaster", test_null_sender },
	{ "N-02 without a postmaster: the primary address", test_primary },
	{ "N-03 the header stays as it is", test_header_stays },
	{ "N-04 what was submitted stays known to those who copy", test_submitted_is_known },
	{ "N-05, S-17 foreign senders become the postmaster; subdomains and the postmaster are not foreign",
		test_foreign },
	{ "N-05 foreign senders are kept or refused as the nearest setting says", test_foreign_choices },
	{ "N-06 null senders are refused where that is set", test_refuse_null },
	{ "N-07 a null sender with two recipients is 550 5.5.3 at DATA, rewritten or not", test_multi_recipient },
	{ "N-09 reports of failed delivery are refused when the filter is on", test_reports },
	{ "N-10 the same for single-address and any-address accounts", test_other_types },
	{ NULL, NULL },
};

int
main(int argc, char **argv)
{
	static const UnitSuite suite = { "nullsender-rewrite", tests };
	static const UnitSuite *const suites[] = { &suite, NULL };

	return unit_main(argc, argv, suites);
}
