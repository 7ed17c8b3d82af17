/* delivery-active.c - a message under way: its jobs, what is recorded when each of them ends, and its way back to the
 * queue.
 *
 * A result is put to the spool when the job that brought it ends, not when the slowest next hop has answered: what one
 * next hop has is not sent to it again because another one hangs. */
#include "engine/delivery-private.h"

ActiveMessage *
delivery_activate(Delivery *delivery, SpoolMessage *message)
{
	const guint n = message->envelope->recipients->len;
	ActiveMessage *active = g_new0(ActiveMessage, 1);

	active->delivery = delivery;
	active->message = message;
	g_mutex_init(&active->content_lock);
	g_mutex_init(&active->lock);
	active->recipients = g_new0(DeliveryRecipient, n);
	active->ways = g_new0(RouteAnswer, n);
	active->state = message_state_copy(message->state);
	atomic_init(&active->jobs, 1);
	g_mutex_lock(&delivery->lock);
	active->snapshot = snapshot_ref(delivery->snapshot);
	delivery->active++;
	g_mutex_unlock(&delivery->lock);
	return active;
}

/* Takes it out of the lists of the delivery before its memory goes. */
static void
delivery_free_active(ActiveMessage *active)
{
	Delivery *delivery = active->delivery;
	const guint n = active->message->envelope->recipients->len;

	g_mutex_lock(&delivery->lock);
	if (active->link != NULL)
		g_queue_delete_link(&delivery->watched, active->link);
	delivery_end_waiting(active);
	if (delivery->active-- >= delivery->snapshot->delivery->max_active)
		delivery_wake_scheduler(delivery);
	g_mutex_unlock(&delivery->lock);
	for (guint i = 0; i < n; i++) {
		route_answer_clear(&active->ways[i]);
		g_free(active->recipients[i].result.reply);
		g_free(active->recipients[i].peer);
	}
	g_free(active->recipients);
	g_free(active->ways);
	message_state_free(active->state);
	spool_message_free(active->message);
	g_mutex_clear(&active->content_lock);
	g_mutex_clear(&active->lock);
	snapshot_unref(active->snapshot);
	g_free(active);
}

void
delivery_set_result(ActiveMessage *active, guint place, SentStatus status, const char *reply)
{
	DeliveryRecipient *recipient = &active->recipients[place];

	recipient->has_result = true;
	sent_result_set(&recipient->result, status, false, reply);
}

/* ---- while other jobs go on ---- */

/* One report shall cover all failures, but does not wait for ever: the scheduler looks at the list.  The caller has a
 * job. */
static void
active_watch(ActiveMessage *active)
{
	Delivery *delivery = active->delivery;

	g_mutex_lock(&delivery->lock);
	active->watched_us = clock_monotonic(delivery->engine->clock);
	g_queue_push_tail(&delivery->watched, active);
	active->link = delivery->watched.tail;
	g_mutex_unlock(&delivery->lock);
}

bool
delivery_borrow(ActiveMessage *active)
{
	unsigned jobs = atomic_load(&active->jobs);

	while (jobs > 0 && !atomic_compare_exchange_weak(&active->jobs, &jobs, jobs + 1))
		;
	return jobs > 0;
}

/* Lock held.  NULL: there is none, or none for long enough. */
static ActiveMessage *
active_take_watched(Delivery *delivery)
{
	const int64_t before_us = clock_monotonic(delivery->engine->clock) - DELIVERY_REPORT_US;
	ActiveMessage *active;

	while ((active = g_queue_peek_head(&delivery->watched)) != NULL && active->watched_us <= before_us) {
		(void)g_queue_pop_head(&delivery->watched);
		active->link = NULL;
		if (delivery_borrow(active))
			return active;
	}
	return NULL;
}

void
delivery_report_waiting(Delivery *delivery)
{
	for (;;) {
		ActiveMessage *active;
		bool is_reported;

		g_mutex_lock(&delivery->lock);
		active = active_take_watched(delivery);
		g_mutex_unlock(&delivery->lock);
		if (active == NULL)
			return;
		g_mutex_lock(&active->lock);
		is_reported = report_failures(active);
		active->is_watched = !is_reported;
		g_mutex_unlock(&active->lock);
		if (!is_reported)
			active_watch(active);
		delivery_job_done(active, NULL);
	}
}

/* Message locked.  True: it is to be watched. */
static bool
active_record(ActiveMessage *active)
{
	const bool wants_watch = !active->is_watched && message_state_count(active->state, RECIPIENT_FAILED) > 0;

	if (active->has_results)
		queue_record(active->delivery->engine->queue, active->state);
	active->has_results = false;
	active->is_watched |= wants_watch;
	return wants_watch;
}

static void
active_settle_some(ActiveMessage *active, const GArray *places)
{
	for (guint i = 0; i < places->len; i++)
		settle_recipient(active, g_array_index(places, guint, i));
}

static void
active_settle_all(ActiveMessage *active)
{
	for (guint i = 0; i < active->state->n_recipients; i++)
		settle_recipient(active, i);
}

void
delivery_settle_known(ActiveMessage *active, const GArray *places)
{
	bool wants_watch;

	g_mutex_lock(&active->lock);
	if (places == NULL)
		active_settle_all(active);
	else
		active_settle_some(active, places);
	wants_watch = active_record(active);
	g_mutex_unlock(&active->lock);
	if (wants_watch)
		active_watch(active);
}

/* ---- the last job has ended ---- */

/* While the disk is full what it still takes is for results; a deferral waits without a record. */
static bool
active_is_worth_a_record(const ActiveMessage *active)
{
	SpoolResult reason;

	if (active->has_results || !active->has_changes)
		return active->has_results;
	return active->held > 0 || spool_has_room(active->delivery->engine->spool, &reason);
}

static void
active_give_back(ActiveMessage *active, bool is_waiting, bool is_reported)
{
	Queue *queue = active->delivery->engine->queue;
	const MessageState *state = active->state;
	const bool has_pending = message_state_count(state, RECIPIENT_PENDING) > 0;
	const int64_t wait_us = state->next_us - clock_wall(active->delivery->engine->clock);

	if (active->deferred > 0)
		queue_note_attempt(queue, state->id);
	if (is_waiting && has_pending)
		delivery_park(active);
	else if (is_reported)
		queue_return(queue, state);
	else
		queue_postpone(queue, state->id,
			has_pending ? CLAMP(wait_us, 0, DELIVERY_UNREPORTED_US) : DELIVERY_UNREPORTED_US);
}

/* The caller has the message alone. */
static void
active_settle(ActiveMessage *active)
{
	Engine *engine = active->delivery->engine;
	const QueueId id = active->state->id;
	const bool is_waiting = delivery_has_waiting(active);
	SpoolSummary summary;
	bool is_reported;

	active_settle_all(active);
	settle_schedule(active);
	report_delay(active);
	is_reported = report_failures(active);
	settle_hold(active);
	if (active_is_worth_a_record(active))
		queue_record(engine->queue, active->state);
	settle_stay(active);
	active_give_back(active, is_waiting, is_reported);
	/* a verb of the administrator may have removed it meanwhile */
	if (!spool_summary(engine->spool, id, &summary))
		stay_forget(engine->stay, id);
}

void
delivery_job_done(ActiveMessage *active, const GArray *places)
{
	bool wants_watch = false;

	g_mutex_lock(&active->lock);
	if (places != NULL) {
		active_settle_some(active, places);
		report_successes(active, places);
	}
	if (atomic_load(&active->jobs) > 1)
		wants_watch = active_record(active);
	g_mutex_unlock(&active->lock);
	if (wants_watch)
		active_watch(active);
	if (atomic_fetch_sub(&active->jobs, 1) > 1)
		return;
	active_settle(active);
	delivery_free_active(active);
}
