/* command.c - a command line is a verb and the rest. */
#include "proto/command.h"

#include <glib.h>
#include <string.h>

static bool
command_is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static size_t
command_verb_size(const char *line)
{
	size_t size = 0;

	while (g_ascii_isalnum(line[size]) || line[size] == '-')
		size++;
	return size;
}

void
command_split(char *line, size_t size, Command *command)
{
	const bool has_nul = memchr(line, '\0', size) != NULL;
	const size_t verb_size = command_verb_size(line);
	const char *argument = line + verb_size;

	memset(command, 0, sizeof *command);
	command->argument = line;
	for (size = strlen(line); size > 0 && command_is_blank(line[size - 1]);)
		line[--size] = '\0';
	if (has_nul || verb_size == 0 || verb_size >= COMMAND_VERB_SIZE)
		return;
	if (*argument != '\0' && !command_is_blank(*argument))
		return;
	for (size_t i = 0; i < verb_size; i++)
		command->verb[i] = g_ascii_toupper(line[i]);
	while (command_is_blank(*argument))
		argument++;
	command->argument = argument;
}
