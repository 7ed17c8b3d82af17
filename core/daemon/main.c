/* main.c - posternd: arguments, signals, the main loop. */
#include <glib-unix.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/activity.h"
#include "base/log.h"
#include "base/thread.h"
#include "config.h"
#include "daemon/check.h"
#include "daemon/control.h"
#include "daemon/crash.h"
#include "daemon/control-audit.h"
#include "daemon/daemon.h"
#include "daemon/linked.h"
#include "daemon/options.h"
#include "daemon/process.h"
#include "daemon/watch.h"
#include "host/module.h"
#include "sandbox/keeper.h"

typedef struct {
	Daemon *daemon;
	GMainLoop *loop;
} Main;

static volatile bool main_is_hasty; /* set by a second SIGTERM */

static const char *
main_default_config(void)
{
	const char *path = POSTERN_SYSCONFDIR "/postern.conf";

	return g_file_test(path, G_FILE_TEST_EXISTS) ? path : NULL;
}

/* ---- looking only ---- */

static int
main_print_mistakes(const GPtrArray *mistakes)
{
	for (guint i = 0; i < mistakes->len; i++)
		fprintf(stderr, "%s\n", (const char *)g_ptr_array_index(mistakes, i));
	fprintf(stderr, "%u mistake%s.\n", mistakes->len, mistakes->len == 1 ? "" : "s");
	return EXIT_FAILURE;
}

static int
main_check(const char *path, bool shows_hooks, bool shows_config)
{
	g_autoptr(GPtrArray) mistakes = g_ptr_array_new_with_free_func(g_free);
	const bool is_whole = !shows_hooks && !shows_config;
	const HostServices services = { 0 };
	g_autoptr(PluginSet) set = NULL;
	g_autofree char *text = NULL;
	Loaded loaded;

	if (daemon_load(path, &loaded, mistakes) && is_whole)
		check_machine(&loaded, mistakes);
	if (mistakes->len > 0)
		return main_print_mistakes(mistakes);
	for (guint i = 0; i < loaded.warnings->len; i++)
		fprintf(stderr, "warning: %s\n", (const char *)g_ptr_array_index(loaded.warnings, i));
	set = host_new(&services, loaded.rows, loaded.config, NULL, NULL);
	if (shows_hooks)
		text = host_describe(set);
	else if (shows_config)
		text = config_print(loaded.config);
	else
		text = g_strdup_printf("%s: no mistakes.\n", path != NULL ? path : "embedded defaults");
	fputs(text, stdout);
	loaded_clear(&loaded);
	return EXIT_SUCCESS;
}

/* ---- running ---- */

static gboolean
main_on_stop(gpointer data)
{
	const Main *at = data;

	if (main_is_hasty)
		return G_SOURCE_CONTINUE;
	g_main_loop_quit(at->loop);
	return G_SOURCE_CONTINUE;
}

static gboolean
main_on_reload(gpointer data)
{
	const Main *at = data;
	g_autoptr(GPtrArray) mistakes = g_ptr_array_new_with_free_func(g_free);
	g_autofree char *text = daemon_reload(at->daemon, mistakes);

	for (guint i = 0; i < mistakes->len; i++)
		log_event(LOG_LEVEL_ERROR, "not reloaded", "error", g_ptr_array_index(mistakes, i), NULL);
	if (text != NULL)
		log_event(LOG_LEVEL_INFO, "reloaded", "text", text + strlen("reloaded: "), NULL);
	audit_reload(at->daemon, text != NULL ? text : g_ptr_array_index(mistakes, 0));
	return G_SOURCE_CONTINUE;
}

static gboolean
main_on_reopen(gpointer data)
{
	const Main *at = data;

	daemon_reopen_log(at->daemon);
	return G_SOURCE_CONTINUE;
}

static gboolean
main_on_second(gpointer data)
{
	const Main *at = data;

	daemon_tick(at->daemon);
	return G_SOURCE_CONTINUE;
}

static gboolean
main_on_watch(gpointer data)
{
	const Main *at = data;

	watch_tick(at->daemon);
	return G_SOURCE_CONTINUE;
}

/* The watchdog sees whether the main loop comes round. */
static int
main_poll(GPollFD *files, guint n, int timeout_ms)
{
	int result;

	activity_round(0);
	result = g_poll(files, n, timeout_ms);
	activity_round(g_get_monotonic_time());
	return result;
}

static void
main_on_second_term(int number)
{
	(void)number;
	main_is_hasty = true;
}

static int
main_run(const char *path)
{
	g_autoptr(GError) error = NULL;
	Main at = { 0 };
	Control *control;
	bool is_in_use;

	process_raise_limits();
	crash_install();
	thread_set_default_stack();
	signal(SIGPIPE, SIG_IGN);
	at.daemon = daemon_start(path, &error);
	if (at.daemon == NULL) {
		fprintf(stderr, "posternd: %s\n", error->message);
		return EXIT_FAILURE;
	}
	at.loop = g_main_loop_new(NULL, FALSE);
	control = control_start(at.daemon, at.loop, &error);
	if (control == NULL) {
		fprintf(stderr, "posternd: %s\n", error->message);
		return EXIT_FAILURE;
	}
	g_unix_signal_add(SIGTERM, main_on_stop, &at);
	g_unix_signal_add(SIGINT, main_on_stop, &at);
	g_unix_signal_add(SIGHUP, main_on_reload, &at);
	g_unix_signal_add(SIGUSR1, main_on_reopen, &at);
	g_timeout_add_seconds(1, main_on_second, &at);
	g_timeout_add(WATCH_MS, main_on_watch, &at);
	process_notify("READY=1");
	g_main_context_set_poll_func(NULL, main_poll);
	g_main_loop_run(at.loop);
	activity_round(0);
	signal(SIGTERM, main_on_second_term);
	signal(SIGINT, main_on_second_term);
	process_notify("STOPPING=1");
	is_in_use = !control_stop(control);
	daemon_stop(at.daemon, is_in_use, &main_is_hasty);
	g_main_loop_unref(at.loop);
	return EXIT_SUCCESS;
}

int
main(int argc, char **argv)
{
	g_autofree char *path = NULL;
	gboolean is_check = FALSE, is_hooks = FALSE, is_print = FALSE, is_version = FALSE, is_manual = FALSE;
	const GOptionEntry entries[] = {
		{ "config", 'c', 0, G_OPTION_ARG_FILENAME, &path, "configuration file", "FILE" },
		{ "test", 't', 0, G_OPTION_ARG_NONE, &is_check, "check the configuration, start nothing", NULL },
		{ "hooks", 0, 0, G_OPTION_ARG_NONE, &is_hooks, "print the chain of plugins per stage", NULL },
		{ "print-config", 0, 0, G_OPTION_ARG_NONE, &is_print, "print every option as it holds", NULL },
		{ "print-options", 0, 0, G_OPTION_ARG_NONE, &is_manual, "print the option chapters of the manual", NULL },
		{ "version", 'V', 0, G_OPTION_ARG_NONE, &is_version, "print the version", NULL },
		{ NULL },
	};
	g_autoptr(GOptionContext) context = g_option_context_new("- the Postern mail gateway");
	g_autoptr(GError) error = NULL;

	setlocale(LC_ALL, "C.UTF-8");
	linked_plugins_add();
	if (argc == 2 && strcmp(argv[1], KEEPER_ARGUMENT) == 0)
		_exit(keeper_run(KEEPER_FD, module_load));
	g_option_context_add_main_entries(context, entries, NULL);
	if (!g_option_context_parse(context, &argc, &argv, &error) || argc > 1) {
		fprintf(stderr, "posternd: %s (see posternd --help)\n",
			error != NULL ? error->message : "it takes no arguments");
		return EXIT_FAILURE;
	}
	if (is_version)
		return printf("posternd %s, plugin API %d.%d\n", PACKAGE_VERSION, PTN_API_MAJOR, PTN_API_MINOR) > 0
				   ? EXIT_SUCCESS
				   : EXIT_FAILURE;
	if (is_manual) {
		g_autofree char *text = options_manual();

		fputs(text, stdout);
		return EXIT_SUCCESS;
	}
	if (path == NULL)
		path = g_strdup(main_default_config());
	return is_check || is_hooks || is_print ? main_check(path, is_hooks, is_print) : main_run(path);
}
