/* test-metrics.c - counters under many threads, and alarms. */
#include <glib.h>

#include "base/log.h"
#include "service/metrics.h"
#include "unit/service/suites.h"

enum { METRICS_THREADS = 4, METRICS_ROUNDS = 2000 };

static void *
metrics_count(void *metrics)
{
	for (int i = 0; i < METRICS_ROUNDS; i++) {
		char name[32];

		g_snprintf(name, sizeof name, "own.%d", i % 50);
		metrics_add(metrics, "shared", 1);
		metrics_add(metrics, name, 1);
	}
	return NULL;
}

static void
test_threads(void)
{
	g_autoptr(Metrics) metrics = metrics_new();
	GThread *threads[METRICS_THREADS];

	for (int i = 0; i < METRICS_THREADS; i++)
		threads[i] = g_thread_new("count", metrics_count, metrics);
	for (int i = 0; i < METRICS_THREADS; i++)
		(void)g_thread_join(threads[i]);
	CU_ASSERT_EQUAL(metrics_get(metrics, "shared"), METRICS_THREADS * METRICS_ROUNDS);
	CU_ASSERT_EQUAL(metrics_get(metrics, "own.7"), METRICS_THREADS * METRICS_ROUNDS / 50);
}

static void
test_names(void)
{
	g_autoptr(Metrics) metrics = metrics_new();
	g_autoptr(GPtrArray) names = NULL;

	metrics_add(metrics, "b", 2);
	metrics_add(metrics, "b", -5);
	metrics_set(metrics, "a", 7);
	CU_ASSERT_EQUAL(metrics_get(metrics, "b"), -3);
	CU_ASSERT_EQUAL(metrics_get(metrics, "never counted"), 0);
	names = metrics_names(metrics);
	CU_ASSERT_EQUAL_FATAL(names->len, 2);
	ASSERT_TEXT(g_ptr_array_index(names, 0), "a");
	ASSERT_TEXT(g_ptr_array_index(names, 1), "b");
}

static void
metrics_show(void *data, const char *name, const char *text, int64_t since_us)
{
	CU_ASSERT_TRUE(since_us > 0);
	g_string_append_printf(data, "%s=%s;", name, text);
}

static void
test_alarms(void)
{
	g_autoptr(Metrics) metrics = metrics_new();
	g_autoptr(GString) shown = g_string_new(NULL);

	CU_ASSERT_TRUE(log_open("/dev/null", LOG_TEXT, LOG_LEVEL_INFO, NULL));
	metrics_alarm(metrics, "tls", "certificate expired");
	metrics_alarm(metrics, "disk", "nearly full");
	metrics_alarm(metrics, "disk", "full");
	metrics_alarm(metrics, "none", NULL);
	CU_ASSERT_EQUAL(metrics_alarms(metrics), 2);
	metrics_each_alarm(metrics, metrics_show, shown);
	ASSERT_TEXT(shown->str, "disk=full;tls=certificate expired;");
	metrics_alarm(metrics, "disk", NULL);
	CU_ASSERT_EQUAL(metrics_alarms(metrics), 1);
	CU_ASSERT_TRUE(log_open("stderr", LOG_TEXT, LOG_LEVEL_INFO, NULL));
}

static void
metrics_count_call(void *data)
{
	++*(unsigned *)data;
}

static void
metrics_show_ending(void *data, const char *name, const char *text, int64_t since_us, int64_t until_us)
{
	g_string_append_printf(data, "%s=%s@%d-%d;", name, text, (int)MIN(since_us, 1000), (int)until_us);
}

static void
test_alarms_with_an_end(void)
{
	g_autoptr(Metrics) metrics = metrics_new();
	g_autoptr(GString) shown = g_string_new(NULL);
	unsigned changes = 0;

	CU_ASSERT_TRUE(log_open("/dev/null", LOG_TEXT, LOG_LEVEL_INFO, NULL));
	metrics_restore_alarm(metrics, "old", "of before", 5, 900);
	metrics_observe_alarms(metrics, metrics_count_call, &changes);
	metrics_alarm(metrics, "plain", "without an end");
	CU_ASSERT_EQUAL(changes, 0);
	metrics_alarm_until(metrics, "a", "event", 2000);
	metrics_alarm_until(metrics, "a", "event", 2000);
	CU_ASSERT_EQUAL(changes, 1);
	metrics_alarm_until(metrics, "a", "event", 3000);
	metrics_alarm_until(metrics, "b", "other", 3000);
	CU_ASSERT_EQUAL(changes, 3);
	metrics_restore_alarm(metrics, "a", "an older one", 1, 50000); /* that is raised stays */
	metrics_each_ending_alarm(metrics, metrics_show_ending, shown);
	ASSERT_TEXT(shown->str, "a=event@1000-3000;b=other@1000-3000;old=of before@5-900;");
	metrics_alarm(metrics, "b", "now without an end");
	CU_ASSERT_EQUAL(changes, 4);
	metrics_end_alarms(metrics, 900);
	CU_ASSERT_EQUAL(metrics_alarms(metrics), 3);
	metrics_end_alarms(metrics, 3000);
	CU_ASSERT_EQUAL(metrics_alarms(metrics), 2); /* plain and b */
	CU_ASSERT_EQUAL(changes, 6);
	CU_ASSERT_TRUE(log_open("stderr", LOG_TEXT, LOG_LEVEL_INFO, NULL));
}

static const UnitTest metrics_tests[] = {
	{ "nothing is lost under threads", test_threads },
	{ "names are sorted, values signed", test_names },
	{ "alarms are raised, changed and lowered", test_alarms },
	{ "alarms with an end are over then, and may be restored", test_alarms_with_an_end },
	{ NULL, NULL },
};
const UnitSuite suite_metrics = { "metrics", metrics_tests };
