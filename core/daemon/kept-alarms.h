/* kept-alarms.h - alarms with an end, in a file of the state directory: they survive a restart.
 *
 * The reason for an alarm without an end is found again after a start.  An event leaves nothing to find, so an alarm about one is
 * raised with an end (ptn_alarm_until()), and kept here. */
#pragma once

#include <stdint.h>

#include "service/metrics.h"

typedef struct KeptAlarms KeptAlarms;

/* Raises those of DIRECTORY/alarms that still hold, and writes the file at each change from now on.  A line that cannot be read is
 * left out.  Before other threads use `metrics`; blocks on the disk, and so does each such change. */
KeptAlarms *kept_alarms_open(const char *directory, Metrics *metrics, int64_t now_us);
/* When nobody raises alarms any more; NULL is allowed. */
void kept_alarms_close(KeptAlarms *kept);
