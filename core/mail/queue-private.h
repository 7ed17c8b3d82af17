/* queue-private.h - what queue.c and queue-verb.c share. */
#pragma once

#include "mail/queue-heap.h"
#include "mail/queue.h"

enum {
	WANTS_HOLD = 1,
	WANTS_RELEASE = 2,
	WANTS_RETRY = 4,
	WANTS_BOUNCE = 8,
	WANTS_REMOVE = 16,
	WANTS_LET_GO = 32,
};

/* Verbs that wait for an active message. */
typedef struct {
	unsigned verbs;
	char *reason; /* of HOLD, BOUNCE, REMOVE; NULL: none */
	bool (*is_ours)(const char *hold_reason); /* of LET_GO */
} QueueWants;

struct Queue {
	Spool *spool;
	const Clock *clock;
	void (*wake)(void *data);
	void *data;
	void (*unparked)(void *data, void *waiting);
	void *unparked_data;

	GMutex lock; /* guards what follows */
	GHashTable *items;
	GHashTable *wants;    /* id -> QueueWants*, of messages that are active, or could not be read */
	GHashTable *parked;   /* id of a parked message -> what it waits for, the caller's */
	GPtrArray *heap;
	int64_t announced_us; /* when the scheduler will ask again: what queue_take() said, or a wake since */
	int64_t longest_us;
	size_t n_active;
};

/* ---- queue.c; with the lock held ---- */
QueueItem *queue_find(Queue *queue, QueueId id);
/* Returns what a parked message waited for, for queue_end_waiting() without the lock; else NULL. */
void *queue_activate(Queue *queue, QueueItem *item);
/* Gives the lock up. */
void queue_unlock_and_wake(Queue *queue);
void queue_schedule(Queue *queue, QueueItem *item, const MessageState *state);
void queue_put_back(Queue *queue, QueueItem *item, int64_t due_us);
void queue_forget(Queue *queue, QueueItem *item);

/* ---- queue.c; no lock held ---- */
/* A verb took the message; `waiting` may be NULL. */
void queue_end_waiting(Queue *queue, void *waiting);

/* ---- queue-verb.c; no lock held ---- */
/* Removes the jobs of the message that wait; false: there were none. */
bool queue_collect_wants(Queue *queue, QueueId id, QueueWants *wants);
void queue_wants_clear(QueueWants *wants);
void queue_wants_free(void *wants);
/* True if that changed the state. */
bool queue_apply_wants(MessageState *state, const QueueWants *wants, int64_t now_us);
/* The message is active for this alone: what is wanted of it is done, and it goes back. */
QueueResult queue_do_active(Queue *queue, QueueId id, const QueueWants *wants);
/* Verbs that came between the look of whoever gave the message back and its end. */
void queue_do_late(Queue *queue, QueueId id);
