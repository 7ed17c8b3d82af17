/* command-help.h - help and completion of posternctl, made from the table of commands (commands.h) and, when the daemon answers,
 * from the commands of its plugins. */
#pragma once

#include "daemon/posternctl.h"

/* "queue --help", "help queue": what `words` take.  The exit code; with EXIT_FAILURE a sentence. */
int command_help_print(const Arguments *arguments, char *const *words, GError **error);

/* All commands of the table, by group, for posternctl --help; new. */
char *command_help_list(void);

/* A command of a plugin; borrowed. */
typedef void CommandOfPlugin(
	void *data, const char *plugin, const char *verb, const char *arguments, const char *help);
/* Asks the daemon, and waits for two seconds at most.  False with a sentence. */
bool command_help_each_of_plugins(const Arguments *arguments, CommandOfPlugin *each, void *data, GError **error);

/* ---- completion.c ---- */

/* "completion bash": the script for that shell, zsh or fish; it asks `posternctl completion words` for each completion. */
int completion_print(const Arguments *arguments, GError **error);
/* A line for each word that may stand in place of the last of `words`, which begin behind the name of the program.  The exit
 * code. */
int completion_print_words(char *const *words);
