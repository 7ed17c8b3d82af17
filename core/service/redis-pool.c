/* redis-pool.c - a few connections to one Redis: whom to ask, and when not to ask at all. */
#include "service/redis-pool.h"

#include "base/clock.h"
#include "base/error.h"
#include "service/redis-private.h"

enum {
	POOL_FAILURES = 5, /* in a row, until it is away */
	POOL_ATTEMPTS = 3, /* of a command that was surely not done */
	POOL_SMOOTH = 16   /* round trips over which what they take is smoothed */
};

/* ---- away and back ---- */

static void
redis_pool_tell(RedisPool *pool, const char *why)
{
	if (pool->settings.told != NULL)
		pool->settings.told(pool->settings.data, why);
}

/* Connections that are up but silent are given up, too: the greeting of a new one is how it is found out that all is well
 * again. */
static void
redis_pool_go_away(RedisPool *pool)
{
	g_autofree char *why = NULL;

	if (atomic_exchange(&pool->is_away, true))
		return;
	g_mutex_lock(&pool->lock);
	why = g_strdup(pool->trouble != NULL ? pool->trouble->message : "it does not answer in time");
	g_cond_broadcast(&pool->changed);
	g_mutex_unlock(&pool->lock);
	for (unsigned i = 0; i < pool->settings.connections; i++)
		redis_link_drop(pool->links[i], why);
	redis_pool_tell(pool, why);
}

static void
redis_pool_count_failure(RedisPool *pool)
{
	atomic_fetch_add(&pool->errors, 1);
	if (atomic_fetch_add(&pool->failures, 1) + 1 >= POOL_FAILURES)
		redis_pool_go_away(pool);
}

void
redis_pool_broke(RedisPool *pool)
{
	if (!atomic_load(&pool->is_away))
		redis_pool_count_failure(pool);
}

void
redis_pool_came_up(RedisPool *pool)
{
	bool was_away;

	g_mutex_lock(&pool->lock);
	pool->has_tried = true;
	g_clear_error(&pool->trouble);
	atomic_store(&pool->failures, 0);
	atomic_fetch_add(&pool->connects, 1);
	was_away = atomic_exchange(&pool->is_away, false);
	g_cond_broadcast(&pool->changed);
	g_mutex_unlock(&pool->lock);
	if (was_away)
		redis_pool_tell(pool, NULL);
}

/* The next one in turn that is up, or NULL. */
static RedisLink *
redis_pool_find(RedisPool *pool, unsigned turn)
{
	const unsigned n = pool->settings.connections;

	for (unsigned i = 0; i < n; i++)
		if (redis_link_is_up(pool->links[(turn + i) % n]))
			return pool->links[(turn + i) % n];
	return NULL;
}

/* The first failure decides at once whether anybody waits; one that will not do at all is whoever opens it to tell. */
void
redis_pool_failed(RedisPool *pool, const GError *error)
{
	bool is_first;

	g_mutex_lock(&pool->lock);
	is_first = !pool->has_tried;
	if (redis_pool_find(pool, 0) == NULL) {
		g_clear_error(&pool->trouble);
		pool->trouble = g_error_copy(error);
	}
	g_mutex_unlock(&pool->lock);
	if (is_first && error->code != POSTERN_ERROR_INVALID)
		atomic_store(&pool->failures, POOL_FAILURES);
	redis_pool_count_failure(pool);
	g_mutex_lock(&pool->lock);
	pool->has_tried = true;
	g_cond_broadcast(&pool->changed);
	g_mutex_unlock(&pool->lock);
}

/* ---- asking ---- */

/* Waits for one that is up while it is not known that there is none.  NULL: none. */
static RedisLink *
redis_pool_pick(RedisPool *pool, int64_t deadline_us)
{
	const unsigned turn = atomic_fetch_add(&pool->turn, 1);
	RedisLink *link;

	if (atomic_load(&pool->is_away))
		return NULL;
	link = redis_pool_find(pool, turn);
	if (link != NULL)
		return link;
	g_mutex_lock(&pool->lock);
	while (!atomic_load(&pool->is_away) && (link = redis_pool_find(pool, turn)) == NULL &&
		   g_cond_wait_until(&pool->changed, &pool->lock, deadline_us))
		;
	g_mutex_unlock(&pool->lock);
	return link;
}

/* It was not done, because this server does not do it: another one, or the same in a while, may. */
static bool
redis_pool_is_turned_away(const redisReply *reply)
{
	return redis_reply_is_error(reply, "READONLY") || redis_reply_is_error(reply, "LOADING") ||
		   redis_reply_is_error(reply, "MASTERDOWN");
}

static void
redis_pool_measure(RedisPool *pool, int64_t took_us)
{
	const long long smooth_us = atomic_load(&pool->smooth_us);

	atomic_fetch_add(&pool->round_trips, 1);
	atomic_fetch_add(&pool->time_us, (unsigned long long)took_us);
	atomic_store(&pool->smooth_us, smooth_us == 0 ? took_us : smooth_us + (took_us - smooth_us) / POOL_SMOOTH);
}

void
redis_pool_give_up(RedisPool *pool, const char *why)
{
	g_mutex_lock(&pool->lock);
	g_clear_error(&pool->trouble);
	(void)error_set(&pool->trouble, POSTERN_ERROR_UNAVAILABLE, "%s", why);
	g_mutex_unlock(&pool->lock);
	atomic_fetch_add(&pool->errors, 1);
	redis_pool_go_away(pool);
}

/* One reply that is wrong may mean that all of them are mixed up: new connections are opened, each with a greeting. */
static void
redis_pool_distrust(RedisPool *pool, RedisShape shape, const char *command, const redisReply *reply)
{
	g_autofree char *misfit = redis_reply_misfit(reply, shape);
	g_autofree char *why = g_strdup_printf("it answers %s with %s", command, misfit);

	redis_pool_give_up(pool, why);
}

static redisReply *
redis_pool_ask_once(RedisPool *pool, RedisLink *link, int64_t deadline_us, RedisRequest *request, bool *is_lost)
{
	const int64_t sent_us = request->sent_us;
	redisReply *reply = redis_link_wait(link, request, deadline_us, is_lost);

	if (reply == NULL)
		return NULL;
	redis_pool_measure(pool, g_get_monotonic_time() - sent_us);
	if (redis_pool_is_turned_away(reply))
		redis_link_drop(link, reply->str);
	return reply;
}

/* NULL: no reply, one of another shape, or one that turned us away each time; `is_lost`: the connection broke, which may have
 * been before or after the command was done. */
static redisReply *
redis_pool_try(RedisPool *pool, int64_t until_us, const RedisQuestion *question, bool *is_lost)
{
	for (int attempt = 0; attempt < POOL_ATTEMPTS; attempt++) {
		g_autoptr(redisReply) reply = NULL;
		RedisLink *link = redis_pool_pick(pool, until_us);
		RedisRequest *request;

		if (link == NULL)
			return NULL;
		request = redis_link_send(link, question->n, question->words);
		if (request == NULL)
			continue;
		reply = redis_pool_ask_once(pool, link, until_us, request, is_lost);
		if (redis_pool_is_turned_away(reply) || (*is_lost && question->may_repeat))
			continue;
		if (redis_reply_fits(reply, question->shape))
			atomic_store(&pool->failures, 0);
		else if (reply != NULL) {
			redis_pool_distrust(pool, question->shape, question->words[0], reply);
			g_clear_pointer(&reply, redis_reply_free);
		}
		return g_steal_pointer(&reply);
	}
	return NULL;
}

/* A caller that had hardly any time left says nothing about the server; of those whose connection broke redis_pool_broke() has
 * counted one. */
redisReply *
redis_pool_ask(RedisPool *pool, int64_t deadline_us, const RedisQuestion *question)
{
	const int64_t ours_us = g_get_monotonic_time() + pool->settings.deadline_us;
	bool is_lost = false;
	redisReply *reply = redis_pool_try(pool, MIN(deadline_us, ours_us), question, &is_lost);

	if (reply == NULL && !is_lost && deadline_us >= ours_us && !atomic_load(&pool->is_away))
		redis_pool_count_failure(pool);
	return reply;
}

/* ---- looking ---- */

bool
redis_pool_is_away(RedisPool *pool)
{
	return atomic_load(&pool->is_away);
}

void
redis_pool_figures(RedisPool *pool, RedisFigures *figures)
{
	*figures = (RedisFigures){ .round_trips = atomic_load(&pool->round_trips),
		.errors = atomic_load(&pool->errors),
		.time_us = atomic_load(&pool->time_us),
		.connects = atomic_load(&pool->connects),
		.is_away = atomic_load(&pool->is_away) };
}

char *
redis_pool_describe(RedisPool *pool)
{
	const char *name = pool->settings.url->name;
	char *text;

	g_mutex_lock(&pool->lock);
	if (!atomic_load(&pool->is_away))
		text = g_strdup_printf("redis %s ok (%.1f ms)", name, (double)atomic_load(&pool->smooth_us) / 1e3);
	else
		text = g_strdup_printf("redis %s AWAY: %s", name,
			pool->trouble != NULL ? pool->trouble->message : "it does not answer in time");
	g_mutex_unlock(&pool->lock);
	return text;
}

/* ---- opening, closing ---- */

/* The first connection finds out whether this Redis will do; the others come after it. */
static bool
redis_pool_start(RedisPool *pool, GError **error)
{
	bool will_do;

	redis_link_start(pool->links[0]);
	g_mutex_lock(&pool->lock);
	while (!pool->has_tried)
		g_cond_wait(&pool->changed, &pool->lock);
	will_do = pool->trouble == NULL || pool->trouble->code != POSTERN_ERROR_INVALID;
	if (!will_do)
		(void)error_set(
			error, POSTERN_ERROR_INVALID, "redis %s: %s", pool->settings.url->name, pool->trouble->message);
	g_mutex_unlock(&pool->lock);
	for (unsigned i = 1; will_do && i < pool->settings.connections; i++)
		redis_link_start(pool->links[i]);
	return will_do;
}

RedisPool *
redis_pool_new(const RedisPoolSettings *settings, GError **error)
{
	g_autoptr(RedisPool) pool = g_new0(RedisPool, 1);

	pool->settings = *settings;
	g_mutex_init(&pool->lock);
	g_cond_init(&pool->changed);
	pool->links = g_new0(RedisLink *, settings->connections);
	for (unsigned i = 0; i < settings->connections; i++)
		pool->links[i] = redis_link_new(pool);
	if (settings->url->is_tls) {
		pool->tls = tls_client_new(settings->trust, error);
		if (pool->tls == NULL)
			return NULL;
	}
	return redis_pool_start(pool, error) ? g_steal_pointer(&pool) : NULL;
}

void
redis_pool_free(RedisPool *pool)
{
	if (pool == NULL)
		return;
	for (unsigned i = 0; i < pool->settings.connections; i++)
		redis_link_close(pool->links[i]);
	for (unsigned i = 0; i < pool->settings.connections; i++)
		redis_link_join(pool->links[i]);
	for (unsigned i = 0; i < pool->settings.connections; i++)
		redis_link_free(pool->links[i]);
	g_free(pool->links);
	redis_url_free(pool->settings.url);
	tls_client_free(pool->tls);
	g_clear_error(&pool->trouble);
	g_cond_clear(&pool->changed);
	g_mutex_clear(&pool->lock);
	g_free(pool);
}
