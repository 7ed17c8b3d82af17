/* spool-fill.c - the next batch is put together: states first, then what is moved, then mail in its order. */
#include "mail/spool-private.h"

/* With the lock held.  What may go to the log at all; new mail stays out of the reserve. */
static bool
spool_mail_is_refused(const Spool *spool)
{
	return spool->has_prepare_failed && g_queue_get_length((GQueue *)&spool->ready) < SPOOL_RESERVED;
}

static bool
spool_batch_has_records(const SpoolBatch *batch)
{
	return batch->n_records > (uint32_t)batch->has_mark;
}

bool
spool_batch_is_to_write(const SpoolBatch *batch)
{
	return spool_batch_has_records(batch) || batch->is_trial;
}

static bool
spool_batch_fits(const Spool *spool, const SpoolBatch *batch, uint64_t size, uint32_t n_rows)
{
	const SpoolSegment *active = spool->active;
	const uint64_t rows = active->rows->len / SPOOL_ROW + batch->n_rows + n_rows;
	const uint64_t used = active->end + spool_padded(batch->size + size) + spool_summary_size(rows);

	if (batch->n_parts >= SPOOL_BATCH_PARTS)
		return false;
	if (batch->size + size > SPOOL_BATCH_MOST && spool_batch_has_records(batch))
		return false;
	return used <= active->size;
}

static void
spool_batch_add(SpoolBatch *batch, void *octets, size_t size, uint32_t n_records, uint32_t n_rows)
{
	batch->parts[batch->n_parts++] = (struct iovec){ octets, size };
	batch->size += size;
	batch->n_records += n_records;
	batch->n_rows += n_rows;
}

/* Both locks held.  The first batch of a segment says up to which id the log has been, so that segments before it may
 * go. */
static void
spool_fill_mark(Spool *spool, SpoolBatch *batch)
{
	batch->has_mark = spool->active->first_batch == 0;
	if (!batch->has_mark)
		return;
	spool_mark_encode(spool->highest_id, batch->mark, &batch->mark_row);
	batch->mark_row.offset = (uint32_t)(spool->active->end + batch->size);
	spool_batch_add(batch, batch->mark, SPOOL_MARK, 1, 1);
}

/* Both locks held.  False: one waits that does not fit. */
static bool
spool_fill_states(Spool *spool, SpoolBatch *batch)
{
	while (spool->states != NULL && batch->size < SPOOL_STATES_MOST) {
		StatePut *put = spool->states;

		if (!put->is_superseded && !spool_batch_fits(spool, batch, put->size, 1))
			return false;
		spool->states = put->next;
		if (spool->states == NULL)
			spool->last_state = &spool->states;
		if (put->is_superseded) {
			spool_backlog_dropped(spool, put->n_results, batch->states == NULL);
			spool_state_put_free(put);
			continue;
		}
		put->next = NULL;
		*batch->last_state = put;
		batch->last_state = &put->next;
		put->row.offset = (uint32_t)(spool->active->end + batch->size);
		spool_batch_add(batch, put->octets, put->size, 1, 1);
	}
	return true;
}

/* Both locks held.  A message that changed since it was read is left for the next round. */
static bool
spool_fill_moves(Spool *spool, SpoolBatch *batch)
{
	const uint64_t most = batch->size + SPOOL_MOVES_MOST;

	while (spool->moves != NULL && batch->size < most) {
		SpoolMove *move = spool->moves;
		const SpoolEntry *entry = spool_index_find(spool, move->id);
		const bool is_wanted = entry != NULL && !entry->is_finished && entry->version == move->version;

		if (is_wanted && !spool_batch_fits(spool, batch, move->octets->len, 1))
			return false;
		spool->moves = move->next;
		if (spool->moves == NULL)
			spool->last_move = &spool->moves;
		move->next = NULL;
		*batch->last_move = move;
		batch->last_move = &move->next;
		move->is_written = is_wanted;
		if (!is_wanted)
			continue;
		move->row.offset = (uint32_t)(spool->active->end + batch->size);
		spool_batch_add(batch, move->octets->data, move->octets->len, 1, 1);
	}
	return true;
}

static bool
spool_transaction_is_mail(const SpoolTransaction *transaction)
{
	return transaction->rows->len > 0;
}

/* Lock held.  A flush is answered with the batch that has the last of the states put before it. */
static bool
spool_fill_transactions(Spool *spool, SpoolBatch *batch)
{
	while (spool->waiting != NULL) {
		SpoolTransaction *transaction = spool->waiting;
		const bool is_mail = spool_transaction_is_mail(transaction);

		if (transaction->is_barrier && spool->states != NULL && transaction->result == SPOOL_COMMITTED)
			return true;
		if (is_mail && spool_mail_is_refused(spool))
			transaction->result = SPOOL_FULL;
		if (transaction->result == SPOOL_COMMITTED && is_mail) {
			if (!spool_batch_fits(spool, batch, transaction->octets->len, transaction->rows->len))
				return false;
			transaction->base = spool->active->end + batch->size;
			spool_batch_add(batch, transaction->octets->data, transaction->octets->len, transaction->n_records,
				transaction->rows->len);
		}
		spool->waiting = transaction->next;
		if (spool->waiting == NULL)
			spool->last_waiting = &spool->waiting;
		transaction->next = NULL;
		*batch->last_transaction = transaction;
		batch->last_transaction = &transaction->next;
	}
	return true;
}

static bool
spool_batch_is_empty(const SpoolBatch *batch)
{
	return batch->transactions == NULL && batch->states == NULL && batch->moves == NULL;
}

/* Lock held.  The next segment becomes the active one.  Ended ones have no summary. */
void
spool_roll(Spool *spool)
{
	SpoolSegment *old = spool->active, *next = g_queue_pop_head(&spool->ready);

	if (old != NULL && (old->is_ended || old->first_batch == 0)) {
		g_clear_pointer(&old->rows, g_byte_array_unref);
	} else if (old != NULL) {
		g_queue_push_tail(&spool->sealing, spool_segment_ref(old));
	}
	g_queue_push_tail(&spool->segments, next);
	spool->active = next;
	g_cond_signal(&spool->keeper_wakes);
	g_cond_signal(&spool->compactor_wakes);
}

/* Lock held, and the active segment is full.  States and what is moved may use the reserve; mail waits for
 * the keeper, and is refused once that cannot help. */
static bool
spool_roll_or_refuse(Spool *spool)
{
	const guint n_ready = g_queue_get_length(&spool->ready);
	const bool is_mail_alone = spool->states == NULL && spool->moves == NULL;

	if (n_ready > SPOOL_RESERVED || (n_ready > 0 && !is_mail_alone)) {
		spool_roll(spool);
		return true;
	}
	if (!spool->has_prepare_failed)
		return false;
	spool->is_mail_full = true;
	for (SpoolTransaction *transaction = spool->waiting; transaction != NULL; transaction = transaction->next)
		if (transaction->result == SPOOL_COMMITTED)
			transaction->result = SPOOL_FULL;
	return spool->waiting != NULL;
}

/* Lock held.  True: the batch has something; false: wait. */
bool
spool_fill(Spool *spool, SpoolBatch *batch)
{
	for (int i = 0; i < 2; i++) {
		bool has_all;

		spool_batch_init(batch);
		g_mutex_lock(&spool->index_lock);
		spool_fill_mark(spool, batch);
		has_all = spool_fill_states(spool, batch);
		has_all = has_all && (spool_fill_moves(spool, batch) || spool->waiting != NULL);
		g_mutex_unlock(&spool->index_lock);
		has_all = spool_fill_transactions(spool, batch) && has_all;
		if (!spool_batch_is_empty(batch) || has_all || !spool_roll_or_refuse(spool))
			break;
	}
	batch->is_trial = spool->has_failed_batch && g_get_monotonic_time() >= spool->trial_us &&
					  spool_batch_fits(spool, batch, 0, 0);
	return !spool_batch_is_empty(batch) || batch->is_trial;
}
