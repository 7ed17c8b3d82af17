/* delivery.c - the scheduler: from the queue to the destinations. */
#include <string.h>

#include "base/activity.h"
#include "base/error.h"
#include "base/log.h"
#include "base/keyed-hash.h"
#include "engine/delivery-private.h"
#include "proto/path.h"

#define DELIVERY_SCHEDULER_US (5 * CLOCK_SECOND) /* at least, for the scheduler to notice a stop */

Delivery *
delivery_new(Engine *engine, Snapshot *snapshot)
{
	Delivery *delivery = g_new0(Delivery, 1);

	delivery->engine = engine;
	delivery->trust = delivery_trust_new(engine->metrics);
	delivery->quirks = host_quirks_new(engine->clock);
	delivery->snapshot = snapshot_ref(snapshot);
	g_mutex_init(&delivery->lock);
	g_cond_init(&delivery->wake);
	g_cond_init(&delivery->has_ended);
	delivery->destinations = g_hash_table_new_full(keyed_hash_text, g_str_equal, NULL, delivery_free_destination);
	delivery->addresses = g_hash_table_new_full(keyed_hash_text, g_str_equal, g_free, NULL);
	g_queue_init(&delivery->waiting);
	g_queue_init(&delivery->hungry);
	g_queue_init(&delivery->wanted);
	g_queue_init(&delivery->watched);
	queue_set_longest_wait(engine->queue, snapshot->delivery->retry_most_us);
	queue_set_unparked(engine->queue, delivery_unparked, delivery);
	return delivery;
}

void
delivery_free(Delivery *delivery)
{
	if (delivery == NULL)
		return;
	delivery_end_parking(delivery);
	g_hash_table_unref(delivery->destinations);
	g_hash_table_unref(delivery->addresses);
	g_queue_clear(&delivery->waiting);
	g_queue_clear(&delivery->hungry);
	g_queue_clear(&delivery->watched);
	snapshot_unref(delivery->snapshot);
	delivery_trust_free(delivery->trust);
	host_quirks_free(delivery->quirks);
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
	delivery_trust_forget(delivery->trust);
	queue_set_longest_wait(delivery->engine->queue, snapshot->delivery->retry_most_us);
	delivery_end_parking(delivery);
}

void
delivery_wake_scheduler(Delivery *delivery)
{
	delivery->is_awake = true;
	g_cond_signal(&delivery->wake);
}

void
delivery_wake(void *data)
{
	Delivery *delivery = data;

	g_mutex_lock(&delivery->lock);
	delivery_wake_scheduler(delivery);
	g_mutex_unlock(&delivery->lock);
}

/* ---- one message ---- */

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
delivery_add_way(GPtrArray *ways, ActiveMessage *active, guint place)
{
	const RouteAnswer *route = &active->ways[place];
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
		way->job->active = active;
		way->job->sender = route->sender;
		way->job->places = g_array_new(FALSE, FALSE, sizeof(guint));
		g_ptr_array_add(ways, way);
	}
	g_array_append_val(way->job->places, place);
}

static const RouteAnswer *
delivery_route(ActiveMessage *active, guint i)
{
	RouteAnswer *way = &active->ways[i];

	route_answer_clear(way);
	route_recipient(active->delivery->engine, active->snapshot, active->snapshot->delivery,
		active->message->envelope, i, way);
	return way;
}

static void
delivery_route_one(ActiveMessage *active, GPtrArray *ways, guint i)
{
	const RouteAnswer *way = delivery_route(active, i);

	switch (way->result) {
	case ROUTE_FOUND:
		delivery_add_way(ways, active, i);
		break;
	case ROUTE_FORWARDED: /* was followed to its end */
	case ROUTE_REFUSED:
		delivery_set_result(active, i, SENT_FAILED, way->reply);
		break;
	case ROUTE_DEFERRED:
		delivery_set_result(active, i, SENT_DEFERRED, way->reply);
		break;
	case ROUTE_HELD:
		delivery_set_result(active, i, SENT_HELD, way->reply);
		break;
	}
}

static bool
delivery_is_pending(ActiveMessage *active, guint place)
{
	bool is_pending;

	g_mutex_lock(&active->lock);
	is_pending = active->state->recipients[place].status == RECIPIENT_PENDING;
	g_mutex_unlock(&active->lock);
	return is_pending;
}

/* `places`: the recipients that are to be tried. */
static GPtrArray *
delivery_route_all(ActiveMessage *active, const GArray *places)
{
	GPtrArray *ways = g_ptr_array_new_with_free_func(delivery_free_way);

	for (guint i = 0; i < places->len; i++) {
		const guint place = g_array_index(places, guint, i);

		if (delivery_is_pending(active, place))
			delivery_route_one(active, ways, place);
	}
	return ways;
}

/* Lock held.  The recipients waited, and their next hop could not be reached meanwhile: they need not try that again. */
static bool
delivery_is_doomed(const Destination *destination, int64_t since_us)
{
	return since_us != 0 && since_us <= destination->failed_us &&
		   g_get_monotonic_time() - destination->failed_us < DELIVERY_DOOMED_US;
}

/* Lock held.  Who waits for the destination already comes first. */
static bool
delivery_must_wait(const Delivery *delivery, const Destination *destination, int64_t since_us)
{
	return delivery_is_full(delivery, destination) || (since_us == 0 && destination->ways.length > 0);
}

/* Lock held.  False: the way needs no job now, and its job is freed. */
static bool
delivery_is_open(ActiveMessage *active, Way *way, int64_t since_us)
{
	Destination *destination = delivery_destination(active->delivery, way->hop);
	GArray *places = way->job->places;

	if (delivery_is_doomed(destination, since_us)) {
		for (guint i = 0; i < places->len; i++)
			delivery_set_result(active, g_array_index(places, guint, i), destination->failed_status,
				destination->failed_reply);
	} else if (delivery_must_wait(active->delivery, destination, since_us)) {
		delivery_line_up(
			active, destination, places->len < active->message->envelope->recipients->len ? places : NULL);
	} else {
		return true;
	}
	delivery_drop_destination(active->delivery, destination);
	delivery_free_job(g_steal_pointer(&way->job));
	return false;
}

/* How many ways are to become jobs now.  `since_us`: when they began to wait; 0: they did not. */
static unsigned
delivery_count_open(ActiveMessage *active, const GPtrArray *ways, int64_t since_us)
{
	unsigned jobs = 0;

	g_mutex_lock(&active->delivery->lock);
	for (guint i = 0; i < ways->len; i++)
		jobs += delivery_is_open(active, ways->pdata[i], since_us);
	g_mutex_unlock(&active->delivery->lock);
	return jobs;
}

/* The scheduler's own job passes over to the `jobs` ways that have one. */
static void
delivery_start_jobs(ActiveMessage *active, const GPtrArray *ways, unsigned jobs)
{
	Delivery *delivery = active->delivery;

	atomic_fetch_add(&active->jobs, jobs - 1);
	g_mutex_lock(&delivery->lock);
	for (guint i = 0; i < ways->len; i++) {
		Way *way = ways->pdata[i];

		if (way->job == NULL)
			continue;
		delivery_begin_destination(delivery, way->job);
		delivery_add_job(delivery, delivery_destination(delivery, way->hop), way->job);
	}
	g_mutex_unlock(&delivery->lock);
}

/* These recipients become jobs; the caller has a job of the message, and no more.  `since_us` as above. */
static void
delivery_distribute(ActiveMessage *active, const GArray *places, int64_t since_us)
{
	g_autoptr(GPtrArray) ways = delivery_route_all(active, places);
	const unsigned jobs = delivery_count_open(active, ways, since_us);

	if (jobs > 0) {
		delivery_settle_known(active, places);
		delivery_start_jobs(active, ways, jobs);
	} else {
		delivery_job_done(active, places);
	}
}

/* Those that are due, or (with `way`) waited: all that are pending, where that says none.  New array of guint. */
static GArray *
delivery_choose(ActiveMessage *active, const WaitingWay *way)
{
	const MessageState *state = active->state;
	const int64_t now_us = clock_wall(active->delivery->engine->clock);
	GArray *places = g_array_new(FALSE, FALSE, sizeof(guint));

	if (way != NULL && way->places != NULL) {
		g_array_append_vals(places, way->places->data, way->places->len);
		return places;
	}
	for (guint i = 0; i < state->n_recipients; i++)
		if (way != NULL || message_state_is_due(state, i, now_us, active->snapshot->delivery->retry_most_us))
			g_array_append_val(places, i);
	return places;
}

/* The others are routed, too: they wait for changes of the domains on their ways, and a domain that holds its mail now
 * holds theirs.  `can_hold`: none of them waits for a next hop. */
static void
delivery_route_others(ActiveMessage *active, const GArray *places, bool can_hold)
{
	const guint n = active->state->n_recipients;
	g_autofree bool *is_chosen = g_new0(bool, n);

	for (guint i = 0; i < places->len; i++)
		is_chosen[g_array_index(places, guint, i)] = true;
	for (guint i = 0; i < n; i++) {
		const RouteAnswer *way;

		if (is_chosen[i] || active->state->recipients[i].status != RECIPIENT_PENDING)
			continue;
		way = delivery_route(active, i);
		if (can_hold && way->result == ROUTE_HELD)
			delivery_set_result(active, i, SENT_HELD, way->reply);
	}
}

/* Nobody else has the message yet. */
static void
delivery_begin_routing(ActiveMessage *active, const WaitingWay *way)
{
	g_autoptr(GArray) places = delivery_choose(active, way);

	active->is_routed = true;
	delivery_route_others(active, places, way == NULL);
	delivery_distribute(active, places, way != NULL ? way->since_us : 0);
}

/* Failures that an earlier attempt could not report are reported when they are due, and recipients that are not due then
 * are left alone. */
static bool
delivery_is_only_reported(const ActiveMessage *active)
{
	return active->state->next_us > clock_wall(active->delivery->engine->clock) &&
		   message_state_count(active->state, RECIPIENT_FAILED) > 0;
}

/* Damage is an alarm, not a loop: the message stays where it is, and is tried again in an hour.  What the disk cannot
 * read now it may read soon. */
static void
delivery_cannot_read(Delivery *delivery, QueueId id, const GError *error)
{
	const bool is_damaged = g_error_matches(error, POSTERN_ERROR, POSTERN_ERROR_DAMAGED);
	SpoolSummary summary;
	char text[ID_TEXT_SIZE];

	if (spool_summary(delivery->engine->spool, id, &summary)) {
		log_event(LOG_LEVEL_ERROR, "message cannot be read", "queue", id_format(id, text), "error",
			error->message, NULL);
		metrics_alarm(delivery->engine->metrics, "spool.damage", error->message);
	}
	queue_postpone(delivery->engine->queue, id, (is_damaged ? 3600 : 60) * CLOCK_SECOND);
}

/* The queue made it active: it was due, or (with `way`) parked. */
static void
delivery_begin(Delivery *delivery, QueueId id, const WaitingWay *way)
{
	g_autoptr(GError) error = NULL;
	SpoolMessage *message;
	ActiveMessage *active;

	activity_set_queue(id);
	message = spool_read(delivery->engine->spool, id, &error);
	if (message == NULL) {
		if (way != NULL)
			delivery_unparked(delivery, way->of);
		delivery_cannot_read(delivery, id, error);
		return;
	}
	if (way == NULL && !delivery_may_spread(delivery, message->envelope)) {
		spool_message_free(message);
		queue_postpone(delivery->engine->queue, id, DELIVERY_SPREAD_US);
		return;
	}
	active = delivery_activate(delivery, message);
	if (way != NULL)
		delivery_resume(active, way->of);
	if (delivery_is_only_reported(active))
		delivery_job_done(active, NULL);
	else
		delivery_begin_routing(active, way);
}

/* ---- the scheduler ---- */

/* Lock held. */
static void
delivery_wait(Delivery *delivery, int64_t due_us)
{
	const int64_t now_us = g_get_monotonic_time();
	const int64_t most_us = delivery->active > 0 ? DELIVERY_LOOK_US : 60 * CLOCK_SECOND;
	const int64_t until_us = MIN(due_us, now_us + most_us);

	while (!delivery->is_awake && !delivery->is_stopping)
		if (!g_cond_wait_until(&delivery->wake, &delivery->lock, until_us))
			break;
	delivery->is_awake = false;
}

/* Of a message that is under way: all its recipients are those of the way. */
static void
delivery_distribute_way(ActiveMessage *active, const WaitingWay *way)
{
	g_autoptr(GArray) places = way->places != NULL ? g_array_ref(way->places) : delivery_choose(active, way);

	delivery_distribute(active, places, way->since_us);
}

/* A way whose next hop has room; false: there is none. */
static bool
delivery_begin_way(Delivery *delivery)
{
	ActiveMessage *active = NULL;
	QueueId id = 0;
	WaitingWay *way;

	g_mutex_lock(&delivery->lock);
	way = delivery_take_way(delivery);
	if (way != NULL) {
		active = way->of->active;
		id = way->of->id;
	}
	g_mutex_unlock(&delivery->lock);
	if (way == NULL)
		return false;
	activity_set_queue(id);
	if (active != NULL)
		delivery_distribute_way(active, way);
	else if (queue_unpark(delivery->engine->queue, id) != NULL)
		delivery_begin(delivery, id, way);
	return true;
}

/* No lock held.  True: something was begun, and more may be there; else `due_us` says when to look again. */
static bool
delivery_begin_some(Delivery *delivery, int64_t *due_us)
{
	Engine *engine = delivery->engine;
	bool has_way, is_taken;
	QueueId id;

	if (!spool_wait_can_record(engine->spool, g_get_monotonic_time() + DELIVERY_LOOK_US)) {
		*due_us = 0;
		return false;
	}
	has_way = delivery_begin_way(delivery);
	is_taken = queue_take(engine->queue, &id, due_us);
	if (is_taken)
		delivery_begin(delivery, id, NULL);
	return has_way || is_taken;
}

static void *
delivery_schedule(void *data)
{
	Delivery *delivery = data;

	delivery_yield_to_clients();
	g_mutex_lock(&delivery->lock);
	while (!delivery->is_stopping) {
		int64_t due_us = CLOCK_NEVER;
		const bool may_begin = delivery->active < delivery->snapshot->delivery->max_active;
		bool has_begun;

		g_mutex_unlock(&delivery->lock);
		has_begun = may_begin && delivery_begin_some(delivery, &due_us);
		activity_set_queue(0);
		delivery_report_waiting(delivery);
		g_mutex_lock(&delivery->lock);
		delivery_look_after(delivery);
		if (!has_begun)
			delivery_wait(delivery, due_us);
	}
	g_mutex_unlock(&delivery->lock);
	return NULL;
}

void
delivery_start(Delivery *delivery)
{
	delivery->scheduler = thread_new("schedule", delivery_schedule, delivery);
}

/* Jobs that nobody began end without a result, so that their messages are settled with those of other jobs. */
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

/* A hook of ROUTE that does not return keeps the scheduler: its message is left to it, everything else is settled. */
bool
delivery_stop(Delivery *delivery, int64_t deadline_us)
{
	bool is_done = true;

	g_mutex_lock(&delivery->lock);
	delivery->is_stopping = true;
	g_cond_broadcast(&delivery->wake);
	delivery_wake_threads(delivery);
	g_mutex_unlock(&delivery->lock);
	if (delivery->scheduler != NULL) {
		is_done = thread_join_until(
			delivery->scheduler, MAX(deadline_us, g_get_monotonic_time() + DELIVERY_SCHEDULER_US));
		if (is_done)
			delivery->scheduler = NULL;
	}
	g_mutex_lock(&delivery->lock);
	while (delivery->threads > 0 && g_cond_wait_until(&delivery->has_ended, &delivery->lock, deadline_us))
		continue;
	is_done &= delivery->threads == 0;
	g_mutex_unlock(&delivery->lock);
	delivery_let_go(delivery);
	return is_done;
}

void
delivery_figures(Delivery *delivery, DeliveryFigures *figures)
{
	GHashTableIter each;
	gpointer destination;

	g_mutex_lock(&delivery->lock);
	figures->threads = delivery->threads;
	figures->active = delivery->active;
	figures->destinations = g_hash_table_size(delivery->destinations);
	figures->waiting = 0;
	g_hash_table_iter_init(&each, delivery->destinations);
	while (g_hash_table_iter_next(&each, NULL, &destination))
		figures->waiting += ((Destination *)destination)->ways.length;
	g_mutex_unlock(&delivery->lock);
}
