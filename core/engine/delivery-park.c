/* delivery-park.c - recipients that wait for next hops which have enough to do.
 *
 * They are no jobs: a destination has a few jobs, and ways of messages in the order they came.  When it has few jobs left,
 * the scheduler routes the next ways and makes jobs of them.  A message of which only such ways are left is not active:
 * the queue has it, so that every verb, and every change of routes or domains, takes effect on it at once. */
#include "engine/delivery-private.h"

bool
delivery_is_full(const Delivery *delivery, const Destination *destination)
{
	return destination->jobs.length >= delivery->snapshot->delivery->ready;
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
waiting_join_list(WaitingWay *way, GQueue *list)
{
	way->link.data = way;
	way->list = list;
	g_queue_push_tail_link(list, &way->link);
}

/* A destination with ways is hungry or has jobs: somebody will look at it, and drop it when it
 * has neither. */
static void
waiting_leave_list(WaitingWay *way)
{
	if (way->list != NULL)
		g_queue_unlink(way->list, &way->link);
	way->list = NULL;
}

static void
waiting_clear_way(WaitingWay *way)
{
	waiting_leave_list(way);
	g_clear_pointer(&way->places, g_array_unref);
}

static void
waiting_free_way(void *data)
{
	WaitingWay *way = data;

	waiting_clear_way(way);
	g_free(way);
}

/* Lock held.  Takes its ways out of their lists. */
static void
waiting_free(Waiting *waiting)
{
	waiting_clear_way(&waiting->first);
	if (waiting->others != NULL)
		g_ptr_array_unref(waiting->others);
	g_slice_free(Waiting, waiting);
}

static Waiting *
waiting_new(ActiveMessage *active)
{
	Waiting *waiting = g_slice_new0(Waiting);

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
	waiting_join_list(way, &destination->ways);
	if (!delivery_is_full(active->delivery, destination))
		delivery_feed(active->delivery, destination);
}

static WaitingWay *
waiting_way(Waiting *waiting, guint i)
{
	return i == 0 ? &waiting->first : waiting->others->pdata[i - 1];
}

static guint
waiting_count(const Waiting *waiting)
{
	return 1 + (waiting->others != NULL ? waiting->others->len : 0);
}

/* Lock held.  A way of the message is not over. */
static bool
waiting_has_way(Waiting *waiting)
{
	for (guint i = 0; waiting != NULL && i < waiting_count(waiting); i++)
		if (!waiting_way(waiting, i)->is_over)
			return true;
	return false;
}

bool
delivery_has_waiting(const ActiveMessage *active)
{
	bool has_way;

	g_mutex_lock(&active->delivery->lock);
	has_way = waiting_has_way(active->waiting);
	g_mutex_unlock(&active->delivery->lock);
	return has_way;
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

void
delivery_end_waiting(ActiveMessage *active)
{
	g_clear_pointer(&active->waiting, waiting_free);
}

/* ---- to the queue, and back ---- */

/* Lock held.  Begins the ways whose next hops got room while the message was given to the queue. */
static void
waiting_begin_wanted(Delivery *delivery, Waiting *waiting)
{
	for (guint i = 0; i < waiting_count(waiting); i++) {
		WaitingWay *way = waiting_way(waiting, i);

		if (way->is_over || !way->is_wanted)
			continue;
		way->is_wanted = false;
		waiting_join_list(way, &delivery->wanted);
		delivery_wake_scheduler(delivery);
	}
}

/* A message that was routed by an older configuration, has no way left that waits, or has a verb
 * pending is due at once instead. */
void
delivery_park(ActiveMessage *active)
{
	Delivery *delivery = active->delivery;
	Queue *queue = delivery->engine->queue;
	const QueueId id = active->message->envelope->id;
	Waiting *waiting = active->waiting;
	bool is_parked;

	g_mutex_lock(&delivery->lock);
	is_parked = active->snapshot == delivery->snapshot && waiting_has_way(waiting) &&
				queue_park(queue, id, waiting);
	if (is_parked) {
		active->waiting = NULL;
		waiting->active = NULL;
		waiting_begin_wanted(delivery, waiting);
	}
	g_mutex_unlock(&delivery->lock);
	if (!is_parked)
		queue_postpone(queue, id, 0);
}

void
delivery_unparked(void *data, void *waiting)
{
	Delivery *delivery = data;

	g_mutex_lock(&delivery->lock);
	waiting_free(waiting);
	g_mutex_unlock(&delivery->lock);
}

void
delivery_resume(ActiveMessage *active, Waiting *waiting)
{
	g_mutex_lock(&active->delivery->lock);
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

/* Lock held.  The first in the list that can be begun. */
static WaitingWay *
delivery_pop_way(GQueue *ways)
{
	const GList *first;

	while ((first = g_queue_peek_head_link(ways)) != NULL) {
		WaitingWay *way = first->data;

		waiting_leave_list(way);
		if (delivery_can_begin(way))
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
		if (!delivery_is_full(delivery, destination))
			way = delivery_pop_way(&destination->ways);
		destination->is_hungry = way != NULL;
		if (way != NULL)
			g_queue_push_tail(&delivery->hungry, destination);
		else
			delivery_drop_destination(delivery, destination);
	}
	return way;
}

/* Lock held.  Ways of active messages are over; the ids of parked messages go to `ids`. */
static void
delivery_end_ways(GQueue *ways, GArray *ids)
{
	for (GList *link = ways->head, *next; link != NULL; link = next) {
		WaitingWay *way = link->data;

		next = link->next;
		if (way->of->active == NULL) {
			g_array_append_val(ids, way->of->id);
			continue;
		}
		waiting_leave_list(way);
		way->is_over = true;
		way->of->is_cut_off = true;
	}
}

/* No lock held. */
static void
delivery_end_parked(Delivery *delivery, QueueId id)
{
	Waiting *waiting = queue_unpark(delivery->engine->queue, id);

	if (waiting == NULL)
		return;
	delivery_unparked(delivery, waiting);
	queue_postpone(delivery->engine->queue, id, 0);
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
	delivery_end_ways(&delivery->wanted, ids);
	g_mutex_unlock(&delivery->lock);
	for (guint i = 0; i < ids->len; i++)
		delivery_end_parked(delivery, g_array_index(ids, QueueId, i));
}
