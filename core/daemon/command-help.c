/* command-help.c - what a command takes: posternctl COMMAND --help. */
#include "daemon/command-help.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/escape.h"
#include "daemon/commands.h"

enum { HELP_PATIENCE_SECONDS = 2, HELP_FIELDS = 4 };

/* ---- commands of plugins ---- */

typedef struct {
	CommandOfPlugin *each;
	void *data;
} PluginCommands;

static bool
help_take_row(void *data, char letter, char **fields, GError **error)
{
	const PluginCommands *commands = data;

	(void)error;
	if (letter == 'R' && g_strv_length(fields) == HELP_FIELDS)
		commands->each(commands->data, fields[0], fields[1], fields[2], fields[3]);
	return true;
}

bool
command_help_each_of_plugins(const Arguments *arguments, CommandOfPlugin *each, void *data, GError **error)
{
	static const char *const words[] = { "help", "of-plugins", NULL };
	PluginCommands commands = { each, data };

	return posternctl_fetch(arguments, HELP_PATIENCE_SECONDS, words, help_take_row, &commands, error);
}

/* ---- printing ---- */

static void
help_put_usage(const char *words, const char *more, const char *arguments, const char *help)
{
	g_autofree char *line = g_strdup_printf("posternctl %s%s%s%s%s\n    %s\n", words, *more != '\0' ? " " : "",
		more, *arguments != '\0' ? " " : "", arguments, help);
	g_autofree char *shown = escape_text(line, ESCAPE_LINES);

	fputs(shown, stdout);
}

static void
help_put_options(const Command *command)
{
	g_autoptr(GPtrArray) options = commands_options(command);

	for (guint i = 0; i < options->len; i++) {
		const char *option = g_ptr_array_index(options, i);
		const char *help = commands_option_help(option);

		if (help != NULL)
			printf("    %-14s %s\n", option, help);
	}
}

typedef struct {
	char *const *words;
	unsigned found;
} PluginHelp;

static void
help_put_of_plugin(void *data, const char *plugin, const char *verb, const char *arguments, const char *help)
{
	PluginHelp *wanted = data;

	if (strcmp(plugin, wanted->words[0]) != 0 ||
		(wanted->words[1] != NULL && *verb != '\0' && strcmp(verb, wanted->words[1]) != 0))
		return;
	help_put_usage(plugin, verb, arguments, help);
	wanted->found++;
}

static int
help_print_plugin(const Arguments *arguments, char *const *words, GError **error)
{
	PluginHelp wanted = { .words = words };

	if (!command_help_each_of_plugins(arguments, help_put_of_plugin, &wanted, error)) {
		g_prefix_error(
			error, "\"%s\" is not a command of posternctl, and plugins cannot be asked for theirs: ", words[0]);
		return EXIT_FAILURE;
	}
	if (wanted.found > 0)
		return EXIT_SUCCESS;
	error_set(error, POSTERN_ERROR_NOT_FOUND,
		"there is no command \"%s\", and no plugin that is loaded has it (see posternctl --help)", words[0]);
	return EXIT_FAILURE;
}

static void
help_put_command(const Command *command)
{
	help_put_usage(command->words, "", command->arguments, command->help);
	help_put_options(command);
}

/* The row of exactly the first two words; NULL: none. */
static const Command *
help_find_exact(char *const *words)
{
	for (const Command *command = commands_all; command->words != NULL; command++)
		if (words[1] != NULL && strchr(command->words, ' ') != NULL && commands_match(command, words))
			return command;
	return NULL;
}

enum { HELP_COLUMN = 37 };

static void
help_add_row(GString *text, const Command *command)
{
	g_autoptr(GPtrArray) options = commands_options(command);
	const gsize begin = text->len;
	glong width;

	g_string_append_printf(
		text, "  %s%s%s", command->words, *command->arguments != '\0' ? " " : "", command->arguments);
	for (guint i = 0; i < options->len; i++)
		if (strstr(command->arguments, g_ptr_array_index(options, i)) == NULL)
			g_string_append_printf(text, " [%s]", (const char *)g_ptr_array_index(options, i));
	width = g_utf8_strlen(text->str + begin, -1);
	if (width + 2 > HELP_COLUMN)
		g_string_append_printf(text, "\n%*s", HELP_COLUMN, "");
	else
		g_string_append_printf(text, "%*s", (int)(HELP_COLUMN - width), "");
	g_string_append_printf(text, "%s\n", command->help);
}

char *
command_help_list(void)
{
	static const char *const groups[COMMANDS_GROUPS] = { [COMMANDS_LOOK] = "Looking",
		[COMMANDS_ENTRIES] = "Customers, domains and accounts",
		[COMMANDS_CHANGE] = "Changing",
		[COMMANDS_KEEP] = "Spool, stores and backups" };
	GString *text = g_string_new(NULL);

	for (unsigned i = 0; i < COMMANDS_GROUPS; i++) {
		g_string_append_printf(text, "%s:\n", groups[i]);
		for (const Command *command = commands_all; command->words != NULL; command++)
			if (command->group == (CommandGroup)i)
				help_add_row(text, command);
	}
	g_string_append(text,
		"Plugins have commands of their own: posternctl PLUGIN.  The daemon's whole list: posternctl help.\n"
		"What a command takes: posternctl COMMAND --help.\n");
	return g_string_free(text, FALSE);
}

int
command_help_print(const Arguments *arguments, char *const *words, GError **error)
{
	const Command *exact = help_find_exact(words);
	bool is_found = exact != NULL;

	if (exact != NULL)
		help_put_command(exact);
	for (const Command *command = commands_all; exact == NULL && command->words != NULL; command++) {
		if (!commands_match(command, words))
			continue;
		help_put_command(command);
		is_found = true;
	}
	if (!is_found)
		return help_print_plugin(arguments, words, error);
	puts("See posternctl(8).");
	return EXIT_SUCCESS;
}
