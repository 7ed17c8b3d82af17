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
	int64_t since_us;
} Alarm;

struct Metrics {
	GRWLock lock; /* guards `counters` against growing, not the values */
	GHashTable *counters;
	GMutex alarm_lock; /* guards `alarms` */
	GHashTable *alarms;
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

void
metrics_alarm(Metrics *metrics, const char *name, const char *text)
{
	Alarm *alarm;
	bool is_changed;

	g_mutex_lock(&metrics->alarm_lock);
	alarm = g_hash_table_lookup(metrics->alarms, name);
	is_changed = (alarm == NULL) != (text == NULL) || (alarm != NULL && strcmp(alarm->text, text) != 0);
	if (is_changed && text == NULL) {
		g_hash_table_remove(metrics->alarms, name);
	} else if (is_changed && alarm != NULL) {
		g_free(alarm->text);
		alarm->text = g_strdup(text);
	} else if (is_changed) {
		alarm = g_new0(Alarm, 1);
		alarm->text = g_strdup(text);
		alarm->since_us = clock_wall(clock_system());
		g_hash_table_insert(metrics->alarms, g_strdup(name), alarm);
	}
	g_mutex_unlock(&metrics->alarm_lock);
	if (is_changed && text != NULL)
		log_event(LOG_LEVEL_ERROR, "alarm raised", "alarm", name, "text", text, NULL);
	else if (is_changed)
		log_event(LOG_LEVEL_INFO, "alarm over", "alarm", name, NULL);
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
