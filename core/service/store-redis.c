/* store-redis.c - the store that nodes share: one Redis, by itself or behind Sentinel.
 *
 * Keys are PREFIXi:KEY, and for those of a watched class PREFIX{CLASS}i:NAME, with their index PREFIX{CLASS}x and the latest
 * changes PREFIX{CLASS}c beside them; see redis-script.c, and doc/decisions/2026-11-22-redis.md for why. */
#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "io/loop.h"
#include "service/store-redis.h"

/* Longer is for ever: a number of Redis's Lua has 53 bits. */
#define STORE_REDIS_TTL_MAX (INT64_C(100) * 365 * 86400 * CLOCK_SECOND)

#define STORE_REDIS_TRY_US CLOCK_SECOND /* between two attempts to write while writes are refused */

static const RedisShape is_number = { REDIS_IS_NUMBER, 0 }, is_number_or_nil = { REDIS_IS_NUMBER_OR_NIL, 0 };

/* ---- keys ---- */

/* The watched class of a key, or NULL. */
const char *
store_redis_class(StoreRedis *store, const char *key)
{
	const char *found = NULL;

	g_mutex_lock(&store->lock);
	for (guint i = 0; i < store->classes->len; i++) {
		const char *class = g_ptr_array_index(store->classes, i);

		if (g_str_has_prefix(key, class) && (found == NULL || strlen(class) > strlen(found)))
			found = class;
	}
	g_mutex_unlock(&store->lock);
	return found;
}

char *
store_redis_item(const StoreRedis *store, const char *class, const char *key)
{
	return class != NULL ? g_strdup_printf("%s{%s}i:%s", store->prefix, class, key + strlen(class))
						 : g_strdup_printf("%si:%s", store->prefix, key);
}

char *
store_redis_beside(const StoreRedis *store, const char *class, char which)
{
	return g_strdup_printf("%s{%s}%c", store->prefix, class, which);
}

char *
store_redis_key_of(const StoreRedis *store, const char *redis_key)
{
	const char *rest = redis_key + strlen(store->prefix);
	const char *end;

	if (!g_str_has_prefix(redis_key, store->prefix))
		return NULL;
	if (g_str_has_prefix(rest, "i:"))
		return g_strdup(rest + 2);
	end = rest[0] == '{' ? strstr(rest, "}i:") : NULL;
	return end != NULL ? g_strdup_printf("%.*s%s", (int)(end - rest - 1), rest + 1, end + 3) : NULL;
}

/* ---- asking ---- */

void
store_redis_set_refusal(StoreRedis *store, const char *why)
{
	g_autofree char *name = g_strconcat(store->name, ".refused", NULL);
	g_autofree char *text = NULL;

	if (atomic_exchange(&store->refuses_writes, why != NULL) == (why != NULL))
		return;
	g_mutex_lock(&store->lock);
	g_free(store->refusal);
	store->refusal = g_strdup(why);
	g_mutex_unlock(&store->lock);
	atomic_store(&store->tried_us, g_get_monotonic_time());
	if (why != NULL)
		text = g_strdup_printf("redis takes no writes: %s; %s", why,
			store->is_durable ? "logins and mail go on, nothing can be changed"
							  : "caches and counters go on locally");
	store_redis_alarm(store, name, text);
	if (store->told != NULL)
		store->told(store->told_data, why != NULL);
}

/* The alarm about an error stands until the next reply that is none. */
static void
store_redis_judge(StoreRedis *store, bool is_write, const redisReply *reply)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *name = NULL;

	if (reply == NULL)
		return;
	if (reply->type == REDIS_REPLY_ERROR)
		redis_reply_explain(reply, &error);
	if (is_write && redis_reply_is_refusal(reply)) { /* store_redis_try_write() finds out when that ends */
		store_redis_set_refusal(store, error->message);
		return;
	}
	if (atomic_load(&store->refuses_writes))
		return;
	if (atomic_exchange(&store->is_refused, error != NULL) == (error != NULL))
		return;
	name = g_strconcat(store->name, ".refused", NULL);
	store_redis_alarm(store, name, error != NULL ? error->message : NULL);
}

/* An error is a reply here. */
static redisReply *
store_redis_ask_once(StoreRedis *store, int64_t deadline_us, const RedisQuestion *question)
{
	const int64_t begun_us = g_get_monotonic_time();
	redisReply *reply;

	if (loop_is_here())
		return NULL;
	reply = redis_pool_ask(store->pool, deadline_us, question);
	if (store->metrics != NULL) {
		metrics_add(store->metrics, reply != NULL ? store->metric_trips : store->metric_errors, 1);
		metrics_add(store->metrics, store->metric_time, g_get_monotonic_time() - begun_us);
	}
	return reply;
}

/* Takes the reply; returns it unless it is an error. */
static redisReply *
store_redis_no_error(StoreRedis *store, bool is_write, redisReply *reply)
{
	store_redis_judge(store, is_write, reply);
	if (reply != NULL && reply->type == REDIS_REPLY_ERROR)
		g_clear_pointer(&reply, redis_reply_free);
	return reply;
}

redisReply *
store_redis_ask(StoreRedis *store, int64_t deadline_us, RedisShape shape, size_t n, const char *const *words)
{
	const RedisQuestion question = { shape, n, words, true };

	return store_redis_no_error(store, false, store_redis_ask_once(store, deadline_us, &question));
}

/* A server that lost its scripts (SCRIPT FLUSH) is given the text. */
redisReply *
store_redis_eval(StoreRedis *store, RedisScript script, RedisShape shape, int64_t deadline_us, GPtrArray *words)
{
	const bool is_write = !redis_script_only_reads(script);
	const RedisQuestion question = { shape, words->len, (const char *const *)words->pdata,
		redis_script_may_repeat(script) };
	redisReply *reply;

	words->pdata[0] = (void *)(uintptr_t) "EVALSHA";
	words->pdata[1] = store->shas[script];
	reply = store_redis_ask_once(store, deadline_us, &question);
	if (!redis_reply_is_error(reply, "NOSCRIPT"))
		return store_redis_no_error(store, is_write, reply);
	redis_reply_free(reply);
	words->pdata[0] = (void *)(uintptr_t) "EVAL";
	words->pdata[1] = store->scripts[script];
	reply = store_redis_ask_once(store, deadline_us, &question);
	return store_redis_no_error(store, is_write, reply);
}

/* A script on one item: its name is the first argument, then `arguments` up to NULL. */
static redisReply *
store_redis_run_now(StoreRedis *store, RedisScript script, RedisShape shape, const char *key, int64_t deadline_us,
	const char *const *arguments)
{
	g_autoptr(GPtrArray) words = g_ptr_array_new();
	const char *class = store_redis_class(store, key);
	g_autofree char *item = store_redis_item(store, class, key);
	g_autofree char *index = class != NULL ? store_redis_beside(store, class, 'x') : NULL;
	g_autofree char *changes = class != NULL ? store_redis_beside(store, class, 'c') : NULL;

	g_ptr_array_set_size(words, 2);
	g_ptr_array_add(words, (void *)(uintptr_t)(class != NULL ? "3" : "1"));
	g_ptr_array_add(words, item);
	if (class != NULL) {
		g_ptr_array_add(words, index);
		g_ptr_array_add(words, changes);
	}
	g_ptr_array_add(words, (void *)(uintptr_t)(class != NULL ? key + strlen(class) : ""));
	for (; *arguments != NULL; arguments++)
		g_ptr_array_add(words, (void *)(uintptr_t)*arguments);
	return store_redis_eval(store, script, shape, deadline_us, words);
}

/* While Redis refuses writes it is not asked for those that memory takes instead, so that memory has all of them. */
static redisReply *
store_redis_run(StoreRedis *store, RedisScript script, RedisShape shape, const char *key, int64_t deadline_us,
	const char *const *arguments)
{
	if (!store->is_durable && atomic_load(&store->refuses_writes))
		return NULL;
	return store_redis_run_now(store, script, shape, key, deadline_us, arguments);
}

void
store_redis_try_write(StoreRedis *store, int64_t deadline_us)
{
	const char *const arguments[] = { "1", "1000000", NULL };
	const int64_t now_us = g_get_monotonic_time();
	g_autoptr(redisReply) reply = NULL;

	if (!atomic_load(&store->refuses_writes) || now_us - atomic_load(&store->tried_us) < STORE_REDIS_TRY_US)
		return;
	atomic_store(&store->tried_us, now_us);
	reply = store_redis_run_now(store, SCRIPT_ADD, is_number_or_nil, "probe", deadline_us, arguments);
	if (reply != NULL)
		store_redis_set_refusal(store, NULL);
}

/* ---- one item ---- */

static PtnStatus
store_redis_get(void *data, const char *key, int64_t deadline_us, char **value, uint64_t *version)
{
	StoreRedis *store = data;
	g_autofree char *item = store_redis_item(store, store_redis_class(store, key), key);
	const char *const words[] = { "HMGET", item, "v", "n" };
	g_autoptr(redisReply) reply =
		store_redis_ask(store, deadline_us, (RedisShape){ REDIS_IS_ITEM, 2 }, G_N_ELEMENTS(words), words);
	const char *text = redis_reply_text(redis_reply_at(reply, 0));

	if (reply == NULL)
		return PTN_UNSURE;
	if (text == NULL || !redis_reply_version(redis_reply_at(reply, 1), version))
		return store_redis_exists(store, deadline_us) ? PTN_NONE : PTN_UNSURE;
	*value = g_strdup(text);
	return PTN_OK;
}

static void
store_redis_format_ttl(int64_t ttl_us, char text[24])
{
	g_snprintf(text, 24, "%" G_GINT64_FORMAT, (gint64)(ttl_us > STORE_REDIS_TTL_MAX ? 0 : ttl_us));
}

static PtnStatus
store_redis_set(void *data, const char *key, const char *value, int64_t ttl_us, int64_t deadline_us)
{
	char ttl[24];
	const char *const arguments[] = { value, ttl, NULL };
	g_autoptr(redisReply) reply = NULL;

	store_redis_format_ttl(ttl_us, ttl);
	reply = store_redis_run(data, SCRIPT_SET, is_number, key, deadline_us, arguments);
	return reply != NULL ? PTN_OK : PTN_UNSURE;
}

static PtnStatus
store_redis_claim(void *data, const char *key, const char *value, int64_t ttl_us, int64_t deadline_us)
{
	char ttl[24];
	const char *const arguments[] = { value, ttl, NULL };
	g_autoptr(redisReply) reply = NULL;

	store_redis_format_ttl(ttl_us, ttl);
	reply = store_redis_run(data, SCRIPT_CLAIM, is_number_or_nil, key, deadline_us, arguments);
	if (reply == NULL)
		return PTN_UNSURE;
	return redis_reply_is_nil(reply) ? PTN_TAKEN : PTN_OK;
}

static PtnStatus
store_redis_replace(
	void *data, const char *key, const char *value, int64_t ttl_us, uint64_t *version, int64_t deadline_us)
{
	char number[24], ttl[24];
	const char *const arguments[] = { number, ttl, value, NULL };
	g_autoptr(redisReply) reply = NULL;

	g_snprintf(number, sizeof number, "%" G_GUINT64_FORMAT, *version);
	store_redis_format_ttl(ttl_us, ttl);
	reply = store_redis_run(data, SCRIPT_REPLACE, is_number_or_nil, key, deadline_us, arguments);
	if (reply == NULL)
		return PTN_UNSURE;
	if (redis_reply_is_nil(reply))
		return PTN_TAKEN;
	return redis_reply_version(reply, version) ? PTN_OK : PTN_UNSURE;
}

static void
add_number(GPtrArray *words, int64_t number)
{
	g_ptr_array_add(words, g_strdup_printf("%" G_GINT64_FORMAT, (gint64)number));
}

/* The arguments of SCRIPT_TALLY behind the name; new, ends with NULL. */
static GPtrArray *
store_redis_tally_words(const StoreTally *tallies, size_t n, const StoreBook *book)
{
	static const StoreBook none = { .node = "" };
	GPtrArray *words = g_ptr_array_new_with_free_func(g_free);

	if (book == NULL)
		book = &none;
	g_ptr_array_add(words, g_strdup(book->node));
	add_number(words, (int64_t)book->instance);
	add_number(words, (int64_t)book->generation);
	add_number(words, book->is_settling);
	for (size_t i = 0; i < n; i++) {
		g_ptr_array_add(words, g_strdup(tallies[i].name));
		add_number(words, tallies[i].n);
		add_number(words, MIN(tallies[i].window_us, STORE_REDIS_TTL_MAX));
		add_number(words, tallies[i].most);
		add_number(words, book->owns != NULL ? book->owns[i].window : 0);
		add_number(words, book->owns != NULL ? book->owns[i].own : 0);
		add_number(words, book->owns != NULL ? book->owns[i].debt : 0);
	}
	g_ptr_array_add(words, NULL);
	return words;
}

static PtnStatus
store_redis_tally(
	void *data, const char *key, StoreTally *tallies, size_t n, StoreBook *book, int64_t deadline_us)
{
	g_autoptr(GPtrArray) words = store_redis_tally_words(tallies, n, book);
	g_autoptr(redisReply) reply = store_redis_run(data, SCRIPT_TALLY, (RedisShape){ REDIS_IS_NUMBERS, n + 3 }, key,
		deadline_us, (const char *const *)words->pdata);
	int64_t status, now_us;
	uint64_t known;

	if (reply == NULL || !redis_reply_number(redis_reply_at(reply, 0), &status) ||
		!redis_reply_number(redis_reply_at(reply, 1), &now_us) || now_us <= 0 ||
		!redis_reply_version(redis_reply_at(reply, 2), &known))
		return PTN_UNSURE;
	for (size_t i = 0; i < n; i++)
		if (!redis_reply_number(redis_reply_at(reply, i + 3), &tallies[i].total))
			return PTN_UNSURE;
	if (book != NULL) {
		book->now_us = now_us;
		book->known = known;
	}
	return status == 1 ? PTN_OK : status == 0 ? PTN_TAKEN : PTN_NONE;
}

static PtnStatus
store_redis_remove(void *data, const char *key, int64_t deadline_us)
{
	const char *const arguments[] = { NULL };
	g_autoptr(redisReply) reply =
		store_redis_run(data, SCRIPT_REMOVE, is_number_or_nil, key, deadline_us, arguments);

	if (reply == NULL)
		return PTN_UNSURE;
	return redis_reply_is_nil(reply) ? PTN_NONE : PTN_OK;
}

static PtnStatus
store_redis_add(void *data, const char *key, int64_t n, int64_t window_us, int64_t deadline_us, int64_t *total)
{
	char number[24], window[24];
	const char *const arguments[] = { number, window, NULL };
	g_autoptr(redisReply) reply = NULL;

	g_snprintf(number, sizeof number, "%" G_GINT64_FORMAT, (gint64)n);
	g_snprintf(
		window, sizeof window, "%" G_GINT64_FORMAT, (gint64)(window_us > STORE_REDIS_TTL_MAX ? 0 : window_us));
	reply = store_redis_run(data, SCRIPT_ADD, is_number_or_nil, key, deadline_us, arguments);
	if (reply == NULL)
		return PTN_UNSURE;
	if (redis_reply_is_nil(reply))
		return PTN_TAKEN;
	return redis_reply_number(reply, total) ? PTN_OK : PTN_UNSURE;
}

static PtnStatus
store_redis_load(void *data, const StoreItem *item, int64_t deadline_us)
{
	char ends[24];
	const char *const arguments[] = { item->value, ends, NULL };
	g_autoptr(redisReply) reply = NULL;

	g_snprintf(
		ends, sizeof ends, "%" G_GINT64_FORMAT, (gint64)(item->expires_us == CLOCK_NEVER ? 0 : item->expires_us));
	reply = store_redis_run(data, SCRIPT_LOAD, is_number, item->key, deadline_us, arguments);
	return reply != NULL ? PTN_OK : PTN_UNSURE;
}

/* ---- the back end ---- */

static bool
store_redis_flush(void *data)
{
	(void)data;
	return true;
}

static char *
store_redis_describe(void *data)
{
	StoreRedis *store = data;
	char *text = NULL;

	g_mutex_lock(&store->lock);
	if (atomic_load(&store->refuses_writes) && !redis_pool_is_away(store->pool))
		text = g_strdup_printf("redis AWAY for writing: %s", store->refusal);
	g_mutex_unlock(&store->lock);
	return text != NULL ? text : redis_pool_describe(store->pool);
}

static bool
store_redis_is_away(void *data)
{
	StoreRedis *store = data;

	return redis_pool_is_away(store->pool) || atomic_load(&store->refuses_writes);
}

const StoreBackend store_redis = { .scheme = "redis",
	.is_local = false,
	.open = store_redis_open,
	.close = store_redis_close,
	.flush = store_redis_flush,
	.get = store_redis_get,
	.set = store_redis_set,
	.claim = store_redis_claim,
	.replace = store_redis_replace,
	.add = store_redis_add,
	.tally = store_redis_tally,
	.remove = store_redis_remove,
	.list = store_redis_list,
	.watch = store_redis_watch,
	.feed = store_redis_feed,
	.read = store_redis_read,
	.wall = store_redis_wall,
	.each = store_redis_each,
	.load = store_redis_load,
	.describe = store_redis_describe,
	.is_away = store_redis_is_away };
