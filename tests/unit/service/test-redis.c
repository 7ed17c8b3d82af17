/* test-redis.c - the store over Redis when that is slow, gone, changed, or not the right one. */
#include <glib.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "io/loop.h"
#include "io/tls.h"
#include "service/store.h"
#include "unit/service/redis-server.h"
#include "unit/service/suites.h"

#define PATIENCE_US (20 * CLOCK_SECOND)
#define DEADLINE_US CLOCK_SECOND /* a Redis that runs answers in it on a busy machine, too */

/* ---- fixture ---- */

static Store *
open_with(const RedisServer *server, bool is_durable, const char *user, const char *password, char **why)
{
	g_autofree char *url = redis_server_url(server);
	g_autoptr(GError) error = NULL;
	const StoreSettings settings = { .url = url,
		.is_durable = is_durable,
		.clock = clock_system(),
		.user = user,
		.password = password,
		.deadline_us = DEADLINE_US };
	Store *store = store_open_with(&settings, &error);

	*why = error != NULL ? g_strdup(error->message) : NULL;
	return store;
}

static Store *
open_at(const RedisServer *server, bool is_durable)
{
	g_autofree char *why = NULL;
	Store *store = open_with(server, is_durable, NULL, NULL, &why);

	ASSERT_TEXT(why, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(store);
	return store;
}

/* It says so. */
static void
assert_refused(const RedisServer *server, const char *user, const char *password, const char *words)
{
	g_autofree char *why = NULL;
	g_autoptr(Store) store = open_with(server, true, user, password, &why);

	CU_ASSERT_PTR_NULL(store);
	if (why == NULL || strstr(why, words) == NULL)
		ASSERT_TEXT(why, words);
}

static bool
is_set(Store *store, const char *key, const char *value)
{
	return store_set(store, key, value, 0, CLOCK_NEVER) == PTN_OK;
}

/* New; "NONE", "UNSURE". */
static char *
value_of(Store *store, const char *key)
{
	char *value = NULL;
	const PtnStatus status = store_get(store, key, CLOCK_NEVER, &value, NULL);

	return status == PTN_OK ? value : g_strdup(status == PTN_NONE ? "NONE" : "UNSURE");
}

static void
assert_value(Store *store, const char *key, const char *expected)
{
	g_autofree char *value = value_of(store, key);

	ASSERT_TEXT(value, expected);
}

/* ---- slow, gone, back ---- */

/* What is done while it hangs: each call ends by its deadline, soon at once, and caches and counters go on. */
static void
check_while_away(Store *store)
{
	const int64_t begun_us = g_get_monotonic_time();
	uint64_t version = 0;
	int64_t total = 0;
	GPtrArray *items = NULL;

	CU_ASSERT_TRUE(is_set(store, "cache", "local"));
	assert_value(store, "cache", "local");
	assert_value(store, "old", "NONE");
	CU_ASSERT_EQUAL(store_add(store, "count", 2, 3600 * CLOCK_SECOND, CLOCK_NEVER, &total), PTN_OK);
	CU_ASSERT_EQUAL(store_add(store, "count", 1, 3600 * CLOCK_SECOND, CLOCK_NEVER, &total), PTN_OK);
	CU_ASSERT_EQUAL(total, 3);
	CU_ASSERT_EQUAL(store_claim(store, "lease", "me", CLOCK_SECOND, CLOCK_NEVER), PTN_UNSURE);
	CU_ASSERT_EQUAL(store_replace(store, "cache", "x", 0, &version, CLOCK_NEVER), PTN_UNSURE);
	CU_ASSERT_EQUAL(store_remove(store, "cache", CLOCK_NEVER), PTN_UNSURE);
	assert_value(store, "cache", "NONE");
	CU_ASSERT_EQUAL(store_set(store, "block/a", "x", 0, CLOCK_NEVER), PTN_UNSURE);
	CU_ASSERT_EQUAL(store_list(store, "block/", NULL, 10, CLOCK_NEVER, &items), PTN_UNSURE);
	CU_ASSERT_EQUAL(store_changes(store, "block/", CLOCK_NEVER, &version), PTN_UNSURE);
	CU_ASSERT_TRUE(g_get_monotonic_time() - begun_us < DEADLINE_US);
}

static void
test_hangs(void)
{
	RedisServer *server = redis_server_new(NULL, false);
	g_autoptr(Store) store = NULL;
	int64_t begun_us;

	if (server == NULL)
		return;
	store = open_at(server, false);
	store_watch(store, "block/");
	CU_ASSERT_TRUE(is_set(store, "old", "1"));
	redis_server_pause(server, true);
	begun_us = g_get_monotonic_time();
	assert_value(store, "old", "UNSURE");
	CU_ASSERT_TRUE(g_get_monotonic_time() - begun_us < 2 * DEADLINE_US);
	CU_ASSERT_TRUE(redis_server_becomes(store, true));
	check_while_away(store);
	redis_server_pause(server, false);
	CU_ASSERT_TRUE(redis_server_becomes(store, false));
	assert_value(store, "old", "1");
	g_clear_pointer(&store, store_close);
	redis_server_free(server);
}

static void
test_restarts(void)
{
	RedisServer *server = redis_server_new(NULL, false);
	g_autoptr(Store) store = NULL;

	if (server == NULL)
		return;
	store = open_at(server, false);
	CU_ASSERT_TRUE(is_set(store, "old", "1"));
	redis_server_kill(server);
	CU_ASSERT_TRUE(redis_server_becomes(store, true));
	CU_ASSERT_TRUE(is_set(store, "old", "local"));
	redis_server_start(server); /* empty, and without our scripts */
	CU_ASSERT_TRUE(redis_server_becomes(store, false));
	assert_value(store, "old", "NONE");
	CU_ASSERT_TRUE(is_set(store, "old", "2"));
	g_free(redis_server_ask(server, "SCRIPT FLUSH"));
	CU_ASSERT_TRUE(is_set(store, "old", "3"));
	assert_value(store, "old", "3");
	g_clear_pointer(&store, store_close);
	redis_server_free(server);
}

static void
test_starts_later(void)
{
	RedisServer *server = redis_server_new(NULL, false);
	g_autoptr(Store) store = NULL;
	g_autofree char *text = NULL;

	if (server == NULL)
		return;
	redis_server_kill(server);
	store = open_at(server, true);
	CU_ASSERT_TRUE(store_is_away(store));
	CU_ASSERT_FALSE(is_set(store, "a", "1"));
	text = store_describe(store);
	CU_ASSERT_PTR_NOT_NULL(strstr(text, " AWAY: "));
	redis_server_start(server);
	CU_ASSERT_TRUE(redis_server_becomes(store, false));
	CU_ASSERT_TRUE(is_set(store, "a", "1"));
	g_clear_pointer(&store, store_close);
	redis_server_free(server);
}

/* A loop must not wait, whatever is asked there. */
static void
ask_on_loop(void *data)
{
	void **all = data;

	CU_ASSERT_TRUE(loop_is_here());
	assert_value(all[0], "old", "UNSURE");
	loop_stop(all[1]);
}

static void
test_loop(void)
{
	RedisServer *server = redis_server_new(NULL, false);
	g_autoptr(Store) store = NULL;
	Loop *loop = loop_new(clock_system(), NULL);
	void *all[2];
	LoopPost post = { .run = ask_on_loop, .data = all };

	if (server != NULL) {
		store = open_at(server, false);
		all[0] = store;
		all[1] = loop;
		CU_ASSERT_TRUE(is_set(store, "old", "1"));
		loop_post(loop, &post);
		loop_run(loop);
		CU_ASSERT_FALSE(loop_is_here());
		assert_value(store, "old", "1");
		g_clear_pointer(&store, store_close);
		redis_server_free(server);
	}
	loop_free(loop);
}

enum { KILL_ROUNDS = 15, KILL_READERS = 4 };

typedef struct {
	Store *store;
	atomic_bool is_over;
	atomic_int failures;
} Killed;

static void *
read_on(void *data)
{
	Killed *killed = data;

	while (!atomic_load(&killed->is_over)) {
		g_autofree char *value = value_of(killed->store, "a");

		if (strcmp(value, "1") != 0)
			atomic_fetch_add(&killed->failures, 1);
	}
	return NULL;
}

/* Connections that somebody kills are opened again at once, whatever was under way is read again, and the Redis is not away. */
static void
test_killed_connections(void)
{
	RedisServer *server = redis_server_new(NULL, false);
	GThread *threads[KILL_READERS];
	Killed killed = { 0 };

	if (server == NULL)
		return;
	{
		g_autofree char *url = redis_server_url(server);
		const StoreSettings settings = { .url = url, .clock = clock_system(), .deadline_us = PATIENCE_US };

		killed.store = store_open_with(&settings, NULL);
	}
	CU_ASSERT_PTR_NOT_NULL_FATAL(killed.store);
	CU_ASSERT_TRUE(is_set(killed.store, "a", "1"));
	for (int i = 0; i < KILL_READERS; i++)
		threads[i] = g_thread_new("reader", read_on, &killed);
	for (int i = 0; i < KILL_ROUNDS; i++) {
		g_free(redis_server_ask(server, "CLIENT KILL TYPE normal"));
		CU_ASSERT_FALSE(store_is_away(killed.store));
		g_usleep(200000); /* longer than it takes to connect again */
	}
	atomic_store(&killed.is_over, true);
	for (int i = 0; i < KILL_READERS; i++)
		(void)g_thread_join(threads[i]);
	CU_ASSERT_EQUAL(atomic_load(&killed.failures), 0);
	CU_ASSERT_TRUE(is_set(killed.store, "a", "2"));
	store_close(killed.store);
	redis_server_free(server);
}

/* ---- not the right one ---- */

/* 0.0.0.0 leads to this machine, too, and is not loopback by its text. */
static void
test_password_in_clear(void)
{
	RedisServer *server = redis_server_new("--requirepass secret --protected-mode no", false);
	g_autofree char *url = NULL;
	g_autoptr(GError) error = NULL;
	g_autoptr(Store) store = NULL;

	if (server == NULL)
		return;
	url = g_strdup_printf("redis://:secret@0.0.0.0:%u/0", server->port);
	store = store_open(url, true, clock_system(), &error);
	CU_ASSERT_PTR_NULL(store);
	CU_ASSERT_PTR_NOT_NULL_FATAL(error);
	CU_ASSERT_PTR_NOT_NULL(strstr(error->message, "not sent in clear"));
	redis_server_free(server);
}

static void
test_passwords(void)
{
	RedisServer *server = redis_server_new("--requirepass secret", false);
	g_autofree char *why = NULL;
	Store *store;

	if (server == NULL)
		return;
	assert_refused(server, NULL, NULL, "it wants a password");
	assert_refused(server, NULL, "wrong", "user or password is wrong");
	store = open_with(server, true, NULL, "secret", &why);
	ASSERT_TEXT(why, NULL);
	store_close(store);
	g_free(redis_server_ask(server, "-a secret --no-auth-warning ACL SETUSER postern on '>pw' '~postern:*' +@read +@write "
									"+@scripting +@connection -@dangerous +role"));
	assert_refused(server, "postern", "pw", "ACL"); /* TIME is missing */
	g_free(redis_server_ask(server, "-a secret --no-auth-warning ACL SETUSER postern +time"));
	store = open_with(server, true, "postern", "pw", &why); /* may not CONFIG GET: said, and no hindrance */
	ASSERT_TEXT(why, NULL);
	CU_ASSERT_TRUE(store != NULL && is_set(store, "a", "1"));
	store_close(store);
	g_free(redis_server_ask(
		server, "-a secret --no-auth-warning ACL SETUSER poor on '>pw' '~other:*' +@read +@write +@scripting +role"));
	assert_refused(server, "poor", "pw", "ACL");
	redis_server_free(server);
}

static void
test_eviction(void)
{
	RedisServer *server = redis_server_new("--maxmemory 100mb --maxmemory-policy allkeys-lru", false);

	if (server == NULL)
		return;
	assert_refused(server, NULL, NULL, "maxmemory-policy is allkeys-lru, and must be noeviction");
	store_close(open_at(server, false));
	g_free(redis_server_ask(server, "CONFIG SET maxmemory-policy noeviction"));
	store_close(open_at(server, true));
	redis_server_free(server);
}

static void
test_replica(void)
{
	RedisServer *master = redis_server_new(NULL, false), *replica;
	g_autofree char *options = NULL, *why = NULL;
	g_autoptr(Store) store = NULL;

	if (master == NULL)
		return;
	options = g_strdup_printf("--replicaof 127.0.0.1 %u", master->port);
	replica = redis_server_new(options, false);
	store = open_at(replica, true);
	CU_ASSERT_TRUE(store_is_away(store));
	why = store_describe(store);
	CU_ASSERT_PTR_NOT_NULL(strstr(why, "it is a replica, which cannot be written"));
	CU_ASSERT_FALSE(is_set(store, "a", "1"));
	g_free(redis_server_ask(replica, "REPLICAOF NO ONE"));
	CU_ASSERT_TRUE(redis_server_becomes(store, false));
	CU_ASSERT_TRUE(is_set(store, "a", "1"));
	g_clear_pointer(&store, store_close);
	redis_server_free(replica);
	redis_server_free(master);
}

/* A server that becomes a replica under us: each write is turned away, and nobody is told that it was done. */
static void
test_becomes_replica(void)
{
	RedisServer *server = redis_server_new(NULL, false);
	g_autoptr(Store) store = NULL;

	if (server == NULL)
		return;
	store = open_at(server, true);
	store_watch(store, "probe/");
	CU_ASSERT_TRUE(is_set(store, "a", "1"));
	g_free(redis_server_ask(server, "REPLICAOF 127.0.0.1 1"));
	CU_ASSERT_FALSE(is_set(store, "a", "2"));
	g_free(redis_server_ask(server, "REPLICAOF NO ONE"));
	CU_ASSERT_TRUE(redis_server_becomes(store, false));
	CU_ASSERT_TRUE(is_set(store, "a", "3"));
	g_clear_pointer(&store, store_close);
	redis_server_free(server);
}

static void
test_schema(void)
{
	RedisServer *server = redis_server_new(NULL, false);
	g_autofree char *schema = NULL;

	if (server == NULL)
		return;
	store_close(open_at(server, true));
	schema = redis_server_ask(server, "GET postern:schema");
	ASSERT_TEXT(schema, "1");
	g_free(redis_server_ask(server, "SET postern:schema 2"));
	assert_refused(server, NULL, NULL, "written by a newer one");
	redis_server_free(server);
}

static void
test_tls(void)
{
	g_autofree char *directory = unit_new_directory();
	g_autofree char *certificate = g_build_filename(directory, "certificate", NULL);
	g_autofree char *key = g_build_filename(directory, "key", NULL);
	g_autofree char *options = NULL;
	g_autofree char *url = NULL, *other_url = NULL;
	g_autoptr(GError) error = NULL;
	RedisServer *server;
	Store *store;

	if (redis_server_is_there() && tls_make_certificate("localhost", certificate, key, NULL)) {
		server = redis_server_new(NULL, false);
		options = g_strdup_printf("CONFIG SET tls-cert-file %s tls-key-file %s tls-auth-clients no tls-ca-cert-file %s "
								  "tls-port %u",
			certificate, key, certificate, server->port - 1);
		g_free(redis_server_ask(server, options));
		url = g_strdup_printf("rediss://localhost:%u", server->port - 1);
		{
			StoreSettings settings = { .url = url, .clock = clock_system(), .trust = certificate };

			store = store_open_with(&settings, &error);
			CU_ASSERT_TRUE(store != NULL && !store_is_away(store) && is_set(store, "a", "1"));
			store_close(store);
			settings.trust = NULL; /* the system does not know it: nothing is said to such a server */
			store = store_open_with(&settings, &error);
			CU_ASSERT_TRUE(store != NULL && store_is_away(store));
			store_close(store);
			settings.trust = certificate; /* trusted, for another name */
			settings.url = other_url = g_strdup_printf("rediss://127.0.0.1:%u", server->port - 1);
			store = store_open_with(&settings, &error);
			CU_ASSERT_TRUE(store != NULL && store_is_away(store));
			store_close(store);
		}
		redis_server_free(server);
	}
	unit_remove_directory(directory);
}

/* ---- Sentinel ---- */

typedef struct {
	RedisServer *master, *replica, *sentinels[3];
	char *url;
} Sentinels;

static void
sentinels_start(Sentinels *s)
{
	g_autofree char *options = NULL;
	g_autofree char *config = NULL;

	s->master = redis_server_new(NULL, false);
	options = g_strdup_printf("--replicaof 127.0.0.1 %u --repl-diskless-sync-delay 0", s->master->port);
	s->replica = redis_server_new(options, false);
	config = g_strdup_printf("sentinel monitor mymaster 127.0.0.1 %u 2\n"
							 "sentinel down-after-milliseconds mymaster 500\n"
							 "sentinel failover-timeout mymaster 3000\n",
		s->master->port);
	for (size_t i = 0; i < G_N_ELEMENTS(s->sentinels); i++)
		s->sentinels[i] = redis_server_new_sentinel(config);
	s->url = g_strdup_printf("redis+sentinel://127.0.0.1:%u,127.0.0.1:%u,127.0.0.1:%u/mymaster", s->sentinels[0]->port,
		s->sentinels[1]->port, s->sentinels[2]->port);
}

static void
sentinels_stop(Sentinels *s)
{
	for (size_t i = 0; i < G_N_ELEMENTS(s->sentinels); i++)
		redis_server_free(s->sentinels[i]);
	redis_server_free(s->replica);
	redis_server_free(s->master);
	g_free(s->url);
}

/* They know each other, and the replica has it all. */
static bool
sentinels_agree(const Sentinels *s)
{
	const int64_t until_us = g_get_monotonic_time() + 2 * PATIENCE_US;

	while (g_get_monotonic_time() < until_us) {
		g_autofree char *known = redis_server_ask(s->sentinels[0], "SENTINEL master mymaster");
		g_autofree char *copy = redis_server_ask(s->replica, "EXISTS postern:i:a");

		if (strstr(known, "num-other-sentinels\n2") != NULL && strstr(known, "num-slaves\n1") != NULL &&
			strcmp(copy, "1") == 0)
			return true;
		g_usleep(50000);
	}
	return false;
}

static void
test_failover(void)
{
	Sentinels s;
	g_autoptr(Store) store = NULL;
	g_autoptr(GError) error = NULL;
	int64_t until_us;

	if (!redis_server_is_there())
		return;
	sentinels_start(&s);
	{
		const StoreSettings settings = { .url = s.url, .is_durable = true, .clock = clock_system(), .deadline_us = DEADLINE_US };

		store = store_open_with(&settings, &error);
	}
	CU_ASSERT_PTR_NOT_NULL_FATAL(store);
	CU_ASSERT_TRUE(is_set(store, "a", "1"));
	CU_ASSERT_TRUE(sentinels_agree(&s));
	redis_server_kill(s.master);
	CU_ASSERT_FALSE(is_set(store, "a", "2"));
	until_us = g_get_monotonic_time() + 2 * PATIENCE_US;
	while (!is_set(store, "a", "3") && g_get_monotonic_time() < until_us)
		g_usleep(20000);
	assert_value(store, "a", "3");
	g_clear_pointer(&store, store_close);
	sentinels_stop(&s);
}

static void
test_unknown_master(void)
{
	RedisServer *sentinel = redis_server_new_sentinel("");
	g_autofree char *url = NULL;
	g_autoptr(GError) error = NULL;

	if (sentinel == NULL)
		return;
	url = g_strdup_printf("redis+sentinel://127.0.0.1:%u/other", sentinel->port);
	CU_ASSERT_PTR_NULL(store_open(url, false, clock_system(), &error));
	CU_ASSERT_PTR_NOT_NULL(strstr(error->message, "knows no master \"other\""));
	redis_server_free(sentinel);
}

static const UnitTest tests[] = {
	{ "one that hangs: deadlines, then away; caches and counters go on; back by itself", test_hangs },
	{ "one that is killed and comes back empty", test_restarts },
	{ "one that is not there yet", test_starts_later },
	{ "a loop never waits", test_loop },
	{ "passwords and ACL users", test_passwords },
	{ "a password is not sent in clear to another machine", test_password_in_clear },
	{ "one that evicts is no directory", test_eviction },
	{ "a replica is away until it is the master", test_replica },
	{ "connections that are killed are opened again", test_killed_connections },
	{ "a master that becomes a replica", test_becomes_replica },
	{ "keys of a newer schema", test_schema },
	{ "TLS, by a certificate that is trusted, for the name of the URL", test_tls },
	{ "Sentinel: a failover is followed", test_failover },
	{ "Sentinel: a master it does not know", test_unknown_master },
	{ NULL, NULL },
};

const UnitSuite suite_redis = { "redis", tests };
