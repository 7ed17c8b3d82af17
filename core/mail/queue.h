/* queue.h - which message is to be tried when: the schedule over the spool, and the administrator's verbs.
 *
 * Any thread.  A message taken by queue_take() is in hand: nobody else gets it until queue_update(). */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "mail/spool.h"

typedef struct Queue Queue;

/* Fills itself from the spool.  `wake` is called (any thread, no lock held) when something became due earlier than was known. */
Queue *queue_new(Spool *spool, const Clock *clock, void (*wake)(void *data), void *data);
void queue_free(Queue *queue);

/* After a transaction was committed: its messages are scheduled as their states say. */
void queue_enter(Queue *queue, const MessageState *state);
/* Enters what the spool has and the queue does not know (after spool_adopt()). */
void queue_refill(Queue *queue);
/* Takes the message that is due first, if one is due by `now_us`; else false and `next_us` says when (CLOCK_NEVER: nothing). */
bool queue_take(Queue *queue, int64_t now_us, QueueId *id, int64_t *next_us);
/* A message in hand: its new state is put to the spool and rescheduled (finished: forgotten).  Takes.
 * With `transaction` (taken; a bounce) both are committed together, waiting: false if that failed,
 * and then the message is tried again in a minute with its old state.
 * A verb of the administrator that came in meanwhile (hold, remove, retry) is merged and wins over what it concerns. */
bool queue_update(Queue *queue, MessageState *state, SpoolTransaction *transaction);

/* A message in hand goes back as it was, to be tried at `next_us`; nothing is written. */
void queue_postpone(Queue *queue, QueueId id, int64_t next_us);

typedef enum { QUEUE_HOLD, QUEUE_RELEASE, QUEUE_RETRY, QUEUE_REMOVE } QueueVerb;
/* False: no such message.  In-hand messages get it when they come back. */
bool queue_do(Queue *queue, QueueId id, QueueVerb verb, const char *reason);
/* For `posternctl queue bounce`: due at once, expiry regardless of age. */
bool queue_expire(Queue *queue, QueueId id);
bool queue_is_expired(Queue *queue, QueueId id);
size_t queue_in_hand(Queue *queue);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Queue, queue_free)
