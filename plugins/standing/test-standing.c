/* test-standing.c - counters, shares and what follows (R-12, V-17). */
#include "plugins/standing/test-standing.h"

extern const PtnPlugin ptn_plugin_standing;

/* ---- who refuses ---- */

/* In place of the plugin of that name: what counts is who refused, and why. */
static PtnVerdict
verify(PtnHook *h)
{
	if (strcmp(ptn_sender(h), "bad@example.net") == 0)
		return ptn_refuse(h, PTN_POLICY, 450, "4.1.7", "undeliverable address: no such user");
	if (strcmp(ptn_sender(h), "slow@example.net") == 0)
		return ptn_refuse(h, PTN_REMOTE, 450, "4.1.7", "verification in progress");
	return PTN_NEXT;
}

static const PtnHookRow verify_hooks[] = { { PTN_MAIL, verify, PTN_INLINE }, { 0 } };
static const PtnPlugin verifier = { PTN_HEAD("senderverify"), .version = "1", .summary = "-",
	.hooks = verify_hooks };

static PtnVerdict
pick_recipient(PtnHook *h)
{
	const char *recipient = ptn_recipient(h, PTN_THIS);

	if (g_str_has_prefix(recipient, "no-"))
		return ptn_refuse(h, PTN_POLICY, 550, "5.7.1", "<%s>: not there", recipient);
	if (g_str_has_prefix(recipient, "never@"))
		return ptn_refuse(h, PTN_POLICY, 550, "5.7.1", "not from you");
	if (g_str_has_prefix(recipient, "later@"))
		return ptn_refuse(h, PTN_POLICY, 450, "4.7.1", "later");
	if (g_str_has_prefix(recipient, "much@"))
		return ptn_refuse(h, PTN_RATE, 550, "5.7.1", "too much mail");
	return PTN_NEXT;
}

static PtnVerdict
copy(PtnHook *h)
{
	if (ptn_login(h) != NULL)
		(void)ptn_copy(h, "", "copy@example.org");
	return PTN_NEXT;
}

static const PtnHookRow picky_hooks[] = { { PTN_RCPT, pick_recipient, PTN_INLINE },
	{ PTN_MESSAGE, copy, PTN_INLINE | PTN_LATE }, { 0 } };
static const PtnPlugin picky = { PTN_HEAD("picky"), .version = "1", .summary = "refuses and copies",
	.hooks = picky_hooks };

/* ---- a directory that fails ---- */

static bool directory_is_away;
static unsigned conflicts; /* so many times somebody else is first there */

PtnStatus __real_directory_find(
	void *directory, PtnKind kind, const char *name, int64_t deadline_us, void **entry);
PtnStatus __wrap_directory_find(
	void *directory, PtnKind kind, const char *name, int64_t deadline_us, void **entry);
PtnStatus __real_directory_save(void *directory, void *entry, void *actor, int64_t deadline_us);
PtnStatus __wrap_directory_save(void *directory, void *entry, void *actor, int64_t deadline_us);

PtnStatus
__wrap_directory_find(void *directory, PtnKind kind, const char *name, int64_t deadline_us, void **entry)
{
	return directory_is_away ? PTN_UNSURE : __real_directory_find(directory, kind, name, deadline_us, entry);
}

PtnStatus
__wrap_directory_save(void *directory, void *entry, void *actor, int64_t deadline_us)
{
	if (conflicts == 0)
		return __real_directory_save(directory, entry, actor, deadline_us);
	conflicts--;
	return PTN_TAKEN;
}

/* ---- a gateway ---- */

PtnTest *
gateway_new(const char *options)
{
	static const PtnPlugin *const plugins[] = { &ptn_test_door, &verifier, &picky, &ptn_plugin_standing, NULL };
	char config[1000];
	PtnTest *t;

	(void)snprintf(config, sizeof config,
		"[level free]\nstanding.least = 2\n[plugin standing]\naddress = " FBL "\nsecret = " SECRET "\n"
		"reporters = 203.0.113.0/25 203.0.113.128/25 2001:db8::/32\n%s",
		options);
	t = ptn_test_new_chain(plugins, config);
	ptn_test_entry(t, PTN_CUSTOMER, "acme", "alert", "noc@acme.example", NULL);
	ptn_test_entry(t, PTN_ACCOUNT, LOGIN, "password", "mypassword", NULL);
	ptn_test_entry(t, PTN_ACCOUNT, OTHER, "password", "mypassword", NULL);
	return t;
}

const char *
gateway_login(PtnTest *t, const char *login)
{
	ptn_test_inbound(t, false);
	ptn_test_connect(t, "192.0.2.1");
	(void)ptn_test_say(t, "EHLO client.example");
	return ptn_test_login(t, login, "mypassword");
}

const char *
gateway_try(PtnTest *t, const char *sender, const char *recipient, const char *content)
{
	ASSERT_STARTS(gateway_login(t, LOGIN), "235");
	return ptn_test_submit(t, sender, recipient, content);
}

void
gateway_submit(PtnTest *t)
{
	ASSERT_STARTS(gateway_try(t, LOGIN, "friend@example.org", TEXT), "250");
}

bool
gateway_is_disabled(PtnTest *t, const char *login)
{
	ptn_test_finish_work(t);
	return g_strcmp0(ptn_test_get(t, PTN_ACCOUNT, login, "enabled"), "no") == 0;
}

size_t
gateway_count(PtnTest *t, const char *recipient)
{
	size_t n = 0;

	ptn_test_finish_work(t);
	for (size_t i = 0; i < ptn_test_queued(t); i++)
		n += strcmp(ptn_test_queued_recipient(t, i, 0), recipient) == 0;
	return n;
}

size_t
gateway_last(PtnTest *t, const char *recipient)
{
	for (size_t i = ptn_test_queued(t); i-- > 0;)
		if (strcmp(ptn_test_queued_recipient(t, i, 0), recipient) == 0)
			return i;
	CU_FAIL_FATAL("there is no message to that recipient");
	return 0;
}

const char *
gateway_first(const char *text, size_t n)
{
	static char kept[300];

	(void)snprintf(kept, sizeof kept, "%.*s", (int)n, text != NULL ? text : "(none)");
	return kept;
}

void
gateway_assert_says(const char *text, const char *part)
{
	if (text == NULL || strstr(text, part) == NULL)
		ASSERT_TEXT(text, part);
}

static const char *
shown(PtnTest *t)
{
	ptn_test_finish_work(t);
	return ptn_test_command(t, "standing", "show", LOGIN, NULL);
}

/* ---- counters ---- */

static void
test_errors(void)
{
	PtnTest *t = gateway_new("least = 10\nmost-errors = 50\n");

	for (int i = 0; i < 5; i++)
		gateway_submit(t);
	for (int i = 0; i < 5; i++)
		ASSERT_STARTS(gateway_try(t, LOGIN, "no-a@example.org", TEXT), "550");
	ASSERT_SAYS(shown(t), "of=errors count=5 of 10 attempts share=50 most=50");
	CU_ASSERT_FALSE(gateway_is_disabled(t, LOGIN)); /* 50 percent are allowed */
	ASSERT_STARTS(gateway_try(t, LOGIN, "no-a@example.org", TEXT), "550");
	ptn_test_finish_work(t);
	CU_ASSERT_TRUE(gateway_is_disabled(t, LOGIN));
	CU_ASSERT_FALSE(gateway_is_disabled(t, OTHER));
	ASSERT_TEXT(ptn_test_get(t, PTN_ACCOUNT, LOGIN, "reason"), "excessive errors: 6 of 11 attempts");
	ASSERT_STARTS(gateway_try(t, LOGIN, "friend@example.org", TEXT), "421 ");
	ptn_test_free(t);
}

static void
test_no_errors(void)
{
	PtnTest *t = gateway_new("least = 1\nmost-errors = 1\n");

	for (int i = 0; i < 3; i++) {
		ASSERT_STARTS(gateway_try(t, LOGIN, "later@example.org", TEXT), "450");
		ASSERT_STARTS(gateway_try(t, LOGIN, "much@example.org", TEXT), "550");
		ASSERT_STARTS(gateway_try(t, "slow@example.net", "a@example.org", TEXT), "450");
		(void)ptn_test_say(t, "NONSENSE");
	}
	ASSERT_SAYS(shown(t), "of=errors count=0 of 0 attempts share=0");
	ptn_test_free(t);
}

/* Recipients that are refused count each; a sentence that is told again, once. */
static void
test_told_again(void)
{
	PtnTest *t = gateway_new("");

	ASSERT_STARTS(gateway_login(t, LOGIN), "235");
	(void)ptn_test_say(t, "MAIL FROM:<" LOGIN ">");
	ASSERT_STARTS(ptn_test_say(t, "RCPT TO:<no-a@example.org>"), "550");
	ASSERT_STARTS(ptn_test_say(t, "RCPT TO:<no-b@example.org>"), "550");
	ASSERT_STARTS(ptn_test_say(t, "RCPT TO:<never@example.org>"), "550");
	ASSERT_STARTS(ptn_test_say(t, "RCPT TO:<never@example.com>"), "550");
	ASSERT_SAYS(shown(t), "of=errors count=3 of 3 attempts");
	(void)ptn_test_say(t, "RSET");
	(void)ptn_test_say(t, "MAIL FROM:<" LOGIN ">");
	ASSERT_STARTS(ptn_test_say(t, "RCPT TO:<never@example.org>"), "550");
	ASSERT_SAYS(shown(t), "of=errors count=4 of 4 attempts");
	ptn_test_free(t);
}

static void
test_unverified(void)
{
	PtnTest *t = gateway_new("least = 4\nmost-unverified = 30\nmost-errors = 100\n");

	gateway_submit(t);
	gateway_submit(t);
	for (int i = 0; i < 2; i++) {
		CU_ASSERT_FALSE(gateway_is_disabled(t, LOGIN));
		ASSERT_STARTS(gateway_try(t, "bad@example.net", "a@example.org", TEXT), "450");
		(void)shown(t);
	}
	CU_ASSERT_TRUE(gateway_is_disabled(t, LOGIN));
	ASSERT_TEXT(
		ptn_test_get(t, PTN_ACCOUNT, LOGIN, "reason"), "excessive failed sender verifications: 2 of 4 attempts");
	ptn_test_free(t);
}

static void
bounce(PtnTest *t, const char *recipient, const char *reply, bool is_ours)
{
	ptn_test_outcome(t, gateway_last(t, recipient), PTN_BOUNCED, reply, is_ours);
}

static void
test_undeliverable(void)
{
	PtnTest *t = gateway_new("least = 5\nmost-undeliverable = 40\n");

	for (int i = 0; i < 5; i++)
		gateway_submit(t);
	for (int i = 0; i < 3; i++) { /* these say nothing of the account */
		bounce(t, "friend@example.org", "4.4.7 it could not be delivered in time", true);
		bounce(t, "friend@example.org", "5.4.7 returned by the administrator", true);
		bounce(t, "friend@example.org", "550 5.7.1 refused by a plugin of ours", true);
		bounce(t, "copy@example.org", "550 5.1.1 no such user", false);
		ptn_test_outcome(
			t, gateway_last(t, "friend@example.org"), PTN_DEFERRED, "450 4.2.1 try again later", false);
	}
	bounce(t, "friend@example.org", "550 5.1.1 no such user", false);
	bounce(t, "friend@example.org", "554 5.7.1 not wanted", false);
	ASSERT_SAYS(shown(t), "of=undeliverable mail count=2 of 5 recipients share=40 most=40");
	CU_ASSERT_FALSE(gateway_is_disabled(t, LOGIN));
	bounce(t, "friend@example.org", "550 5.1.1 no such user", false);
	CU_ASSERT_TRUE(gateway_is_disabled(t, LOGIN));
	ASSERT_TEXT(ptn_test_get(t, PTN_ACCOUNT, LOGIN, "reason"), "excessive undeliverable mail: 3 of 5 recipients");
	ptn_test_free(t);
}

/* Of what is undeliverable each recipient counts, so it is compared with recipients, not with messages. */
static void
test_undeliverable_of_recipients(void)
{
	PtnTest *t = gateway_new("least = 8\nmost-undeliverable = 30\n");

	for (int i = 0; i < 2; i++) {
		ASSERT_STARTS(gateway_login(t, LOGIN), "235");
		(void)ptn_test_say(t, "MAIL FROM:<" LOGIN ">");
		for (int k = 0; k < 4; k++) {
			g_autofree char *line = g_strdup_printf("RCPT TO:<friend%d@example.org>", k);

			ASSERT_STARTS(ptn_test_say(t, line), "250");
		}
		(void)ptn_test_say(t, "DATA");
		ASSERT_STARTS(ptn_test_send(t, TEXT ".\r\n", strlen(TEXT ".\r\n")), "250");
	}
	bounce(t, "friend0@example.org", "550 5.1.1 no such user", false);
	bounce(t, "friend0@example.org", "550 5.1.1 no such user", false);
	ASSERT_SAYS(shown(t), "of=undeliverable mail count=2 of 8 recipients share=25 most=30");
	CU_ASSERT_FALSE(gateway_is_disabled(t, LOGIN));
	bounce(t, "friend0@example.org", "550 5.1.1 no such user", false);
	CU_ASSERT_TRUE(gateway_is_disabled(t, LOGIN));
	ASSERT_TEXT(ptn_test_get(t, PTN_ACCOUNT, LOGIN, "reason"), "excessive undeliverable mail: 3 of 8 recipients");
	ptn_test_free(t);
}

/* ---- what follows ---- */

static void
disable(PtnTest *t)
{
	for (int i = 0; i < 3; i++)
		(void)gateway_try(t, LOGIN, "no-a@example.org", TEXT);
	ptn_test_finish_work(t);
}

/* A running session ends at its next MAIL (A-09); all are told once; after `enable` counting begins anew. */
static void
test_disabled(void)
{
	PtnTest *t = gateway_new("least = 3\n");

	ASSERT_STARTS(gateway_login(t, LOGIN), "235");
	for (int i = 0; i < 6; i++) {
		(void)ptn_test_say(t, "MAIL FROM:<" LOGIN ">");
		(void)ptn_test_say(t, "RCPT TO:<no-a@example.org>");
		(void)ptn_test_say(t, "RSET");
	}
	CU_ASSERT_TRUE(gateway_is_disabled(t, LOGIN));
	CU_ASSERT_EQUAL(gateway_count(t, "noc@acme.example"), 1);
	CU_ASSERT_EQUAL(gateway_count(t, "postmaster@test.example.net"), 1);
	ASSERT_SAYS(ptn_test_queued_text(t, gateway_last(t, "noc@acme.example")), "excessive errors: 3 of 3 attempts");
	ASSERT_SAYS(ptn_test_queued_text(t, gateway_last(t, "noc@acme.example")), "may not send any more");
	ASSERT_SAYS(ptn_test_alarm(t, "standing.account/" LOGIN), LOGIN " is disabled: excessive errors");
	ASSERT_SAYS(shown(t), "of=disabled count=excessive errors: 3 of 3 attempts");
	CU_ASSERT_EQUAL(ptn_test_count(t, "plugin.standing.disabled"), 1);
	ptn_test_entry(t, PTN_ACCOUNT, LOGIN, "enabled", NULL, "reason", NULL, NULL);
	ptn_test_advance(t, 11 * PTN_SECOND);
	ptn_test_finish_work(t);
	CU_ASSERT_PTR_NULL(ptn_test_alarm(t, "standing.account/" LOGIN));
	gateway_submit(t);
	(void)gateway_try(t, LOGIN, "no-a@example.org", TEXT);
	ASSERT_SAYS(shown(t), "of=errors count=1 of 2 attempts");
	CU_ASSERT_FALSE(gateway_is_disabled(t, LOGIN));
	disable(t);
	CU_ASSERT_TRUE(gateway_is_disabled(t, LOGIN));
	CU_ASSERT_EQUAL(gateway_count(t, "noc@acme.example"), 2);
	ptn_test_free(t);
}

static void
test_window(void)
{
	PtnTest *t = gateway_new("least = 3\n");

	(void)gateway_try(t, LOGIN, "no-a@example.org", TEXT);
	(void)gateway_try(t, LOGIN, "no-a@example.org", TEXT);
	ASSERT_SAYS(shown(t), "count=2 of 2 attempts");
	ptn_test_advance(t, DAY);
	(void)gateway_try(t, LOGIN, "no-a@example.org", TEXT);
	ASSERT_SAYS(shown(t), "count=1 of 1 attempts");
	CU_ASSERT_FALSE(gateway_is_disabled(t, LOGIN));
	ptn_test_free(t);
}

static void
test_alarm_only(void)
{
	PtnTest *t = gateway_new("least = 3\naction = alarm\n");

	disable(t);
	disable(t);
	CU_ASSERT_FALSE(gateway_is_disabled(t, LOGIN));
	ASSERT_SAYS(ptn_test_alarm(t, "standing.account/" LOGIN), "excessive errors: 3 of 3");
	CU_ASSERT_EQUAL(gateway_count(t, "postmaster@test.example.net"), 1);
	CU_ASSERT_EQUAL(gateway_count(t, "noc@acme.example"), 0);
	ptn_test_advance(t, 2 * DAY);
	ptn_test_finish_work(t);
	CU_ASSERT_PTR_NULL(ptn_test_alarm(t, "standing.account/" LOGIN));
	disable(t);
	CU_ASSERT_EQUAL(gateway_count(t, "postmaster@test.example.net"), 2);
	ptn_test_free(t);
}

/* Levels, customers and accounts have thresholds of their own. */
static void
test_places(void)
{
	PtnTest *t = gateway_new("");

	ASSERT_TEXT(ptn_test_set(t, PTN_ACCOUNT, LOGIN, "standing.exempt", "yes"), NULL);
	ptn_test_entry(t, PTN_CUSTOMER, "acme", "level", "free", NULL);
	disable(t);
	CU_ASSERT_FALSE(gateway_is_disabled(t, LOGIN));
	ASSERT_SAYS(shown(t), "of=judged count=no: exempt");
	ASSERT_TEXT(ptn_test_set(t, PTN_ACCOUNT, LOGIN, "standing.exempt", "no"), NULL);
	disable(t);
	CU_ASSERT_TRUE(gateway_is_disabled(t, LOGIN));
	CU_ASSERT_PTR_NOT_NULL(ptn_test_set(t, PTN_ACCOUNT, LOGIN, "standing.most-errors", "101"));
	ptn_test_free(t);
}

/* What was accepted is counted though nothing ever fails. */
static void
test_accepted(void)
{
	PtnTest *t = gateway_new("");

	gateway_submit(t);
	gateway_submit(t);
	ptn_test_advance(t, 11 * PTN_SECOND);
	ASSERT_SAYS(shown(t), "of=errors count=0 of 2 attempts");
	ASSERT_SAYS(shown(t), "of=undeliverable mail count=0 of 2 recipients");
	ASSERT_SAYS(ptn_test_command(t, "standing", "show", NULL), "error:");
	ptn_test_free(t);
}

/* Somebody else changes the account meanwhile; or the directory is away: the next failure does it. */
static void
test_directory(void)
{
	PtnTest *t = gateway_new("least = 3\n");

	conflicts = 3;
	disable(t);
	CU_ASSERT_TRUE(gateway_is_disabled(t, LOGIN));
	CU_ASSERT_EQUAL(conflicts, 0);
	CU_ASSERT_EQUAL(gateway_count(t, "noc@acme.example"), 1);
	ptn_test_free(t);
	t = gateway_new("least = 3\n");
	(void)gateway_login(t, LOGIN);
	(void)ptn_test_say(t, "MAIL FROM:<" LOGIN ">");
	ptn_test_finish_work(t);
	directory_is_away = true;
	for (const char *const *to = (const char *const[]){ "a", "b", "c", NULL }; *to != NULL; to++) {
		g_autofree char *line = g_strdup_printf("RCPT TO:<no-%s@example.org>", *to);

		ASSERT_STARTS(ptn_test_say(t, line), "550");
	}
	ptn_test_finish_work(t);
	directory_is_away = false;
	CU_ASSERT_FALSE(gateway_is_disabled(t, LOGIN));
	CU_ASSERT_EQUAL(gateway_count(t, "noc@acme.example"), 0);
	ASSERT_STARTS(ptn_test_say(t, "RCPT TO:<no-d@example.org>"), "550");
	CU_ASSERT_TRUE(gateway_is_disabled(t, LOGIN));
	CU_ASSERT_EQUAL(gateway_count(t, "noc@acme.example"), 1);
	ptn_test_free(t);
}

/* `on-refusal` changes what the client is told, not what it did. */
static void
test_on_refusal(void)
{
	PtnTest *t = gateway_new("least = 3\n");

	ptn_test_entry(t, PTN_ACCOUNT, LOGIN, "on-refusal", "reject", NULL);
	for (int i = 0; i < 6; i++)
		ASSERT_STARTS(gateway_try(t, LOGIN, "later@example.org", TEXT), "550");
	ASSERT_SAYS(shown(t), "of=errors count=0 of 0 attempts");
	CU_ASSERT_FALSE(gateway_is_disabled(t, LOGIN));
	ptn_test_entry(t, PTN_ACCOUNT, LOGIN, "on-refusal", "defer", NULL);
	for (int i = 0; i < 3; i++)
		ASSERT_STARTS(gateway_try(t, LOGIN, "no-a@example.org", TEXT), "450");
	CU_ASSERT_TRUE(gateway_is_disabled(t, LOGIN));
	ptn_test_free(t);
}

/* A login that another server verified has no entry: there is an alarm. */
static void
test_not_in_directory(void)
{
	PtnTest *t = gateway_new("least = 3\n");

	for (int i = 0; i < 4; i++) {
		ASSERT_STARTS(gateway_login(t, "ghost@example.net"), "235");
		ASSERT_STARTS(ptn_test_submit(t, "ghost@example.net", "no-a@example.org", TEXT), "550");
	}
	CU_ASSERT_EQUAL(gateway_count(t, "postmaster@test.example.net"), 1);
	ASSERT_SAYS(ptn_test_alarm(t, "standing.account/ghost@example.net"), "excessive errors: 3 of 3");
	CU_ASSERT_EQUAL(ptn_test_count(t, "plugin.standing.disabled"), 0);
	ptn_test_free(t);
}

static const UnitTest tests[] = {
	{ "R-12 a share of errors above the threshold disables", test_errors },
	{ "R-12 what is deferred, limited or nonsense is no error", test_no_errors },
	{ "R-12 one verdict at several recipients is one error", test_told_again },
	{ "V-17 a share of failed verifications above the threshold disables", test_unverified },
	{ "R-12 a share of undeliverable mail above the threshold disables; copies and expiry do not count",
		test_undeliverable },
	{ "R-12 undeliverable recipients are compared with recipients", test_undeliverable_of_recipients },
	{ "R-12 A-09 who is disabled, and told, once; counting begins anew", test_disabled },
	{ "R-12 shares are of a window", test_window },
	{ "R-12 action = alarm", test_alarm_only },
	{ "R-12 levels and accounts", test_places },
	{ "R-12 accepted mail is counted", test_accepted },
	{ "R-12 a directory that changes meanwhile, or is away", test_directory },
	{ "O-10 R-12 on-refusal changes no count", test_on_refusal },
	{ "R-12 an account that is not in the directory", test_not_in_directory },
	{ NULL, NULL },
};

const UnitSuite test_shares = { "standing-shares", tests };

int
main(int argc, char **argv)
{
	static const UnitSuite *const suites[] = { &test_shares, &test_windows, &test_complaints, NULL };

	return unit_main(argc, argv, suites);
}
