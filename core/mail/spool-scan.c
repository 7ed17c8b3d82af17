/* spool-scan.c - what one segment says: its summary, or else all of its batches, one after the other. */
#include <errno.h>

#include "mail/spool-private.h"

bool
spool_pread(const Disk *disk, int fd, void *data, size_t size, uint64_t offset)
{
	uint8_t *at = data;

	while (size > 0) {
		const ssize_t got = disk->pread(disk, fd, at, size, (off_t)offset);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			errno = got == 0 ? EIO : errno;
			return false;
		}
		at += got;
		offset += (uint64_t)got;
		size -= (size_t)got;
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

static bool
spool_scan_trailer(Spool *spool, const SpoolSegment *segment, uint8_t octets[SPOOL_TRAILER], SpoolTrailer *trailer)
{
	if (segment->size < 2 * SPOOL_BLOCK ||
		!spool_pread(spool->disk, segment->fd, octets, SPOOL_TRAILER, segment->size - SPOOL_TRAILER))
		return false;
	return spool_trailer_decode(octets, trailer) && trailer->segment == segment->number &&
		   memcmp(trailer->spool, spool->id, SPOOL_ID_SIZE) == 0 && trailer->start >= SPOOL_BLOCK &&
		   trailer->start + (uint64_t)trailer->n_rows * SPOOL_ROW + SPOOL_TRAILER <= segment->size;
}

bool
spool_scan_summary(Spool *spool, const SpoolSegment *segment, SpoolScan *scan)
{
	uint8_t octets[SPOOL_TRAILER];
	SpoolTrailer trailer;
	g_autofree uint8_t *rows = NULL;
	size_t size;

	if (!spool_scan_trailer(spool, segment, octets, &trailer))
		return false;
	size = (size_t)trailer.n_rows * SPOOL_ROW;
	rows = g_malloc(MAX(size, 1));
	if (!spool_pread(spool->disk, segment->fd, rows, size, trailer.start) ||
		!spool_trailer_is_right(octets, rows, size))
		return false;
	for (size_t at = 0; at < size; at += SPOOL_ROW) {
		SpoolRow row;

		if (spool_row_decode(rows + at, &row))
			g_array_append_val(scan->rows, row);
	}
	scan->first_batch = trailer.first_batch;
	scan->previous = trailer.previous;
	scan->last_batch = trailer.last_batch;
	scan->oldest = trailer.oldest;
	scan->end = trailer.start;
	scan->has_summary = true;
	return true;
}

static void
spool_scan_add_row(void *user, const SpoolRow *row)
{
	SpoolScan *scan = user;

	g_array_append_val(scan->rows, *row);
}

static void
spool_scan_find(SpoolScan *scan, const SpoolSegment *segment, uint64_t at, const char *what)
{
	g_ptr_array_add(
		scan->findings, g_strdup_printf("segment %" G_GUINT64_FORMAT ", octet %" G_GUINT64_FORMAT ": %s",
							segment->number, at, what));
}

static bool
spool_scan_is_ours(const Spool *spool, const SpoolSegment *segment, const SpoolBatchHeader *header, uint64_t at)
{
	return header->segment == segment->number && memcmp(header->spool, spool->id, SPOOL_ID_SIZE) == 0 &&
		   header->length <= segment->size - at;
}

static void
spool_scan_note(
	SpoolScan *scan, const SpoolSegment *segment, const SpoolBatchHeader *header, const uint8_t *data, uint64_t at)
{
	if (scan->first_batch == 0) {
		scan->first_batch = header->number;
		scan->previous = header->previous;
	} else if (header->previous != scan->last_batch) {
		spool_scan_find(scan, segment, scan->end, "a batch is damaged");
	}
	if (!spool_batch_rows(data, header, at, spool_scan_add_row, scan))
		spool_scan_find(scan, segment, at, "a record is malformed or of an unknown type");
	scan->last_batch = header->number;
	scan->oldest = header->oldest;
	scan->end = at + spool_padded(header->length);
}

/* The whole batch at `at`, into `buffer`; its length there, 0: none that counts. */
static uint32_t
spool_scan_batch(Spool *spool, const SpoolSegment *segment, SpoolScan *scan, uint64_t at, SpoolBatchHeader *header)
{
	GByteArray *buffer = scan->buffer;
	uint8_t block[SPOOL_BATCH_HEADER];

	if (!spool_pread(spool->disk, segment->fd, block, sizeof block, at)) {
		spool_scan_find(scan, segment, at, "the disk cannot read it");
		return 0;
	}
	if (!spool_batch_header_decode(block, sizeof block, header) || !spool_scan_is_ours(spool, segment, header, at))
		return 0;
	g_byte_array_set_size(buffer, header->length);
	if (!spool_pread(spool->disk, segment->fd, buffer->data, header->length, at) ||
		memcmp(block, buffer->data, sizeof block) != 0 || !spool_batch_is_whole(buffer->data, header))
		return 0;
	return header->length;
}

void
spool_scan_batches(Spool *spool, const SpoolSegment *segment, uint64_t limit, SpoolScan *scan)
{
	SpoolBatchHeader header;

	for (uint64_t at = SPOOL_BLOCK; at + SPOOL_BLOCK <= segment->size;) {
		const uint32_t length = spool_scan_batch(spool, segment, scan, at, &header);

		if (length == 0 || header.number <= scan->last_batch || (limit != 0 && header.number > limit)) {
			at += SPOOL_BLOCK;
			continue;
		}
		spool_scan_note(scan, segment, &header, scan->buffer->data, at);
		at += spool_padded(length);
	}
}
