/* watchdog.h - a thread that looks each second at what the others do (base/activity.h).
 *
 * It raises alarms for threads that do not come round, for hooks that do not return, and for
 * plugins that hold all the workers they may; says to the service manager what the daemon does, and
 * that it lives (WATCHDOG=1) while all loops come round; and ends a stop that takes too long.  It
 * takes no lock that a hook may hold. */
#pragma once

#include "daemon/daemon.h"

/* New; the daemon is starting. */
Watchdog *watchdog_new(Daemon *daemon);
/* Ends the thread.  Blocks for a moment. */
void watchdog_free(Watchdog *watchdog);
/* [server] stuck-after. */
void watchdog_set(Watchdog *watchdog, const Config *config);
/* The daemon serves from now on. */
void watchdog_serving(Watchdog *watchdog);
/* The daemon stops from now on: the hooks that it waits for are named, and `within_us` from now the
 * process ends, whatever still runs; what is to be durable must be so by then.  May be called again
 * with another time. */
void watchdog_stopping(Watchdog *watchdog, int64_t within_us);
/* "plugin X (stage mail), plugin Y (stage route)": hooks that run now; NULL: none does.  New. */
char *watchdog_name_hooks(void);
