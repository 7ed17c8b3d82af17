/* control-import.c - posternctl import: entries of the directory from text.
 *
 * All of it is first done to a copy of the directory in memory: all entries are put there as they would be, then each is checked.  So
 * every mistake is found before anything is written, and what an entry needs may come with it, before or behind it. */
#include <string.h>

#include "base/error.h"
#include "daemon/control-directory.h"
#include "daemon/control.h"
#include "service/config-read.h"

enum { IMPORT_PAGE = 1000, IMPORT_MISTAKES = 1000 };

typedef struct {
	const ConfigText *section;
	PtnKind kind;
	const char *name; /* within the section's title */
	DirectoryEntry *before; /* as the copy had it; NULL: there is a mistake in the section */
	bool is_written;
} Item;

static void
import_clear_item(void *data)
{
	Item *item = data;

	g_clear_pointer(&item->before, directory_entry_free);
}

typedef struct {
	Daemon *daemon;
	PluginSet *set;
	Directory *copy;
	GArray *items;       /* of Item, in the order of import_kinds */
	GPtrArray *mistakes; /* of char* */
	GPtrArray *rows;     /* of char**: what is done if there is no mistake */
	Answer *answer;
	Actor *actor;
	guint added, changed, same;
} Import;

static const PtnKind import_kinds[] = { PTN_CUSTOMER, PTN_DOMAIN, PTN_ACCOUNT, PTN_RECIPIENT };

static void G_GNUC_PRINTF(3, 4) import_complain(Import *import, const char *where, const char *format, ...)
{
	g_autofree char *text = NULL;
	va_list arguments;

	va_start(arguments, format);
	text = g_strdup_vprintf(format, arguments);
	va_end(arguments);
	g_ptr_array_add(import->mistakes, g_strdup_printf("%s: %s", where, text));
}

/* ---- the text ---- */

static void
import_take_sections(Import *import, const GPtrArray *sections, PtnKind kind)
{
	g_autofree char *prefix = g_strdup_printf("%s ", directory_kind_name(kind));

	for (guint i = 0; i < sections->len; i++) {
		const ConfigText *section = g_ptr_array_index(sections, i);

		if (g_str_has_prefix(section->title, prefix)) {
			const Item item = { section, kind, section->title + strlen(prefix), NULL, false };

			g_array_append_val(import->items, item);
		}
	}
}

static bool
import_is_entry(const char *title)
{
	for (size_t i = 0; i < G_N_ELEMENTS(import_kinds); i++) {
		const char *kind = directory_kind_name(import_kinds[i]);

		if (g_str_has_prefix(title, kind) && title[strlen(kind)] == ' ')
			return true;
	}
	return false;
}

static void
import_sort(Import *import, const GPtrArray *sections)
{
	for (guint i = 0; i < sections->len; i++) {
		const ConfigText *section = g_ptr_array_index(sections, i);

		if (!import_is_entry(section->title))
			import_complain(import, section->where,
				"[%s] is none of [customer NAME], [domain NAME], [account LOGIN], [recipient ADDRESS]",
				section->title);
	}
	for (size_t i = 0; i < G_N_ELEMENTS(import_kinds); i++)
		import_take_sections(import, sections, import_kinds[i]);
}

/* ---- one entry ---- */

/* The entry as it is in `directory`, or a new one; NULL: the directory cannot tell. */
static DirectoryEntry *
import_open(Directory *directory, const Item *item)
{
	DirectoryEntry *entry = NULL;
	const PtnStatus status = directory_find_now(directory, item->kind, item->name, CLOCK_NEVER, &entry);

	if (status == PTN_OK)
		return entry;
	return status == PTN_NONE ? directory_entry_new(item->kind, item->name) : NULL;
}

static bool
import_set(Import *import, Directory *directory, DirectoryEntry *entry, const ConfigKey *key, GError **error)
{
	g_autofree char *assignment = g_strdup_printf("%s=%s", key->key, key->value);

	if (directory_entry_kind(entry) != PTN_ACCOUNT || strcmp(key->key, "password") != 0)
		return control_set_value(directory, import->set, entry, assignment, error);
	if (!directory_check_value(key->key, key->value, error))
		return false;
	directory_entry_set(entry, "password", key->value[0] != '\0' ? key->value : NULL);
	return true;
}

/* With `import->mistakes`; the same to the copy and to the directory itself. */
static void
import_fill(Import *import, Directory *directory, DirectoryEntry *entry, const ConfigText *section)
{
	for (guint i = 0; i < section->keys->len; i++) {
		const ConfigKey *key = g_ptr_array_index(section->keys, i);
		g_autoptr(GError) error = NULL;

		if (!import_set(import, directory, entry, key, &error))
			import_complain(import, key->where, "%s", error->message);
	}
}

/* Names whose values are not as they were; new. */
static char *
import_differences(DirectoryEntry *before, DirectoryEntry *after)
{
	GString *names = g_string_new(NULL);

	for (const char *const *name = directory_entry_names(after); *name != NULL; name++)
		if (g_strcmp0(directory_entry_get(before, *name), directory_entry_get(after, *name)) != 0)
			g_string_append_printf(names, "%s%s", names->len > 0 ? " " : "", *name);
	for (const char *const *name = directory_entry_names(before); *name != NULL; name++)
		if (directory_entry_get(after, *name) == NULL)
			g_string_append_printf(names, "%s%s", names->len > 0 ? " " : "", *name);
	return g_string_free(names, FALSE);
}

static void
import_report(Import *import, const Item *item, DirectoryEntry *before, DirectoryEntry *after)
{
	g_autofree char *names = import_differences(before, after);
	const bool is_new = directory_entry_version(before) == 0;
	char **row;

	if (!is_new && names[0] == '\0') {
		import->same++;
		return;
	}
	if (is_new)
		import->added++;
	else
		import->changed++;
	row = g_new0(char *, 5);
	row[0] = g_strdup(is_new ? "add" : "change");
	row[1] = g_strdup(directory_kind_name(item->kind));
	row[2] = g_strdup(directory_entry_name(after));
	row[3] = g_steal_pointer(&names);
	g_ptr_array_add(import->rows, row);
}

/* The entry as it would be, unchecked. */
static void
import_put(Import *import, Item *item)
{
	g_autoptr(DirectoryEntry) before = import_open(import->copy, item);
	g_autoptr(DirectoryEntry) entry = import_open(import->copy, item);
	const guint mistakes = import->mistakes->len;

	import_fill(import, import->copy, entry, item->section);
	if (import->mistakes->len > mistakes)
		return;
	if (directory_save(import->copy, entry, NULL, CLOCK_NEVER) == PTN_OK)
		item->before = g_steal_pointer(&before);
	else
		import_complain(import, item->section->where, "\"%s\" cannot be the name of an entry", item->name);
}

/* What refers to a wrong entry is wrong, too: it is as it was before. */
static void
import_undo(Import *import, const Item *item)
{
	g_autoptr(DirectoryEntry) was = directory_entry_new(item->kind, item->name);

	(void)directory_remove(import->copy, item->kind, item->name, NULL, CLOCK_NEVER);
	if (directory_entry_version(item->before) == 0)
		return;
	for (const char *const *name = directory_entry_names(item->before); *name != NULL; name++)
		directory_entry_set(was, *name, directory_entry_get(item->before, *name));
	(void)directory_save(import->copy, was, NULL, CLOCK_NEVER);
}

/* All entries are in the copy by now. */
static void
import_try(Import *import, Item *item)
{
	g_autoptr(DirectoryEntry) entry = item->before != NULL ? import_open(import->copy, item) : NULL;
	DirectoryEntry *before = entry != NULL && directory_entry_version(item->before) != 0 ? item->before : NULL;
	g_autoptr(GError) error = NULL;

	if (entry == NULL)
		return;
	if (directory_check(import->copy, entry, &error) &&
		control_check_changes(import->copy, import->set, before, entry, &error) && item->kind == PTN_ACCOUNT &&
		directory_entry_get(entry, "password") == NULL)
		(void)error_set(&error, POSTERN_ERROR_INVALID,
			"account %s has no password: give the hash that export writes, or \"*\" for none", item->name);
	if (error != NULL) {
		import_complain(import, item->section->where, "%s", error->message);
		import_undo(import, item);
		g_clear_pointer(&item->before, directory_entry_free);
		return;
	}
	(void)directory_save(import->copy, entry, NULL, CLOCK_NEVER);
	import_report(import, item, item->before, entry);
}

/* Domains that forward into this one may be in the text or not: all of them are in the copy, as they will be. */
static void
import_try_leaving(Import *import, const Item *item)
{
	g_autoptr(DirectoryEntry) entry = item->before != NULL ? import_open(import->copy, item) : NULL;
	g_autoptr(GError) error = NULL;

	if (entry != NULL && !control_may_leave(import->copy, item->before, entry, &error))
		import_complain(import, item->section->where, "%s", error->message);
}

static bool
import_write(Import *import, const Item *item, GError **error)
{
	g_autoptr(DirectoryEntry) before = import_open(import->daemon->engine.directory, item);
	g_autoptr(DirectoryEntry) entry = import_open(import->daemon->engine.directory, item);
	g_autofree char *names = NULL;

	if (before == NULL || entry == NULL)
		return error_set(error, POSTERN_ERROR_UNAVAILABLE, "the directory cannot be read now");
	import_fill(import, import->daemon->engine.directory, entry, item->section);
	names = import_differences(before, entry);
	if (names[0] == '\0' && directory_entry_version(before) != 0)
		return true;
	return control_save_entry(import->daemon, entry, import->actor, error);
}

/* ---- the copy ---- */

static bool
import_copy_page(Directory *copy, PtnKind kind, const GPtrArray *page)
{
	for (guint i = 0; i < page->len; i++) {
		DirectoryEntry *from = g_ptr_array_index(page, i);
		g_autoptr(DirectoryEntry) to = directory_entry_new(kind, directory_entry_name(from));

		for (const char *const *name = directory_entry_names(from); *name != NULL; name++)
			directory_entry_set(to, *name, directory_entry_get(from, *name));
		if (directory_save(copy, to, NULL, CLOCK_NEVER) != PTN_OK)
			return false;
	}
	return true;
}

static bool
import_copy(Import *import, PtnKind kind)
{
	g_autofree char *after = NULL;

	for (;;) {
		g_autoptr(GPtrArray) page = NULL;

		if (directory_list(import->daemon->engine.directory, kind, NULL, after, IMPORT_PAGE, CLOCK_NEVER, &page) !=
			PTN_OK)
			return false;
		if (page->len == 0)
			return true;
		if (!import_copy_page(import->copy, kind, page))
			return false;
		g_free(after);
		after = g_strdup(directory_entry_name(g_ptr_array_index(page, page->len - 1)));
	}
}

static bool
import_copy_all(Import *import, GError **error)
{
	for (size_t i = 0; i < G_N_ELEMENTS(import_kinds); i++)
		if (!import_copy(import, import_kinds[i]))
			return error_set(
				error, POSTERN_ERROR_UNAVAILABLE, "the directory cannot be read now; nothing was written");
	return true;
}

/* ---- the command ---- */

static void
import_tell(const Import *import, bool is_dry)
{
	g_autofree char *added = g_strdup_printf("%u", import->added);
	g_autofree char *changed = g_strdup_printf("%u", import->changed);
	g_autofree char *same = g_strdup_printf("%u", import->same);

	answer_columns(import->answer, "what", "kind", "name", "values", NULL);
	for (guint i = 0; i < import->rows->len; i++)
		answer_row_v(import->answer, g_ptr_array_index(import->rows, i));
	answer_set_audience(import->answer, FOR_PROGRAMS);
	answer_columns(import->answer, "written:boolean", "added:number", "changed:number", "same:number", NULL);
	answer_row(import->answer, is_dry ? "no" : "yes", added, changed, same, NULL);
	answer_set_audience(import->answer, FOR_PEOPLE);
	answer_text(import->answer,
		is_dry ? "%u would be added, %u changed, %u are so already; nothing was written."
			   : "%u added, %u changed, %u were so already.",
		import->added, import->changed, import->same);
	answer_set_audience(import->answer, FOR_ALL);
}

/* "customers.ini:12: …", by line: `data` is the name of the file. */
static int
import_compare_mistakes(const void *a, const void *b, void *data)
{
	const size_t skipped = strlen(data) + 1;
	const gint64 one = g_ascii_strtoll(*(const char *const *)a + skipped, NULL, 10);
	const gint64 two = g_ascii_strtoll(*(const char *const *)b + skipped, NULL, 10);

	return one < two ? -1 : one > two;
}

static void
import_tell_mistakes(const Import *import, char *name)
{
	const guint n = import->mistakes->len;

	g_ptr_array_sort_with_data(import->mistakes, import_compare_mistakes, name);
	for (guint i = 0; i < MIN(n, IMPORT_MISTAKES); i++)
		answer_fail(import->answer, "%s", (const char *)g_ptr_array_index(import->mistakes, i));
	answer_fail(import->answer, "%u mistake%s; nothing was written.", n, n == 1 ? "" : "s");
}

/* Of the entries that are not written yet, those that have all they refer to; how many.  `error`: why the first of the others cannot
 * be written, and *left it. */
static guint
import_write_ready(Import *import, const Item **left, GError **error)
{
	guint written = 0;

	*left = NULL;
	for (guint i = 0; i < import->items->len; i++) {
		Item *item = &g_array_index(import->items, Item, i);

		if (item->is_written)
			continue;
		item->is_written = import_write(import, item, *left == NULL ? error : NULL);
		written += item->is_written;
		if (!item->is_written && *left == NULL)
			*left = item;
	}
	return written;
}

/* What refers to an entry that stands behind it is written after that. */
static bool
import_write_all(Import *import, GError **error)
{
	const Item *left = NULL;
	guint written;

	do {
		g_clear_error(error);
		written = import_write_ready(import, &left, error);
	} while (left != NULL && written > 0);
	if (left != NULL)
		g_prefix_error(error, "%s: the entries without a mistake were written; but: ", left->section->where);
	return left == NULL;
}

static bool
import_run(Import *import, const Request *request, GError **error)
{
	g_autoptr(GPtrArray) sections = config_text_new();

	config_read(request->input, strlen(request->input), request->words[1], sections, import->mistakes);
	import_sort(import, sections);
	if (!import_copy_all(import, error))
		return false;
	for (guint i = 0; i < import->items->len; i++)
		import_put(import, &g_array_index(import->items, Item, i));
	for (guint i = 0; i < import->items->len; i++)
		import_try(import, &g_array_index(import->items, Item, i));
	for (guint i = 0; i < import->items->len; i++)
		import_try_leaving(import, &g_array_index(import->items, Item, i));
	if (import->mistakes->len > 0) {
		import_tell_mistakes(import, request->words[1]);
		return true;
	}
	if (!request->is_dry && !import_write_all(import, error))
		return false;
	import_tell(import, request->is_dry);
	return true;
}

void
control_import(Daemon *daemon, const Request *request, Answer *answer)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(PluginSet) set = control_take_set(daemon);
	g_autoptr(Store) store = store_open("memory:", false, daemon->engine.clock, &error);
	g_autoptr(Directory) copy = store != NULL ? directory_new(store) : NULL;
	g_autoptr(GArray) items = g_array_new(FALSE, FALSE, sizeof(Item));
	g_autoptr(GPtrArray) mistakes = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GPtrArray) rows = g_ptr_array_new_with_free_func((GDestroyNotify)g_strfreev);
	Import import = { .daemon = daemon,
		.set = set,
		.copy = copy,
		.items = items,
		.mistakes = mistakes,
		.rows = rows,
		.answer = answer,
		.actor = request->actor };

	g_array_set_clear_func(items, import_clear_item);
	if (request->words[1] == NULL || request->words[2] != NULL || request->input == NULL)
		error_set(&error, POSTERN_ERROR_INVALID, "import wants one file, with something in it");
	else if (copy != NULL && import_run(&import, request, &error))
		return;
	answer_fail(answer, "%s", error->message);
}
