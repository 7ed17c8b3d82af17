/* queue.h - which message is to be tried when: the schedule over the spool, and the administrator's verbs.
 *
 * Any thread.  A message is *active* from queue_take() or queue_unpark() until queue_return(), queue_park() or
 * queue_postpone(); nobody else gets it meanwhile.  The times of attempts are kept by the monotonic clock, so that a
 * wall clock that jumps neither delays mail nor hurries it. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "mail/spool.h"

typedef struct Queue Queue;

/* Fills itself from the spool.  `wake` is called (any thread, no lock held) when something became due earlier than
 * was known. */
Queue *queue_new(Spool *spool, const Clock *clock, void (*wake)(void *data), void *data);
void queue_free(Queue *queue);
/* No attempt is further away than this, whatever the states say: a wrong clock may have written them.  Holds that end
 * at a time are not concerned. */
void queue_set_longest_wait(Queue *queue, int64_t longest_us);

/* After a transaction was committed: its messages are scheduled as their states say. */
void queue_enter(Queue *queue, const MessageState *state);
/* Enters what the spool has and the queue does not know (after spool_adopt()). */
void queue_refill(Queue *queue);
/* Makes the message active that is due first, if one is due now; else false, and `due_us` says when (monotonic;
 * CLOCK_NEVER: nothing). */
bool queue_take(Queue *queue, QueueId *id, int64_t *due_us);
size_t queue_active(Queue *queue); /* how many messages are */

/* ---- of an active message ---- */

/* Its state as far as it is known now is put to the spool, as spool_put_changes() does; the message stays active. */
void queue_record(Queue *queue, MessageState *state);
/* It is active no more, and scheduled as `state` says, which was recorded; a finished one is forgotten.  A verb of the
 * administrator that came in meanwhile is applied now, and recorded. */
void queue_return(Queue *queue, const MessageState *state);
/* It goes back as it was, to be tried in `wait_us` at the earliest; nothing is written, but verbs that came meanwhile
 * are applied.  One that the spool does not have any more is forgotten. */
void queue_postpone(Queue *queue, QueueId id, int64_t wait_us);
/* The same, until queue_unpark() or a verb; `waiting`, not NULL, is what the message waits for.
 * False: a verb is pending, and the message stays active.  Never blocks and calls nobody, so that
 * the caller may hold a lock of its own. */
bool queue_park(Queue *queue, QueueId id, void *waiting);
/* A parked message becomes active; returns its `waiting`.  NULL: the message is not parked. */
void *queue_unpark(Queue *queue, QueueId id);
/* `unparked` is called with the `waiting` of each parked message that a verb takes: any thread, no
 * lock held.  To be set before the first queue_park(). */
void queue_set_unparked(Queue *queue, void (*unparked)(void *data, void *waiting), void *data);
/* A hold, a removal or a return to the sender waits for it: what is not on the wire should not be begun. */
bool queue_is_called_back(Queue *queue, QueueId id);

/* An attempt failed for now. */
void queue_note_attempt(Queue *queue, QueueId id);
/* An attempt failed before in this process, and the wall clock has not jumped since: its age can be believed. */
bool queue_was_attempted(Queue *queue, QueueId id);

/* ---- verbs ---- */

typedef enum { QUEUE_HOLD, QUEUE_RELEASE, QUEUE_RETRY, QUEUE_BOUNCE, QUEUE_REMOVE } QueueVerb;

typedef enum {
	QUEUE_DONE,       /* and durable once spool_flush() returns true */
	QUEUE_NOTHING,    /* to do: a retry of a held message, or a release of one that is not held */
	QUEUE_WHEN_BACK,  /* it is active: the verb is applied when it comes back and can be read */
	QUEUE_NOT_THERE,
	QUEUE_UNREADABLE, /* its state cannot be read now: nothing was done */
} QueueResult;

/* `reason`: of a hold, a removal, or the reply that a return to the sender reports; NULL: none.  Reads the disk. */
QueueResult queue_do(Queue *queue, QueueId id, QueueVerb verb, const char *reason);
/* Releases a message whose hold reason `is_ours`, and makes one due now that is not held; a hold of somebody else
 * stays, one that comes before this takes effect too. */
QueueResult queue_let_go(Queue *queue, QueueId id, bool (*is_ours)(const char *hold_reason));

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Queue, queue_free)
