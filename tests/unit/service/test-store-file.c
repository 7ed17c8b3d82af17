/* test-store-file.c - what outlives a close, a crash and a newer version; the bounds of memory. */
#include <glib.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/store.h"
#include "service/store-table.h"
#include "unit/service/fake-clock.h"
#include "unit/service/suites.h"

enum { FILE_POLLS = 1000, FILE_POLL_US = 10000, FILE_BOUND = 500 * 1000, FILE_MANY = FILE_BOUND + 1000 };

typedef struct {
	FakeClock clock;
	char *directory, *path, *url;
} Place;

static Place
place_new(void)
{
	Place place = { .clock = fake_clock(), .directory = unit_new_directory() };

	place.path = g_build_filename(place.directory, "s.db", NULL);
	place.url = g_strconcat("sqlite:", place.path, NULL);
	return place;
}

static void
place_free(Place *place)
{
	unit_remove_directory(place->directory);
	g_free(place->directory);
	g_free(place->path);
	g_free(place->url);
}

static Store *
place_open(Place *place, bool is_durable)
{
	g_autoptr(GError) error = NULL;
	Store *store = store_open(place->url, is_durable, &place->clock.clock, &error);

	if (store == NULL)
		ASSERT_TEXT(error->message, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(store);
	return store;
}

static void
assert_holds(Store *store, const char *key, const char *expected)
{
	g_autofree char *value = NULL;

	CU_ASSERT_EQUAL(store_get(store, key, CLOCK_NEVER, &value, NULL), expected != NULL ? PTN_OK : PTN_NONE);
	ASSERT_TEXT(value, expected);
}

static void
run_reopened(bool is_durable)
{
	Place place = place_new();
	Store *store = place_open(&place, is_durable);
	uint64_t before = 0, after = 0;

	CU_ASSERT_EQUAL(store_set(store, "kept", "1", 0, CLOCK_NEVER), PTN_OK);
	CU_ASSERT_EQUAL(store_set(store, "short", "1", 2 * CLOCK_SECOND, CLOCK_NEVER), PTN_OK);
	CU_ASSERT_EQUAL(store_set(store, "long", "1", 20 * CLOCK_SECOND, CLOCK_NEVER), PTN_OK);
	CU_ASSERT_EQUAL(store_add(store, "count", 5, 3600 * CLOCK_SECOND, CLOCK_NEVER, NULL), PTN_OK);
	CU_ASSERT_EQUAL(store_replace(store, "gone", "1", 0, &before, CLOCK_NEVER), PTN_OK);
	CU_ASSERT_EQUAL(store_remove(store, "gone", CLOCK_NEVER), PTN_OK);
	store_close(store);
	place.clock.now_us += 10 * CLOCK_SECOND;
	store = place_open(&place, is_durable);
	assert_holds(store, "kept", "1");
	assert_holds(store, "short", NULL);
	assert_holds(store, "long", "1");
	assert_holds(store, "gone", NULL);
	CU_ASSERT_EQUAL(store_add(store, "count", 2, 3600 * CLOCK_SECOND, CLOCK_NEVER, NULL), PTN_OK);
	assert_holds(store, "count", "7");
	CU_ASSERT_EQUAL(store_replace(store, "gone", "2", 0, &after, CLOCK_NEVER), PTN_OK);
	CU_ASSERT_TRUE(after > before + 1);
	store_close(store);
	place_free(&place);
}

static void
test_reopened(void)
{
	run_reopened(false);
	run_reopened(true);
}

/* A child works on the store and dies by SIGKILL; nothing is closed. */
static void
crash_after(Place *place, bool is_durable, void (*work)(Store *store))
{
	const pid_t child = fork();
	int status;

	CU_ASSERT_TRUE_FATAL(child >= 0);
	if (child == 0) {
		work(store_open(place->url, is_durable, &place->clock.clock, NULL));
		(void)kill(getpid(), SIGKILL);
	}
	CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
	CU_ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void
work_durably(Store *store)
{
	(void)store_set(store, "a", "1", 0, CLOCK_NEVER);
	(void)store_set(store, "b", "1", 0, CLOCK_NEVER);
	(void)store_remove(store, "b", CLOCK_NEVER);
}

static void
test_crash_durable(void)
{
	Place place = place_new();
	Store *store;

	crash_after(&place, true, work_durably);
	store = place_open(&place, true);
	assert_holds(store, "a", "1");
	assert_holds(store, "b", NULL);
	store_close(store);
	place_free(&place);
}

static void
work_behind(Store *store)
{
	(void)store_set(store, "old", "1", 0, CLOCK_NEVER);
	(void)store_flush(store);
	for (int i = 0; i < 500; i++) {
		g_autofree char *key = g_strdup_printf("new/%d", i);

		(void)store_set(store, key, "1", 0, CLOCK_NEVER);
	}
}

static void
test_crash_behind(void)
{
	Place place = place_new();
	g_autoptr(GPtrArray) items = NULL;
	Store *store;

	crash_after(&place, false, work_behind);
	store = place_open(&place, false);
	assert_holds(store, "old", "1");
	CU_ASSERT_EQUAL(store_list(store, "new/", NULL, 1000, CLOCK_NEVER, &items), PTN_OK);
	/* One transaction: all of it or, nearly always, nothing. */
	CU_ASSERT_TRUE(items->len == 0 || items->len == 500);
	store_close(store);
	place_free(&place);
}

static bool
file_has_rows(const char *path)
{
	sqlite3 *db = NULL;
	sqlite3_stmt *statement = NULL;
	bool has_rows;

	CU_ASSERT_EQUAL(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	CU_ASSERT_EQUAL(sqlite3_prepare_v2(db, "SELECT 1 FROM items", -1, &statement, NULL), SQLITE_OK);
	has_rows = sqlite3_step(statement) == SQLITE_ROW;
	sqlite3_finalize(statement);
	sqlite3_close(db);
	return has_rows;
}

/* The one test that waits for real time to pass: the writer's second is what it is about. */
static void
test_writer(void)
{
	Place place = place_new();
	Store *store = place_open(&place, false);
	int polls = 0;

	CU_ASSERT_EQUAL(store_set(store, "a", "1", 0, CLOCK_NEVER), PTN_OK);
	while (!file_has_rows(place.path) && polls++ < FILE_POLLS)
		g_usleep(FILE_POLL_US);
	CU_ASSERT_TRUE(polls < FILE_POLLS);
	store_close(store);
	place_free(&place);
}

static void
run_sql(const char *path, const char *sql)
{
	sqlite3 *db = NULL;

	CU_ASSERT_EQUAL(sqlite3_open(path, &db), SQLITE_OK);
	CU_ASSERT_EQUAL(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void
assert_refused(Place *place, const char *why)
{
	g_autoptr(GError) error = NULL;

	CU_ASSERT_PTR_NULL(store_open(place->url, true, &place->clock.clock, &error));
	CU_ASSERT_PTR_NOT_NULL_FATAL(error);
	if (strstr(error->message, why) == NULL)
		ASSERT_TEXT(error->message, why);
}

static void
test_newer(void)
{
	Place place = place_new();

	store_close(place_open(&place, true));
	run_sql(place.path, "PRAGMA user_version = 2");
	assert_refused(&place, "has format 2, this Postern knows formats up to 1");
	run_sql(place.path, "PRAGMA user_version = 1; PRAGMA application_id = 1");
	assert_refused(&place, "is not a store of Postern");
	place_free(&place);
}

static void
test_damaged(void)
{
	Place place = place_new();
	g_autofree char *junk = g_strnfill(5000, 'x');

	CU_ASSERT_TRUE(g_file_set_contents(place.path, junk, -1, NULL));
	assert_refused(&place, "file is not a database");
	place_free(&place);
}

static void
test_opened_twice(void)
{
	Place place = place_new();
	Store *store = place_open(&place, true);

	assert_refused(&place, "is in use already");
	store_close(store);
	store_close(place_open(&place, true));
	place_free(&place);
}

static void
test_bad_urls(void)
{
	FakeClock clock = fake_clock();

	CU_ASSERT_PTR_NULL(store_open("mysql:x", false, &clock.clock, NULL));
	CU_ASSERT_PTR_NULL(store_open("sqlite:/nonexistent/s.db", false, &clock.clock, NULL));
	CU_ASSERT_PTR_NULL(store_open("sqlite:", false, &clock.clock, NULL));
}

/* Another program keeps the file locked for writing: nothing is lost, and the store says what is wrong. */
static void
test_write_fails(void)
{
	Place place = place_new();
	Store *store = place_open(&place, true);
	g_autofree char *trouble = NULL, *well = NULL;

	run_sql(place.path, "CREATE TRIGGER full BEFORE INSERT ON items BEGIN SELECT RAISE(ABORT, 'no more room'); END");
	CU_ASSERT_EQUAL(store_set(store, "a", "1", 0, CLOCK_NEVER), PTN_UNSURE);
	assert_holds(store, "a", NULL);
	trouble = store_describe(store);
	CU_ASSERT_PTR_NOT_NULL(strstr(trouble, "no more room"));
	run_sql(place.path, "DROP TRIGGER full");
	CU_ASSERT_EQUAL(store_set(store, "a", "1", 0, CLOCK_NEVER), PTN_OK);
	well = store_describe(store);
	ASSERT_TEXT(well, "sqlite ok");
	store_close(store);
	place_free(&place);
}

static void
take_alarm(void *data, const char *name, const char *text, int64_t since_us)
{
	(void)since_us;
	g_string_append_printf(data, "%s %s", name, text);
}

static void
test_write_alarm(void)
{
	Place place = place_new();
	g_autoptr(Metrics) metrics = metrics_new();
	const StoreSettings settings = { .url = place.url,
		.clock = &place.clock.clock,
		.is_durable = true,
		.metrics = metrics,
		.name = "directory" };
	Store *store = store_open_with(&settings, NULL);
	g_autoptr(GString) alarms = g_string_new(NULL);

	run_sql(place.path, "CREATE TRIGGER full BEFORE INSERT ON items BEGIN SELECT RAISE(ABORT, 'no more room'); END");
	CU_ASSERT_EQUAL(store_set(store, "a", "1", 0, CLOCK_NEVER), PTN_UNSURE);
	metrics_each_alarm(metrics, take_alarm, alarms);
	CU_ASSERT_TRUE(g_str_has_prefix(alarms->str, "directory.unwritten the file cannot be written: "));
	CU_ASSERT_PTR_NOT_NULL(strstr(alarms->str, "no more room"));
	run_sql(place.path, "DROP TRIGGER full");
	CU_ASSERT_EQUAL(store_set(store, "a", "1", 0, CLOCK_NEVER), PTN_OK);
	CU_ASSERT_EQUAL(metrics_alarms(metrics), 0);
	store_close(store);
	place_free(&place);
}

static void
test_write_behind_fails(void)
{
	Place place = place_new();
	Store *store = place_open(&place, false);

	run_sql(place.path, "CREATE TRIGGER full BEFORE INSERT ON items BEGIN SELECT RAISE(ABORT, 'no more room'); END");
	CU_ASSERT_EQUAL(store_set(store, "a", "1", 0, CLOCK_NEVER), PTN_OK);
	(void)store_flush(store);
	CU_ASSERT_FALSE(store_flush(store));
	assert_holds(store, "a", "1");
	run_sql(place.path, "DROP TRIGGER full");
	CU_ASSERT_TRUE(store_flush(store));
	store_close(store);
	store = place_open(&place, false);
	assert_holds(store, "a", "1");
	store_close(store);
	place_free(&place);
}

static void
test_table_evicts(void)
{
	static const struct {
		const char *key;
		int64_t expires_us;
	} items[] = { { "a", CLOCK_NEVER }, { "b", 30 }, { "c", 10 }, { "d", 20 } };
	FakeClock clock = fake_clock();
	StoreTable *table = store_table_new(&clock.clock);

	for (size_t i = 0; i < G_N_ELEMENTS(items); i++) {
		const StoreRow row = { (char *)(uintptr_t)items[i].key, (char *)(uintptr_t)"v", 1, items[i].expires_us };

		store_table_apply(table, &row);
	}
	for (size_t i = 0; i < 4; i++) {
		static const char *const order[] = { "c", "d", "b", NULL };
		g_autofree char *evicted = store_table_evict(table);

		ASSERT_TEXT(evicted, order[i]);
	}
	CU_ASSERT_EQUAL(store_table_size(table), 1);
	store_table_free(table);
}

/* Keys come from peers: their number has a bound. */
static void
test_bounded(void)
{
	FakeClock clock = fake_clock();
	Store *store = store_open("memory:", false, &clock.clock, NULL);
	g_autoptr(GPtrArray) items = NULL;

	CU_ASSERT_EQUAL(store_set(store, "kept", "v", 0, CLOCK_NEVER), PTN_OK);
	for (int i = 0; i < FILE_MANY; i++) {
		char key[32];

		g_snprintf(key, sizeof key, "k/%d", i);
		(void)store_set(store, key, "v", CLOCK_SECOND + i, CLOCK_NEVER);
	}
	CU_ASSERT_EQUAL(store_list(store, "", NULL, FILE_MANY, CLOCK_NEVER, &items), PTN_OK);
	CU_ASSERT_EQUAL(items->len, FILE_BOUND);
	assert_holds(store, "kept", "v");
	store_close(store);
}

static const UnitTest store_file_tests[] = {
	{ "K-08 V-15 values, counters and versions outlive a close", test_reopened },
	{ "a durable write survives kill -9", test_crash_durable },
	{ "a crash costs at most what was not written behind", test_crash_behind },
	{ "the writer writes once a second", test_writer },
	{ "a newer format and a foreign file are refused with a sentence", test_newer },
	{ "a damaged file is refused", test_damaged },
	{ "a file is open once at a time", test_opened_twice },
	{ "URLs that name no store", test_bad_urls },
	{ "a file that cannot be written is an alarm, until it can", test_write_alarm },
	{ "a durable write that fails changes nothing", test_write_fails },
	{ "what could not be written behind is tried again", test_write_behind_fails },
	{ "the table evicts what expires first", test_table_evicts },
	{ "a store of caches is bounded", test_bounded },
	{ NULL, NULL },
};
const UnitSuite suite_store_file = { "store-file", store_file_tests };
