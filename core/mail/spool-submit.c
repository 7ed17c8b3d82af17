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

/* Shared by who waits and the committer, since either may be the last to need it. */
typedef struct {
	GMutex lock;
	GCond done;
	unsigned users;
	bool is_done;
	SpoolResult result;
} SpoolWaiter;

static SpoolWaiter *
spool_waiter_new(void)
{
	SpoolWaiter *waiter = g_new0(SpoolWaiter, 1);

	g_mutex_init(&waiter->lock);
	g_cond_init(&waiter->done);
	waiter->users = 2;
	return waiter;
}

/* With the lock held, which is given up. */
static void
spool_waiter_unref_locked(SpoolWaiter *waiter)
{
	const bool is_last = --waiter->users == 0;

	g_mutex_unlock(&waiter->lock);
	if (!is_last)
		return;
	g_mutex_clear(&waiter->lock);
	g_cond_clear(&waiter->done);
	g_free(waiter);
}

static void
spool_waiter_done(void *data, SpoolResult result)
{
	SpoolWaiter *waiter = data;

	g_mutex_lock(&waiter->lock);
	waiter->result = result;
	waiter->is_done = true;
	g_cond_signal(&waiter->done);
	spool_waiter_unref_locked(waiter);
}

/* FAILED if the time is over before there is a result. */
static SpoolResult
spool_waiter_wait(SpoolWaiter *waiter, int64_t until_us)
{
	bool is_in_time = true;
	SpoolResult result;

	g_mutex_lock(&waiter->lock);
	while (!waiter->is_done && is_in_time) {
		if (until_us == CLOCK_NEVER)
			g_cond_wait(&waiter->done, &waiter->lock);
		else
			is_in_time = g_cond_wait_until(&waiter->done, &waiter->lock, until_us);
	}
	result = waiter->is_done ? waiter->result : SPOOL_FAILED;
	spool_waiter_unref_locked(waiter);
	return result;
}

SpoolResult
spool_commit_wait(Spool *spool, SpoolTransaction *transaction)
{
	SpoolWaiter *waiter = spool_waiter_new();

	spool_commit(spool, transaction, spool_waiter_done, waiter);
	return spool_waiter_wait(waiter, CLOCK_NEVER);
}

bool
spool_flush(Spool *spool, int64_t until_us)
{
	SpoolTransaction *barrier = spool_transaction_new();
	SpoolWaiter *waiter = spool_waiter_new();

	barrier->is_barrier = true;
	barrier->octets = g_byte_array_new();
	barrier->rows = g_array_new(FALSE, FALSE, sizeof(SpoolRow));
	spool_enqueue(spool, barrier, spool_waiter_done, waiter);
	return spool_waiter_wait(waiter, until_us) == SPOOL_COMMITTED;
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

/* A superseded state is not written (or need not be): its results become durable with the new one. */
static void
spool_supersede(StatePut *old, StatePut *put)
{
	if (old == NULL)
		return;
	old->is_superseded = true;
	put->n_results += old->n_results;
	old->n_results = 0;
}

/* The index shows it at once; NULL: no such message.  `n_results`: how many it brings. */
static StatePut *
spool_index_put(Spool *spool, MessageState *state, unsigned *n_results)
{
	SpoolEntry *entry = spool_index_find(spool, state->id);
	StatePut *put;

	if (entry == NULL || entry->is_finished || !spool_index_takes(entry, state))
		return NULL;
	state->version = ++entry->given;
	put = spool_state_put_new(state);
	*n_results = entry->n_pending > put->row.n_pending ? entry->n_pending - put->row.n_pending : 1;
	put->n_results = *n_results;
	spool_supersede(entry->pending, put);
	entry->pending = put;
	spool_index_apply(entry, &put->row);
	if (put->row.n_pending == 0)
		spool_index_finish(spool, entry);
	return put;
}

void
spool_put_state(Spool *spool, MessageState *state)
{
	unsigned n_results;
	StatePut *put;

	g_mutex_lock(&spool->index_lock);
	put = spool_index_put(spool, state, &n_results);
	g_mutex_unlock(&spool->index_lock);
	message_state_free(state);
	if (put == NULL)
		return;
	g_mutex_lock(&spool->lock);
	if (spool->states == NULL)
		spool->states_since_us = g_get_monotonic_time();
	spool_backlog_put(spool, put, n_results);
	if (spool->states == NULL || spool_backlog_is_urgent(spool))
		g_cond_signal(&spool->committer_wakes);
	*spool->last_state = put;
	spool->last_state = &put->next;
	g_mutex_unlock(&spool->lock);
}
