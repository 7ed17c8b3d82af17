/* config.c - a checked configuration, to be read and printed. */
#include "base/wipe.h"
#include "service/config.h"

#include <string.h>

#include "service/config-private.h"

void
config_entry_free(void *data)
{
	ConfigEntry *entry = data;

	option_value_free(entry->value);
	wipe_free_text(entry->raw);
	g_free(entry->where);
	g_free(entry);
}

void
config_section_free(void *data)
{
	ConfigSection *section = data;

	g_free(section->kind);
	g_free(section->name);
	g_free(section->where);
	g_hash_table_unref(section->entries);
	g_ptr_array_unref(section->more);
	g_free(section);
}

char *
config_title(const char *kind, const char *name)
{
	const bool is_item = g_str_has_suffix(kind, "/");

	return name == NULL ? g_strdup(kind) : g_strdup_printf("%s%s%s", kind, is_item ? "" : " ", name);
}

const PtnOption *
config_option_rows(const ConfigSection *section)
{
	static const PtnOption none[] = { { .name = NULL } };

	return section->options != NULL ? section->options : none;
}

bool
config_may_be_set(const ConfigSection *section, const PtnOption *option)
{
	if (!g_str_has_prefix(section->kind, "plugin ") || option->places == 0)
		return true;
	return (option->places & (g_str_has_suffix(section->kind, "/") ? PTN_IN_ITEM : PTN_IN_SERVER)) != 0;
}

void
config_keep_tables(Config *config, GPtrArray *tables)
{
	config->tables = g_ptr_array_ref(tables);
}

const GPtrArray *
config_tables(const Config *config)
{
	return config->tables;
}

Config *
config_ref(Config *config)
{
	g_atomic_ref_count_inc(&config->references);
	return config;
}

void
config_unref(Config *config)
{
	if (config == NULL || !g_atomic_ref_count_dec(&config->references))
		return;
	g_hash_table_unref(config->by_title);
	g_hash_table_unref(config->by_kind);
	g_ptr_array_unref(config->sections);
	g_ptr_array_unref(config->none);
	g_clear_pointer(&config->tables, g_ptr_array_unref);
	g_free(config);
}

const ConfigSection *
config_section(const Config *config, const char *kind, const char *name)
{
	g_autofree char *title = config_title(kind, name);

	return g_hash_table_lookup(config->by_title, title);
}

const GPtrArray *
config_sections(const Config *config, const char *kind)
{
	const GPtrArray *sections = g_hash_table_lookup(config->by_kind, kind);

	return sections != NULL ? sections : config->none;
}

const char *
config_section_name(const ConfigSection *section)
{
	return section->name;
}

static const ConfigEntry *
config_entry(const ConfigSection *section, const char *option)
{
	const ConfigEntry *entry = g_hash_table_lookup(section->entries, option);

	if (entry == NULL)
		g_error("[%s] has no option \"%s\"", section->kind, option);
	return entry;
}

const char *
config_text(const ConfigSection *section, const char *option)
{
	if (section->is_more_taken && !g_hash_table_contains(section->entries, option))
		return NULL;
	return config_entry(section, option)->value->text;
}

int64_t
config_number(const ConfigSection *section, const char *option)
{
	return config_entry(section, option)->value->number;
}

int64_t
config_number_most(const ConfigSection *section, const char *option)
{
	return config_entry(section, option)->value->number_most;
}

bool
config_bool(const ConfigSection *section, const char *option)
{
	return config_number(section, option) != 0;
}

const char *const *
config_list(const ConfigSection *section, const char *option)
{
	static const char *const none[] = { NULL };
	char **list = config_entry(section, option)->value->list;

	return list != NULL ? (const char *const *)list : none;
}

bool
config_is_set(const ConfigSection *section, const char *option)
{
	const ConfigEntry *entry = g_hash_table_lookup(section->entries, option);

	return entry != NULL && entry->where != NULL;
}

const char *
config_where(const ConfigSection *section, const char *option)
{
	const ConfigEntry *entry = option != NULL ? g_hash_table_lookup(section->entries, option) : NULL;

	return entry != NULL && entry->where != NULL ? entry->where : section->where;
}

const char *
config_file_of(const ConfigSection *section, const char *option)
{
	const ConfigEntry *entry = option != NULL ? g_hash_table_lookup(section->entries, option) : NULL;

	return entry != NULL && entry->raw != NULL && option_is_reference(entry->raw) ? entry->raw + 1 : NULL;
}

char *
config_complaint(const ConfigSection *section, const char *option, const char *text)
{
	const char *file = config_file_of(section, option);

	return file != NULL ? g_strdup_printf("the first line of %s is not a valid value", file) : g_strdup(text);
}

const char *const *
config_more(const ConfigSection *section)
{
	return (const char *const *)section->more->pdata;
}

static bool
config_values_equal(const ConfigEntry *a, const ConfigEntry *b)
{
	return a != NULL && b != NULL && g_strcmp0(a->value->text, b->value->text) == 0;
}

static bool
config_sections_equal(const ConfigSection *a, const ConfigSection *b)
{
	GHashTableIter iter;
	void *key, *entry;

	if (g_strcmp0(a->name, b->name) != 0 || g_hash_table_size(a->entries) != g_hash_table_size(b->entries))
		return false;
	g_hash_table_iter_init(&iter, a->entries);
	while (g_hash_table_iter_next(&iter, &key, &entry))
		if (!config_values_equal(entry, g_hash_table_lookup(b->entries, key)))
			return false;
	return true;
}

bool
config_same(const Config *a, const Config *b, const char *kind)
{
	const GPtrArray *of_a = config_sections(a, kind);
	const GPtrArray *of_b = config_sections(b, kind);

	if (of_a->len != of_b->len)
		return false;
	for (guint i = 0; i < of_a->len; i++)
		if (!config_sections_equal(g_ptr_array_index(of_a, i), g_ptr_array_index(of_b, i)))
			return false;
	return true;
}

/* Of sections that both have: one that came or went is made or closed at once. */
static void
config_add_waiting(GPtrArray *waiting, const ConfigSection *running, const ConfigSection *now)
{
	const char *name = now->name;

	for (const PtnOption *option = config_option_rows(now); option->name != NULL; option++) {
		const ConfigEntry *before = g_hash_table_lookup(running->entries, option->name);
		const ConfigEntry *after = g_hash_table_lookup(now->entries, option->name);

		if (option->needs_restart && before != after && !config_values_equal(before, after))
			g_ptr_array_add(waiting, g_strdup_printf("[%s%s%s] %s", now->kind, name != NULL ? " " : "",
										 name != NULL ? name : "", option->name));
	}
}

GPtrArray *
config_waiting_for_restart(const Config *running, const Config *now)
{
	GPtrArray *waiting = g_ptr_array_new_with_free_func(g_free);

	for (guint i = 0; i < now->sections->len; i++) {
		const ConfigSection *section = g_ptr_array_index(now->sections, i);
		const ConfigSection *before = config_section(running, section->kind, section->name);

		if (before != NULL)
			config_add_waiting(waiting, before, section);
	}
	return waiting;
}

/* A value that the reader would misread is quoted. */
static void
config_print_value(GString *text, const char *value)
{
	const bool is_plain = *value != '"' && *value != '#' && strstr(value, " #") == NULL &&
						  strstr(value, "\t#") == NULL && !g_ascii_isspace(*value) &&
						  (*value == '\0' || !g_ascii_isspace(value[strlen(value) - 1]));

	if (is_plain) {
		g_string_append(text, value);
		return;
	}
	g_string_append_c(text, '"');
	for (; *value != '\0'; value++)
		g_string_append_printf(text, "%s%c", *value == '"' || *value == '\\' ? "\\" : "", *value);
	g_string_append_c(text, '"');
}

/* Set by the file, and not for everybody's eyes. */
static bool
config_is_hidden(const ConfigEntry *entry)
{
	const bool is_secret = entry->option != NULL && (entry->option->type & ~(unsigned)PTN_LIST) == PTN_SECRET;

	return entry->where != NULL && entry->value->text != NULL && *entry->value->text != '\0' &&
		   (is_secret || option_is_reference(entry->raw));
}

char *
config_hide(const Config *config, const char *kind, char *text)
{
	const GPtrArray *sections = config_sections(config, kind);
	GString *shown = g_string_new(text);

	g_free(text);
	for (guint i = 0; i < sections->len; i++) {
		const ConfigSection *section = g_ptr_array_index(sections, i);
		GHashTableIter each;
		gpointer entry;

		g_hash_table_iter_init(&each, section->entries);
		while (g_hash_table_iter_next(&each, NULL, &entry))
			if (config_is_hidden(entry))
				g_string_replace(shown, ((const ConfigEntry *)entry)->value->text, "(hidden)", 0);
	}
	return g_string_free(shown, FALSE);
}

static void
config_print_entry(GString *text, const char *key, const ConfigEntry *entry)
{
	const bool is_set = entry->where != NULL;
	const bool is_secret = entry->option != NULL && (entry->option->type & ~(unsigned)PTN_LIST) == PTN_SECRET;

	if (entry->value->text == NULL) {
		g_string_append_printf(text, "# %s is not set\n", key);
		return;
	}
	g_string_append_printf(text, "%s = ", key);
	if (is_set && option_is_reference(entry->raw))
		g_string_append(text, entry->raw);
	else if (is_secret && *entry->value->text != '\0')
		g_string_append(text, "(hidden)");
	else
		config_print_value(text, entry->value->text);
	g_string_append(text, is_set ? "\n" : " # preset\n");
}

char *
config_print(const Config *config)
{
	GString *text = g_string_new(NULL);

	for (guint i = 0; i < config->sections->len; i++) {
		const ConfigSection *section = g_ptr_array_index(config->sections, i);
		g_autofree char *title = config_title(section->kind, section->name);

		g_string_append_printf(text, "%s[%s]\n", i > 0 ? "\n" : "", title);
		for (const PtnOption *option = config_option_rows(section); option->name != NULL; option++)
			if (config_may_be_set(section, option))
				config_print_entry(text, option->name, g_hash_table_lookup(section->entries, option->name));
		for (guint more = 0; more + 1 < section->more->len; more++) {
			const char *key = g_ptr_array_index(section->more, more);

			config_print_entry(text, key, g_hash_table_lookup(section->entries, key));
		}
	}
	return g_string_free(text, FALSE);
}
