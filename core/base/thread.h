/* thread.h - the threads of the daemon: each has a name, a record of what it does (activity.h), and
 * a stack that is large enough for the libraries of plugins. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/sanitizer.h"

typedef struct Thread Thread;

/* Octets of every thread's stack, but for the main thread's.  Virtual memory: what a thread never
 * reaches costs nothing. */
enum { THREAD_STACK = (HAS_SANITIZER ? 8 : 2) * 1024 * 1024 };

/* New; to be joined.  `name` has at most 15 characters and lives as long as the process.  Ends the
 * process if no thread can be started, as g_thread_new() does: for the few that the daemon cannot
 * do without. */
Thread *thread_new(const char *name, void *(*run)(void *data), void *data);
/* Waits for its end, and frees it.  Blocks. */
void thread_join(Thread *thread);
/* The same, until `deadline_us` (monotonic).  False: it still runs, and `thread` stays as it is. */
bool thread_join_until(Thread *thread, int64_t deadline_us);
/* One that nobody joins.  False: it cannot be started. */
bool thread_start(const char *name, void *(*run)(void *data), void *data);
/* Threads that libraries start get the same stack from now on. */
void thread_set_default_stack(void);
