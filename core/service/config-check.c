/* config-check.c - the checks of a configuration: what the reader found, against the tables of options.
 *
 * Every mistake is named and the rest still checked, so that one run of posternd -t shows them all. */
#include <string.h>

#include "base/error.h"
#include "service/config-private.h"
#include "service/config-read.h"

enum { CONFIG_FILE_MAX = 16 * 1024 * 1024 };

/* While loading. */
typedef struct {
	const ConfigKind *kinds;
	GPtrArray *mistakes;
	const char *name; /* of the main file */
	GPtrArray *texts;
	Config *config;
} Loader;

static ConfigSection *
config_section_new(const ConfigKind *kind, const char *name, const char *where)
{
	ConfigSection *section = g_new0(ConfigSection, 1);

	section->kind = g_strdup(kind->kind);
	section->name = g_strdup(name);
	section->where = g_strdup(where);
	section->options = kind->options;
	section->is_more_taken = kind->takes_more;
	section->entries = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, config_entry_free);
	section->more = g_ptr_array_new_with_free_func(g_free);
	return section;
}

/* The kind that the heading `title` names, the one with the longest name first; `name` gets what is behind it. */
static const ConfigKind *
config_find_kind(const ConfigKind *kinds, const char *title, const char **name)
{
	const ConfigKind *found = NULL;

	*name = NULL;
	for (const ConfigKind *kind = kinds; kind->kind != NULL; kind++) {
		const size_t length = strlen(kind->kind);
		const bool is_item = length > 0 && kind->kind[length - 1] == '/';

		if (strncmp(title, kind->kind, length) != 0 || (found != NULL && strlen(found->kind) > length))
			continue;
		if (title[length] == '\0' && !is_item && kind->naming != CONFIG_NAMED) {
			*name = NULL;
			return kind;
		}
		if (kind->naming == CONFIG_ONCE || (!is_item && title[length] != ' ') || title[length] == '\0')
			continue;
		found = kind;
		*name = title + length + !is_item;
	}
	return found;
}

static void G_GNUC_PRINTF(2, 3) config_complain(Loader *loader, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	g_ptr_array_add(loader->mistakes, g_strdup_vprintf(format, arguments));
	va_end(arguments);
}

static void
config_complain_section(Loader *loader, const ConfigText *text)
{
	g_autoptr(GPtrArray) known = g_ptr_array_new();
	const char *nearest, *blank = strchr(text->title, ' ');

	for (const ConfigKind *kind = loader->kinds; kind->kind != NULL; kind++) {
		if (blank == NULL && strcmp(kind->kind, text->title) == 0) {
			config_complain(loader, "%s: [%s] needs a name: [%s NAME]", text->where, text->title, text->title);
			return;
		}
		if (blank != NULL && kind->naming == CONFIG_ONCE &&
			strncmp(kind->kind, text->title, strlen(kind->kind)) == 0 && text->title[strlen(kind->kind)] == ' ') {
			config_complain(loader, "%s: [%s] takes no name: [%s]", text->where, text->title, kind->kind);
			return;
		}
		g_ptr_array_add(known, (void *)(uintptr_t)kind->kind);
	}
	g_ptr_array_add(known, NULL);
	nearest = option_nearest(text->title, (const char *const *)known->pdata);
	if (nearest == NULL && blank != NULL) {
		g_autofree char *word = g_strndup(text->title, (size_t)(blank - text->title));

		nearest = option_nearest(word, (const char *const *)known->pdata);
	}
	if (nearest != NULL)
		config_complain(
			loader, "%s: [%s]: no such section (did you mean \"%s\"?)", text->where, text->title, nearest);
	else
		config_complain(loader, "%s: [%s]: no such section", text->where, text->title);
}

static void
config_complain_key(Loader *loader, const ConfigSection *section, const char *title, const ConfigKey *key)
{
	g_autoptr(GPtrArray) known = g_ptr_array_new();
	const char *nearest;

	for (const PtnOption *option = config_option_rows(section); option->name != NULL; option++)
		if (config_may_be_set(section, option))
			g_ptr_array_add(known, (void *)(uintptr_t)option->name);
	g_ptr_array_add(known, NULL);
	nearest = option_nearest(key->key, (const char *const *)known->pdata);
	if (nearest != NULL)
		config_complain(
			loader, "%s: [%s] %s: no such option (did you mean \"%s\"?)", key->where, title, key->key, nearest);
	else if (option_find(section->options, key->key) != NULL)
		config_complain(loader, "%s: [%s] %s: cannot be set in this section", key->where, title, key->key);
	else
		config_complain(loader, "%s: [%s] %s: no such option", key->where, title, key->key);
}

static void
config_add_entry(ConfigSection *section, const PtnOption *option, const ConfigKey *key, OptionValue *value)
{
	ConfigEntry *entry = g_new0(ConfigEntry, 1);

	entry->option = option;
	entry->value = value;
	entry->raw = g_strdup(key->value);
	entry->where = g_strdup(key->where);
	g_hash_table_replace(section->entries, g_strdup(key->key), entry);
}

/* New; NULL with the sentence.  What is in a file is not repeated: whoever may ask for a reload would read it. */
static OptionValue *
config_read_value(const PtnOption *option, const ConfigKey *key, GError **error)
{
	g_autofree char *text = option_expand(key->value, error);
	OptionValue *value;

	if (text == NULL)
		return NULL;
	if (option == NULL) { /* checked by whoever knows the row */
		value = g_new0(OptionValue, 1);
		value->text = g_steal_pointer(&text);
		return value;
	}
	value = option_parse(option, text, option_is_reference(key->value) ? NULL : error);
	if (value == NULL && option_is_reference(key->value)) {
		g_autofree char *wanted = option_describe_type(option);

		(void)error_set(error, POSTERN_ERROR_INVALID, "the first line of %s is not a valid value (%s)",
			key->value + 1, wanted);
	}
	return value;
}

static void
config_check_key(Loader *loader, ConfigSection *section, const char *title, const ConfigKey *key)
{
	const PtnOption *option = option_find(section->options, key->key);
	g_autoptr(GError) error = NULL;
	OptionValue *value;

	if (option == NULL ? !section->is_more_taken : !config_may_be_set(section, option)) {
		config_complain_key(loader, section, title, key);
		return;
	}
	value = config_read_value(option, key, &error);
	if (value == NULL) {
		config_complain(loader, "%s: [%s] %s: %s", key->where, title, key->key, error->message);
		return;
	}
	if (option == NULL && !g_hash_table_contains(section->entries, key->key))
		g_ptr_array_add(section->more, g_strdup(key->key));
	config_add_entry(section, option, key, value);
}

static bool
config_is_given(const ConfigText *text, const char *name)
{
	for (guint i = 0; text != NULL && i < text->keys->len; i++)
		if (strcmp(((const ConfigKey *)g_ptr_array_index(text->keys, i))->key, name) == 0)
			return true;
	return false;
}

/* What the file leaves out; `text` NULL: all of it. */
static void
config_add_presets(Loader *loader, ConfigSection *section, const char *title, const ConfigText *text)
{
	for (const PtnOption *option = config_option_rows(section); option->name != NULL; option++) {
		g_autoptr(GError) error = NULL;
		ConfigEntry *entry;

		if (!config_may_be_set(section, option) || config_is_given(text, option->name))
			continue;
		if (option->is_required && option->preset == NULL && (text == NULL || !text->is_repeated))
			config_complain(
				loader, "%s: [%s] %s: must be given (%s)", section->where, title, option->name, option->help);
		entry = g_new0(ConfigEntry, 1);
		entry->option = option;
		entry->value =
			option->preset != NULL ? option_parse(option, option->preset, &error) : g_new0(OptionValue, 1);
		if (entry->value == NULL) {
			config_complain(
				loader, "%s: [%s] %s: the preset: %s", section->where, title, option->name, error->message);
			entry->value = g_new0(OptionValue, 1);
		}
		g_hash_table_replace(section->entries, g_strdup(option->name), entry);
	}
}

static void
config_file_section(Config *config, ConfigSection *section)
{
	GPtrArray *same = g_hash_table_lookup(config->by_kind, section->kind);

	g_ptr_array_add(section->more, NULL);
	g_ptr_array_add(config->sections, section);
	g_hash_table_replace(config->by_title, config_title(section->kind, section->name), section);
	g_ptr_array_add(same, section);
}

static void
config_check_section(Loader *loader, const ConfigText *text)
{
	const char *name;
	const ConfigKind *kind = config_find_kind(loader->kinds, text->title, &name);
	ConfigSection *section;

	if (kind == NULL) {
		config_complain_section(loader, text);
		return;
	}
	if (kind->why_not != NULL) {
		config_complain(loader, "%s: [%s]: %s", text->where, text->title, kind->why_not);
		return;
	}
	section = config_section_new(kind, name, text->where);
	for (guint i = 0; i < text->keys->len; i++)
		config_check_key(loader, section, text->title, g_ptr_array_index(text->keys, i));
	config_add_presets(loader, section, text->title, text);
	config_file_section(loader->config, section);
}

static Config *
config_check(Loader *loader)
{
	g_autoptr(Config) config = g_new0(Config, 1);

	g_atomic_ref_count_init(&config->references);
	config->sections = g_ptr_array_new_with_free_func(config_section_free);
	config->by_title = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	config->by_kind = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_ptr_array_unref);
	config->none = g_ptr_array_new();
	loader->config = config;
	for (const ConfigKind *kind = loader->kinds; kind->kind != NULL; kind++)
		g_hash_table_replace(config->by_kind, g_strdup(kind->kind), g_ptr_array_new());
	for (guint i = 0; i < loader->texts->len; i++)
		config_check_section(loader, g_ptr_array_index(loader->texts, i));
	for (const ConfigKind *kind = loader->kinds; kind->kind != NULL; kind++) {
		ConfigSection *section;

		if (kind->naming != CONFIG_ONCE || kind->why_not != NULL ||
			g_hash_table_contains(config->by_title, kind->kind))
			continue;
		section = config_section_new(kind, NULL, loader->name);
		config_add_presets(loader, section, kind->kind, NULL);
		config_file_section(config, section);
	}
	return loader->mistakes->len == 0 ? g_steal_pointer(&config) : NULL;
}

static void
config_read_file(Loader *loader, const char *path, const char *name)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *text = NULL;
	size_t size;

	if (!g_file_get_contents(path, &text, &size, &error))
		config_complain(loader, "%s: %s", name, error->message);
	else if (size > CONFIG_FILE_MAX)
		config_complain(loader, "%s: is larger than 16 MiB", name);
	else
		config_read(text, size, name, loader->texts, loader->mistakes);
}

static int
config_compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

GPtrArray *
config_files(const char *path, GError **error)
{
	g_autofree char *parent = g_path_get_dirname(path);
	g_autofree char *directory = g_build_filename(parent, "conf.d", NULL);
	g_autoptr(GPtrArray) files = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GError) why = NULL;
	GDir *dir = g_dir_open(directory, 0, &why);
	const char *name;

	if (dir == NULL && !g_error_matches(why, G_FILE_ERROR, G_FILE_ERROR_NOENT)) {
		g_propagate_error(error, g_steal_pointer(&why));
		return NULL;
	}
	while (dir != NULL && (name = g_dir_read_name(dir)) != NULL)
		if (g_str_has_suffix(name, ".conf") && *name != '.')
			g_ptr_array_add(files, g_build_filename(directory, name, NULL));
	if (dir != NULL)
		g_dir_close(dir);
	g_ptr_array_sort(files, config_compare_names);
	g_ptr_array_insert(files, 0, g_strdup(path));
	return g_steal_pointer(&files);
}

static void
config_read_directory(Loader *loader, const char *path)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) files = config_files(path, &error);

	if (files == NULL)
		config_complain(loader, "conf.d: %s", error->message);
	for (guint i = 1; files != NULL && i < files->len; i++) {
		g_autofree char *name = g_path_get_basename(g_ptr_array_index(files, i));
		g_autofree char *shown = g_build_filename("conf.d", name, NULL);

		config_read_file(loader, g_ptr_array_index(files, i), shown);
	}
}

Config *
config_load(const char *path, const ConfigKind *kinds, GPtrArray *mistakes)
{
	g_autoptr(GPtrArray) texts = config_text_new();
	g_autofree char *name = path != NULL ? g_path_get_basename(path) : g_strdup("presets");
	Loader loader = { .kinds = kinds, .mistakes = mistakes, .name = name, .texts = texts };

	if (path != NULL) {
		config_read_file(&loader, path, name);
		if (mistakes->len == 0 || texts->len > 0)
			config_read_directory(&loader, path);
	}
	return config_check(&loader);
}

Config *
config_parse(const char *text, const char *name, const ConfigKind *kinds, GPtrArray *mistakes)
{
	g_autoptr(GPtrArray) texts = config_text_new();
	Loader loader = { .kinds = kinds, .mistakes = mistakes, .name = name, .texts = texts };

	config_read(text, strlen(text), name, texts, mistakes);
	return config_check(&loader);
}
