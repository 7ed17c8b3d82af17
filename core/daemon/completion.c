/* completion.c - completion of posternctl in bash, zsh and fish.
 *
 * The scripts know no command: they ask `posternctl completion words` with the words typed so far, so that they never are
 * older than the program, and commands of plugins are those of the daemon that runs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "config.h"
#include "daemon/command-help.h"
#include "daemon/commands.h"

/* ---- scripts ---- */

static const char completion_bash[] =
	"# bash completion of posternctl; in /etc/bash_completion.d, or by: . <(posternctl completion bash)\n"
	"_posternctl() {\n"
	"\tlocal IFS=$'\\n'\n"
	"\tCOMPREPLY=($(\"$1\" completion words \"${COMP_WORDS[@]:1:COMP_CWORD}\" 2>/dev/null))\n"
	"}\n"
	"complete -o default -F _posternctl posternctl\n";

static const char completion_zsh[] =
	"#compdef posternctl\n"
	"# zsh completion of posternctl; as _posternctl in a directory of $fpath,\n"
	"# or by: . <(posternctl completion zsh)\n"
	"_posternctl() {\n"
	"\tlocal -a found\n"
	"\tfound=(\"${(@f)$(\"$words[1]\" completion words \"${(@)words[2,CURRENT]}\" 2>/dev/null)}\")\n"
	"\tif [[ -n \"$found\" ]]; then\n"
	"\t\tcompadd -a found\n"
	"\telse\n"
	"\t\t_files\n"
	"\tfi\n"
	"}\n"
	"if [[ \"$funcstack[1]\" = _posternctl ]]; then\n"
	"\t_posternctl \"$@\"\n"
	"else\n"
	"\tcompdef _posternctl posternctl\n"
	"fi\n";

static const char completion_fish[] =
	"# fish completion of posternctl; as posternctl.fish in /etc/fish/completions,\n"
	"# or by: posternctl completion fish | source\n"
	"function __posternctl_words\n"
	"\tset -l typed (commandline -opc)\n"
	"\tset -l partial (commandline -ct)\n"
	"\t$typed[1] completion words $typed[2..-1] \"$partial\" 2>/dev/null\n"
	"end\n"
	"complete -c posternctl -f -a '(__posternctl_words)'\n"
	"complete -c posternctl -n 'not count (__posternctl_words) >/dev/null' -F\n";

int
completion_print(const Arguments *arguments, GError **error)
{
	const char *shell = arguments->words[1];
	static const struct {
		const char *shell, *script;
	} scripts[] = { { "bash", completion_bash }, { "zsh", completion_zsh }, { "fish", completion_fish } };

	for (size_t i = 0; shell != NULL && i < G_N_ELEMENTS(scripts); i++)
		if (strcmp(scripts[i].shell, shell) == 0)
			return fputs(scripts[i].script, stdout) >= 0 ? EXIT_SUCCESS : EXIT_FAILURE;
	error_set(error, POSTERN_ERROR_INVALID, "completion wants a shell: bash, zsh or fish");
	return EXIT_FAILURE;
}

/* ---- words ---- */

/* Options of posternctl itself. */
static const struct {
	const char *name;
	bool takes_value;
} completion_globals[] = { { "--config", true }, { "-c", true }, { "--socket", true }, { "-s", true },
	{ "--password-file", true }, { "--json", false }, { "-j", false }, { "--help", false },
	{ "--version", false } };

typedef struct {
	Arguments arguments; /* config and socket as typed, borrowed */
	GPtrArray *words;    /* char*, borrowed: without options, ends with NULL */
	const char *partial;
	bool is_value;         /* of an option: a file */
	GPtrArray *candidates; /* char* */
} Completion;

static void
completion_offer(Completion *completion, const char *word)
{
	if (g_str_has_prefix(word, completion->partial) &&
		!g_ptr_array_find_with_equal_func(completion->candidates, word, g_str_equal, NULL))
		g_ptr_array_add(completion->candidates, g_strdup(word));
}

static bool
completion_takes_value(const char *word)
{
	for (size_t i = 0; i < G_N_ELEMENTS(completion_globals); i++)
		if (completion_globals[i].takes_value && strcmp(completion_globals[i].name, word) == 0)
			return true;
	return false;
}

static void
completion_keep_value(Completion *completion, const char *option, char *value)
{
	if (strcmp(option, "--config") == 0 || strcmp(option, "-c") == 0)
		completion->arguments.config = value;
	else if (strcmp(option, "--socket") == 0 || strcmp(option, "-s") == 0)
		completion->arguments.socket = value;
}

static void
completion_read(Completion *completion, char *const *words)
{
	const char *option = NULL;

	completion->partial = "";
	for (; *words != NULL; words++) {
		completion->is_value = option != NULL;
		if (words[1] == NULL) {
			completion->partial = *words;
		} else if (option != NULL) {
			completion_keep_value(completion, option, *words);
			option = NULL;
		} else if (completion_takes_value(*words)) {
			option = *words;
		} else if ((*words)[0] != '-') {
			g_ptr_array_add(completion->words, *words);
		}
	}
	g_ptr_array_add(completion->words, NULL);
}

static void
completion_offer_all(Completion *completion, GPtrArray *words)
{
	for (guint i = 0; i < words->len; i++)
		completion_offer(completion, g_ptr_array_index(words, i));
	g_ptr_array_unref(words);
}

static void
completion_offer_options(Completion *completion, char *const *words)
{
	for (const Command *command = commands_all; command->words != NULL; command++)
		if (commands_match(command, words))
			completion_offer_all(completion, commands_options(command));
	for (size_t i = 0; i < G_N_ELEMENTS(completion_globals); i++)
		if (completion_globals[i].name[1] == '-')
			completion_offer(completion, completion_globals[i].name);
}

static void
completion_offer_plugin(void *data, const char *plugin, const char *verb, const char *arguments, const char *help)
{
	Completion *completion = data;
	const char *first = g_ptr_array_index(completion->words, 0);

	(void)arguments, (void)help;
	if (first == NULL)
		completion_offer(completion, plugin);
	else if (strcmp(first, plugin) == 0 && *verb != '\0')
		completion_offer(completion, verb);
}

static void
completion_offer_commands(Completion *completion)
{
	for (const Command *command = commands_all; command->words != NULL; command++) {
		g_auto(GStrv) words = g_strsplit(command->words, " ", 2);

		completion_offer(completion, words[0]);
	}
	(void)command_help_each_of_plugins(&completion->arguments, completion_offer_plugin, completion, NULL);
}

static void
completion_offer_verbs(Completion *completion, char *const *words)
{
	bool is_known = false;

	for (const Command *command = commands_all; command->words != NULL; command++) {
		if (!commands_match(command, words))
			continue;
		completion_offer_all(completion, commands_verbs(command));
		is_known = true;
	}
	if (!is_known)
		(void)command_help_each_of_plugins(&completion->arguments, completion_offer_plugin, completion, NULL);
}

static void
completion_find(Completion *completion)
{
	char *const *words = (char *const *)completion->words->pdata;
	const guint n = completion->words->len - 1;
	const bool is_help = n > 0 && strcmp(words[0], "help") == 0;

	if (completion->is_value)
		return;
	if (completion->partial[0] == '-') {
		completion_offer_options(completion, words);
		return;
	}
	if (is_help)
		g_ptr_array_remove_index(completion->words, 0);
	if (n == (is_help ? 1U : 0U))
		completion_offer_commands(completion);
	else if (n == (is_help ? 2U : 1U))
		completion_offer_verbs(completion, (char *const *)completion->words->pdata);
}

int
completion_print_words(char *const *words)
{
	g_autoptr(GPtrArray) kept = g_ptr_array_new();
	g_autoptr(GPtrArray) candidates = g_ptr_array_new_with_free_func(g_free);
	Completion completion = { .words = kept, .candidates = candidates };

	completion_read(&completion, words);
	if (completion.arguments.config == NULL && g_file_test(POSTERN_SYSCONFDIR "/postern.conf", G_FILE_TEST_EXISTS))
		completion.arguments.config = (char *)(uintptr_t)POSTERN_SYSCONFDIR "/postern.conf";
	completion_find(&completion);
	for (guint i = 0; i < candidates->len; i++)
		puts(g_ptr_array_index(candidates, i));
	return EXIT_SUCCESS;
}
