/* redis-link.c - one connection of a pool: a thread that connects, greets and reads; callers write themselves.
 *
 * A caller writes its command under the lock, so that commands and waiting callers are in the same order, and waits for its
 * own condition.  The thread takes replies in and wakes who waited for them. */
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/thread.h"
#include "service/redis-private.h"
#include "service/redis-sentinel.h"

enum { LINK_READ = 16 * 1024, LINK_LOOK_MS = 250 };

#define LINK_CONNECT_US (CLOCK_SECOND)
#define LINK_BACK_OFF_US (CLOCK_SECOND / 10)
#define LINK_BACK_OFF_MAX_US (2 * CLOCK_SECOND)

struct RedisLink {
	RedisPool *pool;
	Thread *thread;
	int wake; /* an eventfd: there is more to do than to read */
	atomic_bool is_up;
	GMutex lock; /* guards all that follows, and the waiting of the requests */
	GCond closing;
	RedisWire *wire;
	GByteArray *out;  /* what the socket did not take yet */
	GQueue under_way; /* RedisRequest*, in the order of their commands */
	char *trouble;    /* why it was given up */
	bool is_closing;
};

/* ---- requests ---- */

static RedisRequest *
redis_request_new(void)
{
	RedisRequest *request = g_new0(RedisRequest, 1);

	atomic_init(&request->references, 2);
	g_cond_init(&request->done);
	request->sent_us = g_get_monotonic_time();
	return request;
}

static void
redis_request_unref(RedisRequest *request)
{
	if (atomic_fetch_sub(&request->references, 1) > 1)
		return;
	g_clear_pointer(&request->reply, redis_reply_free);
	g_cond_clear(&request->done);
	g_free(request);
}

/* Lock held.  Takes the reply. */
static void
redis_request_end(RedisRequest *request, redisReply *reply)
{
	request->reply = reply;
	request->is_over = true;
	g_cond_signal(&request->done);
	redis_request_unref(request);
}

/* ---- with the lock held ---- */

static void
redis_link_wake(RedisLink *link)
{
	const uint64_t one = 1;

	(void)!write(link->wake, &one, sizeof one);
}

static void
redis_link_give_up(RedisLink *link, const char *why)
{
	if (!atomic_exchange(&link->is_up, false))
		return;
	g_free(link->trouble);
	link->trouble = g_strdup(why);
	redis_link_wake(link);
}

static void
redis_link_flush(RedisLink *link)
{
	size_t sent = 0;

	while (sent < link->out->len) {
		const ssize_t n = stream_write(&link->wire->stream, link->out->data + sent, link->out->len - sent);

		if (n == STREAM_AGAIN || n == STREAM_WANTS_WRITE)
			break;
		if (n <= 0) {
			redis_link_give_up(link, "the connection broke");
			return;
		}
		sent += (size_t)n;
	}
	if (sent > 0)
		g_byte_array_remove_range(link->out, 0, (guint)sent);
}

static void
redis_link_take_replies(RedisLink *link)
{
	redisReply *reply = NULL;
	bool is_protocol;

	while ((is_protocol = redis_parser_next(link->wire->parser, &reply)) && reply != NULL) {
		RedisRequest *request = g_queue_pop_head(&link->under_way);

		if (request == NULL) {
			redis_reply_free(reply);
			redis_link_give_up(link, "it answered what it was not asked");
			return;
		}
		redis_request_end(request, reply);
	}
	if (!is_protocol)
		redis_link_give_up(link, "it does not speak the protocol of Redis");
}

static void
redis_link_read(RedisLink *link)
{
	char buffer[LINK_READ];
	ssize_t n;

	do {
		n = stream_read(&link->wire->stream, buffer, sizeof buffer);
		if (n == STREAM_AGAIN || n == STREAM_WANTS_WRITE)
			return;
		if (n <= 0 || !redis_parser_feed(link->wire->parser, buffer, (size_t)n)) {
			redis_link_give_up(link, "it closed the connection");
			return;
		}
		redis_link_take_replies(link);
	} while ((size_t)n == sizeof buffer || link->wire->stream.tls != NULL);
}

/* Nobody is woken by a server that hangs: whoever has waited twice as long as allowed says that it does. */
static void
redis_link_look_at_time(RedisLink *link)
{
	const RedisRequest *oldest = g_queue_peek_head(&link->under_way);
	const int64_t patience_us = 2 * link->pool->settings.deadline_us;

	if (oldest != NULL && g_get_monotonic_time() - oldest->sent_us > patience_us)
		redis_link_give_up(link, "it does not answer in time");
}

/* ---- for callers ---- */

bool
redis_link_is_up(RedisLink *link)
{
	return atomic_load(&link->is_up);
}

RedisRequest *
redis_link_send(RedisLink *link, size_t n, const char *const *words)
{
	RedisRequest *request = NULL;
	bool is_free;

	g_mutex_lock(&link->lock);
	if (atomic_load(&link->is_up)) {
		request = redis_request_new();
		g_queue_push_tail(&link->under_way, request);
		is_free = link->out->len == 0;
		redis_format(link->out, n, words);
		if (is_free)
			redis_link_flush(link);
		if (link->out->len > 0)
			redis_link_wake(link);
	}
	g_mutex_unlock(&link->lock);
	return request;
}

redisReply *
redis_link_wait(RedisLink *link, RedisRequest *request, int64_t deadline_us, bool *is_lost)
{
	redisReply *reply;

	g_mutex_lock(&link->lock);
	while (!request->is_over && g_cond_wait_until(&request->done, &link->lock, deadline_us))
		;
	reply = g_steal_pointer(&request->reply);
	*is_lost = request->is_over && reply == NULL;
	g_mutex_unlock(&link->lock);
	redis_request_unref(request);
	return reply;
}

void
redis_link_drop(RedisLink *link, const char *why)
{
	g_mutex_lock(&link->lock);
	redis_link_give_up(link, why);
	g_mutex_unlock(&link->lock);
}

/* ---- the thread: connecting ---- */

static bool
redis_link_log_in(RedisLink *link, RedisWire *wire, GError **error)
{
	const RedisUrl *url = link->pool->settings.url;
	const int64_t until_us = g_get_monotonic_time() + LINK_CONNECT_US;
	g_autofree char *database = g_strdup_printf("%u", url->database);
	g_autoptr(redisReply) in = NULL;
	g_autoptr(redisReply) selected = NULL;

	if (url->password != NULL && !redis_wire_is_private(wire))
		return error_set(error, POSTERN_ERROR_INVALID,
			"the password is not sent in clear to another machine: use TLS (rediss://)");
	if (url->password != NULL && url->user != NULL)
		in = redis_wire_ask(
			wire, until_us, REDIS_IS_TEXT, error, "AUTH", url->user, url->password, (const char *)NULL);
	else if (url->password != NULL)
		in = redis_wire_ask(wire, until_us, REDIS_IS_TEXT, error, "AUTH", url->password, (const char *)NULL);
	if (url->password != NULL && in == NULL)
		return false;
	if (url->database > 0)
		selected = redis_wire_ask(wire, until_us, REDIS_IS_TEXT, error, "SELECT", database, (const char *)NULL);
	return url->database == 0 || selected != NULL;
}

/* It may become the master; behind Sentinel another one does. */
static bool
redis_link_check_role(RedisWire *wire, GError **error)
{
	const int64_t until_us = g_get_monotonic_time() + LINK_CONNECT_US;
	g_autoptr(GError) failure = NULL;
	g_autoptr(redisReply) reply =
		redis_wire_ask(wire, until_us, REDIS_IS_ROLE, &failure, "ROLE", (const char *)NULL);
	const char *role = redis_reply_text(redis_reply_at(reply, 0));

	if (reply == NULL && strstr(failure->message, "NOPERM") == NULL) {
		g_propagate_error(error, g_steal_pointer(&failure));
		return false;
	}
	if (role == NULL || strcmp(role, "master") == 0)
		return true;
	return error_set(error, POSTERN_ERROR_UNAVAILABLE, "it is a replica, which cannot be written");
}

static RedisWire *
redis_link_greet(RedisLink *link, const RedisPlace *place, GError **error)
{
	const RedisPoolSettings *settings = &link->pool->settings;
	const int64_t until_us = g_get_monotonic_time() + LINK_CONNECT_US;
	g_autoptr(GError) failure = NULL;
	g_autoptr(RedisWire) wire = redis_wire_open(place, link->pool->tls, until_us, &failure);

	if (wire != NULL && redis_link_log_in(link, wire, &failure) && redis_link_check_role(wire, &failure) &&
		settings->greet(settings->data, wire, &failure) && !wire->is_out_of_step)
		return g_steal_pointer(&wire);
	if (failure == NULL)
		(void)error_set(&failure, POSTERN_ERROR_UNAVAILABLE, "it does not answer in time");
	(void)error_set(error, (PosternError)failure->code, "%s:%u: %s", place->host, place->port, failure->message);
	return NULL;
}

static RedisWire *
redis_link_connect(RedisLink *link, GError **error)
{
	RedisPool *pool = link->pool;
	const RedisUrl *url = pool->settings.url;
	RedisPlace *master;
	RedisWire *wire;
	guint first;

	if (url->master == NULL)
		return redis_link_greet(link, g_ptr_array_index(url->places, 0), error);
	g_mutex_lock(&pool->lock);
	first = pool->sentinel;
	g_mutex_unlock(&pool->lock);
	master = redis_sentinel_master(url, &first, pool->tls, g_get_monotonic_time() + 3 * LINK_CONNECT_US, error);
	if (master == NULL)
		return NULL;
	g_mutex_lock(&pool->lock);
	pool->sentinel = first;
	g_mutex_unlock(&pool->lock);
	wire = redis_link_greet(link, master, error);
	g_free(master->host);
	g_free(master);
	return wire;
}

static bool
redis_link_open(RedisLink *link)
{
	g_autoptr(GError) error = NULL;
	RedisWire *wire = redis_link_connect(link, &error);

	if (wire == NULL) {
		redis_pool_failed(link->pool, error);
		return false;
	}
	g_mutex_lock(&link->lock);
	link->wire = wire;
	g_clear_pointer(&link->trouble, g_free);
	atomic_store(&link->is_up, true);
	g_mutex_unlock(&link->lock);
	redis_pool_came_up(link->pool);
	return true;
}

/* ---- the thread: serving ---- */

/* False: the connection is over. */
static bool
redis_link_step(RedisLink *link)
{
	struct pollfd fds[] = { { .fd = link->wire->stream.fd, .events = POLLIN },
		{ .fd = link->wake, .events = POLLIN } };
	uint64_t ignored;
	bool goes_on;

	g_mutex_lock(&link->lock);
	if (link->out->len > 0)
		fds[0].events |= POLLOUT;
	g_mutex_unlock(&link->lock);
	(void)poll(fds, G_N_ELEMENTS(fds), LINK_LOOK_MS);
	if (fds[1].revents != 0)
		(void)!read(link->wake, &ignored, sizeof ignored);
	g_mutex_lock(&link->lock);
	if (atomic_load(&link->is_up) && link->out->len > 0)
		redis_link_flush(link);
	if (atomic_load(&link->is_up) && fds[0].revents != 0)
		redis_link_read(link);
	redis_link_look_at_time(link);
	goes_on = atomic_load(&link->is_up) && !link->is_closing;
	g_mutex_unlock(&link->lock);
	return goes_on;
}

static void
redis_link_clean(RedisLink *link)
{
	RedisRequest *request;
	bool has_lost;

	g_mutex_lock(&link->lock);
	atomic_store(&link->is_up, false);
	has_lost = !g_queue_is_empty(&link->under_way);
	while ((request = g_queue_pop_head(&link->under_way)) != NULL)
		redis_request_end(request, NULL);
	g_byte_array_set_size(link->out, 0);
	g_clear_pointer(&link->wire, redis_wire_close);
	g_mutex_unlock(&link->lock);
	if (has_lost)
		redis_pool_broke(link->pool);
}

/* Between half and all of it, so that many nodes do not come at once. */
static int64_t
redis_link_jitter(int64_t time_us)
{
	return time_us / 2 + (int64_t)(g_random_double() * (double)(time_us / 2));
}

/* False: it closes. */
static bool
redis_link_pause(RedisLink *link, int64_t time_us)
{
	const int64_t until_us = g_get_monotonic_time() + redis_link_jitter(time_us);
	bool goes_on;

	g_mutex_lock(&link->lock);
	while (!link->is_closing && g_cond_wait_until(&link->closing, &link->lock, until_us))
		;
	goes_on = !link->is_closing;
	g_mutex_unlock(&link->lock);
	return goes_on;
}

static void *
redis_link_run(void *data)
{
	RedisLink *link = data;
	int64_t back_off_us = LINK_BACK_OFF_US;

	do {
		if (redis_link_open(link)) {
			while (redis_link_step(link))
				;
			redis_link_clean(link);
			back_off_us = LINK_BACK_OFF_US;
		} else {
			back_off_us = MIN(2 * back_off_us, LINK_BACK_OFF_MAX_US);
		}
	} while (redis_link_pause(link, back_off_us));
	return NULL;
}

/* ---- making ---- */

RedisLink *
redis_link_new(RedisPool *pool)
{
	RedisLink *link = g_new0(RedisLink, 1);

	link->pool = pool;
	link->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	link->out = g_byte_array_new();
	g_mutex_init(&link->lock);
	g_cond_init(&link->closing);
	g_queue_init(&link->under_way);
	return link;
}

void
redis_link_start(RedisLink *link)
{
	link->thread = thread_new("redis", redis_link_run, link);
}

void
redis_link_close(RedisLink *link)
{
	g_mutex_lock(&link->lock);
	link->is_closing = true;
	g_cond_signal(&link->closing);
	redis_link_wake(link);
	g_mutex_unlock(&link->lock);
}

void
redis_link_join(RedisLink *link)
{
	if (link->thread != NULL)
		thread_join(link->thread);
}

void
redis_link_free(RedisLink *link)
{
	(void)close(link->wake);
	g_byte_array_unref(link->out);
	g_free(link->trouble);
	g_cond_clear(&link->closing);
	g_mutex_clear(&link->lock);
	g_free(link);
}
