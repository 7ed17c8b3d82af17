/* parsers.c - a pool of parsers for each plugin.
 *
 * A parser that answered is idle again; one that did not is ended, and says by its end why.  Parsers end after so many
 * calls, so that one that was taken over does not see the messages of a day, and after a large message, so that its memory is free
 * again. */
#include "sandbox/parsers.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/keyed-hash.h"
#include "sandbox/parser.h"

enum {
	PARSER_LARGE = 8 << 20, /* octets of a call after which a parser ends */
	TALK_READ = 4096,
};

typedef struct {
	pid_t pid;
	int fd;
	unsigned uses;
} Parser;

typedef struct {
	char *plugin;
	GQueue idle; /* of Parser*, the last one used first */
	ParsersFigures figures;
} Pool;

struct Parsers {
	Keeper *keeper;
	GMutex lock;
	GCond is_idle;
	GHashTable *pools; /* of Pool*, by plugin */
	ParsersLimits limits;
};

/* ---- the pools ---- */

static void
parser_end(Parsers *parsers, Parser *parser, int *status)
{
	const int ended = keeper_end_parser(parsers->keeper, parser->pid);

	(void)close(parser->fd);
	g_free(parser);
	if (status != NULL)
		*status = ended;
}

static void
pool_free(void *data)
{
	Pool *pool = data;

	g_free(pool->plugin);
	g_free(pool);
}

Parsers *
parsers_open(KeeperLoad *load, const ParsersLimits *limits, GError **error)
{
	Keeper *keeper = keeper_open(load, error);
	Parsers *parsers;

	if (keeper == NULL)
		return NULL;
	parsers = g_new0(Parsers, 1);
	parsers->keeper = keeper;
	g_mutex_init(&parsers->lock);
	g_cond_init(&parsers->is_idle);
	parsers->pools = g_hash_table_new_full(keyed_hash_text, g_str_equal, NULL, pool_free);
	parsers->limits = *limits;
	return parsers;
}

void
parsers_close(Parsers *parsers)
{
	GHashTableIter iter;
	void *value;

	if (parsers == NULL)
		return;
	g_hash_table_iter_init(&iter, parsers->pools);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		Pool *pool = value;

		for (Parser *parser; (parser = g_queue_pop_head(&pool->idle)) != NULL;)
			parser_end(parsers, parser, NULL);
	}
	keeper_close(parsers->keeper);
	g_hash_table_unref(parsers->pools);
	g_cond_clear(&parsers->is_idle);
	g_mutex_clear(&parsers->lock);
	g_free(parsers);
}

void
parsers_set_limits(Parsers *parsers, const ParsersLimits *limits)
{
	g_mutex_lock(&parsers->lock);
	parsers->limits = *limits;
	g_cond_broadcast(&parsers->is_idle);
	g_mutex_unlock(&parsers->lock);
}

bool
parsers_load(Parsers *parsers, const char *directory, const char *plugin, GError **error)
{
	if (!keeper_load(parsers->keeper, directory, plugin, error))
		return false;
	g_mutex_lock(&parsers->lock);
	if (!g_hash_table_contains(parsers->pools, plugin)) {
		Pool *pool = g_new0(Pool, 1);

		pool->plugin = g_strdup(plugin);
		pool->figures.plugin = pool->plugin;
		g_queue_init(&pool->idle);
		g_hash_table_insert(parsers->pools, pool->plugin, pool);
	}
	g_mutex_unlock(&parsers->lock);
	return true;
}

void
parsers_each(Parsers *parsers, void (*each)(void *data, const ParsersFigures *figures), void *data)
{
	GHashTableIter iter;
	void *value;

	g_mutex_lock(&parsers->lock);
	g_hash_table_iter_init(&iter, parsers->pools);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		Pool *pool = value;
		const Parser *idle = g_queue_peek_head(&pool->idle);

		pool->figures.idle = idle != NULL ? idle->pid : 0;
		each(data, &pool->figures);
	}
	g_mutex_unlock(&parsers->lock);
}

pid_t
parsers_keeper(const Parsers *parsers)
{
	return keeper_pid(parsers->keeper);
}

bool
parsers_are_kept(const Parsers *parsers)
{
	return keeper_is_alive(parsers->keeper);
}

/* ---- taking one ---- */

/* Lock held.  A parser that died while it was idle, for want of memory say, fails no call. */
static Parser *
pool_pop(Parsers *parsers, Pool *pool)
{
	Parser *parser;

	while ((parser = g_queue_pop_head(&pool->idle)) != NULL) {
		struct pollfd poller = { .fd = parser->fd, .events = POLLIN };

		if (poll(&poller, 1, 0) == 0)
			return parser;
		parser_end(parsers, parser, NULL);
		pool->figures.running--;
		pool->figures.died++;
	}
	return NULL;
}

/* An idle parser; or NULL, with the right to start one (`may_start`), or when the time is over. */
static Parser *
pool_take(Parsers *parsers, Pool *pool, int64_t deadline_us, bool *may_start)
{
	Parser *parser;

	*may_start = false;
	g_mutex_lock(&parsers->lock);
	while ((parser = pool_pop(parsers, pool)) == NULL) {
		const unsigned most = parsers->limits.most > 0 ? parsers->limits.most : 2 * g_get_num_processors();

		*may_start = pool->figures.running < most;
		if (*may_start || !g_cond_wait_until(&parsers->is_idle, &parsers->lock, deadline_us))
			break;
	}
	pool->figures.running += *may_start;
	g_mutex_unlock(&parsers->lock);
	return parser;
}

static void
pool_note_end(Parsers *parsers, Pool *pool, bool has_died)
{
	g_mutex_lock(&parsers->lock);
	pool->figures.running--;
	pool->figures.died += has_died;
	g_cond_signal(&parsers->is_idle);
	g_mutex_unlock(&parsers->lock);
}

static Parser *
pool_start(Parsers *parsers, Pool *pool, GError **error)
{
	Parser *parser = g_new0(Parser, 1);
	uint64_t memory;

	g_mutex_lock(&parsers->lock);
	memory = parsers->limits.memory;
	g_mutex_unlock(&parsers->lock);
	parser->fd = keeper_start_parser(parsers->keeper, pool->plugin, memory, &parser->pid, error);
	if (parser->fd >= 0) {
		g_mutex_lock(&parsers->lock);
		pool->figures.started++;
		g_mutex_unlock(&parsers->lock);
		return parser;
	}
	g_free(parser);
	pool_note_end(parsers, pool, false);
	return NULL;
}

static Parser *
pool_get(Parsers *parsers, Pool *pool, int64_t deadline_us, GError **error)
{
	bool may_start;
	Parser *parser = pool_take(parsers, pool, deadline_us, &may_start);

	if (parser == NULL && may_start)
		return pool_start(parsers, pool, error);
	if (parser == NULL)
		error_set(error, POSTERN_ERROR_UNAVAILABLE, "all its parsers are busy");
	return parser;
}

/* Idle again, or of age. */
static void
pool_give_back(Parsers *parsers, Pool *pool, Parser *parser, size_t size)
{
	bool is_of_age;

	g_mutex_lock(&parsers->lock);
	is_of_age = ++parser->uses >= parsers->limits.most_uses || size > PARSER_LARGE;
	if (!is_of_age) {
		g_queue_push_head(&pool->idle, parser);
		g_cond_signal(&parsers->is_idle);
	}
	g_mutex_unlock(&parsers->lock);
	if (!is_of_age)
		return;
	parser_end(parsers, parser, NULL);
	pool_note_end(parsers, pool, false);
}

/* ---- a call ---- */

typedef struct {
	int fd;
	int64_t deadline_us;
	bool is_late;
} Talk;

static bool
talk_wait(Talk *talk, short events)
{
	struct pollfd poller = { .fd = talk->fd, .events = events };
	const int64_t left_us = talk->deadline_us - g_get_monotonic_time();
	int n;

	do
		n = poll(&poller, 1, left_us > 0 ? (int)MIN(left_us / 1000 + 1, 60000) : 0);
	while (n < 0 && errno == EINTR);
	talk->is_late = n == 0 && g_get_monotonic_time() >= talk->deadline_us;
	return !talk->is_late;
}

static bool
talk_may_go_on(Talk *talk, ssize_t n, short events)
{
	if (n > 0)
		return true;
	return n < 0 && (errno == EINTR || (errno == EAGAIN && talk_wait(talk, events)));
}

/* Together, so that the other side wakes once. */
static bool
talk_write(Talk *talk, struct iovec *parts, size_t n_parts)
{
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = n_parts };

	while (message.msg_iovlen > 0) {
		ssize_t n = sendmsg(talk->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (!talk_may_go_on(talk, n, POLLOUT))
			return false;
		for (; message.msg_iovlen > 0 && n >= (ssize_t)message.msg_iov->iov_len; message.msg_iovlen--)
			n -= (ssize_t)message.msg_iov++->iov_len;
		if (message.msg_iovlen > 0 && n > 0) {
			message.msg_iov->iov_base = (char *)message.msg_iov->iov_base + n;
			message.msg_iov->iov_len -= (size_t)n;
		}
	}
	return true;
}

/* Reads until there are at least `least` octets in `answer`. */
static bool
talk_read(Talk *talk, GByteArray *answer, size_t least)
{
	while (answer->len < least) {
		const guint before = answer->len;
		const size_t room = MAX(least - before, TALK_READ);
		ssize_t n;

		g_byte_array_set_size(answer, before + (guint)room);
		n = recv(talk->fd, answer->data + before, room, MSG_DONTWAIT);
		g_byte_array_set_size(answer, before + (guint)MAX(n, 0));
		if (!talk_may_go_on(talk, n, POLLIN))
			return false;
	}
	return true;
}

/* NULL: it did not come, or (`is_long`) there is too much of it. */
static GByteArray *
talk_read_answer(Talk *talk, size_t most, bool *is_long)
{
	g_autoptr(GByteArray) answer = g_byte_array_new();
	ParserAnswer head;

	/* it takes the parser a while */
	if (!talk_wait(talk, POLLIN) || !talk_read(talk, answer, sizeof head))
		return NULL;
	memcpy(&head, answer->data, sizeof head);
	*is_long = head.size > most;
	if (*is_long || !talk_read(talk, answer, sizeof head + (size_t)head.size) ||
		answer->len != sizeof head + head.size) /* nobody asked for more */
		return NULL;
	g_byte_array_remove_range(answer, 0, sizeof head);
	return g_steal_pointer(&answer);
}

static void
parsers_say_why(const Talk *talk, bool is_long, int status, GError **error)
{
	if (is_long)
		error_set(error, POSTERN_ERROR_INVALID, "its parser gave a longer answer than it may");
	else if (talk->is_late)
		error_set(error, POSTERN_ERROR_UNAVAILABLE, "its parser did not answer in time");
	else if (status >= 0 && WIFSIGNALED(status))
		error_set(error, POSTERN_ERROR_UNAVAILABLE, "its parser died: %s (signal %d)", strsignal(WTERMSIG(status)),
			WTERMSIG(status));
	else
		error_set(error, POSTERN_ERROR_UNAVAILABLE, "its parser ended with exit code %d",
			status >= 0 ? WEXITSTATUS(status) : -1);
}

GByteArray *
parsers_call(Parsers *parsers, const char *plugin, GBytes *parameters, const char *octets, size_t size,
	size_t most, int64_t deadline_us, GError **error)
{
	ParserCall call = { g_bytes_get_size(parameters), size };
	struct iovec parts[] = { { &call, sizeof call },
		{ (void *)(uintptr_t)g_bytes_get_data(parameters, NULL), call.parameters_size },
		{ (void *)(uintptr_t)octets, size } };
	Talk talk = { .deadline_us = deadline_us };
	GByteArray *answer = NULL;
	bool is_long = false;
	Parser *parser;
	Pool *pool;
	int status;

	g_mutex_lock(&parsers->lock);
	pool = g_hash_table_lookup(parsers->pools, plugin);
	g_mutex_unlock(&parsers->lock);
	if (pool == NULL) {
		error_set(error, POSTERN_ERROR_NOT_FOUND, "it has no parser");
		return NULL;
	}
	parser = pool_get(parsers, pool, deadline_us, error);
	if (parser == NULL)
		return NULL;
	talk.fd = parser->fd;
	if (talk_write(&talk, parts, G_N_ELEMENTS(parts)))
		answer = talk_read_answer(&talk, most, &is_long);
	if (answer != NULL) {
		pool_give_back(parsers, pool, parser, size);
		return answer;
	}
	parser_end(parsers, parser, &status);
	pool_note_end(parsers, pool, true);
	parsers_say_why(&talk, is_long, status, error);
	return NULL;
}
