/* spool-batch.c - a batch goes to the active segment: one pwritev, one sync. */
#include <errno.h>

#include "base/crc32c.h"
#include "mail/spool-private.h"

bool
spool_pwrite(const Disk *disk, int fd, struct iovec *parts, int n, uint64_t offset)
{
	while (n > 0) {
		const ssize_t written = disk->pwritev(disk, fd, parts, n, (off_t)offset);
		size_t left = written > 0 ? (size_t)written : 0;

		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0) {
			errno = written == 0 ? ENOSPC : errno;
			return false;
		}
		offset += left;
		for (; n > 0 && left >= parts->iov_len; n--, parts++)
			left -= parts->iov_len;
		if (n > 0) {
			parts->iov_base = (char *)parts->iov_base + left;
			parts->iov_len -= left;
		}
	}
	return true;
}

void
spool_batch_init(SpoolBatch *batch)
{
	if (batch->parts == NULL)
		batch->parts = g_new0(struct iovec, SPOOL_BATCH_PARTS + 2);
	batch->n_parts = 1;
	batch->size = SPOOL_BATCH_HEADER;
	batch->n_records = batch->n_rows = 0;
	batch->is_trial = false;
	batch->has_mark = false;
	batch->transactions = NULL;
	batch->last_transaction = &batch->transactions;
	batch->states = NULL;
	batch->last_state = &batch->states;
	batch->moves = NULL;
	batch->last_move = &batch->moves;
}

/* The numbers of a batch that fails are not used again. */
static uint64_t
spool_batch_seal_header(Spool *spool, SpoolBatch *batch)
{
	const SpoolSegment *oldest;
	SpoolBatchHeader header = { .segment = spool->active->number,
		.number = spool->next_batch++,
		.previous = spool->last_batch,
		.written_us = clock_wall(spool->clock),
		.length = (uint32_t)batch->size,
		.n_records = batch->n_records };
	uint32_t crc;

	g_mutex_lock(&spool->lock);
	oldest = g_queue_peek_head(&spool->segments);
	header.oldest = oldest->number;
	g_mutex_unlock(&spool->lock);
	memcpy(header.spool, spool->id, SPOOL_ID_SIZE);
	spool_batch_header_encode(&header, batch->header);
	crc = crc32c(0, batch->header, SPOOL_BATCH_HEADER);
	for (int i = 1; i < batch->n_parts; i++)
		crc = crc32c(crc, batch->parts[i].iov_base, batch->parts[i].iov_len);
	spool_batch_seal(batch->header, crc);
	spool->active->oldest = header.oldest;
	return header.number;
}

static void
spool_batch_note_sync(Spool *spool, int64_t started_us)
{
	const uint64_t took_us = (uint64_t)(g_get_monotonic_time() - started_us);

	g_mutex_lock(&spool->lock);
	spool->figures.commits++;
	spool->figures.sync_us_last = took_us;
	spool->figures.sync_us_max = MAX(spool->figures.sync_us_max, took_us);
	g_mutex_unlock(&spool->lock);
}

bool
spool_batch_write(Spool *spool, SpoolBatch *batch)
{
	static const uint8_t zeros[SPOOL_BLOCK];
	SpoolSegment *active = spool->active;
	const uint64_t number = spool_batch_seal_header(spool, batch);
	const uint64_t padding = spool_padded(batch->size) - batch->size;
	int64_t started_us;

	batch->parts[0] = (struct iovec){ batch->header, SPOOL_BATCH_HEADER };
	batch->parts[batch->n_parts] = (struct iovec){ (void *)(uintptr_t)zeros, padding };
	if (!spool_pwrite(spool->disk, active->fd, batch->parts, batch->n_parts + (padding > 0), active->end))
		return false;
	started_us = g_get_monotonic_time();
	if (spool->disk->fdatasync(spool->disk, active->fd) != 0)
		return false;
	spool_batch_note_sync(spool, started_us);
	if (active->first_batch == 0) {
		active->first_batch = number;
		active->previous = spool->last_batch;
	}
	active->last_batch = spool->last_batch = number;
	active->end += spool_padded(batch->size);
	return true;
}
