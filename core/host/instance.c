/* instance.c - a plugin with one configuration: made, started, stopped when nobody has it any more. */
#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "host/host-private.h"
#include "host/module.h"

static void
instance_read_items(Instance *instance)
{
	g_autofree char *kind = g_strdup_printf("plugin %s/", instance->plugin->name);
	const GPtrArray *sections = config_sections(instance->config, kind);

	instance->items = g_ptr_array_new_with_free_func(g_free);
	for (guint i = 0; i < sections->len; i++)
		g_ptr_array_add(instance->items, g_strdup(config_section_name(g_ptr_array_index(sections, i))));
	g_ptr_array_add(instance->items, NULL);
}

Instance *
instance_new(const HostServices *services, const PluginRows *rows, Config *config, unsigned place)
{
	Instance *instance = g_new0(Instance, 1);
	g_autofree char *kind = g_strdup_printf("plugin %s", rows->plugin->name);
	const ConfigSection *section = config_section(config, kind, NULL);
	HookPlugin *core = &instance->core;

	atomic_init(&instance->references, 1);
	instance->plugin = rows->plugin;
	instance->services = g_memdup2(services, sizeof *services);
	host_read_facts(instance->services, config);
	instance->config = config_ref(config);
	instance->memory = g_malloc0(MAX(rows->plugin->instance_size, 1));
	instance_read_items(instance);
	core->name = rows->plugin->name;
	core->place = place;
	core->mode = (HookMode)config_number(section, "mode");
	core->passes_on_error = config_number(section, "on-error") == 1;
	core->on = rows->plugin->has_on ? (HookOn)(config_number(section, "on") + 1) : (HookOn)0;
	core->deadline_us = config_number(section, "deadline");
	core->at_once = (unsigned)config_number(section, "at-once");
	return instance;
}

Instance *
instance_ref(Instance *instance)
{
	atomic_fetch_add(&instance->references, 1);
	return instance;
}

static PtnVerdict
instance_call(Instance *instance, PtnFunction *function, const char *purpose, char **failure)
{
	g_autoptr(Region) region = region_new();
	HookCall call = {
		.region = region, .may_wait = true, .deadline_us = g_get_monotonic_time() + instance->core.deadline_us
	};
	PtnHook h = { .call = &call, .instance = instance, .purpose = purpose };
	const PtnVerdict verdict = call_prepared(&h, function);

	*failure = g_strdup(call.failure);
	g_clear_pointer(&call.acts, g_array_unref);
	return verdict;
}

void
instance_unref(void *data)
{
	Instance *instance = data;
	g_autofree char *failure = NULL;

	if (atomic_fetch_sub(&instance->references, 1) != 1)
		return;
	if (instance->is_started && instance->plugin->stop != NULL)
		(void)instance_call(instance, instance->plugin->stop, "stop", &failure);
	g_free(instance->memory);
	g_ptr_array_unref(instance->items);
	config_unref(instance->config);
	g_free(instance->services);
	g_free(instance);
}

static bool
instance_load_parser(const Instance *instance, GError **error)
{
	Parsers *parsers = instance->services->parsers;
	const char *name = instance->plugin->name;
	g_autofree char *directory = NULL;
	g_autoptr(GError) failure = NULL;

	if (instance->plugin->parse == NULL || instance->services->is_check)
		return true;
	directory = module_directory(name);
	if (parsers != NULL && parsers_load(parsers, directory, name, &failure))
		return true;
	return error_set(error, POSTERN_ERROR_UNAVAILABLE, "plugin %s does not start, because its parser does not: %s",
		name, failure != NULL ? failure->message : "there are no parsers");
}

bool
instance_start(Instance *instance, GError **error)
{
	g_autofree char *failure = NULL;

	if (instance->is_started)
		return true;
	if (!instance_load_parser(instance, error))
		return false;
	if (instance->plugin->start != NULL &&
		instance_call(instance, instance->plugin->start, "start", &failure) != PTN_NEXT)
		return error_set(error, POSTERN_ERROR_INVALID, "plugin %s does not start: %s", instance->plugin->name,
			failure != NULL ? failure : "it did not say why");
	instance->is_started = true;
	return true;
}

bool
instance_agrees(const Instance *instance, Config *config)
{
	g_autofree char *kind = g_strdup_printf("plugin %s", instance->plugin->name);
	g_autofree char *items = g_strdup_printf("plugin %s/", instance->plugin->name);

	return config_same(instance->config, config, kind) && config_same(instance->config, config, items) &&
		   config_same(instance->config, config, "level");
}

/* ---- options ---- */

char *
instance_complaint(Instance *instance, const PtnOption *option, const OptionPlaces *places, const char *value)
{
	g_autoptr(Region) region = region_new();
	HookCall call = {
		.region = region, .may_wait = true, .deadline_us = g_get_monotonic_time() + instance->core.deadline_us
	};
	PtnHook h = { .call = &call,
		.instance = instance,
		.places = *places,
		.has_owner = true,
		.has_domain = true,
		.is_check = true,
		.purpose = "check" };
	ActivityView before;
	char *complaint;

	if (instance->plugin->check == NULL || host_common_option(option->name) == option)
		return NULL;
	call.lookups = lookups_new(NULL);
	call_begin(&h, &before);
	complaint = g_strdup(instance->plugin->check(&h, option->name, value));
	activity_end(&before);
	call_let_go(&h);
	lookups_free(call.lookups);
	return complaint;
}

const PtnOption *
instance_option(const Instance *instance, const char *name, bool is_item)
{
	const PtnOption *option =
		instance->plugin->options != NULL ? option_find(instance->plugin->options, name) : NULL;

	if (option == NULL)
		return is_item ? NULL : host_common_option(name);
	return !is_item || (option->places & PTN_IN_ITEM) ? option : NULL;
}

static const char *
option_of_entry(DirectoryEntry *entry, const char *key, const char *place, char **from)
{
	const char *value = entry != NULL ? directory_entry_get(entry, key) : NULL;

	if (value != NULL && from != NULL)
		*from = g_strdup(place);
	return value;
}

static const char *
option_of_level(const Config *config, const char *level, const char *key, char **from)
{
	/* "like" leads to another level; a ring of them ends by the count */
	for (int hops = 0; level != NULL && hops < 10; hops++) {
		const ConfigSection *section = config_section(config, "level", level);
		const char *value = section != NULL ? config_text(section, key) : NULL;

		if (value != NULL) {
			if (from != NULL)
				*from = g_strdup_printf("level %s", level);
			return value;
		}
		level = section != NULL ? config_text(section, "like") : NULL;
	}
	return NULL;
}

const char *
option_text_for(const Config *config, const Instance *instance, const PtnOption *option,
	const OptionPlaces *places, char **from)
{
	g_autofree char *key = g_strdup_printf("%s.%s", instance->plugin->name, option->name);
	g_autofree char *kind = g_strdup_printf("plugin %s", instance->plugin->name);
	const ConfigSection *section = config_section(config, kind, NULL);
	const char *value = NULL;

	if (option->places & PTN_IN_ACCOUNT)
		value = option_of_entry(places->account, key, "account", from);
	if (value == NULL && (option->places & PTN_IN_DOMAIN))
		value = option_of_entry(places->domain, key, "domain", from);
	if (value == NULL && (option->places & PTN_IN_CUSTOMER))
		value = option_of_entry(places->customer, key, "customer", from);
	if (value == NULL && (option->places & PTN_IN_LEVEL) && places->customer != NULL)
		value = option_of_level(config, directory_entry_get(places->customer, "level"), key, from);
	if (value != NULL)
		return value;
	if (!(option->places & PTN_IN_SERVER)) {
		if (from != NULL)
			*from = g_strdup("preset");
		return option->preset;
	}
	if (from != NULL)
		*from = g_strdup(config_is_set(section, option->name) ? config_where(section, option->name) : "preset");
	return config_text(section, option->name);
}
