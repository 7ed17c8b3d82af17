/* held.h - held mail that somebody should look at. */
#pragma once

#include "daemon/daemon.h"

/* Each second, by a worker, one at a time: once an hour an alarm, and a notice to the postmaster, where held mail is older than
 * [spool] hold-at-most. */
void held_look(Daemon *daemon);
