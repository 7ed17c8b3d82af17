/* delivery-park.c - recipients that wait for next hops which have enough to do.
 *
 * They are no jobs: a destination has a few jobs, and ways of messages in the order they came.  When it has few jobs left,
 * the scheduler routes the next ways and makes jobs of them.  A message of which only such ways are left is not active:
 * the queue has it, so that every verb, and every change of routes or domains, takes effect on it at once. */
#include "engine/delivery-private.h"

bool
delivery_is_full(const Destination *destination)
{
	return destination->jobs.length >= DELIVERY_QUEUED;
}

/* Lock held. */
static void
delivery_wake_scheduler(Delivery *delivery)
{
	delivery->is_awake = true;
	g_cond_signal(&delivery->wake);
}

void
delivery_feed(Delivery *delivery, Destination *destination)
{
	if (destination->is_hungry || g_queue_is_empty(&destination->ways))
		return;
	destination->is_hungry = true;
	g_queue_push_tail(&delivery->hungry, destination);
	delivery_wake_scheduler(delivery);
}

/* ---- the ways of a message ---- */

static void
waiting_free_way(void *data)
{
	WaitingWay *way = data;

	if (way->places != NULL)
		g_array_unref(way->places);
	g_free(way);
}

void
delivery_unref_waiting(Waiting *waiting)
{
	if (--waiting->references > 0)
		return;
	if (waiting->first.places != NULL)
		g_array_unref(waiting->first.places);
	if (waiting->others != NULL)
		g_ptr_array_unref(waiting->others);
	g_slice_free(Waiting, waiting);
}

static Waiting *
waiting_new(ActiveMessage *active)
{
	Waiting *waiting = g_slice_new0(Waiting);

	waiting->references = 1;
	waiting->id = active->message->envelope->id;
	waiting->active = active;
	return waiting;
}

static WaitingWay *
waiting_add_way(Waiting *waiting)
{
	WaitingWay *way = &waiting->first;

	if (way->of != NULL) {
		way = g_new0(WaitingWay, 1);
		if (waiting->others == NULL)
			waiting->others = g_ptr_array_new_with_free_func(waiting_free_way);
		g_ptr_array_add(waiting->others, way);
	}
	way->of = waiting;
	waiting->references++;
	return way;
}

void
delivery_line_up(ActiveMessage *active, Destination *destination, GArray *places)
{
	WaitingWay *way;

	if (active->waiting == NULL)
		active->waiting = waiting_new(active);
	way = waiting_add_way(active->waiting);
	way->places = places != NULL ? g_array_ref(places) : NULL;
	way->since_us = g_get_monotonic_time();
	g_queue_push_tail(&destination->ways, way);
	if (!delivery_is_full(destination))
		delivery_feed(active->delivery, destination);
}

/* Calls `each` for the ways that are not over, of which there may be none; how many. */
static unsigned
waiting_each(Waiting *waiting, void (*each)(Delivery *delivery, WaitingWay *way), Delivery *delivery)
{
	const guint n = waiting->others != NULL ? waiting->others->len : 0;
	unsigned found = 0;

	for (guint i = 0; i <= n; i++) {
		WaitingWay *way = i == 0 ? &waiting->first : waiting->others->pdata[i - 1];

		if (way->of == NULL || way->is_over)
			continue;
		found++;
		if (each != NULL)
			each(delivery, way);
	}
	return found;
}

bool
delivery_has_waiting(const ActiveMessage *active)
{
	unsigned n = 0;

	g_mutex_lock(&active->delivery->lock);
	if (active->waiting != NULL)
		n = waiting_each(active->waiting, NULL, NULL);
	g_mutex_unlock(&active->delivery->lock);
	return n > 0;
}

bool
delivery_is_cut_off(const ActiveMessage *active)
{
	bool is_cut_off;

	g_mutex_lock(&active->delivery->lock);
	is_cut_off = active->waiting != NULL && active->waiting->is_cut_off;
	g_mutex_unlock(&active->delivery->lock);
	return is_cut_off;
}

/* One that is in no list has its reference here. */
static void
waiting_end_way(Delivery *delivery, WaitingWay *way)
{
	(void)delivery;
	way->is_over = true;
	if (way->is_wanted)
		delivery_unref_waiting(way->of);
}

void
delivery_end_waiting(ActiveMessage *active)
{
	Waiting *waiting = g_steal_pointer(&active->waiting);

	if (waiting == NULL)
		return;
	waiting->active = NULL;
	(void)waiting_each(waiting, waiting_end_way, active->delivery);
	delivery_unref_waiting(waiting);
}

/* ---- to the queue, and back ---- */

static void
waiting_begin_wanted(Delivery *delivery, WaitingWay *way)
{
	if (!way->is_wanted)
		return;
	way->is_wanted = false;
	g_queue_push_tail(&delivery->wanted, way);
	delivery_wake_scheduler(delivery);
}

/* The queue has the message before a way of it can be begun again.  What was routed by an older configuration, or waits no
 * more by now, is due. */
void
delivery_park(ActiveMessage *active)
{
	Delivery *delivery = active->delivery;
	const QueueId id = active->message->envelope->id;
	Waiting *waiting;
	bool is_due;

	queue_park(delivery->engine->queue, id);
	g_mutex_lock(&delivery->lock);
	is_due = active->snapshot != delivery->snapshot || waiting_each(active->waiting, NULL, NULL) == 0;
	if (!is_due) {
		waiting = g_steal_pointer(&active->waiting);
		waiting->active = NULL;
		(void)waiting_each(waiting, waiting_begin_wanted, delivery);
		delivery_unref_waiting(waiting);
	}
	g_mutex_unlock(&delivery->lock);
	if (is_due)
		queue_end_parking(delivery->engine->queue, id);
}

void
delivery_resume(ActiveMessage *active, Waiting *waiting)
{
	g_mutex_lock(&active->delivery->lock);
	waiting->references++;
	waiting->active = active;
	active->waiting = waiting;
	g_mutex_unlock(&active->delivery->lock);
}

/* ---- the lists ---- */

/* Lock held.  Of a message that is given back to the queue just now the end is awaited. */
static bool
delivery_can_begin(WaitingWay *way)
{
	if (way->of->active == NULL || delivery_borrow(way->of->active)) {
		way->is_over = true;
		return true;
	}
	way->is_wanted = true;
	return false;
}

/* Lock held.  The first in the list that can be begun; with its reference. */
static WaitingWay *
delivery_pop_way(GQueue *ways)
{
	WaitingWay *way;

	while ((way = g_queue_pop_head(ways)) != NULL) {
		if (way->is_over)
			delivery_unref_waiting(way->of);
		else if (delivery_can_begin(way))
			return way;
	}
	return NULL;
}

/* Hungry destinations take turns. */
WaitingWay *
delivery_take_way(Delivery *delivery)
{
	WaitingWay *way = delivery_pop_way(&delivery->wanted);
	Destination *destination;

	while (way == NULL && (destination = g_queue_pop_head(&delivery->hungry)) != NULL) {
		if (!delivery_is_full(destination))
			way = delivery_pop_way(&destination->ways);
		destination->is_hungry = way != NULL;
		if (way != NULL)
			g_queue_push_tail(&delivery->hungry, destination);
		else
			delivery_drop_destination(delivery, destination);
	}
	return way;
}

/* Lock held.  The ids of parked messages among them go to `ids`. */
static void
delivery_end_ways(GQueue *ways, GArray *ids)
{
	WaitingWay *way;

	while ((way = g_queue_pop_head(ways)) != NULL) {
		Waiting *waiting = way->of;

		if (!way->is_over) {
			way->is_over = true;
			waiting->is_cut_off = true;
			if (waiting->active == NULL)
				g_array_append_val(ids, waiting->id);
		}
		delivery_unref_waiting(waiting);
	}
}

void
delivery_end_parking(Delivery *delivery)
{
	g_autoptr(GArray) ids = g_array_new(FALSE, FALSE, sizeof(QueueId));
	GHashTableIter each;
	gpointer destination;

	g_mutex_lock(&delivery->lock);
	g_hash_table_iter_init(&each, delivery->destinations);
	while (g_hash_table_iter_next(&each, NULL, &destination))
		delivery_end_ways(&((Destination *)destination)->ways, ids);
	g_mutex_unlock(&delivery->lock);
	for (guint i = 0; i < ids->len; i++)
		queue_end_parking(delivery->engine->queue, g_array_index(ids, QueueId, i));
}
