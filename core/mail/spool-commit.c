/* spool-commit.c - the committer: takes every transaction that waits, writes, syncs once, posts the results.
 *
 * While one sync runs the next batch gathers: no timer, no added delay.  States alone wait at most 100 ms
 * for a batch to ride with. */
#include "base/crc32c.h"
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

/* With the lock held.  What may go to the log at all; new mail stays out of the reserve. */
static bool
spool_mail_is_refused(const Spool *spool)
{
	return spool->has_prepare_failed && g_queue_get_length((GQueue *)&spool->ready) < SPOOL_RESERVED;
}

static bool
spool_batch_fits(const Spool *spool, const SpoolBatch *batch, uint64_t size, uint32_t n_rows)
{
	const SpoolSegment *active = spool->active;
	const uint64_t rows = active->rows->len / SPOOL_ROW + batch->n_rows + n_rows;
	const uint64_t used = active->end + spool_padded(batch->size + size) + spool_summary_size(rows);

	if (batch->n_parts >= SPOOL_BATCH_PARTS)
		return false;
	if (batch->size + size > SPOOL_BATCH_MOST && batch->n_parts > 1)
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
static void
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
static bool
spool_fill(Spool *spool, SpoolBatch *batch)
{
	spool_batch_init(batch);
	for (int i = 0; i < 2; i++) {
		bool has_all;

		g_mutex_lock(&spool->index_lock);
		has_all = spool_fill_states(spool, batch);
		has_all = has_all && (spool_fill_moves(spool, batch) || spool->waiting != NULL);
		g_mutex_unlock(&spool->index_lock);
		has_all = spool_fill_transactions(spool, batch) && has_all;
		if (!spool_batch_is_empty(batch) || has_all || !spool_roll_or_refuse(spool))
			break;
	}
	return !spool_batch_is_empty(batch);
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
		if (row->type == SPOOL_RECORD_MESSAGE && entry == NULL) {
			if (content == NULL)
				content = spool_index_content(spool, &row->place, spool->active);
			spool_index_add(spool, row, spool->active, content);
		} else if (row->type == SPOOL_RECORD_STATE && entry != NULL && row->version > entry->version) {
			spool_index_apply(entry, row);
			spool_index_set_state_place(entry, row, spool->active);
			if (row->n_pending == 0)
				spool_index_remove(spool, entry);
		}
	}
}

static void
spool_apply_state(Spool *spool, StatePut *put)
{
	SpoolEntry *entry = spool_index_find(spool, put->row.id);

	put->row.batch = spool->last_batch;
	spool_segment_add_row(spool->active, &put->row);
	if (entry == NULL || entry->pending != put)
		return;
	entry->pending = NULL;
	if (put->row.version < entry->version)
		return;
	spool_index_set_state_place(entry, &put->row, spool->active);
	if (put->row.n_pending == 0)
		spool_index_remove(spool, entry);
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
	if (entry->version == move->version && entry->pending == NULL)
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
	uint64_t n_transactions = 0, n_states = 0;

	g_mutex_lock(&spool->index_lock);
	for (SpoolTransaction *transaction = batch->transactions; is_good && transaction != NULL;
		transaction = transaction->next) {
		if (transaction->result != SPOOL_COMMITTED)
			continue;
		spool_apply_transaction(spool, transaction);
		n_transactions += !transaction->is_barrier;
	}
	for (StatePut *put = batch->states; is_good && put != NULL; put = put->next, n_states++)
		spool_apply_state(spool, put);
	for (SpoolMove *move = batch->moves; move != NULL; move = move->next)
		spool_apply_move(spool, move, is_good);
	g_mutex_unlock(&spool->index_lock);
	g_mutex_lock(&spool->lock);
	spool->figures.transactions += n_transactions;
	spool->figures.states += n_states;
	for (const SpoolMove *move = batch->moves; move != NULL; move = move->next, spool->n_moves--)
		spool->figures.compacted_octets += is_good && move->is_written ? move->octets->len : 0;
	if (batch->moves != NULL || n_states > 0) {
		g_cond_signal(&spool->compactor_wakes);
		g_cond_signal(&spool->keeper_wakes);
	}
	g_mutex_unlock(&spool->lock);
}

/* A transaction whose fate is not known (the spool is closed) keeps its file: its batch may come back. */
static void
spool_post(SpoolTransaction *transaction, SpoolResult failure)
{
	while (transaction != NULL) {
		SpoolTransaction *next = transaction->next;

		if (transaction->result == SPOOL_COMMITTED)
			transaction->result = failure;
		if (transaction->content != NULL && transaction->rows->len > 0 &&
			(transaction->result == SPOOL_COMMITTED || transaction->result == SPOOL_CLOSED))
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
	spool_post(waiting, SPOOL_CLOSED);
	if (is_due) {
		*probe_us = now_us + SPOOL_PROBE_US;
		if (spool_declare_end(spool))
			log_event(LOG_LEVEL_INFO, "the spool is open again", NULL);
	}
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
	return spool->states != NULL && (now_us >= spool->states_since_us + SPOOL_STATE_DELAY_US || spool->is_stopping);
}

static void
spool_commit_batch(Spool *spool, SpoolBatch *batch)
{
	if (batch->n_records > 0 && !spool_batch_write(spool, batch)) {
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
		spool_commit_batch(spool, &spool->batch);
		g_mutex_lock(&spool->lock);
	}
	g_mutex_unlock(&spool->lock);
	return NULL;
}
