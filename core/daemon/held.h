/* held.h - mail that is held: what goes on because its domain changed, and what somebody should look at. */
#pragma once

#include "daemon/daemon.h"

/* Once a second, by the main thread; the work itself is a worker's. */
void held_tick(Daemon *daemon);
