/* test-directory-cache.c - a directory that is elsewhere: what is remembered of it, and for how long. */
#include <glib.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "service/directory.h"
#include "unit/service/redis-server.h"
#include "unit/service/suites.h"

#define PATIENCE_US (10 * CLOCK_SECOND) /* less than what is remembered without a look at the store */

PtnStatus __real_store_get(Store *store, const char *key, int64_t deadline_us, char **value, uint64_t *version);
PtnStatus __wrap_store_get(Store *store, const char *key, int64_t deadline_us, char **value, uint64_t *version);

typedef struct {
	void (*run)(void *data);
	void *data;
} Then;

/* What happens once between the answer of the store and its way into a table; NULL: nothing. */
static _Atomic(const Then *) after_get;

PtnStatus
__wrap_store_get(Store *store, const char *key, int64_t deadline_us, char **value, uint64_t *version)
{
	const PtnStatus status = __real_store_get(store, key, deadline_us, value, version);
	const Then *then = atomic_load(&after_get) != NULL ? atomic_exchange(&after_get, NULL) : NULL;

	if (then != NULL)
		then->run(then->data);
	return status;
}

static Store *
open_at(const RedisServer *server)
{
	g_autofree char *url = redis_server_url(server);
	const StoreSettings settings = { .url = url,
		.is_durable = true,
		.clock = clock_system(),
		.deadline_us = CLOCK_SECOND / 5 };
	Store *store = store_open_with(&settings, NULL);

	CU_ASSERT_PTR_NOT_NULL_FATAL(store);
	return store;
}

static void
save_account(Directory *directory, const char *password)
{
	g_autoptr(DirectoryEntry) entry = NULL;

	if (directory_find_now(directory, PTN_ACCOUNT, "u@example.net", CLOCK_NEVER, &entry) != PTN_OK)
		entry = directory_entry_new(PTN_ACCOUNT, "u@example.net");
	directory_entry_set(entry, "password", password);
	CU_ASSERT_EQUAL(directory_save(directory, entry, NULL, CLOCK_NEVER), PTN_OK);
}

/* New; "NONE", "UNSURE". */
static char *
password_of(Directory *directory, const char *login)
{
	g_autoptr(DirectoryEntry) entry = NULL;
	const PtnStatus status = directory_find(directory, PTN_ACCOUNT, login, CLOCK_NEVER, &entry);

	return g_strdup(status == PTN_OK     ? directory_entry_get(entry, "password")
					: status == PTN_NONE ? "NONE"
										 : "UNSURE");
}

/* The first answer; after an interruption there may be none until the connection is back. */
static void
assert_password(Directory *directory, const char *login, const char *expected)
{
	const int64_t until_us = g_get_monotonic_time() + PATIENCE_US;
	g_autofree char *password = password_of(directory, login);

	while (strcmp(password, "UNSURE") == 0 && strcmp(expected, "UNSURE") != 0 && g_get_monotonic_time() < until_us) {
		g_usleep(1000);
		g_free(password);
		password = password_of(directory, login);
	}
	ASSERT_TEXT(password, expected);
}

/* The other node's change arrives without being asked for. */
static void
assert_seen(Directory *directory, const char *expected)
{
	const int64_t until_us = g_get_monotonic_time() + PATIENCE_US;
	g_autofree char *password = password_of(directory, "u@example.net");

	while (strcmp(password, expected) != 0 && g_get_monotonic_time() < until_us) {
		g_usleep(1000);
		g_free(password);
		password = password_of(directory, "u@example.net");
	}
	ASSERT_TEXT(password, expected);
}

typedef struct {
	RedisServer *server;
	Store *here, *there;
	Directory *one, *other;
} Pair;

static bool
pair_open(Pair *pair)
{
	if (!redis_server_is_there())
		return false;
	pair->server = redis_server_new(NULL, false);
	pair->here = open_at(pair->server);
	pair->there = open_at(pair->server);
	pair->one = directory_new(pair->here);
	pair->other = directory_new(pair->there);
	return true;
}

static void
pair_close(Pair *pair)
{
	directory_free(pair->one);
	directory_free(pair->other);
	store_close(pair->here);
	store_close(pair->there);
	redis_server_free(pair->server);
}

/* Until the other node has looked for changes, and found some or was answered at last. */
static void
wait_for_look(const Pair *pair, uint64_t before)
{
	const int64_t until_us = g_get_monotonic_time() + 20 * CLOCK_SECOND;
	uint64_t now = before;

	while (now == before && g_get_monotonic_time() < until_us) {
		g_usleep(1000);
		(void)directory_changes(pair->other, PTN_ACCOUNT, CLOCK_NEVER, &now);
	}
	CU_ASSERT_NOT_EQUAL(now, before);
}

/* The other node has looked for the change when this returns. */
static void
save_and_look(const Pair *pair, const char *password)
{
	uint64_t before;

	CU_ASSERT_EQUAL(directory_changes(pair->other, PTN_ACCOUNT, CLOCK_NEVER, &before), PTN_OK);
	save_account(pair->one, password);
	wait_for_look(pair, before);
}

/* The other node remembers it when this returns: no change is to come that would take it away. */
static void
save_and_read(const Pair *pair, const char *password)
{
	save_and_look(pair, password);
	assert_password(pair->other, "u@example.net", password);
}

static void
test_directory(void)
{
	RedisServer *server = redis_server_new(NULL, false);
	g_autoptr(Store) here = NULL;
	g_autoptr(Store) there = NULL;
	Directory *one, *other;
	uint64_t before, after;

	if (server == NULL)
		return;
	here = open_at(server);
	there = open_at(server);
	one = directory_new(here);
	other = directory_new(there);
	assert_password(other, "u@example.net", "NONE");
	CU_ASSERT_EQUAL(directory_changes(other, PTN_ACCOUNT, CLOCK_NEVER, &before), PTN_OK);
	save_account(one, "first");
	assert_password(one, "u@example.net", "first"); /* at once, where it was changed */
	assert_seen(other, "first");
	CU_ASSERT_EQUAL(directory_changes(other, PTN_ACCOUNT, CLOCK_NEVER, &after), PTN_OK);
	CU_ASSERT_TRUE(after != before);
	save_and_read(&(Pair){ .one = one, .other = other }, "second");
	redis_server_pause(server, true); /* what was read is remembered, also that there was nothing */
	CU_ASSERT_TRUE(redis_server_becomes(there, true));
	assert_password(other, "u@example.net", "second");
	assert_password(other, "nobody@example.net", "UNSURE");
	CU_ASSERT_EQUAL(directory_changes(other, PTN_ACCOUNT, CLOCK_NEVER, &before), PTN_OK);
	CU_ASSERT_EQUAL(after < before || after == before, true);
	redis_server_pause(server, false);
	CU_ASSERT_TRUE(redis_server_becomes(there, false));
	CU_ASSERT_TRUE(redis_server_becomes(here, false));
	save_account(one, "third");
	assert_seen(other, "third");
	CU_ASSERT_EQUAL(directory_remove(one, PTN_ACCOUNT, "u@example.net", NULL, CLOCK_NEVER), PTN_OK);
	assert_seen(other, "NONE");
	directory_free(one);
	directory_free(other);
	g_clear_pointer(&here, store_close);
	g_clear_pointer(&there, store_close);
	redis_server_free(server);
}

static void
change_meanwhile(void *data)
{
	save_and_look(data, "second");
}

/* An answer that was given before a change, and comes after it, is not remembered. */
static void
test_overtaken(void)
{
	Pair pair;
	const Then then = { change_meanwhile, &pair };

	if (!pair_open(&pair))
		return;
	save_and_read(&pair, "first");
	g_clear_pointer(&pair.other, directory_free);
	pair.other = directory_new(pair.there);
	atomic_store(&after_get, &then);
	assert_password(pair.other, "u@example.net", "first"); /* as it was when it was asked for */
	assert_password(pair.other, "u@example.net", "second");
	pair_close(&pair);
}

/* Of both tables a change takes away what was remembered; tables of one record make that the older one's. */
static void
test_changed_in_the_old_table(void)
{
	Pair pair;

	if (!pair_open(&pair))
		return;
	directory_set_cached(pair.other, 2);
	save_and_read(&pair, "first");
	assert_password(pair.other, "nobody@example.net", "NONE"); /* takes the young table */
	CU_ASSERT_EQUAL(directory_cached(pair.other), 2);
	save_and_read(&pair, "second");
	/* that there is none is forgotten, too */
	assert_password(pair.other, "new@example.net", "NONE");
	assert_password(pair.other, "nobody@example.net", "NONE");
	{
		g_autoptr(DirectoryEntry) entry = directory_entry_new(PTN_ACCOUNT, "new@example.net");
		uint64_t before;

		CU_ASSERT_EQUAL(directory_changes(pair.other, PTN_ACCOUNT, CLOCK_NEVER, &before), PTN_OK);
		directory_entry_set(entry, "password", "new");
		CU_ASSERT_EQUAL(directory_save(pair.one, entry, NULL, CLOCK_NEVER), PTN_OK);
		wait_for_look(&pair, before);
		assert_password(pair.other, "new@example.net", "new");
	}
	pair_close(&pair);
}

/* A server that comes back, or another one in its place, may have lost what was remembered, and have the same number. */
static void
test_interrupted(void)
{
	Pair pair;

	if (!pair_open(&pair))
		return;
	save_and_read(&pair, "first");
	redis_server_pause(pair.server, true);
	CU_ASSERT_TRUE(redis_server_becomes(pair.there, true));
	assert_password(pair.other, "u@example.net", "first");
	redis_server_pause(pair.server, false);
	g_free(redis_server_ask(pair.server, "DEL postern:{directory/account/}i:u@example.net"));
	CU_ASSERT_TRUE(redis_server_becomes(pair.there, false));
	assert_seen(pair.other, "NONE");
	pair_close(&pair);
}

/* Names of a stranger's choice are remembered, too, that there are none. */
static void
test_bound(void)
{
	RedisServer *server = redis_server_new(NULL, false);
	Directory *directory;
	Store *store;

	if (server == NULL)
		return;
	store = open_at(server);
	directory = directory_new(store);
	directory_set_cached(directory, 20);
	for (int i = 0; i < 100; i++) {
		g_autofree char *login = g_strdup_printf("nobody%d@example.net", i);

		assert_password(directory, login, "NONE");
	}
	CU_ASSERT_TRUE(directory_cached(directory) > 0 && directory_cached(directory) <= 20);
	directory_free(directory);
	store_close(store);
	redis_server_free(server);
}

static const UnitTest tests[] = {
	{ "remembered; changes of another node within a second; while it is away", test_directory },
	{ "an answer that a change overtook is not remembered", test_overtaken },
	{ "a change reaches what was remembered longest, and that there was nothing", test_changed_in_the_old_table },
	{ "after an interruption nothing is believed, whatever the number", test_interrupted },
	{ "so many entries are remembered", test_bound },
	{ NULL, NULL },
};

const UnitSuite suite_directory_cache = { "directory-cache", tests };
