/* smtp-load.c - sends messages to an SMTP server on the loopback, many sessions at once, and measures.
 *
 * Each message has an "X-Bench-Id: N", N from 1, so that smtp-sink can tell what was lost and what came
 * twice.  With --mix the messages differ, and some clients leave in the middle; see load-mix.c.  The result is one
 * line of JSON; with --idle a line when all sessions stand, and one at the end. */
#include <errno.h>
#include <openssl/crypto.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "load.h"

static volatile sig_atomic_t load_is_stopped;

static void
load_on_signal(int number)
{
	(void)number;
	load_is_stopped = 1;
}

/* Lines, counted from the end, so that whatever is left out at the front the end stays whole. */
static GString *
load_make_filler(size_t size)
{
	static const char line[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/abcdefghijkl\r\n";
	const size_t line_size = strlen(line);
	static const char link[] = "see http://www.example.org/of/this?size for more\r\n"; /* what content plugins look for */
	GString *filler = g_string_sized_new(size + 4);

	g_string_set_size(filler, size);
	for (size_t i = 0; i < size; i++)
		filler->str[size - 1 - i] = line[line_size - 1 - i % line_size];
	if (size >= 2 * line_size)
		memcpy(filler->str + size - strlen(link), link, strlen(link));
	return g_string_append(filler, ".\r\n");
}

/* Fields, an empty line and a body from a file, behind fields of ours; lines may end with LF. */
static GString *
load_read_content(const char *path)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *text = NULL;
	g_auto(GStrv) lines = NULL;
	GString *content = g_string_new(NULL);

	if (!g_file_get_contents(path, &text, NULL, &error))
		bench_fail("%s", error->message);
	lines = g_strsplit(text, "\n", -1);
	for (char **line = lines; *line != NULL && (line[1] != NULL || **line != '\0'); line++)
		g_string_append_printf(content, "%s%s\r\n", **line == '.' ? "." : "", g_strchomp(*line));
	return g_string_append(content, ".\r\n");
}

static char *
load_make_auth(const char *auth)
{
	const char *colon = strchr(auth, ':');
	g_autoptr(GString) plain = g_string_new(NULL);
	g_autofree char *encoded = NULL;

	if (colon == NULL)
		bench_fail("--auth wants LOGIN:PASSWORD");
	g_string_append_len(plain, "", 1);
	g_string_append_len(plain, auth, colon - auth);
	g_string_append_len(plain, "", 1);
	g_string_append(plain, colon + 1);
	encoded = g_base64_encode((const guchar *)plain->str, plain->len);
	return g_strdup_printf("AUTH PLAIN %s\r\n", encoded);
}

static void
load_read_options(int argc, char **argv, Load *load)
{
	LoadOptions *o = &load->options;
	g_autofree char *host = g_strdup("127.0.0.1");
	g_autoptr(GError) error = NULL;
	int port = 0;
	const GOptionEntry entries[] = {
		{ "host", 'H', 0, G_OPTION_ARG_STRING, &host, "a loopback address (127.0.0.1)", "ADDRESS" },
		{ "port", 'p', 0, G_OPTION_ARG_INT, &port, "of the server", "PORT" },
		{ "sessions", 'c', 0, G_OPTION_ARG_INT, &o->sessions, "at once (1)", "N" },
		{ "per-session", 'm', 0, G_OPTION_ARG_INT, &o->messages_per_session,
			"messages in a session (1); 0: --messages counts sessions", "N" },
		{ "messages", 'n', 0, G_OPTION_ARG_INT64, &o->messages, "in all (100)", "N" },
		{ "size", 's', 0, G_OPTION_ARG_INT64, &o->size_bytes, "of a message in octets (1024)", "N" },
		{ "content", 'F', 0, G_OPTION_ARG_FILENAME, &o->content,
			"instead: fields, an empty line and a body, sent behind fields of ours", "FILE" },
		{ "seconds", 't', 0, G_OPTION_ARG_DOUBLE, &o->seconds, "to stop after at the latest (60)", "S" },
		{ "idle", 'I', 0, G_OPTION_ARG_DOUBLE, &o->idle_seconds, "open --sessions and hold them so long", "S" },
		{ "pipelining", 'P', 0, G_OPTION_ARG_NONE, &o->is_pipelining, "MAIL, RCPT and DATA together", NULL },
		{ "starttls", 'S', 0, G_OPTION_ARG_NONE, &o->has_starttls, "STARTTLS", NULL },
		{ "tls", 'T', 0, G_OPTION_ARG_NONE, &o->is_implicit_tls, "implicit TLS", NULL },
		{ "auth", 'A', 0, G_OPTION_ARG_STRING, &o->auth, "AUTH PLAIN", "LOGIN:PASSWORD" },
		{ "from", 'f', 0, G_OPTION_ARG_STRING, &o->sender, "sender", "ADDRESS" },
		{ "to", 'd', 0, G_OPTION_ARG_STRING, &o->recipient, "recipient", "ADDRESS" },
		{ "helo", 0, 0, G_OPTION_ARG_STRING, &o->helo, "name in EHLO", "NAME" },
		{ "proxied", 'x', 0, G_OPTION_ARG_STRING, &o->proxied, "connections begin with a PROXY header", "ADDRESS" },
		{ "accepted-to", 'o', 0, G_OPTION_ARG_FILENAME, &o->accepted_to, "write the accepted ids there", "FILE" },
		{ "first-id", 0, 0, G_OPTION_ARG_INT64, &o->first_id, "of the messages (1)", "N" },
		{ "mix", 'M', 0, G_OPTION_ARG_STRING, &o->mix,
			"mixed load: 1 to 5 recipients in these domains, sizes from --size to --largest, and --accepted-to "
			"has a line per message", "DOMAIN:WEIGHT,…" },
		{ "largest", 'l', 0, G_OPTION_ARG_INT64, &o->largest_bytes, "with --mix: size at most (5242880)", "N" },
		{ "rate", 'r', 0, G_OPTION_ARG_DOUBLE, &o->rate, "with --mix: messages a second (0: as many as go)", "N" },
		{ "gone", 0, 0, G_OPTION_ARG_INT, &o->gone_percent,
			"with --mix: so many recipients of a hundred that smtp-sink --by-name refuses for good (0)", "N" },
		{ "later", 0, 0, G_OPTION_ARG_INT, &o->later_percent,
			"with --mix: so many that it refuses now and then (0)", "N" },
		{ "cut", 0, 0, G_OPTION_ARG_INT, &o->cut_percent,
			"with --mix: so many messages of a hundred during which the client leaves (0)", "N" },
		{ "seed", 0, 0, G_OPTION_ARG_INT64, &o->seed, "with --mix: of chance (1)", "N" },
		G_OPTION_ENTRY_NULL,
	};
	g_autoptr(GOptionContext) context = g_option_context_new("- measures an SMTP server on the loopback");

	g_option_context_add_main_entries(context, entries, NULL);
	if (!g_option_context_parse(context, &argc, &argv, &error))
		bench_fail("%s", error->message);
	if (argc > 1 || o->sessions < 1 || o->messages < 1 || o->messages_per_session < 0 || o->size_bytes < 0 ||
		o->first_id < 1 || (o->mix != NULL && o->messages_per_session == 0))
		bench_fail("see --help");
	if (o->has_starttls && o->is_implicit_tls)
		bench_fail("--starttls and --tls exclude each other");
	load->server = bench_loopback(host, port);
}

static void
load_start(Load *load)
{
	const LoadOptions *options = &load->options;

	if (options->mix != NULL)
		load_mix_start(load);
	load->filler = options->content != NULL ? load_read_content(options->content)
											: load_make_filler((size_t)options->size_bytes);
	if (options->auth != NULL)
		load->auth_line = load_make_auth(options->auth);
	if (options->has_starttls || options->is_implicit_tls)
		load->tls = bench_client_tls();
	if (options->accepted_to != NULL && (load->accepted_log = fopen(options->accepted_to, "w")) == NULL)
		bench_fail("%s: %s", options->accepted_to, g_strerror(errno));
	load->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (load->epoll < 0)
		bench_fail("epoll: %s", g_strerror(errno));
	load->next_id = options->first_id;
	load->latencies = g_array_new(FALSE, FALSE, sizeof(guint32));
	load->setups = g_array_new(FALSE, FALSE, sizeof(guint32));
	load->first_error = g_string_new(NULL);
	load->sessions = g_new0(LoadSession, options->sessions);
	for (int i = 0; i < options->sessions; i++) {
		load->sessions[i].link.fd = -1;
		load->sessions[i].in = g_string_new(NULL);
		load->sessions[i].out = g_string_new(NULL);
		load->sessions[i].recipients = g_ptr_array_new_with_free_func(g_free);
		g_ptr_array_add(load->sessions[i].recipients, g_strdup(options->recipient));
	}
	load->started_ns = bench_now_ns();
}

int
main(int argc, char **argv)
{
	static Load load;

	load.options = (LoadOptions){ .sessions = 1, .messages_per_session = 1, .messages = 100, .size_bytes = 1024,
		.seconds = 60, .sender = g_strdup("sender@bench.test"), .recipient = g_strdup("rcpt@sink.test"),
		.helo = g_strdup("client.bench.test"), .first_id = 1, .largest_bytes = 5 << 20, .seed = 1 };
	load_read_options(argc, argv, &load);
	bench_raise_limits();
	signal(SIGINT, load_on_signal);
	signal(SIGTERM, load_on_signal);
	load_start(&load);
	load_run(&load, &load_is_stopped);
	if (load.options.idle_seconds > 0)
		printf("{\"dropped\":%" G_GINT64_FORMAT "}\n", load.dropped);
	else
		load_report(&load);
	if (load.accepted_log != NULL)
		fclose(load.accepted_log);
	return 0;
}
