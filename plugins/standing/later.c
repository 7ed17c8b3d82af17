/* later.c - events that could not be counted, as the directory did not answer, and places that could not be judged, as the store did
 * not.  In memory, bounded; the tick tries them again. */
#include <inttypes.h>

#include "plugins/standing/standing.h"

enum { LATER_MOST = 10000 };

static void
later_free(void *data)
{
	Event *event = data;

	g_free((void *)(uintptr_t)event->login);
	g_free(event);
}

GHashTable *
later_new(void)
{
	return g_hash_table_new_full(ptn_hash, g_str_equal, g_free, later_free);
}

/* Takes the name.  Of one name once. */
static void
later_add(PtnHook *h, char *name, const Event *event)
{
	Standing *own = ptn_instance(h);
	Event *copy = g_memdup2(event, sizeof *event);
	bool is_lost;

	copy->login = g_strdup(event->login);
	copy->has_waited = true;
	g_mutex_lock(&own->lock);
	is_lost = g_hash_table_size(own->later) >= LATER_MOST;
	if (!is_lost)
		g_hash_table_replace(own->later, name, copy);
	g_mutex_unlock(&own->lock);
	if (!is_lost)
		return;
	ptn_count(h, "lost", 1);
	g_free(name);
	later_free(copy);
}

void
later_count(PtnHook *h, const Event *event)
{
	Standing *own = ptn_instance(h);
	uint64_t number;

	g_mutex_lock(&own->lock);
	number = own->postponed++;
	g_mutex_unlock(&own->lock);
	later_add(h, g_strdup_printf("%" PRIu64, number), event);
}

void
later_judge(PtnHook *h, const Event *event, const Place *place)
{
	Event judged = *event;

	judged.has_place = judged.is_counted = true;
	judged.place = *place;
	later_add(h, g_strdup(place_shares_key(h, place, event->login)), &judged);
}

/* What fails again comes back by itself, what there was no time for is put back. */
bool
later_tick(PtnHook *h)
{
	Standing *own = ptn_instance(h);
	g_autoptr(GHashTable) waiting = NULL;
	GHashTableIter iter;
	void *name, *data;

	g_mutex_lock(&own->lock);
	if (g_hash_table_size(own->later) > 0) {
		waiting = own->later;
		own->later = later_new();
	}
	g_mutex_unlock(&own->lock);
	if (waiting == NULL)
		return false;
	g_hash_table_iter_init(&iter, waiting);
	while (g_hash_table_iter_next(&iter, &name, &data)) {
		if (ptn_time_left(h) > PTN_SECOND)
			(void)counters_add(h, data);
		else
			later_add(h, g_strdup(name), data);
	}
	return true;
}
