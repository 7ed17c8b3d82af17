/* load-report.c - the result as one line of JSON. */
#include <stdio.h>
#include <sys/resource.h>

#include "load.h"

static gint
load_compare(gconstpointer a, gconstpointer b)
{
	const guint32 x = *(const guint32 *)a, y = *(const guint32 *)b;

	return (x > y) - (x < y);
}

static double
load_quantile(const GArray *sorted, double part)
{
	if (sorted->len == 0)
		return 0;
	return g_array_index(sorted, guint32, MIN((guint)(part * sorted->len), sorted->len - 1)) / 1000.0;
}

static void
load_report_times(const char *name, GArray *samples)
{
	g_array_sort(samples, load_compare);
	printf("\"%s\":{\"p50\":%.3f,\"p99\":%.3f,\"max\":%.3f},", name, load_quantile(samples, .5),
		load_quantile(samples, .99), load_quantile(samples, 1));
}

static double
load_cpu_seconds(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
		(double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

void
load_report(Load *load)
{
	const LoadOptions *options = &load->options;
	const double elapsed = load->last_ns > load->started_ns ? (double)(load->last_ns - load->started_ns) / 1e9 : 0;
	const gint64 counted = options->messages_per_session > 0 ? load->accepted : load->ready;

	printf("{\"accepted\":%" G_GINT64_FORMAT ",\"of\":%" G_GINT64_FORMAT ",\"refused\":%" G_GINT64_FORMAT
		",\"broken\":%" G_GINT64_FORMAT ",\"connects\":%" G_GINT64_FORMAT ",\"ready\":%" G_GINT64_FORMAT
		",\"handshakes\":%" G_GINT64_FORMAT ",", load->accepted, options->messages, load->refused, load->broken,
		load->connects, load->ready, load->handshakes);
	printf("\"cut\":%" G_GINT64_FORMAT ",\"elapsed_s\":%.4f,\"per_s\":%.1f,\"mb_per_s\":%.2f,", load->n_cut, elapsed,
		elapsed > 0 ? (double)counted / elapsed : 0,
		elapsed > 0 ? (double)load->accepted * (double)options->size_bytes / elapsed / 1e6 : 0);
	load_report_times("latency_ms", load->latencies);
	load_report_times("setup_ms", load->setups);
	printf("\"client_cpu_s\":%.3f,\"start_ns\":%" G_GINT64_FORMAT
		",\"last_ns\":%" G_GINT64_FORMAT ",\"first_error\":\"%s\"}\n",
		load_cpu_seconds(), load->started_ns, load->last_ns, load->first_error->str);
}

void
load_report_idle(const Load *load)
{
	printf("{\"ready\":%" G_GINT64_FORMAT ",\"of\":%d,\"broken\":%" G_GINT64_FORMAT
		",\"open_s\":%.2f,\"first_error\":\"%s\"}\n",
		load->ready, load->options.sessions, load->broken, (double)(bench_now_ns() - load->started_ns) / 1e9,
		load->first_error->str);
	fflush(stdout);
}
