/* fuzz-spool.c - segment headers, batches, records, rows and trailers from anywhere. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "mail/spool-record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
fuzz_row(void *user, const SpoolRow *row)
{
	uint8_t octets[SPOOL_ROW];

	(void)user;
	spool_row_encode(row, octets);
}

/* What decodes must encode to what decodes again. */
static void
fuzz_values(const uint8_t *data, size_t size)
{
	g_autoptr(Envelope) envelope = envelope_decode(data, size), again = NULL;
	g_autoptr(MessageState) state = message_state_decode(data, size), same = NULL;
	g_autoptr(GByteArray) octets = g_byte_array_new(), twice = g_byte_array_new();

	if (envelope != NULL) {
		envelope_encode(envelope, octets);
		again = envelope_decode(octets->data, octets->len);
		g_assert(again != NULL && octets->len == size && memcmp(octets->data, data, size) == 0);
	}
	g_byte_array_set_size(octets, 0);
	if (state != NULL) {
		message_state_encode(state, octets);
		same = message_state_decode(octets->data, octets->len);
		g_assert(same != NULL);
		/* a record of version 2 becomes one of version 3, and what says nothing of a recipient is left out */
		message_state_encode(same, twice);
		g_assert(octets->len == twice->len && memcmp(octets->data, twice->data, octets->len) == 0);
	}
}

/* Records without the shield of their CRC. */
static void
fuzz_records(const uint8_t *data, size_t size)
{
	g_autoptr(Envelope) envelope = NULL;
	g_autoptr(MessageState) state = NULL;
	SpoolPlace place;

	if (size < SPOOL_RECORD_HEADER || size > UINT32_MAX)
		return;
	(void)spool_message_decode(data, (uint32_t)size, &place, &envelope, &state);
	message_state_free(spool_state_decode(data, (uint32_t)size));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	SpoolBatchHeader batch;
	SpoolSegmentHeader segment;
	SpoolTrailer trailer;
	SpoolRow row;
	uint32_t length;

	if (spool_batch_header_decode(data, size, &batch) && batch.length <= size) {
		(void)spool_batch_is_whole(data, &batch);
		(void)spool_batch_rows(data, &batch, SPOOL_BLOCK, fuzz_row, NULL);
	}
	if (size >= SPOOL_BLOCK)
		(void)spool_segment_header_decode(data, &segment);
	if (size >= SPOOL_TRAILER && spool_trailer_decode(data, &trailer))
		(void)spool_trailer_is_right(data, data + SPOOL_TRAILER, size - SPOOL_TRAILER);
	if (size >= SPOOL_ROW && spool_row_decode(data, &row))
		fuzz_row(NULL, &row);
	(void)spool_record_check(data, size, 0, &length);
	fuzz_records(data, size);
	fuzz_values(data, size);
	return 0;
}
