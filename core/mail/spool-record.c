/* spool-record.c - segment headers, batches and records as octets. */
#include "mail/spool-record.h"

#include "base/crc32c.h"
#include "mail/bytes.h"

static const uint8_t spool_zeros[8];

/* The CRC of `size` octets of which the four at `field` count as zero. */
static uint32_t
spool_crc_without(uint32_t crc, const uint8_t *data, size_t size, size_t field)
{
	crc = crc32c(crc, data, field);
	crc = crc32c(crc, spool_zeros, 4);
	return crc32c(crc, data + field + 4, size - field - 4);
}

void
spool_segment_header_encode(const SpoolSegmentHeader *header, uint8_t block[SPOOL_BLOCK])
{
	memset(block, 0, SPOOL_BLOCK);
	memcpy(block, "PTNSEGMT", 8);
	bytes_set32(block + 12, SPOOL_SEGMENT_VERSION);
	memcpy(block + 16, header->spool, SPOOL_ID_SIZE);
	bytes_set64(block + 32, header->number);
	bytes_set64(block + 40, header->size);
	bytes_set64(block + 48, (uint64_t)header->made_us);
	bytes_set64(block + 56, header->ended_segment);
	bytes_set64(block + 64, header->ended_batch);
	bytes_set32(block + 8, crc32c(0, block, SPOOL_BLOCK));
}

SpoolHeaderResult
spool_segment_header_decode(const uint8_t block[SPOOL_BLOCK], SpoolSegmentHeader *header)
{
	if (memcmp(block, "PTNSEGMT", 8) != 0 || bytes_at32(block + 8) != spool_crc_without(0, block, SPOOL_BLOCK, 8))
		return SPOOL_HEADER_BAD;
	if (bytes_at32(block + 12) != SPOOL_SEGMENT_VERSION)
		return SPOOL_HEADER_OTHER_VERSION;
	memcpy(header->spool, block + 16, SPOOL_ID_SIZE);
	header->number = bytes_at64(block + 32);
	header->size = bytes_at64(block + 40);
	header->made_us = (int64_t)bytes_at64(block + 48);
	header->ended_segment = bytes_at64(block + 56);
	header->ended_batch = bytes_at64(block + 64);
	if (header->number == 0 || header->size % SPOOL_BLOCK != 0 || header->size > UINT32_MAX)
		return SPOOL_HEADER_BAD;
	return SPOOL_HEADER_GOOD;
}

void
spool_batch_header_encode(const SpoolBatchHeader *header, uint8_t out[SPOOL_BATCH_HEADER])
{
	memset(out, 0, SPOOL_BATCH_HEADER);
	memcpy(out, "PTNBATCH", 8);
	bytes_set32(out + 12, header->length);
	memcpy(out + 16, header->spool, SPOOL_ID_SIZE);
	bytes_set64(out + 32, header->segment);
	bytes_set64(out + 40, header->number);
	bytes_set64(out + 48, header->previous);
	bytes_set64(out + 56, header->oldest);
	bytes_set64(out + 64, (uint64_t)header->written_us);
	bytes_set32(out + 72, header->n_records);
}

void
spool_batch_seal(uint8_t header[SPOOL_BATCH_HEADER], uint32_t crc)
{
	bytes_set32(header + 8, crc);
}

bool
spool_batch_header_decode(const uint8_t *data, size_t size, SpoolBatchHeader *header)
{
	if (size < SPOOL_BATCH_HEADER || memcmp(data, "PTNBATCH", 8) != 0)
		return false;
	header->length = bytes_at32(data + 12);
	memcpy(header->spool, data + 16, SPOOL_ID_SIZE);
	header->segment = bytes_at64(data + 32);
	header->number = bytes_at64(data + 40);
	header->previous = bytes_at64(data + 48);
	header->oldest = bytes_at64(data + 56);
	header->written_us = (int64_t)bytes_at64(data + 64);
	header->n_records = bytes_at32(data + 72);
	return header->length >= SPOOL_BATCH_HEADER && header->number > header->previous;
}

bool
spool_batch_is_whole(const uint8_t *data, const SpoolBatchHeader *header)
{
	return bytes_at32(data + 8) == spool_crc_without(0, data, header->length, 8);
}

guint
spool_record_start(GByteArray *out, SpoolRecordType type)
{
	const guint start = out->len;

	g_byte_array_set_size(out, start + SPOOL_RECORD_HEADER);
	memset(out->data + start, 0, SPOOL_RECORD_HEADER);
	out->data[start + 8] = (uint8_t)type;
	return start;
}

void
spool_record_finish(GByteArray *out, guint start)
{
	const uint32_t length = out->len - start;

	bytes_set32(out->data + start, length);
	bytes_set32(out->data + start + 4, crc32c(0, out->data + start + 8, length - 8));
	g_byte_array_append(out, spool_zeros, (guint)(spool_record_step(length) - length));
}

bool
spool_record_check(const uint8_t *data, size_t size, size_t offset, uint32_t *length)
{
	uint32_t counted;

	if (offset > size || size - offset < SPOOL_RECORD_HEADER)
		return false;
	counted = bytes_at32(data + offset);
	if (counted < SPOOL_RECORD_HEADER || counted > size - offset)
		return false;
	if (bytes_at32(data + offset + 4) != crc32c(0, data + offset + 8, counted - 8))
		return false;
	*length = counted;
	return true;
}

static guint
spool_message_start(GByteArray *out, const SpoolPlace *place)
{
	const guint start = spool_record_start(out, SPOOL_RECORD_MESSAGE);

	bytes_put32(out, place->kind);
	bytes_put32(out, place->crc);
	bytes_put64(out, place->size);
	bytes_put64(out, place->kind == SPOOL_IN_BATCH ? start - place->at : place->at);
	bytes_put64(out, place->offset);
	bytes_put64(out, 0);
	return start;
}

static void
spool_row_from_head(SpoolRow *row, const MessageState *state)
{
	row->id = state->id;
	row->version = state->version;
	row->next_us = state->next_us;
	if (state->is_held)
		row->next_us = state->release_at_us != 0 ? state->release_at_us : CLOCK_NEVER;
	row->attempts = state->attempts;
	row->is_held = state->is_held;
}

static void
spool_row_from_state(SpoolRow *row, const MessageState *state)
{
	spool_row_from_head(row, state);
	row->n_recipients = state->n_recipients;
	row->n_pending = message_state_count_open(state);
	row->has_held = message_state_has_held(state);
}

void
spool_message_encode(
	GByteArray *out, const SpoolPlace *place, const Envelope *envelope, const MessageState *state, SpoolRow *row)
{
	const guint start = spool_message_start(out, place), state_at = out->len;
	guint envelope_at;

	message_state_encode(state, out);
	envelope_at = out->len;
	envelope_encode(envelope, out);
	bytes_set32(out->data + start + 48, envelope_at - state_at);
	bytes_set32(out->data + start + 52, out->len - envelope_at);
	spool_row_from_state(row, state);
	row->type = SPOOL_RECORD_MESSAGE;
	row->arrived_us = envelope->arrived_us;
	row->place = *place;
	row->offset = start;
	row->length = out->len - start;
	spool_record_finish(out, start);
}

void
spool_state_encode(GByteArray *out, const MessageState *state, SpoolRow *row)
{
	const guint start = spool_record_start(out, SPOOL_RECORD_STATE);

	message_state_encode(state, out);
	memset(row, 0, sizeof *row);
	spool_row_from_state(row, state);
	row->type = SPOOL_RECORD_STATE;
	row->offset = start;
	row->length = out->len - start;
	spool_record_finish(out, start);
}

void
spool_changes_encode(GByteArray *out, const MessageState *state, const GArray *places, SpoolRow *row)
{
	const guint start = spool_record_start(out, SPOOL_RECORD_CHANGES);

	state_changes_encode(state, places, out);
	memset(row, 0, sizeof *row);
	spool_row_from_state(row, state);
	row->type = SPOOL_RECORD_CHANGES;
	row->offset = start;
	row->length = out->len - start;
	spool_record_finish(out, start);
}

void
spool_mark_encode(QueueId highest, uint8_t out[SPOOL_MARK], SpoolRow *row)
{
	memset(out, 0, SPOOL_MARK);
	bytes_set32(out, SPOOL_MARK);
	out[8] = SPOOL_RECORD_MARK;
	bytes_set64(out + SPOOL_RECORD_HEADER, highest);
	bytes_set32(out + 4, crc32c(0, out + 8, SPOOL_MARK - 8));
	*row = (SpoolRow){ .type = SPOOL_RECORD_MARK, .id = highest, .length = SPOOL_MARK };
}

static bool
spool_place_is_possible(const SpoolPlace *place)
{
	if (place->kind == SPOOL_IN_FILE)
		return place->offset <= INT64_MAX && place->size <= INT64_MAX - place->offset;
	return (place->kind == SPOOL_IN_BATCH || place->kind == SPOOL_IN_SEGMENT) && place->size <= UINT32_MAX &&
		   place->at <= UINT32_MAX;
}

bool
spool_message_decode(
	const uint8_t *record, uint32_t length, SpoolPlace *place, Envelope **envelope, MessageState **state)
{
	g_autoptr(Envelope) new_envelope = NULL;
	g_autoptr(MessageState) new_state = NULL;
	SpoolPlace found;
	uint32_t state_size, envelope_size;

	if (length < SPOOL_MESSAGE_HEADER || record[8] != SPOOL_RECORD_MESSAGE)
		return false;
	found.kind = bytes_at32(record + 16);
	found.crc = bytes_at32(record + 20);
	found.size = bytes_at64(record + 24);
	found.at = bytes_at64(record + 32);
	found.offset = bytes_at64(record + 40);
	state_size = bytes_at32(record + 48);
	envelope_size = bytes_at32(record + 52);
	if (found.kind == SPOOL_IN_SEGMENT || !spool_place_is_possible(&found) ||
		(uint64_t)state_size + envelope_size != length - SPOOL_MESSAGE_HEADER)
		return false;
	if (state != NULL && (new_state = message_state_decode(record + SPOOL_MESSAGE_HEADER, state_size)) == NULL)
		return false;
	if (envelope != NULL &&
		(new_envelope = envelope_decode(record + SPOOL_MESSAGE_HEADER + state_size, envelope_size)) == NULL)
		return false;
	if (new_state != NULL && new_envelope != NULL &&
		(new_state->id != new_envelope->id || new_state->n_recipients != new_envelope->recipients->len))
		return false;
	if (place != NULL)
		*place = found;
	if (state != NULL)
		*state = g_steal_pointer(&new_state);
	if (envelope != NULL)
		*envelope = g_steal_pointer(&new_envelope);
	return true;
}

MessageState *
spool_state_decode(const uint8_t *record, uint32_t length)
{
	if (record[8] != SPOOL_RECORD_STATE)
		return NULL;
	return message_state_decode(record + SPOOL_RECORD_HEADER, length - SPOOL_RECORD_HEADER);
}

StateChanges *
spool_changes_decode(const uint8_t *record, uint32_t length)
{
	if (record[8] != SPOOL_RECORD_CHANGES)
		return NULL;
	return state_changes_decode(record + SPOOL_RECORD_HEADER, length - SPOOL_RECORD_HEADER);
}

static bool
spool_changes_row(const uint8_t *record, uint32_t length, SpoolRow *row)
{
	g_autoptr(StateChanges) changes = spool_changes_decode(record, length);

	if (changes == NULL)
		return false;
	spool_row_from_head(row, changes->state);
	row->n_recipients = changes->n_all;
	row->n_pending = changes->n_open;
	row->has_held = changes->marks.has_held;
	return true;
}

/* The content of a message in the same batch: the record it points back to must be one, and whole. */
static bool
spool_place_resolve(const uint8_t *data, size_t size, uint64_t base, size_t at, SpoolPlace *place)
{
	uint32_t length;

	if (place->kind == SPOOL_IN_FILE)
		return true;
	if (place->at > at - SPOOL_BATCH_HEADER || !spool_record_check(data, size, at - place->at, &length) ||
		data[at - place->at + 8] != SPOOL_RECORD_CONTENT || length - SPOOL_RECORD_HEADER != place->size)
		return false;
	place->kind = SPOOL_IN_SEGMENT;
	place->at = base + (at - place->at) + SPOOL_RECORD_HEADER;
	return true;
}

static bool
spool_record_row(const uint8_t *record, uint32_t length, SpoolRow *row)
{
	g_autoptr(MessageState) state = NULL;
	g_autoptr(Envelope) envelope = NULL;

	memset(row, 0, sizeof *row);
	row->type = record[8];
	row->length = length;
	if (row->type == SPOOL_RECORD_MARK) {
		row->id = length == SPOOL_MARK ? bytes_at64(record + SPOOL_RECORD_HEADER) : 0;
		return length == SPOOL_MARK;
	}
	if (row->type == SPOOL_RECORD_CHANGES)
		return spool_changes_row(record, length, row);
	if (row->type == SPOOL_RECORD_STATE)
		state = spool_state_decode(record, length);
	else if (row->type == SPOOL_RECORD_MESSAGE)
		(void)spool_message_decode(record, length, &row->place, &envelope, &state);
	if (state == NULL)
		return false;
	spool_row_from_state(row, state);
	row->arrived_us = envelope != NULL ? envelope->arrived_us : 0;
	return true;
}

bool
spool_batch_rows(const uint8_t *data, const SpoolBatchHeader *header, uint64_t base,
	void (*each)(void *user, const SpoolRow *row), void *user)
{
	size_t at = SPOOL_BATCH_HEADER;
	bool is_good = true;
	uint32_t length;

	for (uint32_t i = 0; i < header->n_records; i++, at += spool_record_step(length)) {
		SpoolRow row;

		if (!spool_record_check(data, header->length, at, &length))
			return false;
		if (data[at + 8] == SPOOL_RECORD_CONTENT)
			continue;
		if (!spool_record_row(data + at, length, &row) ||
			(row.type == SPOOL_RECORD_MESSAGE &&
				!spool_place_resolve(data, header->length, base, at, &row.place))) {
			is_good = false;
			continue;
		}
		row.offset = (uint32_t)(base + at);
		row.batch = header->number;
		each(user, &row);
	}
	return is_good;
}

enum { SPOOL_ROW_IS_HELD = 1, SPOOL_ROW_HAS_HELD = 2 };

void
spool_row_encode(const SpoolRow *row, uint8_t out[SPOOL_ROW])
{
	memset(out, 0, SPOOL_ROW);
	out[0] = (uint8_t)row->type;
	out[1] = (uint8_t)((row->is_held ? SPOOL_ROW_IS_HELD : 0) | (row->has_held ? SPOOL_ROW_HAS_HELD : 0));
	out[2] = (uint8_t)row->place.kind;
	bytes_set32(out + 4, row->place.crc);
	bytes_set64(out + 8, row->id);
	bytes_set64(out + 16, row->version);
	bytes_set32(out + 24, row->offset);
	bytes_set32(out + 28, row->length);
	bytes_set64(out + 32, (uint64_t)row->next_us);
	bytes_set64(out + 40, (uint64_t)row->arrived_us);
	bytes_set32(out + 48, row->n_pending);
	bytes_set32(out + 52, row->n_recipients);
	bytes_set32(out + 56, row->attempts);
	bytes_set64(out + 64, row->place.size);
	bytes_set64(out + 72, row->place.at);
	bytes_set64(out + 80, row->place.offset);
	bytes_set64(out + 88, row->batch);
}

bool
spool_row_decode(const uint8_t data[SPOOL_ROW], SpoolRow *row)
{
	memset(row, 0, sizeof *row);
	row->type = data[0];
	row->is_held = (data[1] & SPOOL_ROW_IS_HELD) != 0;
	row->has_held = (data[1] & SPOOL_ROW_HAS_HELD) != 0;
	row->place.kind = data[2];
	row->place.crc = bytes_at32(data + 4);
	row->id = bytes_at64(data + 8);
	row->version = bytes_at64(data + 16);
	row->offset = bytes_at32(data + 24);
	row->length = bytes_at32(data + 28);
	row->next_us = (int64_t)bytes_at64(data + 32);
	row->arrived_us = (int64_t)bytes_at64(data + 40);
	row->n_pending = bytes_at32(data + 48);
	row->n_recipients = bytes_at32(data + 52);
	row->attempts = bytes_at32(data + 56);
	row->place.size = bytes_at64(data + 64);
	row->place.at = bytes_at64(data + 72);
	row->place.offset = bytes_at64(data + 80);
	row->batch = bytes_at64(data + 88);
	if (row->type == SPOOL_RECORD_STATE || row->type == SPOOL_RECORD_MARK || row->type == SPOOL_RECORD_CHANGES)
		return true;
	return row->type == SPOOL_RECORD_MESSAGE && row->place.kind != SPOOL_IN_BATCH &&
		   spool_place_is_possible(&row->place);
}

void
spool_trailer_encode(const SpoolTrailer *trailer, uint32_t crc, uint8_t out[SPOOL_TRAILER])
{
	memset(out, 0, SPOOL_TRAILER);
	memcpy(out, "PTNSUMRY", 8);
	bytes_set32(out + 12, trailer->n_rows);
	memcpy(out + 16, trailer->spool, SPOOL_ID_SIZE);
	bytes_set64(out + 32, trailer->segment);
	bytes_set64(out + 40, trailer->start);
	bytes_set64(out + 48, trailer->first_batch);
	bytes_set64(out + 56, trailer->previous);
	bytes_set64(out + 64, trailer->last_batch);
	bytes_set64(out + 72, trailer->oldest);
	bytes_set32(out + 8, crc32c(crc, out, SPOOL_TRAILER));
}

bool
spool_trailer_decode(const uint8_t data[SPOOL_TRAILER], SpoolTrailer *trailer)
{
	if (memcmp(data, "PTNSUMRY", 8) != 0)
		return false;
	trailer->n_rows = bytes_at32(data + 12);
	memcpy(trailer->spool, data + 16, SPOOL_ID_SIZE);
	trailer->segment = bytes_at64(data + 32);
	trailer->start = bytes_at64(data + 40);
	trailer->first_batch = bytes_at64(data + 48);
	trailer->previous = bytes_at64(data + 56);
	trailer->last_batch = bytes_at64(data + 64);
	trailer->oldest = bytes_at64(data + 72);
	return trailer->start % SPOOL_BLOCK == 0;
}

bool
spool_trailer_is_right(const uint8_t data[SPOOL_TRAILER], const uint8_t *rows, size_t size)
{
	return bytes_at32(data + 8) == spool_crc_without(crc32c(0, rows, size), data, SPOOL_TRAILER, 8);
}
