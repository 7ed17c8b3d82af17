/* store-redis.h - the inside of the store over Redis, for store-redis*.c only. */
#pragma once

#include <stdatomic.h>

#include "service/redis-pool.h"
#include "service/redis-script.h"
#include "service/store-private.h"

enum { STORE_REDIS_SCHEMA = 1, STORE_REDIS_SHA = 41 };

typedef struct {
	char *prefix;
	char *name; /* "store", "directory": in metrics and alarms */
	bool is_durable, must_exist;
	Metrics *metrics; /* NULL: none */
	char *metric_trips, *metric_errors, *metric_time;
	RedisPool *pool;
	char *scripts[SCRIPT_COUNT];
	char shas[SCRIPT_COUNT][STORE_REDIS_SHA];
	int64_t deadline_us;
	const Clock *clock;
	atomic_llong ahead_us; /* of its wall clock before the monotonic one of this node; 0: not known yet */
	atomic_bool is_refused, has_said_unchecked;
	atomic_bool refuses_writes; /* the last one was refused */
	atomic_llong tried_us;      /* when it was last tried whether it takes writes again; monotonic */
	char *refusal;              /* why writes are refused; `lock` */
	void (*told)(void *data, bool is_away);
	void *told_data;
	GMutex lock;        /* guards `classes` and `refusal` */
	GPtrArray *classes; /* char*; only grows */
} StoreRedis;

/* ---- store-redis.c ---- */
/* The watched class of a key, or NULL. */
const char *store_redis_class(StoreRedis *store, const char *key);
/* What Redis calls the item `key`; new. */
char *store_redis_item(const StoreRedis *store, const char *class, const char *key);
/* Its class's index ('x') or changes ('c'); new. */
char *store_redis_beside(const StoreRedis *store, const char *class, char which);
/* The key of an item by what Redis calls it; new, NULL: it is none. */
char *store_redis_key_of(const StoreRedis *store, const char *redis_key);
/* A new reply of `shape`, no error; NULL: there is none.  The command is asked again when its connection breaks. */
redisReply *store_redis_ask(
	StoreRedis *store, int64_t deadline_us, RedisShape shape, size_t n, const char *const *words);
/* Tries, once a second, whether it takes writes again. */
void store_redis_try_write(StoreRedis *store, int64_t deadline_us);
/* Notes that writes are refused (`why`), or taken again (NULL): raises or lowers the alarm, and calls `told`. */
void store_redis_set_refusal(StoreRedis *store, const char *why);
/* `words`: two places that are filled in here, the number of keys, keys, arguments. */
redisReply *store_redis_eval(
	StoreRedis *store, RedisScript script, RedisShape shape, int64_t deadline_us, GPtrArray *words);

/* ---- store-redis-list.c ---- */
PtnStatus store_redis_list(
	void *data, const char *prefix, const char *after, size_t limit, int64_t deadline_us, GPtrArray **items);
PtnStatus store_redis_each(void *data, bool (*each)(void *each_data, const StoreItem *item), void *each_data);
PtnStatus store_redis_read(
	void *data, const char *prefix, const GPtrArray *keys, int64_t deadline_us, GPtrArray **items);

/* ---- store-redis-feed.c ---- */
void store_redis_watch(void *data, const char *prefix);
PtnStatus store_redis_feed(void *data, StoreFeed *feeds, size_t n, int64_t deadline_us);
int64_t store_redis_wall(void *data);

/* ---- store-redis-open.c ---- */
void *store_redis_open(const StoreSettings *settings, const char *rest, GError **error);
void store_redis_close(void *data);
/* False: the Redis has no schema key, though it must: it lost everything, or nobody made it ready.  It is away then. */
bool store_redis_exists(StoreRedis *store, int64_t deadline_us);
/* Raises or lowers (NULL) an alarm; where there are none, logs. */
void store_redis_alarm(StoreRedis *store, const char *name, const char *text);
