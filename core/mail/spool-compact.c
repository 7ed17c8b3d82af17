/* spool-compact.c - the oldest segment is emptied and freed, never another one. */
#include "mail/spool-private.h"

/* Lock held.  What lived in the oldest segment is gone: the keeper takes it. */
static bool
spool_free_oldest(Spool *spool)
{
	SpoolSegment *oldest = g_queue_peek_head(&spool->segments);
	bool is_empty;

	if (oldest == spool->active)
		return false;
	g_mutex_lock(&spool->index_lock);
	is_empty = oldest->entries == NULL && oldest->live_octets == 0;
	g_mutex_unlock(&spool->index_lock);
	if (!is_empty)
		return false;
	g_queue_push_tail(&spool->freed, g_queue_pop_head(&spool->segments));
	g_cond_signal(&spool->keeper_wakes);
	return true;
}

gpointer
spool_compactor(gpointer data)
{
	Spool *spool = data;

	g_mutex_lock(&spool->lock);
	while (!spool->is_stopping)
		if (!spool_free_oldest(spool))
			g_cond_wait(&spool->compactor_wakes, &spool->lock);
	g_mutex_unlock(&spool->lock);
	return NULL;
}
