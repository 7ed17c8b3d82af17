/* delivery.c - the scheduler: from the queue to the destinations. */
#include <string.h>

#include "base/log.h"
#include "base/keyed-hash.h"
#include "engine/delivery-private.h"
#include "proto/path.h"

Delivery *
delivery_new(Engine *engine, Snapshot *snapshot)
{
	Delivery *delivery = g_new0(Delivery, 1);

	delivery->engine = engine;
	delivery->snapshot = snapshot_ref(snapshot);
	g_mutex_init(&delivery->lock);
	g_cond_init(&delivery->wake);
	g_cond_init(&delivery->has_ended);
	delivery->destinations = g_hash_table_new_full(keyed_hash_text, g_str_equal, NULL, delivery_free_destination);
	g_queue_init(&delivery->waiting);
	return delivery;
}

void
delivery_free(Delivery *delivery)
{
	if (delivery == NULL)
		return;
	g_hash_table_unref(delivery->destinations);
	g_queue_clear(&delivery->waiting);
	snapshot_unref(delivery->snapshot);
	g_mutex_clear(&delivery->lock);
	g_cond_clear(&delivery->wake);
	g_cond_clear(&delivery->has_ended);
	g_free(delivery);
}

void
delivery_set_snapshot(Delivery *delivery, Snapshot *snapshot)
{
	Snapshot *old;

	g_mutex_lock(&delivery->lock);
	old = delivery->snapshot;
	delivery->snapshot = snapshot_ref(snapshot);
	g_mutex_unlock(&delivery->lock);
	snapshot_unref(old);
}

void
delivery_wake(void *data)
{
	Delivery *delivery = data;

	g_mutex_lock(&delivery->lock);
	delivery->is_awake = true;
	g_cond_signal(&delivery->wake);
	g_mutex_unlock(&delivery->lock);
}

/* ---- one message ---- */

static InHand *
delivery_take_in_hand(Delivery *delivery, SpoolMessage *message)
{
	const guint n = message->envelope->recipients->len;
	InHand *in_hand = g_new0(InHand, 1);

	in_hand->delivery = delivery;
	in_hand->message = message;
	g_mutex_init(&in_hand->lock);
	in_hand->results = g_new0(SentResult, n);
	in_hand->peers = g_new0(char *, n);
	in_hand->was_tried = g_new0(bool, n);
	in_hand->can_dsn = g_new0(bool, n);
	in_hand->ways = g_new0(RouteAnswer, n);
	atomic_init(&in_hand->jobs, 1); /* the scheduler's own */
	g_mutex_lock(&delivery->lock);
	in_hand->snapshot = snapshot_ref(delivery->snapshot);
	delivery->in_hand++;
	g_mutex_unlock(&delivery->lock);
	return in_hand;
}

static void
delivery_set_result(InHand *in_hand, guint i, SentStatus status, const char *reply)
{
	in_hand->was_tried[i] = true;
	sent_result_set(&in_hand->results[i], status, false, reply);
}

typedef struct {
	char *key;          /* of the hop */
	const NextHop *hop; /* of the recipient that was first */
	Job *job;
} Way;

static void
delivery_free_way(void *data)
{
	Way *way = data;

	g_free(way->key);
	g_free(way);
}

/* The recipient goes with those that have its next hop and its sender. */
static void
delivery_add_way(GPtrArray *ways, InHand *in_hand, guint place)
{
	const RouteAnswer *route = &in_hand->ways[place];
	g_autofree char *key = next_hop_key(route->hop);
	Way *way = NULL;

	for (guint i = 0; i < ways->len && way == NULL; i++) {
		Way *other = ways->pdata[i];

		if (strcmp(other->key, key) == 0 && g_strcmp0(other->job->sender, route->sender) == 0)
			way = other;
	}
	if (way == NULL) {
		way = g_new0(Way, 1);
		way->key = g_steal_pointer(&key);
		way->hop = route->hop;
		way->job = g_new0(Job, 1);
		way->job->in_hand = in_hand;
		way->job->sender = route->sender;
		way->job->places = g_array_new(FALSE, FALSE, sizeof(guint));
		g_ptr_array_add(ways, way);
	}
	g_array_append_val(way->job->places, place);
}

static void
delivery_route_one(InHand *in_hand, GPtrArray *ways, guint i)
{
	RouteAnswer *way = &in_hand->ways[i];

	route_recipient(in_hand->delivery->engine, in_hand->snapshot, in_hand->snapshot->delivery,
		in_hand->message->envelope, i, way);
	switch (way->result) {
	case ROUTE_FOUND:
		delivery_add_way(ways, in_hand, i);
		break;
	case ROUTE_FORWARDED: /* was followed to its end */
	case ROUTE_REFUSED:
		delivery_set_result(in_hand, i, SENT_FAILED, way->reply);
		break;
	case ROUTE_DEFERRED:
		delivery_set_result(in_hand, i, SENT_DEFERRED, way->reply);
		break;
	case ROUTE_HELD:
		delivery_set_result(in_hand, i, SENT_HELD, way->reply);
		break;
	}
}

/* Recipients that are due become jobs; a message of which one recipient is held waits as a whole until released, but for
 * those that may go now. */
static void
delivery_distribute(InHand *in_hand)
{
	Delivery *delivery = in_hand->delivery;
	g_autoptr(GPtrArray) ways = g_ptr_array_new_with_free_func(delivery_free_way);
	const MessageState *state = in_hand->message->state;

	for (guint i = 0; i < state->n_recipients; i++)
		if (state->recipients[i].status == RECIPIENT_PENDING) {
			if (queue_is_expired(delivery->engine->queue, state->id))
				delivery_set_result(in_hand, i, SENT_FAILED, "5.4.7 returned by the administrator");
			else
				delivery_route_one(in_hand, ways, i);
		}
	atomic_fetch_add(&in_hand->jobs, ways->len);
	g_mutex_lock(&delivery->lock);
	for (guint i = 0; i < ways->len; i++)
		delivery_add_job(delivery, ((Way *)ways->pdata[i])->hop, ((Way *)ways->pdata[i])->job);
	g_mutex_unlock(&delivery->lock);
	delivery_job_done(in_hand);
}

/* Damage is an alarm, not a loop: the message stays where it is, and is tried again in an hour. */
static void
delivery_cannot_read(Delivery *delivery, QueueId id, const char *why)
{
	const int64_t again_us = clock_wall(delivery->engine->clock) + 3600 * CLOCK_SECOND;
	SpoolSummary summary;
	char text[ID_TEXT_SIZE];

	if (!spool_summary(delivery->engine->spool, id, &summary))
		return;
	log_event(LOG_LEVEL_ERROR, "message cannot be read", "queue", id_format(id, text), "error", why, NULL);
	metrics_alarm(delivery->engine->metrics, "spool.damage", why);
	queue_postpone(delivery->engine->queue, id, again_us);
}

static void
delivery_begin(Delivery *delivery, QueueId id)
{
	g_autoptr(GError) error = NULL;
	SpoolMessage *message = spool_read(delivery->engine->spool, id, &error);

	if (message == NULL) {
		delivery_cannot_read(delivery, id, error->message);
		return;
	}
	stay_forget(delivery->engine->stay, id);
	delivery_distribute(delivery_take_in_hand(delivery, message));
}

/* ---- the scheduler ---- */

/* Lock held. */
static void
delivery_wait(Delivery *delivery, int64_t next_us)
{
	const int64_t now_us = clock_wall(delivery->engine->clock);
	const int64_t wait_us =
		next_us == CLOCK_NEVER ? 60 * CLOCK_SECOND : CLAMP(next_us - now_us, 0, 60 * CLOCK_SECOND);
	const int64_t until_us =
		g_get_monotonic_time() + (delivery->in_hand > 0 ? MIN(wait_us, DELIVERY_LOOK_US) : wait_us);

	while (!delivery->is_awake && !delivery->is_stopping)
		if (!g_cond_wait_until(&delivery->wake, &delivery->lock, until_us))
			break;
	delivery->is_awake = false;
}

static bool
delivery_may_begin(Delivery *delivery)
{
	return delivery->in_hand < DELIVERY_IN_HAND && !spool_is_closed(delivery->engine->spool);
}

static void *
delivery_schedule(void *data)
{
	Delivery *delivery = data;

	delivery_yield_to_clients();
	g_mutex_lock(&delivery->lock);
	while (!delivery->is_stopping) {
		int64_t next_us = clock_wall(delivery->engine->clock) + CLOCK_SECOND;
		QueueId id;
		bool is_taken = false;

		if (delivery_may_begin(delivery)) {
			g_mutex_unlock(&delivery->lock);
			is_taken = queue_take(delivery->engine->queue, clock_wall(delivery->engine->clock), &id, &next_us);
			if (is_taken)
				delivery_begin(delivery, id);
			g_mutex_lock(&delivery->lock);
		}
		delivery_look_after(delivery);
		if (!is_taken)
			delivery_wait(delivery, next_us);
	}
	g_mutex_unlock(&delivery->lock);
	return NULL;
}

void
delivery_start(Delivery *delivery)
{
	delivery->scheduler = g_thread_new("schedule", delivery_schedule, delivery);
}

/* What nobody came to is as it was; what other jobs of the same messages did is settled, so that it is not done twice. */
static void
delivery_let_go(Delivery *delivery)
{
	GQueue left = G_QUEUE_INIT;
	GHashTableIter each;
	gpointer data;
	Job *job;

	g_mutex_lock(&delivery->lock);
	g_hash_table_iter_init(&each, delivery->destinations);
	while (g_hash_table_iter_next(&each, NULL, &data)) {
		Destination *destination = data;

		while ((job = g_queue_pop_head(&destination->jobs)) != NULL)
			g_queue_push_tail(&left, job);
	}
	g_mutex_unlock(&delivery->lock);
	while ((job = g_queue_pop_head(&left)) != NULL)
		delivery_end_job(job);
}

bool
delivery_stop(Delivery *delivery, int64_t deadline_us)
{
	bool is_done = true;

	g_mutex_lock(&delivery->lock);
	delivery->is_stopping = true;
	g_cond_broadcast(&delivery->wake);
	delivery_wake_threads(delivery);
	g_mutex_unlock(&delivery->lock);
	if (delivery->scheduler != NULL)
		g_thread_join(g_steal_pointer(&delivery->scheduler));
	g_mutex_lock(&delivery->lock);
	while (delivery->threads > 0 && is_done)
		is_done = g_cond_wait_until(&delivery->has_ended, &delivery->lock, deadline_us);
	g_mutex_unlock(&delivery->lock);
	if (is_done)
		delivery_let_go(delivery);
	return is_done;
}

void
delivery_figures(Delivery *delivery, DeliveryFigures *figures)
{
	g_mutex_lock(&delivery->lock);
	figures->threads = delivery->threads;
	figures->in_hand = delivery->in_hand;
	figures->destinations = g_hash_table_size(delivery->destinations);
	g_mutex_unlock(&delivery->lock);
}

/* ---- ETRN ---- */

static bool
delivery_collect_id(void *data, const SpoolSummary *summary)
{
	if (!summary->is_held)
		g_array_append_val((GArray *)data, summary->id);
	return true;
}

static bool
delivery_is_for(const SpoolMessage *message, const char *domain)
{
	for (guint i = 0; i < message->state->n_recipients; i++) {
		const Recipient *recipient = g_ptr_array_index(message->envelope->recipients, i);

		if (message->state->recipients[i].status == RECIPIENT_PENDING &&
			g_ascii_strcasecmp(mailbox_domain(recipient->address), domain) == 0)
			return true;
	}
	return false;
}

typedef struct {
	Work work;
	Delivery *delivery;
	char *domain;
} Retry;

static void
delivery_run_retry(void *data)
{
	Retry *retry = data;
	g_autoptr(GArray) ids = g_array_new(FALSE, FALSE, sizeof(QueueId));

	spool_each(retry->delivery->engine->spool, delivery_collect_id, ids);
	for (guint i = 0; i < ids->len; i++) {
		g_autoptr(SpoolMessage) message =
			spool_read(retry->delivery->engine->spool, g_array_index(ids, QueueId, i), NULL);

		if (message != NULL && delivery_is_for(message, retry->domain))
			(void)queue_do(retry->delivery->engine->queue, g_array_index(ids, QueueId, i), QUEUE_RETRY, NULL);
	}
	g_free(retry->domain);
	g_free(retry);
}

void
delivery_retry_domain(void *data, const char *domain)
{
	Delivery *delivery = data;
	Retry *retry = g_new0(Retry, 1);

	retry->delivery = delivery;
	retry->domain = g_strdup(domain);
	retry->work.run = delivery_run_retry;
	retry->work.data = retry;
	if (!workers_run(delivery->engine->waiters, &retry->work)) {
		g_free(retry->domain);
		g_free(retry);
	}
}
