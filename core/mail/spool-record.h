/* spool-record.h - segment headers, batches, records and summaries as octets: doc/spool-format.md.
 *
 * Pure: octets in, values out, and back.  Nothing read here is trusted. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/id.h"
#include "mail/envelope.h"
#include "mail/state-changes.h"

enum {
	SPOOL_VERSION = 3,        /* of the format of a spool; 2 brought marks, changes, failed recipients; 3 attempts, times
	                             and holds of each recipient */
	SPOOL_OLDEST_VERSION = 1, /* that can be read */
	SPOOL_SEGMENT_VERSION = 1,
	SPOOL_BLOCK = 4096,
	SPOOL_ID_SIZE = 16,
	SPOOL_BATCH_HEADER = 80,
	SPOOL_RECORD_HEADER = 16,
	SPOOL_MESSAGE_HEADER = 56, /* with that of the record */
	SPOOL_ROW = 104,
	SPOOL_TRAILER = 128,
	SPOOL_MARK = 24, /* a record of that type, whole */
};

typedef enum {
	SPOOL_RECORD_CONTENT = 1,
	SPOOL_RECORD_MESSAGE,
	SPOOL_RECORD_STATE,
	SPOOL_RECORD_MARK,
	SPOOL_RECORD_CHANGES
} SpoolRecordType;
typedef enum { SPOOL_IN_BATCH = 1, SPOOL_IN_FILE, SPOOL_IN_SEGMENT } SpoolPlaceKind;

typedef struct {
	uint8_t spool[SPOOL_ID_SIZE];
	uint64_t number, size;
	int64_t made_us;
	uint64_t ended_segment, ended_batch; /* "segment N ends at batch B"; 0: says nothing */
} SpoolSegmentHeader;

typedef struct {
	uint8_t spool[SPOOL_ID_SIZE];
	uint64_t segment, number, previous, oldest;
	int64_t written_us;
	uint32_t length, n_records;
} SpoolBatchHeader;

/* Where content is: IN_FILE (`at` the file's number, `offset` within) or IN_SEGMENT (`at` the offset of its
 * octets); IN_BATCH only within records: `at` is how far back the content record starts. */
typedef struct {
	SpoolPlaceKind kind;
	uint32_t crc;
	uint64_t size, at, offset;
} SpoolPlace;

/* What the index needs of a message or state record; of a mark, the id. */
typedef struct {
	SpoolRecordType type;
	bool is_held, has_held;  /* the message; one of its recipients by itself */
	QueueId id;
	uint64_t version, batch;
	uint32_t offset, length; /* of the record in its segment */
	int64_t next_us, arrived_us;
	uint32_t n_pending, n_recipients, attempts;
	SpoolPlace place; /* of messages only */
} SpoolRow;

typedef struct {
	uint8_t spool[SPOOL_ID_SIZE];
	uint64_t segment, start, first_batch, previous, last_batch, oldest;
	uint32_t n_rows;
} SpoolTrailer;

static inline uint64_t
spool_padded(uint64_t size)
{
	return (size + SPOOL_BLOCK - 1) / SPOOL_BLOCK * SPOOL_BLOCK;
}

typedef enum { SPOOL_HEADER_GOOD, SPOOL_HEADER_BAD, SPOOL_HEADER_OTHER_VERSION } SpoolHeaderResult;
void spool_segment_header_encode(const SpoolSegmentHeader *header, uint8_t block[SPOOL_BLOCK]);
SpoolHeaderResult spool_segment_header_decode(const uint8_t block[SPOOL_BLOCK], SpoolSegmentHeader *header);

/* With the CRC as zero; spool_batch_seal() sets it, `crc` being that of header and records. */
void spool_batch_header_encode(const SpoolBatchHeader *header, uint8_t out[SPOOL_BATCH_HEADER]);
void spool_batch_seal(uint8_t header[SPOOL_BATCH_HEADER], uint32_t crc);
/* False: no header.  The length is not judged beyond being that of a header at least. */
bool spool_batch_header_decode(const uint8_t *data, size_t size, SpoolBatchHeader *header);
/* `data` holds the whole batch, `header.length` octets: is it what its CRC says? */
bool spool_batch_is_whole(const uint8_t *data, const SpoolBatchHeader *header);

/* Starts a record (its offset in `out` is returned); finish sets length and CRC and pads to 8. */
guint spool_record_start(GByteArray *out, SpoolRecordType type);
void spool_record_finish(GByteArray *out, guint start);
/* The record at `offset` of `size` octets: its CRC is right, it stays within.  `length` without the gap. */
bool spool_record_check(const uint8_t *data, size_t size, size_t offset, uint32_t *length);
static inline size_t
spool_record_step(uint32_t length)
{
	return ((size_t)length + 7) / 8 * 8;
}

/* Puts a message record; `row` gets what the index needs, `offset` being where in `out` it starts. */
void spool_message_encode(GByteArray *out, const SpoolPlace *place, const Envelope *envelope,
	const MessageState *state, SpoolRow *row);
void spool_state_encode(GByteArray *out, const MessageState *state, SpoolRow *row);
/* A record of what changed in these recipients (of guint, ascending), and of all of the state besides. */
void spool_changes_encode(GByteArray *out, const MessageState *state, const GArray *places, SpoolRow *row);
/* A checked record.  `place`, `envelope`, `state` may be NULL; new.  False: malformed. */
bool spool_message_decode(const uint8_t *record, uint32_t length, SpoolPlace *place, Envelope **envelope,
	MessageState **state);
MessageState *spool_state_decode(const uint8_t *record, uint32_t length);
StateChanges *spool_changes_decode(const uint8_t *record, uint32_t length); /* new, or NULL */

/* "The log has had ids up to this one." */
void spool_mark_encode(QueueId highest, uint8_t out[SPOOL_MARK], SpoolRow *row);

/* Calls `each` for every message, state and mark record of a whole batch that lies at `base` of its segment.
 * False: something in it is malformed or of an unknown type; the good ones were passed on. */
bool spool_batch_rows(const uint8_t *data, const SpoolBatchHeader *header, uint64_t base,
	void (*each)(void *user, const SpoolRow *row), void *user);

void spool_row_encode(const SpoolRow *row, uint8_t out[SPOOL_ROW]);
bool spool_row_decode(const uint8_t data[SPOOL_ROW], SpoolRow *row);
/* `crc` is that of the rows. */
void spool_trailer_encode(const SpoolTrailer *trailer, uint32_t crc, uint8_t out[SPOOL_TRAILER]);
/* False: none.  Its CRC is judged by spool_trailer_is_right(). */
bool spool_trailer_decode(const uint8_t data[SPOOL_TRAILER], SpoolTrailer *trailer);
bool spool_trailer_is_right(const uint8_t data[SPOOL_TRAILER], const uint8_t *rows, size_t size);
