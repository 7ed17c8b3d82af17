/* commands.c - the table of commands. */
#include "daemon/commands.h"

#include <stdint.h>
#include <string.h>

#define OF_DAEMON(GROUP, WORDS, ARGUMENTS, HELP, TAKES, RUN, CLIENT, ...)                                        \
	{ GROUP, WORDS, ARGUMENTS, HELP, TAKES, false, NULL, { __VA_ARGS__ } },
#define OF_POSTERNCTL(GROUP, WORDS, ARGUMENTS, HELP, TAKES, CLIENT)                                               \
	{ GROUP, WORDS, ARGUMENTS, HELP, TAKES, .is_local = true },
#define OF_PLUGIN(GROUP, WORDS, ARGUMENTS, HELP, PLUGIN, ...)                                                     \
	{ GROUP, WORDS, ARGUMENTS, HELP, 0, false, PLUGIN, { __VA_ARGS__ } },

const Command commands_all[] = {
#include "daemon/command-table.h"
	{ 0 },
};

const Command *
commands_find(const char *word)
{
	for (const Command *command = commands_all; command->words != NULL; command++)
		if (!command->is_local && strcmp(command->words, word) == 0)
			return command;
	return NULL;
}

bool
commands_is_reserved(const char *word)
{
	char *const words[] = { (char *)(uintptr_t)word, NULL };

	for (const Command *command = commands_all; command->words != NULL; command++)
		if (commands_match(command, words))
			return true;
	return false;
}

bool
commands_match(const Command *command, char *const *words)
{
	g_auto(GStrv) mine = g_strsplit(command->words, " ", 2);

	if (words[0] == NULL || strcmp(mine[0], words[0]) != 0)
		return false;
	return mine[1] == NULL || words[1] == NULL || strcmp(mine[1], words[1]) == 0;
}

bool
commands_name(const char *row, char *const *words)
{
	g_auto(GStrv) names = g_strsplit(row, " ", 2);

	for (size_t i = 0; names[i] != NULL; i++)
		if (words[i] == NULL || strcmp(names[i], words[i]) != 0)
			return false;
	return true;
}

ControlNeed
commands_need(const Command *command, const char *verb)
{
	for (const CommandNeed *need = command->needs; need->verbs != NULL; need++) {
		g_auto(GStrv) verbs = g_strsplit(need->verbs, " ", -1);

		if (strcmp(need->verbs, "*") == 0 ||
			g_strv_contains((const char *const *)verbs, verb != NULL ? verb : "-"))
			return need->need;
	}
	return NEEDS_NOTHING;
}

bool
commands_has_verbs(const Command *command)
{
	return command->needs[0].verbs != NULL && strcmp(command->needs[0].verbs, "*") != 0;
}

/* ---- what the arguments say ---- */

static void
commands_add_once(GPtrArray *found, const char *word)
{
	if (!g_ptr_array_find_with_equal_func(found, word, g_str_equal, NULL))
		g_ptr_array_add(found, g_strdup(word));
}

static void
commands_add_matches(GPtrArray *found, const char *pattern, const char *text)
{
	g_autoptr(GRegex) regex = g_regex_new(pattern, 0, 0, NULL);
	g_autoptr(GMatchInfo) match = NULL;

	(void)g_regex_match(regex, text, 0, &match);
	for (; g_match_info_matches(match); (void)g_match_info_next(match, NULL)) {
		g_autofree char *word = g_match_info_fetch(match, 0);

		commands_add_once(found, word);
	}
}

GPtrArray *
commands_verbs(const Command *command)
{
	GPtrArray *found = g_ptr_array_new_with_free_func(g_free);
	const char *second = strchr(command->words, ' ');
	g_autoptr(GRegex) values = g_regex_new("\\[[^\\]=]*=[^\\]]*\\]|--[a-z-]+", 0, 0, NULL);
	g_autofree char *plain = g_regex_replace_literal(values, command->arguments, -1, 0, " ", 0, NULL);

	if (second != NULL)
		commands_add_once(found, second + 1);
	else
		commands_add_matches(found, "(?<![A-Za-z-])[a-z]+(-[a-z]+)*(?![A-Za-z-])", plain);
	return found;
}

static const struct {
	unsigned flag;
	const char *name, *help;
} commands_flags[] = {
	{ TAKES_YES, "--yes", "do it, though it changes or replaces more than one thing" },
	{ TAKES_DRY_RUN, "--dry-run", "say what would be done, and do nothing" },
	{ TAKES_HOLD, "--hold", "hold what is queued, too" },
	{ TAKES_CHECK, "--check", "one line and an exit code of 0, 1 or 2, for programs that watch" },
	{ 0, "--keep-config", "write no file of the configuration; the stores are those that the present one names" },
};

GPtrArray *
commands_options(const Command *command)
{
	GPtrArray *found = g_ptr_array_new_with_free_func(g_free);

	commands_add_matches(found, "--[a-z-]+", command->arguments);
	for (size_t i = 0; i < G_N_ELEMENTS(commands_flags); i++)
		if (command->takes & commands_flags[i].flag)
			commands_add_once(found, commands_flags[i].name);
	return found;
}

const char *
commands_option_help(const char *option)
{
	for (size_t i = 0; i < G_N_ELEMENTS(commands_flags); i++)
		if (strcmp(commands_flags[i].name, option) == 0)
			return commands_flags[i].help;
	return NULL;
}

const char *
commands_option_name(unsigned flag)
{
	for (size_t i = 0; i < G_N_ELEMENTS(commands_flags); i++)
		if (commands_flags[i].flag == flag)
			return commands_flags[i].name;
	return NULL;
}

bool
commands_knows_option(const char *option)
{
	for (size_t i = 0; i < G_N_ELEMENTS(commands_flags); i++)
		if (commands_flags[i].flag != 0 && strcmp(commands_flags[i].name, option) == 0)
			return true;
	return false;
}
