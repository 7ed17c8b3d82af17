/* control-role.h - which role a request needs, and whether its peer has it. */
#pragma once

#include "daemon/commands.h"
#include "daemon/control-access.h"
#include "host/host.h"

/* Of "account add …", by its row of the table; `command` NULL: of "dnsbl lists", by what the plugin declares.  A verb that does
 * not exist changes nothing, but support is not told more than that. */
ControlNeed control_need(PluginSet *set, const Command *command, const char *const *words);
/* False with a sentence that says which group may. */
bool control_role_allows(const ControlPeer *peer, ControlNeed need, const char *const *words, GError **error);
