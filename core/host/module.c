/* module.c - finding and opening plugins, and telling in words why one does not fit. */
#include "host/module.h"

#include <gmodule.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "engine/stage.h"
#include "service/option.h"

typedef struct {
	char *path;
	struct timespec changed;
	const PtnPlugin *plugin;
} Module;

/* What the dynamic linker has, this process has: one table, guarded like it. */
static struct {
	GMutex lock;
	GHashTable *by_name; /* of Module* */
} modules;

static GHashTable *
module_table(void)
{
	if (modules.by_name == NULL)
		modules.by_name = g_hash_table_new(g_str_hash, g_str_equal);
	return modules.by_name;
}

void
module_add_linked(const PtnPlugin *plugin)
{
	Module *module;

	g_mutex_lock(&modules.lock);
	module = g_hash_table_lookup(module_table(), plugin->name);
	if (module == NULL) {
		module = g_new0(Module, 1);
		g_hash_table_insert(module_table(), g_strdup(plugin->name), module);
	}
	module->plugin = plugin;
	g_mutex_unlock(&modules.lock);
}

/* ---- does it fit? ---- */

static bool
module_check_version(const PtnPlugin *plugin, const char *name, GError **error)
{
	if (plugin->api_major != PTN_API_MAJOR)
		return error_set(error, POSTERN_ERROR_INVALID, "plugin %s was built for API %u, this Postern has API %d",
			name, plugin->api_major, PTN_API_MAJOR);
	if (plugin->api_minor > PTN_API_MINOR)
		return error_set(error, POSTERN_ERROR_INVALID,
			"plugin %s was built for API %u.%u, newer than this Postern's %d.%d", name, plugin->api_major,
			plugin->api_minor, PTN_API_MAJOR, PTN_API_MINOR);
	if (plugin->struct_size > sizeof(PtnPlugin))
		return error_set(
			error, POSTERN_ERROR_INVALID, "plugin %s has a larger PtnPlugin than this Postern knows", name);
	return true;
}

/* A plugin built against an older minor version ends earlier; what it does not have is zero.  The copy has our size, and so is
 * complete when a reload accepts it again. */
static const PtnPlugin *
module_complete(const PtnPlugin *plugin)
{
	PtnPlugin *whole;

	if (plugin->struct_size == sizeof(PtnPlugin))
		return plugin;
	whole = g_new0(PtnPlugin, 1);
	memcpy(whole, plugin, plugin->struct_size);
	whole->struct_size = sizeof *whole;
	return whole;
}

static bool
module_check_hooks(const PtnPlugin *plugin, GError **error)
{
	for (const PtnHookRow *row = plugin->hooks; row != NULL && row->function != NULL; row++) {
		if (stage_row(row->stage) == NULL)
			return error_set(error, POSTERN_ERROR_INVALID,
				"plugin %s has a hook at stage %d, which does not exist", plugin->name, (int)row->stage);
		if ((row->flags & PTN_INLINE) && (row->flags & PTN_HEAVY))
			return error_set(
				error, POSTERN_ERROR_INVALID, "plugin %s has a hook that is both inline and heavy", plugin->name);
		if (row->stage == PTN_TICK && plugin->tick <= 0)
			return error_set(
				error, POSTERN_ERROR_INVALID, "plugin %s has a tick hook and no time between ticks", plugin->name);
	}
	return true;
}

static bool
module_has_command(const PtnPlugin *plugin, const char *verb)
{
	for (const PtnCommand *row = plugin->commands; row != NULL && row->verb != NULL; row++)
		if (verb != NULL && strcmp(row->verb, verb) == 0)
			return true;
	return false;
}

static bool
module_check_words(const PtnPlugin *plugin, GError **error)
{
	for (const PtnShortWord *row = plugin->short_words; row != NULL && row->words != NULL; row++) {
		if (!g_regex_match_simple("^[a-z][a-z-]*( [a-z][a-z-]*)?$", row->words, G_REGEX_DOLLAR_ENDONLY, 0))
			return error_set(error, POSTERN_ERROR_INVALID,
				"plugin %s has the short word \"%s\", which is not one word or two of a-z and hyphens",
				plugin->name, row->words);
		if (!module_has_command(plugin, row->verb))
			return error_set(error, POSTERN_ERROR_INVALID,
				"plugin %s has the short word \"%s\" for a command \"%s\" that it does not have", plugin->name,
				row->words, row->verb != NULL ? row->verb : "");
	}
	return true;
}

static bool
module_check_meanings(const PtnPlugin *plugin, GError **error)
{
	static const struct {
		unsigned type, place; /* type 0: any */
	} fits[] = { [PTN_MEANS_SOURCES] = { 0, PTN_IN_ACCOUNT },
		[PTN_MEANS_LEAST_PASSWORD] = { PTN_NUMBER, PTN_IN_SERVER },
		[PTN_MEANS_NEVER_BLOCKED] = { PTN_NETWORK | PTN_LIST, PTN_IN_SERVER },
		[PTN_MEANS_RECEIVER] = { 0, PTN_IN_SERVER } };

	for (const PtnMeaningRow *row = plugin->meanings; row != NULL && row->option != NULL; row++) {
		const PtnOption *option = plugin->options != NULL ? option_find(plugin->options, row->option) : NULL;
		const unsigned meaning = (unsigned)row->meaning;

		if (meaning == 0 || meaning >= G_N_ELEMENTS(fits))
			return error_set(error, POSTERN_ERROR_INVALID,
				"plugin %s gives option \"%s\" a meaning %u, which does not exist", plugin->name, row->option,
				meaning);
		if (option == NULL || !(option->places & fits[meaning].place) ||
			(fits[meaning].type != 0 && option->type != fits[meaning].type))
			return error_set(error, POSTERN_ERROR_INVALID,
				"plugin %s gives a meaning to \"%s\", which is not an option of the type and place for it",
				plugin->name, row->option);
	}
	return true;
}

static const PtnPlugin *
module_accept(const PtnPlugin *plugin, const char *name, GError **error)
{
	const PtnPlugin *whole;

	if (!module_check_version(plugin, name, error))
		return NULL;
	whole = module_complete(plugin);
	if (whole->name == NULL || strcmp(whole->name, name) != 0) {
		error_set(error, POSTERN_ERROR_INVALID, "plugin %s calls itself \"%s\"", name,
			whole->name != NULL ? whole->name : "");
		return NULL;
	}
	return module_check_hooks(whole, error) && module_check_words(whole, error) &&
				   module_check_meanings(whole, error)
			   ? whole
			   : NULL;
}

/* ---- opening ---- */

/* "undefined symbol: ptn_x" from the dynamic linker, in words that say what to do. */
static void
module_explain(const char *name, const char *reason, GError **error)
{
	const char *symbol = strstr(reason, "undefined symbol: ");
	g_autofree char *function = NULL;

	if (symbol != NULL && g_str_has_prefix(symbol + strlen("undefined symbol: "), "ptn_")) {
		symbol += strlen("undefined symbol: ");
		function = g_strndup(symbol, strspn(symbol, "abcdefghijklmnopqrstuvwxyz_0123456789"));
		error_set(error, POSTERN_ERROR_INVALID,
			"%s.so needs %s(), which this Postern lacks; it was built for a newer one", name, function);
		return;
	}
	error_set(error, POSTERN_ERROR_INVALID, "plugin %s cannot be loaded: %s", name, reason);
}

static bool
module_name_is_valid(const char *name)
{
	return name[0] != '\0' && name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-")] == '\0';
}

static const PtnPlugin *
module_open(const char *path, const char *name, GError **error)
{
	g_autofree char *symbol = g_strdelimit(g_strdup_printf("ptn_plugin_%s", name), "-", '_');
	gpointer found = NULL;
	GModule *opened;

	if (!g_file_test(path, G_FILE_TEST_EXISTS)) {
		error_set(error, POSTERN_ERROR_NOT_FOUND, "plugin %s: there is no %s", name, path);
		return NULL;
	}
	opened = g_module_open(path, G_MODULE_BIND_LOCAL);
	if (opened == NULL) {
		module_explain(name, g_module_error(), error);
		return NULL;
	}
	g_module_make_resident(opened);
	if (!g_module_symbol(opened, symbol, &found) || found == NULL) {
		error_set(error, POSTERN_ERROR_INVALID, "%s is no plugin of Postern: it has no %s", path, symbol);
		return NULL;
	}
	return module_accept(found, name, error);
}

const PtnPlugin *
module_load(const char *directory, const char *name, GError **error)
{
	const PtnPlugin *plugin = NULL;
	Module *module;
	struct stat status;

	if (!module_name_is_valid(name)) {
		error_set(error, POSTERN_ERROR_INVALID, "\"%s\" is no name of a plugin", name);
		return NULL;
	}
	g_mutex_lock(&modules.lock);
	module = g_hash_table_lookup(module_table(), name);
	if (module != NULL) {
		plugin = module_accept(module->plugin, name, error);
	} else {
		g_autofree char *path = g_strdup_printf("%s/%s.so", directory, name);

		plugin = module_open(path, name, error);
		if (plugin != NULL && stat(path, &status) == 0) {
			module = g_new0(Module, 1);
			module->path = g_steal_pointer(&path);
			module->changed = status.st_mtim;
			module->plugin = plugin;
			g_hash_table_insert(module_table(), g_strdup(name), module);
		}
	}
	g_mutex_unlock(&modules.lock);
	return plugin;
}

char *
module_directory(const char *name)
{
	const Module *module;
	char *directory;

	g_mutex_lock(&modules.lock);
	module = g_hash_table_lookup(module_table(), name);
	directory = module != NULL && module->path != NULL ? g_path_get_dirname(module->path) : g_strdup("");
	g_mutex_unlock(&modules.lock);
	return directory;
}

bool
module_is_newer_on_disk(const char *name)
{
	const Module *module;
	struct stat status;
	bool is_newer = false;

	g_mutex_lock(&modules.lock);
	module = g_hash_table_lookup(module_table(), name);
	if (module != NULL && module->path != NULL && stat(module->path, &status) == 0)
		is_newer =
			status.st_mtim.tv_sec != module->changed.tv_sec || status.st_mtim.tv_nsec != module->changed.tv_nsec;
	g_mutex_unlock(&modules.lock);
	return is_newer;
}
