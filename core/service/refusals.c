/* refusals.c - the journal of refusals: a bounded queue, a thread that appends, and readers from the end of each day.
 *
 * It may lose lines in a crash: it says why mail was refused, it is not what mail depends on. */
#include "service/refusals.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/ip.h"
#include "base/log.h"
#include "base/thread.h"
#include "service/refusals-line.h"
#include "service/refusals-read.h"

enum { REFUSALS_DAY_SIZE = 32 };

typedef struct {
	int64_t time_us;
	char *line;
} Noted;

struct Refusals {
	char *directory;
	int64_t keep_us;
	uint64_t most_per_day;
	unsigned most_waiting;
	Thread *writer;
	int fd; /* of the day being written, the writer's; -1: none */
	char day[REFUSALS_DAY_SIZE];
	uint64_t day_size; /* octets of that day */
	bool is_failing, is_day_full;
	int why;     /* errno of the last failure */
	GMutex lock; /* guards what follows */
	GCond changed;
	GQueue queue; /* Noted* */
	bool is_writing, is_closing;
	uint64_t lost;
};

static void
refusals_noted_free(void *data)
{
	Noted *noted = data;

	g_free(noted->line);
	g_free(noted);
}

/* "2026-11-22.json" */
static void
refusals_name_day(int64_t time_us, char name[REFUSALS_DAY_SIZE])
{
	const time_t seconds = (time_t)(time_us / CLOCK_SECOND);
	struct tm parts = { 0 };

	(void)gmtime_r(&seconds, &parts);
	(void)strftime(name, REFUSALS_DAY_SIZE, "%Y-%m-%d.json", &parts);
}

/* ---- the writer ---- */

static bool
refusals_open_day(Refusals *refusals, int64_t time_us)
{
	g_autofree char *path = NULL;
	char day[REFUSALS_DAY_SIZE];

	refusals_name_day(time_us, day);
	if (refusals->fd >= 0 && strcmp(day, refusals->day) == 0)
		return true;
	if (refusals->fd >= 0)
		(void)close(refusals->fd);
	path = g_build_filename(refusals->directory, day, NULL);
	refusals->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
	memcpy(refusals->day, day, sizeof day);
	refusals->day_size = refusals->fd >= 0 ? (uint64_t)MAX(lseek(refusals->fd, 0, SEEK_END), 0) : 0;
	refusals->is_day_full = false;
	/* What a crash or a full disk cut off must not swallow the line that comes. */
	if (refusals->day_size > 0)
		refusals->day_size += (uint64_t)MAX(write(refusals->fd, "\n", 1), 0);
	return refusals->fd >= 0;
}

/* A day that is full is reported once. */
static bool
refusals_is_full(Refusals *refusals, size_t size)
{
	if (refusals->day_size + size <= refusals->most_per_day)
		return false;
	if (!refusals->is_day_full)
		log_event(LOG_LEVEL_WARNING, "the rejection log of this day is full", "directory", refusals->directory,
			"day", refusals->day, NULL);
	refusals->is_day_full = true;
	return true;
}

static bool
refusals_write(Refusals *refusals, const Noted *noted)
{
	const size_t size = strlen(noted->line);

	if (!refusals_open_day(refusals, noted->time_us)) {
		refusals->why = errno;
		return false;
	}
	errno = 0;
	if (write(refusals->fd, noted->line, size) == (ssize_t)size) {
		refusals->day_size += size;
		return true;
	}
	refusals->why = errno != 0 ? errno : ENOSPC;
	(void)close(refusals->fd);
	refusals->fd = -1;
	return false;
}

static uint64_t
refusals_write_all(Refusals *refusals, GQueue *queue)
{
	uint64_t lost = 0;
	Noted *noted;

	while ((noted = g_queue_pop_head(queue)) != NULL) {
		bool is_written;

		if (refusals_open_day(refusals, noted->time_us) && refusals_is_full(refusals, strlen(noted->line))) {
			lost++;
			refusals_noted_free(noted);
			continue;
		}
		is_written = refusals_write(refusals, noted);
		if (!is_written && !refusals->is_failing)
			log_event(LOG_LEVEL_ERROR, "refusals cannot be written", "directory", refusals->directory, "error",
				g_strerror(refusals->why), NULL);
		refusals->is_failing = !is_written;
		lost += !is_written;
		refusals_noted_free(noted);
	}
	return lost;
}

static void *
refusals_run(void *data)
{
	Refusals *refusals = data;

	g_mutex_lock(&refusals->lock);
	while (!refusals->is_closing || !g_queue_is_empty(&refusals->queue)) {
		GQueue taken = refusals->queue;
		uint64_t lost;

		if (g_queue_is_empty(&refusals->queue)) {
			g_cond_wait(&refusals->changed, &refusals->lock);
			continue;
		}
		g_queue_init(&refusals->queue);
		refusals->is_writing = true;
		g_mutex_unlock(&refusals->lock);
		lost = refusals_write_all(refusals, &taken);
		g_mutex_lock(&refusals->lock);
		refusals->is_writing = false;
		refusals->lost += lost;
		g_cond_broadcast(&refusals->changed);
	}
	g_mutex_unlock(&refusals->lock);
	return NULL;
}

Refusals *
refusals_open(const RefusalsSettings *settings, GError **error)
{
	const char *directory = settings->directory;
	Refusals *refusals;

	if (g_mkdir_with_parents(directory, 0750) != 0) {
		(void)error_set_errno(error, "cannot make the directory %s", directory);
		return NULL;
	}
	if (access(directory, R_OK | W_OK | X_OK) != 0) {
		(void)error_set_errno(error, "cannot write to the directory %s", directory);
		return NULL;
	}
	refusals = g_new0(Refusals, 1);
	refusals->directory = g_strdup(directory);
	refusals->keep_us = settings->keep_us;
	refusals->most_per_day = settings->most_per_day;
	refusals->most_waiting = settings->most_waiting;
	refusals->fd = -1;
	g_mutex_init(&refusals->lock);
	g_cond_init(&refusals->changed);
	g_queue_init(&refusals->queue);
	refusals->writer = thread_new("refusals", refusals_run, refusals);
	return refusals;
}

void
refusals_close(Refusals *refusals)
{
	if (refusals == NULL)
		return;
	g_mutex_lock(&refusals->lock);
	refusals->is_closing = true;
	g_cond_broadcast(&refusals->changed);
	g_mutex_unlock(&refusals->lock);
	thread_join(refusals->writer);
	if (refusals->fd >= 0)
		(void)close(refusals->fd);
	g_mutex_clear(&refusals->lock);
	g_cond_clear(&refusals->changed);
	g_free(refusals->directory);
	g_free(refusals);
}

void
refusals_note(Refusals *refusals, const Refusal *refusal)
{
	Noted *noted = g_new(Noted, 1);

	noted->time_us = refusal->time_us;
	noted->line = refusal_format(refusal);
	g_mutex_lock(&refusals->lock);
	if (g_queue_get_length(&refusals->queue) < refusals->most_waiting) {
		g_queue_push_tail(&refusals->queue, g_steal_pointer(&noted));
		g_cond_broadcast(&refusals->changed);
	} else {
		refusals->lost++;
	}
	g_mutex_unlock(&refusals->lock);
	if (noted != NULL)
		refusals_noted_free(noted);
}

uint64_t
refusals_lost(Refusals *refusals)
{
	uint64_t lost;

	g_mutex_lock(&refusals->lock);
	lost = refusals->lost;
	g_mutex_unlock(&refusals->lock);
	return lost;
}

/* ---- reading ---- */

static void
refusals_settle(Refusals *refusals)
{
	g_mutex_lock(&refusals->lock);
	while (refusals->is_writing || !g_queue_is_empty(&refusals->queue))
		g_cond_wait(&refusals->changed, &refusals->lock);
	g_mutex_unlock(&refusals->lock);
}

static bool
refusals_is_day(const char *name)
{
	return g_pattern_match_simple("????"
								  "-??"
								  "-??.json",
		name);
}

static int
refusals_compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)b, *(const char *const *)a);
}

/* Names of the days, the newest first; NULL with an error.  New. */
static GPtrArray *
refusals_days(Refusals *refusals, GError **error)
{
	GDir *dir = g_dir_open(refusals->directory, 0, error);
	GPtrArray *days;
	const char *name;

	if (dir == NULL)
		return NULL;
	days = g_ptr_array_new_with_free_func(g_free);
	while ((name = g_dir_read_name(dir)) != NULL)
		if (refusals_is_day(name))
			g_ptr_array_add(days, g_strdup(name));
	g_dir_close(dir);
	g_ptr_array_sort(days, refusals_compare_names);
	return days;
}

typedef struct {
	const char *what;
	bool is_address; /* then it is this */
	IpAddress address;
	size_t limit;
	void (*each)(void *data, const Refusal *refusal);
	void *data;
} Search;

/* Lines that were left out are noted of a network. */
static bool
refusals_is_client(const char *client, const Search *search)
{
	IpNetwork network;

	return client != NULL && search->is_address && strchr(client, '/') != NULL &&
		   ip_network_parse(client, &network, NULL) && ip_network_contains(&network, &search->address);
}

static bool
refusals_matches(const Refusal *refusal, const Search *search)
{
	const char *const fields[] = { refusal->session, refusal->queue_id, refusal->client, refusal->login,
		refusal->sender, refusal->recipient };

	if (search->what == NULL)
		return true;
	for (size_t i = 0; i < G_N_ELEMENTS(fields); i++)
		if (fields[i] != NULL && g_ascii_strcasecmp(fields[i], search->what) == 0)
			return true;
	return refusals_is_client(refusal->client, search);
}

/* False: that is enough. */
static bool
refusals_search_line(void *data, char *line)
{
	Search *search = data;
	Refusal refusal;

	if (refusal_parse(line, &refusal) && refusals_matches(&refusal, search)) {
		search->each(search->data, &refusal);
		search->limit--;
	}
	return search->limit > 0;
}

bool
refusals_find(Refusals *refusals, const char *what, size_t limit, void (*each)(void *data, const Refusal *refusal),
	void *data, GError **error)
{
	Search search = { .what = what, .limit = limit, .each = each, .data = data };
	g_autoptr(GPtrArray) days = NULL;

	search.is_address = what != NULL && ip_parse(what, &search.address);
	refusals_settle(refusals);
	days = refusals_days(refusals, error);
	for (guint i = 0; days != NULL && i < days->len && search.limit > 0; i++) {
		g_autofree char *path = g_build_filename(refusals->directory, g_ptr_array_index(days, i), NULL);

		if (!refusals_read_backwards(path, refusals_search_line, &search, error))
			return false;
	}
	return days != NULL;
}

void
refusals_expire(Refusals *refusals, int64_t now_us)
{
	g_autoptr(GPtrArray) days = refusals_days(refusals, NULL);
	char oldest[REFUSALS_DAY_SIZE];

	refusals_name_day(MAX(now_us - refusals->keep_us, 0), oldest);
	for (guint i = 0; days != NULL && i < days->len; i++) {
		const char *day = g_ptr_array_index(days, i);
		g_autofree char *path = g_build_filename(refusals->directory, day, NULL);

		if (strcmp(day, oldest) < 0)
			(void)unlink(path);
	}
}
