/* posternctl.c - asks the daemon over its control socket, and prints what it answers. */
#include <gio/gunixsocketaddress.h>
#include <locale.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/error.h"
#include "base/escape.h"
#include "config.h"
#include "daemon/answer.h"
#include "daemon/backup.h"
#include "daemon/command-help.h"
#include "daemon/commands.h"
#include "daemon/options.h"
#include "daemon/owner.h"
#include "daemon/posternctl.h"
#include "daemon/render.h"
#include "daemon/restore.h"
#include "daemon/store-copy.h"
#include "mail/spool.h"

/* ---- secrets ---- */

static char *
posternctl_prompt(const char *text)
{
	struct termios before, silent;
	char *line = NULL;
	size_t size = 0;
	ssize_t length;

	if (tcgetattr(STDIN_FILENO, &before) != 0)
		return NULL;
	silent = before;
	silent.c_lflag &= ~(tcflag_t)ECHO;
	/* before the prompt: what a program types as soon as it sees that would be thrown away, or shown */
	(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
	fputs(text, stderr);
	length = getline(&line, &size, stdin);
	(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
	fputc('\n', stderr);
	if (length < 0) {
		free(line);
		return NULL;
	}
	line[strcspn(line, "\r\n")] = '\0';
	return line;
}

static char *
posternctl_ask_password(GError **error)
{
	g_autofree char *first = posternctl_prompt("New password: ");
	g_autofree char *second = first != NULL ? posternctl_prompt("Again: ") : NULL;

	if (first == NULL || second == NULL)
		error_set(error, POSTERN_ERROR_INVALID, "no password was given");
	else if (strcmp(first, second) != 0)
		error_set(error, POSTERN_ERROR_INVALID, "the two passwords are not the same; nothing was changed");
	else
		return g_steal_pointer(&first);
	return NULL;
}

static char *
posternctl_read_all(const char *path, GError **error)
{
	g_autoptr(GString) text = g_string_new(NULL);
	char buffer[4096];
	size_t n;
	char *read = NULL;

	if (strcmp(path, "-") != 0)
		return g_file_get_contents(path, &read, NULL, error) ? read : NULL;
	while ((n = fread(buffer, 1, sizeof buffer, stdin)) > 0)
		g_string_append_len(text, buffer, (gssize)n);
	return g_string_free(g_steal_pointer(&text), FALSE);
}

static char *
posternctl_password(const Arguments *arguments, GError **error)
{
	char *text;

	if (arguments->password_file == NULL) {
		if (isatty(STDIN_FILENO))
			return posternctl_ask_password(error);
		error_set(error, POSTERN_ERROR_INVALID,
			"a password is read from the terminal, or from --password-file FILE (- for stdin)");
		return NULL;
	}
	text = posternctl_read_all(arguments->password_file, error);
	if (text != NULL)
		text[strcspn(text, "\r\n")] = '\0';
	return text;
}

static bool
posternctl_is(char *const *words, const char *first, const char *second)
{
	return words[0] != NULL && strcmp(words[0], first) == 0 &&
		   (second == NULL || (words[1] != NULL && strcmp(words[1], second) == 0));
}

/* What "import" names is a file here, not where the daemon runs. */
static const char *
posternctl_file(char *const *words)
{
	for (words++; *words != NULL; words++)
		if (strncmp(*words, "--", 2) != 0)
			return *words;
	return NULL;
}

/* The message that "explain" is about: the word that is neither an option nor its value. */
static const char *
posternctl_explained(char *const *words)
{
	for (words++; *words != NULL; words++) {
		if (strncmp(*words, "--", 2) != 0)
			return *words;
		if (words[1] != NULL)
			words++;
	}
	return NULL;
}

static bool
posternctl_input(Arguments *arguments, char **input, GError **error)
{
	const char *file = NULL;

	if (posternctl_is(arguments->words, "import", NULL))
		file = posternctl_file(arguments->words);
	else if (posternctl_is(arguments->words, "explain", NULL))
		file = posternctl_explained(arguments->words);
	*input = NULL;
	if (posternctl_is(arguments->words, "account", "add") || posternctl_is(arguments->words, "account", "passwd"))
		*input = posternctl_password(arguments, error);
	else if (file != NULL)
		*input = posternctl_read_all(file, error);
	else
		return true;
	return *input != NULL;
}

/* ---- the daemon ---- */

enum { EXIT_CRITICAL = 2 }; /* of status --check */

GSocketConnection *
posternctl_connect(const Arguments *arguments, unsigned timeout_seconds, GError **error)
{
	g_autofree char *path =
		arguments->socket != NULL ? g_strdup(arguments->socket) : options_control(arguments->config);
	g_autoptr(GSocketClient) client = g_socket_client_new();
	g_autoptr(GSocketAddress) address = g_unix_socket_address_new(path);
	g_autoptr(GError) failure = NULL;
	GSocketConnection *connection;

	g_socket_client_set_timeout(client, timeout_seconds);
	connection = g_socket_client_connect(client, G_SOCKET_CONNECTABLE(address), NULL, &failure);
	if (connection == NULL)
		error_set(
			error, POSTERN_ERROR_UNAVAILABLE, "posternd cannot be reached at %s: %s", path, failure->message);
	return connection;
}

/* Who logged in and became root: the kernel's word, by the login uid that PAM sets, else sudo's.  NULL: not known.  New. */
static char *
posternctl_login_user(void)
{
	g_autofree char *text = NULL;
	const struct passwd *user = NULL;
	guint64 uid;

	if (g_file_get_contents("/proc/self/loginuid", &text, NULL, NULL) &&
		g_ascii_string_to_unsigned(g_strstrip(text), 10, 0, UINT32_MAX - 1, &uid, NULL))
		user = getpwuid((uid_t)uid);
	return g_strdup(user != NULL ? user->pw_name : g_getenv("SUDO_USER"));
}

/* For the audit record of a root by sudo; of others the daemon knows better.  New. */
static char **
posternctl_add_login_user(char *const *words)
{
	g_autofree char *login = geteuid() == 0 ? posternctl_login_user() : NULL;
	GPtrArray *all = g_ptr_array_new();

	for (; *words != NULL; words++)
		g_ptr_array_add(all, g_strdup(*words));
	if (login != NULL && strcmp(login, "root") != 0)
		g_ptr_array_add(all, g_strconcat(REQUEST_LOGIN_USER, login, NULL));
	g_ptr_array_add(all, NULL);
	return (char **)g_ptr_array_free(all, FALSE);
}

bool
posternctl_fetch(const Arguments *arguments, unsigned timeout_seconds, const char *const *words,
	PosternctlLine *take, void *data, GError **error)
{
	g_autoptr(GSocketConnection) connection = posternctl_connect(arguments, timeout_seconds, error);
	g_autoptr(GDataInputStream) lines = NULL;
	char *line;

	if (connection == NULL)
		return false;
	lines = g_data_input_stream_new(g_io_stream_get_input_stream(G_IO_STREAM(connection)));
	/* the daemon answers one that may not ask without reading what it asks */
	(void)request_write(g_io_stream_get_output_stream(G_IO_STREAM(connection)), words, NULL, NULL);
	while ((line = g_data_input_stream_read_line(lines, NULL, NULL, error)) != NULL) {
		g_autofree char *kept = line;
		g_auto(GStrv) fields = render_fields(line);

		if (line[0] == 'X')
			return true;
		if (line[0] == 'E')
			return error_set(
				error, POSTERN_ERROR_INVALID, "%s", fields[0] != NULL ? fields[0] : "the daemon refuses");
		if (!take(data, line[0], fields, error))
			return false;
	}
	if (error != NULL && *error == NULL)
		error_set(error, POSTERN_ERROR_UNAVAILABLE, "the daemon ended before it had answered");
	return false;
}

static int
posternctl_ask(Arguments *arguments, GError **error)
{
	g_autofree char *input = NULL;
	g_auto(GStrv) words = NULL;
	g_autoptr(GSocketConnection) connection = NULL;
	g_autoptr(GError) unsent = NULL;
	g_autoptr(GError) unanswered = NULL;
	int code;

	if (!posternctl_input(arguments, &input, error))
		return EXIT_FAILURE;
	connection = posternctl_connect(arguments, 0, error);
	if (connection == NULL)
		return posternctl_is(arguments->words, "status", "--check") ? EXIT_CRITICAL : EXIT_FAILURE;
	words = posternctl_add_login_user(arguments->words);
	(void)request_write(
		g_io_stream_get_output_stream(G_IO_STREAM(connection)), (const char *const *)words, input, &unsent);
	if (input != NULL)
		explicit_bzero(input, strlen(input));
	/* the daemon answers one that may not ask without reading what it asks */
	code = render_answer(g_io_stream_get_input_stream(G_IO_STREAM(connection)), arguments->is_json, &unanswered);
	if (unanswered != NULL)
		g_propagate_error(error, unsent != NULL ? g_steal_pointer(&unsent) : g_steal_pointer(&unanswered));
	return code;
}

/* ---- a spool that no daemon owns ---- */

static void
posternctl_complain(const GError *error)
{
	g_autofree char *shown = escape_text(error->message, ESCAPE_LINES);

	fprintf(stderr, "posternctl: %s\n", shown);
}

static int
posternctl_check_spool(const Arguments *arguments, GError **error)
{
	g_autofree char *directory =
		arguments->words[2] != NULL ? g_strdup(arguments->words[2]) : options_spool(arguments->config);
	const SpoolSettings settings = { .directory = directory, .clock = clock_system() };
	g_autoptr(GPtrArray) findings = g_ptr_array_new_with_free_func(g_free);
	const bool is_whole = spool_check(&settings, findings, error);

	for (guint i = 0; i < findings->len; i++) {
		g_autofree char *shown = escape_text(g_ptr_array_index(findings, i), ESCAPE_CELL);

		puts(shown);
	}
	if (is_whole)
		printf("%s: all is whole.\n", directory);
	return is_whole ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int
posternctl_set_aside(const Arguments *arguments, GError **error)
{
	char *const *words = arguments->words + 2;
	g_autofree char *directory = NULL;
	SpoolSettings settings = { .clock = clock_system() };
	guint64 number;

	if (words[0] == NULL || !g_ascii_string_to_unsigned(words[0], 10, 1, G_MAXUINT64, &number, NULL) ||
		(words[1] != NULL && words[2] != NULL)) {
		error_set(error, POSTERN_ERROR_INVALID,
			"spool set-aside wants the number of a segment, and the directory if it is not "
			"that of the configuration");
		return EXIT_FAILURE;
	}
	settings.directory = directory = words[1] != NULL ? g_strdup(words[1]) : options_spool(arguments->config);
	if (!spool_set_aside(&settings, number, error))
		return EXIT_FAILURE;
	printf("segment %s of %s is set aside: what can be read of it counts at the next start.\n", words[0],
		directory);
	return EXIT_SUCCESS;
}

/* ---- stores ---- */

Store *
posternctl_open_settings(const StoreSettings *settings, GError **error)
{
	Store *store = store_open_with(settings, error);

	if (store != NULL && store_is_away(store)) {
		g_autofree char *why = store_describe(store);

		(void)error_set(error, POSTERN_ERROR_UNAVAILABLE, "%s", why);
		g_clear_pointer(&store, store_close);
	}
	for (size_t i = 0; store != NULL && store_watched[i] != NULL; i++)
		store_watch(store, store_watched[i]);
	return store;
}

/* A URL, or "store" or "directory": what the configuration says there. */
static char *
posternctl_store_url(const Arguments *arguments, const char *what)
{
	const bool is_section = strcmp(what, "store") == 0 || strcmp(what, "directory") == 0;

	return is_section ? options_of_store(arguments->config, what, "at") : g_strdup(what);
}

static Store *
posternctl_open_store(const Arguments *arguments, const char *what, const char *password, GError **error)
{
	const bool is_section = strcmp(what, "store") == 0 || strcmp(what, "directory") == 0;
	const char *config = arguments->config;
	g_autofree char *url = posternctl_store_url(arguments, what);
	g_autofree char *prefix = is_section ? options_of_store(config, what, "prefix") : NULL;
	g_autofree char *user = is_section ? options_of_store(config, what, "user") : NULL;
	g_autofree char *trust = is_section ? options_of_store(config, what, "trust") : NULL;
	g_autofree char *secret = is_section ? options_of_store(config, what, "password") : g_strdup(password);
	const StoreSettings settings = { .url = url,
		.clock = clock_system(),
		.most_items = SIZE_MAX, /* nothing is lost by copying */
		.prefix = prefix,
		.user = user,
		.password = secret,
		.trust = trust,
		.deadline_us = 10 * CLOCK_SECOND };

	if (g_str_has_prefix(url, "memory:")) {
		(void)error_set(error, POSTERN_ERROR_INVALID, "%s: there is nothing to copy in memory", what);
		return NULL;
	}
	return posternctl_open_settings(&settings, error);
}

/* A file that root's copy made is the daemon's: it could not open it else.  One that was there keeps its owner. */
static bool
posternctl_give_copy(const Arguments *arguments, const char *url, bool was_there, GError **error)
{
	g_autofree char *user = options_of_store(arguments->config, "server", "user");

	return was_there || owner_give_store(user, url, error);
}

static int
posternctl_copy_store(const Arguments *arguments, GError **error)
{
	char *const *words = arguments->words + 2;
	const bool is_merge =
		words[0] != NULL && words[1] != NULL && words[2] != NULL && strcmp(words[2], "--yes") == 0;
	g_autofree char *password = NULL;
	g_autofree char *url = NULL;
	g_autoptr(Store) from = NULL;
	g_autoptr(Store) to = NULL;
	StoreCopied copied;
	bool was_there;

	if (words[0] == NULL || words[1] == NULL || (words[2] != NULL && (!is_merge || words[3] != NULL))) {
		(void)error_set(error, POSTERN_ERROR_INVALID, "store copy FROM TO [--yes]: URLs, or store, or directory");
		return EXIT_FAILURE;
	}
	password = arguments->password_file != NULL ? posternctl_password(arguments, error) : NULL;
	if (arguments->password_file != NULL && password == NULL)
		return EXIT_FAILURE;
	url = posternctl_store_url(arguments, words[1]);
	was_there = owner_file_of(url) == NULL || g_file_test(owner_file_of(url), G_FILE_TEST_EXISTS);
	from = posternctl_open_store(arguments, words[0], password, error);
	to = from != NULL ? posternctl_open_store(arguments, words[1], password, error) : NULL;
	if (to == NULL || !store_copy(from, to, is_merge, &copied, error) ||
		!posternctl_give_copy(arguments, url, was_there, error))
		return EXIT_FAILURE;
	printf("copied %zu item%s, all compared", copied.copied, copied.copied == 1 ? "" : "s");
	printf(copied.expired > 0 ? " (%zu expired meanwhile).\n" : ".\n", copied.expired);
	return EXIT_SUCCESS;
}

/* What is on this node is made when it is opened. */
static int
posternctl_init_stores(const Arguments *arguments, GError **error)
{
	static const char *const sections[] = { "directory", "store", NULL };
	const char *only = arguments->words[2];

	if (only != NULL && (!g_strv_contains(sections, only) || arguments->words[3] != NULL)) {
		(void)error_set(error, POSTERN_ERROR_INVALID,
			"store init [directory|store]: sections of the configuration, which say where");
		return EXIT_FAILURE;
	}
	for (size_t i = 0; sections[i] != NULL; i++) {
		g_autofree char *url = posternctl_store_url(arguments, sections[i]);
		g_autoptr(Store) store = NULL;

		if (only != NULL && strcmp(only, sections[i]) != 0)
			continue;
		if (!g_str_has_prefix(url, "redis")) {
			printf("%s: needs nothing, it is no Redis.\n", sections[i]);
			continue;
		}
		store = posternctl_open_store(arguments, sections[i], NULL, error);
		if (store == NULL)
			return EXIT_FAILURE;
		printf("%s: the Redis is ready.\n", sections[i]);
	}
	return EXIT_SUCCESS;
}

static void
arguments_clear(Arguments *arguments)
{
	g_free(arguments->config);
	g_free(arguments->socket);
	g_free(arguments->password_file);
	g_free(arguments->directory);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Arguments, arguments_clear)

/* ---- the command line ---- */

/* Words that the daemon reads as options; any other would be taken for a name, or passed over. */
static bool
posternctl_knows_options(char *const *words, GError **error)
{
	if (posternctl_is(words, "explain", NULL) || posternctl_is(words, "restore", NULL))
		return true; /* they have options of their own, and check them */
	for (; *words != NULL; words++)
		if ((*words)[0] == '-' && (*words)[1] != '\0' && !commands_knows_option(*words))
			return error_set(
				error, POSTERN_ERROR_INVALID, "there is no option %s (see posternctl --help)", *words);
	return true;
}

/* The daemon stands elsewhere. */
static void
posternctl_make_absolute(Arguments *arguments)
{
	if (posternctl_is(arguments->words, "spool", "adopt") && arguments->words[2] != NULL) {
		arguments->directory = g_canonicalize_filename(arguments->words[2], NULL);
		arguments->words[2] = arguments->directory;
	}
}

#define OF_DAEMON(GROUP, WORDS, ARGUMENTS, HELP, TAKES, RUN, CLIENT, ...) { WORDS, CLIENT },
#define OF_POSTERNCTL(GROUP, WORDS, ARGUMENTS, HELP, TAKES, CLIENT) { WORDS, CLIENT },
#define OF_PLUGIN(...)

static const struct {
	const char *words;
	int (*run)(const Arguments *arguments, GError **error); /* NULL: the daemon is asked */
} posternctl_functions[] = {
#include "daemon/command-table.h"
};

static int
posternctl_run(Arguments *arguments, GError **error)
{
	if (arguments->words[0] == NULL) {
		error_set(error, POSTERN_ERROR_INVALID, "missing command; see posternctl --help");
		return EXIT_FAILURE;
	}
	if (posternctl_is(arguments->words, "help", NULL) && arguments->words[1] != NULL)
		return command_help_print(arguments, arguments->words + 1, error);
	if (!posternctl_knows_options(arguments->words, error))
		return EXIT_FAILURE;
	for (size_t i = 0; i < G_N_ELEMENTS(posternctl_functions); i++)
		if (posternctl_functions[i].run != NULL &&
			commands_name(posternctl_functions[i].words, arguments->words))
			return posternctl_functions[i].run(arguments, error);
	posternctl_make_absolute(arguments);
	return posternctl_ask(arguments, error);
}

int
main(int argc, char **argv)
{
	g_auto(Arguments) arguments = { 0 };
	gboolean is_version = FALSE, is_help = FALSE;
	const GOptionEntry entries[] = {
		{ "config", 'c', 0, G_OPTION_ARG_FILENAME, &arguments.config, "configuration of the daemon", "FILE" },
		{ "socket", 's', 0, G_OPTION_ARG_FILENAME, &arguments.socket, "its control socket", "PATH" },
		{ "json", 'j', 0, G_OPTION_ARG_NONE, &arguments.is_json, "answer as JSON", NULL },
		{ "password-file", 0, 0, G_OPTION_ARG_FILENAME, &arguments.password_file,
			"read the password from there (- for stdin)", "FILE" },
		{ "help", 'h', 0, G_OPTION_ARG_NONE, &is_help, "show this help, or that of the command", NULL },
		{ "version", 'V', 0, G_OPTION_ARG_NONE, &is_version, "print the version", NULL },
		{ NULL },
	};
	g_autoptr(GOptionContext) context = g_option_context_new("COMMAND ... - asks and steers posternd");
	g_autoptr(GError) error = NULL;
	g_autofree char *commands = NULL;
	int code;

	setlocale(LC_ALL, "");
	if (argc > 2 && strcmp(argv[1], "completion") == 0 && strcmp(argv[2], "words") == 0)
		return completion_print_words(argv + 3); /* words of another command line: no options of this one */
	g_option_context_add_main_entries(context, entries, NULL);
	commands = command_help_list();
	g_option_context_set_description(context, commands);
	g_option_context_set_ignore_unknown_options(context, TRUE);
	g_option_context_set_help_enabled(context, FALSE); /* a command has a help of its own */
	if (!g_option_context_parse(context, &argc, &argv, &error)) {
		posternctl_complain(error);
		return EXIT_FAILURE;
	}
	if (is_version)
		return printf("posternctl %s\n", PACKAGE_VERSION) > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
	arguments.words = argv + 1;
	if (is_help && arguments.words[0] == NULL) {
		g_autofree char *help = g_option_context_get_help(context, TRUE, NULL);

		return fputs(help, stdout) >= 0 ? EXIT_SUCCESS : EXIT_FAILURE;
	}
	if (arguments.config == NULL && g_file_test(POSTERN_SYSCONFDIR "/postern.conf", G_FILE_TEST_EXISTS))
		arguments.config = g_strdup(POSTERN_SYSCONFDIR "/postern.conf");
	code = is_help ? command_help_print(&arguments, arguments.words, &error) : posternctl_run(&arguments, &error);
	if (error != NULL && code == EXIT_CRITICAL)
		printf("CRITICAL - %s\n", error->message);
	else if (error != NULL)
		posternctl_complain(error);
	return code;
}
