/* host-commands.c - commands of plugins, and the short words of posternctl that stand for some of them. */
#include <string.h>

#include "base/error.h"
#include "host/host-private.h"

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
host_refuse_verb(const Instance *instance, GError **error)
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

/* ---- short words ---- */

/* How many of `typed` are the words of the row; 0: they are others. */
static unsigned
host_match_words(const PtnShortWord *row, const char *const *typed)
{
	g_auto(GStrv) words = g_strsplit(row->words, " ", -1);
	unsigned n = 0;

	for (; words[n] != NULL; n++)
		if (typed[n] == NULL || strcmp(words[n], typed[n]) != 0)
			return 0;
	return n;
}

static bool
host_begins_with(const PtnShortWord *row, const char *word)
{
	const size_t size = strcspn(row->words, " ");

	return strlen(word) == size && strncmp(row->words, word, size) == 0;
}

char **
host_expand(PluginSet *set, const char *const *words, size_t *n_named)
{
	g_autoptr(GPtrArray) expanded = g_ptr_array_new_with_free_func(g_free);
	size_t n = 0;

	*n_named = MIN(g_strv_length((char **)(uintptr_t)words), 2);
	for (guint i = 0; n == 0 && i < set->instances->len; i++) {
		const PtnPlugin *plugin = ((const Instance *)g_ptr_array_index(set->instances, i))->plugin;

		for (const PtnShortWord *row = plugin->short_words; n == 0 && row != NULL && row->words != NULL; row++) {
			n = host_match_words(row, words);
			if (n == 0)
				continue;
			*n_named = n;
			g_ptr_array_add(expanded, g_strdup(plugin->name));
			g_ptr_array_add(expanded, g_strdup(row->verb));
		}
	}
	for (; words[n] != NULL; n++)
		g_ptr_array_add(expanded, g_strdup(words[n]));
	g_ptr_array_add(expanded, NULL);
	return (char **)g_ptr_array_steal(expanded, NULL);
}

typedef struct {
	const char *word;
	GString *text;
} WordUsage;

static void
host_add_usage(void *data, const PtnShortWord *row, const PtnCommand *command)
{
	const WordUsage *usage = data;

	if (host_begins_with(row, usage->word))
		g_string_append_printf(usage->text, "\n  %s %s - %s", row->words,
			command->arguments != NULL ? command->arguments : "", command->help != NULL ? command->help : "");
}

static bool
host_refuse_word(PluginSet *set, const char *word, GError **error)
{
	g_autofree char *known = NULL;
	const WordUsage usage = { word, g_string_new(NULL) };

	host_each_word(set, host_add_usage, (void *)(uintptr_t)&usage);
	known = g_string_free(usage.text, FALSE);
	if (*known != '\0')
		return error_set(error, POSTERN_ERROR_INVALID, "%s knows:%s", word, known);
	return error_set(error, POSTERN_ERROR_NOT_FOUND,
		"there is no command \"%s\", and no plugin of that name is loaded", word);
}

/* ---- running ---- */

bool
host_command_changes(PluginSet *set, const char *plugin, const char *verb)
{
	const Instance *instance = host_find(set, plugin, strlen(plugin));
	const PtnCommand *command = instance != NULL ? host_find_command(instance, verb) : NULL;

	return command != NULL && !command->reads_only;
}

static bool
host_run_command(PluginSet *set, Instance *instance, PtnFunction *function, PtnHook *h, GError **error)
{
	g_autoptr(Region) region = region_new();
	HookCall call = { .region = region, .may_wait = true };

	h->call = &call;
	h->instance = instance;
	h->set = set;
	h->purpose = "command";
	call.deadline_us = g_get_monotonic_time() + instance->core.deadline_us;
	return call_prepared(h, function) != PTN_FAILED ||
		   error_set(error, POSTERN_ERROR_UNAVAILABLE, "%s",
			   call.failure != NULL ? call.failure : "it failed");
}

bool
host_command(PluginSet *set, const char *plugin, const char *const *words, Actor *actor, HostRow *row, void *data,
	GError **error)
{
	Instance *instance = host_find(set, plugin, strlen(plugin));
	const PtnCommand *command = instance != NULL ? host_find_command(instance, words[0]) : NULL;
	PtnHook h = { .actor = actor, .row = row, .row_data = data };

	if (instance == NULL)
		return host_refuse_word(set, plugin, error);
	if (command == NULL)
		return host_refuse_verb(instance, error);
	if (g_strv_length((char **)(uintptr_t)(words + 1)) > host_most_words(command))
		return error_set(error, POSTERN_ERROR_INVALID, "too many words: %s %s takes %s; nothing was done", plugin,
			command->verb, host_most_words(command) > 0 ? command->arguments : "none");
	h.arguments = words + 1;
	return host_run_command(set, instance, command->function, &h, error);
}

void
host_examine(PluginSet *set, HostRow *row, HostFailure *failed, void *data)
{
	static const char *const nothing[] = { NULL };

	for (guint i = 0; i < set->instances->len; i++) {
		Instance *instance = g_ptr_array_index(set->instances, i);
		PtnHook h = { .row = row, .row_data = data, .arguments = nothing };
		g_autoptr(GError) error = NULL;

		if (instance->plugin->doctor != NULL &&
			!host_run_command(set, instance, instance->plugin->doctor, &h, &error))
			failed(data, instance->plugin->name, error->message);
	}
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

void
host_each_word(
	PluginSet *set, void (*each)(void *data, const PtnShortWord *row, const PtnCommand *command), void *data)
{
	for (guint i = 0; i < set->instances->len; i++) {
		const Instance *instance = g_ptr_array_index(set->instances, i);

		for (const PtnShortWord *row = instance->plugin->short_words; row != NULL && row->words != NULL; row++)
			each(data, row, host_find_command(instance, row->verb));
	}
}

/* ---- may they have these words? ---- */

/* Whose command begins with `word`: one of those before; NULL: nobody's. */
static const char *
host_owner_of(const GPtrArray *rows, guint n, const char *word)
{
	for (guint i = 0; i < n; i++) {
		const PtnPlugin *plugin = ((const PluginRows *)g_ptr_array_index(rows, i))->plugin;

		if (plugin->commands != NULL && plugin->commands->verb != NULL && strcmp(plugin->name, word) == 0)
			return plugin->name;
		for (const PtnShortWord *row = plugin->short_words; row != NULL && row->words != NULL; row++)
			if (host_begins_with(row, word))
				return plugin->name;
	}
	return NULL;
}

static void
host_check_word(const GPtrArray *rows, guint n, HostReserved *is_reserved, const char *word, GPtrArray *mistakes)
{
	const PtnPlugin *plugin = ((const PluginRows *)g_ptr_array_index(rows, n))->plugin;
	const char *owner = host_owner_of(rows, n, word);

	if (is_reserved != NULL && is_reserved(word))
		g_ptr_array_add(mistakes,
			g_strdup_printf("plugin %s has commands \"posternctl %s\", which is one of Postern's own",
				plugin->name, word));
	else if (owner != NULL)
		g_ptr_array_add(mistakes,
			g_strdup_printf("plugin %s has commands \"posternctl %s\", which is taken by plugin %s: leave one of "
							"them out of [server] plugins",
				plugin->name, word, owner));
}

void
host_check_words(const GPtrArray *rows, HostReserved *is_reserved, GPtrArray *mistakes)
{
	for (guint i = 0; i < rows->len; i++) {
		const PtnPlugin *plugin = ((const PluginRows *)g_ptr_array_index(rows, i))->plugin;
		const char *before = "";

		if (plugin->commands != NULL && plugin->commands->verb != NULL)
			host_check_word(rows, i, is_reserved, plugin->name, mistakes);
		for (const PtnShortWord *row = plugin->short_words; row != NULL && row->words != NULL; row++) {
			g_autofree char *word = g_strndup(row->words, strcspn(row->words, " "));

			if (!host_begins_with(&(PtnShortWord){ before, NULL }, word))
				host_check_word(rows, i, is_reserved, word, mistakes);
			before = row->words;
		}
	}
}
