/* watchdog.c - one look a second. */
#include "daemon/watchdog.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/activity.h"
#include "base/keyed-hash.h"
#include "base/log.h"
#include "base/thread.h"
#include "daemon/crash.h"
#include "daemon/process.h"

/* Looks: a plugin may well hold all its workers for a moment. */
enum { WATCHDOG_RAISE = 2, WATCHDOG_LOWER = 5 };

#define WATCHDOG_LOOK_US CLOCK_SECOND
#define WATCHDOG_GRACE_US (5 * CLOCK_SECOND) /* behind a deadline: the hook does not return */
#define WATCHDOG_NAME_US CLOCK_SECOND        /* a stop waits for a hook that runs so long */

typedef enum { WATCHDOG_STARTS, WATCHDOG_SERVES, WATCHDOG_STOPS } WatchdogPhase;

/* What was reported of a thread. */
typedef struct {
	int64_t since_us; /* of its round or hook; another one is another report */
	bool is_seen;     /* at this look */
	bool is_loop;     /* or a hook */
	char *name;
} Reported;

struct Watchdog {
	Daemon *daemon;
	Thread *thread;
	GMutex lock; /* guards what follows up to the blank line */
	GCond changed;
	WatchdogPhase phase;
	int64_t end_us; /* of a stop, monotonic; CLOCK_NEVER: there is none */
	bool is_over;
	atomic_llong stuck_us;

	int64_t alive_us;      /* how often the service manager wants to hear of us; 0: never */
	int64_t said_alive_us; /* monotonic: when it last did */
	char *status;          /* as it was said last */
	GHashTable *reported;  /* number of a thread -> Reported* */
	GHashTable *full;      /* name of a plugin -> looks, see watchdog_look_at_plugin() */
};

/* ---- texts ---- */

static void
watchdog_add(GString *list, const char *text)
{
	if (strstr(list->str, text) == NULL)
		g_string_append_printf(list, "%s%s", list->len > 0 ? ", " : "", text);
}

static void
watchdog_add_hook(GString *list, const ActivityView *view)
{
	g_autofree char *text = g_strdup_printf("plugin %s (stage %s)", view->plugin, view->stage);

	watchdog_add(list, text);
}

/* Hooks that run since `before_us` or longer; monotonic. */
static char *
watchdog_name_hooks_since(int64_t before_us)
{
	GString *list = g_string_new(NULL);

	for (const Activity *each = activity_next(NULL); each != NULL; each = activity_next(each)) {
		ActivityView view;

		if (activity_read(each, &view) && view.plugin != NULL && view.since_us <= before_us)
			watchdog_add_hook(list, &view);
	}
	return g_string_free(list, list->len == 0);
}

char *
watchdog_name_hooks(void)
{
	return watchdog_name_hooks_since(g_get_monotonic_time());
}

static void
watchdog_log(LogLevel level, const char *event, const ActivityView *view, int64_t for_us)
{
	char thread[16], seconds[24], id[ID_TEXT_SIZE];

	g_snprintf(thread, sizeof thread, "%d", view->thread);
	g_snprintf(seconds, sizeof seconds, "%" G_GINT64_FORMAT, for_us / CLOCK_SECOND);
	log_event(level, event, "thread", view->name, "tid", thread, "plugin", view->plugin, "stage",
		view->stage, "session", view->session[0] != '\0' ? view->session : NULL, "queue",
		view->queue != 0 ? id_format(view->queue, id) : NULL, "seconds", seconds, NULL);
}

/* ---- threads and hooks ---- */

static void
watchdog_free_reported(void *data)
{
	Reported *reported = data;

	g_free(reported->name);
	g_free(reported);
}

/* True: it was not reported yet. */
static bool
watchdog_note(Watchdog *watchdog, const ActivityView *view, int64_t since_us, bool is_loop)
{
	Reported *known = g_hash_table_lookup(watchdog->reported, GINT_TO_POINTER(view->thread));

	if (known != NULL && known->since_us == since_us) {
		known->is_seen = true;
		return false;
	}
	known = g_new0(Reported, 1);
	*known = (Reported){ since_us, true, is_loop, g_strdup(view->name) };
	g_hash_table_replace(watchdog->reported, GINT_TO_POINTER(view->thread), known);
	return true;
}

/* What was reported and is over. */
static void
watchdog_end_reports(Watchdog *watchdog)
{
	GHashTableIter each;
	gpointer thread, data;

	g_hash_table_iter_init(&each, watchdog->reported);
	while (g_hash_table_iter_next(&each, &thread, &data)) {
		Reported *known = data;
		char tid[16];

		if (known->is_seen) {
			known->is_seen = false;
			continue;
		}
		g_snprintf(tid, sizeof tid, "%d", GPOINTER_TO_INT(thread));
		log_event(LOG_LEVEL_INFO, known->is_loop ? "thread goes on" : "hook has returned", "thread",
			known->name, "tid", tid, NULL);
		g_hash_table_iter_remove(&each);
	}
}

typedef struct {
	GString *stuck, *orphans;
	bool is_alive; /* all loops come round */
} WatchdogLook;

static bool
watchdog_is_committer(const ActivityView *view)
{
	return strcmp(view->name, "spool-commit") == 0;
}

static void
watchdog_look_at_round(
	Watchdog *watchdog, WatchdogLook *look, const ActivityView *view, int64_t now_us)
{
	g_autofree char *text = NULL;

	if (view->plugin != NULL)
		text = g_strdup_printf("thread %s (%d) is in plugin %s, stage %s", view->name, view->thread,
			view->plugin, view->stage);
	else
		text = g_strdup_printf("thread %s (%d) does not come round%s", view->name, view->thread,
			watchdog_is_committer(view) ? ": the disk of the spool does not finish a write" : "");
	watchdog_add(look->stuck, text);
	look->is_alive &= watchdog_is_committer(view); /* a restart would not mend the disk */
	if (watchdog_note(watchdog, view, view->busy_us, true))
		watchdog_log(LOG_LEVEL_ERROR, "thread stuck", view, now_us - view->busy_us);
}

static void
watchdog_look_at_hook(
	Watchdog *watchdog, WatchdogLook *look, const ActivityView *view, int64_t now_us)
{
	watchdog_add_hook(look->orphans, view);
	if (watchdog_note(watchdog, view, view->since_us, false))
		watchdog_log(LOG_LEVEL_ERROR, "hook does not return", view, now_us - view->since_us);
}

static void
watchdog_look_at_threads(Watchdog *watchdog, WatchdogLook *look)
{
	const int64_t now_us = g_get_monotonic_time(), stuck_us = atomic_load(&watchdog->stuck_us);

	for (const Activity *each = activity_next(NULL); each != NULL; each = activity_next(each)) {
		ActivityView view;

		if (!activity_read(each, &view))
			continue;
		if (view.busy_us != 0 && now_us - view.busy_us >= stuck_us)
			watchdog_look_at_round(watchdog, look, &view, now_us);
		else if (view.busy_us == 0 && view.plugin != NULL && view.deadline_us != 0 &&
				 now_us >= view.deadline_us + WATCHDOG_GRACE_US)
			watchdog_look_at_hook(watchdog, look, &view, now_us);
	}
	watchdog_end_reports(watchdog);
}

/* ---- workers of plugins ---- */

typedef struct {
	Watchdog *watchdog;
	GString *full;
} WatchdogFull;

/* Two looks raise the alarm, some without lower it. */
static void
watchdog_look_at_plugin(void *data, const PtnPlugin *plugin, const HookPlugin *core)
{
	const WatchdogFull *at = data;
	GHashTable *table = at->watchdog->full;
	int looks = GPOINTER_TO_INT(g_hash_table_lookup(table, plugin->name));
	g_autofree char *text = NULL;

	if (atomic_load(&core->busy) < core->at_once)
		looks = looks > WATCHDOG_RAISE ? looks - 1 : 0;
	else
		looks = looks + 1 < WATCHDOG_RAISE ? looks + 1 : WATCHDOG_RAISE + WATCHDOG_LOWER;
	g_hash_table_insert(table, (void *)(uintptr_t)plugin->name, GINT_TO_POINTER(looks));
	if (looks < WATCHDOG_RAISE)
		return;
	text = g_strdup_printf(
		"plugin %s holds all the %u workers that it may (at-once)", plugin->name, core->at_once);
	watchdog_add(at->full, text);
}

/* A reload may hold the lock for long: then the next look sees to it.  The set is not referenced,
 * as the last reference runs the plugins' stop(). */
static void
watchdog_look_at_plugins(Watchdog *watchdog)
{
	Daemon *daemon = watchdog->daemon;
	g_autoptr(GString) full = g_string_new(NULL);
	WatchdogFull at = { watchdog, full };

	if (!g_mutex_trylock(&daemon->lock))
		return;
	if (daemon->set != NULL)
		host_each(daemon->set, watchdog_look_at_plugin, &at);
	g_mutex_unlock(&daemon->lock);
	metrics_alarm(daemon->engine.metrics, "hooks.at-once", full->len > 0 ? full->str : NULL);
}

/* ---- the service manager ---- */

static void
watchdog_say(Watchdog *watchdog, char *status /* takes */)
{
	if (g_strcmp0(watchdog->status, status) == 0) {
		g_free(status);
		return;
	}
	g_free(watchdog->status);
	watchdog->status = status;
	process_notify(status);
}

static void
watchdog_say_alive(Watchdog *watchdog, const WatchdogLook *look)
{
	const int64_t now_us = g_get_monotonic_time();

	if (watchdog->alive_us == 0 || !look->is_alive ||
		now_us - watchdog->said_alive_us < watchdog->alive_us)
		return;
	watchdog->said_alive_us = now_us;
	process_notify("WATCHDOG=1");
}

/* What a stop waits for goes to the log once, and to the status. */
static void
watchdog_say_stopping(Watchdog *watchdog)
{
	g_autofree char *hooks = watchdog_name_hooks_since(g_get_monotonic_time() - WATCHDOG_NAME_US);
	char *status = g_strdup_printf(
		"STATUS=stopping: waiting for %s", hooks != NULL ? hooks : "sessions and deliveries");

	if (hooks != NULL && g_strcmp0(watchdog->status, status) != 0)
		log_event(LOG_LEVEL_WARNING, "stopping waits", "for", hooks, NULL);
	watchdog_say(watchdog, status);
}

static void
watchdog_end_process(void)
{
	g_autofree char *hooks = watchdog_name_hooks();

	log_event(
		LOG_LEVEL_WARNING, "stopped with work left behind; the queue has it", "hooks", hooks, NULL);
	_exit(EXIT_SUCCESS);
}

/* ---- the thread ---- */

static void
watchdog_look(Watchdog *watchdog, WatchdogPhase phase)
{
	g_autoptr(GString) stuck = g_string_new(NULL);
	g_autoptr(GString) orphans = g_string_new(NULL);
	WatchdogLook look = { stuck, orphans, true };
	Metrics *metrics = watchdog->daemon->engine.metrics;

	watchdog_look_at_threads(watchdog, &look);
	metrics_alarm(metrics, "thread.stuck", stuck->len > 0 ? stuck->str : NULL);
	metrics_alarm(metrics, "hooks.orphaned", orphans->len > 0 ? orphans->str : NULL);
	if (phase == WATCHDOG_SERVES) {
		watchdog_look_at_plugins(watchdog);
		watchdog_say(watchdog, stuck->len > 0 ? g_strdup_printf("STATUS=stuck: %s", stuck->str)
											  : g_strdup("STATUS=serving"));
	} else if (phase == WATCHDOG_STOPS) {
		watchdog_say_stopping(watchdog);
	}
	watchdog_say_alive(watchdog, &look);
}

static void *
watchdog_run(void *data)
{
	Watchdog *watchdog = data;
	const int64_t look_us =
		watchdog->alive_us > 0 ? MIN(watchdog->alive_us, WATCHDOG_LOOK_US) : WATCHDOG_LOOK_US;

	g_mutex_lock(&watchdog->lock);
	while (!watchdog->is_over) {
		const WatchdogPhase phase = watchdog->phase;
		const bool is_late = g_get_monotonic_time() >= watchdog->end_us;

		g_mutex_unlock(&watchdog->lock);
		if (is_late)
			watchdog_end_process();
		watchdog_look(watchdog, phase);
		g_mutex_lock(&watchdog->lock);
		if (!watchdog->is_over && watchdog->phase == phase)
			(void)g_cond_wait_until(
				&watchdog->changed, &watchdog->lock, g_get_monotonic_time() + look_us);
	}
	g_mutex_unlock(&watchdog->lock);
	return NULL;
}

Watchdog *
watchdog_new(Daemon *daemon)
{
	Watchdog *watchdog = g_new0(Watchdog, 1);

	watchdog->daemon = daemon;
	watchdog->end_us = CLOCK_NEVER;
	watchdog->alive_us = process_watchdog_us() / 3;
	watchdog->reported = g_hash_table_new_full(NULL, NULL, NULL, watchdog_free_reported);
	watchdog->full = g_hash_table_new(keyed_hash_text, g_str_equal);
	g_mutex_init(&watchdog->lock);
	g_cond_init(&watchdog->changed);
	watchdog_set(watchdog, daemon->config);
	watchdog->thread = thread_new("watchdog", watchdog_run, watchdog);
	return watchdog;
}

void
watchdog_free(Watchdog *watchdog)
{
	g_mutex_lock(&watchdog->lock);
	watchdog->is_over = true;
	g_cond_broadcast(&watchdog->changed);
	g_mutex_unlock(&watchdog->lock);
	thread_join(watchdog->thread);
	g_hash_table_unref(watchdog->reported);
	g_hash_table_unref(watchdog->full);
	g_free(watchdog->status);
	g_mutex_clear(&watchdog->lock);
	g_cond_clear(&watchdog->changed);
	g_free(watchdog);
}

void
watchdog_set(Watchdog *watchdog, const Config *config)
{
	const int64_t stuck_us = config_number(config_section(config, "server", NULL), "stuck-after");

	atomic_store(&watchdog->stuck_us, stuck_us);
	crash_set_stuck(stuck_us);
}

static void
watchdog_set_phase(Watchdog *watchdog, WatchdogPhase phase, int64_t end_us)
{
	g_mutex_lock(&watchdog->lock);
	watchdog->phase = phase;
	watchdog->end_us = end_us;
	g_cond_broadcast(&watchdog->changed);
	g_mutex_unlock(&watchdog->lock);
}

void
watchdog_serving(Watchdog *watchdog)
{
	watchdog_set_phase(watchdog, WATCHDOG_SERVES, CLOCK_NEVER);
}

void
watchdog_stopping(Watchdog *watchdog, int64_t within_us)
{
	watchdog_set_phase(watchdog, WATCHDOG_STOPS, g_get_monotonic_time() + within_us);
}
