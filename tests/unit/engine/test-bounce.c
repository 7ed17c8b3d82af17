/* test-bounce.c - delivery status notifications, field by field (RFC 3464). */
#include "engine/bounce.h"

#include <string.h>

#include "suites.h"
#include "unit/mail/mail.h"

enum { ID = 1000 };

/* A message with a recipient that failed and one that was not asked about; the report of the first. */
static char *
report(Fixture *fixture, DsnAction action, const char *reply, DsnReturn ret, const char *original)
{
	SpoolTransaction *transaction = spool_transaction_new();
	Content *content = content_new(fixture->spool);
	Envelope *envelope = envelope_new(ID);
	g_autoptr(SpoolMessage) message = NULL;
	g_autoptr(DeliverySettings) settings = delivery_settings_new();
	const DsnRecipient told = { .place = 0, .action = action, .reply = reply, .is_remote = true, .peer = "mx.example.org[192.0.2.1]:25",
		.expires_us = 3000 * CLOCK_SECOND };

	g_free(envelope->sender);
	envelope->sender = g_strdup("a@example.net");
	envelope->envid = g_strdup("QQ+2B1");
	envelope->ret = ret;
	envelope->arrived_us = 1000 * CLOCK_SECOND;
	envelope_add_recipient(envelope, "x@example.org", original, 0);
	content_append(content, "Subject: a\r\n\r\nbody text\r\n", 25);
	spool_transaction_set_content(transaction, content);
	spool_transaction_add(transaction, envelope, NULL);
	CU_ASSERT_EQUAL(spool_commit_wait(fixture->spool, transaction), SPOOL_COMMITTED);
	message = spool_read(fixture->spool, ID, NULL);
	CU_ASSERT_FATAL(message != NULL && spool_read_content(message, NULL));
	settings->hostname = g_strdup("mail.example.net");
	return dsn_write(&(DsnReport){ .message = message, .settings = settings, .recipients = &told, .n = 1, .has_content = true,
		.now_us = 2000 * CLOCK_SECOND }, "ID42");
}

static void
check(DsnAction action, const char *reply, DsnReturn ret, const char *original, const char *const *has, const char *const *lacks)
{
	g_autoptr(Fixture) fixture = fixture_new();
	g_autofree char *text = report(fixture, action, reply, ret, original);

	for (; *has != NULL; has++)
		ASSERT_TEXT(strstr(text, *has) != NULL ? *has : text, *has);
	for (; *lacks != NULL; lacks++)
		ASSERT_TEXT(strstr(text, *lacks) != NULL ? text : NULL, NULL);
	for (const char *c = text; *c != '\0'; c++)
		if ((*c == '\n') != (c > text && c[-1] == '\r'))
			CU_FAIL("a line that does not end with CRLF");
}

static void
test_failed(void)
{
	static const char *const has[] = { "From: Mail Delivery System <MAILER-DAEMON@mail.example.net>\r\n", "To: a@example.net\r\n",
		"Auto-Submitted: auto-replied\r\n", "Content-Type: multipart/report; report-type=delivery-status;\r\n",
		"Content-Type: message/delivery-status\r\n", "Reporting-MTA: dns; mail.example.net\r\n",
		"Original-Envelope-Id: QQ+1\r\n", "Arrival-Date: ", "\r\n\r\nOriginal-Recipient: rfc822;x+y@example.org\r\n",
		"Final-Recipient: rfc822;x@example.org\r\n", "Action: failed\r\n", "Status: 5.1.1\r\n",
		"Remote-MTA: dns; mx.example.org", "Diagnostic-Code: smtp; 550 5.1.1 no such user\r\n", "Last-Attempt-Date: ",
		"Content-Type: message/rfc822\r\n", "body text\r\n", NULL };
	static const char *const lacks[] = { "Will-Retry-Until", NULL };

	check(DSN_FAILED, "550 5.1.1 no such user", RET_NONE, "rfc822;x+2By@example.org", has, lacks);
}

static void
test_headers_only(void)
{
	static const char *const has[] = { "Content-Type: text/rfc822-headers\r\n", "Subject: a\r\n", NULL };
	static const char *const lacks[] = { "body text", "Original-Recipient", NULL };

	check(DSN_FAILED, "550 5.1.1 no such user", RET_HDRS, NULL, has, lacks);
}

static void
test_delayed(void)
{
	static const char *const has[] = { "Action: delayed\r\n", "Status: 4.2.0\r\n", "Will-Retry-Until: ", NULL };
	static const char *const lacks[] = { "body text", NULL };

	check(DSN_DELAYED, "450 4.2.0 later", RET_FULL, NULL, has, lacks);
}

static void
test_delivered(void)
{
	static const char *const has[] = { "Action: delivered\r\n", "Status: 2.0.0\r\n", NULL };
	static const char *const relayed[] = { "Action: relayed\r\n", "Status: 2.0.0\r\n", NULL };
	static const char *const lacks[] = { "body text", NULL };

	check(DSN_DELIVERED, "250 2.0.0 Ok", RET_NONE, NULL, has, lacks);
	check(DSN_RELAYED, "250 2.0.0 Ok", RET_NONE, NULL, relayed, lacks);
}

static void
test_status(void)
{
	static const struct {
		DsnAction action;
		const char *reply, *status;
	} cases[] = { { DSN_FAILED, "550 no code", "Status: 5.0.0\r\n" },
		{ DSN_FAILED, "450 4.2.1 until it expired", "Status: 4.2.1\r\n" },
		{ DSN_FAILED, "550 2.1.1 wrong class", "Status: 5.0.0\r\n" },
		{ DSN_FAILED, "250 2.0.0 of another action", "Status: 5.0.0\r\n" },
		{ DSN_DELAYED, "550 5.1.1 of another action", "Status: 4.0.0\r\n" },
		{ DSN_DELAYED, "5.4.6 of another action", "Status: 4.0.0\r\n" },
		{ DSN_DELIVERED, "450 4.2.1 of another action", "Status: 2.0.0\r\n" },
		{ DSN_RELAYED, "250 2.1.5 its own", "Status: 2.1.5\r\n" },
		{ DSN_FAILED, "5.4.6 our own words", "Status: 5.4.6\r\n" },
		{ DSN_FAILED, "550 5.1.1.1.1.1.1 long", "Status: 5.0.0\r\n" }, { DSN_FAILED, NULL, "Status: 5.0.0\r\n" } };

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		const char *const has[] = { cases[i].status, NULL };
		static const char *const lacks[] = { NULL };

		check(cases[i].action, cases[i].reply, RET_NONE, NULL, has, lacks);
	}
}

static void
test_wanted(void)
{
	static const struct {
		unsigned notify;
		const char *wanted; /* failed, delayed, delivered */
	} cases[] = { { 0, "yyn" }, { NOTIFY_NEVER, "nnn" },
		{ NOTIFY_NEVER | NOTIFY_SUCCESS | NOTIFY_FAILURE | NOTIFY_DELAY, "nnn" }, /* NEVER stands alone, or wins */
		 { NOTIFY_FAILURE, "ynn" }, { NOTIFY_DELAY, "nyn" },
		{ NOTIFY_SUCCESS, "nny" }, { NOTIFY_SUCCESS | NOTIFY_FAILURE | NOTIFY_DELAY, "yyy" } };

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(Envelope) envelope = envelope_new(1);

		envelope_add_recipient(envelope, "x@example.org", NULL, cases[i].notify);
		CU_ASSERT_FALSE(dsn_is_wanted(envelope, 0, DSN_FAILED)); /* from <> */
		g_free(envelope->sender);
		envelope->sender = g_strdup("a@example.net");
		for (int k = 0; k < 3; k++)
			CU_ASSERT_EQUAL(dsn_is_wanted(envelope, 0, (DsnAction)k), cases[i].wanted[k] == 'y');
	}
}

/* ---- several recipients ---- */

enum { RECIPIENTS = 3 };

static const struct {
	const char *address, *original, *reply, *peer, *fields, *line;
} reported[RECIPIENTS] = {
	{ "one@example.org", "rfc822;uno@example.org", "550 5.1.1 nobody", "mx1.example.org[192.0.2.1]:25",
		"\r\n\r\nOriginal-Recipient: rfc822;uno@example.org\r\nFinal-Recipient: rfc822;one@example.org\r\n"
		"Action: failed\r\nStatus: 5.1.1\r\nRemote-MTA: dns; mx1.example.org\r\n"
		"Diagnostic-Code: smtp; 550 5.1.1 nobody\r\nLast-Attempt-Date: ",
		"<one@example.org>: host mx1.example.org[192.0.2.1]:25 said: 550 5.1.1 nobody\r\n" },
	{ "two@example.org", NULL, "5.4.6 a loop", NULL,
		"\r\n\r\nFinal-Recipient: rfc822;two@example.org\r\nAction: failed\r\nStatus: 5.4.6\r\n"
		"Diagnostic-Code: x-postern; 5.4.6 a loop\r\nLast-Attempt-Date: ",
		"<two@example.org>: 5.4.6 a loop\r\n" },
	{ "three@example.org", "rfc822;tres@example.org", "552 full", "mx3.example.org[192.0.2.3]:25",
		"\r\n\r\nOriginal-Recipient: rfc822;tres@example.org\r\nFinal-Recipient: rfc822;three@example.org\r\n"
		"Action: failed\r\nStatus: 5.0.0\r\nRemote-MTA: dns; mx3.example.org\r\n"
		"Diagnostic-Code: smtp; 552 full\r\nLast-Attempt-Date: ",
		"<three@example.org>: host mx3.example.org[192.0.2.3]:25 said: 552 full\r\n" },
};

/* `in_envelope`: who stands where in it; `in_report`: and in the report. */
static char *
report_in_order(Fixture *fixture, const unsigned *in_envelope, const unsigned *in_report, unsigned n)
{
	SpoolTransaction *transaction = spool_transaction_new();
	Content *content = content_new(fixture->spool);
	Envelope *envelope = envelope_new(ID);
	g_autoptr(SpoolMessage) message = NULL;
	g_autoptr(DeliverySettings) settings = delivery_settings_new();
	DsnRecipient recipients[RECIPIENTS] = { 0 };
	unsigned place_of[RECIPIENTS];

	g_free(envelope->sender);
	envelope->sender = g_strdup("a@example.net");
	for (unsigned i = 0; i < RECIPIENTS; i++) {
		place_of[in_envelope[i]] = i;
		envelope_add_recipient(envelope, reported[in_envelope[i]].address, reported[in_envelope[i]].original, 0);
	}
	for (unsigned i = 0; i < n; i++)
		recipients[i] = (DsnRecipient){ .place = place_of[in_report[i]], .action = DSN_FAILED,
			.reply = reported[in_report[i]].reply, .is_remote = reported[in_report[i]].peer != NULL,
			.peer = reported[in_report[i]].peer };
	content_append(content, "Subject: a\r\n\r\nx\r\n", 17);
	spool_transaction_set_content(transaction, content);
	spool_transaction_add(transaction, envelope, NULL);
	CU_ASSERT_EQUAL(spool_commit_wait(fixture->spool, transaction), SPOOL_COMMITTED);
	message = spool_read(fixture->spool, ID, NULL);
	CU_ASSERT_FATAL(message != NULL && spool_read_content(message, NULL));
	settings->hostname = g_strdup("mail.example.net");
	return dsn_write(&(DsnReport){ .message = message, .settings = settings, .recipients = recipients, .n = n,
		.has_content = true, .now_us = 2000 * CLOCK_SECOND }, "ID42");
}

static void
check_order(const unsigned *in_envelope, const unsigned *in_report, unsigned n)
{
	g_autoptr(Fixture) fixture = fixture_new();
	g_autofree char *text = report_in_order(fixture, in_envelope, in_report, n);
	const char *line = text, *fields = text;

	for (unsigned i = 0; i < n; i++) { /* each behind the one before */
		line = strstr(line, reported[in_report[i]].line);
		fields = strstr(fields, reported[in_report[i]].fields);
		CU_ASSERT_FATAL(line != NULL && fields != NULL);
		line++;
		fields++;
	}
	for (unsigned i = n; i < RECIPIENTS; i++)
		CU_ASSERT_PTR_NULL(strstr(text, reported[in_report[i]].address));
}

static void
test_order(void)
{
	static const unsigned orders[][RECIPIENTS] = { { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 }, { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 } };

	for (size_t i = 0; i < G_N_ELEMENTS(orders); i++)
		for (size_t k = 0; k < G_N_ELEMENTS(orders); k++)
			for (unsigned n = 1; n <= RECIPIENTS; n++)
				check_order(orders[i], orders[k], n);
}

static const UnitTest tests[] = {
	{ "Q-08 recipients in every order: each with what became of it", test_order },
	{ "Q-08 a failure: all fields of RFC 3464, and the message", test_failed },
	{ "E-08 RET=HDRS: the header only; no ORCPT, no Original-Recipient", test_headers_only },
	{ "a delay: with the time until which it is tried", test_delayed },
	{ "E-08 delivered and relayed", test_delivered },
	{ "Status is the enhanced code if it fits, else that of its class", test_status },
	{ "Q-08, E-08 who wants to be told; never a null sender", test_wanted },
	{ NULL, NULL },
};

const UnitSuite suite_bounce = { "bounce", tests };
