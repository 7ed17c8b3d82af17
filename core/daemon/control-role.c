/* control-role.c - which role each command needs. */
#include "daemon/control-role.h"

#include "base/error.h"

ControlNeed
control_need(PluginSet *set, const Command *command, const char *const *words)
{
	ControlNeed need;

	if (command == NULL)
		return host_command_changes(set, words[0], words[1]) ? NEEDS_CHANGING : NEEDS_LOOKING;
	need = commands_need(command, words[0] != NULL ? words[1] : NULL);
	/* There is no such verb, which the command says to an operator. */
	return need != NEEDS_NOTHING ? need : NEEDS_SECRETS;
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
