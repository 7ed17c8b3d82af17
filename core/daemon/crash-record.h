/* crash-record.h - crashes of earlier runs: which plugin, at which message.
 *
 * The file "crashes" in the state directory has a line for each crash, appended by the handler of
 * crash.h.  It is read at the start, made anew without what is of no more use, and kept open for
 * the next crash. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "mail/queue.h"
#include "service/metrics.h"

typedef struct CrashRecord CrashRecord;

/* New.  Reads the file in `directory`; one that is absent or not readable counts as empty.  What
 * happens from now on is appended to it; where that is impossible the log says so. */
CrashRecord *crash_record_open(const char *directory);
/* The handler appends no more. */
void crash_record_close(CrashRecord *record);
/* After the queue was filled and before anything is delivered: a message that was being processed
 * at two crashes is held, and its count begins anew when it is released.  Waits for the disk.  A message
 * that is active, or cannot be read, is held by crash_record_look(). */
void crash_record_hold(CrashRecord *record, Spool *spool, Queue *queue);
/* By the main thread, each second: the alarms "crash" (what crashed within a day) and "crash.held"
 * (messages that are held because of that).  `now_us`: wall clock.  Reads the disk while a message is to be held. */
void crash_record_look(CrashRecord *record, Spool *spool, Queue *queue, Metrics *metrics, int64_t now_us);
