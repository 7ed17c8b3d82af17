/* spool-file.c - content files, and the account of content in memory. */
#include "mail/spool-file.h"

#include <errno.h>
#include <fcntl.h>

#include "base/error.h"
#include "mail/spool-private.h"

const Disk *
spool_disk(const Spool *spool)
{
	return spool->disk;
}

uint64_t
spool_large(const Spool *spool)
{
	return spool->large;
}

void
spool_memory_add(Spool *spool, int64_t size)
{
	atomic_fetch_add(&spool->in_memory, (uint64_t)size);
}

bool
spool_memory_is_full(Spool *spool)
{
	return atomic_load(&spool->in_memory) > spool->memory;
}

bool
spool_memory_take(Spool *spool, uint64_t size)
{
	if (atomic_fetch_add(&spool->in_memory, size) <= spool->memory)
		return true;
	atomic_fetch_sub(&spool->in_memory, size);
	return false;
}

int
spool_file_create(Spool *spool, uint64_t *number, GError **error)
{
	g_autofree char *path = NULL;
	uint64_t drawn;
	int fd;

	do {
		g_free(path);
		drawn = atomic_fetch_add(&spool->next_file, 1);
		path = spool_file_path(spool, drawn);
		fd = spool->disk->open(spool->disk, path, O_RDWR | O_CREAT | O_EXCL, 0600);
	} while (fd < 0 && errno == EEXIST);
	if (fd < 0) {
		(void)error_set_errno(error, "cannot create %s", path);
		return -1;
	}
	g_atomic_int_inc(&spool->n_files);
	*number = drawn;
	return fd;
}

bool
spool_file_sync_names(Spool *spool, GError **error)
{
	return spool_sync_directory(spool, spool->content_directory, error);
}

/* Any lock may be held; whoever holds none wakes the keeper. */
void
spool_unlink_later(Spool *spool, uint64_t number)
{
	g_mutex_lock(&spool->unlink_lock);
	g_array_append_val(spool->unlinks, number);
	g_mutex_unlock(&spool->unlink_lock);
}

void
spool_file_forget(Spool *spool, uint64_t number)
{
	spool_unlink_later(spool, number);
	g_mutex_lock(&spool->lock);
	g_cond_signal(&spool->keeper_wakes);
	g_mutex_unlock(&spool->lock);
}

void
spool_file_start_writing(int fd, uint64_t offset, uint64_t size)
{
	(void)sync_file_range(fd, (off_t)offset, (off_t)size, SYNC_FILE_RANGE_WRITE);
}

bool
spool_file_write(const Disk *disk, int fd, const void *data, size_t size, uint64_t offset)
{
	struct iovec part = { (void *)(uintptr_t)data, size };

	return spool_pwrite(disk, fd, &part, 1, offset);
}

bool
spool_file_read(const Disk *disk, int fd, void *data, size_t size, uint64_t offset)
{
	return spool_pread(disk, fd, data, size, offset);
}
