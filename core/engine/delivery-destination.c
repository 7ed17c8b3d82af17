/* delivery-destination.c - next hops, what waits for each, and how many threads work for it. */
#include <sys/resource.h>

#include "base/activity.h"
#include "engine/delivery-private.h"

#define DELIVERY_IDLE_US (2 * CLOCK_SECOND)    /* a connection waits so long for another message */
#define DELIVERY_BACKLOG_US (2 * CLOCK_SECOND) /* what waits for one next hop is to be gone within this time … */
#define DELIVERY_UNKNOWN_US CLOCK_SECOND       /* … a message taking so long where nothing is known yet */

static bool delivery_start_thread(Delivery *delivery, Destination *destination);

/* Of the calling thread: mail that comes in goes first.  What is queued is safe, a client that waits is not. */
void
delivery_yield_to_clients(void)
{
	enum { LEAST_PRIORITY = 19 };

	(void)setpriority(PRIO_PROCESS, 0, LEAST_PRIORITY);
}

void
delivery_free_destination(void *data)
{
	Destination *destination = data;

	next_hop_free(destination->hop);
	g_free(destination->failed_reply);
	g_cond_clear(&destination->is_called);
	g_free(destination->key);
	g_free(destination);
}

void
delivery_wake_threads(Delivery *delivery)
{
	GHashTableIter each;
	gpointer destination;

	g_hash_table_iter_init(&each, delivery->destinations);
	while (g_hash_table_iter_next(&each, NULL, &destination))
		g_cond_broadcast(&((Destination *)destination)->is_called);
}

/* ---- how many work ---- */

/* Lock held.  How many connections are to work: so many that what waits is gone in time.  A near server is served
 * best over few, as each further one only takes processor time from the mail that comes in; a far one needs many. */
static unsigned
delivery_wanted(const Destination *destination)
{
	const int64_t still_us = g_get_monotonic_time() - destination->moved_us;
	const int64_t each_us =
		destination->service_us == 0 ? DELIVERY_UNKNOWN_US : MAX(destination->service_us, still_us);
	const int64_t waiting = destination->jobs.length + destination->ways.length;
	const int64_t most =
		g_get_monotonic_time() < destination->full_until_us ? destination->most : (int64_t)(G_MAXUINT / 2);

	return (unsigned)MIN(1 + waiting * each_us / DELIVERY_BACKLOG_US, most);
}

Job *
delivery_take_job(DeliveryThread *thread)
{
	Destination *destination = thread->destination;
	const unsigned others = destination->threads - destination->idle - 1;
	Job *job;

	if (thread->delivery->is_stopping || others >= delivery_wanted(destination))
		return NULL;
	job = g_queue_pop_head(&destination->jobs);
	if (destination->jobs.length <= thread->delivery->snapshot->delivery->ready / 2)
		delivery_feed(thread->delivery, destination);
	return job;
}

/* Lock held.  Destinations wait for a thread, and there are as many as may be. */
static bool
delivery_is_short(const Delivery *delivery)
{
	return delivery->waiting.length > 0 && delivery->threads >= delivery->snapshot->delivery->max_deliveries;
}

/* Lock held.  With a connection it waits a little for more. */
static Job *
delivery_next_job(DeliveryThread *thread)
{
	Delivery *delivery = thread->delivery;
	Destination *destination = thread->destination;
	const int64_t until_us = g_get_monotonic_time() + (thread->client != NULL ? DELIVERY_IDLE_US : 0);
	Job *job;

	while ((job = delivery_take_job(thread)) == NULL && !delivery->is_stopping) {
		bool is_in_time = true;

		destination->idle++;
		while (destination->calls == 0 && !delivery->is_stopping && !delivery_is_short(delivery) && is_in_time)
			is_in_time = g_cond_wait_until(&destination->is_called, &delivery->lock, until_us);
		if (destination->calls == 0) {
			destination->idle--;
			return delivery_take_job(thread);
		}
		destination->calls--; /* who called has counted it as busy */
	}
	return job;
}

/* Lock held. */
static void
delivery_want_thread(Delivery *delivery, Destination *destination)
{
	if (destination->threads > 0 || destination->is_waiting)
		return;
	destination->is_waiting = true;
	g_queue_push_tail(&delivery->waiting, destination);
}

/* Lock held. */
static bool
delivery_call_idle(Destination *destination)
{
	if (destination->idle == 0)
		return false;
	destination->idle--;
	destination->calls++;
	g_cond_signal(&destination->is_called);
	return true;
}

/* Lock held: destinations that wait for a thread get one, as far as there are. */
static void
delivery_start_waiting(Delivery *delivery)
{
	Destination *next;

	while (!delivery->is_stopping && (next = delivery_next_to_start(delivery)) != NULL) {
		if (delivery_start_thread(delivery, next))
			continue;
		delivery_want_thread(delivery, next);
		break;
	}
}

void
delivery_drop_destination(Delivery *delivery, Destination *destination)
{
	if (g_queue_is_empty(&destination->jobs) && g_queue_is_empty(&destination->ways) &&
		destination->threads == 0 && !destination->is_waiting && !destination->is_hungry)
		g_hash_table_remove(delivery->destinations, destination->key);
}

/* Lock held: the thread leaves its destination; one that waits for a thread gets one.  A job may have come after the
 * thread had decided to leave: then its own destination waits, too. */
static void
delivery_leave(Delivery *delivery, Destination *destination)
{
	destination->threads--;
	delivery->threads--;
	delivery->mx_threads -= destination->hop->kind == HOP_MX;
	if (!g_queue_is_empty(&destination->jobs) && destination->threads > 0)
		(void)delivery_call_idle(destination);
	else if (!g_queue_is_empty(&destination->jobs))
		delivery_want_thread(delivery, destination);
	else
		delivery_drop_destination(delivery, destination);
	delivery_start_waiting(delivery);
	g_cond_broadcast(&delivery->has_ended);
}

/* Lock held: an eighth of the newest. */
static void
delivery_note_time(Destination *destination, int64_t began_us)
{
	destination->moved_us = g_get_monotonic_time();
	if (destination->service_us == 0)
		destination->service_us = destination->moved_us - began_us;
	destination->service_us += (destination->moved_us - began_us - destination->service_us) / 8;
}

/* ---- the threads ---- */

/* No lock held.  What cannot be recorded is not delivered: the thread waits until results can become durable again.  False:
 * the job went back, since we stop. */
static bool
delivery_may_send(DeliveryThread *thread, Job *job)
{
	Delivery *delivery = thread->delivery;
	const int64_t patience_us = g_get_monotonic_time() + DELIVERY_IDLE_US;
	bool is_stopping = false;

	while (!is_stopping && !spool_wait_can_record(delivery->engine->spool,
							   g_get_monotonic_time() + DELIVERY_LOOK_US)) {
		if (thread->client != NULL && g_get_monotonic_time() > patience_us)
			delivery_hang_up(thread);
		g_mutex_lock(&delivery->lock);
		is_stopping = delivery->is_stopping;
		if (is_stopping)
			g_queue_push_head(&thread->destination->jobs, job);
		g_mutex_unlock(&delivery->lock);
	}
	return !is_stopping;
}

static void *
delivery_serve(void *data)
{
	DeliveryThread *thread = data;
	Delivery *delivery = thread->delivery;
	Job *job;

	delivery_yield_to_clients();
	g_mutex_lock(&delivery->lock);
	while (!thread->gives_up &&
		   (job = thread->next != NULL ? g_steal_pointer(&thread->next) : delivery_next_job(thread)) != NULL) {
		const int64_t began_us = g_get_monotonic_time();

		bool is_done;

		g_mutex_unlock(&delivery->lock);
		is_done = delivery_may_send(thread, job);
		if (is_done) {
			activity_set_queue(job->active->message->envelope->id);
			delivery_begin_share(thread, job);
			delivery_do_job(thread, job);
			activity_set_queue(0);
		}
		g_mutex_lock(&delivery->lock);
		if (!is_done)
			break;
		if (!thread->gives_up)
			delivery_note_time(thread->destination, began_us);
	}
	g_mutex_unlock(&delivery->lock);
	delivery_hang_up(thread);
	delivery_end_share(thread);
	g_mutex_lock(&delivery->lock);
	delivery_leave(delivery, thread->destination);
	g_mutex_unlock(&delivery->lock);
	g_clear_pointer(&thread->tried, g_ptr_array_unref);
	g_free(thread);
	return NULL;
}

static bool
delivery_start_thread(Delivery *delivery, Destination *destination)
{
	DeliveryThread *thread = g_new0(DeliveryThread, 1);

	thread->delivery = delivery;
	thread->destination = destination;
	if (!g_queue_is_empty(&destination->jobs))
		delivery_begin_share(thread, g_queue_peek_head(&destination->jobs));
	if (!thread_start("deliver", delivery_serve, thread)) {
		delivery_end_share(thread);
		g_free(thread);
		return false;
	}
	destination->threads++;
	delivery->threads++;
	delivery->mx_threads += destination->hop->kind == HOP_MX;
	return true;
}

Destination *
delivery_destination(Delivery *delivery, const NextHop *hop)
{
	/* a reload may have changed how the same server is spoken to */
	g_autofree char *key = next_hop_key(hop);
	Destination *destination = g_hash_table_lookup(delivery->destinations, key);

	if (destination != NULL)
		return destination;
	destination = g_new0(Destination, 1);
	destination->key = g_steal_pointer(&key);
	destination->hop = next_hop_copy(hop);
	g_queue_init(&destination->jobs);
	g_cond_init(&destination->is_called);
	g_hash_table_insert(delivery->destinations, destination->key, destination);
	return destination;
}

/* Lock held: one more connection works, if one is wanted and may be. */
static void
delivery_call(Delivery *delivery, Destination *destination, const DeliverySettings *settings)
{
	if (destination->threads == destination->idle)
		destination->moved_us = g_get_monotonic_time();
	if (destination->threads - destination->idle >= delivery_wanted(destination))
		return;
	if (delivery_call_idle(destination) || destination->threads >= settings->per_destination)
		return;
	if (delivery_may_start(delivery, destination) && delivery_start_thread(delivery, destination))
		return;
	delivery_want_thread(delivery, destination);
	if (delivery_is_short(delivery))
		delivery_wake_threads(delivery); /* those that only keep a connection make room */
}

void
delivery_add_job(Delivery *delivery, Destination *destination, Job *job)
{
	g_queue_push_tail(&destination->jobs, job);
	delivery_call(delivery, destination, job->active->snapshot->delivery);
}

void
delivery_look_after(Delivery *delivery)
{
	const int64_t now_us = g_get_monotonic_time();
	GHashTableIter each;
	gpointer destination;

	if (now_us - delivery->looked_us < DELIVERY_LOOK_US)
		return;
	delivery->looked_us = now_us;
	g_hash_table_iter_init(&each, delivery->destinations);
	while (g_hash_table_iter_next(&each, NULL, &destination))
		if (!g_queue_is_empty(&((Destination *)destination)->jobs))
			delivery_call(delivery, destination, delivery->snapshot->delivery);
	delivery_trust_expire(
		delivery->trust, now_us - 2 * delivery->snapshot->delivery->retry_most_us - DELIVERY_UNTRUSTED_US);
	delivery_start_waiting(delivery);
}
