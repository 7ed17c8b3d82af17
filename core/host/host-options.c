/* host-options.c - options of plugins in the entries of the directory: names, checks, origins; and what they mean to the core. */
#include <string.h>

#include "base/error.h"
#include "host/host-private.h"

Instance *
host_find(PluginSet *set, const char *name, size_t size)
{
	for (guint i = 0; i < set->instances->len; i++) {
		Instance *instance = g_ptr_array_index(set->instances, i);

		if (strlen(instance->plugin->name) == size && strncmp(instance->plugin->name, name, size) == 0)
			return instance;
	}
	return NULL;
}

/* "PLUGIN.OPTION" */
static const PtnOption *
host_find_option(PluginSet *set, const char *name, Instance **instance)
{
	const char *dot = strchr(name, '.');

	*instance = dot != NULL ? host_find(set, name, (size_t)(dot - name)) : NULL;
	return *instance != NULL ? instance_option(*instance, dot + 1, false) : NULL;
}

bool
host_option_of(PluginSet *set, const char *name, const OptionPlaces *places, char **value, char **from)
{
	Instance *instance;
	const PtnOption *option = host_find_option(set, name, &instance);

	if (option == NULL)
		return false;
	*value = g_strdup(option_text_for(set->config, instance, option, places, from));
	return true;
}

bool
host_show_option(PluginSet *set, const char *name, const OptionPlaces *places, char **value, char **from)
{
	g_autofree char *kind = NULL;
	Instance *instance;

	if (host_find_option(set, name, &instance) == NULL || !host_option_of(set, name, places, value, from))
		return false;
	if (*value == NULL || g_strcmp0(*from, "account") == 0 || g_strcmp0(*from, "domain") == 0 ||
		g_strcmp0(*from, "customer") == 0)
		return true;
	kind = g_strdup_printf("plugin %s", instance->plugin->name);
	*value = config_hide(set->config, "level", config_hide(set->config, kind, *value));
	return true;
}

unsigned
host_option_type(PluginSet *set, const char *name)
{
	Instance *instance;
	const PtnOption *option = host_find_option(set, name, &instance);

	return option != NULL ? option->type : 0;
}

bool
host_option_is_secret(PluginSet *set, const char *name)
{
	return (host_option_type(set, name) & ~(unsigned)PTN_LIST) == PTN_SECRET;
}

char *
host_hide(PluginSet *set, char *text)
{
	static const char *const kinds[] = { "server", "directory", "store", "delivery", "route", "level" };

	for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++)
		text = config_hide(set->config, kinds[i], text);
	for (guint i = 0; i < set->instances->len; i++) {
		const Instance *instance = g_ptr_array_index(set->instances, i);
		g_autofree char *own = g_strdup_printf("plugin %s", instance->plugin->name);
		g_autofree char *items = g_strconcat(own, "/", NULL);

		text = config_hide(set->config, items, config_hide(set->config, own, text));
	}
	return text;
}

static unsigned
host_place_of(PtnKind kind)
{
	switch (kind) {
	case PTN_CUSTOMER:
		return PTN_IN_CUSTOMER;
	case PTN_DOMAIN:
		return PTN_IN_DOMAIN;
	case PTN_ACCOUNT:
		return PTN_IN_ACCOUNT;
	case PTN_RECIPIENT:
		break; /* has no options of plugins */
	}
	return 0;
}

GPtrArray *
host_option_names(PluginSet *set, PtnKind kind)
{
	GPtrArray *names = g_ptr_array_new_with_free_func(g_free);

	for (guint i = 0; i < set->instances->len; i++) {
		const Instance *instance = g_ptr_array_index(set->instances, i);

		for (const PtnOption *option = instance->plugin->options; option != NULL && option->name != NULL; option++)
			if (option->places & host_place_of(kind))
				g_ptr_array_add(names, g_strdup_printf("%s.%s", instance->plugin->name, option->name));
	}
	return names;
}

char *
host_canonical_value(PluginSet *set, const char *name, PtnKind kind, const char *value, GError **error)
{
	Instance *instance;
	const PtnOption *option = host_find_option(set, name, &instance);
	g_autoptr(OptionValue) parsed = NULL;

	if (option == NULL || !(option->places & host_place_of(kind)))
		(void)error_set(
			error, POSTERN_ERROR_NOT_FOUND, "there is no option \"%s\" of %s", name, directory_kind_phrase(kind));
	else if (option_is_reference(value))
		(void)error_set(error, POSTERN_ERROR_INVALID,
			"%s: \"%s\": values are read from files in the configuration file only", name, value);
	else if ((parsed = option_parse(option, value, error)) == NULL)
		g_prefix_error(error, "%s: ", name);
	if (parsed == NULL)
		return NULL;
	/* One word for one value, for whoever compares texts. */
	if (option->type == PTN_BOOL)
		return g_strdup(parsed->number != 0 ? "yes" : "no");
	if (option->type == PTN_CHOICE)
		return g_strdup(option->choices[parsed->number]);
	return g_strdup(g_str_is_ascii(value) ? value : parsed->text);
}

bool
host_check_value(PluginSet *set, const char *name, const OptionPlaces *places, const char *value, GError **error)
{
	Instance *instance;
	const PtnOption *option = host_find_option(set, name, &instance);
	g_autofree char *complaint = option != NULL ? instance_complaint(instance, option, places, value) : NULL;

	return complaint == NULL || error_set(error, POSTERN_ERROR_INVALID, "%s: %s", name, complaint);
}

/* ---- what options mean to the core ---- */

static bool
host_means(const PtnPlugin *plugin, PtnMeaning meaning, GPtrArray *names)
{
	bool is_found = false;

	for (const PtnMeaningRow *row = plugin->meanings; row != NULL && row->option != NULL; row++) {
		if (row->meaning != meaning)
			continue;
		is_found = true;
		if (names != NULL)
			g_ptr_array_add(names, g_strdup_printf("%s.%s", plugin->name, row->option));
	}
	return is_found;
}

void
host_each_meaning(const GPtrArray *rows, PtnMeaning meaning,
	void (*each)(void *data, const PtnPlugin *plugin, const PtnMeaningRow *row), void *data)
{
	for (guint i = 0; i < rows->len; i++) {
		const PtnPlugin *plugin = ((const PluginRows *)g_ptr_array_index(rows, i))->plugin;

		for (const PtnMeaningRow *row = plugin->meanings; row != NULL && row->option != NULL; row++)
			if (row->meaning == meaning)
				each(data, plugin, row);
	}
}

GPtrArray *
host_options_that_mean(PluginSet *set, PtnMeaning meaning)
{
	GPtrArray *names = g_ptr_array_new_with_free_func(g_free);

	for (guint i = 0; i < set->instances->len; i++)
		(void)host_means(((const Instance *)g_ptr_array_index(set->instances, i))->plugin, meaning, names);
	return names;
}

bool
host_enforces(PluginSet *set, PtnMeaning meaning)
{
	for (guint i = 0; i < set->instances->len; i++) {
		const Instance *instance = g_ptr_array_index(set->instances, i);

		if (instance->core.mode == HOOK_ENFORCES && host_means(instance->plugin, meaning, NULL))
			return true;
	}
	return false;
}
