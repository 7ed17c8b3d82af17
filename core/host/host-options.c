/* host-options.c - options of plugins in the entries of the directory: names, checks, origins; and commands. */
#include <string.h>

#include "base/error.h"
#include "host/host-private.h"

static Instance *
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

bool
host_enforces(PluginSet *set, const char *name)
{
	const Instance *instance = host_find(set, name, strlen(name));

	return instance != NULL && instance->core.mode == HOOK_ENFORCES;
}

/* ---- commands ---- */

static const PtnCommand *
host_find_command(const Instance *instance, const char *verb)
{
	for (const PtnCommand *command = instance->plugin->commands; command != NULL && command->verb != NULL;
		 command++)
		if (verb != NULL && strcmp(command->verb, verb) == 0)
			return command;
	return NULL;
}

static bool
host_refuse_command(const Instance *instance, GError **error)
{
	GString *usage = g_string_new(NULL);

	for (const PtnCommand *command = instance->plugin->commands; command != NULL && command->verb != NULL;
		 command++)
		g_string_append_printf(usage, "\n  %s %s %s - %s", instance->plugin->name, command->verb,
			command->arguments != NULL ? command->arguments : "", command->help != NULL ? command->help : "");
	error_set(error, POSTERN_ERROR_INVALID, usage->len > 0 ? "%s knows:%s" : "%s has no commands%s",
		instance->plugin->name, usage->str);
	g_string_free(usage, TRUE);
	return false;
}

/* As many as its arguments have words, of alternatives between " | " the most; with "…" any. */
static guint
host_most_words(const PtnCommand *command)
{
	g_auto(GStrv) ways = g_strsplit(command->arguments != NULL ? command->arguments : "", " | ", -1);
	guint most = 0;

	if (command->arguments != NULL && strstr(command->arguments, "…") != NULL)
		return G_MAXUINT;
	for (char **way = ways; *way != NULL; way++) {
		g_auto(GStrv) words = g_strsplit(*way, " ", -1);

		most = MAX(most, **way != '\0' ? g_strv_length(words) : 0);
	}
	return most;
}

bool
host_command_changes(PluginSet *set, const char *plugin, const char *verb)
{
	const Instance *instance = host_find(set, plugin, strlen(plugin));
	const PtnCommand *command = instance != NULL ? host_find_command(instance, verb) : NULL;

	return command != NULL && !command->reads_only;
}

bool
host_command(PluginSet *set, const char *plugin, const char *const *words, Actor *actor, HostRow *row, void *data,
	GError **error)
{
	g_autoptr(Region) region = region_new();
	Instance *instance = host_find(set, plugin, strlen(plugin));
	const PtnCommand *command = instance != NULL ? host_find_command(instance, words[0]) : NULL;
	HookCall call = { .region = region, .may_wait = true };
	PtnHook h = {
		.call = &call,
		.instance = instance,
		.set = set,
		.actor = actor,
		.row = row,
		.row_data = data,
		.purpose = "command"
	};

	if (instance == NULL)
		return error_set(error, POSTERN_ERROR_NOT_FOUND,
			"there is no command \"%s\", and no plugin of that name is loaded", plugin);
	if (command == NULL)
		return host_refuse_command(instance, error);
	if (g_strv_length((char **)(uintptr_t)(words + 1)) > host_most_words(command))
		return error_set(error, POSTERN_ERROR_INVALID, "too many words: %s %s takes %s; nothing was done", plugin,
			command->verb, host_most_words(command) > 0 ? command->arguments : "none");
	call.deadline_us = g_get_monotonic_time() + instance->core.deadline_us;
	h.arguments = words + 1;
	if (call_prepared(&h, command->function) == PTN_FAILED)
		return error_set(
			error, POSTERN_ERROR_UNAVAILABLE, "%s", call.failure != NULL ? call.failure : "it failed");
	return true;
}

void
host_each_command(
	PluginSet *set, void (*each)(void *data, const PtnPlugin *plugin, const PtnCommand *command), void *data)
{
	for (guint i = 0; i < set->instances->len; i++) {
		const PtnPlugin *plugin = ((const Instance *)g_ptr_array_index(set->instances, i))->plugin;

		for (const PtnCommand *command = plugin->commands; command != NULL && command->verb != NULL; command++)
			each(data, plugin, command);
	}
}
