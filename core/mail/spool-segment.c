/* spool-segment.c - the keeper: makes segments ready before they are needed, seals them, and takes them back.
 *
 * A ready segment is zero-filled (or was used before) and synced, so that writing a batch into it changes
 * no metadata.  Zeros are written in synced steps: one big sync beside the commits would cost most of their rate. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "base/crc32c.h"
#include "base/error.h"
#include "base/log.h"
#include "mail/spool-file.h"
#include "mail/spool-private.h"

SpoolSegment *
spool_segment_new(uint64_t number, uint64_t size, int fd)
{
	SpoolSegment *segment = g_new0(SpoolSegment, 1);

	segment->refs = 1;
	segment->number = number;
	segment->size = size;
	segment->fd = fd;
	segment->end = SPOOL_BLOCK;
	segment->rows = g_byte_array_new();
	return segment;
}

SpoolSegment *
spool_segment_ref(SpoolSegment *segment)
{
	g_atomic_int_inc(&segment->refs);
	return segment;
}

/* The one reference that is left when nobody reads is the log's, or that of the queue of freed ones. */
void
spool_segment_unref(SpoolSegment *segment)
{
	(void)g_atomic_int_dec_and_test(&segment->refs);
}

void
spool_segment_close(Spool *spool, SpoolSegment *segment)
{
	(void)spool->disk->close(spool->disk, segment->fd);
	if (segment->rows != NULL)
		g_byte_array_unref(segment->rows);
	g_free(segment);
}

uint64_t
spool_summary_size(uint64_t n_rows)
{
	return spool_padded(n_rows * SPOOL_ROW + SPOOL_TRAILER);
}

void
spool_segment_add_row(SpoolSegment *segment, const SpoolRow *row)
{
	uint8_t octets[SPOOL_ROW];

	spool_row_encode(row, octets);
	g_byte_array_append(segment->rows, octets, SPOOL_ROW);
}

bool
spool_segment_write_header(Spool *spool, SpoolSegment *segment, uint64_t ended_segment, uint64_t ended_batch)
{
	uint8_t block[SPOOL_BLOCK];
	struct iovec part = { block, SPOOL_BLOCK };
	SpoolSegmentHeader header = { .number = segment->number,
		.size = segment->size,
		.made_us = clock_wall(spool->clock),
		.ended_segment = ended_segment,
		.ended_batch = ended_batch };

	memcpy(header.spool, spool->id, SPOOL_ID_SIZE);
	spool_segment_header_encode(&header, block);
	return spool_pwrite(spool->disk, segment->fd, &part, 1, 0) &&
		   spool->disk->fdatasync(spool->disk, segment->fd) == 0;
}

static uint64_t
spool_segment_draw_number(Spool *spool)
{
	uint64_t number;

	g_mutex_lock(&spool->lock);
	number = spool->next_segment++;
	g_mutex_unlock(&spool->lock);
	return number;
}

static bool
spool_keeper_is_stopping(Spool *spool)
{
	bool is_stopping;

	g_mutex_lock(&spool->lock);
	is_stopping = spool->is_keeper_stopping;
	g_mutex_unlock(&spool->lock);
	return is_stopping;
}

static bool
spool_segment_fill(Spool *spool, int fd)
{
	g_autofree uint8_t *zeros = g_malloc0(SPOOL_STEP);

	for (uint64_t at = 0; at < spool->segment_size; at += SPOOL_STEP) {
		struct iovec part = { zeros, MIN(SPOOL_STEP, spool->segment_size - at) };

		if (spool_keeper_is_stopping(spool)) {
			errno = ECANCELED;
			return false;
		}
		if (!spool_pwrite(spool->disk, fd, &part, 1, at) || spool->disk->fdatasync(spool->disk, fd) != 0)
			return false;
	}
	return true;
}

/* Header, sync, and then the name: a segment that has its name is whole. */
static SpoolSegment *
spool_segment_name(Spool *spool, const char *path, uint64_t number, int fd, GError **error)
{
	g_autofree char *named = spool_segment_path(spool, "", number);
	SpoolSegment *segment = spool_segment_new(number, spool->segment_size, fd);

	if (spool_segment_write_header(spool, segment, 0, 0) && spool->disk->rename(spool->disk, path, named) == 0) {
		if (spool_sync_directory(spool, spool->log_directory, error))
			return segment;
		(void)spool->disk->rename(spool->disk, named, path);
	} else {
		(void)error_set_errno(error, "cannot make the segment %s", named);
	}
	spool_segment_close(spool, segment);
	return NULL;
}

static SpoolSegment *
spool_segment_create(Spool *spool, GError **error)
{
	const Disk *disk = spool->disk;
	const uint64_t number = spool_segment_draw_number(spool);
	g_autofree char *path = spool_segment_path(spool, "new-", number);
	const int fd = disk->open(disk, path, O_RDWR | O_CREAT | O_EXCL, 0600);
	SpoolSegment *segment;

	if (fd < 0) {
		(void)error_set_errno(error, "cannot create %s", path);
		return NULL;
	}
	if (!spool_segment_fill(spool, fd)) {
		(void)error_set_errno(error, "cannot fill %s", path);
		(void)disk->close(disk, fd);
		(void)disk->unlink(disk, path);
		return NULL;
	}
	segment = spool_segment_name(spool, path, number, fd, error);
	if (segment == NULL)
		(void)disk->unlink(disk, path);
	return segment;
}

/* NULL without an error: it is of no use (gone, or of another size since the setting changed).  NULL with one: it cannot
 * be used now. */
static SpoolSegment *
spool_segment_recycle(Spool *spool, uint64_t spare, GError **error)
{
	const Disk *disk = spool->disk;
	g_autofree char *path = spool_segment_path(spool, "spare-", spare);
	const int fd = disk->open(disk, path, O_RDWR, 0);
	uint64_t size;

	if (fd < 0) {
		if (errno != ENOENT)
			(void)error_set_errno(error, "cannot open %s", path);
		return NULL;
	}
	if (disk->size(disk, fd, &size) != 0) {
		(void)error_set_errno(error, "cannot look at %s", path);
		(void)disk->close(disk, fd);
		return NULL;
	}
	if (size != spool->segment_size) {
		(void)disk->close(disk, fd);
		(void)disk->unlink(disk, path);
		return NULL;
	}
	return spool_segment_name(spool, path, spool_segment_draw_number(spool), fd, error);
}

/* Each spare is tried once; what cannot be used now goes behind the others.  NULL: none will do. */
static SpoolSegment *
spool_segment_use_spare(Spool *spool)
{
	SpoolSegment *segment = NULL;
	guint n;

	g_mutex_lock(&spool->lock);
	n = g_queue_get_length(&spool->spares);
	for (; n > 0 && segment == NULL; n--) {
		g_autofree uint64_t *spare = g_queue_pop_head(&spool->spares);
		g_autoptr(GError) error = NULL;

		g_mutex_unlock(&spool->lock);
		segment = spool_segment_recycle(spool, *spare, &error);
		g_mutex_lock(&spool->lock);
		if (error != NULL)
			g_queue_push_tail(&spool->spares, g_steal_pointer(&spare));
	}
	g_mutex_unlock(&spool->lock);
	return segment;
}

SpoolSegment *
spool_segment_prepare(Spool *spool, GError **error)
{
	SpoolSegment *segment = spool_segment_use_spare(spool);

	return segment != NULL ? segment : spool_segment_create(spool, error);
}

static void
spool_keeper_prepare(Spool *spool)
{
	g_autoptr(GError) error = NULL;
	SpoolSegment *segment = spool_segment_prepare(spool, &error);

	g_mutex_lock(&spool->lock);
	if (segment == NULL && !spool->has_prepare_failed && !spool->is_keeper_stopping)
		log_event(LOG_LEVEL_ERROR, "no segment could be made ready", "error", error->message, NULL);
	spool->has_prepare_failed = segment == NULL;
	if (segment != NULL)
		g_queue_push_tail(&spool->ready, segment);
	g_cond_signal(&spool->committer_wakes);
	g_cond_broadcast(&spool->ready_came);
	g_mutex_unlock(&spool->lock);
}

/* A summary that cannot be written costs a longer start, nothing else. */
static void
spool_keeper_seal(Spool *spool, SpoolSegment *segment)
{
	const guint n = segment->rows->len / SPOOL_ROW;
	const uint64_t size = spool_summary_size(n);
	SpoolTrailer trailer = { .segment = segment->number,
		.start = segment->size - size,
		.n_rows = n,
		.first_batch = segment->first_batch,
		.previous = segment->previous,
		.last_batch = segment->last_batch,
		.oldest = segment->oldest };
	struct iovec part;

	memcpy(trailer.spool, spool->id, SPOOL_ID_SIZE);
	if (segment->end + size <= segment->size) {
		const uint32_t crc = crc32c(0, segment->rows->data, segment->rows->len);

		g_byte_array_set_size(segment->rows, (guint)size);
		memset(segment->rows->data + n * SPOOL_ROW, 0, size - n * SPOOL_ROW);
		spool_trailer_encode(&trailer, crc, segment->rows->data + size - SPOOL_TRAILER);
		part = (struct iovec){ segment->rows->data, size };
		(void)(spool_pwrite(spool->disk, segment->fd, &part, 1, trailer.start) &&
			   spool->disk->fdatasync(spool->disk, segment->fd) == 0);
	}
	g_clear_pointer(&segment->rows, g_byte_array_unref);
	spool_segment_unref(segment);
}

static bool
spool_segment_has_damage(Spool *spool, const SpoolSegment *segment)
{
	bool has_damage;

	g_mutex_lock(&spool->lock);
	has_damage = segment->has_damage;
	g_mutex_unlock(&spool->lock);
	return has_damage;
}

/* Its name goes, durably, before the next one's does: else the states in this one could be gone while
 * messages in an older one are still there.  What is damaged is kept. */
static bool
spool_keeper_free(Spool *spool, SpoolSegment *segment)
{
	const Disk *disk = spool->disk;
	g_autofree char *path = spool_segment_path(spool, segment->is_aside ? "aside-" : "", segment->number);
	g_autofree char *spare = spool_segment_path(spool, "spare-", segment->number);
	const bool has_damage = spool_segment_has_damage(spool, segment);
	const bool is_spare =
		!has_damage && segment->size == spool->segment_size && g_queue_get_length(&spool->spares) < SPOOL_SPARES;
	const bool is_moved = has_damage ? spool_lose(spool, path)
						  : is_spare ? disk->rename(disk, path, spare) == 0
									 : disk->unlink(disk, path) == 0;

	/* ENOENT: it was moved before, and the sync behind it failed. */
	if ((!is_moved && errno != ENOENT) || !spool_sync_directory(spool, spool->log_directory, NULL))
		return false;
	if (is_spare) {
		g_mutex_lock(&spool->lock);
		g_queue_push_tail(&spool->spares, g_memdup2(&segment->number, sizeof segment->number));
		g_mutex_unlock(&spool->lock);
	}
	return true;
}

static void
spool_keeper_unlink(Spool *spool, const GArray *numbers)
{
	for (guint i = 0; i < numbers->len; i++) {
		g_autofree char *path = spool_file_path(spool, g_array_index(numbers, uint64_t, i));

		(void)spool->disk->unlink(spool->disk, path);
		g_atomic_int_add(&spool->n_files, -1);
	}
}

typedef struct {
	SpoolSegment *freed, *sealed;
	GArray *unlinks;
	bool wants_segment;
} KeeperJobs;

/* With the lock held; false: nothing to do now. */
static bool
spool_keeper_find_jobs(Spool *spool, KeeperJobs *jobs, bool may_retry)
{
	SpoolSegment *freed = g_queue_peek_head(&spool->freed);

	memset(jobs, 0, sizeof *jobs);
	if (freed != NULL && may_retry && g_atomic_int_get(&freed->refs) == 1)
		jobs->freed = freed;
	jobs->sealed = g_queue_pop_head(&spool->sealing);
	g_mutex_lock(&spool->unlink_lock);
	if (spool->unlinks->len > 0) {
		jobs->unlinks = spool->unlinks;
		spool->unlinks = g_array_new(FALSE, FALSE, sizeof(uint64_t));
	}
	g_mutex_unlock(&spool->unlink_lock);
	jobs->wants_segment = !spool->is_keeper_stopping && g_queue_get_length(&spool->ready) < SPOOL_READY &&
						  (!spool->has_prepare_failed || may_retry);
	return jobs->freed != NULL || jobs->sealed != NULL || jobs->unlinks != NULL || jobs->wants_segment;
}

/* False: it could not be freed; later. */
static bool
spool_keeper_do(Spool *spool, KeeperJobs *jobs)
{
	bool is_good = true;

	if (jobs->freed != NULL && (is_good = spool_keeper_free(spool, jobs->freed))) {
		g_mutex_lock(&spool->lock);
		(void)g_queue_pop_head(&spool->freed);
		g_mutex_unlock(&spool->lock);
		spool_segment_close(spool, jobs->freed);
	}
	if (jobs->wants_segment)
		spool_keeper_prepare(spool);
	if (jobs->sealed != NULL)
		spool_keeper_seal(spool, jobs->sealed);
	if (jobs->unlinks != NULL) {
		spool_keeper_unlink(spool, jobs->unlinks);
		g_array_unref(jobs->unlinks);
	}
	return is_good;
}

gpointer
spool_keeper(gpointer data)
{
	Spool *spool = data;
	int64_t retry_us = 0;
	KeeperJobs jobs;

	g_mutex_lock(&spool->lock);
	for (;;) {
		const int64_t now_us = g_get_monotonic_time();
		const bool may_retry = now_us >= retry_us || spool->wants_retry;

		spool->wants_retry = false;
		if (spool_keeper_find_jobs(spool, &jobs, may_retry)) {
			bool is_good;

			g_mutex_unlock(&spool->lock);
			is_good = spool_keeper_do(spool, &jobs);
			g_mutex_lock(&spool->lock);
			if (!is_good || (jobs.wants_segment && spool->has_prepare_failed))
				retry_us = g_get_monotonic_time() + SPOOL_RETRY_US;
			continue;
		}
		if (spool->is_keeper_stopping)
			break;
		if (spool->has_prepare_failed || !g_queue_is_empty(&spool->freed))
			(void)g_cond_wait_until(&spool->keeper_wakes, &spool->lock, now_us + SPOOL_RETRY_US / 10);
		else
			(void)g_cond_wait_until(&spool->keeper_wakes, &spool->lock, now_us + 10 * SPOOL_RETRY_US);
	}
	g_mutex_unlock(&spool->lock);
	return NULL;
}
