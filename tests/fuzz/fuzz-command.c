/* fuzz-command.c - a command line is split within its bounds. */
#include <glib.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "proto/command.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	g_autofree char *line = g_malloc(size + 1);
	Command command;
	size_t left;

	memcpy(line, data, size);
	line[size] = '\0';
	command_split(line, size, &command);
	left = strlen(command.argument);
	g_assert(command.argument >= line && command.argument + left <= line + size);
	g_assert(left == 0 || (command.argument[left - 1] != ' ' && command.argument[left - 1] != '\t'));
	g_assert(strlen(command.verb) < COMMAND_VERB_SIZE);
	for (const char *c = command.verb; *c != '\0'; c++)
		g_assert(g_ascii_isupper(*c) || g_ascii_isdigit(*c) || *c == '-');
	g_assert(command.verb[0] == '\0' || g_ascii_strncasecmp(line, command.verb, strlen(command.verb)) == 0);
	if (memchr(data, '\0', size) != NULL)
		g_assert(command.verb[0] == '\0');
	return 0;
}
