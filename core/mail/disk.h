/* disk.h - the file operations of the spool, as a table that tests replace to fail or to lose power. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>

typedef struct Disk Disk;

/* Each behaves as the system call of its name (-1 and errno); may block; used by any thread. */
struct Disk {
	int (*open)(const Disk *disk, const char *path, int flags, mode_t mode);
	int (*close)(const Disk *disk, int fd);
	ssize_t (*pread)(const Disk *disk, int fd, void *data, size_t size, off_t offset);
	ssize_t (*pwritev)(const Disk *disk, int fd, const struct iovec *parts, int n, off_t offset);
	int (*fdatasync)(const Disk *disk, int fd);
	int (*fsync)(const Disk *disk, int fd);
	int (*rename)(const Disk *disk, const char *from, const char *to);
	int (*unlink)(const Disk *disk, const char *path);
	int (*free_octets)(const Disk *disk, const char *path, uint64_t *octets);
	int (*make_directory)(const Disk *disk, const char *path, mode_t mode);
	/* How long an open file is. */
	int (*size)(const Disk *disk, int fd, uint64_t *octets);
	/* The names in a directory without "." and "..": a new array that frees them.  NULL and errno if they cannot
	 * all be read. */
	GPtrArray *(*list)(const Disk *disk, const char *path);
};

const Disk *disk_system(void);

/* Makes what is missing of `path`, and syncs the parent of each directory that it makes, so that no power cut takes
 * it away.  May block.  False: IO. */
bool disk_make_directories(const Disk *disk, const char *path, mode_t mode, GError **error);
/* Syncs the names in a directory.  May block.  False: IO. */
bool disk_sync_directory(const Disk *disk, const char *path, GError **error);
