/* store-redis-feed.c - what other nodes changed, and the server's clock: one round trip for all classes that are asked for. */
#include <string.h>

#include "service/store-redis.h"

static bool
feed_is_watched(StoreRedis *store, const char *prefix)
{
	const char *class = store_redis_class(store, prefix);

	return class != NULL && strcmp(class, prefix) == 0;
}

/* The set of classes is for those that open the store without knowing them.  A greeting puts it right if this fails. */
void
store_redis_watch(void *data, const char *prefix)
{
	StoreRedis *store = data;
	g_autofree char *all = g_strconcat(store->prefix, "classes", NULL);
	const char *const words[] = { "SADD", all, prefix };

	if (feed_is_watched(store, prefix))
		return;
	g_mutex_lock(&store->lock);
	g_ptr_array_add(store->classes, g_strdup(prefix));
	g_mutex_unlock(&store->lock);
	redis_reply_free(
		store_redis_ask(store, CLOCK_NEVER, (RedisShape){ REDIS_IS_COUNT, 0 }, G_N_ELEMENTS(words), words));
}

static redisReply *
feed_ask(StoreRedis *store, const StoreFeed *feeds, size_t n, int64_t deadline_us)
{
	g_autoptr(GPtrArray) texts = g_ptr_array_new_with_free_func(g_free); /* owns, in the order of `words` */
	g_autoptr(GPtrArray) words = g_ptr_array_new();

	g_ptr_array_add(texts, g_strdup_printf("%zu", n));
	for (size_t i = 0; i < n; i++)
		g_ptr_array_add(texts, store_redis_beside(store, feeds[i].prefix, 'c'));
	for (size_t i = 0; i < n; i++)
		g_ptr_array_add(texts,
			feeds[i].has_since ? g_strdup_printf("%" G_GUINT64_FORMAT, feeds[i].since) : g_strdup(""));
	g_ptr_array_set_size(words, 2);
	for (guint i = 0; i < texts->len; i++)
		g_ptr_array_add(words, g_ptr_array_index(texts, i));
	return store_redis_eval(store, SCRIPT_FEED, (RedisShape){ REDIS_IS_TEXTS, 0 }, deadline_us, words);
}

/* Reads the part of `reply` at `*at`, and goes behind it; false: it is none. */
static bool
feed_take(const redisReply *reply, size_t *at, StoreFeed *feed)
{
	int64_t n;

	if (!redis_reply_version(redis_reply_at(reply, *at), &feed->number) ||
		!redis_reply_number(redis_reply_at(reply, *at + 1), &n) || n < -1 ||
		n > (int64_t)(redis_reply_size(reply) - *at - 2))
		return false;
	*at += 2;
	if (n < 0)
		return true;
	feed->keys = g_ptr_array_new_with_free_func(g_free);
	for (; n > 0; n--)
		g_ptr_array_add(
			feed->keys, g_strconcat(feed->prefix, redis_reply_text(redis_reply_at(reply, (*at)++)), NULL));
	return true;
}

static bool
feed_take_all(const redisReply *reply, StoreFeed *feeds, size_t n)
{
	size_t at = 1;

	for (size_t i = 0; i < n; i++)
		if (!feed_take(reply, &at, &feeds[i]))
			return false;
	return at == redis_reply_size(reply);
}

/* Somewhere between the question and the answer it had this time. */
static void
feed_take_time(StoreRedis *store, const redisReply *reply, int64_t begun_us)
{
	int64_t time_us;

	if (redis_reply_number(redis_reply_at(reply, 0), &time_us))
		atomic_store(&store->ahead_us, time_us - (begun_us + g_get_monotonic_time()) / 2);
}

PtnStatus
store_redis_feed(void *data, StoreFeed *feeds, size_t n, int64_t deadline_us)
{
	StoreRedis *store = data;
	g_autoptr(redisReply) reply = NULL;
	int64_t begun_us;

	for (size_t i = 0; i < n; i++)
		if (!feed_is_watched(store, feeds[i].prefix))
			return PTN_NONE;
	store_redis_try_write(store, deadline_us);
	begun_us = g_get_monotonic_time();
	reply = feed_ask(store, feeds, n, deadline_us);
	if (!feed_take_all(reply, feeds, n))
		return PTN_UNSURE;
	feed_take_time(store, reply, begun_us);
	return PTN_OK;
}

int64_t
store_redis_wall(void *data)
{
	StoreRedis *store = data;
	const long long ahead_us = atomic_load(&store->ahead_us);

	return ahead_us != 0 ? g_get_monotonic_time() + ahead_us : clock_wall(store->clock);
}
