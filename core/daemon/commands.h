/* commands.h - the table of commands, of the daemon and of posternctl itself: --help, completion and the daemon's `help` are made
 * from it, and an option that a command does not take is refused by it. */
#pragma once

#include <glib.h>
#include <stdbool.h>

enum { TAKES_YES = 1, TAKES_DRY_RUN = 2, TAKES_HOLD = 4, TAKES_CHECK = 8 };

typedef struct {
	const char *words;     /* "queue"; "spool check" */
	const char *arguments; /* "list|show ID": words in lower case are verbs, "[…]" may be left out */
	const char *help;
	unsigned takes;    /* options; others are refused, not ignored */
	bool is_local;     /* posternctl carries it out itself: the daemon does not know it */
} Command;

/* Ends with a row without words. */
extern const Command commands_all[];

/* The command of the daemon of that word; NULL: none. */
const Command *commands_find(const char *word);
/* Whether `words` (NULL-terminated) are of this row: all of its words for one of two, if two are given. */
bool commands_match(const Command *command, char *const *words);
/* Verbs that `arguments` name, and the second word of a row of two; options that the command takes.  New arrays of char* that
 * free them; in the order of the table, each once. */
GPtrArray *commands_verbs(const Command *command);
GPtrArray *commands_options(const Command *command);
/* What an option "--yes" does, in a few words; NULL: it says so in the command's arguments alone. */
const char *commands_option_help(const char *option);
