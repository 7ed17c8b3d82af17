/* spool-commit.c - the committer: takes every transaction that waits, writes, syncs once, posts the results.
 *
 * While one sync runs the next batch gathers: no timer, no added delay.  States alone wait at most 100 ms
 * for a batch to ride with. */
#include "base/activity.h"
#include "base/log.h"
#include "mail/spool-file.h"
#include "mail/spool-private.h"

void
spool_state_put_free(StatePut *put)
{
	g_free(put);
}

void
spool_move_free(SpoolMove *move)
{
	g_byte_array_unref(move->octets);
	g_free(move);
}

/* ---- after the sync ---- */

static void
spool_apply_transaction(Spool *spool, SpoolTransaction *transaction)
{
	SpoolContent *content = NULL;

	for (guint i = 0; i < transaction->rows->len; i++) {
		SpoolRow *row = &g_array_index(transaction->rows, SpoolRow, i);
		SpoolEntry *entry = spool_index_find(spool, row->id);

		row->batch = spool->last_batch;
		row->offset += (uint32_t)transaction->base;
		if (row->place.kind == SPOOL_IN_SEGMENT)
			row->place.at += transaction->base;
		spool_segment_add_row(spool->active, row);
		if (id_is_later(row->id, spool->highest_id))
			spool->highest_id = row->id;
		if (row->type == SPOOL_RECORD_MESSAGE && entry == NULL) {
			if (content == NULL)
				content = spool_index_content(spool, &row->place, spool->active);
			spool_index_add(spool, row, spool->active, content);
		} else if (row->type == SPOOL_RECORD_STATE && entry != NULL && row->version > entry->version) {
			/* an older one that waits still must not be taken for the present one */
			if (entry->pending != NULL && entry->pending->row.version < row->version) {
				entry->pending->is_superseded = true;
				entry->pending = NULL;
			}
			spool_index_apply(entry, row);
			spool_index_set_state_place(entry, row, spool->active);
			if (row->n_pending == 0)
				spool_index_remove(spool, entry);
		}
	}
}

static unsigned
spool_apply_state(Spool *spool, StatePut *put)
{
	SpoolEntry *entry = spool_index_find(spool, put->row.id);
	const unsigned n_results = put->n_results;

	put->row.batch = spool->last_batch;
	spool_segment_add_row(spool->active, &put->row);
	put->n_results = 0;
	if (entry == NULL || entry->pending != put)
		return n_results;
	entry->pending = NULL;
	if (put->row.version < entry->version)
		return n_results;
	spool_index_set_state_place(entry, &put->row, spool->active);
	if (put->row.n_pending == 0)
		spool_index_remove(spool, entry);
	return n_results;
}

static void
spool_apply_move(Spool *spool, SpoolMove *move, bool is_good)
{
	SpoolEntry *entry = spool_index_find(spool, move->id);

	if (entry != NULL)
		entry->is_moving = false;
	if (!is_good || !move->is_written)
		return;
	move->row.batch = spool->last_batch;
	spool_segment_add_row(spool->active, &move->row);
	if (entry == NULL)
		return;
	spool_index_place(entry, &move->row, spool->active);
	if (entry->placed <= move->version)
		spool_index_set_state_place(entry, &move->row, spool->active);
}

/* Puts those of a failed batch back at the head; a newer one that waits has superseded its elder. */
static void
spool_requeue_states(Spool *spool, SpoolBatch *batch)
{
	g_mutex_lock(&spool->lock);
	if (batch->states != NULL) {
		*batch->last_state = spool->states;
		if (spool->states == NULL)
			spool->last_state = batch->last_state;
		spool->states = batch->states;
		spool->states_since_us = 0;
	}
	g_mutex_unlock(&spool->lock);
	batch->states = NULL;
}

static void
spool_apply(Spool *spool, SpoolBatch *batch, bool is_good)
{
	uint64_t n_transactions = 0, n_states = 0, n_results = 0;
	const bool is_marked = is_good && batch->has_mark && spool_batch_is_to_write(batch);
	const int64_t oldest_us = batch->states != NULL ? batch->states->put_us : 0;

	g_mutex_lock(&spool->index_lock);
	if (is_marked) {
		batch->mark_row.batch = spool->last_batch;
		spool_segment_add_row(spool->active, &batch->mark_row);
	}
	for (SpoolTransaction *transaction = batch->transactions; is_good && transaction != NULL;
		 transaction = transaction->next) {
		if (transaction->result != SPOOL_COMMITTED)
			continue;
		spool_apply_transaction(spool, transaction);
		n_transactions += !transaction->is_barrier;
	}
	for (StatePut *put = batch->states; is_good && put != NULL; put = put->next, n_states++)
		n_results += spool_apply_state(spool, put);
	for (SpoolMove *move = batch->moves; move != NULL; move = move->next)
		spool_apply_move(spool, move, is_good);
	g_mutex_unlock(&spool->index_lock);
	g_mutex_lock(&spool->lock);
	if (is_marked)
		spool->marked_segment = spool->active->number;
	spool->figures.transactions += n_transactions;
	spool->figures.states += n_states;
	if (!is_good)
		spool_backlog_failed(spool);
	else if (spool_batch_is_to_write(batch))
		spool_backlog_written(spool, n_results);
	if (n_states > 0) {
		spool->figures.state_us_last = (uint64_t)(g_get_monotonic_time() - oldest_us);
		spool->figures.state_us_max = MAX(spool->figures.state_us_max, spool->figures.state_us_last);
	}
	for (const SpoolMove *move = batch->moves; move != NULL; move = move->next, spool->n_moves--)
		spool->figures.compacted_octets += is_good && move->is_written ? move->octets->len : 0;
	if (batch->moves != NULL || n_states > 0) {
		g_cond_signal(&spool->compactor_wakes);
		g_cond_signal(&spool->keeper_wakes);
	}
	g_mutex_unlock(&spool->lock);
}

/* It has not failed so far, and a message of it has a content. */
static bool
spool_has_content(const SpoolTransaction *transaction)
{
	return transaction->content != NULL && transaction->rows->len > 0 &&
		   transaction->result == SPOOL_COMMITTED;
}

/* Takes the transactions.  Files of those that were not committed go. */
static void
spool_post(SpoolTransaction *transaction, SpoolResult failure)
{
	while (transaction != NULL) {
		SpoolTransaction *next = transaction->next;

		if (transaction->result == SPOOL_COMMITTED)
			transaction->result = failure;
		if (spool_has_content(transaction))
			content_set_committed(transaction->content);
		transaction->done(transaction->data, transaction->result);
		spool_transaction_free(transaction);
		transaction = next;
	}
}

static void
spool_batch_clear(SpoolBatch *batch)
{
	while (batch->states != NULL) {
		StatePut *put = batch->states;

		batch->states = put->next;
		spool_state_put_free(put);
	}
	while (batch->moves != NULL) {
		SpoolMove *move = batch->moves;

		batch->moves = move->next;
		spool_move_free(move);
	}
}

/* ---- failure ---- */

/* The batch may come back at the next start, which needs its files then. */
static void
spool_keep_files(Spool *spool, const SpoolBatch *batch)
{
	for (const SpoolTransaction *each = batch->transactions; each != NULL; each = each->next) {
		ContentPlace place;

		if (!spool_has_content(each) || !content_has_file(each->content))
			continue;
		content_place(each->content, &place);
		content_set_committed(each->content);
		g_array_append_val(spool->undecided, place.file);
	}
}

/* The batch was declared not to count. */
static void
spool_drop_files(Spool *spool)
{
	for (guint i = 0; i < spool->undecided->len; i++)
		spool_file_forget(spool, g_array_index(spool->undecided, uint64_t, i));
	g_array_set_size(spool->undecided, 0);
}

/* Says in the next segment that the one that failed ends at the last good batch, and goes on there. */
static bool
spool_declare_end(Spool *spool)
{
	SpoolSegment *next;

	g_mutex_lock(&spool->lock);
	next = g_queue_peek_head(&spool->ready);
	g_mutex_unlock(&spool->lock);
	if (next == NULL || !spool_segment_write_header(spool, next, spool->ended_segment, spool->ended_batch))
		return false;
	g_mutex_lock(&spool->lock);
	spool_roll(spool);
	spool->is_closed = false;
	spool->ended_segment = 0;
	g_mutex_unlock(&spool->lock);
	return true;
}

/* The failed batch is answered once it cannot come back. */
static void
spool_fail(Spool *spool, SpoolBatch *batch)
{
	bool is_mended;

	spool->active->is_ended = true;
	spool->ended_segment = spool->active->number;
	spool->ended_batch = spool->last_batch;
	is_mended = spool_declare_end(spool);
	log_event(LOG_LEVEL_ERROR, "a batch of the spool failed", "next",
		is_mended ? "goes on in a new segment" : "the spool is closed", NULL);
	g_mutex_lock(&spool->lock);
	spool->is_closed = !is_mended;
	g_mutex_unlock(&spool->lock);
	spool_apply(spool, batch, false);
	spool_requeue_states(spool, batch);
	if (!is_mended)
		spool_keep_files(spool, batch);
	spool_post(batch->transactions, is_mended ? SPOOL_FAILED : SPOOL_CLOSED);
}

/* Lock held; gives it up meanwhile.  New mail is answered; states wait for better days. */
static void
spool_serve_closed(Spool *spool, int64_t *probe_us)
{
	SpoolTransaction *waiting = spool->waiting;
	const int64_t now_us = g_get_monotonic_time();
	const bool is_due = spool->wants_probe || now_us >= *probe_us;

	spool->waiting = NULL;
	spool->last_waiting = &spool->waiting;
	spool->wants_probe = false;
	g_mutex_unlock(&spool->lock);
	activity_round(now_us);
	spool_post(waiting, SPOOL_CLOSED);
	if (is_due) {
		*probe_us = now_us + SPOOL_PROBE_US;
		if (spool_declare_end(spool)) {
			log_event(LOG_LEVEL_INFO, "the spool is open again", NULL);
			spool_drop_files(spool);
		}
	}
	activity_round(0);
	g_mutex_lock(&spool->lock);
	if (is_due) {
		spool->probes++;
		g_cond_broadcast(&spool->ready_came);
	}
}

static bool
spool_has_work(const Spool *spool, int64_t now_us)
{
	if (spool->waiting != NULL || spool->moves != NULL || spool->wants_probe)
		return true;
	if (spool->has_failed_batch && now_us >= spool->trial_us)
		return true;
	return spool->states != NULL && (now_us >= spool->states_since_us + SPOOL_STATE_DELAY_US ||
										spool->is_stopping || spool_backlog_is_urgent(spool));
}

static void
spool_commit_batch(Spool *spool, SpoolBatch *batch)
{
	if (spool_batch_is_to_write(batch) && !spool_batch_write(spool, batch)) {
		spool_fail(spool, batch);
		spool_batch_clear(batch);
		return;
	}
	spool_apply(spool, batch, true);
	spool_post(batch->transactions, SPOOL_COMMITTED);
	spool_batch_clear(batch);
}

/* Lock held.  Until something comes, or the states that wait are due, or `until_us`. */
static void
spool_wait_for_work(Spool *spool, int64_t until_us)
{
	if (spool->states != NULL)
		until_us = MIN(until_us, spool->states_since_us + SPOOL_STATE_DELAY_US);
	if (spool->has_failed_batch)
		until_us = MIN(until_us, spool->trial_us);
	if (until_us == CLOCK_NEVER)
		g_cond_wait(&spool->committer_wakes, &spool->lock);
	else
		(void)g_cond_wait_until(&spool->committer_wakes, &spool->lock, until_us);
}

gpointer
spool_committer(gpointer data)
{
	Spool *spool = data;
	int64_t probe_us = 0;

	g_mutex_lock(&spool->lock);
	for (;;) {
		const int64_t now_us = g_get_monotonic_time();

		if (spool->is_closed) {
			spool_serve_closed(spool, &probe_us);
			if (spool->is_closed && spool->is_stopping)
				break;
			if (spool->is_closed && spool->waiting == NULL && !spool->wants_probe)
				(void)g_cond_wait_until(&spool->committer_wakes, &spool->lock, probe_us);
			continue;
		}
		if (spool->wants_probe) {
			spool->wants_probe = false;
			spool->probes++;
			g_cond_broadcast(&spool->ready_came);
		}
		if (!spool_has_work(spool, now_us)) {
			if (spool->is_stopping)
				break;
			spool_wait_for_work(spool, CLOCK_NEVER);
			continue;
		}
		if (!spool_fill(spool, &spool->batch)) {
			if (spool->is_stopping && spool->has_prepare_failed)
				break;
			(void)g_cond_wait_until(&spool->committer_wakes, &spool->lock, now_us + SPOOL_STATE_DELAY_US);
			continue;
		}
		g_mutex_unlock(&spool->lock);
		activity_round(now_us);
		spool_commit_batch(spool, &spool->batch);
		activity_round(0);
		g_mutex_lock(&spool->lock);
	}
	g_mutex_unlock(&spool->lock);
	return NULL;
}
