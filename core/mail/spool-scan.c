/* spool-scan.c - what one segment says: its summary, or else all of its batches, one after the other.
 *
 * Batches stand one behind the other without gaps.  So a block that cannot be read hides a batch only where the next
 * one must begin, or where a header says that one stands; elsewhere it is worn, and nothing is missing. */
#include <errno.h>

#include "mail/spool-private.h"

enum {
	SCAN_TRIES = 3,
	SCAN_PATIENCE = 10,     /* reads of a start that are repeated: each may take the disk seconds */
	SCAN_UNREAD_MOST = 256, /* blocks; then the rest of a segment is not tried */
};

#define SCAN_PAUSE_US (20 * 1000)

ssize_t
spool_pread_most(const Disk *disk, int fd, void *data, size_t size, uint64_t offset)
{
	size_t done = 0;

	while (done < size) {
		const ssize_t got = disk->pread(disk, fd, (uint8_t *)data + done, size - done, (off_t)(offset + done));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		done += (size_t)got;
	}
	return (ssize_t)done;
}

bool
spool_pread(const Disk *disk, int fd, void *data, size_t size, uint64_t offset)
{
	const ssize_t got = spool_pread_most(disk, fd, data, size, offset);

	if (got >= 0 && (size_t)got < size)
		errno = ENODATA;
	return got >= 0 && (size_t)got == size;
}

bool
spool_pread_again(Spool *spool, int fd, void *data, size_t size, uint64_t offset)
{
	for (int i = 1; !spool_pread(spool->disk, fd, data, size, offset); i++) {
		if (errno == ENODATA || i == SCAN_TRIES || spool->n_repeated == SCAN_PATIENCE)
			return false;
		spool->n_repeated++;
		g_usleep(SCAN_PAUSE_US);
	}
	return true;
}

void
spool_scan_init(SpoolScan *scan)
{
	memset(scan, 0, sizeof *scan);
	scan->rows = g_array_new(FALSE, FALSE, sizeof(SpoolRow));
	scan->findings = g_ptr_array_new_with_free_func(g_free);
	scan->buffer = g_byte_array_new();
	scan->end = SPOOL_BLOCK;
}

void
spool_scan_clear(SpoolScan *scan)
{
	g_clear_pointer(&scan->rows, g_array_unref);
	g_clear_pointer(&scan->findings, g_ptr_array_unref);
	g_clear_pointer(&scan->buffer, g_byte_array_unref);
}

void
spool_scan_drop_rows(SpoolScan *scan)
{
	g_array_unref(scan->rows);
	scan->rows = g_array_new(FALSE, FALSE, sizeof(SpoolRow));
}

void
spool_scan_reset(SpoolScan *scan)
{
	const SpoolScan old = *scan;

	spool_scan_init(scan);
	g_ptr_array_unref(scan->findings);
	scan->findings = old.findings;
	g_array_unref(old.rows);
	g_byte_array_unref(old.buffer);
}

static void
spool_scan_find(SpoolScan *scan, const SpoolSegment *segment, uint64_t at, const char *what)
{
	g_ptr_array_add(scan->findings,
		g_strdup_printf("segment %" G_GUINT64_FORMAT ", octet %" G_GUINT64_FORMAT ": %s",
			segment->number, at, what));
}

static void
spool_scan_add_row(void *user, const SpoolRow *row)
{
	SpoolScan *scan = user;

	g_array_append_val(scan->rows, *row);
	scan->has_mark |= row->type == SPOOL_RECORD_MARK;
	if (id_is_later(row->id, scan->highest))
		scan->highest = row->id;
}

/* ---- the summary ---- */

static SpoolSummaryResult
spool_scan_trailer(
	Spool *spool, const SpoolSegment *segment, uint8_t octets[SPOOL_TRAILER], SpoolTrailer *trailer)
{
	if (segment->size < 2 * SPOOL_BLOCK)
		return SPOOL_SUMMARY_NONE;
	if (!spool_pread_again(
			spool, segment->fd, octets, SPOOL_TRAILER, segment->size - SPOOL_TRAILER))
		return SPOOL_SUMMARY_UNREADABLE;
	return spool_trailer_decode(octets, trailer) && trailer->segment == segment->number &&
				   memcmp(trailer->spool, spool->id, SPOOL_ID_SIZE) == 0 &&
				   trailer->start >= SPOOL_BLOCK && trailer->start <= segment->size &&
				   (uint64_t)trailer->n_rows * SPOOL_ROW + SPOOL_TRAILER <=
					   segment->size - trailer->start
			   ? SPOOL_SUMMARY_GOOD
			   : SPOOL_SUMMARY_NONE;
}

static void
spool_scan_rows(
	SpoolScan *scan, const SpoolSegment *segment, const uint8_t *rows, size_t size, uint64_t start)
{
	for (size_t at = 0; at < size; at += SPOOL_ROW) {
		SpoolRow row;

		if (spool_row_decode(rows + at, &row))
			spool_scan_add_row(scan, &row);
		else
			spool_scan_find(scan, segment, start + at, "a row of the summary is malformed");
	}
}

SpoolSummaryResult
spool_scan_summary(Spool *spool, const SpoolSegment *segment, SpoolScan *scan)
{
	uint8_t octets[SPOOL_TRAILER];
	SpoolTrailer trailer;
	g_autofree uint8_t *rows = NULL;
	SpoolSummaryResult result = spool_scan_trailer(spool, segment, octets, &trailer);
	size_t size;

	if (result == SPOOL_SUMMARY_GOOD) {
		size = (size_t)trailer.n_rows * SPOOL_ROW;
		rows = g_malloc(MAX(size, 1));
		if (!spool_pread_again(spool, segment->fd, rows, size, trailer.start))
			result = SPOOL_SUMMARY_UNREADABLE;
		else if (!spool_trailer_is_right(octets, rows, size))
			return SPOOL_SUMMARY_NONE;
	}
	if (result == SPOOL_SUMMARY_UNREADABLE) {
		g_autofree char *what =
			g_strdup_printf("its summary cannot be read: %s", g_strerror(errno));

		spool_scan_find(scan, segment, segment->size - SPOOL_TRAILER, what);
	}
	if (result != SPOOL_SUMMARY_GOOD)
		return result;
	spool_scan_rows(scan, segment, rows, size, trailer.start);
	scan->first_batch = trailer.first_batch;
	scan->previous = trailer.previous;
	scan->last_batch = trailer.last_batch;
	scan->oldest = trailer.oldest;
	scan->end = trailer.start;
	scan->has_summary = true;
	return SPOOL_SUMMARY_GOOD;
}

/* ---- batches ---- */

static bool
spool_scan_is_ours(
	const Spool *spool, const SpoolSegment *segment, const SpoolBatchHeader *header, uint64_t at)
{
	return header->segment == segment->number &&
		   memcmp(header->spool, spool->id, SPOOL_ID_SIZE) == 0 &&
		   header->length <= segment->size - at;
}

/* What could not be read is named once for each segment, at its first octet. */
static void
spool_scan_note_unread(SpoolScan *scan, const SpoolSegment *segment, uint64_t at, bool may_hide)
{
	const int number = errno;

	if (scan->n_unread++ == 0) {
		g_autofree char *what = g_strdup_printf("it cannot be read: %s", g_strerror(number));

		spool_scan_find(scan, segment, at, what);
	}
	if (may_hide && scan->unread_at == 0) {
		scan->unread_at = at;
		scan->unread_errno = number;
	}
}

static void
spool_scan_note(SpoolScan *scan, const SpoolSegment *segment, const SpoolBatchHeader *header,
	const uint8_t *data, uint64_t at)
{
	const bool is_next = scan->first_batch != 0 && header->previous == scan->last_batch;

	if (scan->unread_at != 0 && is_next && !scan->hides)
		scan->unread_at = 0;
	scan->hides |= scan->unread_at != 0;
	scan->has_torn = false;
	if (scan->first_batch == 0) {
		scan->first_batch = header->number;
		scan->previous = header->previous;
	} else if (!is_next) {
		spool_scan_find(scan, segment, scan->end, "a batch is damaged");
	}
	if (!spool_batch_rows(data, header, at, spool_scan_add_row, scan))
		spool_scan_find(scan, segment, at, "a record is malformed or of an unknown type");
	scan->last_batch = header->number;
	scan->last_at = at;
	scan->last_length = header->length;
	scan->oldest = header->oldest;
	scan->end = at + spool_padded(header->length);
}

/* The whole batch at `at`, into `buffer`; its length there, 0: none that counts. */
static uint32_t
spool_scan_batch(Spool *spool, const SpoolSegment *segment, SpoolScan *scan, uint64_t at,
	SpoolBatchHeader *header)
{
	GByteArray *buffer = scan->buffer;
	uint8_t block[SPOOL_BATCH_HEADER];

	if (!spool_pread_again(spool, segment->fd, block, sizeof block, at)) {
		spool_scan_note_unread(scan, segment, at, at == scan->end || scan->has_torn);
		return 0;
	}
	if (!spool_batch_header_decode(block, sizeof block, header) ||
		!spool_scan_is_ours(spool, segment, header, at) || header->number <= scan->last_batch)
		return 0;
	g_byte_array_set_size(buffer, header->length);
	if (!spool_pread_again(spool, segment->fd, buffer->data, header->length, at)) {
		spool_scan_note_unread(scan, segment, at, true);
		return 0;
	}
	if (memcmp(block, buffer->data, sizeof block) == 0 &&
		spool_batch_is_whole(buffer->data, header))
		return header->length;
	scan->has_torn = true;
	return 0;
}

void
spool_scan_batches(Spool *spool, const SpoolSegment *segment, uint64_t limit, SpoolScan *scan)
{
	SpoolBatchHeader header;

	for (uint64_t at = SPOOL_BLOCK; at + SPOOL_BLOCK <= segment->size;) {
		const uint32_t length = spool_scan_batch(spool, segment, scan, at, &header);

		if (scan->n_unread >= SCAN_UNREAD_MOST && !segment->is_aside)
			break;
		if (length == 0 || (limit != 0 && header.number > limit)) {
			at += SPOOL_BLOCK;
			continue;
		}
		spool_scan_note(scan, segment, &header, scan->buffer->data, at);
		at += spool_padded(length);
	}
}
