/* spool-read.c - a message comes back: one read for envelope and state, one more for a later state; its content is
 * spool-content.c's. */
#include <errno.h>

#include "base/error.h"
#include "mail/bytes.h"
#include "mail/spool-private.h"

/* Index lock held. */
static void
spool_look_up_state(const SpoolEntry *entry, Whereabouts *found)
{
	if (entry->state_segment != NULL) {
		found->state_segment = spool_segment_ref(entry->state_segment);
		found->state_offset = entry->state_offset;
		found->state_length = entry->state_length;
	}
	if (entry->changes == NULL)
		return;
	found->changes = g_array_copy(entry->changes);
	for (guint i = 0; i < found->changes->len; i++)
		(void)spool_segment_ref(g_array_index(found->changes, RecordPlace, i).segment);
}

bool
spool_look_up(Spool *spool, QueueId id, Whereabouts *found)
{
	const SpoolEntry *entry;

	memset(found, 0, sizeof *found);
	g_mutex_lock(&spool->index_lock);
	entry = spool_index_find(spool, id);
	if (entry == NULL || entry->is_finished) {
		g_mutex_unlock(&spool->index_lock);
		return false;
	}
	found->segment = spool_segment_ref(entry->segment);
	found->offset = entry->offset;
	found->length = entry->length;
	found->place = entry->content->place;
	found->version = entry->version;
	if (entry->content->segment != NULL)
		found->content_segment = spool_segment_ref(entry->content->segment);
	if (entry->pending != NULL) {
		found->pending = g_byte_array_sized_new(entry->pending->size);
		g_byte_array_append(found->pending, entry->pending->octets, entry->pending->size);
	}
	if (entry->pending == NULL || entry->pending->row.type == SPOOL_RECORD_CHANGES)
		spool_look_up_state(entry, found);
	g_mutex_unlock(&spool->index_lock);
	return true;
}

void
spool_let_go(Whereabouts *found)
{
	spool_segment_unref(found->segment);
	if (found->state_segment != NULL)
		spool_segment_unref(found->state_segment);
	if (found->content_segment != NULL)
		spool_segment_unref(found->content_segment);
	for (guint i = 0; found->changes != NULL && i < found->changes->len; i++)
		spool_segment_unref(g_array_index(found->changes, RecordPlace, i).segment);
	g_clear_pointer(&found->changes, g_array_unref);
	g_clear_pointer(&found->pending, g_byte_array_unref);
}

/* New. */
static uint8_t *
spool_read_record(Spool *spool, SpoolSegment *segment, uint32_t offset, uint32_t length, GError **error)
{
	g_autofree uint8_t *record = NULL;
	uint32_t found;

	if (offset > segment->size || length > segment->size - offset) {
		(void)error_set(error, POSTERN_ERROR_DAMAGED,
			"segment %" G_GUINT64_FORMAT ", octet %u: a record goes beyond its segment", segment->number, offset);
		return NULL;
	}
	record = g_malloc(MAX(length, SPOOL_RECORD_HEADER));
	if (!spool_pread(spool->disk, segment->fd, record, length, offset)) {
		(void)error_set_errno(
			error, "cannot read segment %" G_GUINT64_FORMAT ", octet %u", segment->number, offset);
		spool_report_unread(spool, segment, offset);
		return NULL;
	}
	if (!spool_record_check(record, length, 0, &found) || found != length) {
		(void)error_set(error, POSTERN_ERROR_DAMAGED,
			"segment %" G_GUINT64_FORMAT ", octet %u: a record is damaged", segment->number, offset);
		return NULL;
	}
	return g_steal_pointer(&record);
}

/* Replaces the state of the message by that of a record of its own, if there is one. */
static bool
spool_read_state(SpoolMessage *message, const Whereabouts *found, GError **error)
{
	g_autofree uint8_t *record = NULL;
	MessageState *state;

	if (found->state_segment == NULL)
		return true;
	record = spool_read_record(
		message->spool, found->state_segment, found->state_offset, found->state_length, error);
	if (record == NULL)
		return false;
	state = spool_state_decode(record, found->state_length);
	if (state == NULL)
		return error_set(error, POSTERN_ERROR_DAMAGED,
			"segment %" G_GUINT64_FORMAT ", octet %u: a state is malformed", found->state_segment->number,
			found->state_offset);
	message_state_free(message->state);
	message->state = state;
	return true;
}

/* `record` has a state, or changes of it. */
static bool
spool_apply_record(SpoolMessage *message, const uint8_t *record, uint32_t length)
{
	g_autoptr(StateChanges) changes = spool_changes_decode(record, length);
	MessageState *state;

	if (changes != NULL)
		return state_changes_apply(changes, message->state);
	state = spool_state_decode(record, length);
	if (state == NULL)
		return false;
	message_state_free(message->state);
	message->state = state;
	return true;
}

static bool
spool_read_changes(SpoolMessage *message, const Whereabouts *found, GError **error)
{
	for (guint i = 0; found->changes != NULL && i < found->changes->len; i++) {
		const RecordPlace *place = &g_array_index(found->changes, RecordPlace, i);
		g_autofree uint8_t *record =
			spool_read_record(message->spool, place->segment, place->offset, place->length, error);

		if (record == NULL)
			return false;
		if (!spool_apply_record(message, record, place->length))
			return error_set(error, POSTERN_ERROR_DAMAGED,
				"segment %" G_GUINT64_FORMAT ", octet %u: a record of changes is malformed",
				place->segment->number, place->offset);
	}
	if (found->pending != NULL &&
		!spool_apply_record(message, found->pending->data, bytes_at32(found->pending->data)))
		return error_set(error, POSTERN_ERROR_DAMAGED, "a state that is not written yet is malformed");
	return true;
}

static bool
spool_state_fits(const SpoolMessage *message, QueueId id)
{
	return message->state->id == id && message->state->n_recipients == message->envelope->recipients->len;
}

static bool
spool_read_found(SpoolMessage *message, QueueId id, const Whereabouts *found, GError **error)
{
	g_autofree uint8_t *record =
		spool_read_record(message->spool, found->segment, found->offset, found->length, error);
	char text[ID_TEXT_SIZE];

	if (record == NULL)
		return false;
	if (!spool_message_decode(record, found->length, NULL, &message->envelope, &message->state) ||
		message->envelope->id != id)
		return error_set(error, POSTERN_ERROR_DAMAGED,
			"segment %" G_GUINT64_FORMAT ", octet %u: a message record is malformed", found->segment->number,
			found->offset);
	if (!spool_read_state(message, found, error) || !spool_read_changes(message, found, error))
		return false;
	if (!spool_state_fits(message, id))
		return error_set(error, POSTERN_ERROR_DAMAGED, "message %s: its state is not one of its envelope",
			id_format(id, text));
	message->size = found->place.size;
	return true;
}

SpoolMessage *
spool_read_at(Spool *spool, QueueId id, const Whereabouts *found, GError **error)
{
	g_autoptr(SpoolMessage) message = g_new0(SpoolMessage, 1);

	message->spool = spool;
	return spool_read_found(message, id, found, error) ? g_steal_pointer(&message) : NULL;
}

SpoolMessage *
spool_read(Spool *spool, QueueId id, GError **error)
{
	SpoolMessage *message;
	char text[ID_TEXT_SIZE];
	Whereabouts found;

	if (!spool_look_up(spool, id, &found)) {
		(void)error_set(error, POSTERN_ERROR_NOT_FOUND, "no message %s", id_format(id, text));
		return NULL;
	}
	message = spool_read_at(spool, id, &found, error);
	spool_let_go(&found);
	return message;
}

void
spool_message_free(SpoolMessage *message)
{
	if (message == NULL)
		return;
	envelope_free(message->envelope);
	message_state_free(message->state);
	spool_content_release(message);
	g_free(message);
}
