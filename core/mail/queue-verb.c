/* queue-verb.c - what the administrator, and changes of domains, do to queued messages. */
#include "mail/queue-private.h"

#define QUEUE_AGAIN_US (60 * CLOCK_SECOND) /* for a message that cannot be read now */

static const char queue_bounce_reply[] = "5.4.7 returned by the administrator";

/* ---- wants ---- */

void
queue_wants_clear(QueueWants *wants)
{
	g_clear_pointer(&wants->reason, g_free);
}

void
queue_wants_free(void *data)
{
	queue_wants_clear(data);
	g_free(data);
}

bool
queue_collect_wants(Queue *queue, QueueId id, QueueWants *wants)
{
	QueueWants *found;

	*wants = (QueueWants){ 0 };
	g_mutex_lock(&queue->lock);
	found = g_hash_table_size(queue->wants) > 0 ? g_hash_table_lookup(queue->wants, &id) : NULL;
	if (found != NULL) {
		*wants = *found;
		found->reason = NULL;
		g_hash_table_remove(queue->wants, &id);
	}
	g_mutex_unlock(&queue->lock);
	return wants->verbs != 0;
}

/* Of two verbs that exclude each other the later counts, with its reason; RETRY and LET_GO exclude
 * none. */
static void
queue_merge_wants(QueueWants *wants, const QueueWants *added)
{
	static const unsigned exclusive = WANTS_HOLD | WANTS_RELEASE | WANTS_BOUNCE | WANTS_REMOVE;

	if ((added->verbs & exclusive) != 0) {
		wants->verbs &= ~exclusive;
		g_free(wants->reason);
		wants->reason = g_strdup(added->reason);
	}
	wants->verbs |= added->verbs;
	if (added->is_ours != NULL)
		wants->is_ours = added->is_ours;
}

/* Lock held. */
static void
queue_add_wants(Queue *queue, const QueueItem *item, const QueueWants *added)
{
	QueueWants *wants = g_hash_table_lookup(queue->wants, &item->id);

	if (wants == NULL) {
		wants = g_new0(QueueWants, 1);
		g_hash_table_insert(queue->wants, g_memdup2(&item->id, sizeof item->id), wants);
	}
	queue_merge_wants(wants, added);
}

/* Verbs that could not be applied wait again, before those that came since.  Takes what is in
 * `wants`. */
static void
queue_keep_wants(Queue *queue, QueueId id, QueueWants *wants)
{
	const QueueWants *newer;
	const QueueItem *item;

	g_mutex_lock(&queue->lock);
	item = queue_find(queue, id);
	newer = g_hash_table_lookup(queue->wants, &id);
	if (newer != NULL)
		queue_merge_wants(wants, newer);
	g_hash_table_remove(queue->wants, &id);
	if (item != NULL)
		queue_add_wants(queue, item, wants);
	g_mutex_unlock(&queue->lock);
	queue_wants_clear(wants);
}

/* ---- states ---- */

static bool
queue_let_go_state(MessageState *state, bool (*is_ours)(const char *), int64_t now_us)
{
	if (!state->is_held)
		return message_state_hurry(state, now_us);
	return is_ours(state->hold_reason) && message_state_release(state, now_us);
}

/* Pending ones become failed, open ones removed. */
static bool
queue_end_recipients(MessageState *state, RecipientStatus status, const char *reply)
{
	bool is_changed = false;

	for (unsigned i = 0; i < state->n_recipients; i++) {
		const RecipientStatus now = state->recipients[i].status;

		if (now == RECIPIENT_PENDING || (now == RECIPIENT_FAILED && status == RECIPIENT_REMOVED)) {
			message_state_set_recipient(state, i, status, reply);
			is_changed = true;
		}
	}
	return is_changed;
}

static bool
queue_bounce_state(MessageState *state, const char *reply, int64_t now_us)
{
	const bool was_held = message_state_release(state, now_us);
	const bool has_failed =
		queue_end_recipients(state, RECIPIENT_FAILED, reply != NULL ? reply : queue_bounce_reply);

	return message_state_hurry(state, now_us) || was_held || has_failed;
}

bool
queue_apply_wants(MessageState *state, const QueueWants *wants, int64_t now_us)
{
	bool is_changed = false;

	if ((wants->verbs & WANTS_RELEASE) != 0)
		is_changed |= message_state_release(state, now_us);
	if ((wants->verbs & WANTS_LET_GO) != 0)
		is_changed |= queue_let_go_state(state, wants->is_ours, now_us);
	if ((wants->verbs & WANTS_RETRY) != 0)
		is_changed |= message_state_hurry(state, now_us);
	if ((wants->verbs & WANTS_HOLD) != 0) {
		g_autofree char *reason = spool_hold_behind(state->hold_reason, wants->reason);

		message_state_hold(state, reason, 0, now_us);
		is_changed = true;
	}
	if ((wants->verbs & WANTS_REMOVE) != 0)
		is_changed |= queue_end_recipients(state, RECIPIENT_REMOVED, wants->reason);
	else if ((wants->verbs & WANTS_BOUNCE) != 0)
		is_changed |= queue_bounce_state(state, wants->reason, now_us);
	return is_changed;
}

/* ---- doing ---- */

/* New.  A damaged message can still be removed: the index knows how many recipients it has. */
static MessageState *
queue_read_state(Queue *queue, QueueId id, unsigned verbs)
{
	g_autoptr(SpoolMessage) message = spool_read(queue->spool, id, NULL);
	SpoolSummary summary;

	if (message != NULL)
		return g_steal_pointer(&message->state);
	if ((verbs & WANTS_REMOVE) == 0 || !spool_summary(queue->spool, id, &summary))
		return NULL;
	return message_state_new(id, summary.n_recipients);
}

/* Gone, or not to be read now. */
static QueueResult
queue_give_up(Queue *queue, QueueId id)
{
	SpoolSummary summary;
	const bool is_there = spool_summary(queue->spool, id, &summary);
	QueueItem *item;

	g_mutex_lock(&queue->lock);
	item = queue_find(queue, id);
	if (item != NULL) {
		const int64_t again_us = clock_monotonic(queue->clock) + QUEUE_AGAIN_US;
		const bool was_parked = item->due_us == CLOCK_NEVER && !item->is_held;

		queue_put_back(queue, item, was_parked ? again_us : MAX(item->due_us, again_us));
		if (!is_there)
			queue_forget(queue, item);
	}
	g_mutex_unlock(&queue->lock);
	queue_do_late(queue, id); /* of another verb, that may not need to read it */
	return is_there ? QUEUE_UNREADABLE : QUEUE_NOT_THERE;
}

/* The verb is alone. */
static bool
queue_has_nothing_to_do(const MessageState *state, unsigned verbs)
{
	return (verbs == WANTS_RETRY && state->is_held) ||
		   (verbs == WANTS_RELEASE && !state->is_held && !message_state_has_held(state));
}

QueueResult
queue_do_active(Queue *queue, QueueId id, const QueueWants *wants)
{
	g_autoptr(MessageState) state = queue_read_state(queue, id, wants->verbs);
	bool is_nothing;

	if (state == NULL)
		return queue_give_up(queue, id);
	is_nothing = queue_has_nothing_to_do(state, wants->verbs);
	if (!is_nothing && queue_apply_wants(state, wants, clock_wall(queue->clock)))
		queue_record(queue, state);
	queue_return(queue, state);
	return is_nothing ? QUEUE_NOTHING : QUEUE_DONE;
}

void
queue_do_late(Queue *queue, QueueId id)
{
	QueueItem *item;
	QueueWants wants;
	void *waiting = NULL;
	bool is_wanted;

	g_mutex_lock(&queue->lock);
	item = g_hash_table_size(queue->wants) > 0 ? queue_find(queue, id) : NULL;
	is_wanted = item != NULL && !item->is_active && g_hash_table_contains(queue->wants, &id);
	if (is_wanted)
		waiting = queue_activate(queue, item);
	g_mutex_unlock(&queue->lock);
	if (!is_wanted)
		return;
	queue_end_waiting(queue, waiting);
	(void)queue_collect_wants(queue, id, &wants);
	if (queue_do_active(queue, id, &wants) == QUEUE_UNREADABLE)
		queue_keep_wants(queue, id, &wants);
	queue_wants_clear(&wants);
}

/* The same for a new verb, after those that are kept since the message could not be read. */
static QueueResult
queue_do_after_kept(Queue *queue, QueueId id, const QueueWants *added)
{
	QueueWants kept, all;
	QueueResult result;

	if (!queue_collect_wants(queue, id, &kept))
		return queue_do_active(queue, id, added);
	all = kept;
	all.reason = g_strdup(kept.reason);
	queue_merge_wants(&all, added);
	result = queue_do_active(queue, id, &all);
	if (result == QUEUE_UNREADABLE)
		queue_keep_wants(queue, id, &kept);
	queue_wants_clear(&all);
	queue_wants_clear(&kept);
	return result;
}

static QueueResult
queue_want(Queue *queue, QueueId id, const QueueWants *wants)
{
	void *waiting = NULL;
	QueueItem *item;
	bool is_active;

	g_mutex_lock(&queue->lock);
	item = queue_find(queue, id);
	if (item == NULL) {
		g_mutex_unlock(&queue->lock);
		return QUEUE_NOT_THERE;
	}
	is_active = item->is_active;
	if (is_active)
		queue_add_wants(queue, item, wants);
	else
		waiting = queue_activate(queue, item);
	g_mutex_unlock(&queue->lock);
	queue_end_waiting(queue, waiting);
	return is_active ? QUEUE_WHEN_BACK : queue_do_after_kept(queue, id, wants);
}

QueueResult
queue_do(Queue *queue, QueueId id, QueueVerb verb, const char *reason)
{
	static const unsigned verbs[] = { [QUEUE_HOLD] = WANTS_HOLD,
		[QUEUE_RELEASE] = WANTS_RELEASE,
		[QUEUE_RETRY] = WANTS_RETRY,
		[QUEUE_BOUNCE] = WANTS_BOUNCE,
		[QUEUE_REMOVE] = WANTS_REMOVE };
	const QueueWants wants = { .verbs = verbs[verb], .reason = (char *)(uintptr_t)reason };

	return queue_want(queue, id, &wants);
}

QueueResult
queue_let_go(Queue *queue, QueueId id, bool (*is_ours)(const char *hold_reason))
{
	const QueueWants wants = { .verbs = WANTS_LET_GO, .is_ours = is_ours };

	return queue_want(queue, id, &wants);
}
