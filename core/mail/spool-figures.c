/* spool-figures.c - what is asked of the spool by any thread, without touching the log. */
#include "mail/spool-private.h"

bool
spool_is_closed(Spool *spool)
{
	bool is_closed;

	g_mutex_lock(&spool->lock);
	is_closed = spool->is_closed;
	g_mutex_unlock(&spool->lock);
	return is_closed;
}

bool
spool_has_room(Spool *spool, SpoolResult *reason)
{
	SpoolResult found = SPOOL_COMMITTED;
	guint n_ready;

	g_mutex_lock(&spool->lock);
	n_ready = g_queue_get_length(&spool->ready);
	if (n_ready > SPOOL_RESERVED)
		spool->is_mail_full = false;
	if (spool->is_closed)
		found = SPOOL_CLOSED;
	else if (spool->has_prepare_failed && (n_ready < SPOOL_RESERVED || spool->is_mail_full))
		found = SPOOL_FULL;
	g_mutex_unlock(&spool->lock);
	if (found == SPOOL_COMMITTED && spool_room_is_short(spool))
		found = SPOOL_FULL;
	if (found != SPOOL_COMMITTED)
		*reason = found;
	return found == SPOOL_COMMITTED;
}

static void
spool_summarize(const SpoolEntry *entry, SpoolSummary *summary)
{
	*summary = (SpoolSummary){ .id = entry->id,
		.size = entry->content->place.size,
		.next_us = entry->next_us,
		.arrived_us = entry->arrived_us,
		.n_pending = entry->n_pending,
		.n_recipients = entry->n_recipients,
		.attempts = entry->attempts,
		.is_held = entry->is_held,
		.has_held = entry->has_held,
		.version = entry->version };
}

void
spool_each(Spool *spool, bool (*each)(void *data, const SpoolSummary *summary), void *data)
{
	g_mutex_lock(&spool->index_lock);
	for (const SpoolEntry *entry = spool->oldest; entry != NULL; entry = entry->newer) {
		SpoolSummary summary;

		if (entry->is_finished)
			continue;
		spool_summarize(entry, &summary);
		if (!each(data, &summary))
			break;
	}
	g_mutex_unlock(&spool->index_lock);
}

bool
spool_summary(Spool *spool, QueueId id, SpoolSummary *summary)
{
	const SpoolEntry *entry;
	bool is_there;

	g_mutex_lock(&spool->index_lock);
	entry = spool_index_find(spool, id);
	is_there = entry != NULL && !entry->is_finished;
	if (is_there)
		spool_summarize(entry, summary);
	g_mutex_unlock(&spool->index_lock);
	return is_there;
}

QueueId
spool_highest_id(Spool *spool)
{
	QueueId id;

	g_mutex_lock(&spool->index_lock);
	id = spool->highest_id;
	g_mutex_unlock(&spool->index_lock);
	return id;
}

size_t
spool_count(Spool *spool)
{
	size_t n;

	g_mutex_lock(&spool->index_lock);
	n = spool->n_messages;
	g_mutex_unlock(&spool->index_lock);
	return n;
}

void
spool_figures(Spool *spool, SpoolFigures *figures)
{
	g_mutex_lock(&spool->lock);
	*figures = spool->figures;
	figures->is_closed = spool->is_closed;
	figures->unwritten = spool->n_unwritten;
	figures->can_record = spool_backlog_can_record(spool);
	figures->segments = g_queue_get_length(&spool->segments) + g_queue_get_length(&spool->ready);
	figures->log_octets = 0;
	g_mutex_lock(&spool->index_lock);
	figures->messages = spool->n_messages;
	figures->live_octets = 0;
	for (const GList *link = spool->segments.head; link != NULL; link = link->next) {
		const SpoolSegment *segment = link->data;

		figures->log_octets += segment->size;
		figures->live_octets += segment->live_octets;
	}
	g_mutex_unlock(&spool->index_lock);
	g_mutex_unlock(&spool->lock);
	figures->files = (uint64_t)MAX(g_atomic_int_get(&spool->n_files), 0);
	if (spool->disk->free_octets(spool->disk, spool->directory, &figures->free_octets) != 0)
		figures->free_octets = 0;
}

bool
spool_probe(Spool *spool)
{
	unsigned before;
	bool is_open;

	g_mutex_lock(&spool->lock);
	before = spool->probes;
	spool->wants_probe = spool->wants_retry = true;
	g_cond_signal(&spool->committer_wakes);
	g_cond_signal(&spool->keeper_wakes);
	while (spool->probes == before)
		g_cond_wait(&spool->ready_came, &spool->lock);
	is_open = !spool->is_closed;
	g_mutex_unlock(&spool->lock);
	return is_open;
}
