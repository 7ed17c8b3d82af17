/* test-dnsbl.c - the plugin dnsbl in the test host, behind auth: letter D. */
#include "plugin-test.h"

#include <stdio.h>
#include <string.h>

#include "unit/unit.h"

extern const PtnPlugin ptn_plugin_auth, ptn_plugin_dnsbl;

#define LOGIN "user@example.net"
#define PASSWORD "mypassword"
#define CLIENT "203.0.113.9"
#define REVERSED "9.113.0.203."
#define CLIENT6 "2001:db8::9"
#define REVERSED6 "9.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2."
#define TEST6 ".0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0."
#define KEY "abcdefghijklmnopq1234567zz"
#define XBL "[plugin dnsbl/xbl]\nzone = xbl.example\ncodes = 127.0.0.4-127.0.0.7\n"
#define AUTHBL "[plugin dnsbl/authbl]\nzone = authbl.example\ncodes = 127.0.0.20\n"
#define BLOCKED "554 5.7.1 Service unavailable; Client host [" CLIENT "] blocked using "
#define CONTENT "Subject: a\r\nX-Postern-DNSBL: forged\r\n\r\nb\r\n"

/* A list that behaves: both test entries of both families. */
static void
add_list(PtnTest *test, const char *zone, const char *code)
{
	char name[200];

	(void)snprintf(name, sizeof name, "2.0.0.127.%s", zone);
	ptn_test_dns(test, name, PTN_A, PTN_OK, code, NULL);
	(void)snprintf(name, sizeof name, "2" TEST6 "%s", zone);
	ptn_test_dns(test, name, PTN_A, PTN_OK, code, NULL);
}

static PtnTest *
new_test(const char *config)
{
	static const PtnPlugin *const plugins[] = { &ptn_plugin_auth, &ptn_plugin_dnsbl, NULL };
	PtnTest *test = ptn_test_new_chain(plugins, config);

	ptn_test_entry(test, PTN_ACCOUNT, LOGIN, "password", PASSWORD, NULL);
	add_list(test, "xbl.example", "127.0.0.4");
	add_list(test, "authbl.example", "127.0.0.20");
	return test;
}

/* Greeting and AUTH are never refused; what MAIL is answered in a new session. */
static const char *
mail_from(PtnTest *test, const char *client)
{
	ptn_test_connect(test, client);
	CU_ASSERT_EQUAL(strncmp(ptn_test_reply(test), "220", 3), 0);
	CU_ASSERT_EQUAL(strncmp(ptn_test_login(test, LOGIN, PASSWORD), "235", 3), 0);
	return ptn_test_say(test, "MAIL FROM:<" LOGIN ">");
}

static bool
is_ok(const char *reply)
{
	if (strncmp(reply, "250", 3) == 0)
		return true;
	fprintf(stderr, "\nnot 250: %s\n", reply);
	return false;
}

static int64_t
count(PtnTest *test, const char *metric)
{
	char name[100];

	(void)snprintf(name, sizeof name, "plugin.dnsbl.%s", metric);
	return ptn_test_count(test, name);
}

/* Moves the clock, and waits for the ticks of the plugin, which run on a worker. */
static void
pass(PtnTest *test, int64_t us)
{
	ptn_test_advance(test, us);
	ptn_test_finish_work(test);
}

static void
answer(PtnTest *test, const char *name, const char *code)
{
	ptn_test_dns(test, name, PTN_A, PTN_OK, code, NULL);
}

static void
fail(PtnTest *test, const char *name)
{
	ptn_test_dns(test, name, PTN_A, PTN_UNSURE, NULL);
}

/* ---- listed, and not ---- */

static void
test_xbl(void)
{
	static const char *const codes[] = { "127.0.0.4", "127.0.0.5", "127.0.0.6", "127.0.0.7" };
	PtnTest *test = new_test(XBL AUTHBL);

	for (size_t i = 0; i < 4; i++) {
		answer(test, REVERSED "xbl.example", codes[i]);
		ASSERT_TEXT(mail_from(test, CLIENT), BLOCKED "xbl.example\n");
	}
	ASSERT_TEXT(ptn_test_say(test, "MAIL FROM:<" LOGIN ">"), BLOCKED "xbl.example\n"); /* in the same session */
	CU_ASSERT_EQUAL(ptn_test_queued(test), 0);
	CU_ASSERT_EQUAL(count(test, "listed.xbl"), 4);
	CU_ASSERT_EQUAL(count(test, "listed"), 4);
	CU_ASSERT_TRUE(is_ok(mail_from(test, "203.0.113.8")));
	ptn_test_free(test);
}

static void
test_authbl(void)
{
	PtnTest *test = new_test(XBL AUTHBL);

	answer(test, REVERSED "authbl.example", "127.0.0.20");
	ASSERT_TEXT(mail_from(test, CLIENT), BLOCKED "authbl.example\n");
	ptn_test_free(test);
}

static void
test_without_login(void)
{
	PtnTest *test = new_test(XBL);

	answer(test, REVERSED "xbl.example", "127.0.0.4");
	ptn_test_connect(test, CLIENT);
	CU_ASSERT_EQUAL(strncmp(ptn_test_reply(test), "220", 3), 0);
	CU_ASSERT_EQUAL(strncmp(ptn_test_say(test, "EHLO a.example"), "250", 3), 0);
	CU_ASSERT_EQUAL(strncmp(ptn_test_say(test, "MAIL FROM:<" LOGIN ">"), "530", 3), 0);
	ptn_test_free(test);
}

static void
test_not_listed(void)
{
	PtnTest *test = new_test(XBL AUTHBL);

	CU_ASSERT_TRUE(is_ok(mail_from(test, CLIENT)));
	(void)ptn_test_say(test, "RSET");
	CU_ASSERT_TRUE(is_ok(ptn_test_submit(test, LOGIN, "x@example.org", CONTENT)));
	CU_ASSERT_EQUAL(ptn_test_queued(test), 1);
	CU_ASSERT_PTR_NOT_NULL(strstr(ptn_test_queued_text(test, 0), "X-Postern-DNSBL: forged")); /* nothing here tags */
	ptn_test_free(test);
}

static void
test_other_codes(void)
{
	static const char *const codes[] = { "127.0.0.2", "127.0.0.3", "127.0.0.9", "127.0.0.10", "127.0.0.11", "127.0.0.30",
		"127.0.0.8", "127.0.1.4", "127.0.0.20" };
	PtnTest *test = new_test(XBL);

	for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
		answer(test, REVERSED "xbl.example", codes[i]);
		CU_ASSERT_TRUE(is_ok(mail_from(test, CLIENT)));
	}
	CU_ASSERT_PTR_NULL(ptn_test_alarm(test, "dnsbl.xbl.error"));
	for (size_t i = 0; i < 2; i++) { /* one that counts is enough, wherever it stands */
		static const char *const both[] = { "127.0.0.10", "127.0.0.4" };

		ptn_test_dns(test, REVERSED "xbl.example", PTN_A, PTN_OK, both[i], both[1 - i], NULL);
		ASSERT_TEXT(mail_from(test, CLIENT), BLOCKED "xbl.example\n");
	}
	ptn_test_free(test);
}

static void
test_error_codes(void)
{
	static const char *const codes[] = { "127.255.255.252", "127.255.255.254", "127.255.255.255", "127.255.255.1",
		"192.0.2.1", "128.0.0.4", "0.0.0.0" };
	PtnTest *test = new_test("[plugin dnsbl/any]\nzone = xbl.example\ncodes = 127.0.0.0-127.255.254.255\n");

	for (size_t i = 0; i < 2 * sizeof codes / sizeof codes[0]; i++) { /* before a code that counts, and behind it */
		const char *const both[] = { "127.0.0.4", codes[i / 2] };
		const char *alarm;

		ptn_test_dns(test, REVERSED "xbl.example", PTN_A, PTN_OK, both[i % 2], both[1 - i % 2], NULL);
		CU_ASSERT_TRUE(is_ok(mail_from(test, CLIENT)));
		alarm = ptn_test_alarm(test, "dnsbl.any.error");
		CU_ASSERT_PTR_NOT_NULL_FATAL(alarm);
		CU_ASSERT_PTR_NOT_NULL(strstr(alarm, codes[i / 2]));
		CU_ASSERT_PTR_NOT_NULL(strstr(alarm, "xbl.example"));
	}
	CU_ASSERT_EQUAL(count(test, "error.any"), (int64_t)(2 * sizeof codes / sizeof codes[0]));
	CU_ASSERT_EQUAL(count(test, "listed"), 0);
	CU_ASSERT_TRUE(is_ok(mail_from(test, "203.0.113.8"))); /* a proper answer ends it */
	CU_ASSERT_PTR_NULL(ptn_test_alarm(test, "dnsbl.any.error"));
	ptn_test_free(test);
}

static void
test_failures_pass(void)
{
	PtnTest *test = new_test(XBL AUTHBL);

	fail(test, REVERSED "xbl.example");
	CU_ASSERT_TRUE(is_ok(mail_from(test, CLIENT)));
	CU_ASSERT_EQUAL(count(test, "failed.xbl"), 1);
	answer(test, REVERSED "authbl.example", "127.0.0.20"); /* what the others say counts */
	ASSERT_TEXT(mail_from(test, CLIENT), BLOCKED "authbl.example\n");
	ptn_test_free(test);
}

static void
test_failures_defer(void)
{
	PtnTest *test = new_test("[plugin dnsbl]\non-error = defer\n" XBL);

	fail(test, REVERSED "xbl.example");
	for (int i = 0; i < 12; i++) { /* left out by then */
		CU_ASSERT_EQUAL(strncmp(mail_from(test, CLIENT), "451 4.3.0", 9), 0);
	}
	CU_ASSERT_EQUAL(count(test, "failed.xbl"), 5);
	ptn_test_free(test);
}

static void
test_later_answer_in_a_session(void)
{
	PtnTest *test = new_test(XBL);

	fail(test, REVERSED "xbl.example");
	CU_ASSERT_TRUE(is_ok(mail_from(test, CLIENT)));
	(void)ptn_test_say(test, "RSET");
	answer(test, REVERSED "xbl.example", "127.0.0.4");
	ASSERT_TEXT(ptn_test_say(test, "MAIL FROM:<" LOGIN ">"), BLOCKED "xbl.example\n");
	ptn_test_free(test);
}

static void
test_ipv6(void)
{
	PtnTest *test = new_test(XBL "[plugin dnsbl/four]\nzone = four.example\nipv6 = no\n");

	CU_ASSERT_TRUE(is_ok(mail_from(test, CLIENT6)));
	answer(test, REVERSED6 "four.example", "127.0.0.2");
	CU_ASSERT_TRUE(is_ok(mail_from(test, CLIENT6)));
	answer(test, REVERSED6 "xbl.example", "127.0.0.4");
	ASSERT_TEXT(
		mail_from(test, CLIENT6), "554 5.7.1 Service unavailable; Client host [" CLIENT6 "] blocked using xbl.example\n");
	ptn_test_free(test);
}

static void
test_private_clients(void)
{
	static const struct {
		const char *client, *name;
	} cases[] = { { "127.0.0.9", "9.0.0.127." }, { "10.1.2.3", "3.2.1.10." }, { "192.168.1.1", "1.1.168.192." },
		{ "172.16.0.1", "1.0.16.172." }, { "169.254.0.1", "1.0.254.169." }, { "203.0.113.77", "77.113.0.203." },
		{ "::1", "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0." } };
	PtnTest *test = new_test("[plugin dnsbl]\nexempt = 203.0.113.77/32\n" XBL);

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char name[150];

		(void)snprintf(name, sizeof name, "%sxbl.example", cases[i].name);
		answer(test, name, "127.0.0.4");
		CU_ASSERT_TRUE(is_ok(mail_from(test, cases[i].client)));
	}
	ptn_test_free(test);
}

static void
test_accounts_cannot_bypass(void)
{
	PtnTest *test = new_test(XBL);

	CU_ASSERT_PTR_NOT_NULL(ptn_test_set(test, PTN_ACCOUNT, LOGIN, "dnsbl.mode", "off"));
	CU_ASSERT_PTR_NOT_NULL(ptn_test_set(test, PTN_ACCOUNT, LOGIN, "dnsbl.exempt", CLIENT));
	CU_ASSERT_PTR_NOT_NULL(ptn_test_set(test, PTN_CUSTOMER, "acme", "dnsbl.threshold", "9"));
	answer(test, REVERSED "xbl.example", "127.0.0.4");
	ASSERT_TEXT(mail_from(test, CLIENT), BLOCKED "xbl.example\n");
	ptn_test_free(test);
}

/* ---- items ---- */

static void
test_weights(void)
{
	PtnTest *test = new_test("[plugin dnsbl]\nthreshold = 3\n[plugin dnsbl/a]\nzone = a.example\nweight = 1\naction = defer\n"
		"[plugin dnsbl/b]\nzone = b.example\nweight = 2\n[plugin dnsbl/c]\nzone = c.example\nweight = 9\naction = warn\n"
		"[plugin dnsbl/d]\nzone = d.example\nweight = 3\naction = defer\n");

	answer(test, REVERSED "c.example", "127.0.0.2");
	CU_ASSERT_TRUE(is_ok(mail_from(test, CLIENT)));
	answer(test, REVERSED "b.example", "127.0.0.2");
	CU_ASSERT_TRUE(is_ok(mail_from(test, CLIENT)));
	answer(test, REVERSED "a.example", "127.0.0.2");
	ASSERT_TEXT(mail_from(test, CLIENT), BLOCKED "b.example\n");
	answer(test, "8.113.0.203.d.example", "127.0.0.2");
	ASSERT_TEXT(mail_from(test, "203.0.113.8"),
		"450 4.7.1 Service unavailable; Client host [203.0.113.8] blocked using d.example\n");
	CU_ASSERT_EQUAL(count(test, "listed.c"), 3);
	ptn_test_free(test);
}

static void
test_tag(void)
{
	PtnTest *test = new_test("[plugin dnsbl/a]\nzone = a.example\naction = tag\n");
	const char *text;

	CU_ASSERT_TRUE(is_ok(mail_from(test, CLIENT)));
	(void)ptn_test_say(test, "RSET");
	CU_ASSERT_TRUE(is_ok(ptn_test_submit(test, LOGIN, "x@example.org", CONTENT)));
	CU_ASSERT_PTR_NULL(strstr(ptn_test_queued_text(test, 0), "DNSBL"));
	answer(test, REVERSED "a.example", "127.0.0.2");
	CU_ASSERT_TRUE(is_ok(mail_from(test, CLIENT)));
	(void)ptn_test_say(test, "RSET");
	CU_ASSERT_TRUE(is_ok(ptn_test_submit(test, LOGIN, "x@example.org", CONTENT)));
	text = ptn_test_queued_text(test, 1);
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "X-Postern-DNSBL: [" CLIENT "] listed by a.example (127.0.0.2)\r\n"));
	CU_ASSERT_PTR_NULL(strstr(text, "forged"));
	ptn_test_free(test);
}

static void
test_reasons(void)
{
	PtnTest *test = new_test(XBL "[plugin dnsbl/b]\nzone = b.example\ntext = see https://b.example/?ip=%{client}\n");

	answer(test, REVERSED "xbl.example", "127.0.0.4");
	ptn_test_dns(test, REVERSED "xbl.example", PTN_TXT, PTN_OK, "https://list.example/" CLIENT "\r\n250 x", NULL);
	ASSERT_TEXT(mail_from(test, CLIENT), BLOCKED "xbl.example; https://list.example/" CLIENT "??250 x\n");
	ptn_test_dns(test, REVERSED "xbl.example", PTN_A, PTN_NONE, NULL);
	answer(test, REVERSED "b.example", "127.0.0.2");
	ASSERT_TEXT(mail_from(test, CLIENT), BLOCKED "b.example; see https://b.example/?ip=" CLIENT "\n");
	ptn_test_free(test);
}

static void
test_keys_are_secret(void)
{
	static const struct {
		const char *config, *zone, *shown;
	} cases[] = {
		{ "zone = xbl.dq.example\nkey = short\n", "short.xbl.dq.example", "xbl.dq.example" },
		{ "zone = " KEY ".xbl.dq.example\n", KEY ".xbl.dq.example", "xbl.dq.example" },
		{ "zone = short.xbl.dq.spamhaus.net\n", "short.xbl.dq.spamhaus.net", "xbl.dq.spamhaus.net" },
		{ "zone = xbl.spamhaus.org\n", "xbl.spamhaus.org", "xbl.spamhaus.org" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char config[300], name[200], expected[300], txt[300];
		PtnTest *test;

		(void)snprintf(config, sizeof config, "[plugin dnsbl/x]\n%s", cases[i].config);
		(void)snprintf(name, sizeof name, REVERSED "%s", cases[i].zone);
		(void)snprintf(expected, sizeof expected, BLOCKED "%s\n", cases[i].shown);
		(void)snprintf(txt, sizeof txt, "you asked %s", name);
		test = new_test(config);
		answer(test, name, "127.0.0.2");
		if (strcmp(cases[i].zone, cases[i].shown) != 0)
			ptn_test_dns(test, name, PTN_TXT, PTN_OK, txt, NULL);
		ASSERT_TEXT(mail_from(test, CLIENT), expected);
		answer(test, name, "127.255.255.254");
		CU_ASSERT_TRUE(is_ok(mail_from(test, CLIENT)));
		CU_ASSERT_PTR_NOT_NULL(ptn_test_alarm(test, "dnsbl.x.error"));
		CU_ASSERT_TRUE(strcmp(cases[i].zone, cases[i].shown) == 0 ||
					   strstr(ptn_test_alarm(test, "dnsbl.x.error"), cases[i].zone) == NULL);
		ptn_test_free(test);
	}
}

static void
test_mistakes(void)
{
	static const struct {
		const char *config, *mistake;
	} cases[] = {
		{ XBL AUTHBL, NULL },
		{ "[plugin dnsbl/x]\ncodes = 127.0.0.2\n", "test.conf:1: [plugin dnsbl/x] zone: must be given (domain of the list)" },
		{ "[plugin dnsbl/x]\nzone = x.example\ncode = 127.0.0.2\n",
			"test.conf:3: [plugin dnsbl/x] code: no such option (did you mean \"codes\"?)" },
		{ "[plugin dnsbl/x]\nzone = x.example\ncodes = 127.0.0.4 127.0.0\n",
			"test.conf:3: [plugin dnsbl/x] codes: \"127.0.0\" is neither an address nor a range of them (127.0.0.4-127.0.0.7)" },
		{ "[plugin dnsbl/x]\nzone = x.example\ncodes = 127.0.0.7-127.0.0.4\n",
			"test.conf:3: [plugin dnsbl/x] codes: \"127.0.0.7-127.0.0.4\" ends before it begins" },
		{ "[plugin dnsbl/x]\nzone = x.example\ncodes = 127.255.255.254\n", "test.conf:3: [plugin dnsbl/x] codes: "
			"\"127.255.255.254\": lists answer with 127.0.0.0/8, and mean errors with 127.255.255.0/24" },
		{ "[plugin dnsbl/x]\nzone = x.example\ncodes = 192.0.2.1\n", "test.conf:3: [plugin dnsbl/x] codes: "
			"\"192.0.2.1\": lists answer with 127.0.0.0/8, and mean errors with 127.255.255.0/24" },
		{ "[plugin dnsbl/x]\nzone = secret..x.example\n",
			"test.conf:2: [plugin dnsbl/x] zone: the value is not the domain of a list" },
		{ "[plugin dnsbl/x]\nzone = x.example\nkey = se cret\n",
			"test.conf:3: [plugin dnsbl/x] key: the value cannot be part of a domain name" },
		{ "[plugin dnsbl/x]\nzone = @dqs.xbl\n",
			"test.conf:2: [plugin dnsbl/x] zone: a file is named by its whole path: zone = @/etc/…" },
		{ "[plugin dnsbl/x]\nzone = x.example\naction = discard\n",
			"test.conf:3: [plugin dnsbl/x] action: \"discard\" is none of: reject, defer, tag, warn" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		ASSERT_TEXT(ptn_test_mistake(&ptn_plugin_dnsbl, cases[i].config), cases[i].mistake);
}

/* ---- how the lists do ---- */

static void
test_left_out(void)
{
	PtnTest *test = new_test(XBL AUTHBL);

	fail(test, REVERSED "xbl.example");
	for (int i = 0; i < 4; i++)
		CU_ASSERT_TRUE(is_ok(mail_from(test, CLIENT)));
	CU_ASSERT_TRUE(is_ok(mail_from(test, "203.0.113.8"))); /* an answer in between */
	for (int i = 0; i < 4; i++)
		CU_ASSERT_TRUE(is_ok(mail_from(test, CLIENT)));
	CU_ASSERT_PTR_NULL(ptn_test_alarm(test, "dnsbl.xbl.health"));
	CU_ASSERT_TRUE(is_ok(mail_from(test, CLIENT)));
	CU_ASSERT_PTR_NOT_NULL(ptn_test_alarm(test, "dnsbl.xbl.health"));
	CU_ASSERT_EQUAL(count(test, "failed.xbl"), 9);
	answer(test, "7.113.0.203.xbl.example", "127.0.0.4");
	CU_ASSERT_TRUE(is_ok(mail_from(test, "203.0.113.7"))); /* not asked any more */
	answer(test, "7.113.0.203.authbl.example", "127.0.0.20");
	CU_ASSERT_EQUAL(strncmp(mail_from(test, "203.0.113.7"), "554", 3), 0); /* the other one is */
	ptn_test_free(test);
}

/* Fails until it is left out, with a clock that has run the first self-test by then. */
static PtnTest *
new_left_out(void)
{
	PtnTest *test = new_test(XBL);

	pass(test, PTN_SECOND);
	fail(test, REVERSED "xbl.example");
	for (int i = 0; i < 5; i++)
		CU_ASSERT_TRUE(is_ok(mail_from(test, CLIENT)));
	CU_ASSERT_PTR_NOT_NULL(ptn_test_alarm(test, "dnsbl.xbl.health"));
	return test;
}

/* In its time, though the clock is set back by hours. */
static void
test_comes_back(void)
{
	PtnTest *test = new_left_out();

	answer(test, REVERSED "xbl.example", "127.0.0.4");
	pass(test, 50 * PTN_SECOND);
	CU_ASSERT_TRUE(is_ok(mail_from(test, CLIENT)));
	CU_ASSERT_PTR_NOT_NULL(ptn_test_alarm(test, "dnsbl.xbl.health"));
	pass(test, -5 * 3600 * PTN_SECOND);
	pass(test, 15 * PTN_SECOND);
	CU_ASSERT_PTR_NULL(ptn_test_alarm(test, "dnsbl.xbl.health"));
	ASSERT_TEXT(mail_from(test, CLIENT), BLOCKED "xbl.example\n");
	ptn_test_free(test);
}

static void
test_pause_grows(void)
{
	PtnTest *test = new_left_out();

	fail(test, "2.0.0.127.xbl.example");
	pass(test, 61 * PTN_SECOND);
	CU_ASSERT_EQUAL(count(test, "retried.xbl"), 1);
	for (int i = 0; i < 3; i++) /* too early; a try too many shows in the counts that follow */
		pass(test, 38 * PTN_SECOND);
	CU_ASSERT_EQUAL(count(test, "retried.xbl"), 1);
	pass(test, 10 * PTN_SECOND);
	CU_ASSERT_EQUAL(count(test, "retried.xbl"), 2);
	for (int i = 0; i < 3; i++)
		pass(test, 78 * PTN_SECOND);
	CU_ASSERT_EQUAL(count(test, "retried.xbl"), 2);
	pass(test, 10 * PTN_SECOND);
	CU_ASSERT_EQUAL(count(test, "retried.xbl"), 3);
	CU_ASSERT_EQUAL(count(test, "failed.xbl"), 5);
	CU_ASSERT_PTR_NOT_NULL(ptn_test_alarm(test, "dnsbl.xbl.health"));
	ptn_test_free(test);
}

/* Doubled up to pause-most, 30 minutes, and no further. */
static void
test_pause_is_bounded(void)
{
	static const int64_t pauses[] = { 120, 240, 480, 960, 1800, 1800, 1800 };
	PtnTest *test = new_left_out();

	fail(test, "2.0.0.127.xbl.example");
	pass(test, 61 * PTN_SECOND);
	for (size_t i = 0; i < sizeof pauses / sizeof *pauses; i++) {
		CU_ASSERT_EQUAL(count(test, "retried.xbl"), (int64_t)i + 1);
		pass(test, (pauses[i] - 6) * PTN_SECOND);
		CU_ASSERT_EQUAL(count(test, "retried.xbl"), (int64_t)i + 1);
		pass(test, 10 * PTN_SECOND);
	}
	ptn_test_free(test);
}

static void
test_self_test(void)
{
	PtnTest *test = new_test(XBL "[plugin dnsbl/dead]\nzone = dead.example\n"
		"[plugin dnsbl/all]\nzone = all.example\n[plugin dnsbl/four]\nzone = four.example\n"
		"[plugin dnsbl/only]\nzone = only.example\nipv6 = no\n");

	answer(test, "1.0.0.127.all.example", "127.0.0.2");
	answer(test, REVERSED "all.example", "127.0.0.2");
	add_list(test, "all.example", "127.0.0.2");
	answer(test, "2.0.0.127.four.example", "127.0.0.2");
	answer(test, "2.0.0.127.only.example", "127.0.0.2");
	pass(test, PTN_SECOND);
	CU_ASSERT_PTR_NOT_NULL(ptn_test_alarm(test, "dnsbl.all.health"));
	CU_ASSERT_PTR_NOT_NULL(ptn_test_alarm(test, "dnsbl.dead.health"));
	CU_ASSERT_PTR_NOT_NULL(ptn_test_alarm(test, "dnsbl.four.health"));
	CU_ASSERT_PTR_NOT_NULL(strstr(ptn_test_alarm(test, "dnsbl.all.health"), "lists 127.0.0.1"));
	CU_ASSERT_PTR_NOT_NULL(strstr(ptn_test_alarm(test, "dnsbl.dead.health"), "127.0.0.2"));
	CU_ASSERT_PTR_NOT_NULL(strstr(ptn_test_alarm(test, "dnsbl.four.health"), "::FFFF:7F00:2"));
	CU_ASSERT_PTR_NULL(ptn_test_alarm(test, "dnsbl.xbl.health"));
	CU_ASSERT_PTR_NULL(ptn_test_alarm(test, "dnsbl.only.health"));
	CU_ASSERT_TRUE(is_ok(mail_from(test, CLIENT))); /* who lists all is left out */
	ptn_test_dns(test, "1.0.0.127.all.example", PTN_A, PTN_NONE, NULL);
	pass(test, 301 * PTN_SECOND);
	CU_ASSERT_PTR_NULL(ptn_test_alarm(test, "dnsbl.all.health"));
	ASSERT_TEXT(mail_from(test, CLIENT), BLOCKED "all.example\n");
	ptn_test_free(test);
}

static void
test_self_test_each_hour(void)
{
	PtnTest *test = new_test(XBL);

	pass(test, PTN_SECOND);
	CU_ASSERT_EQUAL(count(test, "tested.xbl"), 1);
	answer(test, "1" TEST6 "xbl.example", "127.0.0.4");
	answer(test, REVERSED "xbl.example", "127.0.0.4");
	pass(test, 3590 * PTN_SECOND);
	CU_ASSERT_EQUAL(count(test, "tested.xbl"), 1);
	CU_ASSERT_PTR_NULL(ptn_test_alarm(test, "dnsbl.xbl.health"));
	pass(test, 20 * PTN_SECOND);
	CU_ASSERT_PTR_NOT_NULL(ptn_test_alarm(test, "dnsbl.xbl.health"));
	CU_ASSERT_TRUE(is_ok(mail_from(test, CLIENT)));
	ptn_test_free(test);
}

static void
test_lists_all_before_the_test(void)
{
	PtnTest *test = new_test(XBL);

	answer(test, "1.0.0.127.xbl.example", "127.0.0.4");
	answer(test, REVERSED "xbl.example", "127.0.0.4");
	CU_ASSERT_TRUE(is_ok(mail_from(test, CLIENT)));
	CU_ASSERT_EQUAL(count(test, "listed"), 0);
	fail(test, "1.0.0.127.xbl.example"); /* who cannot be controlled is not believed, which is a failure */
	CU_ASSERT_TRUE(is_ok(mail_from(test, CLIENT)));
	CU_ASSERT_EQUAL(count(test, "failed.xbl"), 1);
	ptn_test_free(test);
}

static const UnitTest tests[] = {
	{ "D-01, D-03 a client on the XBL is refused, with valid credentials, too", test_xbl },
	{ "D-02, D-03 a client on the AuthBL is refused", test_authbl },
	{ "D-01 greeting, EHLO and the rules before it stay as they are", test_without_login },
	{ "D-04 a client that is not listed: no effect", test_not_listed },
	{ "D-05 codes that do not count: no effect", test_other_codes },
	{ "D-06 error codes and other values: no effect, an alarm that ends by itself", test_error_codes },
	{ "D-07 a list that does not answer lets pass; what others say counts", test_failures_pass },
	{ "D-07 on-error = defer: nobody passes unseen, also while the list is left out", test_failures_defer },
	{ "D-07 a list that did not answer is asked again at the next MAIL", test_later_answer_in_a_session },
	{ "D-08 IPv6 clients in nibbles, unless the list has none", test_ipv6 },
	{ "D-09 loopback, private and exempt clients are not looked up", test_private_clients },
	{ "D-10 account owners cannot bypass", test_accounts_cannot_bypass },
	{ "D-10 weights, threshold, and the severest action", test_weights },
	{ "D-10 a tag, which a client cannot make up", test_tag },
	{ "D-10 the reason: the list's own, or the administrator's", test_reasons },
	{ "D-10 keys are in no reply and no alarm", test_keys_are_secret },
	{ "D-10 mistakes are named with their lines, secrets are not", test_mistakes },
	{ "a list that keeps failing is left out, with an alarm; failures count in a row", test_left_out },
	{ "I-41 a list that was left out comes back by its self-test", test_comes_back },
	{ "a pause grows while the list keeps failing", test_pause_grows },
	{ "a pause does not grow beyond pause-most", test_pause_is_bounded },
	{ "the self-test of RFC 5782 at the start; who lists everything is left out until it does not", test_self_test },
	{ "the self-test each hour, in the form of IPv6, too", test_self_test_each_hour },
	{ "D-06 who lists everything is not believed before the first self-test either", test_lists_all_before_the_test },
	{ NULL, NULL },
};

int
main(int argc, char **argv)
{
	static const UnitSuite suite = { "dnsbl", tests };
	static const UnitSuite *const suites[] = { &suite, NULL };

	return unit_main(argc, argv, suites);
}
