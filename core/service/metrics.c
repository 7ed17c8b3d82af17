/* metrics.c - counters: found under a read lock, counted without one. */
#include "service/metrics.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include "base/clock.h"
#include "base/keyed-hash.h"
#include "base/log.h"

typedef struct {
	_Atomic int64_t value;
} Counter;

typedef struct {
	char *text;
	int64_t since_us, until_us; /* 0: until it is lowered */
} Alarm;

struct Metrics {
	GRWLock lock; /* guards `counters` against growing, not the values */
	GHashTable *counters;
	GMutex alarm_lock; /* guards `alarms` */
	GHashTable *alarms;
	void (*changed)(void *data); /* set before other threads come; NULL: nobody observes */
	void *changed_data;
};

static void
metrics_alarm_free(void *data)
{
	Alarm *alarm = data;

	g_free(alarm->text);
	g_free(alarm);
}

Metrics *
metrics_new(void)
{
	Metrics *metrics = g_new0(Metrics, 1);

	g_rw_lock_init(&metrics->lock);
	g_mutex_init(&metrics->alarm_lock);
	metrics->counters = g_hash_table_new_full(keyed_hash_text, g_str_equal, g_free, g_free);
	metrics->alarms = g_hash_table_new_full(keyed_hash_text, g_str_equal, g_free, metrics_alarm_free);
	return metrics;
}

void
metrics_free(Metrics *metrics)
{
	if (metrics == NULL)
		return;
	g_hash_table_unref(metrics->counters);
	g_hash_table_unref(metrics->alarms);
	g_rw_lock_clear(&metrics->lock);
	g_mutex_clear(&metrics->alarm_lock);
	g_free(metrics);
}

/* A counter, once made, stays where it is as long as `metrics`. */
static Counter *
metrics_find(Metrics *metrics, const char *name)
{
	Counter *counter;

	g_rw_lock_reader_lock(&metrics->lock);
	counter = g_hash_table_lookup(metrics->counters, name);
	g_rw_lock_reader_unlock(&metrics->lock);
	return counter;
}

static Counter *
metrics_find_or_make(Metrics *metrics, const char *name)
{
	Counter *counter = metrics_find(metrics, name);

	if (counter != NULL)
		return counter;
	g_rw_lock_writer_lock(&metrics->lock);
	counter = g_hash_table_lookup(metrics->counters, name);
	if (counter == NULL) {
		counter = g_new0(Counter, 1);
		g_hash_table_insert(metrics->counters, g_strdup(name), counter);
	}
	g_rw_lock_writer_unlock(&metrics->lock);
	return counter;
}

void
metrics_add(Metrics *metrics, const char *name, int64_t n)
{
	atomic_fetch_add_explicit(&metrics_find_or_make(metrics, name)->value, n, memory_order_relaxed);
}

void
metrics_set(Metrics *metrics, const char *name, int64_t value)
{
	atomic_store_explicit(&metrics_find_or_make(metrics, name)->value, value, memory_order_relaxed);
}

int64_t
metrics_get(Metrics *metrics, const char *name)
{
	Counter *counter = metrics_find(metrics, name);

	return counter != NULL ? atomic_load_explicit(&counter->value, memory_order_relaxed) : 0;
}

static int
metrics_compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* New, sorted, copies of the keys of `table`. */
static GPtrArray *
metrics_sorted_keys(GHashTable *table)
{
	GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
	GHashTableIter iter;
	void *name;

	g_hash_table_iter_init(&iter, table);
	while (g_hash_table_iter_next(&iter, &name, NULL))
		g_ptr_array_add(names, g_strdup(name));
	g_ptr_array_sort(names, metrics_compare_names);
	return names;
}

GPtrArray *
metrics_names(Metrics *metrics)
{
	GPtrArray *names;

	g_rw_lock_reader_lock(&metrics->lock);
	names = metrics_sorted_keys(metrics->counters);
	g_rw_lock_reader_unlock(&metrics->lock);
	return names;
}

/* Lock held.  True: it is new, or its text has changed. */
static bool
metrics_set_alarm_locked(Metrics *metrics, const char *name, const char *text, int64_t until_us)
{
	Alarm *alarm = g_hash_table_lookup(metrics->alarms, name);

	if (alarm == NULL) {
		alarm = g_new0(Alarm, 1);
		alarm->since_us = clock_wall(clock_system());
		g_hash_table_insert(metrics->alarms, g_strdup(name), alarm);
	} else if (strcmp(alarm->text, text) == 0) {
		alarm->until_us = until_us;
		return false;
	}
	g_free(alarm->text);
	alarm->text = g_strdup(text);
	alarm->until_us = until_us;
	return true;
}

/* Lock held. */
static int64_t
metrics_alarm_end_locked(Metrics *metrics, const char *name)
{
	const Alarm *alarm = g_hash_table_lookup(metrics->alarms, name);

	return alarm != NULL ? alarm->until_us : 0;
}

static void
metrics_change_alarm(Metrics *metrics, const char *name, const char *text, int64_t until_us)
{
	int64_t before_us;
	bool is_changed;

	g_mutex_lock(&metrics->alarm_lock);
	before_us = metrics_alarm_end_locked(metrics, name);
	is_changed = text != NULL ? metrics_set_alarm_locked(metrics, name, text, until_us)
							  : g_hash_table_remove(metrics->alarms, name);
	g_mutex_unlock(&metrics->alarm_lock);
	if (is_changed && text != NULL)
		log_event(LOG_LEVEL_ERROR, "alarm raised", "alarm", name, "text", text, NULL);
	else if (is_changed)
		log_event(LOG_LEVEL_INFO, "alarm over", "alarm", name, NULL);
	if (metrics->changed != NULL && (before_us != until_us || (is_changed && until_us != 0)))
		metrics->changed(metrics->changed_data);
}

void
metrics_alarm(Metrics *metrics, const char *name, const char *text)
{
	metrics_change_alarm(metrics, name, text, 0);
}

void
metrics_alarm_until(Metrics *metrics, const char *name, const char *text, int64_t until_us)
{
	metrics_change_alarm(metrics, name, text, text != NULL ? until_us : 0);
}

void
metrics_end_alarms(Metrics *metrics, int64_t now_us)
{
	g_autoptr(GPtrArray) names = NULL;

	g_mutex_lock(&metrics->alarm_lock); /* held until they are gone: one may be raised again at any time */
	names = metrics_sorted_keys(metrics->alarms);
	for (guint i = names->len; i-- > 0;) {
		const char *name = g_ptr_array_index(names, i);
		const int64_t until_us = metrics_alarm_end_locked(metrics, name);

		if (until_us == 0 || until_us > now_us)
			g_ptr_array_remove_index(names, i);
		else
			g_hash_table_remove(metrics->alarms, name);
	}
	g_mutex_unlock(&metrics->alarm_lock);
	for (guint i = 0; i < names->len; i++)
		log_event(LOG_LEVEL_INFO, "alarm over", "alarm", g_ptr_array_index(names, i), NULL);
	if (names->len > 0 && metrics->changed != NULL)
		metrics->changed(metrics->changed_data);
}

void
metrics_restore_alarm(Metrics *metrics, const char *name, const char *text, int64_t since_us, int64_t until_us)
{
	const Alarm restored = { NULL, since_us, until_us };
	Alarm *alarm;

	g_mutex_lock(&metrics->alarm_lock);
	if (!g_hash_table_contains(metrics->alarms, name)) {
		alarm = g_memdup2(&restored, sizeof restored);
		alarm->text = g_strdup(text);
		g_hash_table_insert(metrics->alarms, g_strdup(name), alarm);
	}
	g_mutex_unlock(&metrics->alarm_lock);
}

void
metrics_observe_alarms(Metrics *metrics, void (*changed)(void *data), void *data)
{
	metrics->changed_data = data;
	metrics->changed = changed;
}

unsigned
metrics_alarms(Metrics *metrics)
{
	unsigned count;

	g_mutex_lock(&metrics->alarm_lock);
	count = g_hash_table_size(metrics->alarms);
	g_mutex_unlock(&metrics->alarm_lock);
	return count;
}

void
metrics_each_alarm(
	Metrics *metrics, void (*each)(void *data, const char *name, const char *text, int64_t since_us), void *data)
{
	g_autoptr(GPtrArray) names = NULL;

	g_mutex_lock(&metrics->alarm_lock);
	names = metrics_sorted_keys(metrics->alarms);
	for (guint i = 0; i < names->len; i++) {
		const char *name = g_ptr_array_index(names, i);
		const Alarm *alarm = g_hash_table_lookup(metrics->alarms, name);

		each(data, name, alarm->text, alarm->since_us);
	}
	g_mutex_unlock(&metrics->alarm_lock);
}

void
metrics_each_ending_alarm(Metrics *metrics,
	void (*each)(void *data, const char *name, const char *text, int64_t since_us, int64_t until_us), void *data)
{
	g_autoptr(GPtrArray) names = NULL;

	g_mutex_lock(&metrics->alarm_lock);
	names = metrics_sorted_keys(metrics->alarms);
	for (guint i = 0; i < names->len; i++) {
		const char *name = g_ptr_array_index(names, i);
		const Alarm *alarm = g_hash_table_lookup(metrics->alarms, name);

		if (alarm->until_us != 0)
			each(data, name, alarm->text, alarm->since_us, alarm->until_us);
	}
	g_mutex_unlock(&metrics->alarm_lock);
}
