/* metrics.h - named counters and alarms; any thread. */
#pragma once

#include <glib.h>
#include <stdint.h>

typedef struct Metrics Metrics;

Metrics *metrics_new(void);
void metrics_free(Metrics *metrics);
/* Names are "spool.commits", "plugin.dnsbl.listed", …; made when first counted. */
void metrics_add(Metrics *metrics, const char *name, int64_t n);
void metrics_set(Metrics *metrics, const char *name, int64_t value);
int64_t metrics_get(Metrics *metrics, const char *name);
/* A new sorted array of names, and their values through metrics_get(). */
GPtrArray *metrics_names(Metrics *metrics);

/* An alarm is a state with a name: raised (text) until it is lowered (NULL).  Logs both changes. */
void metrics_alarm(Metrics *metrics, const char *name, const char *text);
/* Raised until a time of the wall clock in µs, or until it is lowered, also over a restart: see kept-alarms.h. */
void metrics_alarm_until(Metrics *metrics, const char *name, const char *text, int64_t until_us);
/* Lowers those whose time is over. */
void metrics_end_alarms(Metrics *metrics, int64_t now_us);
/* Raises one of an earlier process, without a line in the log; one of this name that is raised already stays as it is. */
void metrics_restore_alarm(
	Metrics *metrics, const char *name, const char *text, int64_t since_us, int64_t until_us);
/* `changed` is called, without a lock, when an alarm with an end was raised or lowered, or its text or end has changed.  NULL: no
 * longer.  While no other thread uses `metrics`. */
void metrics_observe_alarms(Metrics *metrics, void (*changed)(void *data), void *data);
/* Calls `each` for alarms with an end, in order of names. */
void metrics_each_ending_alarm(Metrics *metrics, void (*each)(void *data, const char *name, const char *text,
	int64_t since_us, int64_t until_us), void *data);
unsigned metrics_alarms(Metrics *metrics);
/* Calls `each` for every raised alarm, in order of names, `since_us` wall clock. */
void metrics_each_alarm(Metrics *metrics, void (*each)(void *data, const char *name, const char *text,
	int64_t since_us), void *data);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Metrics, metrics_free)
