/* host.c - the plugins of one configuration, in the order of [server] plugins. */
#include "host/host.h"

#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "host/host-private.h"
#include "host/module.h"

static const char *const host_modes[] = { "enforce", "warn", "off", NULL };
static const char *const host_on[] = { "submission", "inbound", "both", NULL };
static const char *const host_on_error[] = { "defer", "pass", NULL };

static const PtnOption host_common[] = {
	{ "mode", PTN_CHOICE, PTN_IN_SERVER, "enforce", "whether what it says is done, only logged, or not even asked",
		0, 0, host_modes },
	{ "on-error", PTN_CHOICE, PTN_IN_SERVER, "defer", "what to do when it fails or is late", 0, 0, host_on_error },
	{ "deadline", PTN_TIME, PTN_IN_SERVER, "10s", "time that one of its hooks may take", CLOCK_SECOND / 10,
		60 * CLOCK_SECOND, NULL },
	{ "at-once", PTN_NUMBER, PTN_IN_SERVER, "128", "workers it may hold at a time", 1, 10000, NULL },
	{ 0 },
};

/* Of plugins that judge clients or content. */
static const PtnOption host_on_option = { "on", PTN_CHOICE, PTN_IN_SERVER, "submission",
	"whose mail it judges: that of accounts, that which comes in for domains of the directory, or both", 0, 0,
	host_on };

/* ---- options ---- */

const PtnOption *
host_common_option(const char *name)
{
	return strcmp(name, host_on_option.name) == 0 ? &host_on_option : option_find(host_common, name);
}

static void
host_rows_free(void *data)
{
	PluginRows *rows = data;

	g_free(rows->rows);
	g_free(rows->items);
	g_free(rows);
}

static size_t
host_count_options(const PtnPlugin *plugin)
{
	size_t n = 0;

	while (plugin->options != NULL && plugin->options[n].name != NULL)
		n++;
	return n;
}

static PluginRows *
host_make_rows(const PtnPlugin *plugin)
{
	const size_t own = host_count_options(plugin), with_on = plugin->has_on ? 1 : 0;
	const size_t common = G_N_ELEMENTS(host_common) - 1 + with_on;
	PluginRows *rows = g_new0(PluginRows, 1);
	size_t n_items = 0;

	rows->plugin = plugin;
	rows->rows = g_new0(PtnOption, common + own + 1);
	rows->items = g_new0(PtnOption, own + 1);
	memcpy(rows->rows, host_common, sizeof host_common);
	if (plugin->passes_on_error)
		rows->rows[1].preset = "pass";
	if (plugin->has_on)
		rows->rows[common - 1] = host_on_option;
	if (own > 0)
		memcpy(rows->rows + common, plugin->options, own * sizeof *plugin->options);
	for (size_t i = 0; i < own; i++)
		if (plugin->options[i].places & PTN_IN_ITEM)
			rows->items[n_items++] = plugin->options[i];
	return rows;
}

GPtrArray *
host_load(const char *directory, const char *const *names, HostReserved *is_reserved, GPtrArray *mistakes)
{
	GPtrArray *rows = g_ptr_array_new_with_free_func(host_rows_free);

	for (size_t i = 0; names[i] != NULL; i++) {
		g_autoptr(GError) error = NULL;
		const PtnPlugin *plugin = module_load(directory, names[i], &error);

		if (plugin != NULL)
			g_ptr_array_add(rows, host_make_rows(plugin));
		else
			g_ptr_array_add(mistakes, g_strdup(error->message));
	}
	host_check_words(rows, is_reserved, mistakes);
	return rows;
}

/* ---- the set ---- */

static Instance *
host_take_over(const PluginSet *before, const PtnPlugin *plugin, Config *config, unsigned place)
{
	for (guint i = 0; before != NULL && i < before->instances->len; i++) {
		Instance *instance = g_ptr_array_index(before->instances, i);

		if (instance->plugin == plugin && instance->core.place == place && instance_agrees(instance, config))
			return instance_ref(instance);
	}
	return NULL;
}

void
host_read_facts(HostServices *services, const Config *config)
{
	const ConfigSection *server = config_section(config, "server", NULL);

	services->header_prefix = server != NULL ? config_text(server, "header-prefix") : NULL;
	services->monitors = server != NULL ? config_text(server, "monitors") : NULL;
}

PluginSet *
host_new(const HostServices *services, const GPtrArray *rows, Config *config, PluginSet *before, GError **error)
{
	g_autoptr(PluginSet) set = g_new0(PluginSet, 1);

	atomic_init(&set->references, 1);
	set->services = *services;
	set->config = config_ref(config);
	host_read_facts(&set->services, config);
	set->reach = host_reach_new(config);
	set->instances = g_ptr_array_new_with_free_func(instance_unref);
	set->bindings = g_ptr_array_new_with_free_func(g_free);
	for (guint i = 0; i < rows->len; i++) {
		const PluginRows *row = g_ptr_array_index(rows, i);
		Instance *instance = host_take_over(before, row->plugin, config, i);

		if (instance == NULL)
			instance = instance_new(services, row, config, i);
		g_ptr_array_add(set->instances, instance);
		if (services->engine != NULL && !instance_start(instance, error))
			return NULL;
	}
	return g_steal_pointer(&set);
}

GPtrArray *
host_started(const PluginSet *set, const PluginSet *before)
{
	GPtrArray *names = g_ptr_array_new();

	for (guint i = 0; i < set->instances->len; i++) {
		const Instance *instance = g_ptr_array_index(set->instances, i);

		if (!g_ptr_array_find(before->instances, instance, NULL))
			g_ptr_array_add(names, (void *)(uintptr_t)instance->plugin->name);
	}
	return names;
}

PluginSet *
host_ref(PluginSet *set)
{
	atomic_fetch_add(&set->references, 1);
	return set;
}

void
host_unref(void *data)
{
	PluginSet *set = data;

	if (set == NULL || atomic_fetch_sub(&set->references, 1) != 1)
		return;
	g_ptr_array_unref(set->bindings);
	g_ptr_array_unref(set->instances);
	host_reach_free(set->reach);
	config_unref(set->config);
	g_free(set);
}

Chain *
host_chain(PluginSet *set)
{
	Chain *chain = chain_new();

	for (guint i = 0; i < set->instances->len; i++) {
		Instance *instance = g_ptr_array_index(set->instances, i);

		for (const PtnHookRow *row = instance->plugin->hooks; row != NULL && row->function != NULL; row++) {
			Binding *binding = g_new0(Binding, 1);
			const HookRow hook = { &instance->core, row->stage, row->flags, call_hook, binding };

			binding->set = set;
			binding->instance = instance;
			binding->function = row->function;
			g_ptr_array_add(set->bindings, binding);
			if (!stage_is(row->stage, STAGE_TICKS))
				chain_add(chain, &hook);
		}
	}
	return chain;
}

/* ---- ticks ---- */

typedef struct {
	Work work;
	PluginSet *set;
	Instance *instance;
	int64_t now_us;
} Tick;

static void
host_run_tick(void *data)
{
	Tick *tick = data;
	Instance *instance = tick->instance;

	for (const PtnHookRow *row = instance->plugin->hooks; row != NULL && row->function != NULL; row++) {
		g_autoptr(Region) region = NULL;
		HookCall call = { 0 };
		PtnHook h = { .call = &call, .instance = instance, .set = tick->set };

		if (row->stage != PTN_TICK)
			continue;
		call.stage = PTN_TICK;
		call.region = region = region_new();
		call.may_wait = true;
		call.deadline_us = g_get_monotonic_time() + instance->core.deadline_us;
		if (call_prepared(&h, row->function) == PTN_FAILED)
			log_event(LOG_LEVEL_WARNING, "plugin failed", "plugin", instance->plugin->name, "stage", "tick",
				"error", call.failure, NULL);
		g_clear_pointer(&call.acts, g_array_unref);
	}
	atomic_store(&instance->is_ticking, false);
	host_unref(tick->set);
	g_free(tick);
}

void
host_tick(PluginSet *set, int64_t now_us)
{
	for (guint i = 0; i < set->instances->len; i++) {
		Instance *instance = g_ptr_array_index(set->instances, i);
		Tick *tick;

		if (instance->plugin->tick <= 0 || instance->core.mode == HOOK_IS_OFF || now_us < instance->next_tick_us ||
			atomic_exchange(&instance->is_ticking, true))
			continue;
		instance->next_tick_us = now_us + instance->plugin->tick;
		tick = g_new0(Tick, 1);
		tick->set = host_ref(set);
		tick->instance = instance;
		tick->work.run = host_run_tick;
		tick->work.data = tick;
		if (!workers_run(set->services.engine->waiters, &tick->work)) {
			atomic_store(&instance->is_ticking, false);
			host_unref(set);
			g_free(tick);
		}
	}
}

/* ---- for people ---- */

static void
host_describe_row(GString *text, const HookRow *row)
{
	g_autofree char *deadline = option_format_time(row->plugin->deadline_us);

	g_string_append_printf(text, "  %-20s %-8s mode=%s on-error=%s deadline=%s%s\n", row->plugin->name,
		row->flags & PTN_INLINE  ? "inline"
		: row->flags & PTN_HEAVY ? "heavy"
								 : "waits",
		host_modes[row->plugin->mode], host_on_error[row->plugin->passes_on_error ? 1 : 0], deadline,
		row->flags & PTN_LATE ? " late" : "");
}

char *
host_describe(PluginSet *set)
{
	GString *text = g_string_new(NULL);
	Chain *chain = host_chain(set);

	for (size_t i = 0; i < STAGES; i++) {
		const HookRow *row = chain_row(chain, stages_all[i].stage, 0);

		if (row != NULL)
			g_string_append_printf(text, "%s\n", stages_all[i].name);
		for (size_t k = 0; (row = chain_row(chain, stages_all[i].stage, k)) != NULL; k++)
			host_describe_row(text, row);
	}
	chain_free(chain);
	return g_string_free(text, FALSE);
}

void
host_each(PluginSet *set, void (*each)(void *data, const PtnPlugin *plugin, const HookPlugin *figures), void *data)
{
	for (guint i = 0; i < set->instances->len; i++) {
		const Instance *instance = g_ptr_array_index(set->instances, i);

		each(data, instance->plugin, &instance->core);
	}
}
