/* spool-submit.c - transactions and states on their way to the committer. */
#include <string.h>

#include "mail/spool-private.h"

static void
spool_enqueue(Spool *spool, SpoolTransaction *transaction, SpoolDone *done, void *data)
{
	bool was_empty;

	transaction->done = done;
	transaction->data = data;
	g_mutex_lock(&spool->lock);
	was_empty = spool->waiting == NULL;
	*spool->last_waiting = transaction;
	spool->last_waiting = &transaction->next;
	if (was_empty)
		g_cond_signal(&spool->committer_wakes);
	g_mutex_unlock(&spool->lock);
}

void
spool_commit(Spool *spool, SpoolTransaction *transaction, SpoolDone *done, void *data)
{
	transaction->result = spool_encode(spool, transaction) ? SPOOL_COMMITTED : SPOOL_FAILED;
	spool_enqueue(spool, transaction, done, data);
}

typedef struct {
	GMutex lock;
	GCond done;
	bool is_done;
	SpoolResult result;
} SpoolWaiter;

static void
spool_waiter_done(void *data, SpoolResult result)
{
	SpoolWaiter *waiter = data;

	g_mutex_lock(&waiter->lock);
	waiter->result = result;
	waiter->is_done = true;
	g_cond_signal(&waiter->done);
	g_mutex_unlock(&waiter->lock);
}

static void
spool_waiter_init(SpoolWaiter *waiter)
{
	g_mutex_init(&waiter->lock);
	g_cond_init(&waiter->done);
	waiter->is_done = false;
}

static SpoolResult
spool_waiter_wait(SpoolWaiter *waiter)
{
	g_mutex_lock(&waiter->lock);
	while (!waiter->is_done)
		g_cond_wait(&waiter->done, &waiter->lock);
	g_mutex_unlock(&waiter->lock);
	g_mutex_clear(&waiter->lock);
	g_cond_clear(&waiter->done);
	return waiter->result;
}

SpoolResult
spool_commit_wait(Spool *spool, SpoolTransaction *transaction)
{
	SpoolWaiter waiter;

	spool_waiter_init(&waiter);
	spool_commit(spool, transaction, spool_waiter_done, &waiter);
	return spool_waiter_wait(&waiter);
}

bool
spool_flush(Spool *spool)
{
	SpoolTransaction *barrier = spool_transaction_new();
	SpoolWaiter waiter;

	barrier->is_barrier = true;
	barrier->octets = g_byte_array_new();
	barrier->rows = g_array_new(FALSE, FALSE, sizeof(SpoolRow));
	spool_waiter_init(&waiter);
	spool_enqueue(spool, barrier, spool_waiter_done, &waiter);
	return spool_waiter_wait(&waiter) == SPOOL_COMMITTED;
}

static StatePut *
spool_state_put_new(const MessageState *state)
{
	g_autoptr(GByteArray) octets = g_byte_array_sized_new(256);
	SpoolRow row;
	StatePut *put;

	spool_state_encode(octets, state, &row);
	put = g_malloc(sizeof *put + octets->len);
	*put = (StatePut){ .put_us = g_get_monotonic_time(), .row = row, .size = octets->len };
	memcpy(put->octets, octets->data, octets->len);
	return put;
}

/* The index shows it at once; NULL: no such message. */
static StatePut *
spool_index_put(Spool *spool, MessageState *state)
{
	SpoolEntry *entry = spool_index_find(spool, state->id);
	StatePut *put;

	if (entry == NULL || entry->is_finished || !spool_index_takes(entry, state))
		return NULL;
	state->version = ++entry->given;
	put = spool_state_put_new(state);
	if (entry->pending != NULL)
		entry->pending->is_superseded = true;
	entry->pending = put;
	spool_index_apply(entry, &put->row);
	if (put->row.n_pending == 0)
		spool_index_finish(spool, entry);
	return put;
}

void
spool_put_state(Spool *spool, MessageState *state)
{
	StatePut *put;

	g_mutex_lock(&spool->index_lock);
	put = spool_index_put(spool, state);
	g_mutex_unlock(&spool->index_lock);
	message_state_free(state);
	if (put == NULL)
		return;
	g_mutex_lock(&spool->lock);
	if (spool->states == NULL) {
		spool->states_since_us = g_get_monotonic_time();
		g_cond_signal(&spool->committer_wakes);
	}
	*spool->last_state = put;
	spool->last_state = &put->next;
	g_mutex_unlock(&spool->lock);
}
