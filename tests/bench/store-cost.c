/* store-cost.c - what a call of the store costs: URL [THREADS [CALLS]].
 *
 * For get, set, add and claim: calls a second over all threads, microseconds that one waits (mean), microseconds of
 * processor time of this process per call. */
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "service/store.h"

typedef enum { COST_GET, COST_SET, COST_ADD, COST_CLAIM } CostKind;

typedef struct {
	Store *store;
	CostKind kind;
	unsigned number, calls, failures;
} CostThread;

static PtnStatus
cost_call(const CostThread *thread, unsigned i)
{
	g_autofree char *key = g_strdup_printf("cost/%u/%u", thread->number, i % 1000);
	g_autofree char *value = NULL;
	int64_t total;

	switch (thread->kind) {
	case COST_GET:
		return store_get(thread->store, key, CLOCK_NEVER, &value, NULL);
	case COST_SET:
		return store_set(thread->store, key, "some forty octets, as a cache may keep them", 60 * CLOCK_SECOND, CLOCK_NEVER);
	case COST_ADD:
		key[0] = 'C';
		return store_add(thread->store, key, 1, 3600 * CLOCK_SECOND, CLOCK_NEVER, &total);
	default:
		return store_claim(thread->store, key, "x", 60 * CLOCK_SECOND, CLOCK_NEVER);
	}
}

static void *
cost_run(void *data)
{
	CostThread *thread = data;

	for (unsigned i = 0; i < thread->calls; i++)
		thread->failures += cost_call(thread, i) == PTN_UNSURE;
	return NULL;
}

static double
cost_seconds(clockid_t clock)
{
	struct timespec now;

	(void)clock_gettime(clock, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void
cost_measure(Store *store, CostKind kind, unsigned n_threads, unsigned calls)
{
	static const char *const names[] = { "get", "set", "add", "claim" };
	g_autofree CostThread *each = g_new0(CostThread, n_threads);
	g_autofree GThread **threads = g_new0(GThread *, n_threads);
	const double begun = cost_seconds(CLOCK_MONOTONIC), worked = cost_seconds(CLOCK_PROCESS_CPUTIME_ID);
	double took, work;
	unsigned failures = 0;

	for (unsigned i = 0; i < n_threads; i++) {
		each[i] = (CostThread){ store, kind, i, calls, 0 };
		threads[i] = g_thread_new("cost", cost_run, &each[i]);
	}
	for (unsigned i = 0; i < n_threads; i++) {
		(void)g_thread_join(threads[i]);
		failures += each[i].failures;
	}
	took = cost_seconds(CLOCK_MONOTONIC) - begun;
	work = cost_seconds(CLOCK_PROCESS_CPUTIME_ID) - worked;
	printf("%-6s %3u threads: %8.0f calls/s, %7.1f us each, %5.2f us of processor, %u unsure\n", names[kind], n_threads,
		n_threads * calls / took, took * 1e6 / calls, work * 1e6 / n_threads / calls, failures);
}

int
main(int argc, char **argv)
{
	const unsigned n_threads = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 1;
	const unsigned calls = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 20000;
	g_autoptr(GError) error = NULL;
	g_autoptr(Store) store = argc > 1 ? store_open(argv[1], false, clock_system(), &error) : NULL;

	if (store == NULL) {
		fprintf(stderr, "store-cost URL [THREADS [CALLS]]: %s\n", error != NULL ? error->message : "no URL");
		return EXIT_FAILURE;
	}
	cost_measure(store, COST_CLAIM, n_threads, calls);
	cost_measure(store, COST_SET, n_threads, calls);
	cost_measure(store, COST_GET, n_threads, calls);
	cost_measure(store, COST_ADD, n_threads, calls);
	return EXIT_SUCCESS;
}
