/* control.c - the control socket, and what runs each command. */
#include "daemon/control.h"

#include <gio/gunixsocketaddress.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/log.h"
#include "daemon/commands.h"
#include "daemon/control-audit.h"

#define CONTROL_STOP_US (10 * CLOCK_SECOND)

/* Freed with the last request: threads of the service may come to it late. */
struct Control {
	Daemon *daemon;
	GSocketService *service;
	char *path;
	ControlGroups groups; /* whose members may give commands, too */
	GMutex lock; /* guards what follows */
	GCond ended;
	GPtrArray *connections; /* GSocketConnection*, of requests that are being read or run */
	bool is_stopping;
};

PluginSet *
control_take_set(Daemon *daemon)
{
	PluginSet *set;

	g_mutex_lock(&daemon->lock);
	set = host_ref(daemon->set);
	g_mutex_unlock(&daemon->lock);
	return set;
}

Snapshot *
control_take_snapshot(Daemon *daemon)
{
	Snapshot *snapshot;

	g_mutex_lock(&daemon->lock);
	snapshot = snapshot_ref(daemon->snapshot);
	g_mutex_unlock(&daemon->lock);
	return snapshot;
}

static void
control_put_plugin_command(void *data, const PtnPlugin *plugin, const PtnCommand *command)
{
	answer_row(data, plugin->name, command->verb, command->arguments != NULL ? command->arguments : "",
		command->help != NULL ? command->help : "", NULL);
}

static void
control_put_short_word(void *data, const PtnShortWord *row, const PtnCommand *command)
{
	g_auto(GStrv) words = g_strsplit(row->words, " ", 2);

	answer_row(data, words[0], words[1] != NULL ? words[1] : "",
		command->arguments != NULL ? command->arguments : "", command->help != NULL ? command->help : "", NULL);
}

static void
control_put_short_command(void *data, const PtnShortWord *row, const PtnCommand *command)
{
	answer_row(data, row->words, command->arguments != NULL ? command->arguments : "",
		command->help != NULL ? command->help : "", NULL);
}

/* "of-plugins" is what posternctl asks for its --help and completion. */
static void
control_help(Daemon *daemon, const Request *request, Answer *answer)
{
	const char *which = request->words[0] != NULL ? request->words[1] : NULL;
	g_autoptr(PluginSet) set = control_take_set(daemon);

	if (which != NULL && strcmp(which, "of-plugins") == 0) {
		answer_columns(answer, "plugin", "verb", "arguments", "what-it-does", NULL);
		host_each_command(set, control_put_plugin_command, answer);
		host_each_word(set, control_put_short_word, answer);
		return;
	}
	answer_columns(answer, "command", "arguments", "what-it-does", NULL);
	for (const Command *command = commands_all; command->words != NULL; command++)
		if (!command->is_local && strcmp(command->words, "help") != 0)
			answer_row(answer, command->words, command->arguments, command->help, NULL);
	host_each_word(set, control_put_short_command, answer);
}

/* ---- commands of plugins ---- */

static void
control_put_row(void *data, const char *const *columns_and_texts)
{
	g_autoptr(GPtrArray) columns = g_ptr_array_new();
	g_autoptr(GPtrArray) cells = g_ptr_array_new();
	Answer *answer = data;

	for (; columns_and_texts[0] != NULL && columns_and_texts[1] != NULL; columns_and_texts += 2) {
		g_ptr_array_add(columns, (void *)(uintptr_t)columns_and_texts[0]);
		g_ptr_array_add(cells, (void *)(uintptr_t)columns_and_texts[1]);
	}
	g_ptr_array_add(columns, NULL);
	g_ptr_array_add(cells, NULL);
	answer_columns_v(answer, (const char *const *)columns->pdata);
	answer_row_v(answer, (const char *const *)cells->pdata);
}

static void
control_ask(Daemon *daemon, const char *plugin, const char *const *words, Actor *actor, Answer *answer)
{
	g_autoptr(PluginSet) set = control_take_set(daemon);
	g_autoptr(GError) error = NULL;

	if (!host_command(set, plugin, words, actor, control_put_row, answer, &error))
		answer_fail(answer, "%s", error->message);
}

/* ---- the functions of the table ---- */

static void
control_end(Daemon *daemon, const Request *request, Answer *answer)
{
	(void)request;
	answer_text(answer, "stopping");
	g_main_loop_quit(daemon->loop);
}

#define OF_DAEMON(GROUP, WORDS, ARGUMENTS, HELP, TAKES, RUN, CLIENT, ...) { WORDS, RUN },
#define OF_POSTERNCTL(...)
#define OF_PLUGIN(...)

static const struct {
	const char *word;
	ControlFunction *run;
} control_functions[] = {
#include "daemon/command-table.h"
};

/* ---- serving ---- */

char *
control_format_time(int64_t us)
{
	g_autoptr(GDateTime) time = us != CLOCK_NEVER ? g_date_time_new_from_unix_local(us / CLOCK_SECOND) : NULL;

	return time != NULL ? g_date_time_format(time, "%F %T") : g_strdup("");
}

/* An option that is not meant for the command changes what it does, so it is never passed over. */
static bool
control_refuses_options(const Request *request, unsigned takes, Answer *answer)
{
	const struct {
		bool is_given;
		unsigned flag;
	} options[] = { { request->says_yes, TAKES_YES }, { request->is_dry, TAKES_DRY_RUN },
		{ request->says_hold, TAKES_HOLD }, { request->is_check, TAKES_CHECK } };
	const char *refused = NULL;

	for (size_t i = 0; i < G_N_ELEMENTS(options) && refused == NULL; i++)
		if (options[i].is_given && !(takes & options[i].flag))
			refused = commands_option_name(options[i].flag);
	if (refused != NULL)
		answer_fail(answer, "%s takes no %s; nothing was done.",
			request->words[0] != NULL ? request->words[0] : "help", refused);
	return refused != NULL;
}

/* Of a command whose arguments are options alone: a word that is passed over would be taken for one that counts. */
static bool
control_refuses_words(const Request *request, const Command *command, Answer *answer)
{
	const char *more = request->words[0] != NULL ? request->words[1] : NULL;

	if (more == NULL || command == NULL ||
		(*command->arguments != '\0' && !g_str_has_prefix(command->arguments, "[--")))
		return false;
	answer_fail(answer, "%s takes no \"%s\"; nothing was done.", command->words, more);
	return true;
}

/* `words`: those of the request, with a short word of a plugin expanded.  What is no command of the core is one of a plugin. */
static void
control_run(
	Daemon *daemon, const Command *command, const Request *request, const char *const *words, Answer *answer)
{
	for (size_t i = 0; command != NULL && i < G_N_ELEMENTS(control_functions); i++) {
		if (strcmp(control_functions[i].word, command->words) == 0) {
			control_functions[i].run(daemon, request, answer);
			return;
		}
	}
	control_ask(daemon, command != NULL ? command->plugin : words[0], words + 1, request->actor, answer);
}

/* What the request needs, and how many of its words name the command; `words` as for control_run(), new. */
static ControlNeed
control_classify(Daemon *daemon, const Command *command, Request *request, char ***words)
{
	g_autoptr(PluginSet) set = control_take_set(daemon);

	*words = host_expand(set, (const char *const *)request->words, &request->n_named);
	if (command != NULL && !commands_has_verbs(command))
		request->n_named = MIN(request->n_named, 1);
	return control_need(set, command, (const char *const *)*words);
}

/* New. */
static char *
control_command_name(const Request *request)
{
	if (request->n_named == 0)
		return g_strdup("help");
	return request->n_named == 1 ? g_strdup(request->words[0])
								 : g_strconcat(request->words[0], " ", request->words[1], NULL);
}

/* Runs what the peer may run, and records it. */
static void
control_serve_request(Control *control, const ControlPeer *peer, Request *request, Answer *answer)
{
	const Command *command = commands_find(request->words[0] != NULL ? request->words[0] : "help");
	g_auto(GStrv) words = NULL;
	const ControlNeed need = control_classify(control->daemon, command, request, &words);
	g_autofree char *name = control_command_name(request);
	/* Root can say what it wants to; nobody else's word on who they are counts. */
	Actor actor = { .who = peer->name, .login = peer->uid == 0 ? request->login_user : NULL, .command = name };
	g_autoptr(GError) error = NULL;

	request->actor = &actor;
	if (!control_role_allows(peer, need, (const char *const *)request->words, &error)) {
		answer_fail(answer, "%s", error->message);
		return;
	}
	if (control_refuses_options(request, command != NULL ? command->takes : 0, answer) ||
		control_refuses_words(request, command, answer))
		return;
	control_run(control->daemon, command, request, (const char *const *)words, answer);
	audit_command(control->daemon, request, need, answer);
}

static void
control_answer(Control *control, GSocketConnection *connection)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(Request) request = NULL;
	g_auto(ControlPeer) peer = { 0 };
	Answer *answer = answer_new(g_io_stream_get_output_stream(G_IO_STREAM(connection)));

	/* Of a stranger nothing is read: one that says nothing would keep a thread.  Nor is it read through a buffered
	 * stream, whose buffer would keep new passwords. */
	if (control_access_check(g_socket_connection_get_socket(connection), &control->groups, &peer, &error))
		request = request_read(g_io_stream_get_input_stream(G_IO_STREAM(connection)), &error);

	if (request == NULL)
		answer_fail(answer, "%s", error->message);
	else
		control_serve_request(control, &peer, request, answer);
	answer_finish(answer);
}

static gboolean
control_serve(GThreadedSocketService *service, GSocketConnection *connection, GObject *source, gpointer data)
{
	Control *control = data;
	bool is_stopping;

	(void)service, (void)source;
	g_mutex_lock(&control->lock);
	is_stopping = control->is_stopping;
	if (!is_stopping)
		g_ptr_array_add(control->connections, connection);
	g_mutex_unlock(&control->lock);
	if (is_stopping)
		return TRUE;
	control_answer(control, connection);
	g_mutex_lock(&control->lock);
	g_ptr_array_remove_fast(control->connections, connection);
	g_cond_broadcast(&control->ended);
	g_mutex_unlock(&control->lock);
	return TRUE;
}

static void
control_free(void *data, GClosure *closure)
{
	Control *control = data;

	(void)closure;
	g_ptr_array_unref(control->connections);
	g_mutex_clear(&control->lock);
	g_cond_clear(&control->ended);
	g_free(control->path);
	g_free(control);
}

/* With a group all may connect; control_access_check() then decides. */
static bool
control_set_groups(Control *control, GError **error)
{
	const ConfigSection *server = config_section(control->daemon->config, "server", NULL);
	const char *operators = config_text(server, "control-group"), *support = config_text(server, "support-group");

	if (!control_access_find_group("control-group", operators, &control->groups.operators, error) ||
		!control_access_find_group("support-group", support, &control->groups.support, error))
		return false;
	if (chmod(control->path, operators != NULL || support != NULL ? 0666 : 0600) != 0)
		return error_set_errno(error, "cannot set the mode of %s", control->path);
	return true;
}

Control *
control_start(Daemon *daemon, GMainLoop *loop, GError **error)
{
	const char *path = config_text(config_section(daemon->config, "server", NULL), "control");
	g_autoptr(GSocketAddress) address = g_unix_socket_address_new(path);
	Control *control = g_new0(Control, 1);
	mode_t mask;
	bool is_bound;

	control->daemon = daemon;
	daemon->loop = loop;
	control->path = g_strdup(path);
	control->connections = g_ptr_array_new();
	g_mutex_init(&control->lock);
	g_cond_init(&control->ended);
	control->service = g_threaded_socket_service_new(16);
	(void)unlink(path); /* of a daemon that is gone: the spool's lock says that none runs */
	mask = umask(0177);
	is_bound = g_socket_listener_add_address(G_SOCKET_LISTENER(control->service), address, G_SOCKET_TYPE_STREAM,
		G_SOCKET_PROTOCOL_DEFAULT, NULL, NULL, error);
	umask(mask);
	if (!is_bound || !control_set_groups(control, error)) {
		g_prefix_error(error, "control socket %s: ", path);
		g_object_unref(control->service);
		control_free(control, NULL);
		return NULL;
	}
	g_signal_connect_data(control->service, "run", G_CALLBACK(control_serve), control, control_free, 0);
	g_socket_service_start(control->service);
	return control;
}

/* A client that says nothing keeps nobody; to one that has asked, the answer still goes. */
static bool
control_wait(Control *control)
{
	const int64_t until_us = g_get_monotonic_time() + CONTROL_STOP_US;
	bool is_done = true;

	g_mutex_lock(&control->lock);
	control->is_stopping = true;
	for (guint i = 0; i < control->connections->len; i++) {
		GSocketConnection *connection = g_ptr_array_index(control->connections, i);

		(void)g_socket_shutdown(g_socket_connection_get_socket(connection), TRUE, FALSE, NULL);
	}
	while (control->connections->len > 0 && is_done)
		is_done = g_cond_wait_until(&control->ended, &control->lock, until_us);
	g_mutex_unlock(&control->lock);
	return is_done;
}

bool
control_stop(Control *control)
{
	bool is_done;

	g_socket_service_stop(control->service);
	g_socket_listener_close(G_SOCKET_LISTENER(control->service));
	(void)unlink(control->path);
	is_done = control_wait(control);
	g_object_unref(control->service);
	return is_done;
}
