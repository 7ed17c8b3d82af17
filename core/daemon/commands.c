/* commands.c - the table of commands. */
#include "daemon/commands.h"

#include <string.h>

const Command commands_all[] = {
	{ "status", "[--check]", "one line: is all well?", TAKES_CHECK },
	{ "reload", "", "check the configuration, then use it" },
	{ "alarms", "", "what needs the administrator" },
	{ "plugins", "", "calls, time, refusals and failures of each plugin" },
	{ "hooks", "", "the chain per stage" },
	{ "metrics", "", "all counters" },
	{ "customer", "add|set|show|enable|disable|remove NAME [OPTION=VALUE …]|list [FILTER …]", "customers",
		TAKES_HOLD },
	{ "domain", "add|set|show|remove NAME [OPTION=VALUE …]|list [FILTER …]", "mail domains", TAKES_YES },
	{ "account", "add|set|show|passwd|enable|disable|remove LOGIN [OPTION=VALUE …]|list [FILTER …]",
		"outbound accounts", TAKES_HOLD },
	{ "recipient", "add|show|remove ADDRESS|list [DOMAIN]",
		"addresses that domains with valid-recipients = yes take" },
	{ "usage", "CUSTOMER|LOGIN", "what was sent of what is allowed (plugin limits)" },
	{ "complaint", "add LOGIN | add SUBMIT-ID TAG | list LOGIN",
		"complaints about the mail of an account (plugin standing)" },
	{ "block", "list|show IP|add NETWORK [for=TIME|forever] [reason=TEXT]|lift NETWORK",
		"client addresses that may not connect" },
	{ "listeners", "", "addresses and ports on which mail is taken" },
	{ "clients", "[ADDRESS|LOGIN]",
		"which client networks and accounts use how much of [clients] and [accounts]" },
	{ "backup", "DIRECTORY", "stores, secrets and configuration into a directory, while the daemon runs" },
	{ "export", "", "customers, domains, accounts and recipients as text" },
	{ "import", "FILE [--dry-run]", "add and change them as a text says", TAKES_DRY_RUN },
	{ "queue", "[list|show|cat|hold|release|retry|bounce|remove ID|SELECTOR … [--yes]]", "what waits, and why",
		TAKES_YES | TAKES_DRY_RUN },
	{ "why", "ADDRESS|LOGIN|CLIENT|SESSION|ID [limit=N]", "what was refused, and why" },
	{ "doctor", "", "what others will think of this node: names, SPF, certificates, clock, disk" },
	{ "explain", "--client IP --from ADDRESS --to ADDRESS [--login LOGIN] [--listener NAME] [--helo NAME] [FILE]",
		"a message goes through the chain and is not queued: what each plugin says" },
	{ "audit", "[customer=NAME] [domain=NAME] [account=LOGIN] [who=USER] [since=AGE|TIME] [limit=N]",
		"who changed what, newest first" },
	{ "spool", "[adopt DIRECTORY]", "figures of the spool; take over that of a lost node" },
	{ "stop", "", "ends the daemon" },
	{ "help", "[COMMAND]", "the commands of the daemon; what one of them takes" },
	{ "spool check", "[DIRECTORY]", "verifies a spool that no daemon uses", .is_local = true },
	{ "spool set-aside", "SEGMENT [DIRECTORY]",
		"starts without what the disk cannot read; no daemon may use the spool", .is_local = true },
	{ "store copy", "FROM TO", "a store or directory into another back end; no daemon may use it", TAKES_YES,
		.is_local = true },
	{ "store init", "[directory|store]",
		"makes the Redis of a new installation ready; one that lost its data is restored instead",
		.is_local = true },
	{ "restore", "DIRECTORY [--keep-config]", "a backup into this machine; no daemon may use its stores",
		TAKES_YES | TAKES_DRY_RUN, .is_local = true },
	{ "completion", "bash|zsh|fish", "prints the script that completes commands in that shell", .is_local = true },
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
commands_match(const Command *command, char *const *words)
{
	g_auto(GStrv) mine = g_strsplit(command->words, " ", 2);

	if (words[0] == NULL || strcmp(mine[0], words[0]) != 0)
		return false;
	return mine[1] == NULL || words[1] == NULL || strcmp(mine[1], words[1]) == 0;
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
