/* test-limits.c - how much may be sent (R-11, P-07). */
#include <glib.h>
#include <stdio.h>
#include <string.h>

#include "plugin-test.h"
#include "unit/unit.h"

extern const PtnPlugin ptn_plugin_limits;

#define LOGIN "user@example.net"
#define OTHER "other@example.net"
#define TEXT "Subject: a\r\n\r\nb\r\n"
#define HOUR (3600 * PTN_SECOND)

/* Two copies of each message, as bcc-mirror would make them. */
static PtnVerdict
copy(PtnHook *h)
{
	(void)ptn_copy(h, "", "a@example.org");
	(void)ptn_copy(h, "", "b@example.org");
	return PTN_NEXT;
}

static const PtnHookRow copier_hooks[] = { { PTN_MESSAGE, copy, PTN_INLINE | PTN_LATE }, { 0 } };
static const PtnPlugin copier = { PTN_HEAD("copier"), .version = "1", .summary = "copies", .hooks = copier_hooks };

/* ---- a store that does not answer ---- */

static unsigned silent_call; /* which of the next calls has no answer, from 1; 0: all have */

PtnStatus __real_ptn_store_tally(PtnHook *h, const char *key, PtnTally *tallies, size_t n);
PtnStatus __wrap_ptn_store_tally(PtnHook *h, const char *key, PtnTally *tallies, size_t n);

PtnStatus
__wrap_ptn_store_tally(PtnHook *h, const char *key, PtnTally *tallies, size_t n)
{
	if (silent_call > 0 && --silent_call == 0)
		return PTN_UNSURE;
	return __real_ptn_store_tally(h, key, tallies, n);
}

static PtnTest *
new_test(const char *options, bool with_copies)
{
	const PtnPlugin *const plugins[] = { &ptn_test_door, with_copies ? &copier : &ptn_plugin_limits,
		with_copies ? &ptn_plugin_limits : NULL, NULL };
	char config[1000];
	PtnTest *test;

	(void)snprintf(config, sizeof config, "[level small]\nlimits.messages = 2/1h\n[plugin limits]\n%s", options);
	test = ptn_test_new_chain(plugins, config);
	ptn_test_entry(test, PTN_CUSTOMER, "acme", "alert", "noc@acme.example", NULL);
	ptn_test_entry(test, PTN_ACCOUNT, LOGIN, "password", "mypassword", NULL);
	ptn_test_entry(test, PTN_ACCOUNT, OTHER, "password", "mypassword", NULL);
	return test;
}

static const char *
send_as(PtnTest *test, const char *login, const char *client, const char *recipient)
{
	const char *reply;

	ptn_test_connect(test, client);
	(void)ptn_test_say(test, "EHLO client.example");
	(void)ptn_test_login(test, login, "mypassword");
	reply = ptn_test_submit(test, login, recipient, TEXT);
	ptn_test_finish_work(test);
	return reply;
}

static const char *
send_one(PtnTest *test)
{
	return send_as(test, LOGIN, "192.0.2.1", "x@example.org");
}

static void
expect(const char *reply, const char *start)
{
	if (strncmp(reply, start, strlen(start)) != 0)
		ASSERT_TEXT(reply, start);
}

/* Mail to `recipient` that was queued. */
static size_t
queued_to(PtnTest *test, const char *recipient)
{
	size_t n = 0;

	for (size_t i = 0; i < ptn_test_queued(test); i++)
		n += strcmp(ptn_test_queued_recipient(test, i, 0), recipient) == 0;
	return n;
}

static void
test_messages(void)
{
	PtnTest *test = new_test("messages = 3/1h 5/1d\n", false);

	for (int i = 0; i < 3; i++)
		expect(send_one(test), "250");
	expect(send_one(test), "450 4.7.1 Error: too much mail of account user@example.net: 3 messages per 1h");
	expect(send_as(test, OTHER, "192.0.2.1", "x@example.org"), "250");
	ptn_test_connect(test, "192.0.2.1"); /* known now: told at MAIL */
	(void)ptn_test_say(test, "EHLO client.example");
	(void)ptn_test_login(test, LOGIN, "mypassword");
	expect(ptn_test_say(test, "MAIL FROM:<" LOGIN ">"), "450 4.7.1");
	ptn_test_advance(test, HOUR); /* it resumes in the next period, up to the limit of the day */
	expect(send_one(test), "250");
	expect(send_one(test), "250");
	expect(send_one(test), "450 4.7.1 Error: too much mail of account user@example.net: 5 messages per 1d");
	ptn_test_advance(test, 24 * HOUR);
	expect(send_one(test), "250");
	ptn_test_free(test);
}

static void
test_stolen_password(void)
{
	PtnTest *test = new_test("", false);
	int sent = 0;

	for (int i = 0; i < 300; i++)
		sent += strncmp(send_one(test), "250", 3) == 0;
	CU_ASSERT_EQUAL(sent, 100);
	ptn_test_free(test);
}

static void
test_recipients_and_bytes(void)
{
	PtnTest *test = new_test("recipients = 3/1h\nbytes = 1K/1h\n", false);
	char large[2000];

	ptn_test_connect(test, "192.0.2.1");
	(void)ptn_test_say(test, "EHLO client.example");
	(void)ptn_test_login(test, LOGIN, "mypassword");
	(void)ptn_test_say(test, "MAIL FROM:<" LOGIN ">");
	for (int i = 0; i < 4; i++)
		expect(ptn_test_say(test, i == 0 ? "RCPT TO:<a@example.org>" : "RCPT TO:<b@example.org>"), "250");
	(void)ptn_test_say(test, "DATA");
	expect(ptn_test_send(test, TEXT ".\r\n", strlen(TEXT ".\r\n")), "550 5.7.1 Error: this message alone is more than "
																	"account user@example.net may send: 3 recipients");
	memset(large, 'x', sizeof large);
	memcpy(large, "Subject: a\r\n\r\n", 14);
	memcpy(large + 900, "\r\n", 2);
	(void)snprintf(large + sizeof large - 3, 3, "\r\n");
	ptn_test_connect(test, "192.0.2.1");
	(void)ptn_test_say(test, "EHLO client.example");
	(void)ptn_test_login(test, OTHER, "mypassword");
	expect(ptn_test_submit(test, OTHER, "x@example.org", large),
		"550 5.7.1 Error: this message alone is more than account other@example.net may send: 1024 bytes");
	expect(send_as(test, OTHER, "192.0.2.1", "x@example.org"), "250"); /* the limit is not used up */
	ptn_test_free(test);
}

/* All shares of a message are counted, or none. */
static void
test_scopes(void)
{
	PtnTest *test =
		new_test("customer-messages = 3/1h\nclient-messages = 2/1h\ndomain-recipients = 4/1h\n", false);

	expect(send_as(test, LOGIN, "192.0.2.1", "x@example.org"), "250");
	expect(send_as(test, OTHER, "192.0.2.1", "x@example.org"), "250");
	expect(
		send_as(test, LOGIN, "192.0.2.1", "x@example.org"), "450 4.7.1 Error: too much mail of client 192.0.2.1");
	CU_ASSERT_PTR_NOT_NULL(strstr(ptn_test_command(test, "limits", "usage", "acme", NULL),
		"of=customer who=acme what=messages window=1h used=2 allowed=3 percent=66"));
	expect(send_as(test, LOGIN, "192.0.2.2", "x@example.org"), "250");
	expect(send_as(test, LOGIN, "192.0.2.3", "x@example.org"), "450 4.7.1 Error: too much mail of customer acme");
	ptn_test_free(test);
	test = new_test("domain-recipients = 2/1h\n", false);
	expect(send_as(test, LOGIN, "192.0.2.1", "x@example.org"), "250");
	expect(send_as(test, OTHER, "192.0.2.2", "y@EXAMPLE.org"), "250");
	expect(send_as(test, OTHER, "192.0.2.2", "z@example.org"),
		"450 4.7.1 Error: too much mail of domain example.org");
	expect(send_as(test, OTHER, "192.0.2.2", "z@example.com"), "250");
	ptn_test_free(test);
}

/* A level, a customer and an account may have their own; raised limits hold at once. */
static void
test_places(void)
{
	PtnTest *test = new_test("messages = 1/1h\n", false);

	ptn_test_entry(test, PTN_CUSTOMER, "acme", "level", "small", NULL);
	expect(send_one(test), "250");
	expect(send_one(test), "250");
	expect(send_one(test), "450 4.7.1 Error: too much mail of account user@example.net: 2 messages per 1h");
	ASSERT_TEXT(ptn_test_set(test, PTN_ACCOUNT, LOGIN, "limits.messages", "3/1h"), NULL);
	expect(send_one(test), "250");
	expect(send_one(test), "450");
	ASSERT_TEXT(ptn_test_set(test, PTN_ACCOUNT, LOGIN, "limits.messages", "off"), NULL);
	ASSERT_TEXT(ptn_test_set(test, PTN_ACCOUNT, LOGIN, "limits.at-limit", "refuse"), NULL);
	expect(send_one(test), "250");
	ASSERT_TEXT(ptn_test_set(test, PTN_ACCOUNT, LOGIN, "limits.messages", "1/1d"), NULL);
	expect(send_one(test), "250");
	expect(send_one(test), "550 5.7.1");
	CU_ASSERT_PTR_NOT_NULL(ptn_test_set(test, PTN_ACCOUNT, LOGIN, "limits.messages", "many"));
	ptn_test_free(test);
}

/* Notices are queued by a worker, before or after the message that they are about. */
static size_t
place_of(PtnTest *test, const char *recipient)
{
	size_t i = 0;

	while (i < ptn_test_queued(test) &&
		   strcmp(ptn_test_queued_recipient(test, i, 0), recipient) != 0)
		i++;
	return i;
}

static void
test_hold(void)
{
	static const char *const recipients[] = { "a@example.org", "b@example.org", "c@example.org",
		"d@example.org" };
	PtnTest *test = new_test("messages = 2/1h\nat-limit = hold\n", false);

	for (size_t i = 0; i < 4; i++)
		expect(send_as(test, LOGIN, "192.0.2.1", recipients[i]), "250");
	for (size_t i = 0; i < 4; i++) {
		const size_t place = place_of(test, recipients[i]);

		CU_ASSERT_EQUAL(ptn_test_queued_is_held(test, place), i >= 2);
		CU_ASSERT_EQUAL(ptn_test_queued_note(test, place, "limits.held") != NULL, i >= 2);
	}
	ptn_test_free(test);
}

/* The message that was held for one more to the domain, `i`th of the queue. */
static void
expect_route(PtnTest *test, size_t i, const char *start)
{
	const char *way = ptn_test_route(test, i);

	if (start == NULL ? way != NULL && strstr(way, "limit of") != NULL : way == NULL || strstr(way, start) == NULL)
		ASSERT_TEXT(way, start);
}

/* The limits that hold at acceptance hold at release, too. */
static void
test_release_domains(void)
{
	PtnTest *test = new_test("domain-messages = 1/1h\nat-limit = hold\n", false);

	for (size_t i = 0; i < 3; i++)
		expect(send_as(test, i == 1 ? OTHER : LOGIN, "192.0.2.1", "x@example.org"), "250");
	ptn_test_advance(test, HOUR);
	expect_route(test, 1, NULL);
	expect_route(test, 1, NULL); /* counted once */
	expect_route(test, 2, "limit of domain example.org: 1 messages per 1h");
	ptn_test_advance(test, HOUR);
	expect_route(test, 2, NULL);
	ptn_test_advance(test, 9 * 24 * HOUR);
	expect(send_one(test), "250");
	expect_route(test, 2, NULL);
	expect_route(test, 3, NULL); /* an attempt after nine days was not counted again */
	ptn_test_free(test);
}

/* Before its hold ends it is the operator who releases it: it goes, and is counted. */
static void
test_release_early(void)
{
	PtnTest *test = new_test("messages = 1/1h\nat-limit = hold\n", false);

	expect(send_one(test), "250");
	expect(send_as(test, LOGIN, "192.0.2.1", "one@example.org"), "250");
	expect_route(test, place_of(test, "one@example.org"), NULL);
	CU_ASSERT_PTR_NOT_NULL(strstr(ptn_test_command(test, "limits", "usage", LOGIN, NULL), "used=2 allowed=1"));
	expect(send_as(test, LOGIN, "192.0.2.1", "two@example.org"), "250");
	ptn_test_advance(test, HOUR);
	expect(send_one(test), "250");
	expect_route(test, place_of(test, "two@example.org"), "limit of account user@example.net: 1 messages per 1h");
	expect_route(test, place_of(test, "two@example.org"), NULL); /* its new hold was ended, too */
	expect(send_as(test, LOGIN, "192.0.2.1", "three@example.org"), "250");
	silent_call = 1; /* of the store, which cannot count it */
	expect_route(test, place_of(test, "three@example.org"), NULL);
	CU_ASSERT_EQUAL(silent_call, 0);
	ptn_test_free(test);
}

static void
test_hold_copies(void)
{
	PtnTest *test = new_test("messages = 1/1h\nat-limit = hold\n", true);
	size_t copies = 0, original;

	expect(send_one(test), "250");
	expect(send_as(test, LOGIN, "192.0.2.1", "held@example.org"), "250");
	original = place_of(test, "held@example.org");
	ptn_test_advance(test, HOUR);
	expect(send_one(test), "250");
	for (size_t i = 0; i < ptn_test_queued(test); i++)
		if (ptn_test_queued_is_held(test, i) && i != original) {
			copies++;
			expect_route(test, i, "which is held");
		}
	CU_ASSERT_EQUAL(copies, 2);
	expect_route(test, original, "limit of account");
	ptn_test_advance(test, HOUR);
	expect_route(test, original, NULL);
	for (size_t i = 0; i < ptn_test_queued(test); i++)
		if (ptn_test_queued_is_held(test, i))
			CU_ASSERT_PTR_NULL(strstr(ptn_test_route(test, i), "which is held"));
	ptn_test_free(test);
}

/* It would wait for ever; where the limit was lowered later, it goes alone. */
static void
test_too_large(void)
{
	PtnTest *test = new_test("recipients = 2/1h\nat-limit = hold\n", false);

	ptn_test_connect(test, "192.0.2.1");
	(void)ptn_test_say(test, "EHLO client.example");
	(void)ptn_test_login(test, LOGIN, "mypassword");
	(void)ptn_test_say(test, "MAIL FROM:<" LOGIN ">");
	for (int i = 0; i < 3; i++)
		(void)ptn_test_say(test, "RCPT TO:<a@example.org>");
	(void)ptn_test_say(test, "DATA");
	expect(ptn_test_send(test, TEXT ".\r\n", strlen(TEXT ".\r\n")), "550 5.7.1");
	CU_ASSERT_EQUAL(ptn_test_queued(test), 0);
	expect(send_one(test), "250");
	expect(send_one(test), "250");
	(void)ptn_test_say(test, "MAIL FROM:<" LOGIN ">");
	for (int i = 0; i < 2; i++)
		(void)ptn_test_say(test, "RCPT TO:<a@example.org>");
	(void)ptn_test_say(test, "DATA");
	expect(ptn_test_send(test, TEXT ".\r\n", strlen(TEXT ".\r\n")), "250");
	ASSERT_TEXT(ptn_test_set(test, PTN_ACCOUNT, LOGIN, "limits.recipients", "1/1h"), NULL);
	ptn_test_advance(test, HOUR);
	expect_route(test, 2, NULL);
	ptn_test_free(test);
}

static void
test_copies(void)
{
	PtnTest *test = new_test("", true);
	const char *usage;
	char expected[100];

	expect(send_one(test), "250");
	usage = ptn_test_command(test, "limits", "usage", LOGIN, NULL);
	(void)snprintf(expected, sizeof expected, "what=bytes window=1d used=%zu ", 3 * strlen(TEXT));
	if (strstr(usage, expected) == NULL)
		ASSERT_TEXT(usage, expected);
	CU_ASSERT_PTR_NOT_NULL(strstr(usage, "what=messages window=1h used=1 allowed=100 percent=1"));
	ptn_test_free(test);
}

static void
test_notices(void)
{
	PtnTest *test = new_test("messages = 10/1h\n", false);

	for (int i = 0; i < 7; i++)
		(void)send_one(test);
	CU_ASSERT_EQUAL(queued_to(test, "noc@acme.example"), 0);
	(void)send_one(test);
	CU_ASSERT_EQUAL(queued_to(test, "noc@acme.example"), 1);
	for (int i = 0; i < 5; i++)
		(void)send_one(test);
	CU_ASSERT_EQUAL(queued_to(test, "noc@acme.example"), 2);
	ptn_test_advance(test, 2 * HOUR);
	for (int i = 0; i < 12; i++)
		(void)send_one(test);
	CU_ASSERT_EQUAL(queued_to(test, "noc@acme.example"), 2); /* once a day */
	ptn_test_advance(test, 24 * HOUR);
	for (int i = 0; i < 8; i++)
		(void)send_one(test);
	CU_ASSERT_EQUAL(queued_to(test, "noc@acme.example"), 3);
	for (size_t i = 0; i < ptn_test_queued(test); i++)
		if (strcmp(ptn_test_queued_recipient(test, i, 0), "noc@acme.example") == 0)
			CU_ASSERT_PTR_NOT_NULL(strstr(ptn_test_queued_text(test, i), "used by account user@example.net"));
	ptn_test_free(test);
}

/* In a window of a week the notice is not repeated either: by then the day of one notice is over. */
static void
test_notice_of_a_long_window(void)
{
	PtnTest *test = new_test("messages = 10/7d\n", false);
	size_t sent = 0;

	while (queued_to(test, "noc@acme.example") == 0 && sent < 10) {
		(void)send_one(test);
		sent++;
	}
	CU_ASSERT_EQUAL(sent, 8);
	ptn_test_advance(test, 25 * HOUR);
	expect(send_one(test), "250");
	CU_ASSERT_PTR_NOT_NULL(strstr(ptn_test_command(test, "limits", "usage", LOGIN, NULL), "window=7d used=9 allowed=10"));
	CU_ASSERT_EQUAL(queued_to(test, "noc@acme.example"), 1);
	ptn_test_free(test);
}

/* Windows are aligned to 1970: the clock of the test begins 800 s behind the hour. */
static void
test_ends_of_windows(void)
{
	PtnTest *test = new_test("messages = 1/1h\nat-limit = hold\n", false);

	expect(send_one(test), "250");
	expect(send_as(test, LOGIN, "192.0.2.1", "held@example.org"), "250");
	ASSERT_TEXT(ptn_test_queued_note(test, place_of(test, "held@example.org"), "held-until"), "1790002800000000");
	ptn_test_free(test);
	test = new_test("messages = 1/1h\n", false);
	ptn_test_advance(test, (2800 - 2) * PTN_SECOND);
	expect(send_one(test), "250");
	expect(send_one(test), "450");
	ptn_test_advance(test, 3 * PTN_SECOND); /* what is known of a limit ends with its window, too */
	ptn_test_connect(test, "192.0.2.1");
	(void)ptn_test_say(test, "EHLO client.example");
	(void)ptn_test_login(test, LOGIN, "mypassword");
	expect(ptn_test_say(test, "MAIL FROM:<" LOGIN ">"), "250");
	ptn_test_free(test);
}

/* The store falls silent between the counters of one message: none of them has it. */
static void
test_silent_store(void)
{
	for (unsigned call = 1; call <= 3; call++) {
		PtnTest *test = new_test("messages = 5/1h\ncustomer-messages = 5/1h\nclient-messages = 5/1h\nwhen-away = defer\n", false);
		const char *usage;

		silent_call = call;
		expect(send_one(test), "451 4.3.0 Error: mail cannot be counted now, try again later");
		CU_ASSERT_EQUAL(silent_call, 0);
		CU_ASSERT_EQUAL(ptn_test_queued(test), 0);
		expect(send_one(test), "250");
		usage = ptn_test_command(test, "limits", "usage", "acme", NULL);
		CU_ASSERT_PTR_NOT_NULL(strstr(usage, "of=customer who=acme what=messages window=1h used=1 "));
		CU_ASSERT_PTR_NOT_NULL(strstr(usage, "who=user@example.net what=messages window=1h used=1 "));
		ptn_test_free(test);
	}
}

/* ---- order ---- */

/* What was used of `who`'s limits, as `usage` of the customer shows it. */
static void
expect_used(PtnTest *test, const char *part)
{
	const char *usage = ptn_test_command(test, "limits", "usage", LOGIN, NULL);

	if (strstr(usage, part) == NULL)
		ASSERT_TEXT(usage, part);
}

/* Neither the order of windows nor that of kinds decides: the first limit that is reached does. */
static void
test_order_of_windows(void)
{
	static const char *const windows[] = { "3/1h 5/1d 6/7d", "3/1h 6/7d 5/1d", "5/1d 3/1h 6/7d", "5/1d 6/7d 3/1h",
		"6/7d 3/1h 5/1d", "6/7d 5/1d 3/1h" };

	for (size_t i = 0; i < G_N_ELEMENTS(windows); i++) {
		g_autofree char *options = g_strdup_printf("messages = %s\n", windows[i]);
		PtnTest *test = new_test(options, false);

		for (int k = 0; k < 3; k++)
			expect(send_one(test), "250");
		expect(send_one(test), "450 4.7.1 Error: too much mail of account user@example.net: 3 messages per 1h");
		ptn_test_advance(test, HOUR);
		for (int k = 0; k < 2; k++)
			expect(send_one(test), "250");
		expect(send_one(test), "450 4.7.1 Error: too much mail of account user@example.net: 5 messages per 1d");
		ptn_test_advance(test, 24 * HOUR);
		expect(send_one(test), "250");
		expect(send_one(test), "450 4.7.1 Error: too much mail of account user@example.net: 6 messages per 7d");
		expect_used(test, "what=messages window=7d used=6 allowed=6");
		ptn_test_free(test);
	}
}

static const char *
send_to(PtnTest *test, const char *const *recipients, size_t n)
{
	ptn_test_connect(test, "192.0.2.1");
	(void)ptn_test_say(test, "EHLO client.example");
	(void)ptn_test_login(test, LOGIN, "mypassword");
	(void)ptn_test_say(test, "MAIL FROM:<" LOGIN ">");
	for (size_t i = 0; i < n; i++) {
		g_autofree char *line = g_strdup_printf("RCPT TO:<%s>", recipients[i]);

		expect(ptn_test_say(test, line), "250");
	}
	(void)ptn_test_say(test, "DATA");
	return ptn_test_send(test, TEXT ".\r\n", strlen(TEXT ".\r\n"));
}

/* Each domain is counted with its recipients, in whatever order and letter case they are named. */
static void
test_order_of_recipients(void)
{
	static const char *const orders[][3] = { { "a@one.example", "b@ONE.example", "c@two.example" },
		{ "a@one.example", "c@two.example", "b@ONE.example" }, { "c@two.example", "b@ONE.example", "a@one.example" } };

	for (size_t i = 0; i < G_N_ELEMENTS(orders); i++) {
		PtnTest *test = new_test("domain-recipients = 3/1h\ndomain-messages = 2/1h\n", false);
		static const char *const one[] = { "d@one.example" }, *const two[] = { "d@two.example" };

		expect(send_to(test, orders[i], 3), "250");
		expect(send_to(test, one, 1), "250");
		expect(send_to(test, one, 1), "450 4.7.1 Error: too much mail of domain one.example: ");
		expect(send_to(test, two, 1), "250");
		expect(send_to(test, two, 1), "450 4.7.1 Error: too much mail of domain two.example: 2 messages per 1h");
		ptn_test_free(test);
		test = new_test("domain-recipients = 1/1h\n", false);
		expect(send_to(test, orders[i], 3),
			"550 5.7.1 Error: this message alone is more than domain one.example may send: 1 recipients");
		expect(send_to(test, two, 1), "250"); /* nothing of it was counted */
		ptn_test_free(test);
	}
}

static void
test_usage(void)
{
	PtnTest *test = new_test("messages = 10/1h\nrecipients = off\nbytes = off\n", false);
	const char *usage;

	(void)send_one(test);
	(void)send_as(test, OTHER, "192.0.2.1", "x@example.org");
	(void)send_as(test, OTHER, "192.0.2.1", "x@example.org");
	usage = ptn_test_command(test, "limits", "usage", "acme", NULL);
	CU_ASSERT_PTR_NOT_NULL(strstr(usage, "of=customer who=acme"));
	CU_ASSERT_PTR_NOT_NULL(strstr(usage, "not limited"));
	CU_ASSERT_PTR_NOT_NULL(
		strstr(usage, "who=user@example.net what=messages window=1h used=1 allowed=10 percent=10"));
	CU_ASSERT_PTR_NOT_NULL(
		strstr(usage, "who=other@example.net what=messages window=1h used=2 allowed=10 percent=20"));
	CU_ASSERT_PTR_NOT_NULL(strstr(ptn_test_command(test, "limits", "usage", "nobody", NULL), "error:"));
	ptn_test_free(test);
}

static const UnitTest tests[] = {
	{ "R-11 messages of an account, over two windows", test_messages },
	{ "R-11 a stolen password sends a hundred messages", test_stolen_password },
	{ "R-11 recipients and octets", test_recipients_and_bytes },
	{ "R-11 customers, clients and recipient domains; all are counted, or none", test_scopes },
	{ "R-11 levels, customers and accounts have limits of their own, in force at once", test_places },
	{ "R-11 at-limit = hold", test_hold },
	{ "R-34 limits of domains hold at release, and a message is counted once", test_release_domains },
	{ "R-35 what the operator releases goes", test_release_early },
	{ "R-36 copies go behind their original", test_hold_copies },
	{ "R-37 a message that exceeds a limit by itself is refused", test_too_large },
	{ "B-14 copies are counted", test_copies },
	{ "R-11 the customer is told at 80 and at 100 percent, once a day", test_notices },
	{ "R-11 the notice is not repeated within a longer window", test_notice_of_a_long_window },
	{ "R-11 when windows end", test_ends_of_windows },
	{ "R-11 a store that falls silent between the counters of a message", test_silent_store },
	{ "R-11 the order of windows does not matter", test_order_of_windows },
	{ "R-11 the order and the letter case of recipients do not matter", test_order_of_recipients },
	{ "P-07 what was used of what is allowed", test_usage },
	{ NULL, NULL },
};

int
main(int argc, char **argv)
{
	static const UnitSuite suite = { "limits", tests };
	static const UnitSuite *const suites[] = { &suite, NULL };

	return unit_main(argc, argv, suites);
}
