/* watch.h - what is looked at all the time by a worker, as it may wait for disk and store. */
#pragma once

#include "daemon/daemon.h"

enum { WATCH_MS = 400 }; /* a block is to be known to all nodes within a second, and a look takes its time, too */

/* Every WATCH_MS, by the main thread; begins nothing while the last look is still under way. */
void watch_tick(Daemon *daemon);
