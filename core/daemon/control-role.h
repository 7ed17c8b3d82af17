/* control-role.h - which role each command needs: the one table, by command and verb. */
#pragma once

#include "daemon/control-access.h"
#include "host/host.h"

typedef enum {
	NEEDS_NOTHING = 0, /* no row: the command is not in the table */
	NEEDS_LOOKING,     /* of support: changes nothing, shows no secret */
	NEEDS_SECRETS,     /* changes nothing, but shows password hashes or the content of mail */
	NEEDS_ENTRIES,     /* changes entries of the directory, each of which leaves a record of its own */
	NEEDS_CHANGING,    /* changes something else: a record of the command, with its answer */
	NEEDS_OWNER,       /* of root and the daemon's user: hands out all secrets; a record, too */
} ControlNeed;

/* Of "account add …" or "dnsbl lists".  What no row names needs as much as a change; a verb that does not exist changes
 * nothing, but support is not told more than that. */
ControlNeed control_need(PluginSet *set, const char *const *words, bool is_core);
/* How many words are the name of the command: of "account add …" two, of "import FILE" one. */
size_t control_named_words(char *const *words);
/* False with a sentence that says which group may. */
bool control_role_allows(const ControlPeer *peer, ControlNeed need, const char *const *words, GError **error);
