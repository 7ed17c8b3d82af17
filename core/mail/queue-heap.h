/* queue-heap.h - what the queue knows of a message, and a heap of messages by when they are due.
 *
 * No lock of its own: the queue's guards it. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/id.h"

enum { QUEUE_NOT_IN_HEAP = G_MAXUINT };

typedef struct {
	QueueId id;
	int64_t due_us;      /* of the monotonic clock, which does not jump; may be before its start */
	guint at;            /* in the heap, or QUEUE_NOT_IN_HEAP */
	uint32_t attempted;  /* wall less monotonic clock at the last failed attempt, in seconds; 0: none in this process */
	bool is_active, is_parked, is_held;
} QueueItem;

/* Puts it where `due_us` says, whether it was in the heap or not; CLOCK_NEVER: takes it out. */
void queue_heap_put(GPtrArray *heap, QueueItem *item, int64_t due_us);
void queue_heap_remove(GPtrArray *heap, QueueItem *item);
QueueItem *queue_heap_first(const GPtrArray *heap); /* NULL: it is empty */
