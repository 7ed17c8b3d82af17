/* spool-tail.c - the start: what was read may be in the page cache only.
 *
 * A sync that failed leaves clean pages that the disk never got, and a kill before the sync leaves dirty ones.  Only
 * the last batch can be in that state, and a header that declares the end of a segment: each is written again, so that its pages
 * are dirty, and synced, before anything is built on it. */
#include <errno.h>
#include <fcntl.h>

#include "base/error.h"
#include "mail/spool-private.h"

static bool
spool_rewrite(
	Spool *spool, const SpoolSegment *segment, uint64_t offset, uint32_t size, GError **error)
{
	const Disk *disk = spool->disk;
	g_autofree uint8_t *octets = g_malloc(size);
	struct iovec part = { octets, size };

	return (spool_pread_again(spool, segment->fd, octets, size, offset) &&
			   spool_pwrite(disk, segment->fd, &part, 1, offset) &&
			   disk->fdatasync(disk, segment->fd) == 0) ||
		   error_set_errno(
			   error, "cannot write segment %" G_GUINT64_FORMAT " again", segment->number);
}

/* One that is missing or cannot be opened is found damaged when its message is read. */
static bool
spool_sync_content(Spool *spool, uint64_t number, GError **error)
{
	g_autofree char *path = spool_file_path(spool, number);
	const int fd = spool->disk->open(spool->disk, path, O_RDONLY, 0);
	bool is_synced;

	if (fd < 0)
		return true;
	is_synced = spool->disk->fsync(spool->disk, fd) == 0;
	if (!is_synced)
		(void)error_set_errno(error, "cannot sync %s", path);
	(void)spool->disk->close(spool->disk, fd);
	return is_synced;
}

/* A sealed segment was synced before the next one began; one that was set aside promises nothing. */
static bool
spool_renew_batch(Spool *spool, const Recovery *recovery, GError **error)
{
	const Found *tail =
		recovery->n_used > 0 ? &g_array_index(recovery->found, Found, recovery->n_used - 1) : NULL;

	if (tail == NULL || tail->scan.has_summary || tail->scan.last_at == 0 ||
		tail->segment->is_aside)
		return true;
	if (!spool_rewrite(spool, tail->segment, tail->scan.last_at, tail->scan.last_length, error))
		return false;
	for (guint i = 0; i < recovery->last_files->len; i++)
		if (!spool_sync_content(spool, g_array_index(recovery->last_files, uint64_t, i), error))
			return false;
	return true;
}

bool
spool_renew_tail(Spool *spool, const Recovery *recovery, GError **error)
{
	if (spool->is_read_only)
		return true;
	if (!spool_renew_batch(spool, recovery, error))
		return false;
	for (guint i = recovery->n_used; i < recovery->found->len; i++) {
		const Found *found = &g_array_index(recovery->found, Found, i);

		if (found->has_header && found->header.ended_segment != 0 && !found->segment->has_damage &&
			!spool_rewrite(spool, found->segment, 0, SPOOL_BLOCK, error))
			return false;
	}
	return spool_sync_directory(spool, spool->log_directory, error) &&
		   spool_sync_directory(spool, spool->content_directory, error) &&
		   spool_sync_directory(spool, spool->directory, error);
}
