/* test-threshold.c - that each block takes a full threshold, of what was counted once (K-18, O-10, R-22). */
#include "plugins/blocking/test-blocking.h"

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

/* ---- the tests ---- */

/* A window of a day: the failures that led to a block lead to no second one. */
static void
test_full_threshold(void)
{
	PtnTest *test = gateway_new("auth-failures = 3/1d\nfirst = 1m\n" OTHERS_OFF);

	gateway_fail(test, CLIENT, 3);
	for (int repeat = 2; repeat <= 3; repeat++) {
		gateway_assert_blocked(test, CLIENT, repeat == 2 ? "offence 1" : "offence 2");
		ptn_test_advance(test, repeat == 2 ? 2 * MINUTE : 25 * 60 * MINUTE);
		gateway_fail(test, CLIENT, 2);
		gateway_assert_blocked(test, CLIENT, NULL);
		gateway_fail(test, CLIENT, 1);
		gateway_assert_blocked(test, CLIENT, repeat == 2 ? "offence 2" : "offence 3");
	}
	ptn_test_free(test);
}

/* What one misdeed brings to its threshold begins again with what blocked. */
static void
test_all_begin_again(void)
{
	PtnTest *test = gateway_new("auth-failures = 3/1d\nlogins = 3/1d\nfirst = 1m\n" REST_OFF);

	for (int i = 0; i < 6; i++) { /* more than it needs, all under way at once */
		char login[32];

		(void)snprintf(login, sizeof login, "user%d@example.net", i);
		ptn_test_connect(test, CLIENT);
		(void)ptn_test_say(test, "EHLO client.example");
		(void)ptn_test_login(test, login, "wrong");
	}
	gateway_assert_blocked(test, CLIENT, "(offence 1)");
	ptn_test_advance(test, 2 * MINUTE);
	gateway_fail_once(test, CLIENT, "another@example.net");
	gateway_fail_once(test, CLIENT, "third@example.net");
	gateway_assert_blocked(test, CLIENT, NULL);
	gateway_fail_once(test, CLIENT, "fourth@example.net");
	gateway_assert_blocked(test, CLIENT, "(offence 2)");
	ptn_test_free(test);
}

/* It still blocks by what this node sees, forgets no offence, and needs no fewer failures when the store is back. */
static void
test_store_unsure(void)
{
	PtnTest *test = gateway_new("auth-failures = 3/1d\nfirst = 1m\nrepeat = 1m\n" OTHERS_OFF);

	gateway_fail(test, CLIENT, 2);
	store_is_silent = true;
	gateway_fail(test, CLIENT, 1);
	gateway_assert_blocked(test, CLIENT, NULL);
	store_is_silent = false;
	gateway_fail(test, "203.0.113.77", 1); /* of another key */
	gateway_assert_blocked(test, CLIENT, NULL);
	CU_ASSERT_PTR_NOT_NULL(strstr(ptn_test_command(test, "blocking", "show", CLIENT, NULL),
		"what=auth-failures value=3"));
	gateway_fail(test, CLIENT, 1);
	gateway_assert_blocked(test, CLIENT, "(offence 1)");
	ptn_test_advance(test, 2 * MINUTE);
	gateway_fail(test, CLIENT, 3);
	gateway_assert_blocked(test, CLIENT, "(offence 2)");
	ptn_test_advance(test, 2 * MINUTE);
	store_is_silent = true;
	gateway_fail(test, CLIENT, 3);
	gateway_assert_blocked(test, CLIENT, "(offence 1)"); /* what it can tell now */
	ptn_test_advance(test, 20 * MINUTE);
	store_is_silent = false;
	gateway_fail(test, CLIENT, 2);
	gateway_assert_blocked(test, CLIENT, NULL);
	gateway_fail(test, CLIENT, 1);
	gateway_assert_blocked(test, CLIENT, "(offence 4)");
	ptn_test_free(test);
}

/* `on-refusal` changes what the client is told, not what it did. */
static void
test_on_refusal(void)
{
	PtnTest *test = gateway_new("rejects = 3/10m\nauth-failures = off\nlogins = off\nconnections = off\n");

	ptn_test_entry(test, PTN_ACCOUNT, LOGIN, "on-refusal", "reject", NULL);
	for (int i = 0; i < 5; i++)
		gateway_submit(test, "slow@example.net", "a\r\n");
	CU_ASSERT_PTR_NOT_NULL(strstr(ptn_test_reply(test), "550 5.1.8"));
	gateway_assert_blocked(test, CLIENT, NULL);
	ptn_test_entry(test, PTN_ACCOUNT, LOGIN, "on-refusal", "defer", NULL);
	for (int i = 0; i < 3; i++)
		gateway_submit(test, "bad@example.net", "a\r\n");
	CU_ASSERT_PTR_NOT_NULL(strstr(ptn_test_reply(test), "450 4.7.1"));
	gateway_assert_blocked(test, CLIENT, "against the rules");
	ptn_test_free(test);
}

static const UnitTest tests[] = {
	{ "K-18 after a block a full threshold is needed again", test_full_threshold },
	{ "K-18 all counters of a client begin again with its block", test_all_begin_again },
	{ "K-18 R-22 a store that does not answer", test_store_unsure },
	{ "O-10 K-10 on-refusal changes no count", test_on_refusal },
	{ NULL, NULL },
};

const UnitSuite test_threshold = { "blocking-threshold", tests };
