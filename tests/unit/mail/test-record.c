/* test-record.c - headers, batches, rows and trailers as doc/spool-format.md has them. */
#include <string.h>

#include "base/crc32c.h"
#include "mail/bytes.h"
#include "mail/spool-record.h"
#include "unit/mail/mail.h"

static void
test_segment_header(void)
{
	const SpoolSegmentHeader header = { .spool = "0123456789abcde", .number = 7, .size = 1 << 20, .made_us = 5,
		.ended_segment = 6, .ended_batch = 99 };
	SpoolSegmentHeader back;
	uint8_t block[SPOOL_BLOCK];

	spool_segment_header_encode(&header, block);
	CU_ASSERT_EQUAL(memcmp(block, "PTNSEGMT", 8), 0);
	CU_ASSERT_EQUAL(bytes_at32(block + 12), 1);
	CU_ASSERT_EQUAL(bytes_at64(block + 32), 7);
	CU_ASSERT_EQUAL(spool_segment_header_decode(block, &back), SPOOL_HEADER_GOOD);
	CU_ASSERT(back.number == 7 && back.size == 1 << 20 && back.ended_segment == 6 && back.ended_batch == 99);
	block[3000] = 1;
	CU_ASSERT_EQUAL(spool_segment_header_decode(block, &back), SPOOL_HEADER_BAD);
	block[3000] = 0;
	bytes_set32(block + 12, 2);
	bytes_set32(block + 8, 0);
	bytes_set32(block + 8, crc32c(0, block, SPOOL_BLOCK));
	CU_ASSERT_EQUAL(spool_segment_header_decode(block, &back), SPOOL_HEADER_OTHER_VERSION);
}

/* A batch of one content, two messages and a state. */
static GByteArray *
record_batch(SpoolBatchHeader *header)
{
	GByteArray *octets = g_byte_array_new();
	g_autoptr(Envelope) envelope = fixture_envelope(5, 1), copy = fixture_envelope(6, 2);
	g_autoptr(MessageState) state = message_state_new(5, 1), other = message_state_new(6, 2);
	SpoolPlace place = { .kind = SPOOL_IN_BATCH, .size = 5, .crc = crc32c(0, "hello", 5) };
	SpoolRow row;
	guint start;

	g_byte_array_set_size(octets, SPOOL_BATCH_HEADER);
	start = spool_record_start(octets, SPOOL_RECORD_CONTENT);
	place.at = start;
	g_byte_array_append(octets, (const guint8 *)"hello", 5);
	spool_record_finish(octets, start);
	spool_message_encode(octets, &place, envelope, state, &row);
	spool_message_encode(octets, &place, copy, other, &row);
	state->version = 8;
	spool_state_encode(octets, state, &row);
	*header = (SpoolBatchHeader){ .segment = 3, .number = 12, .previous = 10, .oldest = 2, .n_records = 4,
		.length = octets->len };
	spool_batch_header_encode(header, octets->data);
	spool_batch_seal(octets->data, crc32c(0, octets->data, octets->len));
	return octets;
}

static void
record_collect(void *user, const SpoolRow *row)
{
	g_array_append_val((GArray *)user, *row);
}

static void
test_batch(void)
{
	SpoolBatchHeader header, back;
	g_autoptr(GByteArray) octets = record_batch(&header);
	g_autoptr(GArray) rows = g_array_new(FALSE, FALSE, sizeof(SpoolRow));
	const SpoolRow *row;

	CU_ASSERT(spool_batch_header_decode(octets->data, octets->len, &back));
	CU_ASSERT(back.number == 12 && back.previous == 10 && back.oldest == 2 && back.length == octets->len);
	CU_ASSERT(spool_batch_is_whole(octets->data, &back));
	CU_ASSERT(spool_batch_rows(octets->data, &back, 8192, record_collect, rows));
	CU_ASSERT_EQUAL_FATAL(rows->len, 3);
	row = &g_array_index(rows, SpoolRow, 1);
	CU_ASSERT(row->id == 6 && row->n_recipients == 2 && row->batch == 12 && row->type == SPOOL_RECORD_MESSAGE);
	CU_ASSERT_EQUAL(row->place.kind, SPOOL_IN_SEGMENT);
	CU_ASSERT_EQUAL(row->place.at, 8192 + SPOOL_BATCH_HEADER + SPOOL_RECORD_HEADER);
	CU_ASSERT_EQUAL(memcmp(octets->data + row->place.at - 8192, "hello", 5), 0);
	row = &g_array_index(rows, SpoolRow, 2);
	CU_ASSERT(row->type == SPOOL_RECORD_STATE && row->version == 8 && row->offset % 8 == 0);
}

/* Any octet that changes is noticed. */
static void
test_batch_damage(void)
{
	SpoolBatchHeader header, back;
	g_autoptr(GByteArray) octets = record_batch(&header);

	for (guint i = 0; i < octets->len; i++) {
		octets->data[i] ^= 0x10;
		CU_ASSERT_FALSE(spool_batch_header_decode(octets->data, octets->len, &back) && back.length <= octets->len &&
			spool_batch_is_whole(octets->data, &back));
		octets->data[i] ^= 0x10;
	}
}

static void
test_unknown_type(void)
{
	SpoolBatchHeader header = { .n_records = 2 };
	g_autoptr(GByteArray) octets = g_byte_array_new();
	g_autoptr(GArray) rows = g_array_new(FALSE, FALSE, sizeof(SpoolRow));
	g_autoptr(MessageState) state = message_state_new(5, 1);
	SpoolRow row;

	g_byte_array_set_size(octets, SPOOL_BATCH_HEADER);
	spool_record_finish(octets, spool_record_start(octets, 9));
	spool_state_encode(octets, state, &row);
	header.length = octets->len;
	CU_ASSERT_FALSE(spool_batch_rows(octets->data, &header, 0, record_collect, rows));
	CU_ASSERT_EQUAL(rows->len, 1);
}

static void
test_row(void)
{
	const SpoolRow row = { .type = SPOOL_RECORD_MESSAGE, .is_held = true, .id = 1, .version = 2, .batch = 3,
		.offset = 4, .length = 5, .next_us = 6, .arrived_us = 7, .n_pending = 8, .n_recipients = 9, .attempts = 10,
		.place = { .kind = SPOOL_IN_FILE, .crc = 11, .size = 12, .at = 13, .offset = 14 } };
	SpoolRow back;
	uint8_t octets[SPOOL_ROW];

	spool_row_encode(&row, octets);
	CU_ASSERT(spool_row_decode(octets, &back));
	CU_ASSERT(back.type == row.type && back.is_held && back.id == 1 && back.version == 2 && back.batch == 3);
	CU_ASSERT(back.offset == 4 && back.length == 5 && back.next_us == 6 && back.arrived_us == 7);
	CU_ASSERT(back.n_pending == 8 && back.n_recipients == 9 && back.attempts == 10);
	CU_ASSERT_EQUAL(memcmp(&back.place, &row.place, sizeof row.place), 0);
	octets[0] = 1;
	CU_ASSERT_FALSE(spool_row_decode(octets, &back));
}

static void
test_trailer(void)
{
	const SpoolTrailer trailer = { .segment = 1, .start = 4096, .first_batch = 2, .previous = 3, .last_batch = 4,
		.oldest = 5, .n_rows = 6 };
	static const uint8_t rows[] = "rows";
	SpoolTrailer back;
	uint8_t octets[SPOOL_TRAILER];

	spool_trailer_encode(&trailer, crc32c(0, rows, sizeof rows), octets);
	CU_ASSERT(spool_trailer_decode(octets, &back));
	CU_ASSERT(back.segment == 1 && back.start == 4096 && back.last_batch == 4 && back.oldest == 5 && back.n_rows == 6);
	CU_ASSERT(spool_trailer_is_right(octets, rows, sizeof rows));
	CU_ASSERT_FALSE(spool_trailer_is_right(octets, rows, sizeof rows - 1));
	octets[100] ^= 1;
	CU_ASSERT_FALSE(spool_trailer_is_right(octets, rows, sizeof rows));
}

const UnitSuite record_suite = { "record", (const UnitTest[]){
	{ "a segment's header", test_segment_header },
	{ "a batch and its rows", test_batch },
	{ "a batch in which one bit changed does not count", test_batch_damage },
	{ "a record of an unknown type is passed over, and said", test_unknown_type },
	{ "a row of a summary", test_row },
	{ "the trailer of a summary", test_trailer },
	{ 0 } } };
