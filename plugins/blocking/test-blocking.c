/* test-blocking.c - who is blocked, why, and for how long (letter K). */
#include "plugins/blocking/test-blocking.h"

/* Stands for auth: one password. */
static PtnVerdict
check_password(PtnHook *h)
{
	return strcmp(ptn_password(h), "right") == 0 ? ptn_identify(h, ptn_login(h)) : PTN_NEXT;
}

static PtnVerdict
permit(PtnHook *h)
{
	if (ptn_login(h) != NULL)
		ptn_permit(h);
	return PTN_NEXT;
}

static PtnVerdict
judge_sender(PtnHook *h)
{
	if (strncmp(ptn_sender(h), "bad", 3) == 0)
		return ptn_refuse(h, PTN_POLICY, 553, "5.7.1", "not yours");
	if (strncmp(ptn_sender(h), "slow", 4) == 0)
		return ptn_refuse(h, PTN_DNS, 450, "4.1.8", "later");
	if (strncmp(ptn_sender(h), "soon", 4) == 0)
		return ptn_refuse(h, PTN_POLICY, 450, "4.7.1", "later");
	return PTN_NEXT;
}

static PtnVerdict
judge_content(PtnHook *h)
{
	return ptn_header(h, "X-Spam", 0) != NULL ? ptn_refuse(h, PTN_CONTENT, 550, "5.7.1", "spam") : PTN_NEXT;
}

static PtnVerdict
list_client(PtnHook *h)
{
	return strcmp(ptn_client(h), "198.51.100.66") == 0 ? ptn_refuse(h, PTN_POLICY, 554, "5.7.1", "listed")
													   : PTN_NEXT;
}

static const PtnHookRow door_hooks[] = { { PTN_AUTH, check_password, PTN_INLINE },
	{ PTN_MAIL, judge_sender, PTN_INLINE }, { PTN_RCPT, permit, PTN_INLINE },
	{ PTN_MESSAGE, judge_content, PTN_INLINE }, { 0 } };
static const PtnPlugin door = { PTN_HEAD("door"), .version = "1", .summary = "one password", .hooks = door_hooks };
static const PtnHookRow dnsbl_hooks[] = { { PTN_HELO, list_client, PTN_INLINE }, { 0 } };
static const PtnPlugin dnsbl = { PTN_HEAD("dnsbl"), .version = "1", .summary = "lists one", .hooks = dnsbl_hooks };

/* ---- a gateway ---- */

PtnTest *
gateway_new(const char *options)
{
	static const PtnPlugin *const plugins[] = { &ptn_plugin_blocking, &door, &dnsbl, NULL };
	char config[2000];
	PtnTest *test;

	(void)snprintf(config, sizeof config, "[plugin blocking]\n%s", options);
	test = ptn_test_new_chain(plugins, config);
	ptn_test_entry(test, PTN_ACCOUNT, LOGIN, "password", "right", NULL);
	return test;
}

void
gateway_fail_once(PtnTest *test, const char *client, const char *login)
{
	ptn_test_connect(test, client);
	(void)ptn_test_say(test, "EHLO client.example");
	CU_ASSERT_PTR_NOT_NULL(strstr(ptn_test_login(test, login, "wrong"), "535"));
	(void)ptn_test_say(test, "QUIT");
	ptn_test_finish_work(test);
}

void
gateway_fail(PtnTest *test, const char *client, int n)
{
	for (int i = 0; i < n; i++)
		gateway_fail_once(test, client, LOGIN);
}

void
gateway_assert_blocked(PtnTest *test, const char *client, const char *reason)
{
	const char *blocked;

	ptn_test_finish_work(test);
	blocked = ptn_test_blocked(test, client);
	if (reason == NULL)
		ASSERT_TEXT(blocked, NULL);
	else if (blocked == NULL || strstr(blocked, reason) == NULL)
		ASSERT_TEXT(blocked, reason);
}

static void
test_auth_failures(void)
{
	PtnTest *test = gateway_new("auth-failures = 3/10m\n" OTHERS_OFF);

	gateway_fail(test, CLIENT, 2);
	gateway_assert_blocked(test, CLIENT, NULL);
	gateway_fail(test, CLIENT, 1);
	gateway_assert_blocked(test, CLIENT, "blocking: failed authentications (offence 1)");
	gateway_assert_blocked(test, "203.0.113.10", NULL);
	ptn_test_free(test);
}

/* An open session of a client that is blocked ends at its next AUTH or MAIL. */
static void
test_open_session(void)
{
	PtnTest *test = gateway_new("auth-failures = 3/10m\n" OTHERS_OFF);

	ptn_test_connect(test, CLIENT);
	(void)ptn_test_say(test, "EHLO client.example");
	for (int i = 0; i < 3; i++)
		(void)ptn_test_login(test, LOGIN, "wrong");
	gateway_assert_blocked(test, CLIENT, "failed");
	CU_ASSERT_PTR_NOT_NULL(strstr(ptn_test_login(test, LOGIN, "right"), "421 4.7.0"));
	CU_ASSERT_TRUE(ptn_test_is_closed(test));
	ptn_test_free(test);
}

static void
test_times(void)
{
	PtnTest *test = gateway_new("auth-failures = 3/10m\nforever-after = 2\n" OTHERS_OFF);

	gateway_fail(test, CLIENT, 3);
	ptn_test_advance(test, 5 * MINUTE - PTN_SECOND);
	gateway_assert_blocked(test, CLIENT, "offence 1");
	ptn_test_advance(test, 10 * MINUTE + 2 * PTN_SECOND);
	gateway_assert_blocked(test, CLIENT, NULL);
	for (int repeat = 2; repeat <= 3; repeat++) {
		gateway_fail(test, CLIENT, 3);
		ptn_test_advance(test, 59 * MINUTE);
		gateway_assert_blocked(test, CLIENT, repeat == 2 ? "offence 2" : "offence 3");
		ptn_test_advance(test, 23 * 60 * MINUTE + 2 * MINUTE);
		gateway_assert_blocked(test, CLIENT, NULL);
	}
	gateway_fail(test, CLIENT, 3);
	ptn_test_advance(test, 300 * 24 * 60 * MINUTE);
	gateway_assert_blocked(test, CLIENT, "offence 4");
	ptn_test_free(test);
}

/* What was long ago is forgotten: the next block is a first one. */
static void
test_memory(void)
{
	PtnTest *test = gateway_new("auth-failures = 3/10m\n" OTHERS_OFF);

	gateway_fail(test, CLIENT, 3);
	gateway_assert_blocked(test, CLIENT, "offence 1");
	ptn_test_advance(test, 7 * 24 * 60 * MINUTE + MINUTE);
	gateway_fail(test, CLIENT, 3);
	gateway_assert_blocked(test, CLIENT, "offence 1");
	ptn_test_free(test);
}

/* Times and thresholds wander within their ceilings. */
static void
test_chance(void)
{
	PtnTest *test = gateway_new("auth-failures = 8/10m\nfirst = 1m .. 1h\n" OTHERS_OFF);
	int early = 0, least = 100, most = 0;

	for (int i = 0; i < 60; i++) {
		char client[32];
		int n = 0;

		(void)snprintf(client, sizeof client, "203.0.113.%d", i + 1);
		do {
			gateway_fail(test, client, 1);
			n++;
		} while (n < 20 && ptn_test_blocked(test, client) == NULL);
		least = n < least ? n : least;
		most = n > most ? n : most;
	}
	CU_ASSERT_EQUAL(least, 6);
	CU_ASSERT_EQUAL(most, 8);
	ptn_test_advance(test, 20 * MINUTE);
	for (int i = 0; i < 60; i++) {
		char client[32];

		(void)snprintf(client, sizeof client, "203.0.113.%d", i + 1);
		early += ptn_test_blocked(test, client) == NULL;
	}
	CU_ASSERT(early > 3 && early < 50);
	ptn_test_free(test);
}

static void
test_ipv6(void)
{
	PtnTest *test = gateway_new("auth-failures = 3/10m\n" OTHERS_OFF);

	gateway_fail(test, "2001:db8:1:2::1", 1);
	gateway_fail(test, "2001:db8:1:2::2", 1);
	gateway_fail(test, "2001:db8:1:2:ffff::3", 1);
	gateway_assert_blocked(test, "2001:db8:1:2::77", "failed");
	gateway_assert_blocked(test, "2001:db8:1:3::1", NULL);
	ptn_test_free(test);
	test = gateway_new("auth-failures = 3/10m\nipv6-as = /128\n" OTHERS_OFF);
	gateway_fail(test, "2001:db8:1:2::1", 3);
	gateway_assert_blocked(test, "2001:db8:1:2::1", "failed");
	gateway_assert_blocked(test, "2001:db8:1:2::2", NULL);
	ptn_test_free(test);
}

static void
test_never(void)
{
	PtnTest *test = gateway_new("auth-failures = 3/10m\nnever = 203.0.113.0/28 2001:db8::/32\n" OTHERS_OFF);

	gateway_fail(test, CLIENT, 5);
	gateway_fail(test, "2001:db8::1", 5);
	gateway_fail(test, "127.0.0.7", 5); /* `never` adds to [server] monitors */
	gateway_fail(test, "::1", 5);
	gateway_fail(test, "203.0.113.99", 3);
	gateway_assert_blocked(test, CLIENT, NULL);
	gateway_assert_blocked(test, "2001:db8::1", NULL);
	gateway_assert_blocked(test, "127.0.0.7", NULL);
	gateway_assert_blocked(test, "::1", NULL);
	gateway_assert_blocked(test, "203.0.113.99", "failed");
	CU_ASSERT_PTR_NOT_NULL(strstr(ptn_test_command(test, "blocking", "show", "127.0.0.7", NULL),
		"what=never blocked value=yes"));
	CU_ASSERT_PTR_NOT_NULL(
		strstr(ptn_test_command(test, "blocking", "show", CLIENT, NULL), "what=never blocked value=yes"));
	CU_ASSERT_PTR_NOT_NULL(strstr(
		ptn_test_command(test, "blocking", "show", "203.0.113.99", NULL), "what=never blocked value=no"));
	ptn_test_free(test);
}

/* A message accepted after AUTH forgets the failures before it, and shortens no block. */
static void
test_success(void)
{
	PtnTest *test = gateway_new("auth-failures = 3/10m\n" OTHERS_OFF);

	gateway_fail(test, CLIENT, 2);
	ptn_test_connect(test, CLIENT);
	(void)ptn_test_say(test, "EHLO client.example");
	(void)ptn_test_login(test, LOGIN, "right");
	CU_ASSERT_PTR_NOT_NULL(
		strstr(ptn_test_submit(test, LOGIN, "x@example.org", "Subject: a\r\n\r\nb\r\n"), "250"));
	ptn_test_finish_work(test);
	gateway_fail(test, CLIENT, 2);
	gateway_assert_blocked(test, CLIENT, NULL);
	gateway_fail(test, CLIENT, 1);
	gateway_assert_blocked(test, CLIENT, "failed");
	ptn_test_connect(test, CLIENT); /* as a session that was open before the block */
	(void)ptn_test_say(test, "EHLO client.example");
	gateway_assert_blocked(test, CLIENT, "failed");
	ptn_test_free(test);
}

/* ---- K-10: each reason alone ---- */

static void
many_logins(PtnTest *test)
{
	char login[32];

	for (int i = 0; i < 3; i++) {
		(void)snprintf(login, sizeof login, "user%d@example.net", i % 2);
		gateway_fail_once(test, CLIENT, login);
	}
	gateway_assert_blocked(test, CLIENT, NULL); /* two different ones */
	gateway_fail_once(test, CLIENT, "USER2@example.net");
}

static void
listed_client(PtnTest *test)
{
	for (int i = 0; i < 3; i++) {
		ptn_test_connect(test, "198.51.100.66");
		(void)ptn_test_say(test, "EHLO client.example");
	}
}

static void
connections(PtnTest *test)
{
	for (int i = 0; i < 4; i++) {
		ptn_test_connect(test, CLIENT);
		(void)ptn_test_say(test, "EHLO client.example");
	}
}

static void
protocol_errors(PtnTest *test)
{
	for (int i = 0; i < 3; i++) {
		ptn_test_connect(test, CLIENT);
		for (int k = 0; k < 25 && !ptn_test_is_closed(test); k++)
			(void)ptn_test_say(test, "NONSENSE");
	}
}

static void
http(PtnTest *test)
{
	for (int i = 0; i < 3; i++) {
		ptn_test_connect(test, CLIENT);
		(void)ptn_test_say(test, "GET / HTTP/1.1");
	}
}

static void
probes(PtnTest *test)
{
	for (int i = 0; i < 4; i++) {
		ptn_test_connect(test, CLIENT);
		(void)ptn_test_say(test, "EHLO client.example");
		(void)ptn_test_say(test, "QUIT");
	}
}

static void
relay_attempts(PtnTest *test)
{
	for (int i = 0; i < 3; i++) {
		ptn_test_connect(test, CLIENT);
		(void)ptn_test_say(test, "EHLO client.example");
		(void)ptn_test_say(test, "MAIL FROM:<a@example.org>");
	}
}

void
gateway_submit(PtnTest *test, const char *sender, const char *content)
{
	ptn_test_connect(test, CLIENT);
	(void)ptn_test_say(test, "EHLO client.example");
	(void)ptn_test_login(test, LOGIN, "right");
	(void)ptn_test_submit(test, sender, "x@example.org", content);
	ptn_test_finish_work(test);
}

static void
rejects(PtnTest *test)
{
	for (int i = 0; i < 5; i++)
		gateway_submit(test, "slow@example.net", "a\r\n");
	gateway_assert_blocked(test, CLIENT, NULL); /* what may pass by itself counts for nothing */
	for (int i = 0; i < 3; i++)
		gateway_submit(test, "bad@example.net", "a\r\n");
}

static void
content(PtnTest *test)
{
	for (int i = 0; i < 3; i++)
		gateway_submit(test, LOGIN, "X-Spam: yes\r\n\r\na\r\n");
}

static void
test_reasons(void)
{
	static const struct {
		const char *option, *client, *reason;
		void (*misbehave)(PtnTest *test);
	} cases[] = { { "logins", CLIENT, "many logins tried", many_logins },
		{ "listed", "198.51.100.66", "refused as a listed client", listed_client },
		{ "connections", CLIENT, "too many connections", connections },
		{ "errors", CLIENT, "protocol errors", protocol_errors },
		{ "not-smtp", CLIENT, "something else than SMTP", http },
		{ "probes", CLIENT, "without ever authenticating", probes },
		{ "relay-attempts", CLIENT, "tried to relay", relay_attempts },
		{ "rejects", CLIENT, "against the rules", rejects }, { "content", CLIENT, "unwanted content", content } };
	static const char *const all[] = { "auth-failures", "logins", "listed", "connections", "errors", "not-smtp",
		"probes", "relay-attempts", "rejects", "content" };

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char options[1000] = "";
		PtnTest *test;

		for (size_t k = 0; k < sizeof all / sizeof *all; k++) {
			const size_t n = strlen(options);

			(void)snprintf(options + n, sizeof options - n, "%s = %s\n", all[k],
				strcmp(all[k], cases[i].option) == 0 ? "3/10m" : "off");
		}
		test = gateway_new(options);
		cases[i].misbehave(test);
		gateway_assert_blocked(test, cases[i].client, cases[i].reason);
		ptn_test_free(test);
	}
}

/* ---- what good clients do ---- */

#define NARROW \
	"auth-failures = 3/10m\nlogins = 3/10m\nlisted = 3/10m\nconnections = 3/10m\nerrors = 3/10m\nnot-smtp = 3/10m\n" \
	"probes = 3/10m\nrelay-attempts = 3/10m\nrejects = 3/10m\ncontent = 3/10m\n"

/* The first week in production: 467 submissions, one connection each, all of them accepted. */
static void
test_work(void)
{
	PtnTest *test = gateway_new(NARROW);

	for (int i = 0; i < 20; i++)
		gateway_submit(test, LOGIN, "Subject: a\r\n\r\nb\r\n");
	CU_ASSERT_EQUAL(ptn_test_queued(test), 20);
	gateway_assert_blocked(test, CLIENT, NULL);
	for (int i = 0; i < 20; i++) { /* a client that looks whether its password is right */
		ptn_test_connect(test, CLIENT);
		(void)ptn_test_say(test, "EHLO client.example");
		(void)ptn_test_login(test, LOGIN, "right");
	}
	gateway_assert_blocked(test, CLIENT, NULL);
	ptn_test_free(test);
}

/* What may pass by itself counts for nothing, whatever the cause. */
static void
test_temporary(void)
{
	PtnTest *test = gateway_new(NARROW);

	ptn_test_connect(test, CLIENT);
	(void)ptn_test_say(test, "EHLO client.example");
	(void)ptn_test_login(test, LOGIN, "right");
	for (int i = 0; i < 10; i++)
		CU_ASSERT_PTR_NOT_NULL(strstr(ptn_test_say(test, "MAIL FROM:<soon@example.net>"), "450 4.7.1"));
	gateway_assert_blocked(test, CLIENT, NULL);
	(void)ptn_test_say(test, "QUIT");
	ptn_test_free(test);
}

/* A mail server that pipelines: many refusals by rules in one session, then mail that is accepted. */
static void
test_refusals(void)
{
	PtnTest *test = gateway_new("errors = 3/10m\nconnections = 3/10m\nprobes = 3/10m\n");

	for (int session = 0; session < 4; session++) {
		ptn_test_connect(test, CLIENT);
		(void)ptn_test_say(test, "EHLO client.example");
		(void)ptn_test_login(test, LOGIN, "right");
		for (int i = 0; i < 150; i++) {
			static const char burst[] = "MAIL FROM:<slow@example.net>\r\nRCPT TO:<x@example.org>\r\nDATA\r\nRSET\r\n";

			CU_ASSERT_PTR_NOT_NULL(strstr(ptn_test_send(test, burst, sizeof burst - 1), "450 4.1.8"));
		}
		CU_ASSERT_PTR_NOT_NULL(
			strstr(ptn_test_submit(test, LOGIN, "x@example.org", "Subject: a\r\n\r\nb\r\n"), "250"));
	}
	CU_ASSERT_EQUAL(ptn_test_count(test, "event.too-many-errors"), 0);
	gateway_assert_blocked(test, CLIENT, NULL);
	ptn_test_free(test);
}

static void
test_quit(void)
{
	PtnTest *test = gateway_new(NARROW);

	for (int i = 0; i < 20; i++) {
		ptn_test_connect(test, CLIENT);
		(void)ptn_test_say(test, "QUIT");
	}
	gateway_assert_blocked(test, CLIENT, NULL);
	ptn_test_free(test);
}

/* A client with TLS set wrongly begins its handshake where STARTTLS is wanted. */
static void
test_handshake_in_clear(void)
{
	static const char hello[] = "\x16\x03\x01\x00\xc8\x01\x00\n\x00";
	PtnTest *test = gateway_new("errors = 3/10m\nnot-smtp = 3/10m\nprobes = off\nconnections = off\n");

	for (int i = 0; i < 10; i++) {
		ptn_test_connect(test, CLIENT);
		CU_ASSERT_PTR_NOT_NULL(strstr(ptn_test_send(test, hello, sizeof hello - 1), "554 5.7.0"));
		CU_ASSERT_TRUE(ptn_test_is_closed(test));
	}
	CU_ASSERT_EQUAL(ptn_test_count(test, "event.tls-failure"), 10);
	CU_ASSERT_EQUAL(ptn_test_count(test, "event.bare-newline"), 0);
	gateway_assert_blocked(test, CLIENT, NULL);
	ptn_test_free(test);
}

/* Loopback is a monitor unless said otherwise: whatever it does. */
static void
test_monitor(void)
{
	PtnTest *test = gateway_new(NARROW);

	for (int i = 0; i < 20; i++) {
		ptn_test_connect(test, "127.0.0.9");
		(void)ptn_test_say(test, i % 2 == 0 ? "GET / HTTP/1.1" : "EHLO client.example");
		gateway_fail(test, "127.0.0.9", 1);
	}
	gateway_assert_blocked(test, "127.0.0.9", NULL);
	CU_ASSERT_PTR_NOT_NULL(strstr(ptn_test_command(test, "blocking", "show", "127.0.0.9", NULL),
		"what=auth-failures value=0"));
	ptn_test_free(test);
	test = gateway_new(NARROW "[server]\nmonitors = 192.0.2.0/24\n"); /* replaces the default */
	gateway_fail(test, "192.0.2.9", 5);
	gateway_assert_blocked(test, "192.0.2.9", NULL);
	gateway_fail(test, "127.0.0.9", 3);
	gateway_assert_blocked(test, "127.0.0.9", "failed");
	ptn_test_free(test);
}

static void
test_mistakes(void)
{
	static const struct {
		const char *line, *mistake;
	} cases[] = { { "auth-failures = 5", "is not a number and the time" },
		{ "logins = 5/never", "is not a number and the time" }, { "ipv6-as = /12", "is not the length" },
		{ "first = 5", NULL }, { "never = 10.0.0.1/8", "host bits" }, { "probes = off", NULL } };

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char config[100];
		const char *mistake;

		(void)snprintf(config, sizeof config, "[plugin blocking]\n%s\n", cases[i].line);
		mistake = ptn_test_mistake(&ptn_plugin_blocking, config);
		if ((mistake == NULL) != (cases[i].mistake == NULL))
			ASSERT_TEXT(mistake, cases[i].line);
		if (mistake != NULL && cases[i].mistake != NULL && strstr(mistake, cases[i].mistake) == NULL)
			ASSERT_TEXT(mistake, cases[i].mistake);
	}
}

static void
test_commands(void)
{
	PtnTest *test = gateway_new("auth-failures = 3/10m\n" OTHERS_OFF);

	gateway_fail(test, "2001:db8::5", 2);
	CU_ASSERT_PTR_NOT_NULL(strstr(ptn_test_command(test, "blocking", "show", "2001:db8::7", NULL),
		"what=auth-failures value=2 limit=3/10m"));
	CU_ASSERT_PTR_NOT_NULL(
		strstr(ptn_test_command(test, "blocking", "show", "2001:db8::7", NULL), "2001:db8::/64"));
	(void)ptn_test_command(test, "blocking", "forget", "2001:db8::5", NULL);
	gateway_fail(test, "2001:db8::5", 2);
	gateway_assert_blocked(test, "2001:db8::5", NULL);
	CU_ASSERT_PTR_NOT_NULL(strstr(ptn_test_command(test, "blocking", "show", NULL), "error:"));
	ptn_test_free(test);
}

static const UnitTest tests[] = {
	{ "K-01 K-06 failed authentications block the address, and no other", test_auth_failures },
	{ "K-01 open sessions of a blocked client end", test_open_session },
	{ "K-02 K-03 K-04 minutes, then hours, then until it is lifted", test_times },
	{ "K-03 an offence is remembered for a while", test_memory },
	{ "K-07 times and thresholds are left to chance, within their ceilings", test_chance },
	{ "K-06 IPv6 clients count by their prefix", test_ipv6 },
	{ "K-13 networks that are never blocked", test_never },
	{ "K-11 success forgets failures and shortens no block", test_success },
	{ "K-10 each reason alone", test_reasons },
	{ "K-14 logins and accepted mail are no offence, however many connections they come by", test_work },
	{ "temporary refusals count for nothing", test_temporary },
	{ "K-15 refusals by rules are no violations of the protocol", test_refusals },
	{ "K-16 QUIT in reply to the greeting is no offence", test_quit },
	{ "K-16 a TLS handshake where STARTTLS is wanted is no violation of the protocol", test_handshake_in_clear },
	{ "K-16 nothing is counted against monitors", test_monitor },
	{ "K-07 mistakes in the options are named", test_mistakes },
	{ "posternctl blocking show, forget", test_commands },
	{ NULL, NULL },
};

int
main(int argc, char **argv)
{
	static const UnitSuite suite = { "blocking", tests };
	static const UnitSuite *const suites[] = { &suite, &test_threshold, NULL };

	return unit_main(argc, argv, suites);
}
