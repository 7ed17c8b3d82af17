/* test-directory-cache.c - a directory that is elsewhere: what is remembered of it, and for how long. */
#include <glib.h>
#include <stdio.h>
#include <string.h>

#include "service/directory.h"
#include "unit/service/redis-server.h"
#include "unit/service/suites.h"

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

static void
assert_password(Directory *directory, const char *login, const char *expected)
{
	g_autofree char *password = password_of(directory, login);

	ASSERT_TEXT(password, expected);
}

/* How long the other node's change takes; more than a second fails. */
static void
assert_seen(Directory *directory, const char *expected)
{
	const int64_t begun_us = g_get_monotonic_time();
	g_autofree char *password = password_of(directory, "u@example.net");

	while (strcmp(password, expected) != 0 && g_get_monotonic_time() - begun_us < CLOCK_SECOND) {
		g_usleep(1000);
		g_free(password);
		password = password_of(directory, "u@example.net");
	}
	ASSERT_TEXT(password, expected);
}

static void
test_directory(void)
{
	RedisServer *server = redis_server_is_there() ? redis_server_new(NULL, false) : NULL;
	g_autoptr(Store) here = NULL;
	g_autoptr(Store) there = NULL;
	Directory *one, *other;
	uint64_t before, after;

	if (server == NULL) {
		fprintf(stderr, " [skipped: no redis-server] ");
		return;
	}
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
	save_account(one, "second");
	assert_seen(other, "second");
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

/* Names of a stranger's choice are remembered, too, that there are none. */
static void
test_bound(void)
{
	RedisServer *server = redis_server_is_there() ? redis_server_new(NULL, false) : NULL;
	Directory *directory;
	Store *store;

	if (server == NULL) {
		fprintf(stderr, " [skipped: no redis-server] ");
		return;
	}
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
	{ "so many entries are remembered", test_bound },
	{ NULL, NULL },
};

const UnitSuite suite_directory_cache = { "directory-cache", tests };
