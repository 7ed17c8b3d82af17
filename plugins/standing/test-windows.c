/* test-windows.c - which window and which beginning an event counts in, and what a store that fails loses. */
#include "plugins/standing/test-standing.h"

extern const PtnPlugin ptn_plugin_standing;

/* ---- a store that does not answer ---- */

typedef enum { STORE_ANSWERS, STORE_FAILS, STORE_SILENT } StoreWay;

static StoreWay store_way;
static bool store_is_remote;

PtnStatus __real_store_tally_shared(void *store, const char *key, void *tallies, size_t n, int64_t deadline_us);
PtnStatus __wrap_store_tally_shared(void *store, const char *key, void *tallies, size_t n, int64_t deadline_us);
bool __real_store_is_local(const void *store);
bool __wrap_store_is_local(const void *store);

PtnStatus
__wrap_store_tally_shared(void *store, const char *key, void *tallies, size_t n, int64_t deadline_us)
{
	PtnStatus status = PTN_UNSURE;

	if (store_way != STORE_FAILS)
		status = __real_store_tally_shared(store, key, tallies, n, deadline_us);
	return store_way == STORE_ANSWERS ? status : PTN_UNSURE;
}

bool
__wrap_store_is_local(const void *store)
{
	return !store_is_remote && __real_store_is_local(store);
}

/* What the store remembers of actions; NULL: it does not answer.  Other keys are asked for. */
static const char *store_last;
static bool store_has_last;

PtnStatus __real_store_get(void *store, const char *key, int64_t deadline_us, char **value, uint64_t *version);
PtnStatus __wrap_store_get(void *store, const char *key, int64_t deadline_us, char **value, uint64_t *version);

PtnStatus
__wrap_store_get(void *store, const char *key, int64_t deadline_us, char **value, uint64_t *version)
{
	if (!store_has_last || !g_str_has_suffix(key, "/last/" LOGIN))
		return __real_store_get(store, key, deadline_us, value, version);
	if (store_last == NULL)
		return PTN_UNSURE;
	*value = g_strdup(store_last);
	return PTN_OK;
}

/* ---- mail ---- */

#define SHARES "least = 5\nmost-undeliverable = 30\nmost-errors = 100\n"

/* Places in the queue of `n` messages to friend@example.org that LOGIN sends now. */
static void
send_messages(PtnTest *t, size_t n, size_t *places)
{
	for (size_t i = 0; i < n; i++) {
		gateway_submit(t);
		places[i] = gateway_last(t, "friend@example.org");
	}
	ptn_test_finish_work(t);
}

static void
bounce_all(PtnTest *t, size_t n, const size_t *places)
{
	for (size_t i = 0; i < n; i++)
		ptn_test_outcome(t, places[i], PTN_BOUNCED, "550 5.1.1 no such user", false);
}

static void
enable(PtnTest *t)
{
	ptn_test_entry(t, PTN_ACCOUNT, LOGIN, "enabled", NULL, "reason", NULL, NULL);
}

/* 4 of 10 are too many, 2 of 10 are not, however little was sent today. */
static void
test_window_of_message(void)
{
	PtnTest *t = gateway_new(SHARES);
	size_t yesterday[10], today[5];

	send_messages(t, 10, yesterday);
	ptn_test_advance(t, DAY);
	send_messages(t, 5, today);
	bounce_all(t, 3, yesterday);
	CU_ASSERT_FALSE(gateway_is_disabled(t, LOGIN));
	bounce_all(t, 1, today);
	CU_ASSERT_FALSE(gateway_is_disabled(t, LOGIN));
	bounce_all(t, 1, yesterday + 3);
	CU_ASSERT_TRUE(gateway_is_disabled(t, LOGIN));
	ASSERT_SAYS(ptn_test_get(t, PTN_ACCOUNT, LOGIN, "reason"),
		"excessive undeliverable mail: 4 of 10 recipients, accepted in the window from ");
	ptn_test_free(t);
}

/* What bounces late is judged by what was sent with it. */
static void
test_late_bounces(void)
{
	PtnTest *t = gateway_new(SHARES);
	size_t places[5], later[5];

	send_messages(t, 5, places);
	ptn_test_advance(t, 5 * DAY);
	send_messages(t, 5, later);
	bounce_all(t, 2, places);
	CU_ASSERT_TRUE(gateway_is_disabled(t, LOGIN));
	ptn_test_free(t);
	t = gateway_new(SHARES);
	send_messages(t, 5, places);
	ptn_test_advance(t, 9 * DAY); /* nobody remembers how many there were */
	bounce_all(t, 5, places);
	CU_ASSERT_FALSE(gateway_is_disabled(t, LOGIN));
	ptn_test_free(t);
}

static void
test_enabled_again(void)
{
	PtnTest *t = gateway_new(SHARES);
	size_t before[10], after[5];

	send_messages(t, 10, before);
	bounce_all(t, 4, before);
	CU_ASSERT_TRUE(gateway_is_disabled(t, LOGIN));
	enable(t);
	send_messages(t, 5, after);
	bounce_all(t, 6, before + 4);
	CU_ASSERT_FALSE(gateway_is_disabled(t, LOGIN));
	bounce_all(t, 1, after);
	CU_ASSERT_FALSE(gateway_is_disabled(t, LOGIN));
	bounce_all(t, 1, after + 1);
	CU_ASSERT_TRUE(gateway_is_disabled(t, LOGIN));
	ASSERT_TEXT(ptn_test_get(t, PTN_ACCOUNT, LOGIN, "reason"), "excessive undeliverable mail: 2 of 5 recipients");
	ptn_test_free(t);
}

/* Disabled by the operator, or with the customer: enabled, it begins anew, too. */
static void
test_enabled_by_operator(void)
{
	for (int is_customer = 0; is_customer <= 1; is_customer++) {
		const PtnKind kind = is_customer ? PTN_CUSTOMER : PTN_ACCOUNT;
		const char *name = is_customer ? "acme" : LOGIN;
		PtnTest *t = gateway_new(SHARES);
		size_t before[10], after[5];

		send_messages(t, 10, before);
		ptn_test_entry(t, kind, name, "enabled", "no", NULL);
		ptn_test_advance(t, 11 * PTN_SECOND);
		ptn_test_entry(t, kind, name, "enabled", NULL, NULL);
		send_messages(t, 5, after);
		bounce_all(t, 10, before);
		CU_ASSERT_FALSE(gateway_is_disabled(t, LOGIN));
		bounce_all(t, 2, after);
		CU_ASSERT_TRUE(gateway_is_disabled(t, LOGIN));
		ptn_test_free(t);
	}
}

/* Whether what was not answered was stored or not: 2 bounces of 20 are no 2 of 5. */
static void
test_unanswered(void)
{
	for (StoreWay way = STORE_FAILS; way <= STORE_SILENT; way++) {
		PtnTest *t = gateway_new(SHARES);
		size_t lost[15], known[5];

		store_is_remote = true;
		store_way = way;
		send_messages(t, 15, lost);
		ptn_test_advance(t, 11 * PTN_SECOND);
		for (int i = 0; i < 3; i++) /* something that asks the store at once */
			(void)gateway_try(t, LOGIN, "no-a@example.org", TEXT);
		ptn_test_finish_work(t);
		store_way = STORE_ANSWERS;
		send_messages(t, 5, known);
		bounce_all(t, 2, known);
		CU_ASSERT_FALSE(gateway_is_disabled(t, LOGIN));
		ASSERT_SAYS(ptn_test_command(t, "standing", "show", LOGIN, NULL),
			"of=undeliverable mail count=2 of 20 recipients");
		ASSERT_SAYS(ptn_test_command(t, "standing", "show", LOGIN, NULL), "of=errors count=3 of 23 attempts");
		bounce_all(t, 3, known + 2);
		store_way = way;
		bounce_all(t, 2, lost);
		CU_ASSERT_FALSE(gateway_is_disabled(t, LOGIN)); /* nobody knows how many there are */
		store_way = STORE_ANSWERS;
		ptn_test_advance(t, 11 * PTN_SECOND); /* judged, though nothing more bounces */
		CU_ASSERT_TRUE(gateway_is_disabled(t, LOGIN));
		ASSERT_TEXT(
			ptn_test_get(t, PTN_ACCOUNT, LOGIN, "reason"), "excessive undeliverable mail: 7 of 20 recipients");
		ptn_test_free(t);
		store_is_remote = false;
	}
}

/* ---- the clock is set back ---- */

/* What is refused now counts, though the account was enabled at a time that is still to come. */
static void
test_set_back_after_enabling(void)
{
	PtnTest *t = gateway_new("least = 3\n");

	ptn_test_entry(t, PTN_ACCOUNT, LOGIN, "enabled", "no", NULL);
	enable(t);
	ptn_test_advance(t, -5 * HOUR);
	for (int i = 0; i < 3; i++)
		(void)gateway_try(t, LOGIN, "no-a@example.org", TEXT);
	CU_ASSERT_TRUE(gateway_is_disabled(t, LOGIN));
	ptn_test_free(t);
}

/* Each time that an account is held, enabled, or enabled with its customer is another beginning, also where the clock says that
 * it is earlier than the one before. */
static void
test_beginning_set_back(void)
{
	static const struct {
		PtnKind kind;
		const char *name;
	} last[] = { { PTN_ACCOUNT, LOGIN }, { PTN_CUSTOMER, "acme" } };

	for (size_t i = 0; i < G_N_ELEMENTS(last); i++) {
		PtnTest *t = gateway_new(SHARES);
		size_t before[10], after[5];

		ptn_test_entry(t, PTN_ACCOUNT, LOGIN, "standing.since", "2036-01-01T00:00:00Z", NULL);
		send_messages(t, 10, before);
		ptn_test_entry(t, last[i].kind, last[i].name, "enabled", "no", NULL);
		ptn_test_entry(t, last[i].kind, last[i].name, "enabled", NULL, NULL);
		send_messages(t, 5, after);
		bounce_all(t, 10, before);
		CU_ASSERT_FALSE(gateway_is_disabled(t, LOGIN));
		bounce_all(t, 2, after);
		CU_ASSERT_TRUE(gateway_is_disabled(t, LOGIN));
		ASSERT_TEXT(
			ptn_test_get(t, PTN_ACCOUNT, LOGIN, "reason"), "excessive undeliverable mail: 2 of 5 recipients");
		ptn_test_free(t);
	}
}

/* ---- after a start ---- */

/* The tick asks again until it knows which disabled accounts are this plugin's. */
static void
test_alarm_when_store_answers(void)
{
	static const char reason[] = "excessive errors: 3 of 3 attempts";
	PtnTest *t = gateway_new("");

	store_has_last = true;
	store_last = NULL;
	ptn_test_entry(t, PTN_ACCOUNT, LOGIN, "enabled", "no", "reason", reason, NULL);
	ptn_test_advance(t, 11 * PTN_SECOND);
	ptn_test_finish_work(t);
	CU_ASSERT_PTR_NULL(ptn_test_alarm(t, "standing.account/" LOGIN));
	store_last = "2026-11-29 12:00 excessive errors: 3 of 3 attempts";
	ptn_test_advance(t, 11 * PTN_SECOND);
	ptn_test_finish_work(t);
	ASSERT_SAYS(ptn_test_alarm(t, "standing.account/" LOGIN), LOGIN " is disabled: excessive errors");
	ptn_test_free(t);
	store_has_last = false;
}

static const UnitTest tests[] = {
	{ "R-20 a bounce counts in the window of its message", test_window_of_message },
	{ "R-20 late bounces, and those that are too late", test_late_bounces },
	{ "R-21 an account that is enabled again is not judged by older mail", test_enabled_again },
	{ "R-21 whoever enables it, and with the customer", test_enabled_by_operator },
	{ "R-22 what the store did not answer is counted once, and judged", test_unanswered },
	{ "R-21 a clock that is set back behind a beginning: what happens now counts", test_set_back_after_enabling },
	{ "R-21 a beginning by a clock that was set back is another one", test_beginning_set_back },
	{ "R-12 alarms of before a start, from a store that answers late", test_alarm_when_store_answers },
	{ NULL, NULL },
};

const UnitSuite test_windows = { "standing-windows", tests };
