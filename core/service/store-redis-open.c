/* store-redis-open.c - whether a Redis will do: its keys' schema, what it may throw away, what it keeps on disk. */
#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "service/store-redis.h"

enum { OPEN_CONNECTIONS = 2 };

#define OPEN_DEADLINE_US (CLOCK_SECOND / 2)

void
store_redis_alarm(StoreRedis *store, const char *name, const char *text)
{
	if (store->metrics != NULL)
		metrics_alarm(store->metrics, name, text);
	else
		log_event(text != NULL ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO, text != NULL ? "alarm" : "alarm is over",
			"alarm", name, "text", text, NULL);
}

static int64_t
open_until(const StoreRedis *store)
{
	return g_get_monotonic_time() + store->deadline_us;
}

/* ---- the greeting ---- */

static bool
open_fail_missing(const StoreRedis *store, GError **error)
{
	return error_set(error, POSTERN_ERROR_UNAVAILABLE,
		"it has no key %sschema: it lost what it had (then restore it: posternctl restore), or is new "
		"(then: posternctl store init)",
		store->prefix);
}

bool
store_redis_exists(StoreRedis *store, int64_t deadline_us)
{
	g_autofree char *key = g_strconcat(store->prefix, "schema", NULL);
	const char *const words[] = { "GET", key };
	g_autoptr(redisReply) reply = NULL;
	g_autoptr(GError) error = NULL;

	if (!store->must_exist)
		return true;
	reply = store_redis_ask(
		store, deadline_us, (RedisShape){ REDIS_IS_TEXT_OR_NIL, 0 }, G_N_ELEMENTS(words), words);
	if (reply == NULL || !redis_reply_is_nil(reply))
		return reply != NULL;
	(void)open_fail_missing(store, &error);
	redis_pool_give_up(store->pool, error->message);
	return false;
}

/* A server that takes no writes now can still be read. */
static bool
open_may_be_refused(StoreRedis *store, const GError *failure)
{
	if (!g_error_matches(failure, POSTERN_ERROR, POSTERN_ERROR_REFUSED))
		return false;
	store_redis_set_refusal(store, failure->message);
	return true;
}

static bool
open_make_schema(StoreRedis *store, RedisWire *wire, const char *key, const char *ours, GError **error)
{
	g_autoptr(GError) failure = NULL;
	g_autoptr(redisReply) set =
		redis_wire_ask(wire, open_until(store), REDIS_IS_COUNT, &failure, "SETNX", key, ours, (const char *)NULL);

	if (set != NULL || open_may_be_refused(store, failure))
		return true;
	g_propagate_error(error, g_steal_pointer(&failure));
	return false;
}

/* The first who opens it writes the number, unless it must be there; nobody lowers it. */
static bool
open_check_schema(StoreRedis *store, RedisWire *wire, GError **error)
{
	g_autofree char *key = g_strconcat(store->prefix, "schema", NULL);
	g_autofree char *ours = g_strdup_printf("%d", STORE_REDIS_SCHEMA);
	g_autoptr(redisReply) get = NULL;
	uint64_t schema;

	if (!store->must_exist && !open_make_schema(store, wire, key, ours, error))
		return false;
	get = redis_wire_ask(wire, open_until(store), REDIS_IS_TEXT_OR_NIL, error, "GET", key, (const char *)NULL);
	if (get == NULL)
		return false;
	if (redis_reply_is_nil(get)) /* of a cache it is refused, with all other writes */
		return !store->must_exist || open_fail_missing(store, error);
	if (!redis_reply_version(get, &schema) || schema > STORE_REDIS_SCHEMA)
		return error_set(error, POSTERN_ERROR_INVALID,
			"the keys that begin with \"%s\" have schema %s, this Postern knows schemas up to %d: they were "
			"written by a newer one",
			store->prefix, redis_reply_text(get), STORE_REDIS_SCHEMA);
	return true;
}

static bool
open_load_scripts(StoreRedis *store, RedisWire *wire, GError **error)
{
	for (RedisScript i = 0; i < SCRIPT_COUNT; i++) {
		g_autoptr(redisReply) reply = redis_wire_ask(wire, open_until(store), REDIS_IS_TEXT, error, "SCRIPT",
			"LOAD", store->scripts[i], (const char *)NULL);

		if (reply == NULL)
			return false;
	}
	return true;
}

/* A user whose ACL lacks something is found out here, and not by the first message: this reads a counter. */
static bool
open_try_script(StoreRedis *store, RedisWire *wire, GError **error)
{
	g_autofree char *item = store_redis_item(store, NULL, "probe");
	g_autoptr(redisReply) reply = redis_wire_ask(wire, open_until(store), REDIS_IS_NUMBER_OR_NIL, error, "EVALSHA",
		store->shas[SCRIPT_ADD], "1", item, "", "0", "1000000", (const char *)NULL);

	return reply != NULL;
}

static void
open_add_class(StoreRedis *store, const char *class)
{
	bool is_known = false;

	g_mutex_lock(&store->lock);
	for (guint i = 0; i < store->classes->len; i++)
		is_known |= strcmp(g_ptr_array_index(store->classes, i), class) == 0;
	if (!is_known)
		g_ptr_array_add(store->classes, g_strdup(class));
	g_mutex_unlock(&store->lock);
}

/* Tells Redis the classes that we watch, and learns those of others. */
static bool
open_share_classes(StoreRedis *store, RedisWire *wire, GError **error)
{
	g_autofree char *key = g_strconcat(store->prefix, "classes", NULL);
	g_autoptr(GPtrArray) words = g_ptr_array_new();
	g_autoptr(redisReply) added = NULL;
	g_autoptr(redisReply) all = NULL;

	g_ptr_array_add(words, (void *)(uintptr_t) "SADD");
	g_ptr_array_add(words, key);
	g_mutex_lock(&store->lock);
	for (guint i = 0; i < store->classes->len; i++)
		g_ptr_array_add(words, g_ptr_array_index(store->classes, i));
	g_mutex_unlock(&store->lock);
	if (words->len > 2) {
		g_autoptr(GError) failure = NULL;

		added = redis_wire_ask_words(wire, open_until(store), REDIS_IS_COUNT, words, &failure);
		if (added == NULL && !open_may_be_refused(store, failure)) {
			g_propagate_error(error, g_steal_pointer(&failure));
			return false;
		}
	}
	all = redis_wire_ask(wire, open_until(store), REDIS_IS_TEXTS, error, "SMEMBERS", key, (const char *)NULL);
	for (size_t i = 0; i < redis_reply_size(all); i++)
		open_add_class(store, redis_reply_text(redis_reply_at(all, i)));
	return all != NULL;
}

/* ---- of a durable store ---- */

/* New; NULL: it is not to be known. */
static char *
open_ask_config(StoreRedis *store, RedisWire *wire, const char *name)
{
	g_autoptr(redisReply) reply = redis_wire_ask(
		wire, open_until(store), REDIS_IS_PAIR_OR_NONE, NULL, "CONFIG", "GET", name, (const char *)NULL);

	return g_strdup(redis_reply_text(redis_reply_at(reply, 1)));
}

static bool
open_check_eviction(const char *memory, const char *policy, GError **error)
{
	if (strcmp(memory, "0") == 0 || strcmp(policy, "noeviction") == 0)
		return true;
	return error_set(error, POSTERN_ERROR_INVALID,
		"it may throw accounts away: its maxmemory-policy is %s, and must be noeviction where customers, domains "
		"and accounts are kept",
		policy);
}

static bool
open_check_durable(StoreRedis *store, RedisWire *wire, GError **error)
{
	g_autofree char *memory = open_ask_config(store, wire, "maxmemory");
	g_autofree char *policy = open_ask_config(store, wire, "maxmemory-policy");
	g_autofree char *log = open_ask_config(store, wire, "appendonly");
	g_autofree char *save = open_ask_config(store, wire, "save");
	g_autofree char *alarm = g_strconcat(store->name, ".not-durable", NULL);
	bool keeps;

	if (memory == NULL || policy == NULL || log == NULL || save == NULL) {
		if (!atomic_exchange(&store->has_said_unchecked, true))
			log_event(LOG_LEVEL_WARNING,
				"redis does not tell its configuration (CONFIG GET): eviction and persistence are not checked",
				"store", store->name, NULL);
		return true;
	}
	keeps = strcmp(log, "yes") == 0 || save[0] != '\0';
	store_redis_alarm(store, alarm,
		keeps ? NULL : "this Redis keeps nothing on disk (appendonly no, no save): a crash loses every account");
	return open_check_eviction(memory, policy, error);
}

static bool
open_greet(void *data, RedisWire *wire, GError **error)
{
	StoreRedis *store = data;

	return open_check_schema(store, wire, error) && open_load_scripts(store, wire, error) &&
		   open_try_script(store, wire, error) && open_share_classes(store, wire, error) &&
		   (!store->is_durable || open_check_durable(store, wire, error));
}

static void
open_told(void *data, const char *why)
{
	StoreRedis *store = data;
	g_autofree char *alarm = g_strconcat(store->name, ".away", NULL);
	g_autofree char *text = NULL;

	if (why != NULL)
		text = g_strdup_printf("redis is away: %s; %s", why,
			store->is_durable ? "only logins verified of late are served" : "caches and counters go on locally");
	store_redis_alarm(store, alarm, text);
	if (store->metrics != NULL)
		metrics_set(store->metrics, alarm, why != NULL);
	if (store->told != NULL && (why != NULL || !atomic_load(&store->refuses_writes)))
		store->told(store->told_data, why != NULL);
}

/* ---- opening, closing ---- */

static RedisUrl *
open_url(const StoreSettings *settings, GError **error)
{
	g_autoptr(RedisUrl) url = redis_url_parse(settings->url, error);

	if (url == NULL)
		return NULL;
	if (settings->user != NULL) {
		g_free(url->user);
		url->user = g_strdup(settings->user);
	}
	if (settings->password != NULL) {
		g_free(url->password);
		url->password = g_strdup(settings->password);
	}
	return g_steal_pointer(&url);
}

static StoreRedis *
open_new(const StoreSettings *settings)
{
	StoreRedis *store = g_new0(StoreRedis, 1);

	store->prefix = g_strdup(settings->prefix != NULL ? settings->prefix : "postern:");
	store->name = g_strdup(settings->name != NULL ? settings->name : "store");
	store->is_durable = settings->is_durable;
	store->must_exist = settings->must_exist;
	store->metrics = settings->metrics;
	store->metric_trips = g_strconcat(store->name, ".round-trips", NULL);
	store->metric_errors = g_strconcat(store->name, ".errors", NULL);
	store->metric_time = g_strconcat(store->name, ".time-us", NULL);
	store->clock = settings->clock;
	store->deadline_us = settings->deadline_us > 0 ? settings->deadline_us : OPEN_DEADLINE_US;
	store->told = settings->told;
	store->told_data = settings->told_data;
	g_mutex_init(&store->lock);
	store->classes = g_ptr_array_new_with_free_func(g_free);
	for (RedisScript i = 0; i < SCRIPT_COUNT; i++) {
		g_autofree char *sha = NULL;

		store->scripts[i] = redis_script_text(i);
		sha = g_compute_checksum_for_string(G_CHECKSUM_SHA1, store->scripts[i], -1);
		g_strlcpy(store->shas[i], sha, sizeof store->shas[i]);
	}
	return store;
}

void *
store_redis_open(const StoreSettings *settings, const char *rest, GError **error)
{
	RedisUrl *url = open_url(settings, error);
	RedisPoolSettings pool = { .url = url,
		.trust = settings->trust,
		.connections = settings->connections > 0 ? settings->connections : OPEN_CONNECTIONS,
		.greet = open_greet,
		.told = open_told };
	StoreRedis *store;

	(void)rest;
	if (url == NULL)
		return NULL;
	store = open_new(settings);
	pool.deadline_us = store->deadline_us;
	pool.data = store;
	store->pool = redis_pool_new(&pool, error);
	if (store->pool == NULL)
		g_clear_pointer(&store, store_redis_close);
	return store;
}

void
store_redis_close(void *data)
{
	StoreRedis *store = data;

	redis_pool_free(store->pool);
	for (RedisScript i = 0; i < SCRIPT_COUNT; i++)
		g_free(store->scripts[i]);
	g_ptr_array_unref(store->classes);
	g_mutex_clear(&store->lock);
	g_free(store->metric_trips);
	g_free(store->metric_errors);
	g_free(store->metric_time);
	g_free(store->refusal);
	g_free(store->prefix);
	g_free(store->name);
	g_free(store);
}
