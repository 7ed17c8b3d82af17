/* parsers.c - a pool of parsers for each plugin.
 *
 * A parser that answered is idle again; one that did not is ended, and says by its end why.  Parsers end after so many
 * calls, so that one that was taken over does not see the messages of a day, and after a large message, so that its memory is free
 * again. */
#include "sandbox/parsers.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/keyed-hash.h"
#include "sandbox/talk.h"

enum { PARSER_LARGE = 8 << 20 }; /* octets of a call after which a parser ends */

typedef struct {
	pid_t pid;
	int fd;
	unsigned uses;
} Parser;

typedef struct {
	char *plugin;
	GQueue idle;     /* of Parser*, the last one used first */
	GCond may_go_on; /* one is idle, or may be started */
	ParsersFigures figures;
} Pool;

struct Parsers {
	Keeper *keeper;
	GMutex lock; /* of all below; the keeper is asked without it, because it may be slow */
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

/* Takes the queue's items. */
static void
parsers_end_all(Parsers *parsers, GQueue *ended)
{
	for (Parser *parser; (parser = g_queue_pop_head(ended)) != NULL;)
		parser_end(parsers, parser, NULL);
}

static void
pool_free(void *data)
{
	Pool *pool = data;

	g_cond_clear(&pool->may_go_on);
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

		parsers_end_all(parsers, &pool->idle);
	}
	keeper_close(parsers->keeper);
	g_hash_table_unref(parsers->pools);
	g_mutex_clear(&parsers->lock);
	g_free(parsers);
}

/* Lock held. */
static unsigned
parsers_most(const Parsers *parsers)
{
	return parsers->limits.most > 0 ? parsers->limits.most : 2 * g_get_num_processors();
}

void
parsers_set_limits(Parsers *parsers, const ParsersLimits *limits)
{
	GQueue ended = G_QUEUE_INIT;
	GHashTableIter iter;
	void *value;

	g_mutex_lock(&parsers->lock);
	parsers->limits = *limits;
	g_hash_table_iter_init(&iter, parsers->pools);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		Pool *pool = value;

		for (; pool->figures.running > parsers_most(parsers) && pool->idle.length > 0; pool->figures.running--)
			g_queue_push_tail(&ended, g_queue_pop_tail(&pool->idle));
		g_cond_broadcast(&pool->may_go_on);
	}
	g_mutex_unlock(&parsers->lock);
	parsers_end_all(parsers, &ended);
}

static Pool *
parsers_find(Parsers *parsers, const char *plugin)
{
	Pool *pool;

	g_mutex_lock(&parsers->lock);
	pool = g_hash_table_lookup(parsers->pools, plugin); /* pools are never removed */
	g_mutex_unlock(&parsers->lock);
	return pool;
}

/* A reload with plugins that are known needs no keeper. */
bool
parsers_load(Parsers *parsers, const char *directory, const char *plugin, GError **error)
{
	Pool *pool;

	if (parsers_find(parsers, plugin) != NULL)
		return true;
	if (!keeper_load(parsers->keeper, directory, plugin, error))
		return false;
	pool = g_new0(Pool, 1);
	pool->plugin = g_strdup(plugin);
	pool->figures.plugin = pool->plugin;
	g_queue_init(&pool->idle);
	g_cond_init(&pool->may_go_on);
	g_mutex_lock(&parsers->lock);
	if (g_hash_table_contains(parsers->pools, plugin))
		pool_free(pool); /* another thread was faster */
	else
		g_hash_table_insert(parsers->pools, pool->plugin, pool);
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

const char *
parsers_trouble(const Parsers *parsers)
{
	return keeper_trouble(parsers->keeper);
}

/* ---- taking one ---- */

/* Lock held.  One that died while it was idle, for want of memory say, fails no call; and octets that nobody asked for are no
 * answer to the next call.  Such parsers go to `ended`. */
static Parser *
pool_pop(Pool *pool, GQueue *ended)
{
	Parser *parser;

	while ((parser = g_queue_pop_head(&pool->idle)) != NULL) {
		struct pollfd poller = { .fd = parser->fd, .events = POLLIN };

		if (poll(&poller, 1, 0) == 0)
			return parser;
		g_queue_push_tail(ended, parser);
		pool->figures.running--;
		pool->figures.died++;
	}
	return NULL;
}

/* An idle parser; or NULL, with the right to start one (`may_start`), or when the time is over. */
static Parser *
pool_take(Parsers *parsers, Pool *pool, int64_t deadline_us, bool *may_start)
{
	GQueue ended = G_QUEUE_INIT;
	Parser *parser;

	*may_start = false;
	g_mutex_lock(&parsers->lock);
	while ((parser = pool_pop(pool, &ended)) == NULL) {
		*may_start = pool->figures.running < parsers_most(parsers);
		if (*may_start || !g_cond_wait_until(&pool->may_go_on, &parsers->lock, deadline_us))
			break;
	}
	pool->figures.running += *may_start;
	g_mutex_unlock(&parsers->lock);
	parsers_end_all(parsers, &ended);
	return parser;
}

static void
pool_note_end(Parsers *parsers, Pool *pool, bool has_died)
{
	g_mutex_lock(&parsers->lock);
	pool->figures.running--;
	pool->figures.died += has_died;
	g_cond_signal(&pool->may_go_on);
	g_mutex_unlock(&parsers->lock);
}

static Parser *
pool_start(Parsers *parsers, Pool *pool, int64_t deadline_us, GError **error)
{
	Parser *parser = g_new0(Parser, 1);
	uint64_t memory;

	g_mutex_lock(&parsers->lock);
	memory = parsers->limits.memory;
	g_mutex_unlock(&parsers->lock);
	parser->fd = keeper_start_parser(parsers->keeper, pool->plugin, memory, deadline_us, &parser->pid, error);
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
		return pool_start(parsers, pool, deadline_us, error);
	if (parser == NULL)
		error_set(error, POSTERN_ERROR_UNAVAILABLE, "all its parsers are busy");
	return parser;
}

/* Idle again, or ended: after so many uses, after much work, or where a reload allows fewer. */
static void
pool_give_back(Parsers *parsers, Pool *pool, Parser *parser, size_t size)
{
	bool is_of_age;

	g_mutex_lock(&parsers->lock);
	is_of_age = ++parser->uses >= parsers->limits.most_uses || size > PARSER_LARGE ||
				pool->figures.running > parsers_most(parsers);
	if (!is_of_age) {
		g_queue_push_head(&pool->idle, parser);
		g_cond_signal(&pool->may_go_on);
	}
	g_mutex_unlock(&parsers->lock);
	if (!is_of_age)
		return;
	parser_end(parsers, parser, NULL);
	pool_note_end(parsers, pool, false);
}

/* ---- a call ---- */

static void
parsers_say_why(TalkEnd end, int status, GError **error)
{
	switch (end) {
	case TALK_LONG:
		error_set(error, POSTERN_ERROR_INVALID, "its parser gave a longer answer than it may");
		break;
	case TALK_ASTRAY:
		error_set(error, POSTERN_ERROR_INVALID, "its parser gave an answer that belongs to no call");
		break;
	case TALK_LATE:
		error_set(error, POSTERN_ERROR_UNAVAILABLE, "its parser did not answer in time");
		break;
	default:
		if (status >= 0 && WIFSIGNALED(status))
			error_set(error, POSTERN_ERROR_UNAVAILABLE, "its parser died: %s (signal %d)",
				strsignal(WTERMSIG(status)), WTERMSIG(status));
		else
			error_set(error, POSTERN_ERROR_UNAVAILABLE, "its parser ended with exit code %d",
				status >= 0 ? WEXITSTATUS(status) : -1);
	}
}

static size_t
parsers_most_answer(Parsers *parsers)
{
	size_t most;

	g_mutex_lock(&parsers->lock);
	most = parsers->limits.answer;
	g_mutex_unlock(&parsers->lock);
	return most;
}

GByteArray *
parsers_call(Parsers *parsers, const char *plugin, GBytes *parameters, const char *octets, size_t size,
	int64_t deadline_us, GError **error)
{
	Pool *pool = parsers_find(parsers, plugin);
	Parser *parser = pool != NULL ? pool_get(parsers, pool, deadline_us, error) : NULL;
	TalkCall call = { .parameters = g_bytes_get_data(parameters, NULL),
		.octets = octets,
		.parameters_size = g_bytes_get_size(parameters),
		.size = size,
		.deadline_us = deadline_us };
	GByteArray *answer;
	TalkEnd end;
	int status;

	if (pool == NULL)
		error_set(error, POSTERN_ERROR_NOT_FOUND, "it has no parser");
	if (parser == NULL)
		return NULL;
	call.most = parsers_most_answer(parsers);
	answer = talk_call(parser->fd, &call, &end);
	if (answer != NULL) {
		pool_give_back(parsers, pool, parser, size);
		return answer;
	}
	parser_end(parsers, parser, &status);
	pool_note_end(parsers, pool, true);
	parsers_say_why(end, status, error);
	return NULL;
}
