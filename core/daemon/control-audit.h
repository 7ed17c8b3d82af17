/* control-audit.h - records of what is changed: made by the daemon, shown by posternctl audit. */
#pragma once

#include "daemon/answer.h"
#include "daemon/control-role.h"
#include "daemon/daemon.h"

/* Opens the audit over the directory's store, and has the directory record its changes.  At the start. */
void audit_open(Daemon *daemon);
/* Whose secrets records leave out from now on; NULL: of none.  Takes a reference. */
void audit_use_plugins(Daemon *daemon, PluginSet *set);
/* A reload by SIGHUP, which nobody at the socket asked for, and what came of it.  May block. */
void audit_reload(Daemon *daemon, const char *answer);
/* What a command did that leaves no records of entries: its words, and what it answered.  May block. */
void audit_command(Daemon *daemon, const Request *request, ControlNeed need, const Answer *answer);
