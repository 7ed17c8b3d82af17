/* control-queue.h - changing what waits in the queue. */
#pragma once

#include "daemon/control-select.h"
#include "daemon/control.h"

/* hold, release, retry, bounce, remove: words[1]; selectors behind it. */
bool queue_change(Daemon *daemon, const Request *request, Answer *answer, GError **error);
/* Holds what an account or a customer (`name`) has queued, and says in the answer what became of it. */
void queue_hold_all(
	Daemon *daemon, const char *name, const char *value, const char *reason, Answer *answer);
