/* redis-private.h - what the pool and its connections know of each other. */
#pragma once

#include <stdatomic.h>

#include "service/redis-pool.h"

typedef struct RedisLink RedisLink;

/* A command under way: of its caller and of the connection that it went out by. */
typedef struct {
	atomic_int references;
	GCond done;
	bool is_over;      /* by the connection's lock */
	redisReply *reply; /* NULL: it was lost */
	int64_t sent_us;
} RedisRequest;

struct RedisPool {
	RedisPoolSettings settings;
	TlsClient *tls;
	RedisLink **links;
	atomic_uint turn;
	atomic_int failures; /* in a row */
	atomic_bool is_away;
	atomic_ullong round_trips, errors, time_us, connects;
	atomic_llong smooth_us; /* what a round trip takes */
	GMutex lock;            /* guards what follows */
	GCond changed;          /* some connection is up, or the first one failed */
	bool has_tried;         /* some connection was tried */
	GError *trouble;        /* why the last one failed, or NULL */
	guint sentinel;         /* whom to ask first */
};

/* Not yet under way. */
RedisLink *redis_link_new(RedisPool *pool);
void redis_link_start(RedisLink *link);
/* Its thread ends soon; and has ended.  All are closed and joined before the first is freed: they look at each other. */
void redis_link_close(RedisLink *link);
void redis_link_join(RedisLink *link);
void redis_link_free(RedisLink *link);
bool redis_link_is_up(RedisLink *link);
/* NULL: it is not up.  The caller waits by redis_link_wait(). */
RedisRequest *redis_link_send(RedisLink *link, size_t n, const char *const *words);
/* Until the reply is there or lost (`is_lost`: the connection broke), or the deadline.  Takes the request; the reply is
 * new. */
redisReply *redis_link_wait(RedisLink *link, RedisRequest *request, int64_t deadline_us, bool *is_lost);
/* Gives the connection up: what is under way by it is lost. */
void redis_link_drop(RedisLink *link, const char *why);

/* ---- what a connection tells its pool ---- */
void redis_pool_came_up(RedisPool *pool);
/* One broke that was up, with commands under way. */
void redis_pool_broke(RedisPool *pool);
/* A connection could not be made. */
void redis_pool_failed(RedisPool *pool, const GError *error);
