/* spool-read.c - a message comes back: one read for envelope and state, one more for a later state, and
 * one for content. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "base/crc32c.h"
#include "base/error.h"
#include "mail/bytes.h"
#include "mail/spool-private.h"
#include "proto/header.h"

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
spool_read_record(Spool *spool, const SpoolSegment *segment, uint32_t offset, uint32_t length, GError **error)
{
	g_autofree uint8_t *record = g_malloc(MAX(length, SPOOL_RECORD_HEADER));
	uint32_t found;

	if (!spool_pread(spool->disk, segment->fd, record, length, offset)) {
		(void)error_set_errno(error, "cannot read segment %" G_GUINT64_FORMAT, segment->number);
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
	if (message->mapping != NULL && message->mapping_size > 0)
		(void)munmap(message->mapping, message->mapping_size);
	else
		g_free(message->mapping);
	g_free(message);
}

/* ---- content ---- */

static bool
spool_map_file(SpoolMessage *message, const SpoolPlace *place, GError **error)
{
	const Disk *disk = message->spool->disk;
	g_autofree char *path = spool_file_path(message->spool, place->at);
	const int fd = disk->open(disk, path, O_RDONLY, 0);
	const uint64_t skipped = place->offset % SPOOL_BLOCK;
	struct stat status;
	void *mapping;

	if (fd < 0)
		return error_set_errno(error, "cannot open %s", path);
	if (fstat(fd, &status) != 0 || (uint64_t)status.st_size < place->offset + place->size) {
		(void)disk->close(disk, fd);
		return error_set(error, POSTERN_ERROR_DAMAGED, "%s is shorter than it was", path);
	}
	mapping = mmap(NULL, place->size + skipped, PROT_READ, MAP_SHARED, fd, (off_t)(place->offset - skipped));
	if (mapping == MAP_FAILED)
		(void)error_set_errno(error, "cannot map %s", path);
	(void)disk->close(disk, fd);
	if (mapping == MAP_FAILED)
		return false;
	message->mapping = mapping;
	message->mapping_size = place->size + skipped;
	message->content = (const char *)mapping + skipped;
	return true;
}

/* Small ones of a file are read, too: no mapping, and a disk that fails says so instead of killing us. */
static bool
spool_read_part(SpoolMessage *message, const SpoolPlace *place, const SpoolSegment *segment, GError **error)
{
	const Disk *disk = message->spool->disk;
	g_autofree char *octets = g_malloc(place->size + 1);
	g_autofree char *path = segment == NULL ? spool_file_path(message->spool, place->at) : NULL;
	const int fd = segment != NULL ? segment->fd : disk->open(disk, path, O_RDONLY, 0);
	bool is_read;

	if (fd < 0)
		return error_set_errno(error, "cannot open %s", path);
	is_read = spool_pread(disk, fd, octets, place->size, segment != NULL ? place->at : place->offset);
	if (!is_read)
		(void)error_set_errno(error, "cannot read the content");
	if (segment == NULL)
		(void)disk->close(disk, fd);
	octets[place->size] = '\0';
	message->mapping = is_read ? g_steal_pointer(&octets) : NULL;
	message->content = message->mapping;
	return is_read;
}

bool
spool_read_content(SpoolMessage *message, GError **error)
{
	char text[ID_TEXT_SIZE];
	Whereabouts found;
	bool is_read;

	if (message->content != NULL)
		return true;
	if (!spool_look_up(message->spool, message->envelope->id, &found))
		return error_set(error, POSTERN_ERROR_NOT_FOUND, "no message %s", id_format(message->envelope->id, text));
	if (found.place.kind == SPOOL_IN_FILE && found.place.size > SPOOL_LARGE)
		is_read = spool_map_file(message, &found.place, error);
	else
		is_read = spool_read_part(message, &found.place, found.content_segment, error);
	spool_let_go(message->spool, &found);
	if (!is_read)
		return false;
	if (crc32c(0, message->content, found.place.size) == found.place.crc)
		return true;
	message->content = NULL;
	return error_set(error, POSTERN_ERROR_DAMAGED, "the content of %s does not agree with its checksum",
		id_format(message->envelope->id, text));
}

/* ---- as it is sent ---- */

/* Behind the header's last field: where the empty line starts, or what is no field, or the end. */
static uint64_t
spool_header_end(const char *content, uint64_t size)
{
	HeaderScan scan;
	HeaderField field;

	header_scan_start(&scan, content, size);
	while (header_scan_next(&scan, &field))
		;
	return scan.at;
}

/* The content from `from` to `to`, without what is cut. */
static bool
spool_send_part(const SpoolMessage *message, uint64_t from, uint64_t to, SpoolPiece *piece, void *data)
{
	const GArray *cuts = message->envelope->cuts;

	for (guint i = 0; i < cuts->len && from < to; i++) {
		const Cut *cut = &g_array_index(cuts, Cut, i);
		const uint64_t cut_end = cut->offset + cut->length, until = MIN(cut->offset, to);

		if (cut_end <= from)
			continue;
		if (until > from && !piece(data, message->content + from, until - from))
			return false;
		from = MAX(from, cut_end);
	}
	return from >= to || piece(data, message->content + from, to - from);
}

bool
spool_message_pieces(const SpoolMessage *message, SpoolPiece *piece, void *data)
{
	const Envelope *envelope = message->envelope;
	const size_t top = strlen(envelope->top), bottom = strlen(envelope->bottom);
	const uint64_t header_end = bottom > 0 ? spool_header_end(message->content, message->size) : 0;

	return (top == 0 || piece(data, envelope->top, top)) && spool_send_part(message, 0, header_end, piece, data) &&
		   (bottom == 0 || piece(data, envelope->bottom, bottom)) &&
		   spool_send_part(message, header_end, message->size, piece, data);
}
