/* test-store.c - the contract of the store, the same for every back end. */
#include <glib.h>
#include <stdio.h>
#include <string.h>

#include "service/store-table.h"
#include "service/store.h"
#include "unit/service/fake-clock.h"
#include "unit/service/redis-server.h"
#include "unit/service/suites.h"

enum { STORE_THREADS = 4, STORE_ROUNDS = 200 };

#define HOUR (3600 * CLOCK_SECOND)

typedef struct {
	FakeClock clock;
	char *directory;
	RedisServer *redis; /* NULL: another back end */
	int64_t grain_us;   /* expiry is so exact */
	Store *store;
} Fixture;

typedef enum { STORE_MEMORY, STORE_SQLITE, STORE_DURABLE, STORE_REDIS } StoreKind;

/* Of the clock that the back end goes by. */
static void
fixture_move_clock(Fixture *f, int64_t time_us)
{
	f->clock.now_us += time_us;
	if (f->redis != NULL)
		__atomic_store_n(f->redis->clock, f->clock.now_us, __ATOMIC_RELAXED);
}

static char *
fixture_url(Fixture *f, StoreKind kind)
{
	if (kind == STORE_MEMORY)
		return g_strdup("memory:");
	if (kind != STORE_REDIS)
		return g_strdup_printf("sqlite:%s/s.db", f->directory);
	f->redis = redis_server_new(NULL, true);
	return redis_server_url(f->redis);
}

static void
fixture_open(Fixture *f, StoreKind kind)
{
	g_autofree char *url = NULL;
	g_autoptr(GError) error = NULL;

	*f = (Fixture){ .clock = fake_clock(), .directory = unit_new_directory(), .grain_us = 1 };
	url = fixture_url(f, kind);
	if (f->redis != NULL)
		f->grain_us = 2000;
	f->store = store_open(url, kind == STORE_DURABLE, &f->clock.clock, &error);
	if (f->store == NULL)
		ASSERT_TEXT(error->message, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(f->store);
}

static void
fixture_close(Fixture *f)
{
	store_close(f->store);
	if (f->redis != NULL)
		redis_server_free(f->redis);
	unit_remove_directory(f->directory);
	g_free(f->directory);
}

static void
assert_value(Store *store, const char *key, const char *expected)
{
	g_autofree char *value = NULL;
	const PtnStatus status = store_get(store, key, CLOCK_NEVER, &value, NULL);

	CU_ASSERT_EQUAL(status, expected != NULL ? PTN_OK : PTN_NONE);
	ASSERT_TEXT(value, expected);
}

static void
check_set(Fixture *f)
{
	Store *s = f->store;

	CU_ASSERT_EQUAL(store_is_local(s), f->redis == NULL);
	CU_ASSERT_FALSE(store_is_away(s));
	assert_value(s, "a", NULL);
	CU_ASSERT_EQUAL(store_set(s, "a", "1", 0, CLOCK_NEVER), PTN_OK);
	CU_ASSERT_EQUAL(store_set(s, "a", "2\nand more", 0, CLOCK_NEVER), PTN_OK);
	CU_ASSERT_EQUAL(store_set(s, "b", "", 0, CLOCK_NEVER), PTN_OK);
	assert_value(s, "a", "2\nand more");
	assert_value(s, "b", "");
	CU_ASSERT_EQUAL(store_remove(s, "a", CLOCK_NEVER), PTN_OK);
	CU_ASSERT_EQUAL(store_remove(s, "a", CLOCK_NEVER), PTN_NONE);
	assert_value(s, "a", NULL);
}

static void
check_expiry(Fixture *f)
{
	Store *s = f->store;

	CU_ASSERT_EQUAL(store_set(s, "a", "1", 10 * CLOCK_SECOND, CLOCK_NEVER), PTN_OK);
	CU_ASSERT_EQUAL(store_set(s, "endless", "1", INT64_MAX, CLOCK_NEVER), PTN_OK);
	fixture_move_clock(f, 10 * CLOCK_SECOND - 1);
	assert_value(s, "a", "1");
	CU_ASSERT_EQUAL(store_claim(s, "a", "2", 0, CLOCK_NEVER), PTN_TAKEN);
	fixture_move_clock(f, 1);
	assert_value(s, "a", NULL);
	assert_value(s, "endless", "1");
	CU_ASSERT_EQUAL(store_remove(s, "a", CLOCK_NEVER), PTN_NONE);
	CU_ASSERT_EQUAL(store_claim(s, "a", "2", CLOCK_SECOND, CLOCK_NEVER), PTN_OK);
	CU_ASSERT_EQUAL(store_claim(s, "a", "3", CLOCK_SECOND, CLOCK_NEVER), PTN_TAKEN);
	assert_value(s, "a", "2");
}

static void
check_versions(Fixture *f)
{
	Store *s = f->store;
	g_autofree char *value = NULL;
	uint64_t version = 0, stale, read;

	CU_ASSERT_EQUAL(store_replace(s, "a", "1", &version, CLOCK_NEVER), PTN_OK);
	CU_ASSERT_TRUE(version > 0);
	CU_ASSERT_EQUAL(store_get(s, "a", CLOCK_NEVER, &value, &read), PTN_OK);
	CU_ASSERT_EQUAL(read, version);
	stale = version;
	CU_ASSERT_EQUAL(store_replace(s, "a", "2", &version, CLOCK_NEVER), PTN_OK);
	CU_ASSERT_TRUE(version > stale);
	CU_ASSERT_EQUAL(store_replace(s, "a", "3", &stale, CLOCK_NEVER), PTN_TAKEN);
	read = 0;
	CU_ASSERT_EQUAL(store_replace(s, "a", "3", &read, CLOCK_NEVER), PTN_TAKEN);
	assert_value(s, "a", "2");
	stale = version;
	CU_ASSERT_EQUAL(store_replace(s, "a", NULL, &version, CLOCK_NEVER), PTN_OK);
	assert_value(s, "a", NULL);
	CU_ASSERT_EQUAL(store_replace(s, "a", "4", &stale, CLOCK_NEVER), PTN_TAKEN);
	fixture_move_clock(f, f->grain_us); /* a redis remembers no version of what is gone: there they are times */
	read = 0;
	CU_ASSERT_EQUAL(store_replace(s, "a", "4", &read, CLOCK_NEVER), PTN_OK);
	CU_ASSERT_TRUE(read > version);
}

/* Adds one of two counters, of an hour (three at most) and of a day. */
static void
assert_tally(Store *s, int64_t hour, int64_t day, PtnStatus status, int64_t hour_total, int64_t day_total)
{
	StoreTally tallies[] = { { .name = "m/1h", .n = hour, .window_us = HOUR, .most = 3 },
		{ .name = "m/1d", .n = day, .window_us = 24 * HOUR } };

	CU_ASSERT_EQUAL(store_tally(s, "t", tallies, G_N_ELEMENTS(tallies), CLOCK_NEVER), status);
	CU_ASSERT_EQUAL(tallies[0].total, hour_total);
	CU_ASSERT_EQUAL(tallies[1].total, day_total);
}

static void
check_tally(Fixture *f)
{
	StoreTally more[] = { { .name = "m/1d", .n = 1, .window_us = 24 * HOUR },
		{ .name = "b", .n = INT64_C(1) << 40, .window_us = HOUR } };
	StoreTally hour = { .name = "h", .n = 1, .window_us = HOUR };
	StoreTally wrong = { .name = "x", .n = 1 };

	fixture_move_clock(f, HOUR - CLOCK_SECOND);
	assert_tally(f->store, 0, 0, PTN_OK, 0, 0);
	assert_tally(f->store, 2, 5, PTN_OK, 2, 5);
	assert_tally(f->store, 2, 1, PTN_TAKEN, 2, 5);
	assert_tally(f->store, 1, 1, PTN_OK, 3, 6);
	assert_tally(f->store, 0, 1, PTN_OK, 3, 7); /* who adds nothing goes beyond nothing */
	assert_tally(f->store, -1, -1, PTN_OK, 2, 6);
	fixture_move_clock(f, CLOCK_SECOND);
	assert_tally(f->store, 1, 1, PTN_OK, 1, 7);
	CU_ASSERT_EQUAL(store_tally(f->store, "t", more, 2, CLOCK_NEVER), PTN_OK); /* the configuration changed */
	CU_ASSERT_EQUAL(more[0].total, 8);
	CU_ASSERT_EQUAL(more[1].total, INT64_C(1) << 40);
	assert_tally(f->store, 1, 1, PTN_OK, 2, 9); /* the hour was not named meanwhile */
	fixture_move_clock(f, 2 * HOUR);
	assert_tally(f->store, 0, 1, PTN_OK, 0, 10);
	CU_ASSERT_EQUAL(store_tally(f->store, "t", &hour, 1, CLOCK_NEVER), PTN_OK);
	fixture_move_clock(f, 2 * HOUR); /* the last counter of the value has ended, the day has not */
	assert_tally(f->store, 0, 0, PTN_OK, 0, 10);
	CU_ASSERT_EQUAL(store_tally(f->store, "t", &wrong, 1, CLOCK_NEVER), PTN_UNSURE);
	CU_ASSERT_EQUAL(store_tally(f->store, "t", &wrong, 0, CLOCK_NEVER), PTN_UNSURE);
}

static void
check_counters(Fixture *f)
{
	Store *s = f->store;
	int64_t total = -1;

	fixture_move_clock(f, HOUR - CLOCK_SECOND);
	CU_ASSERT_EQUAL(store_add(s, "c", 0, HOUR, CLOCK_NEVER, &total), PTN_OK);
	CU_ASSERT_EQUAL(total, 0);
	CU_ASSERT_EQUAL(store_add(s, "c", 3, HOUR, CLOCK_NEVER, &total), PTN_OK);
	CU_ASSERT_EQUAL(store_add(s, "c", 4, HOUR, CLOCK_NEVER, &total), PTN_OK);
	CU_ASSERT_EQUAL(total, 7);
	CU_ASSERT_EQUAL(store_add(s, "c", -2, HOUR, CLOCK_NEVER, NULL), PTN_OK);
	assert_value(s, "c", "5");
	fixture_move_clock(f, CLOCK_SECOND);
	CU_ASSERT_EQUAL(store_add(s, "c", 0, HOUR, CLOCK_NEVER, &total), PTN_OK);
	CU_ASSERT_EQUAL(total, 0);
	CU_ASSERT_EQUAL(store_add(s, "c", INT64_MAX, HOUR, CLOCK_NEVER, &total), PTN_OK);
	CU_ASSERT_EQUAL(store_add(s, "c", 1, HOUR, CLOCK_NEVER, &total), PTN_OK);
	CU_ASSERT_EQUAL(total, INT64_MAX);
	CU_ASSERT_EQUAL(store_remove(s, "c", CLOCK_NEVER), PTN_OK);
	CU_ASSERT_EQUAL(store_add(s, "c", 1, HOUR, CLOCK_NEVER, &total), PTN_OK);
	CU_ASSERT_EQUAL(total, 1);
	CU_ASSERT_EQUAL(store_add(s, "ever", 1, INT64_MAX, CLOCK_NEVER, &total), PTN_OK);
	fixture_move_clock(f, 1000 * HOUR);
	CU_ASSERT_EQUAL(store_add(s, "ever", 1, INT64_MAX, CLOCK_NEVER, &total), PTN_OK);
	CU_ASSERT_EQUAL(total, 2);
	CU_ASSERT_EQUAL(store_set(s, "text", "x", 0, CLOCK_NEVER), PTN_OK);
	CU_ASSERT_EQUAL(store_add(s, "text", 1, HOUR, CLOCK_NEVER, &total), PTN_TAKEN);
	assert_value(s, "text", "x");
}

/* Keys found, joined by blanks. */
static char *
list_keys(Store *store, const char *prefix, const char *after, size_t limit)
{
	g_autoptr(GPtrArray) items = NULL;
	GString *keys = g_string_new(NULL);

	CU_ASSERT_EQUAL_FATAL(store_list(store, prefix, after, limit, CLOCK_NEVER, &items), PTN_OK);
	for (guint i = 0; i < items->len; i++)
		g_string_append_printf(keys, "%s%s", i > 0 ? " " : "", ((const StoreItem *)g_ptr_array_index(items, i))->key);
	return g_string_free(keys, FALSE);
}

static void
check_list(Fixture *f)
{
	static const struct {
		const char *prefix, *after;
		size_t limit;
		const char *keys;
	} cases[] = {
		{ "x/", NULL, 10, "x/ x/1 x/2 x/3" },
		{ "x/", NULL, 2, "x/ x/1" },
		{ "x/", "x/1", 10, "x/2 x/3" },
		{ "x/", "x/15", 1, "x/2" },
		{ "x/", "x/", 10, "x/1 x/2 x/3" },
		{ "x/", "w", 10, "x/ x/1 x/2 x/3" },
		{ "x/", "y", 10, "" },
		{ "", NULL, 10, "w x/ x/1 x/2 x/3 x0" },
		{ "z", NULL, 10, "" },
		{ "x/", NULL, 0, "" },
	};
	static const char *const keys[] = { "x/3", "x0", "x/1", "w", "x/", "x/2" };

	CU_ASSERT_EQUAL(store_set(f->store, "x/12", "gone", 1, CLOCK_NEVER), PTN_OK);
	for (size_t i = 0; i < G_N_ELEMENTS(keys); i++)
		CU_ASSERT_EQUAL(store_set(f->store, keys[i], "v", 0, CLOCK_NEVER), PTN_OK);
	fixture_move_clock(f, f->grain_us);
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *found = list_keys(f->store, cases[i].prefix, cases[i].after, cases[i].limit);

		ASSERT_TEXT(found, cases[i].keys);
	}
}

/* The same where the prefix is watched. */
static void
check_list_watched(Fixture *f)
{
	store_watch(f->store, "x/");
	check_list(f);
}

static void
check_changes(Fixture *f)
{
	Store *s = f->store;
	uint64_t first, second, third;

	CU_ASSERT_EQUAL(store_changes(s, "block/", CLOCK_NEVER, &first), PTN_NONE);
	store_watch(s, "block/");
	store_watch(s, "block/");
	CU_ASSERT_EQUAL(store_changes(s, "block/", CLOCK_NEVER, &first), PTN_OK);
	CU_ASSERT_EQUAL(store_set(s, "blocked", "1", 0, CLOCK_NEVER), PTN_OK);
	CU_ASSERT_EQUAL(store_changes(s, "block/", CLOCK_NEVER, &second), PTN_OK);
	CU_ASSERT_EQUAL(second, first);
	CU_ASSERT_EQUAL(store_set(s, "block/192.0.2.1", "1", 0, CLOCK_NEVER), PTN_OK);
	CU_ASSERT_EQUAL(store_changes(s, "block/", CLOCK_NEVER, &second), PTN_OK);
	CU_ASSERT_TRUE(second > first);
	CU_ASSERT_EQUAL(store_remove(s, "block/192.0.2.1", CLOCK_NEVER), PTN_OK);
	CU_ASSERT_EQUAL(store_changes(s, "block/", CLOCK_NEVER, &third), PTN_OK);
	CU_ASSERT_TRUE(third > second);
	CU_ASSERT_EQUAL(store_add(s, "block/count", 1, HOUR, CLOCK_NEVER, NULL), PTN_OK);
	CU_ASSERT_EQUAL(store_changes(s, "block/", CLOCK_NEVER, &second), PTN_OK);
	CU_ASSERT_TRUE(second > third);
	CU_ASSERT_EQUAL(store_remove(s, "block/192.0.2.1", CLOCK_NEVER), PTN_NONE);
	CU_ASSERT_EQUAL(store_changes(s, "block/", CLOCK_NEVER, &third), PTN_OK);
	CU_ASSERT_EQUAL(third, second);
}

/* What is copied: all that is there, with its expiry, into a store where it goes on. */
static bool
copy_one(void *data, const StoreItem *item)
{
	Store *to = data;

	CU_ASSERT_EQUAL(store_load(to, item, CLOCK_NEVER), PTN_OK);
	return true;
}

static void
check_copy(Fixture *f)
{
	Store *s = f->store;
	g_autoptr(Store) other = store_open("memory:", false, &f->clock.clock, NULL);
	int64_t total;

	store_watch(s, "block/");
	CU_ASSERT_EQUAL(store_set(s, "block/a", "1", 0, CLOCK_NEVER), PTN_OK);
	CU_ASSERT_EQUAL(store_set(s, "b", "2", 5 * CLOCK_SECOND, CLOCK_NEVER), PTN_OK);
	CU_ASSERT_EQUAL(store_add(s, "c", 3, HOUR, CLOCK_NEVER, NULL), PTN_OK);
	CU_ASSERT_EQUAL(store_each(s, copy_one, other), PTN_OK);
	CU_ASSERT_EQUAL(store_remove(s, "block/a", CLOCK_NEVER), PTN_OK);
	CU_ASSERT_EQUAL(store_remove(s, "b", CLOCK_NEVER), PTN_OK);
	CU_ASSERT_EQUAL(store_remove(s, "c", CLOCK_NEVER), PTN_OK);
	CU_ASSERT_EQUAL(store_add(other, "c", 1, HOUR, CLOCK_NEVER, NULL), PTN_OK);
	CU_ASSERT_EQUAL(store_each(other, copy_one, s), PTN_OK);
	assert_value(s, "block/a", "1");
	CU_ASSERT_EQUAL(store_add(s, "c", 1, HOUR, CLOCK_NEVER, &total), PTN_OK);
	CU_ASSERT_EQUAL(total, 5);
	assert_value(s, "b", "2");
	fixture_move_clock(f, 5 * CLOCK_SECOND);
	assert_value(s, "b", NULL);
}

static void
check_odd_keys(Fixture *f)
{
	g_autofree char *longest = g_strnfill(500, 'k'), *too_long = g_strnfill(501, 'k');
	g_autofree char *large = g_strnfill(1024 * 1024, 'v'), *too_large = g_strnfill(1024 * 1024 + 1, 'v');
	Store *s = f->store;
	char *value = NULL;

	CU_ASSERT_EQUAL(store_set(s, longest, large, 0, CLOCK_NEVER), PTN_OK);
	assert_value(s, longest, large);
	CU_ASSERT_EQUAL(store_set(s, too_long, "v", 0, CLOCK_NEVER), PTN_UNSURE);
	CU_ASSERT_EQUAL(store_set(s, "k", too_large, 0, CLOCK_NEVER), PTN_UNSURE);
	CU_ASSERT_EQUAL(store_claim(s, "", "v", 0, CLOCK_NEVER), PTN_UNSURE);
	CU_ASSERT_EQUAL(store_get(s, "a\nb", CLOCK_NEVER, &value, NULL), PTN_UNSURE);
	CU_ASSERT_EQUAL(store_add(s, "k", 1, 0, CLOCK_NEVER, NULL), PTN_UNSURE);
}

/* Expired items go with later writes, whatever those are. */
static void
check_sweep(Fixture *f)
{
	g_autofree char *left = NULL;

	for (int i = 0; i < 100; i++) {
		g_autofree char *key = g_strdup_printf("old/%03d", i);

		CU_ASSERT_EQUAL(store_set(f->store, key, "v", CLOCK_SECOND, CLOCK_NEVER), PTN_OK);
	}
	fixture_move_clock(f, 2 * CLOCK_SECOND);
	for (int i = 0; i < 200; i++)
		CU_ASSERT_EQUAL(store_set(f->store, "new", "v", 0, CLOCK_NEVER), PTN_OK);
	fixture_move_clock(f, -2 * CLOCK_SECOND);
	left = list_keys(f->store, "", NULL, 1000);
	ASSERT_TEXT(left, "new");
}

/* A cache whose keys come from strangers, and live long, against counters that do not. */
static void
test_eviction(void)
{
	FakeClock clock = fake_clock();
	StoreTable *table = store_table_new(&clock.clock);
	const int64_t now_us = clock_wall(&clock.clock);
	size_t counters = 0, evicted = 0;
	char key[64], value[] = "1";

	for (int i = 0; i < 12000; i++) {
		const bool is_counter = i < 1000;
		const StoreRow row = { key, value, (uint64_t)i + 1, now_us + (is_counter ? HOUR : 30 * 24 * HOUR) };

		g_snprintf(key, sizeof key, is_counter ? "plugin/blocking/c/%d" : "plugin/senderverify/a/%d", i);
		store_table_apply(table, &row);
		if (store_table_size(table) > 3000) {
			g_autofree char *gone = store_table_evict(table);

			CU_ASSERT_TRUE(gone != NULL && g_str_has_prefix(gone, "plugin/senderverify/"));
			evicted++;
		}
	}
	for (int i = 0; i < 1000; i++) {
		g_snprintf(key, sizeof key, "plugin/blocking/c/%d", i);
		counters += store_table_find(table, key) != NULL;
	}
	CU_ASSERT_EQUAL(counters, 1000);
	CU_ASSERT_EQUAL(evicted, 9000);
	store_table_free(table);
	table = store_table_new(&clock.clock); /* what is kept for ever is not evicted, whoever has the most of it */
	for (int i = 0; i < 40; i++) {
		const StoreRow row = { key, value, (uint64_t)i + 1, i < 30 ? CLOCK_NEVER : now_us + HOUR };

		g_snprintf(key, sizeof key, i < 30 ? "block/%d" : i < 35 ? "plain%d" : "plugin/x/%d", i);
		store_table_apply(table, &row);
	}
	for (int i = 0; i < 40; i++) {
		g_autofree char *gone = store_table_evict(table);

		CU_ASSERT_TRUE(gone == NULL || !g_str_has_prefix(gone, "block/"));
	}
	CU_ASSERT_EQUAL(store_table_size(table), 30);
	store_table_free(table);
}

/* A store that was opened with fewer items than its file has comes down to them. */
static void
test_most_items(void)
{
	g_autofree char *directory = unit_new_directory();
	g_autofree char *url = g_strdup_printf("sqlite:%s/s.db", directory);
	FakeClock clock = fake_clock();
	StoreSettings settings = { .url = url, .clock = &clock.clock, .most_items = 200 };
	g_autoptr(GPtrArray) items = NULL;
	Store *store;

	for (int opened = 0; opened < 2; opened++) {
		store = store_open_with(&settings, NULL);
		for (int i = 0; i < 300; i++) {
			g_autofree char *key = g_strdup_printf("plugin/a/%d/%d", opened, i);

			CU_ASSERT_EQUAL(store_set(store, key, "v", HOUR, CLOCK_NEVER), PTN_OK);
		}
		g_clear_pointer(&items, g_ptr_array_unref);
		CU_ASSERT_EQUAL(store_list(store, "plugin/", NULL, 1000, CLOCK_NEVER, &items), PTN_OK);
		CU_ASSERT_EQUAL(items->len, settings.most_items);
		store_close(store);
		settings.most_items = 50;
	}
	unit_remove_directory(directory);
}

static void
table_put(StoreTable *table, const char *key, int64_t expires_us)
{
	char value[] = "1";
	g_autofree char *own = g_strdup(key);
	const StoreRow row = { own, value, 1, expires_us };

	store_table_apply(table, &row);
}

/* The sweep of an owner ends at the items of the next one, which may go at any time. */
static void
test_eviction_beside_another(void)
{
	FakeClock clock = fake_clock();
	StoreTable *table = store_table_new(&clock.clock);
	const int64_t then_us = clock_wall(&clock.clock) + HOUR;

	for (int i = 0; i < 16; i++) {
		g_autofree char *key = g_strdup_printf("plugin/a/%02d", i);

		table_put(table, key, then_us + i);
	}
	table_put(table, "plugin/b/1", then_us);
	table_put(table, "plugin/b/2", then_us);
	for (int i = 0; i < 2; i++) {
		const StoreRow gone = { .key = (char[]){ "plugin/b/1" } };
		g_autofree char *expected = g_strdup_printf("plugin/a/%02d", i);
		g_autofree char *evicted = store_table_evict(table);

		ASSERT_TEXT(evicted, expected);
		store_table_apply(table, &gone);
	}
	store_table_free(table);
}

static void *
store_hammer(void *data)
{
	Store *store = data;

	for (int i = 0; i < STORE_ROUNDS; i++) {
		g_autofree char *key = g_strdup_printf("k/%d", i % 17);
		g_autofree char *value = NULL;
		g_autoptr(GPtrArray) items = NULL;

		(void)store_add(store, "count", 1, HOUR, CLOCK_NEVER, NULL);
		(void)store_set(store, key, "v", i % 3, CLOCK_NEVER);
		(void)store_get(store, key, CLOCK_NEVER, &value, NULL);
		(void)store_remove(store, key, CLOCK_NEVER);
		(void)store_list(store, "k/", NULL, 5, CLOCK_NEVER, &items);
		if (i % 50 == 0)
			(void)store_flush(store);
	}
	return NULL;
}

static void
check_threads(Fixture *f)
{
	GThread *threads[STORE_THREADS];

	for (int i = 0; i < STORE_THREADS; i++)
		threads[i] = g_thread_new("store", store_hammer, f->store);
	for (int i = 0; i < STORE_THREADS; i++)
		(void)g_thread_join(threads[i]);
	{
		g_autofree char *expected = g_strdup_printf("%d", STORE_THREADS * STORE_ROUNDS);

		assert_value(f->store, "count", expected);
	}
}

static void
check_describe(Fixture *f)
{
	g_autofree char *text = store_describe(f->store);

	CU_ASSERT_PTR_NOT_NULL(strstr(text, " ok"));
}

static void
store_run(StoreKind kind, void (*check)(Fixture *f))
{
	Fixture f;

	if (kind == STORE_REDIS && !redis_server_is_there()) {
		fprintf(stderr, " [skipped: no redis-server] ");
		return;
	}
	fixture_open(&f, kind);
	check(&f);
	fixture_close(&f);
}

/* A redis sweeps by itself. */
static void
check_sweep_unless_redis(Fixture *f)
{
	if (f->redis == NULL)
		check_sweep(f);
}

#define STORE_SUITE(KIND, WHICH) \
	static void KIND##_set(void) { store_run(WHICH, check_set); } \
	static void KIND##_expiry(void) { store_run(WHICH, check_expiry); } \
	static void KIND##_versions(void) { store_run(WHICH, check_versions); } \
	static void KIND##_counters(void) { store_run(WHICH, check_counters); } \
	static void KIND##_tally(void) { store_run(WHICH, check_tally); } \
	static void KIND##_list(void) { store_run(WHICH, check_list); } \
	static void KIND##_watched(void) { store_run(WHICH, check_list_watched); } \
	static void KIND##_changes(void) { store_run(WHICH, check_changes); } \
	static void KIND##_copy(void) { store_run(WHICH, check_copy); } \
	static void KIND##_odd(void) { store_run(WHICH, check_odd_keys); } \
	static void KIND##_sweep(void) { store_run(WHICH, check_sweep_unless_redis); } \
	static void KIND##_threads(void) { store_run(WHICH, check_threads); } \
	static void KIND##_describe(void) { store_run(WHICH, check_describe); } \
	static const UnitTest KIND##_tests[] = { \
		{ "get, set, remove", KIND##_set }, { "expiry by the clock; claim", KIND##_expiry }, \
		{ "versions rise, replace compares them", KIND##_versions }, \
		{ "counters over aligned windows", KIND##_counters }, \
		{ "several counters under one key: all or none", KIND##_tally }, { "lists by prefix, in pages", KIND##_list }, \
		{ "the same of a watched prefix", KIND##_watched }, { "the change feed", KIND##_changes }, \
		{ "every item, and its copy", KIND##_copy }, { "keys and values out of bounds", KIND##_odd }, \
		{ "the expired are swept", KIND##_sweep }, { "many threads", KIND##_threads }, \
		{ "says that it is well", KIND##_describe }, { NULL, NULL } }; \
	const UnitSuite suite_store_##KIND = { "store-" #KIND, KIND##_tests };

STORE_SUITE(memory, STORE_MEMORY)
STORE_SUITE(sqlite, STORE_SQLITE)
STORE_SUITE(durable, STORE_DURABLE)
STORE_SUITE(redis, STORE_REDIS)

static const UnitTest table_tests[] = {
	{ "as many items as there may be, also after a start with fewer", test_most_items },
	{ "who owns the most items gives when there are too many", test_eviction },
	{ "an item that goes leaves no owner's sweep at it", test_eviction_beside_another },
	{ NULL, NULL },
};

const UnitSuite suite_store_table = { "store-table", table_tests };
