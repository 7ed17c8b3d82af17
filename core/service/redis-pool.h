/* redis-pool.h - a few connections to one Redis, shared by all threads.
 *
 * Commands of concurrent callers go out one behind the other over the same connections; each caller waits for its own
 * reply, no longer than its deadline.  A Redis that fails several times in a row is away: callers are answered at
 * once, without it, until a connection has been greeted again.  Connections come back by themselves. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "service/redis-wire.h"

typedef struct RedisPool RedisPool;

/* Borrowed until redis_pool_free(), but for `url`, which it takes. */
typedef struct {
	RedisUrl *url;
	const char *trust;    /* PEM file, of TLS; NULL: the system's */
	unsigned connections; /* 1 to 16 */
	int64_t deadline_us;  /* of a call, and of each reply of a greeting */
	/* After each connecting: whatever must be so before it is used.  By the connection's thread.
	 * INVALID: it will not do. */
	bool (*greet)(void *data, RedisWire *wire, GError **error);
	/* It is away (why) or back (NULL).  By a thread of the pool or a caller, which hold no lock. */
	void (*told)(void *data, const char *why);
	void *data;
} RedisPoolSettings;

typedef struct {
	uint64_t round_trips, errors, time_us, connects;
	bool is_away;
} RedisFigures;

/* Waits for the first connection or its first failure.  NULL: this Redis will not do (INVALID); one that cannot be
 * reached is away. */
RedisPool *redis_pool_new(const RedisPoolSettings *settings, GError **error);
/* No call may be under way. */
void redis_pool_free(RedisPool *pool);
typedef struct {
	RedisShape shape;
	size_t n;
	const char *const *words;
	bool may_repeat; /* done twice it does what it does once: asked again when the connection breaks */
} RedisQuestion;

/* A new reply of the shape, or an error of the command; NULL: no answer in time, or one of another shape (a write may still be
 * done).  `deadline_us`: monotonic, at most the pool's from now. */
redisReply *redis_pool_ask(RedisPool *pool, int64_t deadline_us, const RedisQuestion *question);
/* It counts as away from now on, for this reason, until a new connection has been greeted. */
void redis_pool_give_up(RedisPool *pool, const char *why);
bool redis_pool_is_away(RedisPool *pool);
void redis_pool_figures(RedisPool *pool, RedisFigures *figures);
/* "redis mymaster ok (1.1 ms)", or what is wrong.  New. */
char *redis_pool_describe(RedisPool *pool);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(RedisPool, redis_pool_free)
