/* host-check.c - what a configuration says of plugins: values of levels by their rows, all values by the plugins. */
#include <string.h>

#include "host/host-private.h"

typedef struct {
	GPtrArray *instances; /* of Instance*, not started, in the order of the rows */
	const Config *config;
	GPtrArray *mistakes;
} Check;

static void G_GNUC_PRINTF(5, 6) check_complain(const Check *check, const ConfigSection *section, const char *title,
	const char *option, const char *format, ...)
{
	g_autofree char *text = NULL;
	g_autofree char *shown = NULL;
	va_list arguments;

	va_start(arguments, format);
	text = g_strdup_vprintf(format, arguments);
	va_end(arguments);
	shown = config_complaint(section, option, text);
	g_ptr_array_add(
		check->mistakes, g_strdup_printf("%s: [%s] %s: %s", config_where(section, option), title, option, shown));
}

/* ---- [plugin NAME], [plugin NAME/ITEM] ---- */

static void
check_section(
	const Check *check, Instance *instance, const ConfigSection *section, const char *title, unsigned place)
{
	const OptionPlaces nobody = { 0 };

	for (const PtnOption *option = instance->plugin->options; option != NULL && option->name != NULL; option++) {
		g_autofree char *complaint = NULL;

		if ((option->places & place) == 0 || !config_is_set(section, option->name))
			continue;
		complaint = instance_complaint(instance, option, &nobody, config_text(section, option->name));
		if (complaint != NULL)
			check_complain(check, section, title, option->name, "%s", complaint);
	}
}

static void
check_plugin(const Check *check, Instance *instance)
{
	g_autofree char *own = g_strdup_printf("plugin %s", instance->plugin->name);
	g_autofree char *kind = g_strdup_printf("plugin %s/", instance->plugin->name);
	const GPtrArray *items = config_sections(check->config, kind);

	check_section(check, instance, config_section(check->config, own, NULL), own, PTN_IN_SERVER);
	for (guint i = 0; i < items->len; i++) {
		const ConfigSection *section = g_ptr_array_index(items, i);
		g_autofree char *title = g_strconcat(kind, config_section_name(section), NULL);

		check_section(check, instance, section, title, PTN_IN_ITEM);
	}
}

/* ---- [level NAME] ---- */

static Instance *
check_find(const Check *check, const char *key, size_t size)
{
	for (guint i = 0; i < check->instances->len; i++) {
		Instance *instance = g_ptr_array_index(check->instances, i);
		const char *name = instance->plugin->name;

		if (strlen(name) == size && strncmp(name, key, size) == 0)
			return instance;
	}
	return NULL;
}

static const char *
check_nearest_of_level(const Check *check, const char *key)
{
	g_autoptr(GPtrArray) known = g_ptr_array_new();

	g_ptr_array_add(known, (void *)(uintptr_t) "like");
	for (guint i = 0; i < check->instances->len; i++) {
		const PtnPlugin *plugin = ((const Instance *)g_ptr_array_index(check->instances, i))->plugin;

		for (const PtnOption *option = plugin->options; option != NULL && option->name != NULL; option++) {
			g_autofree char *full = g_strdup_printf("%s.%s", plugin->name, option->name);

			if (option->places & PTN_IN_LEVEL)
				g_ptr_array_add(known, (void *)(uintptr_t)g_intern_string(full));
		}
	}
	g_ptr_array_add(known, NULL);
	return option_nearest(key, (const char *const *)known->pdata);
}

static void
check_complain_key(const Check *check, const ConfigSection *level, const char *title, const char *key)
{
	const char *nearest = check_nearest_of_level(check, key), *dot = strchr(key, '.');
	const Instance *instance = dot != NULL ? check_find(check, key, (size_t)(dot - key)) : NULL;

	if (instance != NULL && instance_option(instance, dot + 1, false) != NULL)
		check_complain(check, level, title, key, "cannot be set in a level");
	else if (nearest != NULL)
		check_complain(check, level, title, key, "no such option (did you mean \"%s\"?)", nearest);
	else if (dot != NULL && instance == NULL)
		check_complain(
			check, level, title, key, "plugin %.*s is not loaded ([server] plugins)", (int)(dot - key), key);
	else
		check_complain(check, level, title, key, "no such option");
}

static void
check_level_key(const Check *check, const ConfigSection *level, const char *title, const char *key)
{
	const char *dot = strchr(key, '.'), *value = config_text(level, key);
	Instance *instance = dot != NULL ? check_find(check, key, (size_t)(dot - key)) : NULL;
	const PtnOption *option = instance != NULL ? instance_option(instance, dot + 1, false) : NULL;
	const OptionPlaces nobody = { 0 };
	g_autoptr(GError) error = NULL;
	g_autoptr(OptionValue) parsed = NULL;
	g_autofree char *complaint = NULL;

	if (option == NULL || (option->places & PTN_IN_LEVEL) == 0) {
		check_complain_key(check, level, title, key);
		return;
	}
	parsed = option_parse(option, value, &error);
	if (parsed != NULL)
		complaint = instance_complaint(instance, option, &nobody, parsed->text);
	if (parsed == NULL || complaint != NULL)
		check_complain(check, level, title, key, "%s", parsed == NULL ? error->message : complaint);
}

static void
check_level(const Check *check, const ConfigSection *level)
{
	g_autofree char *title = g_strdup_printf("level %s", config_section_name(level));
	const char *like = config_text(level, "like");

	if (like != NULL && config_section(check->config, "level", like) == NULL)
		check_complain(check, level, title, "like", "there is no [level %s]", like);
	for (const char *const *key = config_more(level); *key != NULL; key++)
		check_level_key(check, level, title, *key);
}

void
host_check_config(const GPtrArray *rows, Config *config, GPtrArray *mistakes)
{
	static const HostServices none = { 0 };
	g_autoptr(GPtrArray) instances = g_ptr_array_new_with_free_func(instance_unref);
	const Check check = { instances, config, mistakes };
	const GPtrArray *levels = config_sections(config, "level");

	for (guint i = 0; i < rows->len; i++) {
		g_ptr_array_add(instances, instance_new(&none, g_ptr_array_index(rows, i), config, i));
		check_plugin(&check, g_ptr_array_index(instances, i));
	}
	for (guint i = 0; i < levels->len; i++)
		check_level(&check, g_ptr_array_index(levels, i));
}
