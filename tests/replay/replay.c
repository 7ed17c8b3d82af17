/* replay.c - dialogues written down, held against the whole engine without sockets.
 *
 * replay [FILE…]; without arguments all of tests/replay/.  A file is a list of lines:
 *
 *	plugins auth sender-rules           the chain; first, if at all (none: no plugins)
 *	| [plugin auth]                     a line of configuration
 *	set NAME VALUE                      a setting of the engine or of the listener: see the table
 *	dns NAME TYPE VALUE…                what the DNS answers; "unsure" as value: it cannot be found out; none: no data
 *	entry KIND NAME OPTION=VALUE…       makes or changes a customer, domain or account
 *	connect IP                          a new session
 *	login LOGIN PASSWORD                AUTH PLAIN, behind EHLO
 *	C: line    C+ line    C* octets     said with CRLF; the same, but sent together with what follows; with \r \n \0 \\, no CRLF
 *	S: line    S~ regex                 the next line of the reply; each must be told of before the next C
 *	advance 300s                        time passes
 *	idle                                the client's time is over
 *	open | closed                       what has become of the session
 *	queued N                            messages in the queue
 *	from ADDRESS                        the envelope sender of the last one
 *	Q: line    Q~ regex    Q! regex     a line of the last one's text; none such
 *	count METRIC N                      a counter
 *	# comment
 */
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/test-host.h"

extern const PtnPlugin ptn_plugin_auth, ptn_plugin_sender_rules;

static const PtnPlugin *const known_plugins[] = { &ptn_plugin_auth, &ptn_plugin_sender_rules };

typedef struct {
	const char *path;
	unsigned line, mistakes;
	GPtrArray *plugins;
	GString *config;
	PtnTest *test;    /* made when it is first needed */
	GString *pending; /* of C+ */
	char *reply;      /* not yet told of */
} Replay;

static void G_GNUC_PRINTF(2, 3)
replay_complain(Replay *replay, const char *format, ...)
{
	va_list arguments;

	replay->mistakes++;
	fprintf(stderr, "%s:%u: ", replay->path, replay->line);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
}

static PtnTest *
replay_test(Replay *replay)
{
	if (replay->test != NULL)
		return replay->test;
	g_ptr_array_add(replay->plugins, NULL);
	replay->test = ptn_test_new_chain((const PtnPlugin *const *)replay->plugins->pdata, replay->config->str);
	return replay->test;
}

/* ---- before a session ---- */

static void
replay_plugins(Replay *replay, char *rest)
{
	g_auto(GStrv) names = g_strsplit(rest, " ", -1);

	for (char **name = names; *name != NULL; name++) {
		bool is_known = false;

		for (size_t i = 0; i < G_N_ELEMENTS(known_plugins); i++)
			if (strcmp(known_plugins[i]->name, *name) == 0) {
				g_ptr_array_add(replay->plugins, (gpointer)(guintptr)known_plugins[i]);
				is_known = true;
			}
		if (!is_known)
			replay_complain(replay, "no such plugin here: %s", *name);
	}
}

static void
replay_config(Replay *replay, char *rest)
{
	g_string_append_printf(replay->config, "%s\n", rest);
}

static void
replay_set_text(char **place, const char *value)
{
	g_free(*place);
	*place = g_strdup(value);
}

static void
replay_set(Replay *replay, char *rest)
{
	EngineSettings *engine = test_host_settings(replay_test(replay));
	ListenerSettings *listener = test_host_listener(replay->test);
	char *value = strchr(rest, ' ') != NULL ? strchr(rest, ' ') + 1 : rest + strlen(rest);
	const bool is_yes = strcmp(value, "yes") == 0;
	const struct {
		const char *name;
		bool *flag;
		unsigned *number;
		char **text;
	} table[] = {
		{ "auth", .flag = &listener->takes_auth },
		{ "auth-without-tls", .flag = &listener->takes_auth_in_clear },
		{ "normalise", .flag = &listener->is_lenient },
		{ "strict", .flag = &listener->is_strict },
		{ "show-login", .flag = &engine->shows_login },
		{ "hide-client", .flag = &engine->hides_client },
		{ "max-recipients", .number = &engine->max_recipients },
		{ "max-received", .number = &engine->max_received },
		{ "hard-errors", .number = &engine->hard_errors },
		{ "max-commands", .number = &engine->max_commands },
		{ "max-junk", .number = &engine->max_junk },
		{ "hostname", .text = &engine->hostname },
		{ "banner-name", .text = &engine->banner_name },
		{ "header-prefix", .text = &engine->header_prefix },
		{ "abuse-text", .text = &engine->abuse_text },
		{ "support", .text = &engine->support },
	};

	value[value == rest ? 0 : -1] = '\0';
	if (strcmp(rest, "max-message") == 0) {
		engine->max_message = g_ascii_strtoll(value, NULL, 10);
		return;
	}
	if (strcmp(rest, "ehlo-without") == 0) {
		g_strfreev(engine->ehlo_without);
		engine->ehlo_without = g_strsplit(value, " ", -1);
		return;
	}
	if (strcmp(rest, "starttls") == 0) {
		test_host_offer_tls(replay->test);
		return;
	}
	for (size_t i = 0; i < G_N_ELEMENTS(table); i++) {
		if (strcmp(table[i].name, rest) != 0)
			continue;
		if (table[i].flag != NULL)
			*table[i].flag = is_yes;
		else if (table[i].number != NULL)
			*table[i].number = (unsigned)g_ascii_strtoull(value, NULL, 10);
		else
			replay_set_text(table[i].text, value);
		return;
	}
	replay_complain(replay, "no such setting: %s", rest);
}

static void
replay_dns(Replay *replay, char *rest)
{
	static const struct {
		const char *name;
		PtnRecord type;
	} types[] = { { "A", PTN_A }, { "AAAA", PTN_AAAA }, { "MX", PTN_MX }, { "TXT", PTN_TXT }, { "PTR", PTN_PTR } };
	g_auto(GStrv) words = g_strsplit(rest, " ", 3);
	const guint n = g_strv_length(words);
	const bool is_unsure = n == 3 && strcmp(words[2], "unsure") == 0;

	for (size_t i = 0; n >= 2 && i < G_N_ELEMENTS(types); i++) {
		if (strcmp(types[i].name, words[1]) != 0)
			continue;
		ptn_test_dns(replay_test(replay), words[0], types[i].type,
			is_unsure ? PTN_UNSURE : n == 3 ? PTN_OK : PTN_NONE, n == 3 && !is_unsure ? words[2] : NULL, NULL);
		return;
	}
	replay_complain(replay, "dns NAME A|AAAA|MX|TXT|PTR VALUE");
}

static void
replay_entry(Replay *replay, char *rest)
{
	g_auto(GStrv) words = g_strsplit(rest, " ", -1);
	const guint n = g_strv_length(words);
	PtnKind kind = PTN_ACCOUNT;

	if (n < 2) {
		replay_complain(replay, "entry KIND NAME OPTION=VALUE…");
		return;
	}
	if (strcmp(words[0], "account") != 0)
		kind = strcmp(words[0], "domain") == 0 ? PTN_DOMAIN : PTN_CUSTOMER;
	for (guint i = 2; i < n; i++) {
		char *equals = strchr(words[i], '=');

		if (equals == NULL) {
			replay_complain(replay, "not OPTION=VALUE: %s", words[i]);
			return;
		}
		*equals = '\0';
		ptn_test_entry(replay_test(replay), kind, words[1], words[i], equals + 1, NULL);
	}
	if (n == 2)
		ptn_test_entry(replay_test(replay), kind, words[1], NULL);
}

/* ---- the dialogue ---- */

/* Nobody's reply goes unread. */
static void
replay_expect_silence(Replay *replay)
{
	if (replay->reply != NULL && replay->reply[0] != '\0')
		replay_complain(replay, "the reply goes on: %.*s", (int)strcspn(replay->reply, "\n"), replay->reply);
	g_clear_pointer(&replay->reply, g_free);
}

static void
replay_connect(Replay *replay, char *rest)
{
	replay_expect_silence(replay);
	ptn_test_connect(replay_test(replay), rest);
	replay->reply = g_strdup(ptn_test_reply(replay->test));
}

static void
replay_login(Replay *replay, char *rest)
{
	char *password = strchr(rest, ' ');

	replay_expect_silence(replay);
	*password++ = '\0';
	if (strncmp(ptn_test_login(replay_test(replay), rest, password), "235", 3) != 0)
		replay_complain(replay, "not logged in: %s", ptn_test_reply(replay->test));
}

static void
replay_send(Replay *replay)
{
	replay_expect_silence(replay);
	replay->reply = g_strdup(ptn_test_send(replay_test(replay), replay->pending->str, replay->pending->len));
	g_string_truncate(replay->pending, 0);
}

static void
replay_say(Replay *replay, char *rest)
{
	g_string_append_printf(replay->pending, "%s\r\n", rest);
	replay_send(replay);
}

static void
replay_gather(Replay *replay, char *rest)
{
	g_string_append_printf(replay->pending, "%s\r\n", rest);
}

static void
replay_octets(Replay *replay, char *rest)
{
	for (const char *c = rest; *c != '\0'; c++) {
		const char *named = *c == '\\' && c[1] != '\0' ? strchr("rn0\\", c[1]) : NULL;

		if (named == NULL) {
			g_string_append_c(replay->pending, *c);
			continue;
		}
		g_string_append_c(replay->pending, c[1] == 'r' ? '\r' : c[1] == 'n' ? '\n' : c[1] == '0' ? '\0' : '\\');
		c++;
	}
	replay_send(replay);
}

static char *
replay_next_line(Replay *replay)
{
	const size_t size = replay->reply != NULL ? strcspn(replay->reply, "\n") : 0;
	char *line;

	if (replay->reply == NULL || replay->reply[0] == '\0')
		return NULL;
	line = g_strndup(replay->reply, size);
	memmove(replay->reply, replay->reply + size + 1, strlen(replay->reply + size + 1) + 1);
	return line;
}

static void
replay_expect(Replay *replay, char *rest)
{
	g_autofree char *line = replay_next_line(replay);

	if (g_strcmp0(line, rest) != 0)
		replay_complain(replay, "got \"%s\" instead of \"%s\"", line != NULL ? line : "nothing", rest);
}

static bool
replay_matches(Replay *replay, const char *regex, const char *text, GRegexCompileFlags flags)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GRegex) compiled = g_regex_new(regex, flags | G_REGEX_RAW, 0, &error);

	if (compiled == NULL)
		replay_complain(replay, "%s", error->message);
	return compiled != NULL && g_regex_match(compiled, text, 0, NULL);
}

static void
replay_expect_like(Replay *replay, char *rest)
{
	g_autofree char *line = replay_next_line(replay);
	g_autofree char *whole = g_strdup_printf("^(?:%s)$", rest);

	if (line == NULL || !replay_matches(replay, whole, line, 0))
		replay_complain(replay, "got \"%s\", which is not like \"%s\"", line != NULL ? line : "nothing", rest);
}

/* ---- time, state, queue ---- */

static void
replay_advance(Replay *replay, char *rest)
{
	ptn_test_advance(replay_test(replay), g_ascii_strtoll(rest, NULL, 10) * PTN_SECOND);
}

static void
replay_idle(Replay *replay, char *rest)
{
	(void)rest;
	replay_expect_silence(replay);
	test_host_idle(replay_test(replay));
	replay->reply = g_strdup(ptn_test_reply(replay->test));
}

static void
replay_open(Replay *replay, char *rest)
{
	(void)rest;
	if (ptn_test_is_closed(replay_test(replay)))
		replay_complain(replay, "the session was closed");
}

static void
replay_closed(Replay *replay, char *rest)
{
	(void)rest;
	if (!ptn_test_is_closed(replay_test(replay)))
		replay_complain(replay, "the session is open");
}

static void
replay_queued(Replay *replay, char *rest)
{
	const guint64 expected = g_ascii_strtoull(rest, NULL, 10);

	if (ptn_test_queued(replay_test(replay)) != expected)
		replay_complain(replay, "%zu messages are queued", ptn_test_queued(replay->test));
}

static void
replay_from(Replay *replay, char *rest)
{
	const size_t n = ptn_test_queued(replay_test(replay));

	if (n == 0 || strcmp(ptn_test_queued_sender(replay->test, n - 1), rest) != 0)
		replay_complain(replay, "the last message is from \"%s\"", n > 0 ? ptn_test_queued_sender(replay->test, n - 1) : "");
}

static bool
replay_text_has(Replay *replay, const char *regex)
{
	const size_t n = ptn_test_queued(replay_test(replay));
	g_autofree char *whole = g_strdup_printf("^(?:%s)\\r$", regex);

	return n > 0 && replay_matches(replay, whole, ptn_test_queued_text(replay->test, n - 1),
		G_REGEX_MULTILINE | G_REGEX_NEWLINE_LF);
}

static void
replay_text(Replay *replay, char *rest)
{
	g_autofree char *quoted = g_regex_escape_string(rest, -1);

	if (!replay_text_has(replay, quoted))
		replay_complain(replay, "the last message has no such line:\n%s",
			ptn_test_queued_text(replay->test, ptn_test_queued(replay->test) - 1));
}

static void
replay_text_like(Replay *replay, char *rest)
{
	if (!replay_text_has(replay, rest))
		replay_complain(replay, "the last message has no line like that:\n%s",
			ptn_test_queued_text(replay->test, ptn_test_queued(replay->test) - 1));
}

static void
replay_text_unlike(Replay *replay, char *rest)
{
	if (replay_text_has(replay, rest))
		replay_complain(replay, "the last message has a line like that");
}

static void
replay_count(Replay *replay, char *rest)
{
	g_auto(GStrv) words = g_strsplit(rest, " ", 2);
	const int64_t n = ptn_test_count(replay_test(replay), words[0]);

	if (words[1] == NULL || n != g_ascii_strtoll(words[1], NULL, 10))
		replay_complain(replay, "%s is %" G_GINT64_FORMAT, words[0], n);
}

/* ---- a file ---- */

static void
replay_line(Replay *replay, char *line)
{
	static const struct {
		const char *word;
		void (*run)(Replay *replay, char *rest);
	} table[] = { { "plugins", replay_plugins }, { "|", replay_config }, { "set", replay_set }, { "dns", replay_dns },
		{ "entry", replay_entry }, { "connect", replay_connect }, { "login", replay_login }, { "C:", replay_say },
		{ "C+", replay_gather }, { "C*", replay_octets }, { "S:", replay_expect }, { "S~", replay_expect_like },
		{ "advance", replay_advance }, { "idle", replay_idle }, { "open", replay_open }, { "closed", replay_closed },
		{ "queued", replay_queued }, { "from", replay_from }, { "Q:", replay_text }, { "Q~", replay_text_like },
		{ "Q!", replay_text_unlike }, { "count", replay_count } };
	const size_t size = strcspn(line, " ");
	char *rest = line[size] == ' ' ? line + size + 1 : line + size;

	if (line[0] == '\0' || line[0] == '#')
		return;
	for (size_t i = 0; i < G_N_ELEMENTS(table); i++)
		if (strlen(table[i].word) == size && strncmp(table[i].word, line, size) == 0) {
			table[i].run(replay, rest);
			return;
		}
	replay_complain(replay, "not understood: %s", line);
}

static bool
replay_file(const char *path)
{
	Replay replay = { .path = path };
	g_autofree char *content = NULL;
	g_auto(GStrv) lines = NULL;

	if (!g_file_get_contents(path, &content, NULL, NULL)) {
		fprintf(stderr, "%s: cannot be read\n", path);
		return false;
	}
	replay.plugins = g_ptr_array_new();
	replay.config = g_string_new(NULL);
	replay.pending = g_string_new(NULL);
	lines = g_strsplit(content, "\n", -1);
	for (char **line = lines; *line != NULL; line++) {
		replay.line++;
		replay_line(&replay, *line);
	}
	replay_expect_silence(&replay);
	if (replay.test != NULL)
		ptn_test_free(replay.test);
	g_ptr_array_unref(replay.plugins);
	g_string_free(replay.config, TRUE);
	g_string_free(replay.pending, TRUE);
	return replay.mistakes == 0;
}

static unsigned
replay_directory(const char *path, unsigned *n_bad)
{
	GDir *directory = g_dir_open(path, 0, NULL);
	const char *name;
	unsigned n = 0;

	while (directory != NULL && (name = g_dir_read_name(directory)) != NULL) {
		g_autofree char *file = g_build_filename(path, name, NULL);

		if (!g_str_has_suffix(name, ".rpl"))
			continue;
		n++;
		*n_bad += !replay_file(file);
	}
	if (directory != NULL)
		g_dir_close(directory);
	return n;
}

int
main(int argc, char **argv)
{
	const char *top = g_getenv("TOP_SRCDIR");
	g_autofree char *folder = g_build_filename(top != NULL ? top : ".", "tests", "replay", NULL);
	unsigned n = 0, n_bad = 0;

	for (int i = 1; i < argc; i++, n++)
		n_bad += !replay_file(argv[i]);
	if (argc == 1)
		n = replay_directory(folder, &n_bad);
	printf("replay: %u files, %u with mistakes\n", n, n_bad);
	return n > 0 && n_bad == 0 ? 0 : 1;
}
