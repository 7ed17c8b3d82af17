/* control-role.h - which role a request needs, and whether its peer has it. */
#pragma once

#include "daemon/commands.h"
#include "daemon/control-access.h"
#include "host/host.h"

/* Of "account add …" or "dnsbl lists", by the table of commands and what plugins declare.  A verb that does not exist changes
 * nothing, but support is not told more than that. */
ControlNeed control_need(PluginSet *set, const char *const *words);
/* How many words are the name of the command: of "account add …" two, of "import FILE" one. */
size_t control_named_words(char *const *words);
/* False with a sentence that says which group may. */
bool control_role_allows(const ControlPeer *peer, ControlNeed need, const char *const *words, GError **error);
