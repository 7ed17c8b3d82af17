/* control-status.c - posternctl status, reload, alarms, plugins, hooks, metrics. */
#include <stdlib.h>
#include <string.h>

#include "daemon/control-directory.h"
#include "daemon/control-health.h"
#include "daemon/control.h"
#include "host/module.h"

typedef struct {
	const char *directory, *store;
	unsigned listeners, connections, plugins, alarms;
	SpoolFigures spool;
	DeliveryFigures delivery;
	const GString *names; /* of the alarms: ": a, b" */
} StatusFacts;

static void
control_count_plugin(void *data, const PtnPlugin *plugin, const HookPlugin *figures)
{
	(void)plugin, (void)figures;
	++*(unsigned *)data;
}

static const char *
control_plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

/* To ": dns.away, spool.full", or nothing. */
static void
control_add_alarm(void *data, const char *name, const char *text, int64_t since_us)
{
	GString *names = data;

	(void)text, (void)since_us;
	g_string_append_printf(names, "%s%s", names->len > 0 ? ", " : ": ", name);
}

static void
control_put_number(Answer *answer, const char *name, CellType type, uint64_t number)
{
	g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT, number);
	g_autofree char *cell = cell_of(type, text);

	answer_row(answer, name, cell, NULL);
}

static void
control_put_fact(Answer *answer, const char *name, CellType type, const char *text)
{
	g_autofree char *cell = cell_of(type, text);

	answer_row(answer, name, cell, NULL);
}

/* What the line for people says, for programs. */
static void
control_put_facts(Daemon *daemon, const StatusFacts *facts, Answer *answer)
{
	answer_set_audience(answer, FOR_PROGRAMS);
	answer_columns(answer, "what", "value:value", NULL);
	control_put_number(answer, "up", CELL_DURATION,
		(uint64_t)((clock_wall(daemon->engine.clock) - daemon->started_us) / CLOCK_SECOND));
	control_put_number(answer, "listeners", CELL_NUMBER, facts->listeners);
	control_put_number(answer, "connections", CELL_NUMBER, facts->connections);
	control_put_fact(answer, "directory", CELL_TEXT, facts->directory);
	control_put_fact(answer, "store", CELL_TEXT, facts->store);
	control_put_number(answer, "messages", CELL_NUMBER, facts->spool.messages);
	control_put_fact(answer, "spool-open", CELL_BOOLEAN, facts->spool.is_closed ? "no" : "yes");
	control_put_number(answer, "free-octets", CELL_OCTETS, facts->spool.free_octets);
	control_put_number(answer, "under-way", CELL_NUMBER, facts->delivery.active);
	control_put_number(answer, "waiting-for-next-hop", CELL_NUMBER, facts->delivery.waiting);
	control_put_number(answer, "plugins", CELL_NUMBER, facts->plugins);
	control_put_number(answer, "alarms", CELL_NUMBER, facts->alarms);
	control_put_fact(answer, "alarm-names", CELL_LIST, facts->names->len > 2 ? facts->names->str + 2 : NULL);
	answer_set_audience(answer, FOR_ALL);
}

static void
control_put_line(Daemon *daemon, const StatusFacts *facts, Answer *answer)
{
	const SpoolFigures *spool = &facts->spool;
	const uint64_t n_waiting = facts->delivery.waiting;
	g_autofree char *free_octets = g_format_size_full(spool->free_octets, G_FORMAT_SIZE_IEC_UNITS);
	g_autofree char *up =
		option_format_time((clock_wall(daemon->engine.clock) - daemon->started_us) / CLOCK_SECOND * CLOCK_SECOND);
	g_autofree char *waiting =
		n_waiting > 0 ? g_strdup_printf(", %" G_GUINT64_FORMAT " waiting for a busy next hop", n_waiting) : NULL;

	answer_set_audience(answer, FOR_PEOPLE);
	answer_text(answer,
		"up %s · %u listener%s · %u connection%s · directory %s · store %s"
		" · spool %" G_GUINT64_FORMAT " message%s%s, %s free · %u under way%s · %u plugin%s"
		" · %u alarm%s%s",
		up, facts->listeners, control_plural(facts->listeners), facts->connections,
		control_plural(facts->connections), facts->directory, facts->store, spool->messages,
		control_plural(spool->messages), spool->is_closed ? " (CLOSED)" : "", free_octets, facts->delivery.active,
		waiting != NULL ? waiting : "", facts->plugins, control_plural(facts->plugins), facts->alarms,
		control_plural(facts->alarms), facts->names->str);
	answer_set_audience(answer, FOR_ALL);
}

static void
control_put_status(Daemon *daemon, Answer *answer)
{
	g_autoptr(PluginSet) set = control_take_set(daemon);
	g_autofree char *directory = store_describe(daemon->directory_store);
	g_autofree char *store = store_describe(daemon->engine.store);
	g_autoptr(GPtrArray) doors = NULL;
	g_autoptr(GString) names = g_string_new(NULL);
	StatusFacts facts = { .directory = directory,
		.store = store,
		.connections = server_connections(daemon->server),
		.alarms = metrics_alarms(daemon->engine.metrics),
		.names = names };

	spool_figures(daemon->engine.spool, &facts.spool);
	delivery_figures(daemon->delivery, &facts.delivery);
	g_mutex_lock(&daemon->lock);
	doors = server_doors(daemon->server);
	g_mutex_unlock(&daemon->lock);
	facts.listeners = doors->len;
	host_each(set, control_count_plugin, &facts.plugins);
	metrics_each_alarm(daemon->engine.metrics, control_add_alarm, names);
	control_put_facts(daemon, &facts, answer);
	control_put_line(daemon, &facts, answer);
}

void
control_status(Daemon *daemon, const Request *request, Answer *answer)
{
	if (request->is_check)
		control_put_check(daemon, answer);
	else
		control_put_status(daemon, answer);
}

void
control_reload(Daemon *daemon, const Request *request, Answer *answer)
{
	g_autoptr(GPtrArray) mistakes = g_ptr_array_new_with_free_func(g_free);
	g_autofree char *text = daemon_reload(daemon, mistakes);

	(void)request;
	for (guint i = 0; i < mistakes->len; i++)
		answer_fail(answer, "%s", (const char *)g_ptr_array_index(mistakes, i));
	if (text != NULL)
		answer_text(answer, "%s", text);
	else
		answer_fail(answer, "nothing was changed.");
}

static void
control_put_alarm(void *data, const char *name, const char *text, int64_t since_us)
{
	g_autofree char *since = cell_time(since_us);

	answer_row(data, since, name, text, NULL);
}

void
control_alarms(Daemon *daemon, const Request *request, Answer *answer)
{
	(void)request;
	answer_columns(answer, "since:time", "alarm", "text", NULL);
	metrics_each_alarm(daemon->engine.metrics, control_put_alarm, answer);
	answer_set_code(answer, metrics_alarms(daemon->engine.metrics) > 0 ? EXIT_FAILURE : EXIT_SUCCESS);
}

typedef struct {
	Answer *answer;
	const PtnPlugin *plugin;
	const HookPlugin *core;
	bool is_first; /* of the plugin's rows: it tells what is of the whole plugin */
} PluginRow;

static void
control_put_stage(PluginRow *row, PtnStage stage)
{
	const HookFigures *figures = stage != 0 ? &row->core->figures[stage] : NULL;
	const unsigned long long n_calls = figures != NULL ? atomic_load(&figures->calls) : 0;
	const double took_ms = figures != NULL ? (double)atomic_load(&figures->time_us) / 1e3 : 0;
	char calls[24], each[32], seconds[32], refusals[24], failures[24], busy[16], orphans[16];

	g_snprintf(calls, sizeof calls, "%llu", n_calls);
	g_snprintf(each, sizeof each, "%.3f", n_calls > 0 ? took_ms / (double)n_calls : 0.0);
	g_snprintf(seconds, sizeof seconds, "%.3f", took_ms / 1e3);
	g_snprintf(refusals, sizeof refusals, "%llu", figures != NULL ? atomic_load(&figures->refusals) : 0);
	g_snprintf(failures, sizeof failures, "%llu", figures != NULL ? atomic_load(&figures->failures) : 0);
	g_snprintf(busy, sizeof busy, "%u", atomic_load(&row->core->busy));
	g_snprintf(orphans, sizeof orphans, "%u", atomic_load(&row->core->orphans));
	answer_row(row->answer, row->plugin->name, row->plugin->version != NULL ? row->plugin->version : "",
		stage != 0 ? stage_name(stage) : "", calls, each, seconds, refusals, failures, row->is_first ? busy : "",
		row->is_first ? orphans : "",
		row->is_first && module_is_newer_on_disk(row->plugin->name) ? "file changed on disk: restart to load" : "",
		NULL);
	row->is_first = false;
}

static void
control_put_plugin(void *data, const PtnPlugin *plugin, const HookPlugin *core)
{
	PluginRow row = { .answer = data, .plugin = plugin, .core = core, .is_first = true };
	const PtnHookRow *hook = plugin->hooks;

	for (; hook != NULL && hook->function != NULL; hook++) {
		bool is_told = false;

		for (const PtnHookRow *before = plugin->hooks; before < hook; before++)
			is_told |= before->stage == hook->stage;
		if (!is_told)
			control_put_stage(&row, hook->stage);
	}
	if (row.is_first)
		control_put_stage(&row, 0);
}

void
control_plugins(Daemon *daemon, const Request *request, Answer *answer)
{
	g_autoptr(PluginSet) set = control_take_set(daemon);

	(void)request;
	answer_columns(answer, "plugin", "version", "stage", "calls:number", "ms-each:number", "seconds:number",
		"refusals:number", "failures:number", "busy:number", "orphans:number", "note", NULL);
	host_each(set, control_put_plugin, answer);
}

void
control_hooks(Daemon *daemon, const Request *request, Answer *answer)
{
	g_autoptr(PluginSet) set = control_take_set(daemon);
	g_autofree char *text = host_describe(set);

	(void)request;
	answer_text(answer, "%s", g_strchomp(text));
}

void
control_metrics(Daemon *daemon, const Request *request, Answer *answer)
{
	g_autoptr(GPtrArray) names = metrics_names(daemon->engine.metrics);

	(void)request;
	answer_columns(answer, "metric", "value:number", NULL);
	for (guint i = 0; i < names->len; i++) {
		const char *name = g_ptr_array_index(names, i);
		char value[24];

		g_snprintf(value, sizeof value, "%" G_GINT64_FORMAT, metrics_get(daemon->engine.metrics, name));
		answer_row(answer, name, value, NULL);
	}
}

void
control_listeners(Daemon *daemon, const Request *request, Answer *answer)
{
	g_autoptr(Snapshot) snapshot = control_take_snapshot(daemon);
	const GPtrArray *listeners = snapshot->settings->listeners;
	char text[IP_TEXT_SIZE];

	(void)request;
	answer_columns(answer, "listener", "address", "port:number", NULL);
	for (guint i = 0; i < listeners->len; i++) {
		const ListenerSettings *listener = g_ptr_array_index(listeners, i);

		for (guint a = 0; a < listener->addresses->len; a++)
			for (guint p = 0; p < listener->ports->len; p++) {
				g_autofree char *port = g_strdup_printf("%u", g_array_index(listener->ports, uint16_t, p));

				answer_row(answer, listener->name,
					ip_format(&g_array_index(listener->addresses, IpAddress, a), text), port, NULL);
			}
	}
}
