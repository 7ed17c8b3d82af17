/* spool-transaction.c - what is committed together, and its records, encoded by the thread that brings it. */
#include "mail/spool-file.h"
#include "mail/spool-private.h"

static void
spool_addition_clear(void *data)
{
	SpoolAddition *addition = data;

	envelope_free(addition->envelope);
	message_state_free(addition->state);
}

static void
spool_state_unref(void *data)
{
	message_state_free(data);
}

SpoolTransaction *
spool_transaction_new(void)
{
	return g_new0(SpoolTransaction, 1);
}

static void
spool_transaction_clear(SpoolTransaction *transaction)
{
	g_clear_pointer(&transaction->additions, g_array_unref);
	g_clear_pointer(&transaction->states, g_ptr_array_unref);
}

void
spool_transaction_free(SpoolTransaction *transaction)
{
	if (transaction == NULL)
		return;
	spool_transaction_clear(transaction);
	content_free(transaction->content);
	if (transaction->octets != NULL)
		g_byte_array_unref(transaction->octets);
	if (transaction->rows != NULL)
		g_array_unref(transaction->rows);
	g_free(transaction);
}

void
spool_transaction_set_content(SpoolTransaction *transaction, Content *content)
{
	content_free(transaction->content);
	transaction->content = content;
}

void
spool_transaction_add(SpoolTransaction *transaction, Envelope *envelope, MessageState *state)
{
	const SpoolAddition addition = { envelope, state };

	if (transaction->additions == NULL) {
		transaction->additions = g_array_new(FALSE, FALSE, sizeof addition);
		g_array_set_clear_func(transaction->additions, spool_addition_clear);
	}
	g_array_append_val(transaction->additions, addition);
}

void
spool_transaction_add_state(SpoolTransaction *transaction, MessageState *state)
{
	if (transaction->states == NULL)
		transaction->states = g_ptr_array_new_with_free_func(spool_state_unref);
	g_ptr_array_add(transaction->states, state);
}

static bool
spool_encode_content(SpoolTransaction *transaction, SpoolPlace *place)
{
	ContentPlace found = { .is_ready = true };
	guint start;

	if (transaction->content != NULL)
		content_place(transaction->content, &found);
	if (!found.is_ready)
		return false;
	*place = (SpoolPlace){ .kind = found.is_file ? SPOOL_IN_FILE : SPOOL_IN_BATCH,
		.crc = found.crc,
		.size = found.size,
		.at = found.file };
	if (found.is_file)
		return true;
	if (found.size > UINT32_MAX / 2)
		return false;
	start = spool_record_start(transaction->octets, SPOOL_RECORD_CONTENT);
	g_byte_array_append(transaction->octets, (const guint8 *)found.octets, (guint)found.size);
	spool_record_finish(transaction->octets, start);
	transaction->n_records++;
	place->at = start;
	return true;
}

static void
spool_encode_addition(
	Spool *spool, SpoolTransaction *transaction, const SpoolPlace *place, SpoolAddition *addition)
{
	const Envelope *envelope = addition->envelope;
	SpoolRow row = { 0 };

	if (addition->state == NULL) {
		addition->state = message_state_new(envelope->id, envelope->recipients->len);
		addition->state->next_us = clock_wall(spool->clock);
	}
	addition->state->id = envelope->id;
	addition->state->version = 1;
	spool_message_encode(transaction->octets, place, envelope, addition->state, &row);
	if (row.place.kind == SPOOL_IN_BATCH) {
		row.place.kind = SPOOL_IN_SEGMENT;
		row.place.at += SPOOL_RECORD_HEADER;
	}
	g_array_append_val(transaction->rows, row);
	transaction->n_records++;
}

/* A message that is not there any more needs no state. */
static void
spool_encode_state(Spool *spool, SpoolTransaction *transaction, MessageState *state)
{
	SpoolEntry *entry;
	SpoolRow row;

	g_mutex_lock(&spool->index_lock);
	entry = spool_index_find(spool, state->id);
	if (entry != NULL && !spool_index_takes(entry, state))
		entry = NULL;
	if (entry != NULL)
		state->version = ++entry->given;
	g_mutex_unlock(&spool->index_lock);
	if (entry == NULL)
		return;
	spool_state_encode(transaction->octets, state, &row);
	g_array_append_val(transaction->rows, row);
	transaction->n_records++;
}

static size_t
spool_transaction_guess(const SpoolTransaction *transaction)
{
	const size_t content = transaction->content != NULL && !content_has_file(transaction->content)
							   ? content_size(transaction->content)
							   : 0;

	return content + 1000;
}

/* It must fit into an empty segment, behind the mark. */
bool
spool_encode(Spool *spool, SpoolTransaction *transaction)
{
	const guint n = transaction->additions != NULL ? transaction->additions->len : 0;
	SpoolPlace place;
	uint64_t most;

	transaction->octets = g_byte_array_sized_new((guint)MIN(spool_transaction_guess(transaction), UINT32_MAX / 4));
	transaction->rows = g_array_sized_new(FALSE, FALSE, sizeof(SpoolRow), n);
	if (n > 0 && !spool_encode_content(transaction, &place))
		return false;
	for (guint i = 0; i < n; i++)
		spool_encode_addition(
			spool, transaction, &place, &g_array_index(transaction->additions, SpoolAddition, i));
	for (guint i = 0; transaction->states != NULL && i < transaction->states->len; i++)
		spool_encode_state(spool, transaction, transaction->states->pdata[i]);
	spool_transaction_clear(transaction);
	most = spool->segment_size - SPOOL_BLOCK - spool_summary_size(transaction->rows->len + 1);
	return spool_padded(SPOOL_BATCH_HEADER + SPOOL_MARK + transaction->octets->len) <= most;
}
