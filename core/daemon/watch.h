/* watch.h - what is looked at each second by a worker, as it may wait for disk and store. */
#pragma once

#include "daemon/daemon.h"

/* Once a second, by the main thread; begins nothing while the last look is still under way. */
void watch_tick(Daemon *daemon);
