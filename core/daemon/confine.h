/* confine.h - what the process gives up: the filter of its system calls, and the parsers outside it. */
#pragma once

#include "daemon/daemon.h"

/* Starts the keeper of parsers; before there are threads, and before confine_daemon(). */
bool confine_open_parsers(Daemon *daemon, GError **error);
/* What [sandbox] says of parsers, from now on. */
void confine_set_limits(Daemon *daemon, const Config *config);
/* Installs the filter, unless [sandbox] filter = no.  What cannot be filtered is an alarm, no failure. */
void confine_daemon(Daemon *daemon);
/* Once a second: an alarm while no parser can be started. */
void confine_tick(Daemon *daemon);
