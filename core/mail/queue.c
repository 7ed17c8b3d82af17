/* queue.c - a heap by the time of the next attempt, and a hash by id.
 *
 * A held message waits in the heap for its release, or outside if nobody said when; a parked one waits outside.  Verbs
 * of the administrator make the message active for themselves, or wait for whoever has it (queue-verb.c). */
#include "mail/queue.h"

#include "mail/queue-private.h"

#define QUEUE_CLOCK_SLACK 60 /* seconds that wall and monotonic clock may drift apart between two attempts */

static void
queue_item_free(void *item)
{
	g_slice_free(QueueItem, item);
}

/* ---- items; with the lock held ---- */

QueueItem *
queue_find(Queue *queue, QueueId id)
{
	return g_hash_table_lookup(queue->items, &id);
}

static QueueItem *
queue_add(Queue *queue, QueueId id)
{
	QueueItem *item = queue_find(queue, id);

	if (item != NULL)
		return item;
	item = g_slice_new0(QueueItem);
	item->id = id;
	item->at = QUEUE_NOT_IN_HEAP;
	g_hash_table_insert(queue->items, &item->id, item);
	return item;
}

void
queue_forget(Queue *queue, QueueItem *item)
{
	queue_heap_remove(queue->heap, item);
	g_hash_table_remove(queue->wants, &item->id);
	g_hash_table_remove(queue->items, &item->id);
}

/* `next_us` is wall time, and may be anything: it comes from the disk. */
static int64_t
queue_due(const Queue *queue, int64_t next_us, bool is_held)
{
	const int64_t most_us = INT64_MAX / 4;
	int64_t wait_us;

	if (next_us == CLOCK_NEVER)
		return CLOCK_NEVER;
	wait_us = CLAMP(next_us, -most_us, most_us) - clock_wall(queue->clock);
	if (!is_held)
		wait_us = MIN(wait_us, queue->longest_us);
	return clock_monotonic(queue->clock) + wait_us;
}

void
queue_unlock_and_wake(Queue *queue)
{
	const QueueItem *first = queue_heap_first(queue->heap);
	const bool is_earlier = first != NULL && first->due_us < queue->announced_us;

	if (is_earlier)
		queue->announced_us = first->due_us;
	g_mutex_unlock(&queue->lock);
	if (is_earlier && queue->wake != NULL)
		queue->wake(queue->data);
}

void *
queue_activate(Queue *queue, QueueItem *item)
{
	gpointer waiting = NULL;

	queue_heap_remove(queue->heap, item);
	if (item->is_parked)
		(void)g_hash_table_steal_extended(queue->parked, &item->id, NULL, &waiting);
	item->is_active = true;
	item->is_parked = false;
	queue->n_active++;
	return waiting;
}

void
queue_put_back(Queue *queue, QueueItem *item, int64_t due_us)
{
	if (item->is_active)
		queue->n_active--;
	item->is_active = false;
	queue_heap_put(queue->heap, item, due_us);
}

void
queue_schedule(Queue *queue, QueueItem *item, const MessageState *state)
{
	int64_t next_us = state->next_us;

	if (state->is_held)
		next_us = state->release_at_us != 0 ? state->release_at_us : CLOCK_NEVER;
	item->is_held = state->is_held;
	queue_put_back(queue, item, queue_due(queue, next_us, state->is_held));
	if (message_state_is_finished(state))
		queue_forget(queue, item);
}

/* ---- the whole ---- */

static bool
queue_fill_one(void *data, const SpoolSummary *summary)
{
	Queue *queue = data;
	QueueItem *item = queue_add(queue, summary->id);

	item->is_held = summary->is_held;
	queue_heap_put(queue->heap, item, queue_due(queue, summary->next_us, summary->is_held));
	return true;
}

Queue *
queue_new(Spool *spool, const Clock *clock, void (*wake)(void *data), void *data)
{
	Queue *queue = g_new0(Queue, 1);

	queue->spool = spool;
	queue->clock = clock;
	queue->wake = wake;
	queue->data = data;
	queue->announced_us = CLOCK_NEVER;
	queue->longest_us = INT64_MAX / 4;
	g_mutex_init(&queue->lock);
	queue->items = g_hash_table_new_full(spool_id_hash, g_int64_equal, NULL, queue_item_free);
	queue->wants = g_hash_table_new_full(spool_id_hash, g_int64_equal, g_free, queue_wants_free);
	queue->parked = g_hash_table_new(spool_id_hash, g_int64_equal);
	queue->heap = g_ptr_array_new();
	spool_each(spool, queue_fill_one, queue);
	return queue;
}

void
queue_free(Queue *queue)
{
	g_ptr_array_unref(queue->heap);
	g_hash_table_unref(queue->wants);
	g_hash_table_unref(queue->parked);
	g_hash_table_unref(queue->items);
	g_mutex_clear(&queue->lock);
	g_free(queue);
}

void
queue_set_longest_wait(Queue *queue, int64_t longest_us)
{
	const int64_t last_us = clock_monotonic(queue->clock) + longest_us;
	GHashTableIter each;
	gpointer data;

	g_mutex_lock(&queue->lock);
	if (longest_us < queue->longest_us) {
		g_hash_table_iter_init(&each, queue->items);
		while (g_hash_table_iter_next(&each, NULL, &data)) {
			QueueItem *item = data;

			if (item->at != QUEUE_NOT_IN_HEAP && !item->is_held && item->due_us > last_us)
				queue_heap_put(queue->heap, item, last_us);
		}
	}
	queue->longest_us = longest_us;
	queue_unlock_and_wake(queue);
}

void
queue_enter(Queue *queue, const MessageState *state)
{
	QueueItem *item;

	g_mutex_lock(&queue->lock);
	item = queue_find(queue, state->id);
	if (item == NULL && !message_state_is_finished(state))
		item = queue_add(queue, state->id);
	if (item != NULL && !item->is_active && !item->is_parked)
		queue_schedule(queue, item, state);
	queue_unlock_and_wake(queue);
}

/* Of one that is known, an adoption may have changed how long it is held.  None that is parked is
 * held. */
static bool
queue_refill_one(void *data, const SpoolSummary *summary)
{
	Queue *queue = data;

	QueueItem *item = queue_find(queue, summary->id);

	if (item == NULL)
		return queue_fill_one(queue, summary);
	if (summary->is_held && !item->is_active && !item->is_parked) {
		item->is_held = true;
		queue_put_back(queue, item, queue_due(queue, summary->next_us, true));
	}
	return true;
}

/* The index lock is taken within ours, here alone; nowhere is it the other way round. */
void
queue_refill(Queue *queue)
{
	g_mutex_lock(&queue->lock);
	spool_each(queue->spool, queue_refill_one, queue);
	queue_unlock_and_wake(queue);
}

/* Lock held. */
static QueueItem *
queue_first_due(Queue *queue, int64_t *due_us)
{
	QueueItem *first = queue_heap_first(queue->heap);

	if (first != NULL && first->due_us <= clock_monotonic(queue->clock))
		return first;
	*due_us = first != NULL ? first->due_us : CLOCK_NEVER;
	queue->announced_us = *due_us;
	return NULL;
}

bool
queue_take(Queue *queue, QueueId *id, int64_t *due_us)
{
	static const QueueWants release = { .verbs = WANTS_RELEASE };

	for (;;) {
		QueueItem *item;
		QueueId taken;
		bool was_held;

		g_mutex_lock(&queue->lock);
		item = queue_first_due(queue, due_us);
		if (item == NULL) {
			g_mutex_unlock(&queue->lock);
			return false;
		}
		(void)queue_activate(queue, item); /* in the heap, so it was not parked */
		was_held = item->is_held;
		taken = item->id;
		g_mutex_unlock(&queue->lock);
		if (!was_held) {
			*id = taken;
			return true;
		}
		/* Its hold ends now; it comes back as one that is due. */
		(void)queue_do_active(queue, taken, &release);
	}
}

size_t
queue_active(Queue *queue)
{
	size_t n;

	g_mutex_lock(&queue->lock);
	n = queue->n_active;
	g_mutex_unlock(&queue->lock);
	return n;
}

/* ---- of an active message ---- */

void
queue_record(Queue *queue, MessageState *state)
{
	spool_put_changes(queue->spool, state);
}

void
queue_return(Queue *queue, const MessageState *state)
{
	g_autoptr(MessageState) changed = NULL;
	QueueWants wants;
	QueueItem *item;

	if (queue_collect_wants(queue, state->id, &wants)) {
		changed = message_state_copy(state);
		if (queue_apply_wants(changed, &wants, clock_wall(queue->clock)))
			queue_record(queue, changed);
		state = changed;
		queue_wants_clear(&wants);
	}
	g_mutex_lock(&queue->lock);
	item = queue_find(queue, state->id);
	if (item != NULL)
		queue_schedule(queue, item, state);
	queue_unlock_and_wake(queue);
	queue_do_late(queue, state->id);
}

void
queue_postpone(Queue *queue, QueueId id, int64_t wait_us)
{
	SpoolSummary summary;
	const bool is_there = spool_summary(queue->spool, id, &summary);
	QueueItem *item;

	g_mutex_lock(&queue->lock);
	item = queue_find(queue, id);
	if (item != NULL) {
		queue_put_back(queue, item, clock_monotonic(queue->clock) + wait_us);
		if (!is_there)
			queue_forget(queue, item);
	}
	queue_unlock_and_wake(queue);
	queue_do_late(queue, id);
}

bool
queue_park(Queue *queue, QueueId id, void *waiting)
{
	QueueItem *item;
	bool is_parked;

	g_mutex_lock(&queue->lock);
	item = queue_find(queue, id);
	is_parked = item != NULL && !g_hash_table_contains(queue->wants, &id);
	if (is_parked) {
		queue_put_back(queue, item, CLOCK_NEVER);
		item->is_parked = true;
		g_hash_table_insert(queue->parked, &item->id, waiting);
	}
	g_mutex_unlock(&queue->lock);
	return is_parked;
}

void *
queue_unpark(Queue *queue, QueueId id)
{
	void *waiting = NULL;
	QueueItem *item;

	g_mutex_lock(&queue->lock);
	item = queue_find(queue, id);
	if (item != NULL && item->is_parked)
		waiting = queue_activate(queue, item);
	g_mutex_unlock(&queue->lock);
	return waiting;
}

void
queue_set_unparked(Queue *queue, void (*unparked)(void *data, void *waiting), void *data)
{
	queue->unparked = unparked;
	queue->unparked_data = data;
}

void
queue_end_waiting(Queue *queue, void *waiting)
{
	if (waiting != NULL && queue->unparked != NULL)
		queue->unparked(queue->unparked_data, waiting);
}

bool
queue_is_called_back(Queue *queue, QueueId id)
{
	const QueueWants *wants;
	bool is_called;

	g_mutex_lock(&queue->lock);
	wants = g_hash_table_size(queue->wants) > 0 ? g_hash_table_lookup(queue->wants, &id) : NULL;
	is_called = wants != NULL && (wants->verbs & (WANTS_HOLD | WANTS_BOUNCE | WANTS_REMOVE)) != 0;
	g_mutex_unlock(&queue->lock);
	return is_called;
}

/* ---- attempts ---- */

/* How far apart the clocks are, in seconds; never 0. */
static uint32_t
queue_clocks_apart(const Queue *queue)
{
	const int64_t apart_us = clock_wall(queue->clock) - clock_monotonic(queue->clock);
	const uint32_t apart = (uint32_t)(apart_us / CLOCK_SECOND + 1);

	return apart != 0 ? apart : 1;
}

void
queue_note_attempt(Queue *queue, QueueId id)
{
	QueueItem *item;

	g_mutex_lock(&queue->lock);
	item = queue_find(queue, id);
	if (item != NULL)
		item->attempted = queue_clocks_apart(queue);
	g_mutex_unlock(&queue->lock);
}

bool
queue_was_attempted(Queue *queue, QueueId id)
{
	const QueueItem *item;
	uint32_t attempted;

	g_mutex_lock(&queue->lock);
	item = queue_find(queue, id);
	attempted = item != NULL ? item->attempted : 0;
	g_mutex_unlock(&queue->lock);
	return attempted != 0 && ABS((int32_t)(queue_clocks_apart(queue) - attempted)) <= QUEUE_CLOCK_SLACK;
}
