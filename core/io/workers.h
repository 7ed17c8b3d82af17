/* workers.h - a pool of threads for work that may wait, or that computes for long. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"

typedef struct Workers Workers;
typedef struct Work Work;

/* Lives inside the object it serves, until `run` was called. */
struct Work {
	Work *next;
	uint64_t turn;
	int64_t queued_us;
	const void *client; /* for whom it is, compared only; NULL: for nobody whose works are counted */
	void (*run)(void *data);
	void *data;
};

typedef struct {
	const char *name;     /* of the threads, at most 15 characters               */
	unsigned most;        /* threads; they are started on demand                  */
	unsigned most_queued; /* works that may wait for a thread; 0: no bound         */
	unsigned most_of_client;        /* threads that works of one client may hold; 0: all      */
	unsigned most_queued_of_client; /* works of one client that may wait; 0: no bound          */
	int nice;             /* 0 … 19 above the process's own                       */
	const Clock *clock;
} WorkersSettings;

Workers *workers_new(const WorkersSettings *settings);
/* Waits until `deadline_us` (monotonic) for what runs and waits.  False: threads are left behind that do
 * not return; then nothing they use may be freed. */
bool workers_stop(Workers *workers, int64_t deadline_us);
void workers_free(Workers *workers); /* after workers_stop() was true */

/* Any thread.  Clients take turns; see work-queue.h.  False: too much waits already, of all clients
 * or of this one, or the pool was stopped. */
bool workers_run(Workers *workers, Work *work);

typedef struct {
	unsigned threads, idle, queued;
	int64_t oldest_us; /* how long the first in the queue has waited */
} WorkersFigures;

void workers_figures(Workers *workers, WorkersFigures *figures);
