/* test-blocking.c - who is blocked, why, and for how long (letter K). */
#include <stdio.h>
#include <string.h>

#include "plugin-test.h"
#include "unit/unit.h"

extern const PtnPlugin ptn_plugin_blocking;

#define CLIENT "203.0.113.9"
#define LOGIN "user@example.net"
#define MINUTE (60 * PTN_SECOND)
/* A threshold of three is always three: a quarter of it is nothing. */
#define OTHERS_OFF \
	"logins = off\nlisted = off\nconnections = off\nerrors = off\nnot-smtp = off\nprobes = off\n" \
	"relay-attempts = off\nrejects = off\ncontent = off\n"

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

/* ---- a store that does not answer ---- */

static bool store_is_silent;

PtnStatus __real_store_tally_shared(void *store, const char *key, void *tallies, size_t n, int64_t deadline_us);
PtnStatus __wrap_store_tally_shared(void *store, const char *key, void *tallies, size_t n, int64_t deadline_us);
PtnStatus __real_store_get(void *store, const char *key, int64_t deadline_us, char **value, uint64_t *version);
PtnStatus __wrap_store_get(void *store, const char *key, int64_t deadline_us, char **value, uint64_t *version);
PtnStatus __real_store_remove(void *store, const char *key, int64_t deadline_us);
PtnStatus __wrap_store_remove(void *store, const char *key, int64_t deadline_us);
bool __wrap_store_is_local(const void *store);

PtnStatus
__wrap_store_tally_shared(void *store, const char *key, void *tallies, size_t n, int64_t deadline_us)
{
	return store_is_silent ? PTN_UNSURE : __real_store_tally_shared(store, key, tallies, n, deadline_us);
}

PtnStatus
__wrap_store_get(void *store, const char *key, int64_t deadline_us, char **value, uint64_t *version)
{
	return store_is_silent && strncmp(key, "plugin/", 7) == 0
			   ? PTN_UNSURE
			   : __real_store_get(store, key, deadline_us, value, version);
}

PtnStatus
__wrap_store_remove(void *store, const char *key, int64_t deadline_us)
{
	return store_is_silent ? PTN_UNSURE : __real_store_remove(store, key, deadline_us);
}

/* What is not answered by a local store is not tried again. */
bool
__wrap_store_is_local(const void *store)
{
	(void)store;
	return false;
}

/* ---- a gateway ---- */

static PtnTest *
new_test(const char *options)
{
	static const PtnPlugin *const plugins[] = { &ptn_plugin_blocking, &door, &dnsbl, NULL };
	char config[2000];
	PtnTest *test;

	(void)snprintf(config, sizeof config, "[plugin blocking]\n%s", options);
	test = ptn_test_new_chain(plugins, config);
	ptn_test_entry(test, PTN_ACCOUNT, LOGIN, "password", "right", NULL);
	return test;
}

static void
fail_once(PtnTest *test, const char *client, const char *login)
{
	ptn_test_connect(test, client);
	(void)ptn_test_say(test, "EHLO client.example");
	CU_ASSERT_PTR_NOT_NULL(strstr(ptn_test_login(test, login, "wrong"), "535"));
	(void)ptn_test_say(test, "QUIT");
	ptn_test_finish_work(test);
}

static void
fail(PtnTest *test, const char *client, int n)
{
	for (int i = 0; i < n; i++)
		fail_once(test, client, LOGIN);
}

static void
assert_blocked(PtnTest *test, const char *client, const char *reason)
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
	PtnTest *test = new_test("auth-failures = 3/10m\n" OTHERS_OFF);

	fail(test, CLIENT, 2);
	assert_blocked(test, CLIENT, NULL);
	fail(test, CLIENT, 1);
	assert_blocked(test, CLIENT, "blocking: failed authentications (offence 1)");
	assert_blocked(test, "203.0.113.10", NULL);
	ptn_test_free(test);
}

/* An open session of a client that is blocked ends at its next AUTH or MAIL. */
static void
test_open_session(void)
{
	PtnTest *test = new_test("auth-failures = 3/10m\n" OTHERS_OFF);

	ptn_test_connect(test, CLIENT);
	(void)ptn_test_say(test, "EHLO client.example");
	for (int i = 0; i < 3; i++)
		(void)ptn_test_login(test, LOGIN, "wrong");
	assert_blocked(test, CLIENT, "failed");
	CU_ASSERT_PTR_NOT_NULL(strstr(ptn_test_login(test, LOGIN, "right"), "421 4.7.0"));
	CU_ASSERT_TRUE(ptn_test_is_closed(test));
	ptn_test_free(test);
}

static void
test_times(void)
{
	PtnTest *test = new_test("auth-failures = 3/10m\nforever-after = 2\n" OTHERS_OFF);

	fail(test, CLIENT, 3);
	ptn_test_advance(test, 5 * MINUTE - PTN_SECOND);
	assert_blocked(test, CLIENT, "offence 1");
	ptn_test_advance(test, 10 * MINUTE + 2 * PTN_SECOND);
	assert_blocked(test, CLIENT, NULL);
	for (int repeat = 2; repeat <= 3; repeat++) {
		fail(test, CLIENT, 3);
		ptn_test_advance(test, 59 * MINUTE);
		assert_blocked(test, CLIENT, repeat == 2 ? "offence 2" : "offence 3");
		ptn_test_advance(test, 23 * 60 * MINUTE + 2 * MINUTE);
		assert_blocked(test, CLIENT, NULL);
	}
	fail(test, CLIENT, 3);
	ptn_test_advance(test, 300 * 24 * 60 * MINUTE);
	assert_blocked(test, CLIENT, "offence 4");
	ptn_test_free(test);
}

/* A window of a day: the failures that led to a block lead to no second one. */
static void
test_full_threshold(void)
{
	PtnTest *test = new_test("auth-failures = 3/1d\nfirst = 1m\n" OTHERS_OFF);

	fail(test, CLIENT, 3);
	for (int repeat = 2; repeat <= 3; repeat++) {
		assert_blocked(test, CLIENT, repeat == 2 ? "offence 1" : "offence 2");
		ptn_test_advance(test, repeat == 2 ? 2 * MINUTE : 25 * 60 * MINUTE);
		fail(test, CLIENT, 2);
		assert_blocked(test, CLIENT, NULL);
		fail(test, CLIENT, 1);
		assert_blocked(test, CLIENT, repeat == 2 ? "offence 2" : "offence 3");
	}
	ptn_test_free(test);
}

/* What one misdeed brings to its threshold begins again with what blocked. */
static void
test_all_begin_again(void)
{
	PtnTest *test = new_test("auth-failures = 3/1d\nprobes = 4/1d\nlogins = 3/1d\nfirst = 1m\nlisted = off\n"
							 "connections = off\nerrors = off\nnot-smtp = off\nrelay-attempts = off\nrejects = off\n"
							 "content = off\n");

	for (int i = 0; i < 6; i++) { /* more than it needs, all under way at once */
		char login[32];

		(void)snprintf(login, sizeof login, "user%d@example.net", i);
		ptn_test_connect(test, CLIENT);
		(void)ptn_test_say(test, "EHLO client.example");
		(void)ptn_test_login(test, login, "wrong");
	}
	assert_blocked(test, CLIENT, "(offence 1)");
	ptn_test_advance(test, 2 * MINUTE);
	fail_once(test, CLIENT, "another@example.net");
	fail_once(test, CLIENT, "third@example.net");
	assert_blocked(test, CLIENT, NULL);
	fail_once(test, CLIENT, "fourth@example.net");
	assert_blocked(test, CLIENT, "(offence 2)");
	ptn_test_free(test);
}

/* It still blocks by what this node sees, forgets no offence, and needs no fewer failures when the store is back. */
static void
test_store_unsure(void)
{
	PtnTest *test = new_test("auth-failures = 3/1d\nfirst = 1m\nrepeat = 1m\n" OTHERS_OFF);

	fail(test, CLIENT, 2);
	store_is_silent = true;
	fail(test, CLIENT, 1);
	assert_blocked(test, CLIENT, NULL);
	store_is_silent = false;
	fail(test, "203.0.113.77", 1); /* of another key */
	assert_blocked(test, CLIENT, NULL);
	CU_ASSERT_PTR_NOT_NULL(strstr(ptn_test_command(test, "blocking", "show", CLIENT, NULL),
		"what=auth-failures value=3"));
	fail(test, CLIENT, 1);
	assert_blocked(test, CLIENT, "(offence 1)");
	ptn_test_advance(test, 2 * MINUTE);
	fail(test, CLIENT, 3);
	assert_blocked(test, CLIENT, "(offence 2)");
	ptn_test_advance(test, 2 * MINUTE);
	store_is_silent = true;
	fail(test, CLIENT, 3);
	assert_blocked(test, CLIENT, "(offence 1)"); /* what it can tell now */
	ptn_test_advance(test, 20 * MINUTE);
	store_is_silent = false;
	fail(test, CLIENT, 2);
	assert_blocked(test, CLIENT, NULL);
	fail(test, CLIENT, 1);
	assert_blocked(test, CLIENT, "(offence 4)");
	ptn_test_free(test);
}

/* What was long ago is forgotten: the next block is a first one. */
static void
test_memory(void)
{
	PtnTest *test = new_test("auth-failures = 3/10m\n" OTHERS_OFF);

	fail(test, CLIENT, 3);
	assert_blocked(test, CLIENT, "offence 1");
	ptn_test_advance(test, 7 * 24 * 60 * MINUTE + MINUTE);
	fail(test, CLIENT, 3);
	assert_blocked(test, CLIENT, "offence 1");
	ptn_test_free(test);
}

/* Times and thresholds wander within their ceilings. */
static void
test_chance(void)
{
	PtnTest *test = new_test("auth-failures = 8/10m\nfirst = 1m .. 1h\n" OTHERS_OFF);
	int early = 0, least = 100, most = 0;

	for (int i = 0; i < 60; i++) {
		char client[32];
		int n = 0;

		(void)snprintf(client, sizeof client, "203.0.113.%d", i + 1);
		do {
			fail(test, client, 1);
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
	PtnTest *test = new_test("auth-failures = 3/10m\n" OTHERS_OFF);

	fail(test, "2001:db8:1:2::1", 1);
	fail(test, "2001:db8:1:2::2", 1);
	fail(test, "2001:db8:1:2:ffff::3", 1);
	assert_blocked(test, "2001:db8:1:2::77", "failed");
	assert_blocked(test, "2001:db8:1:3::1", NULL);
	ptn_test_free(test);
	test = new_test("auth-failures = 3/10m\nipv6-as = /128\n" OTHERS_OFF);
	fail(test, "2001:db8:1:2::1", 3);
	assert_blocked(test, "2001:db8:1:2::1", "failed");
	assert_blocked(test, "2001:db8:1:2::2", NULL);
	ptn_test_free(test);
}

static void
test_never(void)
{
	PtnTest *test = new_test("auth-failures = 3/10m\nnever = 203.0.113.0/28 2001:db8::/32\n" OTHERS_OFF);

	fail(test, CLIENT, 5);
	fail(test, "2001:db8::1", 5);
	fail(test, "127.0.0.7", 5); /* `never` adds to [server] monitors */
	fail(test, "::1", 5);
	fail(test, "203.0.113.99", 3);
	assert_blocked(test, CLIENT, NULL);
	assert_blocked(test, "2001:db8::1", NULL);
	assert_blocked(test, "127.0.0.7", NULL);
	assert_blocked(test, "::1", NULL);
	assert_blocked(test, "203.0.113.99", "failed");
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
	PtnTest *test = new_test("auth-failures = 3/10m\n" OTHERS_OFF);

	fail(test, CLIENT, 2);
	ptn_test_connect(test, CLIENT);
	(void)ptn_test_say(test, "EHLO client.example");
	(void)ptn_test_login(test, LOGIN, "right");
	CU_ASSERT_PTR_NOT_NULL(
		strstr(ptn_test_submit(test, LOGIN, "x@example.org", "Subject: a\r\n\r\nb\r\n"), "250"));
	ptn_test_finish_work(test);
	fail(test, CLIENT, 2);
	assert_blocked(test, CLIENT, NULL);
	fail(test, CLIENT, 1);
	assert_blocked(test, CLIENT, "failed");
	ptn_test_connect(test, CLIENT); /* as a session that was open before the block */
	(void)ptn_test_say(test, "EHLO client.example");
	assert_blocked(test, CLIENT, "failed");
	ptn_test_free(test);
}

/* ---- K-10: each reason alone ---- */

static void
many_logins(PtnTest *test)
{
	char login[32];

	for (int i = 0; i < 3; i++) {
		(void)snprintf(login, sizeof login, "user%d@example.net", i % 2);
		fail_once(test, CLIENT, login);
	}
	assert_blocked(test, CLIENT, NULL); /* two different ones */
	fail_once(test, CLIENT, "USER2@example.net");
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

static void
submit(PtnTest *test, const char *sender, const char *content)
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
		submit(test, "slow@example.net", "a\r\n");
	assert_blocked(test, CLIENT, NULL); /* what may pass by itself counts for nothing */
	for (int i = 0; i < 3; i++)
		submit(test, "bad@example.net", "a\r\n");
}

static void
content(PtnTest *test)
{
	for (int i = 0; i < 3; i++)
		submit(test, LOGIN, "X-Spam: yes\r\n\r\na\r\n");
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
		test = new_test(options);
		cases[i].misbehave(test);
		assert_blocked(test, cases[i].client, cases[i].reason);
		ptn_test_free(test);
	}
}

/* `on-refusal` changes what the client is told, not what it did. */
static void
test_on_refusal(void)
{
	PtnTest *test = new_test("rejects = 3/10m\nauth-failures = off\nlogins = off\nconnections = off\n");

	ptn_test_entry(test, PTN_ACCOUNT, LOGIN, "on-refusal", "reject", NULL);
	for (int i = 0; i < 5; i++)
		submit(test, "slow@example.net", "a\r\n");
	CU_ASSERT_PTR_NOT_NULL(strstr(ptn_test_reply(test), "550 5.1.8"));
	assert_blocked(test, CLIENT, NULL);
	ptn_test_entry(test, PTN_ACCOUNT, LOGIN, "on-refusal", "defer", NULL);
	for (int i = 0; i < 3; i++)
		submit(test, "bad@example.net", "a\r\n");
	CU_ASSERT_PTR_NOT_NULL(strstr(ptn_test_reply(test), "450 4.7.1"));
	assert_blocked(test, CLIENT, "against the rules");
	ptn_test_free(test);
}

/* ---- what good clients do ---- */

#define NARROW \
	"auth-failures = 3/10m\nlogins = 3/10m\nlisted = 3/10m\nconnections = 3/10m\nerrors = 3/10m\nnot-smtp = 3/10m\n" \
	"probes = 3/10m\nrelay-attempts = 3/10m\nrejects = 3/10m\ncontent = 3/10m\n"

/* The first week in production: 467 submissions, one connection each, all of them accepted. */
static void
test_work(void)
{
	PtnTest *test = new_test(NARROW);

	for (int i = 0; i < 20; i++)
		submit(test, LOGIN, "Subject: a\r\n\r\nb\r\n");
	CU_ASSERT_EQUAL(ptn_test_queued(test), 20);
	assert_blocked(test, CLIENT, NULL);
	for (int i = 0; i < 20; i++) { /* a client that looks whether its password is right */
		ptn_test_connect(test, CLIENT);
		(void)ptn_test_say(test, "EHLO client.example");
		(void)ptn_test_login(test, LOGIN, "right");
	}
	assert_blocked(test, CLIENT, NULL);
	ptn_test_free(test);
}

/* A mail server that pipelines: many refusals by rules in one session, then mail that is accepted. */
static void
test_refusals(void)
{
	PtnTest *test = new_test("errors = 3/10m\nconnections = 3/10m\nprobes = 3/10m\n");

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
	assert_blocked(test, CLIENT, NULL);
	ptn_test_free(test);
}

static void
test_quit(void)
{
	PtnTest *test = new_test(NARROW);

	for (int i = 0; i < 20; i++) {
		ptn_test_connect(test, CLIENT);
		(void)ptn_test_say(test, "QUIT");
	}
	assert_blocked(test, CLIENT, NULL);
	ptn_test_free(test);
}

/* A client with TLS set wrongly begins its handshake where STARTTLS is wanted. */
static void
test_handshake_in_clear(void)
{
	static const char hello[] = "\x16\x03\x01\x00\xc8\x01\x00\n\x00";
	PtnTest *test = new_test("errors = 3/10m\nnot-smtp = 3/10m\nprobes = off\nconnections = off\n");

	for (int i = 0; i < 10; i++) {
		ptn_test_connect(test, CLIENT);
		CU_ASSERT_PTR_NOT_NULL(strstr(ptn_test_send(test, hello, sizeof hello - 1), "554 5.7.0"));
		CU_ASSERT_TRUE(ptn_test_is_closed(test));
	}
	CU_ASSERT_EQUAL(ptn_test_count(test, "event.tls-failure"), 10);
	CU_ASSERT_EQUAL(ptn_test_count(test, "event.bare-newline"), 0);
	assert_blocked(test, CLIENT, NULL);
	ptn_test_free(test);
}

/* Loopback is a monitor unless said otherwise: whatever it does. */
static void
test_monitor(void)
{
	PtnTest *test = new_test(NARROW);

	for (int i = 0; i < 20; i++) {
		ptn_test_connect(test, "127.0.0.9");
		(void)ptn_test_say(test, i % 2 == 0 ? "GET / HTTP/1.1" : "EHLO client.example");
		fail(test, "127.0.0.9", 1);
	}
	assert_blocked(test, "127.0.0.9", NULL);
	CU_ASSERT_PTR_NOT_NULL(strstr(ptn_test_command(test, "blocking", "show", "127.0.0.9", NULL),
		"what=auth-failures value=0"));
	ptn_test_free(test);
	test = new_test(NARROW "[server]\nmonitors = 192.0.2.0/24\n"); /* replaces the default */
	fail(test, "192.0.2.9", 5);
	assert_blocked(test, "192.0.2.9", NULL);
	fail(test, "127.0.0.9", 3);
	assert_blocked(test, "127.0.0.9", "failed");
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
	PtnTest *test = new_test("auth-failures = 3/10m\n" OTHERS_OFF);

	fail(test, "2001:db8::5", 2);
	CU_ASSERT_PTR_NOT_NULL(strstr(ptn_test_command(test, "blocking", "show", "2001:db8::7", NULL),
		"what=auth-failures value=2 limit=3/10m"));
	CU_ASSERT_PTR_NOT_NULL(
		strstr(ptn_test_command(test, "blocking", "show", "2001:db8::7", NULL), "2001:db8::/64"));
	(void)ptn_test_command(test, "blocking", "forget", "2001:db8::5", NULL);
	fail(test, "2001:db8::5", 2);
	assert_blocked(test, "2001:db8::5", NULL);
	CU_ASSERT_PTR_NOT_NULL(strstr(ptn_test_command(test, "blocking", "show", NULL), "error:"));
	ptn_test_free(test);
}

static const UnitTest tests[] = {
	{ "K-01 K-06 failed authentications block the address, and no other", test_auth_failures },
	{ "K-01 open sessions of a blocked client end", test_open_session },
	{ "K-02 K-03 K-04 minutes, then hours, then until it is lifted", test_times },
	{ "K-18 after a block a full threshold is needed again", test_full_threshold },
	{ "K-18 all counters of a client begin again with its block", test_all_begin_again },
	{ "K-18 R-22 a store that does not answer", test_store_unsure },
	{ "K-03 an offence is remembered for a while", test_memory },
	{ "K-07 times and thresholds are left to chance, within their ceilings", test_chance },
	{ "K-06 IPv6 clients count by their prefix", test_ipv6 },
	{ "K-13 networks that are never blocked", test_never },
	{ "K-11 success forgets failures and shortens no block", test_success },
	{ "K-10 each reason alone", test_reasons },
	{ "O-10 K-10 on-refusal changes no count", test_on_refusal },
	{ "K-14 logins and accepted mail are no offence, however many connections they come by", test_work },
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
	static const UnitSuite *const suites[] = { &suite, NULL };

	return unit_main(argc, argv, suites);
}
