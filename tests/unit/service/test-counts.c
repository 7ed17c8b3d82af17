/* test-counts.c - counting over a store that does not answer, or does and does not say so, or does later. */
#include <glib/gstdio.h>
#include <string.h>

#include "service/counts.h"
#include "unit/service/fake-clock.h"
#include "unit/service/suites.h"

#define DAY (86400 * CLOCK_SECOND)
#define KEY "plugin/one/a"

/* ---- a remote store that fails as it is told ---- */

typedef enum { REMOTE_ANSWERS, REMOTE_FAILS, REMOTE_SILENT, REMOTE_LATE, REMOTE_WAYS } RemoteWay;

/* A call that was given up by us, and is under way still. */
typedef struct {
	char *key;
	StoreTally tallies[4];
	size_t n;
} LateCall;

static bool is_remote, is_away;
static RemoteWay remote_way;
static GPtrArray *late_calls;
static unsigned calls;

PtnStatus __real_store_tally_shared(
	Store *store, const char *key, StoreTally *tallies, size_t n, int64_t deadline_us);
PtnStatus __wrap_store_tally_shared(
	Store *store, const char *key, StoreTally *tallies, size_t n, int64_t deadline_us);
PtnStatus __real_store_remove(Store *store, const char *key, int64_t deadline_us);
PtnStatus __wrap_store_remove(Store *store, const char *key, int64_t deadline_us);
bool __real_store_is_local(const Store *store);
bool __wrap_store_is_local(const Store *store);
bool __real_store_is_away(Store *store);
bool __wrap_store_is_away(Store *store);

static void
late_call_free(void *data)
{
	LateCall *call = data;

	for (size_t i = 0; i < call->n; i++)
		g_free((void *)(uintptr_t)call->tallies[i].name);
	g_free(call->key);
	g_free(call);
}

static void
remember_call(const char *key, const StoreTally *tallies, size_t n)
{
	LateCall *call = g_new0(LateCall, 1);

	CU_ASSERT_FATAL(n <= G_N_ELEMENTS(call->tallies));
	call->key = g_strdup(key);
	call->n = n;
	for (size_t i = 0; i < n; i++) {
		call->tallies[i] = tallies[i];
		call->tallies[i].name = g_strdup(tallies[i].name);
	}
	g_ptr_array_add(late_calls, call);
}

PtnStatus
__wrap_store_tally_shared(Store *store, const char *key, StoreTally *tallies, size_t n, int64_t deadline_us)
{
	if (!is_remote)
		return __real_store_tally_shared(store, key, tallies, n, deadline_us);
	calls++;
	if (remote_way == REMOTE_LATE)
		remember_call(key, tallies, n);
	if (remote_way == REMOTE_LATE || remote_way == REMOTE_FAILS)
		return PTN_UNSURE;
	if (remote_way == REMOTE_ANSWERS)
		return __real_store_tally_shared(store, key, tallies, n, deadline_us);
	(void)__real_store_tally_shared(store, key, tallies, n, deadline_us);
	for (size_t i = 0; i < n; i++)
		tallies[i].total = 0;
	return PTN_UNSURE;
}

PtnStatus
__wrap_store_remove(Store *store, const char *key, int64_t deadline_us)
{
	if (!is_remote || remote_way == REMOTE_ANSWERS)
		return __real_store_remove(store, key, deadline_us);
	if (remote_way == REMOTE_SILENT)
		(void)__real_store_remove(store, key, deadline_us);
	return PTN_UNSURE;
}

bool
__wrap_store_is_local(const Store *store)
{
	return !is_remote && __real_store_is_local(store);
}

bool
__wrap_store_is_away(Store *store)
{
	return is_remote ? is_away : __real_store_is_away(store);
}

/* ---- the fixture ---- */

typedef struct {
	FakeClock clock;
	Store *store;
	Metrics *metrics;
	Counts *counts;
} Fixture;

static void
fixture_open(Fixture *f, size_t most_keys)
{
	f->clock = fake_clock();
	f->store = store_open("memory:", false, &f->clock.clock, NULL);
	f->metrics = metrics_new();
	f->counts = counts_new(&(CountsSettings){
		.store = f->store, .metrics = f->metrics, .most_keys = most_keys });
	late_calls = g_ptr_array_new_with_free_func(late_call_free);
	is_remote = true;
	is_away = false;
	remote_way = REMOTE_ANSWERS;
}

static void
fixture_close(Fixture *f)
{
	is_remote = false;
	counts_free(f->counts);
	metrics_free(f->metrics);
	store_close(f->store);
	g_ptr_array_unref(late_calls);
}

static int64_t
soon(void)
{
	return g_get_monotonic_time() + 5 * CLOCK_SECOND;
}

/* Adds to the first of two counters of a key. */
static PtnStatus
add(Fixture *f, const char *key, int64_t n, int64_t *total)
{
	StoreTally tallies[] = { { .name = "one", .n = n, .window_us = DAY }, { .name = "two", .window_us = 60 * CLOCK_SECOND } };
	const PtnStatus status = counts_add(f->counts, key, tallies, G_N_ELEMENTS(tallies), soon());

	*total = tallies[0].total;
	return status;
}

static void
assert_add(Fixture *f, int64_t n, PtnStatus status, int64_t total)
{
	int64_t found;

	CU_ASSERT_EQUAL(add(f, KEY, n, &found), status);
	CU_ASSERT_EQUAL(found, total);
}

static void
do_late_calls(Fixture *f)
{
	for (guint i = 0; i < late_calls->len; i++) {
		LateCall *call = late_calls->pdata[i];

		(void)__real_store_tally_shared(f->store, call->key, call->tallies, call->n, CLOCK_NEVER);
	}
	g_ptr_array_set_size(late_calls, 0);
}

/* ---- the tests ---- */

static void
test_unanswered(void)
{
	Fixture f;

	fixture_open(&f, 0);
	assert_add(&f, 950, PTN_OK, 950);
	for (RemoteWay way = REMOTE_FAILS; way < REMOTE_WAYS; way++) {
		const int64_t before = 950 + 100 * (way - 1);

		remote_way = way;
		assert_add(&f, 40, PTN_UNSURE, 40);
		assert_add(&f, 60, PTN_UNSURE, 100);
		remote_way = REMOTE_ANSWERS;
		assert_add(&f, 0, PTN_OK, before + 100);
		do_late_calls(&f); /* behind it all */
		assert_add(&f, 0, PTN_OK, before + 100);
	}
	remote_way = REMOTE_LATE;
	assert_add(&f, 5, PTN_UNSURE, 5);
	do_late_calls(&f); /* before it is tried again */
	remote_way = REMOTE_ANSWERS;
	assert_add(&f, 1, PTN_OK, 1256);
	fixture_close(&f);
}

/* The memory that stands in for a store that is away is not asked; the background stores what was kept. */
static void
test_away(void)
{
	Fixture f;
	int64_t total;

	fixture_open(&f, 0);
	is_away = true;
	calls = 0;
	assert_add(&f, 7, PTN_UNSURE, 7);
	CU_ASSERT_EQUAL(add(&f, "plugin/one/b", 3, &total), PTN_UNSURE);
	CU_ASSERT_EQUAL(calls, 0);
	CU_ASSERT_FALSE(counts_flush(f.counts, soon()));
	CU_ASSERT_EQUAL(metrics_get(f.metrics, "counts.kept"), 2);
	is_away = false;
	CU_ASSERT_TRUE(counts_flush(f.counts, soon()));
	CU_ASSERT_TRUE(counts_flush(f.counts, soon()));
	CU_ASSERT_EQUAL(metrics_get(f.metrics, "counts.kept"), 0);
	assert_add(&f, 0, PTN_OK, 7);
	fixture_close(&f);
}

static void
test_later(void)
{
	const StoreTally tallies[] = { { .name = "one", .n = 4, .window_us = DAY },
		{ .name = "two", .window_us = 60 * CLOCK_SECOND } };
	Fixture f;

	fixture_open(&f, 0);
	calls = 0;
	counts_add_later(f.counts, KEY, tallies, G_N_ELEMENTS(tallies));
	counts_add_later(f.counts, KEY, tallies, G_N_ELEMENTS(tallies));
	CU_ASSERT_TRUE(counts_flush_due(f.counts, soon()));
	CU_ASSERT_EQUAL(calls, 0);
	assert_add(&f, 1, PTN_OK, 9);
	CU_ASSERT_EQUAL(calls, 1);
	fixture_close(&f);
}

/* What counted in a window that is over is nobody's business any more. */
static void
test_windows(void)
{
	Fixture f;

	fixture_open(&f, 0);
	for (RemoteWay way = REMOTE_FAILS; way < REMOTE_WAYS; way++) {
		remote_way = way;
		assert_add(&f, 3, PTN_UNSURE, 3);
		f.clock.now_us += DAY;
		assert_add(&f, 2, PTN_UNSURE, 2);
		remote_way = REMOTE_ANSWERS;
		assert_add(&f, 1, PTN_OK, 3);
		assert_add(&f, 1, PTN_OK, 4);
		f.clock.now_us += DAY;
		g_ptr_array_set_size(late_calls, 0);
	}
	fixture_close(&f);
}

static void
test_restart(void)
{
	Fixture f;

	fixture_open(&f, 0);
	assert_add(&f, 5, PTN_OK, 5);
	CU_ASSERT_EQUAL(counts_restart(f.counts, KEY, soon()), PTN_OK);
	assert_add(&f, 1, PTN_OK, 1);
	for (RemoteWay way = REMOTE_FAILS; way < REMOTE_WAYS; way++) {
		remote_way = way;
		assert_add(&f, 2, PTN_UNSURE, 2);
		CU_ASSERT_EQUAL(counts_restart(f.counts, KEY, soon()), PTN_UNSURE);
		assert_add(&f, 1, PTN_UNSURE, 1);
		remote_way = REMOTE_ANSWERS;
		assert_add(&f, 1, PTN_OK, 2);
		g_ptr_array_set_size(late_calls, 0);
	}
	fixture_close(&f);
}

/* A store that loses everything, and one that another node writes to. */
static void
test_others(void)
{
	StoreTally other[] = { { .name = "one", .n = 10, .window_us = DAY }, { .name = "two", .window_us = 60 * CLOCK_SECOND } };
	Fixture f;

	fixture_open(&f, 0);
	for (int i = 0; i < 5; i++)
		assert_add(&f, 1, PTN_OK, i + 1);
	CU_ASSERT_EQUAL(__real_store_remove(f.store, KEY, CLOCK_NEVER), PTN_OK);
	for (int i = 0; i < 3; i++)
		assert_add(&f, 1, PTN_OK, i + 1);
	CU_ASSERT_EQUAL(
		__real_store_tally_shared(f.store, KEY, other, G_N_ELEMENTS(other), CLOCK_NEVER), PTN_OK);
	assert_add(&f, 1, PTN_OK, 14);
	remote_way = REMOTE_SILENT;
	assert_add(&f, 1, PTN_UNSURE, 1);
	remote_way = REMOTE_ANSWERS;
	assert_add(&f, 1, PTN_OK, 16);
	fixture_close(&f);
}

static void
test_bound(void)
{
	Fixture f;
	int64_t total;

	fixture_open(&f, 10);
	is_away = true;
	remote_way = REMOTE_FAILS;
	for (int i = 0; i < 12; i++) {
		g_autofree char *key = g_strdup_printf("plugin/one/%d", i);

		CU_ASSERT_EQUAL(add(&f, key, 2, &total), PTN_UNSURE);
	}
	CU_ASSERT_EQUAL(metrics_get(f.metrics, "counts.lost"), 4);
	CU_ASSERT_EQUAL(metrics_alarms(f.metrics), 1);
	is_away = false;
	remote_way = REMOTE_ANSWERS;
	CU_ASSERT_TRUE(counts_flush(f.counts, soon()));
	for (int i = 0; i < 12; i++) { /* keys of which nothing is kept make room */
		g_autofree char *key = g_strdup_printf("plugin/one/%d", i);

		CU_ASSERT_EQUAL(add(&f, key, 1, &total), PTN_OK);
		CU_ASSERT_EQUAL(total, i < 10 ? 3 : 1);
	}
	fixture_close(&f);
}

/* A stop while the store does not answer: the next process stores it, once. */
static void
test_file(void)
{
	g_autofree char *folder = g_dir_make_tmp("counts-XXXXXX", NULL);
	g_autofree char *path = g_build_filename(folder, "counts", NULL);
	Fixture f;

	for (RemoteWay way = REMOTE_FAILS; way < REMOTE_WAYS; way++) {
		int64_t total;

		fixture_open(&f, 0);
		assert_add(&f, 5, PTN_OK, 5);
		CU_ASSERT_TRUE(counts_save(f.counts, path, NULL));
		CU_ASSERT_FALSE(g_file_test(path, G_FILE_TEST_EXISTS)); /* nothing is kept */
		remote_way = way;
		assert_add(&f, 2, PTN_UNSURE, 2);
		is_away = true;
		assert_add(&f, 3, PTN_UNSURE, 5);
		CU_ASSERT_EQUAL(add(&f, "plugin/one/b", 1, &total), PTN_UNSURE);
		CU_ASSERT_TRUE(counts_save(f.counts, path, NULL));
		counts_free(f.counts);
		f.counts = counts_new(&(CountsSettings){ .store = f.store, .metrics = f.metrics });
		CU_ASSERT_TRUE(counts_load(f.counts, path, NULL));
		CU_ASSERT_FALSE(g_file_test(path, G_FILE_TEST_EXISTS));
		assert_add(&f, 1, PTN_UNSURE, 6);
		is_away = false;
		remote_way = REMOTE_ANSWERS;
		do_late_calls(&f);
		CU_ASSERT_TRUE(counts_flush(f.counts, soon()));
		assert_add(&f, 0, PTN_OK, 11);
		CU_ASSERT_EQUAL(add(&f, "plugin/one/b", 0, &total), PTN_OK);
		CU_ASSERT_EQUAL(total, 1);
		fixture_close(&f);
	}
	fixture_open(&f, 0); /* what is no such file is not believed */
	CU_ASSERT_TRUE(g_file_set_contents(path, "a\tb\nc\td\te\tk\tname\t0\t1\t2\t3\t4\n\n\t\t\t\t", -1, NULL));
	CU_ASSERT_TRUE(counts_load(f.counts, path, NULL));
	assert_add(&f, 1, PTN_OK, 1);
	fixture_close(&f);
	(void)g_rmdir(folder);
}

/* Any order of failures: in the end the store has what was counted, once. */
static void
test_random(void)
{
	const guint32 seed = g_random_int();
	g_autoptr(GRand) rand = g_rand_new_with_seed(seed);

	for (int round = 0; round < 200; round++) {
		int64_t reference = 0, total;
		bool is_good = true;
		Fixture f;

		fixture_open(&f, 0);
		for (int step = 0; step < 60; step++) {
			const int64_t n = g_rand_int_range(rand, 0, 4);

			remote_way = (RemoteWay)g_rand_int_range(rand, REMOTE_ANSWERS, REMOTE_WAYS);
			is_away = g_rand_int_range(rand, 0, 8) == 0;
			reference += n;
			if (add(&f, KEY, n, &total) == PTN_OK)
				is_good &= total == reference;
			if (g_rand_int_range(rand, 0, 4) == 0)
				do_late_calls(&f);
			if (g_rand_int_range(rand, 0, 4) == 0)
				(void)counts_flush(f.counts, soon());
		}
		remote_way = REMOTE_ANSWERS;
		is_away = false;
		is_good &= add(&f, KEY, 0, &total) == PTN_OK && total == reference;
		do_late_calls(&f);
		is_good &= add(&f, KEY, 0, &total) == PTN_OK && total == reference;
		fixture_close(&f);
		if (!is_good) {
			g_printerr("seed %u, round %d\n", seed, round);
			CU_FAIL_FATAL("what is counted is not what the store has");
		}
	}
}

/* Threads that count one key at the same time, while the store fails now and then. */
static void *
count_from_thread(void *data)
{
	Fixture *f = data;
	int64_t total;

	for (int i = 0; i < 500; i++)
		(void)add(f, KEY, 1, &total);
	return NULL;
}

static void
test_threads(void)
{
	GThread *threads[4];
	int64_t total;
	Fixture f;

	fixture_open(&f, 0);
	is_remote = false; /* the store itself has its lock */
	for (size_t i = 0; i < G_N_ELEMENTS(threads); i++)
		threads[i] = g_thread_new("count", count_from_thread, &f);
	for (size_t i = 0; i < G_N_ELEMENTS(threads); i++)
		(void)g_thread_join(threads[i]);
	CU_ASSERT_EQUAL(add(&f, KEY, 0, &total), PTN_OK);
	CU_ASSERT_EQUAL(total, 2000);
	fixture_close(&f);
}

static const UnitTest counts_tests[] = {
	{ "R-22 what the store did not answer is counted once, done or not, late or not", test_unanswered },
	{ "R-22 what is counted while the store is away is stored when it is back", test_away },
	{ "R-22 what may wait is stored with the next", test_later },
	{ "R-22 windows that are over take along what was kept", test_windows },
	{ "K-18 counters that start again, whenever the store hears of it", test_restart },
	{ "R-22 a store that lost everything, and other nodes", test_others },
	{ "R-22 what is kept is bounded, what is lost is said", test_bound },
	{ "R-22 a stop while the store does not answer loses nothing", test_file },
	{ "R-22 any order of failures", test_random },
	{ "R-22 several threads", test_threads },
	{ NULL, NULL },
};
const UnitSuite suite_counts = { "counts", counts_tests };
