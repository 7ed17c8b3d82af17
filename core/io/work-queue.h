/* work-queue.h - the works that wait for a thread, in the order in which they get one.
 *
 * Clients take turns: a client's second work comes behind the first works of all others, so that
 * a client with many works delays its own only.  Turns go on while works are taken, so that no work
 * is overtaken for ever.  It has no lock.  Adding walks over the queue if works have clients. */
#pragma once

#include "io/workers.h"

typedef struct {
	Work *first, *last;
	uint64_t turn;  /* of the work that was taken last */
	unsigned count;
} WorkQueue;

/* Puts `work` where its client's turn is.  False, and not added: `most_of_client` works of this
 * client wait already (0: no bound). */
bool work_queue_add(WorkQueue *queue, Work *work, unsigned most_of_client);

typedef bool WorkBar(const void *data, const void *client);

/* Takes the first work whose client is not barred; `is_barred` may be NULL.  NULL: there is none. */
Work *work_queue_take(WorkQueue *queue, WorkBar *is_barred, const void *data);
