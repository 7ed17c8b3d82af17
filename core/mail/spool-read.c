/* spool-read.c - a message comes back: one read for envelope and state, one more for a later state; its content is
 * spool-content.c's. */
#include <errno.h>

#include "base/error.h"
#include "mail/bytes.h"
#include "mail/spool-private.h"

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
	} else if (entry->state_segment != NULL) {
		found->state_segment = spool_segment_ref(entry->state_segment);
		found->state_offset = entry->state_offset;
		found->state_length = entry->state_length;
	}
	g_mutex_unlock(&spool->index_lock);
	return true;
}

void
spool_let_go(Spool *spool, Whereabouts *found)
{
	spool_segment_unref(spool, found->segment);
	if (found->state_segment != NULL)
		spool_segment_unref(spool, found->state_segment);
	if (found->content_segment != NULL)
		spool_segment_unref(spool, found->content_segment);
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

/* The state, where it is not the one in the message record; true and NULL: it is. */
static bool
spool_read_state(Spool *spool, const Whereabouts *found, MessageState **state, GError **error)
{
	g_autofree uint8_t *record = NULL;

	*state = NULL;
	if (found->pending != NULL) {
		*state = spool_state_decode(found->pending->data, bytes_at32(found->pending->data));
		return true;
	}
	if (found->state_segment == NULL)
		return true;
	record = spool_read_record(spool, found->state_segment, found->state_offset, found->state_length, error);
	if (record == NULL)
		return false;
	*state = spool_state_decode(record, found->state_length);
	return *state != NULL ||
		   error_set(error, POSTERN_ERROR_DAMAGED, "segment %" G_GUINT64_FORMAT ", octet %u: a state is malformed",
			   found->state_segment->number, found->state_offset);
}

static bool
spool_read_found(SpoolMessage *message, QueueId id, const Whereabouts *found, GError **error)
{
	g_autofree uint8_t *record =
		spool_read_record(message->spool, found->segment, found->offset, found->length, error);
	MessageState *state;
	char text[ID_TEXT_SIZE];

	if (record == NULL)
		return false;
	if (!spool_message_decode(record, found->length, NULL, &message->envelope, &message->state) ||
		message->envelope->id != id)
		return error_set(error, POSTERN_ERROR_DAMAGED,
			"segment %" G_GUINT64_FORMAT ", octet %u: a message record is malformed", found->segment->number,
			found->offset);
	if (!spool_read_state(message->spool, found, &state, error))
		return false;
	if (state != NULL && (state->id != id || state->n_recipients != message->envelope->recipients->len)) {
		message_state_free(state);
		return error_set(error, POSTERN_ERROR_DAMAGED, "message %s: its state is not one of its envelope",
			id_format(id, text));
	}
	if (state != NULL) {
		message_state_free(message->state);
		message->state = state;
	}
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
	spool_let_go(spool, &found);
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
