/* spool-adopt.c - the mail of a lost node comes over, message by message, never twice.
 *
 * A message is first committed here, held; then marked as taken there, durably; then released here.  So
 * wherever this is interrupted, it is live in one place only, and the next attempt finishes what is left. */
#include <string.h>

#include "base/error.h"
#include "mail/spool-private.h"

enum { ADOPT_AT_ONCE = 100 };

/* Between our reason and that of a hold which was there before. */
static const char adopt_held[] = "; held: ";

typedef struct {
	Spool *to, *from;
	char *reason;      /* of the hold meanwhile */
	char *reply;       /* what is left there */
	GPtrArray *states; /* as they were there, of those committed but not marked yet */
	size_t n, n_damaged;
} Adoption;

static void
spool_adopt_state_free(void *data)
{
	message_state_free(data);
}

static char *
spool_id_text(const Spool *spool)
{
	GString *text = g_string_new(NULL);

	for (int i = 0; i < SPOOL_ID_SIZE; i++)
		g_string_append_printf(text, "%02x", spool->id[i]);
	return g_string_free(text, FALSE);
}

typedef struct {
	Content *content;
	GError **error;
} AdoptCopy;

static bool
spool_adopt_piece(void *data, const char *octets, size_t size)
{
	AdoptCopy *copy = data;

	content_append(copy->content, octets, size);
	return !content_wants_flush(copy->content) || content_flush(copy->content, copy->error);
}

/* New; NULL: this disk cannot take it. */
static Content *
spool_adopt_content(Adoption *adoption, const SpoolMessage *message, GError **error)
{
	g_autoptr(Content) content = content_new(adoption->to);
	AdoptCopy copy = { content, error };

	if (!spool_content_pieces(message, spool_adopt_piece, &copy, error))
		return NULL;
	return content_finish(content, error) ? g_steal_pointer(&content) : NULL;
}

static bool
spool_adopt_commit(Adoption *adoption, const SpoolMessage *message, GError **error)
{
	Content *content = spool_adopt_content(adoption, message, error);
	MessageState *state;
	SpoolTransaction *transaction;

	if (content == NULL)
		return false;
	state = message_state_copy(message->state);
	g_free(state->hold_reason);
	state->hold_reason = state->is_held
							 ? g_strconcat(adoption->reason, adopt_held, message->state->hold_reason, NULL)
							 : g_strdup(adoption->reason);
	state->is_held = true;
	state->release_at_us = 0;
	transaction = spool_transaction_new();
	spool_transaction_set_content(transaction, content);
	spool_transaction_add(transaction, envelope_copy(message->envelope), state);
	return spool_commit_wait(adoption->to, transaction) == SPOOL_COMMITTED ||
		   error_set(error, POSTERN_ERROR_IO, "the spool %s cannot take a message", adoption->to->directory);
}

/* One that is here already comes from an adoption that was interrupted.  What is damaged stays. */
static bool
spool_adopt_one(Adoption *adoption, QueueId id, GError **error)
{
	g_autoptr(SpoolMessage) message = spool_read(adoption->from, id, NULL);
	SpoolSummary summary;

	if (message == NULL || !spool_read_content(message, NULL)) {
		adoption->n_damaged++;
		return true;
	}
	if (!spool_summary(adoption->to, id, &summary) && !spool_adopt_commit(adoption, message, error))
		return false;
	g_ptr_array_add(adoption->states, g_steal_pointer(&message->state));
	return true;
}

static void
spool_adopt_mark(Adoption *adoption, const MessageState *state)
{
	MessageState *taken = message_state_copy(state);

	for (unsigned i = 0; i < taken->n_recipients; i++)
		if (taken->recipients[i].status == RECIPIENT_PENDING)
			message_state_set_recipient(taken, i, RECIPIENT_REMOVED, adoption->reply);
	spool_put_state(adoption->from, taken);
}

/* Marked there, and only then free to go here. */
static bool
spool_adopt_settle(Adoption *adoption, GError **error)
{
	GPtrArray *states = adoption->states;

	for (guint i = 0; i < states->len; i++)
		spool_adopt_mark(adoption, states->pdata[i]);
	if (!spool_flush(adoption->from))
		return error_set(error, POSTERN_ERROR_IO, "the spool %s cannot be written to", adoption->from->directory);
	for (guint i = 0; i < states->len; i++)
		spool_put_state(adoption->to, message_state_copy(states->pdata[i]));
	adoption->n += states->len;
	g_ptr_array_set_size(states, 0);
	return true;
}

/* As it was before ours; a hold that was there stays, but nobody knows any more when it was to end. */
static void
spool_adopt_restore_hold(MessageState *state, const char *rest)
{
	char *reason = g_str_has_prefix(rest, adopt_held) ? g_strdup(rest + strlen(adopt_held)) : NULL;

	g_free(state->hold_reason);
	state->hold_reason = reason;
	state->is_held = reason != NULL;
	if (reason == NULL)
		state->held_since_us = 0;
}

/* What an interrupted adoption marked there and did not release here. */
static void
spool_adopt_release(Adoption *adoption)
{
	g_autoptr(GArray) ids = spool_ids(adoption->to);

	for (guint i = 0; i < ids->len; i++) {
		const QueueId id = g_array_index(ids, QueueId, i);
		g_autoptr(SpoolMessage) message = NULL;
		SpoolSummary summary;

		if (!spool_summary(adoption->to, id, &summary) || !summary.is_held ||
			spool_summary(adoption->from, id, &summary))
			continue;
		message = spool_read(adoption->to, id, NULL);
		if (message == NULL || message->state->hold_reason == NULL ||
			!g_str_has_prefix(message->state->hold_reason, adoption->reason))
			continue;
		spool_adopt_restore_hold(message->state, message->state->hold_reason + strlen(adoption->reason));
		spool_put_state(adoption->to, g_steal_pointer(&message->state));
		adoption->n++;
	}
}

static bool
spool_adopt_all(Adoption *adoption, GError **error)
{
	g_autoptr(GArray) ids = spool_ids(adoption->from);

	spool_adopt_release(adoption);
	for (guint i = 0; i < ids->len; i++) {
		if (!spool_adopt_one(adoption, g_array_index(ids, QueueId, i), error))
			return false;
		if ((adoption->states->len == ADOPT_AT_ONCE || i + 1 == ids->len) && !spool_adopt_settle(adoption, error))
			return false;
	}
	if (!spool_flush(adoption->to))
		return error_set(error, POSTERN_ERROR_IO, "the spool %s cannot be written to", adoption->to->directory);
	if (adoption->n_damaged > 0)
		return error_set(error, POSTERN_ERROR_DAMAGED, "%zu messages in %s are damaged and were left there",
			adoption->n_damaged, adoption->from->directory);
	return true;
}

bool
spool_adopt(Spool *spool, const char *directory, size_t *n, GError **error)
{
	const SpoolSettings settings = { .directory = directory,
		.clock = spool->clock,
		.disk = spool->disk,
		.segment_size = spool->segment_size,
		.large = spool->large };
	g_autofree char *format = g_build_filename(directory, "format", NULL);
	g_autofree char *theirs = NULL, *ours = spool_id_text(spool);
	Adoption adoption = { .to = spool };
	bool is_adopted;

	*n = 0;
	if (!g_file_test(format, G_FILE_TEST_EXISTS))
		return error_set(error, POSTERN_ERROR_NOT_FOUND, "there is no spool in %s", directory);
	adoption.from = spool_open(&settings, error);
	if (adoption.from == NULL)
		return false;
	theirs = spool_id_text(adoption.from);
	adoption.reason = g_strdup_printf("adoption from spool %s", theirs);
	adoption.reply = g_strdup_printf("adopted by spool %s", ours);
	adoption.states = g_ptr_array_new_with_free_func(spool_adopt_state_free);
	is_adopted = spool_adopt_all(&adoption, error);
	*n = adoption.n;
	g_ptr_array_unref(adoption.states);
	g_free(adoption.reason);
	g_free(adoption.reply);
	spool_close(adoption.from);
	return is_adopted;
}
