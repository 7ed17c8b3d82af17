/* confine.h - [sandbox] of the configuration: the filter of system calls, and the limits of parsers. */
#pragma once

#include "daemon/daemon.h"

/* Starts the keeper of parsers; before there are threads, and before confine_daemon(). */
bool confine_open_parsers(Daemon *daemon, GError **error);
/* Limits parsers as [sandbox] says, after a reload. */
void confine_set_limits(Daemon *daemon);
/* Installs the filter of the daemon, unless [sandbox] filter = no.  Without seccomp the daemon runs on, with an alarm. */
void confine_daemon(Daemon *daemon);
/* Once a second: an alarm while no parser can be started. */
void confine_tick(Daemon *daemon);
