/* smtp-sink.c - takes all mail that comes to a port of the loopback, and counts it.
 *
 * With --expect N it looks for the ids 1 … N of smtp-load, ends when all are there, and tells what is
 * missing and what came twice.  With --store it is the smallest durable server: its 250 comes after a sync.
 * The result is one line of JSON; SIGUSR1 prints one at any time. */
#include <glib-unix.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "sink.h"

typedef struct {
	Sink *sink;
	SinkThread *threads;
	GMainLoop *loop;
	int64_t until_ns, all_ns; /* all_ns: when the last one that was expected came */
} SinkMain;

gint64
sink_content_id(const GString *content)
{
	static const char name[] = "\nX-Bench-Id: ";
	const char *found = g_strstr_len(content->str, (gssize)MIN(content->len, SINK_HEAD_MAX), name);

	return found != NULL ? g_ascii_strtoll(found + strlen(name), NULL, 10) : 0;
}

void
sink_note_id(Sink *sink, const GString *content)
{
	const gint64 id = sink_content_id(content);

	if (sink->seen == NULL)
		return;
	if (id < 1 || id > sink->options.expected)
		atomic_fetch_add(&sink->strangers, 1);
	else if (atomic_fetch_add(&sink->seen[id], 1) == 0)
		atomic_fetch_add(&sink->unique, 1);
	else
		atomic_fetch_add(&sink->doubled, 1);
}

static void
sink_report(const SinkMain *all)
{
	Sink *sink = all->sink;
	SinkThread sum = { 0 };
	double span;

	for (int i = 0; i < sink->options.threads; i++) {
		const SinkThread *thread = &all->threads[i];

		sum.messages += thread->messages;
		sum.octets += thread->octets;
		sum.connections += thread->connections;
		sum.handshakes += thread->handshakes;
		sum.commits += thread->commits;
		sum.last_ns = MAX(sum.last_ns, thread->last_ns);
		if (thread->first_ns != 0 && (sum.first_ns == 0 || thread->first_ns < sum.first_ns))
			sum.first_ns = thread->first_ns;
	}
	span = (double)(sum.last_ns - sum.first_ns) / 1e9;
	printf("{\"messages\":%" G_GINT64_FORMAT ",\"octets\":%" G_GINT64_FORMAT ",\"connections\":%" G_GINT64_FORMAT
		",\"handshakes\":%" G_GINT64_FORMAT ",\"commits\":%" G_GINT64_FORMAT
		",\"span_s\":%.4f,\"per_s\":%.1f,", sum.messages,
		sum.octets, sum.connections, sum.handshakes, sum.commits, span,
		span > 0 ? (double)sum.messages / span : 0);
	printf("\"unique\":%lld,\"missing\":%lld,\"doubled\":%lld,\"strangers\":%lld,\"first_ns\":%" G_GINT64_FORMAT
		",\"last_ns\":%" G_GINT64_FORMAT "}\n", (long long)sink->unique,
		(long long)(sink->options.expected - sink->unique),
		(long long)sink->doubled, (long long)sink->strangers, sum.first_ns, sum.last_ns);
	fflush(stdout);
}

/* Some of them, for whoever looks into a loss. */
static void
sink_list_ids(const Sink *sink, const char *what, bool is_missing)
{
	int n = 0;

	for (gint64 id = 1; id <= sink->options.expected && n < 20; id++)
		if (is_missing ? sink->seen[id] == 0 : sink->seen[id] > 1)
			fprintf(stderr, "%s%" G_GINT64_FORMAT, n++ == 0 ? what : " ", id);
	if (n > 0)
		fputc('\n', stderr);
}

/* "ID TIMES" of each that came. */
static void
sink_write_ids(const Sink *sink)
{
	FILE *file = sink->options.ids_to != NULL ? fopen(sink->options.ids_to, "w") : NULL;

	if (sink->options.ids_to == NULL)
		return;
	if (file == NULL)
		bench_fail("%s: cannot be written", sink->options.ids_to);
	for (gint64 id = 1; id <= sink->options.expected; id++)
		if (sink->seen[id] > 0)
			fprintf(file, "%" G_GINT64_FORMAT " %d\n", id, sink->seen[id]);
	if (fclose(file) != 0)
		bench_fail("%s: cannot be written", sink->options.ids_to);
}

static gboolean
sink_on_end(gpointer data)
{
	g_main_loop_quit(((SinkMain *)data)->loop);
	return G_SOURCE_CONTINUE;
}

static gboolean
sink_on_print(gpointer data)
{
	sink_report(data);
	return G_SOURCE_CONTINUE;
}

/* After the last one a moment more: replies have to go out, and what comes twice comes then. */
static gboolean
sink_on_tick(gpointer data)
{
	SinkMain *all = data;
	const int64_t now = bench_now_ns();

	if (all->all_ns == 0 && all->sink->options.expected > 0 && all->sink->unique == all->sink->options.expected)
		all->all_ns = now;
	if (now > all->until_ns || (all->all_ns != 0 && now > all->all_ns + 200000000))
		g_main_loop_quit(all->loop);
	return G_SOURCE_CONTINUE;
}

static void
sink_read_options(int argc, char **argv, Sink *sink)
{
	SinkOptions *o = &sink->options;
	g_autofree char *host = g_strdup("127.0.0.1");
	g_autoptr(GError) error = NULL;
	int port = 0;
	const GOptionEntry entries[] = {
		{ "host", 'H', 0, G_OPTION_ARG_STRING, &host, "a loopback address (127.0.0.1)", "ADDRESS" },
		{ "port", 'p', 0, G_OPTION_ARG_INT, &port, "to listen on", "PORT" },
		{ "expect", 'n', 0, G_OPTION_ARG_INT64, &o->expected, "ids 1 to N, and end when all are there", "N" },
		{ "seconds", 't', 0, G_OPTION_ARG_DOUBLE, &o->seconds, "to end after at the latest (3600)", "S" },
		{ "threads", 'w', 0, G_OPTION_ARG_INT, &o->threads, "(1)", "N" },
		{ "certificate", 'C', 0, G_OPTION_ARG_FILENAME, &o->certificate, "for STARTTLS", "FILE" },
		{ "key", 'k', 0, G_OPTION_ARG_FILENAME, &o->key, "of the certificate", "FILE" },
		{ "tls", 'T', 0, G_OPTION_ARG_NONE, &o->is_implicit_tls, "implicit TLS", NULL },
		{ "auth", 'a', 0, G_OPTION_ARG_NONE, &o->has_auth, "offer AUTH PLAIN; any password will do", NULL },
		{ "store", 'W', 0, G_OPTION_ARG_FILENAME, &o->store,
			"store in PREFIX.0, PREFIX.1 …, synced before the reply", "PREFIX" },
		{ "ids-to", 'i', 0, G_OPTION_ARG_FILENAME, &o->ids_to, "write there at the end which ids came, and how often", "FILE" },
		{ "refuse", 'f', 0, G_OPTION_ARG_INT, &o->refuse_percent,
			"so many recipients of a hundred with 451", "N" },
		{ "record", 'R', 0, G_OPTION_ARG_FILENAME, &o->record_to, "write a line there for each recipient", "FILE" },
		{ "delay", 'd', 0, G_OPTION_ARG_DOUBLE, &o->delay_ms,
			"ms from the end of a message to its reply, on average (0)", "MS" },
		{ "by-name", 'b', 0, G_OPTION_ARG_NONE, &o->is_by_name,
			"refuse recipients whose name begins with \"gone\", and now and then those with \"later\"", NULL },
		{ "drop", 'D', 0, G_OPTION_ARG_INT, &o->drop_percent,
			"close the connection in so many messages of a hundred", "N" },
		G_OPTION_ENTRY_NULL,
	};
	g_autoptr(GOptionContext) context = g_option_context_new("- takes and counts mail on the loopback");

	g_option_context_add_main_entries(context, entries, NULL);
	if (!g_option_context_parse(context, &argc, &argv, &error))
		bench_fail("%s", error->message);
	if (argc > 1 || o->threads < 1 || o->expected < 0 || (o->key == NULL) != (o->certificate == NULL))
		bench_fail("see --help");
	if (o->is_implicit_tls && o->key == NULL)
		bench_fail("--tls wants a certificate");
	if (o->store != NULL && (o->record_to != NULL || o->delay_ms > 0))
		bench_fail("--store goes with neither --record nor --delay");
	if (o->delay_ms > 0 && o->key != NULL)
		bench_fail("--delay does not go with TLS");
	sink->address = bench_loopback(host, port);
}

static void
sink_start(Sink *sink, SinkThread *threads)
{
	if (sink->options.key != NULL)
		sink->tls = bench_server_tls(sink->options.certificate, sink->options.key);
	sink_record_open(sink);
	if (sink->options.expected > 0)
		sink->seen = g_new0(atomic_uchar, sink->options.expected + 1);
	for (int i = 0; i < sink->options.threads; i++) {
		threads[i].sink = sink;
		threads[i].segment = -1;
		threads[i].committing = g_ptr_array_new();
		threads[i].slow = g_ptr_array_new();
		threads[i].batch = g_string_new(NULL);
		threads[i].luck = g_rand_new_with_seed((guint32)i);
		if (sink->options.store != NULL)
			sink_store_open(&threads[i], (unsigned)i);
	}
	for (int i = 0; i < sink->options.threads; i++)
		threads[i].thread = g_thread_new("sink", sink_thread_run, &threads[i]);
}

int
main(int argc, char **argv)
{
	static Sink sink;
	SinkMain all = { .sink = &sink };

	sink.options = (SinkOptions){ .threads = 1, .seconds = 3600 };
	sink_read_options(argc, argv, &sink);
	bench_raise_limits();
	all.threads = g_new0(SinkThread, sink.options.threads);
	all.loop = g_main_loop_new(NULL, FALSE);
	g_unix_signal_add(SIGTERM, sink_on_end, &all);
	g_unix_signal_add(SIGINT, sink_on_end, &all);
	g_unix_signal_add(SIGUSR1, sink_on_print, &all);
	g_timeout_add(10, sink_on_tick, &all);
	sink_start(&sink, all.threads);
	all.until_ns = bench_now_ns() + (int64_t)(sink.options.seconds * 1e9);
	g_main_loop_run(all.loop);
	atomic_store(&sink.is_stopped, true);
	for (int i = 0; i < sink.options.threads; i++)
		g_thread_join(all.threads[i].thread);
	sink_report(&all);
	sink_write_ids(&sink);
	sink_record_close(&sink);
	sink_list_ids(&sink, "missing: ", true);
	sink_list_ids(&sink, "doubled: ", false);
	return sink.unique < sink.options.expected ? 1 : 0;
}
