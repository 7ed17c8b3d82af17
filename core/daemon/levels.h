/* levels.h - levels that customers have and the configuration lacks. */
#pragma once

#include "daemon/daemon.h"

typedef void LevelsMissing(void *data, const char *customer, const char *level);

/* Calls `each` for every such customer.  OK: all were looked at; UNSURE: the directory cannot be read now.  Waits. */
PtnStatus levels_each_missing(
	const Config *config, Directory *directory, LevelsMissing *each, void *data);
/* Each second, by a worker, one at a time: an alarm where there are some; the directory is read when customers or the
 * configuration changed. */
void levels_look(Daemon *daemon);
