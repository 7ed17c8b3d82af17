/* control-role.c - which role each command needs. */
#include "daemon/control-role.h"

#include <string.h>

#include "base/error.h"

/* A verb "-" is the command alone, "*" whatever follows.  A row is to be added for each new command and verb;
 * tests/system/test_roles.py compares the table with what `posternctl help` has. */
static const struct {
	const char *command, *verbs;
	ControlNeed need;
} control_needs[] = {
	{ "help", "*", NEEDS_LOOKING },
	{ "status", "*", NEEDS_LOOKING },
	{ "reload", "*", NEEDS_CHANGING },
	{ "stop", "*", NEEDS_CHANGING },
	{ "alarms", "*", NEEDS_LOOKING },
	{ "plugins", "*", NEEDS_LOOKING },
	{ "hooks", "*", NEEDS_LOOKING },
	{ "metrics", "*", NEEDS_LOOKING },
	{ "customer", "- show list", NEEDS_LOOKING },
	{ "customer", "add set enable disable remove", NEEDS_ENTRIES },
	{ "domain", "- show list", NEEDS_LOOKING },
	{ "domain", "add set enable disable remove", NEEDS_ENTRIES },
	{ "account", "- show list", NEEDS_LOOKING },
	{ "account", "add set passwd enable disable remove", NEEDS_ENTRIES },
	{ "recipient", "- show list", NEEDS_LOOKING },
	{ "recipient", "add set enable disable remove", NEEDS_ENTRIES },
	{ "usage", "*", NEEDS_LOOKING },
	{ "complaint", "list", NEEDS_LOOKING },
	{ "complaint", "add", NEEDS_CHANGING },
	{ "block", "list show", NEEDS_LOOKING },
	{ "block", "add lift", NEEDS_CHANGING },
	{ "listeners", "*", NEEDS_LOOKING },
	{ "clients", "*", NEEDS_LOOKING },
	{ "backup", "*", NEEDS_OWNER },
	{ "export", "*", NEEDS_SECRETS },
	{ "import", "*", NEEDS_ENTRIES },
	{ "queue", "- list show", NEEDS_LOOKING },
	{ "queue", "cat", NEEDS_SECRETS },
	{ "queue", "hold release retry bounce remove", NEEDS_CHANGING },
	{ "why", "*", NEEDS_LOOKING },
	{ "doctor", "*", NEEDS_LOOKING },
	{ "explain", "*", NEEDS_LOOKING },
	{ "spool", "-", NEEDS_LOOKING },
	{ "spool", "adopt", NEEDS_CHANGING },
	{ "audit", "*", NEEDS_LOOKING },
};

static bool
role_names(const char *verbs, const char *verb)
{
	g_auto(GStrv) words = g_strsplit(verbs, " ", -1);

	return strcmp(verbs, "*") == 0 || g_strv_contains((const char *const *)words, verb != NULL ? verb : "-");
}

ControlNeed
control_need(PluginSet *set, const char *const *words, bool is_core)
{
	const char *command = words[0] != NULL ? words[0] : "help";
	bool has_verbs = false;

	for (size_t i = 0; i < G_N_ELEMENTS(control_needs); i++) {
		if (strcmp(control_needs[i].command, command) != 0)
			continue;
		if (role_names(control_needs[i].verbs, words[0] != NULL ? words[1] : NULL))
			return control_needs[i].need;
		has_verbs = true;
	}
	if (has_verbs)
		return NEEDS_SECRETS; /* there is no such verb, which the command says to an operator */
	if (is_core)
		return NEEDS_NOTHING;
	return host_command_changes(set, command, words[1]) ? NEEDS_CHANGING : NEEDS_LOOKING;
}

size_t
control_named_words(char *const *words)
{
	if (words[0] == NULL || words[1] == NULL)
		return words[0] != NULL ? 1 : 0;
	for (size_t i = 0; i < G_N_ELEMENTS(control_needs); i++)
		if (strcmp(control_needs[i].command, words[0]) == 0 && strcmp(control_needs[i].verbs, "*") == 0)
			return 1;
	return 2;
}

bool
control_role_allows(const ControlPeer *peer, ControlNeed need, const char *const *words, GError **error)
{
	if (peer->role == ROLE_OWNER || need == NEEDS_LOOKING ||
		(peer->role == ROLE_OPERATOR && need != NEEDS_OWNER))
		return true;
	if (need == NEEDS_OWNER)
		return error_set(error, POSTERN_ERROR_INVALID,
			"%s hands out password hashes and secrets: only root and the daemon's user may ask for it, not user "
			"%s",
			words[0], peer->name);
	return error_set(error, POSTERN_ERROR_INVALID,
		"%s may not run \"%s%s%s\", which %s: members of [server] control-group, root and the daemon's user may; "
		"members of support-group look",
		peer->name, words[0], words[1] != NULL ? " " : "", words[1] != NULL ? words[1] : "",
		need == NEEDS_SECRETS ? "may show secrets or mail" : "changes something");
}
