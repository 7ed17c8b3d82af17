/* process.h - the process itself: its user, its limits, the sockets it was given, what systemd wants to know. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "engine/settings.h"
#include "service/config.h"

/* Listening sockets passed by systemd (LISTEN_FDS); an array of ListenSocket, maybe empty. */
GArray *process_take_sockets(void);
/* As root: opens the listeners' sockets now, before the user changes, and adds them to `sockets`. */
bool process_bind_low_ports(const EngineSettings *engine, GArray *sockets, GError **error);
/* As root: makes the directories that are missing, gives them to [server] user, and becomes that user.  Else
 * only makes the directories. */
bool process_become_user(const Config *config, GError **error);
/* The second half of it: as root becomes [server] user, who exists. */
bool process_take_user(const Config *config, GError **error);
/* As many descriptors as the system allows. */
void process_raise_limits(void);
/* How long the service manager waits for a WATCHDOG=1 (sd_watchdog_enabled(3)), in microseconds; 0: it does not. */
int64_t process_watchdog_us(void);
/* Tells the service manager ("READY=1"); nothing happens without one. */
void process_notify(const char *state);
