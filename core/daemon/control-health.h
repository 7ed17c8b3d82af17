/* control-health.h - whether all is well, for programs that watch: monitors, load balancers. */
#pragma once

#include "daemon/control.h"

/* "OK - …", "WARNING - …" with the alarms, or "CRITICAL - …" where mail is not taken or not delivered; the exit code is 0, 1 or 2. */
void control_put_check(Daemon *daemon, Answer *answer);
