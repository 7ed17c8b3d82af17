/* queue.c - a heap by the time of the next attempt, and a hash by id.
 *
 * A held message waits in the heap for its release, or outside if nobody said when.  Verbs of the
 * administrator take the message in hand themselves, or wait for whoever has it. */
#include "mail/queue.h"

enum { QUEUE_OUTSIDE = G_MAXUINT };

#define QUEUE_AGAIN_US (60 * CLOCK_SECOND) /* after a commit that failed */

enum { WANTS_HOLD = 1, WANTS_RELEASE = 2, WANTS_RETRY = 4, WANTS_REMOVE = 8 };

typedef struct {
	QueueId id;
	int64_t next_us;
	guint at;      /* in the heap */
	uint8_t wants; /* verbs that came while it was in hand */
	bool is_in_hand, is_held, is_expired;
	char *reason; /* of WANTS_HOLD */
} QueueItem;

struct Queue {
	Spool *spool;
	const Clock *clock;
	void (*wake)(void *data);
	void *data;

	GMutex lock; /* guards what follows */
	GHashTable *items;
	GPtrArray *heap;
	int64_t told_us; /* what the last queue_take() said, or a wake since */
	size_t n_in_hand;
};

static void
queue_item_free(void *data)
{
	QueueItem *item = data;

	g_free(item->reason);
	g_slice_free(QueueItem, item);
}

/* ---- the heap ---- */

static bool
queue_is_before(const QueueItem *a, const QueueItem *b)
{
	return a->next_us != b->next_us ? a->next_us < b->next_us : a->id < b->id;
}

static void
queue_heap_set(Queue *queue, guint at, QueueItem *item)
{
	queue->heap->pdata[at] = item;
	item->at = at;
}

static void
queue_heap_rise(Queue *queue, QueueItem *item)
{
	guint at = item->at;

	while (at > 0) {
		QueueItem *parent = queue->heap->pdata[(at - 1) / 2];

		if (!queue_is_before(item, parent))
			break;
		queue_heap_set(queue, at, parent);
		at = (at - 1) / 2;
	}
	queue_heap_set(queue, at, item);
}

static void
queue_heap_sink(Queue *queue, QueueItem *item)
{
	guint at = item->at;

	for (;;) {
		guint child = 2 * at + 1;

		if (child + 1 < queue->heap->len &&
			queue_is_before(queue->heap->pdata[child + 1], queue->heap->pdata[child]))
			child++;
		if (child >= queue->heap->len || !queue_is_before(queue->heap->pdata[child], item))
			break;
		queue_heap_set(queue, at, queue->heap->pdata[child]);
		at = child;
	}
	queue_heap_set(queue, at, item);
}

static void
queue_heap_remove(Queue *queue, QueueItem *item)
{
	const guint at = item->at;
	QueueItem *last;

	if (at == QUEUE_OUTSIDE)
		return;
	last = queue->heap->pdata[queue->heap->len - 1];
	g_ptr_array_set_size(queue->heap, (gint)queue->heap->len - 1);
	item->at = QUEUE_OUTSIDE;
	if (last == item)
		return;
	queue_heap_set(queue, at, last);
	queue_heap_rise(queue, last);
	queue_heap_sink(queue, last);
}

static void
queue_heap_put(Queue *queue, QueueItem *item, int64_t next_us)
{
	queue_heap_remove(queue, item);
	item->next_us = next_us;
	if (next_us == CLOCK_NEVER)
		return;
	item->at = queue->heap->len;
	g_ptr_array_add(queue->heap, item);
	queue_heap_rise(queue, item);
}

/* ---- items ---- */

static QueueItem *
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
	item->at = QUEUE_OUTSIDE;
	g_hash_table_insert(queue->items, &item->id, item);
	return item;
}

static void
queue_forget(Queue *queue, QueueItem *item)
{
	queue_heap_remove(queue, item);
	g_hash_table_remove(queue->items, &item->id);
}

static int64_t
queue_next_of(const MessageState *state)
{
	if (!state->is_held)
		return state->next_us;
	return state->release_at_us != 0 ? state->release_at_us : CLOCK_NEVER;
}

static void
queue_unlock_and_wake(Queue *queue)
{
	const QueueItem *first = queue->heap->len > 0 ? queue->heap->pdata[0] : NULL;
	const bool is_earlier = first != NULL && first->next_us < queue->told_us;

	if (is_earlier)
		queue->told_us = first->next_us;
	g_mutex_unlock(&queue->lock);
	if (is_earlier && queue->wake != NULL)
		queue->wake(queue->data);
}

static void
queue_take_in_hand(Queue *queue, QueueItem *item)
{
	queue_heap_remove(queue, item);
	item->is_in_hand = true;
	queue->n_in_hand++;
}

static void
queue_put_back(Queue *queue, QueueItem *item, int64_t next_us)
{
	if (item->is_in_hand)
		queue->n_in_hand--;
	item->is_in_hand = false;
	queue_heap_put(queue, item, next_us);
}

static void queue_do_what_came_late(Queue *queue, QueueId id);

static void
queue_schedule(Queue *queue, QueueItem *item, const MessageState *state)
{
	item->is_held = state->is_held;
	queue_put_back(queue, item, queue_next_of(state));
	if (message_state_is_finished(state))
		queue_forget(queue, item);
}

/* ---- verbs ---- */

static void
queue_release_state(MessageState *state, int64_t now_us)
{
	if (!state->is_held)
		return;
	state->is_held = false;
	state->held_total_us += MAX(now_us - state->held_since_us, 0);
	state->held_since_us = 0;
	state->release_at_us = 0;
	g_clear_pointer(&state->hold_reason, g_free);
	state->next_us = now_us;
}

static void
queue_hold_state(MessageState *state, const char *reason, int64_t now_us)
{
	if (!state->is_held)
		state->held_since_us = now_us;
	state->is_held = true;
	state->release_at_us = 0;
	g_free(state->hold_reason);
	state->hold_reason = g_strdup(reason != NULL ? reason : "");
}

static void
queue_apply_wants(MessageState *state, unsigned wants, const char *reason, int64_t now_us)
{
	if ((wants & WANTS_RELEASE) != 0)
		queue_release_state(state, now_us);
	if ((wants & WANTS_RETRY) != 0)
		state->next_us = MIN(state->next_us, now_us);
	if ((wants & WANTS_HOLD) != 0)
		queue_hold_state(state, reason, now_us);
	for (unsigned i = 0; (wants & WANTS_REMOVE) != 0 && i < state->n_recipients; i++)
		if (state->recipients[i].status == RECIPIENT_PENDING)
			message_state_set_recipient(state, i, RECIPIENT_REMOVED, reason);
}

/* Takes away what came while the message was in hand. */
static unsigned
queue_collect_wants(Queue *queue, QueueId id, char **reason)
{
	QueueItem *item;
	unsigned wants = 0;

	*reason = NULL;
	g_mutex_lock(&queue->lock);
	item = queue_find(queue, id);
	if (item != NULL) {
		wants = item->wants;
		item->wants = 0;
		*reason = g_steal_pointer(&item->reason);
	}
	g_mutex_unlock(&queue->lock);
	return wants;
}

static void
queue_add_wants(QueueItem *item, unsigned wants, const char *reason)
{
	if ((wants & WANTS_HOLD) != 0)
		item->wants &= (uint8_t)~WANTS_RELEASE;
	if ((wants & WANTS_RELEASE) != 0)
		item->wants &= (uint8_t)~WANTS_HOLD;
	item->wants |= (uint8_t)wants;
	if (reason != NULL) {
		g_free(item->reason);
		item->reason = g_strdup(reason);
	}
}

/* New.  A damaged message can still be removed: the index knows how many recipients it has. */
static MessageState *
queue_read_state(Queue *queue, QueueId id, unsigned wants)
{
	g_autoptr(SpoolMessage) message = spool_read(queue->spool, id, NULL);
	SpoolSummary summary;

	if (message != NULL)
		return g_steal_pointer(&message->state);
	if ((wants & WANTS_REMOVE) == 0 || !spool_summary(queue->spool, id, &summary))
		return NULL;
	return message_state_new(id, summary.n_recipients);
}

/* Gone, or not to be read now. */
static void
queue_give_up(Queue *queue, QueueId id)
{
	SpoolSummary summary;
	const bool is_there = spool_summary(queue->spool, id, &summary);
	QueueItem *item;

	g_mutex_lock(&queue->lock);
	item = queue_find(queue, id);
	if (item != NULL) {
		queue_put_back(queue, item, MAX(item->next_us, clock_wall(queue->clock) + QUEUE_AGAIN_US));
		if (!is_there)
			queue_forget(queue, item);
	}
	g_mutex_unlock(&queue->lock);
}

/* The message is in our hand: what is wanted of it is done, and it goes back. */
static void
queue_do_in_hand(Queue *queue, QueueId id, unsigned wants, const char *reason)
{
	const int64_t now_us = clock_wall(queue->clock);
	MessageState *state = queue_read_state(queue, id, wants);

	if (state == NULL) {
		queue_give_up(queue, id);
		return;
	}
	queue_apply_wants(state, wants, reason, now_us);
	(void)queue_update(queue, state, NULL);
}

/* ---- for all ---- */

static bool
queue_fill_one(void *data, const SpoolSummary *summary)
{
	Queue *queue = data;
	QueueItem *item = queue_add(queue, summary->id);

	item->is_held = summary->is_held;
	queue_heap_put(queue, item, summary->next_us);
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
	queue->told_us = CLOCK_NEVER;
	g_mutex_init(&queue->lock);
	queue->items = g_hash_table_new_full(spool_id_hash, g_int64_equal, NULL, queue_item_free);
	queue->heap = g_ptr_array_new();
	spool_each(spool, queue_fill_one, queue);
	return queue;
}

void
queue_free(Queue *queue)
{
	g_ptr_array_unref(queue->heap);
	g_hash_table_unref(queue->items);
	g_mutex_clear(&queue->lock);
	g_free(queue);
}

void
queue_enter(Queue *queue, const MessageState *state)
{
	QueueItem *item;

	g_mutex_lock(&queue->lock);
	item = queue_find(queue, state->id);
	if (item == NULL && !message_state_is_finished(state))
		item = queue_add(queue, state->id);
	if (item != NULL && !item->is_in_hand)
		queue_schedule(queue, item, state);
	queue_unlock_and_wake(queue);
}

static bool
queue_refill_one(void *data, const SpoolSummary *summary)
{
	Queue *queue = data;

	if (queue_find(queue, summary->id) == NULL)
		(void)queue_fill_one(queue, summary);
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
queue_first_due(Queue *queue, int64_t now_us, int64_t *next_us)
{
	QueueItem *first = queue->heap->len > 0 ? queue->heap->pdata[0] : NULL;

	if (first != NULL && first->next_us <= now_us)
		return first;
	*next_us = first != NULL ? first->next_us : CLOCK_NEVER;
	queue->told_us = *next_us;
	return NULL;
}

bool
queue_take(Queue *queue, int64_t now_us, QueueId *id, int64_t *next_us)
{
	for (;;) {
		QueueItem *item;
		QueueId taken;
		bool was_held;

		g_mutex_lock(&queue->lock);
		item = queue_first_due(queue, now_us, next_us);
		if (item == NULL) {
			g_mutex_unlock(&queue->lock);
			return false;
		}
		queue_take_in_hand(queue, item);
		was_held = item->is_held;
		taken = item->id;
		g_mutex_unlock(&queue->lock);
		if (!was_held) {
			*id = taken;
			return true;
		}
		/* Its hold ends now; it comes back as one that is due. */
		queue_do_in_hand(queue, taken, WANTS_RELEASE, NULL);
	}
}

void
queue_postpone(Queue *queue, QueueId id, int64_t next_us)
{
	QueueItem *item;

	g_mutex_lock(&queue->lock);
	item = queue_find(queue, id);
	if (item != NULL)
		queue_put_back(queue, item, next_us);
	queue_unlock_and_wake(queue);
}

/* Back with the old state, in a minute; what was wanted meanwhile is done to that one. */
static bool
queue_update_failed(Queue *queue, QueueId id)
{
	g_autofree char *reason = NULL;
	const unsigned wants = queue_collect_wants(queue, id, &reason);
	QueueItem *item;

	if (wants != 0) {
		queue_do_in_hand(queue, id, wants, reason);
		return false;
	}
	g_mutex_lock(&queue->lock);
	item = queue_find(queue, id);
	if (item != NULL)
		queue_put_back(queue, item, clock_wall(queue->clock) + QUEUE_AGAIN_US);
	queue_unlock_and_wake(queue);
	return false;
}

bool
queue_update(Queue *queue, MessageState *state, SpoolTransaction *transaction)
{
	g_autofree char *reason = NULL;
	g_autoptr(MessageState) copy = state;
	const unsigned wants = queue_collect_wants(queue, state->id, &reason);
	QueueItem *item;

	queue_apply_wants(state, wants, reason, clock_wall(queue->clock));
	if (transaction != NULL) {
		spool_transaction_add_state(transaction, message_state_copy(state));
		if (spool_commit_wait(queue->spool, transaction) != SPOOL_COMMITTED) {
			g_mutex_lock(&queue->lock);
			item = queue_find(queue, state->id);
			if (item != NULL && wants != 0)
				queue_add_wants(item, wants, reason);
			g_mutex_unlock(&queue->lock);
			return queue_update_failed(queue, state->id);
		}
	} else {
		spool_put_state(queue->spool, message_state_copy(state));
	}
	g_mutex_lock(&queue->lock);
	item = queue_find(queue, state->id);
	if (item != NULL)
		queue_schedule(queue, item, state);
	queue_unlock_and_wake(queue);
	queue_do_what_came_late(queue, state->id);
	return true;
}

/* One that came between queue_update()'s look and its end is done now. */
static void
queue_do_what_came_late(Queue *queue, QueueId id)
{
	g_autofree char *reason = NULL;
	QueueItem *item;
	unsigned wants = 0;

	g_mutex_lock(&queue->lock);
	item = queue_find(queue, id);
	if (item != NULL && !item->is_in_hand && item->wants != 0) {
		wants = item->wants;
		reason = g_steal_pointer(&item->reason);
		item->wants = 0;
		queue_take_in_hand(queue, item);
	}
	g_mutex_unlock(&queue->lock);
	if (wants != 0)
		queue_do_in_hand(queue, id, wants, reason);
}

static bool
queue_want(Queue *queue, QueueId id, unsigned wants, const char *reason, bool is_expired)
{
	QueueItem *item;
	bool is_in_hand;

	g_mutex_lock(&queue->lock);
	item = queue_find(queue, id);
	if (item == NULL) {
		g_mutex_unlock(&queue->lock);
		return false;
	}
	item->is_expired = item->is_expired || is_expired;
	is_in_hand = item->is_in_hand;
	if (is_in_hand)
		queue_add_wants(item, wants, reason);
	else
		queue_take_in_hand(queue, item);
	g_mutex_unlock(&queue->lock);
	if (!is_in_hand)
		queue_do_in_hand(queue, id, wants, reason);
	return true;
}

bool
queue_do(Queue *queue, QueueId id, QueueVerb verb, const char *reason)
{
	static const unsigned wants[] = { [QUEUE_HOLD] = WANTS_HOLD,
		[QUEUE_RELEASE] = WANTS_RELEASE,
		[QUEUE_RETRY] = WANTS_RETRY,
		[QUEUE_REMOVE] = WANTS_REMOVE };

	return queue_want(queue, id, wants[verb], reason, false);
}

bool
queue_expire(Queue *queue, QueueId id)
{
	return queue_want(queue, id, WANTS_RELEASE | WANTS_RETRY, NULL, true);
}

bool
queue_is_expired(Queue *queue, QueueId id)
{
	const QueueItem *item;
	bool is_expired;

	g_mutex_lock(&queue->lock);
	item = queue_find(queue, id);
	is_expired = item != NULL && item->is_expired;
	g_mutex_unlock(&queue->lock);
	return is_expired;
}

size_t
queue_in_hand(Queue *queue)
{
	size_t n;

	g_mutex_lock(&queue->lock);
	n = queue->n_in_hand;
	g_mutex_unlock(&queue->lock);
	return n;
}
