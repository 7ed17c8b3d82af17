/* test-store-ledger.c - counters that nodes share, while replies are lost and the store comes and
 * goes. */
#include <glib.h>
#include <stdio.h>
#include <string.h>

#include "service/store.h"
#include "unit/service/redis-server.h"
#include "unit/service/suites.h"

#define DAY (86400 * CLOCK_SECOND)
#define DEADLINE_US CLOCK_SECOND /* a Redis that runs answers in it on a busy machine, too */

enum { OUTAGES = 3, THREADS = 4, ROUNDS = 150, PAGES = 20000 };

static Store *
open_node(const RedisServer *server, unsigned node, const char *ledger)
{
	g_autofree char *url = redis_server_url(server);
	g_autoptr(GError) error = NULL;
	const StoreSettings settings = { .url = url,
		.clock = clock_system(),
		.node = node,
		.ledger = ledger,
		.deadline_us = DEADLINE_US };
	Store *store = store_open_with(&settings, &error);

	CU_ASSERT_PTR_NOT_NULL_FATAL(store);
	return store;
}

/* One more of at most `most` in a day, among `nodes`. */
static PtnStatus
count(Store *store, int64_t n, int64_t most, int64_t nodes)
{
	StoreTally tally = { .name = "m/1d", .n = n, .window_us = DAY, .most = most, .nodes = nodes };

	return store_tally(store, "t", &tally, 1, CLOCK_NEVER);
}

/* How many are accepted of `n`. */
static int64_t
count_some(Store *store, int n, int64_t most, int64_t nodes)
{
	int64_t accepted = 0;

	for (int i = 0; i < n; i++)
		accepted += count(store, 1, most, nodes) == PTN_OK;
	return accepted;
}

static void
settle(Store *store)
{
	store_settle(store, g_get_monotonic_time() + 5 * CLOCK_SECOND);
}

static int64_t
total_of(Store *store)
{
	StoreTally tally = { .name = "m/1d", .window_us = DAY, .total = -1 };

	CU_ASSERT_EQUAL(store_tally(store, "t", &tally, 1, CLOCK_NEVER), PTN_OK);
	CU_ASSERT_FALSE(tally.is_alone);
	return tally.total;
}

static void
go_away(RedisServer *server, Store *store)
{
	redis_server_pause(server, true);
	CU_ASSERT_TRUE(redis_server_becomes(store, true));
}

static void
come_back(RedisServer *server, Store *store)
{
	redis_server_pause(server, false);
	CU_ASSERT_TRUE(redis_server_becomes(store, false));
}

/* Tests of a day do not run over its end. */
static RedisServer *
new_server(void)
{
	while (g_get_real_time() % DAY > DAY - 30 * CLOCK_SECOND)
		g_usleep(CLOCK_SECOND);
	return redis_server_new(NULL, false);
}

static void
test_outages(void)
{
	RedisServer *server = new_server();
	Store *store;
	int64_t alone = 0;

	if (server == NULL)
		return;
	store = open_node(server, 1, NULL);
	for (int i = 0; i < OUTAGES; i++) {
		go_away(server, store);
		alone += count_some(store, 40, 90, 3);
		CU_ASSERT_EQUAL(alone, 30);
		come_back(server, store);
		settle(store);
		CU_ASSERT_EQUAL(total_of(store), 30);
	}
	CU_ASSERT_EQUAL(count_some(store, 70, 90, 3), 60);
	store_close(store);
	redis_server_free(server);
}

/* What others used is not given again; a node that may not count alone does not. */
static void
test_part(void)
{
	RedisServer *server = new_server();
	StoreTally tally = { .name = "m/1d", .n = 1, .window_us = DAY, .most = 90, .nodes = 3 };
	Store *one, *two;

	if (server == NULL)
		return;
	one = open_node(server, 1, NULL);
	two = open_node(server, 2, NULL);
	CU_ASSERT_EQUAL(count_some(one, 60, 90, 3), 60);
	CU_ASSERT_EQUAL(total_of(two), 60);
	CU_ASSERT_EQUAL(count(two, 1, 90, 3), PTN_OK);
	go_away(server, two);
	CU_ASSERT_EQUAL(count(two, 1, 90, STORE_NOT_ALONE), PTN_UNSURE);
	CU_ASSERT_EQUAL(count_some(two, 40, 90, 3), 9); /* (90 - 61) / 3 */
	CU_ASSERT_EQUAL(store_tally(two, "t", &tally, 1, CLOCK_NEVER), PTN_TAKEN);
	CU_ASSERT_TRUE(tally.is_alone);
	CU_ASSERT_EQUAL(tally.total, 70);
	CU_ASSERT_EQUAL(tally.most_now, 70);
	CU_ASSERT_EQUAL(count(two, -2, 90, 3), PTN_OK); /* taken back, it may be given again */
	CU_ASSERT_EQUAL(count_some(two, 40, 90, 3), 2);
	CU_ASSERT_EQUAL(count(two, 5, 0, 3), PTN_OK);    /* without a limit it is always counted */
	CU_ASSERT_EQUAL(count_some(two, 90, 90, 0), 15); /* all that is left, as far as it knows */
	come_back(server, two);
	settle(two);
	CU_ASSERT_TRUE(redis_server_becomes(one, false));
	CU_ASSERT_EQUAL(total_of(one), 90);
	store_close(one);
	store_close(two);
	redis_server_free(server);
}

/* Commands run when their callers have given up. */
static void
hold_up(RedisServer *server, const char *milliseconds)
{
	g_autofree char *command = g_strdup_printf("CLIENT PAUSE %s ALL", milliseconds);

	g_free(redis_server_ask(server, command));
}

static void
test_late_calls(void)
{
	RedisServer *server = new_server();
	int64_t accepted = 0;
	Store *store;

	if (server == NULL)
		return;
	store = open_node(server, 1, NULL);
	accepted += count_some(store, 3, 1000, 3);
	for (int i = 0; i < OUTAGES; i++) {
		hold_up(server, "300");
		accepted += count_some(store, 2, 1000, 3);
		g_usleep(CLOCK_SECOND / 5);
		accepted += count_some(store, 2, 1000, 3);
	}
	CU_ASSERT_TRUE(redis_server_becomes(store, false));
	settle(store);
	CU_ASSERT_EQUAL(total_of(store), accepted);
	store_close(store);
	redis_server_free(server);
}

/* A debt is booked once, however often its settlement is sent. */
static void
test_late_settlements(void)
{
	RedisServer *server = new_server();
	Store *store;

	if (server == NULL)
		return;
	store = open_node(server, 1, NULL);
	go_away(server, store);
	CU_ASSERT_EQUAL(count_some(store, 29, 90, 3), 29);
	come_back(server, store);
	hold_up(server, "900");
	for (int i = 0; i < 3; i++)
		store_settle(store, g_get_monotonic_time() + DEADLINE_US);
	g_usleep(CLOCK_SECOND);
	CU_ASSERT_TRUE(redis_server_becomes(store, false));
	settle(store);
	CU_ASSERT_EQUAL(total_of(store), 29);
	CU_ASSERT_EQUAL(count_some(store, 90, 90, 3), 61);
	store_close(store);
	redis_server_free(server);
}

/* The first store stands for a process that was killed: it never settles before the second. */
static void
test_restart(void)
{
	RedisServer *server = new_server();
	g_autofree char *directory = unit_new_directory();
	g_autofree char *path = g_build_filename(directory, "ledger", NULL);
	Store *killed, *next;

	if (server != NULL) {
		killed = open_node(server, 1, path);
		CU_ASSERT_EQUAL(count_some(killed, 30, 90, 3), 30);
		go_away(server, killed);
		CU_ASSERT_EQUAL(count_some(killed, 15, 90, 3), 15);
		next = open_node(server, 1, path);
		CU_ASSERT_EQUAL(count_some(next, 40, 90, 3), 5); /* of its part of 20 */
		come_back(server, next);
		settle(next);
		CU_ASSERT_EQUAL(total_of(next), 50);
		store_close(next);
		next = open_node(server, 1, path);
		CU_ASSERT_EQUAL(total_of(next), 50);
		go_away(server, next);
		CU_ASSERT_EQUAL(count(next, 1, 90, 3),
			PTN_TAKEN); /* what it counted alone is not forgotten when it is settled */
		come_back(server, next);
		CU_ASSERT_EQUAL(count_some(next, 90, 90, 3), 40);
		store_close(next);
		store_close(killed);
		redis_server_free(server);
	}
	unit_remove_directory(directory);
}

/* A node of an earlier version writes back the totals that it names, and nothing else. */
static void
test_earlier_version(void)
{
	RedisServer *server = new_server();
	g_autofree char *command = NULL;
	Store *store;

	if (server == NULL)
		return;
	store = open_node(server, 1, NULL);
	CU_ASSERT_EQUAL(count_some(store, 3, 90, 3), 3);
	command = g_strdup_printf(
		"HSET postern:i:t v m/1d:%" G_GINT64_FORMAT ":5", (gint64)(g_get_real_time() / DAY));
	g_free(redis_server_ask(server, command));
	CU_ASSERT_EQUAL(count_some(store, 3, 90, 3), 3);
	CU_ASSERT_EQUAL(total_of(store), 8);
	g_free(redis_server_ask(server, "FLUSHDB")); /* what a Redis lost is what its nodes know */
	CU_ASSERT_EQUAL(count(store, 1, 90, 3), PTN_OK);
	CU_ASSERT_EQUAL(total_of(store), 7);
	store_close(store);
	redis_server_free(server);
}

/* Beyond the pages that a node remembers it does not count alone. */
static void
test_many_keys(void)
{
	RedisServer *server = new_server();
	StoreTally tally = { .name = "m/1d", .n = 1, .window_us = DAY, .most = 9, .nodes = 1 };
	char key[24];
	Store *store;
	int64_t accepted = 0;

	if (server == NULL)
		return;
	store = open_node(server, 1, NULL);
	go_away(server, store);
	for (int i = 0; i < PAGES + 5; i++) {
		(void)snprintf(key, sizeof key, "k%d", i);
		accepted += store_tally(store, key, &tally, 1, CLOCK_NEVER) == PTN_OK;
	}
	CU_ASSERT_EQUAL(accepted, PAGES);
	CU_ASSERT_EQUAL(store_tally(store, "k0", &tally, 1, CLOCK_NEVER), PTN_OK);
	come_back(server, store);
	CU_ASSERT_EQUAL(store_tally(store, key, &tally, 1, CLOCK_NEVER), PTN_OK);
	CU_ASSERT_EQUAL(tally.total, 1);
	store_close(store);
	redis_server_free(server);
}

/* Seen by a node that counted nothing itself, and so cannot mend it. */
static void
test_last_end(void)
{
	RedisServer *server = redis_server_new(NULL, true);
	Store *one, *two;
	char key[24], name[24];

	if (server == NULL)
		return;
	one = open_node(server, 1, NULL);
	two = open_node(server, 2, NULL);
	for (int pass = 0; pass < 2; pass++) {
		for (int i = 0; i < 12; i++) {
			StoreTally tallies[] = { { .name = name, .n = 1, .window_us = DAY },
				{ .name = "h", .n = 1, .window_us = DAY / 24 } };

			(void)snprintf(key, sizeof key, "t%d", i);
			(void)snprintf(name, sizeof name, "d%d", i);
			tallies[0].n = tallies[1].n = pass == 0;
			CU_ASSERT_EQUAL(store_tally(pass == 0 ? one : two, key, tallies, 2, CLOCK_NEVER), PTN_OK);
			CU_ASSERT_EQUAL(tallies[0].total, 1);
			CU_ASSERT_EQUAL(tallies[1].total, pass == 0);
		}
		__atomic_fetch_add(server->clock, DAY / 12, __ATOMIC_RELAXED);
	}
	store_close(one);
	store_close(two);
	redis_server_free(server);
}

/* ---- many callers ---- */

typedef struct {
	Store *store;
	int64_t accepted;
} Caller;

static void *
call_often(void *data)
{
	Caller *caller = data;

	for (int i = 0; i < ROUNDS; i++)
		caller->accepted += count(caller->store, 1, 500, 4) == PTN_OK;
	return NULL;
}

static void
test_callers(void)
{
	RedisServer *server = new_server();
	Store *stores[2];
	Caller callers[2 * THREADS];
	GThread *threads[2 * THREADS];
	int64_t accepted = 0;

	if (server == NULL)
		return;
	for (unsigned i = 0; i < 2; i++)
		stores[i] = open_node(server, i + 1, NULL);
	for (int i = 0; i < 2 * THREADS; i++) {
		callers[i] = (Caller){ .store = stores[i % 2] };
		threads[i] = g_thread_new("caller", call_often, &callers[i]);
	}
	for (int i = 0; i < OUTAGES; i++) {
		hold_up(server, "250");
		g_usleep(CLOCK_SECOND / 3);
	}
	for (int i = 0; i < 2 * THREADS; i++) {
		(void)g_thread_join(threads[i]);
		accepted += callers[i].accepted;
	}
	for (int i = 0; i < 2; i++) {
		CU_ASSERT_TRUE(redis_server_becomes(stores[i], false));
		settle(stores[i]);
	}
	CU_ASSERT_EQUAL(total_of(stores[0]), accepted);
	for (int i = 0; i < 2; i++)
		store_close(stores[i]);
	redis_server_free(server);
}

static const UnitTest ledger_tests[] = {
	{ "R-30 one part of a limit for all outages of a window", test_outages },
	{ "R-30 the part is of what was left", test_part },
	{ "R-31 calls that are done too late count for nothing", test_late_calls },
	{ "R-31 a settlement that is done twice is booked once", test_late_settlements },
	{ "R-31 a restart neither forgets nor repeats what was counted alone", test_restart },
	{ "R-32 nodes of an earlier version, and a Redis that lost everything", test_earlier_version },
	{ "R-32 a value goes when the last of its counters ends", test_last_end },
	{ "R-30 keys that a node remembers", test_many_keys },
	{ "R-31 many callers on two nodes while replies are late", test_callers },
	{ NULL, NULL },
};

const UnitSuite suite_store_ledger = { "store-ledger", ledger_tests };
