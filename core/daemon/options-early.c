/* options-early.c - what a file says of single options, before it is checked: the list of plugins, whose options are not known
 * yet, and what posternctl needs, which loads no plugins. */
#include <string.h>

#include "daemon/options.h"
#include "service/config-read.h"

static const char *
options_raw(const GPtrArray *sections, const char *kind, const char *key)
{
	for (guint i = 0; i < sections->len; i++) {
		const ConfigText *section = g_ptr_array_index(sections, i);

		for (guint k = 0; strcmp(section->title, kind) == 0 && k < section->keys->len; k++) {
			const ConfigKey *found = g_ptr_array_index(section->keys, k);

			if (strcmp(found->key, key) == 0)
				return found->value;
		}
	}
	return NULL;
}

static char *
options_value(const GPtrArray *sections, const char *kind, const char *key)
{
	const char *raw = options_raw(sections, kind, key);

	return g_strdup(raw != NULL ? raw : option_find(options_of_core(kind), key)->preset);
}

GPtrArray *
options_texts(const char *root, const char *path)
{
	g_autoptr(GPtrArray) sections = config_text_new();
	g_autoptr(GPtrArray) mistakes = g_ptr_array_new_with_free_func(g_free);
	g_autofree char *rooted = path != NULL ? g_strconcat(root, path, NULL) : NULL;
	g_autoptr(GPtrArray) files = rooted != NULL ? config_files(rooted, NULL) : NULL;

	for (guint i = 0; files != NULL && i < files->len; i++) {
		g_autofree char *text = NULL;
		gsize size;

		if (g_file_get_contents(g_ptr_array_index(files, i), &text, &size, NULL))
			config_read(text, size, g_ptr_array_index(files, i), sections, mistakes);
	}
	return g_steal_pointer(&sections);
}

char *
options_of_texts(const GPtrArray *sections, const char *root, const char *kind, const char *name)
{
	g_autofree char *value = options_value(sections, kind, name);
	g_autofree char *rooted = NULL;

	if (value != NULL && option_is_reference(value))
		rooted = g_strdup_printf("@%s%s", root, value + 1);
	return value != NULL ? option_expand(rooted != NULL ? rooted : value, NULL) : NULL;
}

/* Mistakes of the files are found when they are checked as a whole. */
char **
options_plugins(const char *path, char **directory)
{
	g_autoptr(GPtrArray) sections = options_texts("", path);
	g_autofree char *raw = NULL;
	g_autofree char *plugins = NULL;
	g_autoptr(OptionValue) list = NULL;

	*directory = options_value(sections, "server", "plugin-directory");
	raw = options_value(sections, "server", "plugins");
	plugins = option_expand(raw, NULL);
	list = plugins != NULL ? option_parse(option_find(options_of_core("server"), "plugins"), plugins, NULL) : NULL;
	return list != NULL ? g_strdupv(list->list) : g_new0(char *, 1);
}

/* ---- for posternctl, which reads no plugins ---- */

static char *
options_core_value(const char *path, const char *kind, const char *name)
{
	g_autoptr(GPtrArray) sections = options_texts("", path);

	return options_of_texts(sections, "", kind, name);
}

char *
options_control(const char *path)
{
	return options_core_value(path, "server", "control");
}

char *
options_spool(const char *path)
{
	return options_core_value(path, "spool", "directory");
}

char *
options_of_store(const char *path, const char *section, const char *name)
{
	return options_core_value(path, section, name);
}
