/* commands.h - the table of commands, of the daemon and of posternctl itself: their functions, the role that each verb needs,
 * --help, completion, the daemon's `help` and the names that no plugin may have are made from it, and an option that a command
 * does not take is refused by it.  Its rows are in command-table.h. */
#pragma once

#include <glib.h>
#include <stdbool.h>

enum { TAKES_YES = 1, TAKES_DRY_RUN = 2, TAKES_HOLD = 4, TAKES_CHECK = 8 };

typedef enum {
	NEEDS_NOTHING = 0, /* no row: the command is not in the table */
	NEEDS_LOOKING,     /* of support: changes nothing, shows no secret */
	NEEDS_SECRETS,     /* changes nothing, but shows password hashes or the content of mail */
	NEEDS_ENTRIES,     /* changes entries of the directory, each of which leaves a record of its own */
	NEEDS_CHANGING,    /* changes something else: a record of the command, with its answer */
	NEEDS_OWNER,       /* of root and the daemon's user: hands out all secrets; a record, too */
} ControlNeed;

/* Where --help shows it. */
typedef enum { COMMANDS_LOOK, COMMANDS_ENTRIES, COMMANDS_CHANGE, COMMANDS_KEEP, COMMANDS_GROUPS } CommandGroup;

enum { COMMAND_NEEDS = 4 };

typedef struct {
	ControlNeed need;
	const char *verbs; /* separated by blanks; "-": the command alone, "*": whatever follows */
} CommandNeed;

typedef struct {
	CommandGroup group;
	const char *words;     /* "queue"; "spool check" */
	const char *arguments; /* "list|show ID": words in lower case are verbs, "[…]" may be left out */
	const char *help;
	unsigned takes;     /* options; others are refused, not ignored */
	bool is_local;      /* posternctl carries it out itself: the daemon does not know it */
	const char *plugin; /* whose commands it stands for; NULL: none's */
	CommandNeed needs[COMMAND_NEEDS]; /* ends with a row without verbs */
} Command;

/* Ends with a row without words. */
extern const Command commands_all[];

/* The command of the daemon of that word; NULL: none. */
const Command *commands_find(const char *word);
/* True: the first word of a command of the daemon or of posternctl, which no plugin may take for its own. */
bool commands_is_reserved(const char *word);
/* Whether `words` (NULL-terminated) are of this row: all of its words for one of two, if two are given. */
bool commands_match(const Command *command, char *const *words);
/* Whether `words` begin with all words of the row `row`. */
bool commands_name(const char *row, char *const *words);
/* What the command needs with `verb` behind it (NULL: alone); NEEDS_NOTHING: it has no such verb. */
ControlNeed commands_need(const Command *command, const char *verb);
/* False: what follows the command is no verb of it. */
bool commands_has_verbs(const Command *command);
/* Verbs that `arguments` name, and the second word of a row of two; options that the command takes.  New arrays of char* that
 * free them; in the order of the table, each once. */
GPtrArray *commands_verbs(const Command *command);
GPtrArray *commands_options(const Command *command);
/* What an option "--yes" does, in a few words; NULL: it says so in the command's arguments alone. */
const char *commands_option_help(const char *option);
/* The name of the option of that flag (TAKES_…). */
const char *commands_option_name(unsigned flag);
/* True: some command takes it, and the daemon reads it as an option. */
bool commands_knows_option(const char *option);
