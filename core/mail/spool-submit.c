/* spool-submit.c - transactions and states on their way to the committer. */
#include <string.h>

#include "mail/bytes.h"
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

/* `places`: the recipients that changed; NULL: the state is written whole. */
static StatePut *
spool_state_put_new(const MessageState *state, const GArray *places)
{
	g_autoptr(GByteArray) octets = g_byte_array_sized_new(256);
	SpoolRow row;
	StatePut *put;

	if (places != NULL)
		spool_changes_encode(octets, state, places, &row);
	else
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

static int
spool_compare_places(const void *a, const void *b)
{
	const guint left = *(const guint *)a, right = *(const guint *)b;

	return left < right ? -1 : left > right;
}

/* Those of changes that wait to be written, too, for the new record replaces theirs. */
static void
spool_add_pending_places(const StatePut *pending, const MessageState *state, GArray *places)
{
	g_autoptr(StateChanges) changes = spool_changes_decode(pending->octets, bytes_at32(pending->octets));

	for (guint i = 0; changes != NULL && i < changes->places->len; i++) {
		const guint place = g_array_index(changes->places, guint, i);

		if (!state->recipients[place].is_changed)
			g_array_append_val(places, place);
	}
	g_array_sort(places, spool_compare_places);
}

/* New, or NULL: the state must be written whole.  That is small for a few recipients; it must be when the state was not
 * made of the one that the index has, when that waits to be written whole itself, and now and then, so that reading it
 * stays cheap. */
static GArray *
spool_places_to_write(const SpoolEntry *entry, const MessageState *state)
{
	const StatePut *pending = entry->pending;
	g_autoptr(GArray) places = NULL;

	if (state->n_recipients < SPOOL_CHANGES_LEAST || state->version != entry->given ||
		(pending != NULL && pending->row.type != SPOOL_RECORD_CHANGES) ||
		(entry->changes != NULL && entry->changes->len >= SPOOL_CHANGES_MOST))
		return NULL;
	places = state_changed_places(state);
	if (pending != NULL)
		spool_add_pending_places(pending, state, places);
	return places->len <= state->n_recipients / 2 ? g_steal_pointer(&places) : NULL;
}

/* The index shows it at once; NULL: no such message.  `n_results`: how many it brings. */
static StatePut *
spool_index_put(Spool *spool, MessageState *state, unsigned *n_results)
{
	SpoolEntry *entry = spool_index_find(spool, state->id);
	g_autoptr(GArray) places = NULL;
	StatePut *put;

	if (entry == NULL || entry->is_finished || !spool_index_takes(entry, state))
		return NULL;
	places = spool_places_to_write(entry, state);
	state->version = ++entry->given;
	put = spool_state_put_new(state, places);
	message_state_clear_changes(state);
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
	spool_put_changes(spool, state);
	message_state_free(state);
}

/* False: there is no such message, or (`only_unchanged`) its state is not the one that this was made of. */
static bool
spool_put(Spool *spool, MessageState *state, bool only_unchanged)
{
	StatePut *put = NULL;
	const SpoolEntry *entry;
	unsigned n_results;

	g_mutex_lock(&spool->index_lock);
	entry = spool_index_find(spool, state->id);
	if (entry != NULL && (!only_unchanged || entry->given == state->version))
		put = spool_index_put(spool, state, &n_results);
	g_mutex_unlock(&spool->index_lock);
	if (put == NULL)
		return false;
	g_mutex_lock(&spool->lock);
	if (spool->states == NULL)
		spool->states_since_us = g_get_monotonic_time();
	spool_backlog_put(spool, put, n_results);
	if (spool->states == NULL || spool_backlog_is_urgent(spool))
		g_cond_signal(&spool->committer_wakes);
	*spool->last_state = put;
	spool->last_state = &put->next;
	g_mutex_unlock(&spool->lock);
	return true;
}

void
spool_put_changes(Spool *spool, MessageState *state)
{
	(void)spool_put(spool, state, false);
}

bool
spool_put_unchanged(Spool *spool, MessageState *state)
{
	return spool_put(spool, state, true);
}
