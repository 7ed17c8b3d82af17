/* test-store.c - the contract of the store, the same for every back end. */
#include <glib.h>
#include <stdio.h>
#include <string.h>

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

/* Claims that no clock but a wrong one can have made are over; what is off by less than a minute, or unending, stays. */
static void
check_clock_set_back(Fixture *f)
{
	Store *s = f->store;

	if (f->redis != NULL)
		return; /* it has a clock of its own */
	CU_ASSERT_EQUAL(store_claim(s, "a", "1", 600 * CLOCK_SECOND, CLOCK_NEVER), PTN_OK);
	CU_ASSERT_EQUAL(store_claim(s, "endless", "1", 0, CLOCK_NEVER), PTN_OK);
	fixture_move_clock(f, -50 * CLOCK_SECOND);
	CU_ASSERT_EQUAL(store_claim(s, "a", "2", 600 * CLOCK_SECOND, CLOCK_NEVER), PTN_TAKEN);
	fixture_move_clock(f, -3600 * CLOCK_SECOND);
	CU_ASSERT_EQUAL(store_claim(s, "a", "2", 600 * CLOCK_SECOND, CLOCK_NEVER), PTN_OK);
	CU_ASSERT_EQUAL(store_claim(s, "a", "3", 600 * CLOCK_SECOND, CLOCK_NEVER), PTN_TAKEN);
	CU_ASSERT_EQUAL(store_claim(s, "endless", "2", 0, CLOCK_NEVER), PTN_TAKEN);
	assert_value(s, "a", "2");
}

static void
check_versions(Fixture *f)
{
	Store *s = f->store;
	g_autofree char *value = NULL;
	uint64_t version = 0, stale, read;

	CU_ASSERT_EQUAL(store_replace(s, "a", "1", 0, &version, CLOCK_NEVER), PTN_OK);
	CU_ASSERT_TRUE(version > 0);
	CU_ASSERT_EQUAL(store_get(s, "a", CLOCK_NEVER, &value, &read), PTN_OK);
	CU_ASSERT_EQUAL(read, version);
	stale = version;
	CU_ASSERT_EQUAL(store_replace(s, "a", "2", 0, &version, CLOCK_NEVER), PTN_OK);
	CU_ASSERT_TRUE(version > stale);
	CU_ASSERT_EQUAL(store_replace(s, "a", "3", 0, &stale, CLOCK_NEVER), PTN_TAKEN);
	read = 0;
	CU_ASSERT_EQUAL(store_replace(s, "a", "3", 0, &read, CLOCK_NEVER), PTN_TAKEN);
	assert_value(s, "a", "2");
	stale = version;
	CU_ASSERT_EQUAL(store_replace(s, "a", NULL, 0, &version, CLOCK_NEVER), PTN_OK);
	assert_value(s, "a", NULL);
	CU_ASSERT_EQUAL(store_replace(s, "a", "4", 0, &stale, CLOCK_NEVER), PTN_TAKEN);
	fixture_move_clock(f, f->grain_us); /* a redis remembers no version of what is gone: there they are times */
	read = 0;
	CU_ASSERT_EQUAL(store_replace(s, "a", "4", 0, &read, CLOCK_NEVER), PTN_OK);
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

/* A value goes when the last of its counters ends, in whichever order a back end keeps them. */
static void
assert_tally_stays(Fixture *f)
{
	for (int pass = 0; pass < 2; pass++) {
		for (int i = 0; i < 12; i++) {
			char key[16], names[2][16];
			StoreTally tallies[] = { { .name = names[i % 2], .n = 1, .window_us = 24 * HOUR },
				{ .name = names[(i + 1) % 2], .n = 1, .window_us = HOUR } };

			(void)snprintf(key, sizeof key, "t%d", i);
			(void)snprintf(names[0], sizeof names[0], "a%d", i);
			(void)snprintf(names[1], sizeof names[1], "b%d", 7 * i);
			CU_ASSERT_EQUAL(store_tally(f->store, key, tallies, 2, CLOCK_NEVER), PTN_OK);
			CU_ASSERT_EQUAL(tallies[0].total, pass + 1);
			CU_ASSERT_EQUAL(tallies[1].total, 1);
		}
		fixture_move_clock(f, 2 * HOUR);
	}
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
	assert_tally_stays(f);
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

static bool
has_key(const GPtrArray *keys, const char *key)
{
	bool has = false;

	for (guint i = 0; i < keys->len; i++)
		has |= strcmp(g_ptr_array_index(keys, i), key) == 0;
	return has;
}

/* Which keys changed since a number; a back end that does not know says that any may have. */
static void
check_feed(Fixture *f)
{
	Store *s = f->store;
	StoreFeed feeds[] = { { .prefix = "block/" }, { .prefix = "audit/" } };

	CU_ASSERT_EQUAL(store_feed(s, feeds, 2, CLOCK_NEVER), PTN_NONE);
	store_watch(s, "block/");
	store_watch(s, "audit/");
	CU_ASSERT_EQUAL(store_set(s, "audit/1", "1", 0, CLOCK_NEVER), PTN_OK);
	CU_ASSERT_EQUAL(store_feed(s, feeds, 2, CLOCK_NEVER), PTN_OK);
	CU_ASSERT_PTR_NULL(feeds[0].keys);
	CU_ASSERT_PTR_NULL(feeds[1].keys);
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < G_N_ELEMENTS(feeds); i++) {
			feeds[i].has_since = true;
			feeds[i].since = feeds[i].number;
		}
		if (round > 0)
			CU_ASSERT_EQUAL(store_set(s, "block/a", "1", HOUR, CLOCK_NEVER), PTN_OK);
		if (round > 1)
			CU_ASSERT_EQUAL(store_set(s, "block/b", "1", HOUR, CLOCK_NEVER), PTN_OK);
		CU_ASSERT_EQUAL(store_feed(s, feeds, 2, CLOCK_NEVER), PTN_OK);
		CU_ASSERT_EQUAL(feeds[0].number == feeds[0].since, round == 0);
		CU_ASSERT_EQUAL(feeds[1].number, feeds[1].since);
		CU_ASSERT_TRUE(feeds[1].keys != NULL && feeds[1].keys->len == 0);
		CU_ASSERT_TRUE(feeds[0].keys == NULL ? round > 0 : feeds[0].keys->len == (guint)round);
		CU_ASSERT_TRUE(feeds[0].keys == NULL || round < 2 || has_key(feeds[0].keys, "block/b"));
		for (size_t i = 0; i < G_N_ELEMENTS(feeds); i++)
			g_clear_pointer(&feeds[i].keys, g_ptr_array_unref);
	}
	feeds[0].since = feeds[0].number + 1; /* of a server that lost the last change */
	CU_ASSERT_EQUAL(store_feed(s, feeds, 1, CLOCK_NEVER), PTN_OK);
	CU_ASSERT_PTR_NULL(feeds[0].keys);
	CU_ASSERT_TRUE(ABS(store_wall(s) - f->clock.now_us) < CLOCK_SECOND);
}

static void
check_read(Fixture *f)
{
	Store *s = f->store;
	g_autoptr(GPtrArray) keys = g_ptr_array_new(), items = NULL;
	char all[][16] = { "block/a", "block/b", "block/none" };
	const StoreItem *item;

	store_watch(s, "block/");
	for (size_t i = 0; i < G_N_ELEMENTS(all); i++)
		g_ptr_array_add(keys, all[i]);
	CU_ASSERT_EQUAL(store_set(s, "block/a", "1", HOUR, CLOCK_NEVER), PTN_OK);
	CU_ASSERT_EQUAL(store_set(s, "block/b", "2", CLOCK_SECOND, CLOCK_NEVER), PTN_OK);
	fixture_move_clock(f, 2 * CLOCK_SECOND);
	CU_ASSERT_EQUAL(store_read(s, "block/", keys, CLOCK_NEVER, &items), PTN_OK);
	CU_ASSERT_EQUAL_FATAL(items->len, 1);
	item = g_ptr_array_index(items, 0);
	ASSERT_TEXT(item->key, "block/a");
	ASSERT_TEXT(item->value, "1");
	CU_ASSERT_TRUE(ABS(item->expires_us - f->clock.now_us - HOUR) < 3 * CLOCK_SECOND);
}

static void
check_replace_expires(Fixture *f)
{
	Store *s = f->store;
	uint64_t version = 0;

	CU_ASSERT_EQUAL(store_replace(s, "a", "1", CLOCK_SECOND, &version, CLOCK_NEVER), PTN_OK);
	CU_ASSERT_EQUAL(store_replace(s, "a", "2", HOUR, &version, CLOCK_NEVER), PTN_OK);
	fixture_move_clock(f, 2 * CLOCK_SECOND);
	assert_value(s, "a", "2");
	fixture_move_clock(f, HOUR);
	assert_value(s, "a", NULL);
	CU_ASSERT_EQUAL(store_replace(s, "a", "3", 0, &version, CLOCK_NEVER), PTN_TAKEN);
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

	if (kind == STORE_REDIS && !redis_server_is_there())
		return;
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
	static void KIND##_clock(void) { store_run(WHICH, check_clock_set_back); } \
	static void KIND##_versions(void) { store_run(WHICH, check_versions); } \
	static void KIND##_counters(void) { store_run(WHICH, check_counters); } \
	static void KIND##_tally(void) { store_run(WHICH, check_tally); } \
	static void KIND##_list(void) { store_run(WHICH, check_list); } \
	static void KIND##_watched(void) { store_run(WHICH, check_list_watched); } \
	static void KIND##_changes(void) { store_run(WHICH, check_changes); } \
	static void KIND##_feed(void) { store_run(WHICH, check_feed); } \
	static void KIND##_read(void) { store_run(WHICH, check_read); } \
	static void KIND##_replaced(void) { store_run(WHICH, check_replace_expires); } \
	static void KIND##_copy(void) { store_run(WHICH, check_copy); } \
	static void KIND##_odd(void) { store_run(WHICH, check_odd_keys); } \
	static void KIND##_sweep(void) { store_run(WHICH, check_sweep_unless_redis); } \
	static void KIND##_threads(void) { store_run(WHICH, check_threads); } \
	static void KIND##_describe(void) { store_run(WHICH, check_describe); } \
	static const UnitTest KIND##_tests[] = { \
		{ "get, set, remove", KIND##_set }, { "expiry by the clock; claim", KIND##_expiry }, \
		{ "I-41 claims after the clock was set back", KIND##_clock }, \
		{ "versions rise, replace compares them", KIND##_versions }, \
		{ "counters over aligned windows", KIND##_counters }, \
		{ "several counters under one key: all or none", KIND##_tally }, { "lists by prefix, in pages", KIND##_list }, \
		{ "the same of a watched prefix", KIND##_watched }, { "the change feed", KIND##_changes }, \
		{ "which keys changed, and the store's clock", KIND##_feed }, \
		{ "several items at once", KIND##_read }, { "what replaces has an expiry of its own", KIND##_replaced }, \
		{ "every item, and its copy", KIND##_copy }, { "keys and values out of bounds", KIND##_odd }, \
		{ "the expired are swept", KIND##_sweep }, { "many threads", KIND##_threads }, \
		{ "says that it is well", KIND##_describe }, { NULL, NULL } }; \
	const UnitSuite suite_store_##KIND = { "store-" #KIND, KIND##_tests };

STORE_SUITE(memory, STORE_MEMORY)
STORE_SUITE(sqlite, STORE_SQLITE)
STORE_SUITE(durable, STORE_DURABLE)
STORE_SUITE(redis, STORE_REDIS)
