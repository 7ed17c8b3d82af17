/* spool-backlog.c - results of deliveries that are not durable yet: how many, and whether they are expected to become so.
 *
 * What a next hop accepted and we cannot record is delivered again after a crash.  The backlog bounds that: delivery
 * threads ask before they begin. */
#include "mail/spool-private.h"

/* `n_results`: those that no superseded state brought before. */
void
spool_backlog_put(Spool *spool, const StatePut *put, unsigned n_results)
{
	spool->n_unwritten += n_results;
	if (spool->unwritten_since_us == 0)
		spool->unwritten_since_us = put->put_us;
}

bool
spool_backlog_is_urgent(const Spool *spool)
{
	return spool->n_unwritten >= SPOOL_UNWRITTEN_SOON;
}

/* What was put before the batch was filled is durable: the oldest one left is the first that waits. */
void
spool_backlog_written(Spool *spool, uint64_t n_results)
{
	spool->n_unwritten -= n_results;
	spool->unwritten_since_us = spool->states != NULL ? spool->states->put_us : 0;
	spool->has_failed_batch = false;
	if (spool->n_backlog_waiters > 0)
		g_cond_broadcast(&spool->backlog_shrank);
}

/* Of a state that a transaction superseded.  Where nothing is left to write, no batch will say so. */
void
spool_backlog_dropped(Spool *spool, uint64_t n_results, bool is_batch_empty)
{
	spool->n_unwritten -= n_results;
	if (spool->states != NULL || !is_batch_empty)
		return;
	spool->unwritten_since_us = 0;
	g_cond_broadcast(&spool->backlog_shrank);
}

void
spool_backlog_failed(Spool *spool)
{
	spool->has_failed_batch = true;
	spool->trial_us = g_get_monotonic_time() + SPOOL_RETRY_US;
}

bool
spool_backlog_can_record(const Spool *spool)
{
	return !spool->is_closed && !spool->has_failed_batch && spool->n_unwritten <= SPOOL_UNWRITTEN_MOST &&
		   (spool->unwritten_since_us == 0 ||
			   g_get_monotonic_time() - spool->unwritten_since_us <= SPOOL_UNWRITTEN_US);
}

bool
spool_can_record(Spool *spool)
{
	bool can_record;

	g_mutex_lock(&spool->lock);
	can_record = spool_backlog_can_record(spool);
	g_mutex_unlock(&spool->lock);
	return can_record;
}

bool
spool_wait_can_record(Spool *spool, int64_t until_us)
{
	bool can_record;

	g_mutex_lock(&spool->lock);
	spool->n_backlog_waiters++;
	while (!(can_record = spool_backlog_can_record(spool)))
		if (!g_cond_wait_until(&spool->backlog_shrank, &spool->lock, until_us))
			break;
	spool->n_backlog_waiters--;
	g_mutex_unlock(&spool->lock);
	return can_record;
}
