/* disk.c - the spool's file operations as the system has them. */
#include "mail/disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/error.h"

static int
disk_system_open(const Disk *disk, const char *path, int flags, mode_t mode)
{
	(void)disk;
	return open(path, flags | O_CLOEXEC, mode);
}

static int
disk_system_close(const Disk *disk, int fd)
{
	(void)disk;
	return close(fd);
}

static ssize_t
disk_system_pread(const Disk *disk, int fd, void *data, size_t size, off_t offset)
{
	(void)disk;
	return pread(fd, data, size, offset);
}

static ssize_t
disk_system_pwritev(const Disk *disk, int fd, const struct iovec *parts, int n, off_t offset)
{
	(void)disk;
	return pwritev(fd, parts, n, offset);
}

static int
disk_system_fdatasync(const Disk *disk, int fd)
{
	(void)disk;
	return fdatasync(fd);
}

static int
disk_system_fsync(const Disk *disk, int fd)
{
	(void)disk;
	return fsync(fd);
}

static int
disk_system_rename(const Disk *disk, const char *from, const char *to)
{
	(void)disk;
	return rename(from, to);
}

static int
disk_system_unlink(const Disk *disk, const char *path)
{
	(void)disk;
	return unlink(path);
}

static int
disk_system_free_octets(const Disk *disk, const char *path, uint64_t *octets)
{
	struct statvfs status;

	(void)disk;
	if (statvfs(path, &status) != 0)
		return -1;
	*octets = (uint64_t)status.f_bavail * status.f_frsize;
	return 0;
}

static int
disk_system_make_directory(const Disk *disk, const char *path, mode_t mode)
{
	(void)disk;
	return mkdir(path, mode);
}

static int
disk_system_size(const Disk *disk, int fd, uint64_t *octets)
{
	struct stat status;

	(void)disk;
	if (fstat(fd, &status) != 0)
		return -1;
	*octets = (uint64_t)status.st_size;
	return 0;
}

/* readdir() returns NULL at the end and on an error alike: only errno tells. */
static bool
disk_read_names(DIR *directory, GPtrArray *names)
{
	const struct dirent *entry;

	for (errno = 0; (entry = readdir(directory)) != NULL; errno = 0)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			g_ptr_array_add(names, g_strdup(entry->d_name));
	return errno == 0;
}

static GPtrArray *
disk_system_list(const Disk *disk, const char *path)
{
	DIR *directory = opendir(path);
	GPtrArray *names;
	int failure = 0;

	(void)disk;
	if (directory == NULL)
		return NULL;
	names = g_ptr_array_new_with_free_func(g_free);
	if (!disk_read_names(directory, names)) {
		failure = errno;
		g_clear_pointer(&names, g_ptr_array_unref);
	}
	(void)closedir(directory);
	errno = failure;
	return names;
}

const Disk *
disk_system(void)
{
	static const Disk system = { disk_system_open, disk_system_close, disk_system_pread, disk_system_pwritev,
		disk_system_fdatasync, disk_system_fsync, disk_system_rename, disk_system_unlink, disk_system_free_octets,
		disk_system_make_directory, disk_system_size, disk_system_list };

	return &system;
}

bool
disk_sync_directory(const Disk *disk, const char *path, GError **error)
{
	const int fd = disk->open(disk, path, O_RDONLY | O_DIRECTORY, 0);
	bool is_synced;

	if (fd < 0)
		return error_set_errno(error, "cannot open %s", path);
	is_synced = disk->fsync(disk, fd) == 0;
	if (!is_synced)
		(void)error_set_errno(error, "cannot sync %s", path);
	(void)disk->close(disk, fd);
	return is_synced;
}

bool
disk_make_directories(const Disk *disk, const char *path, mode_t mode, GError **error)
{
	g_autofree char *parent = g_path_get_dirname(path);

	if (disk->make_directory(disk, path, mode) == 0)
		return disk_sync_directory(disk, parent, error);
	if (errno == EEXIST)
		return true;
	if (errno != ENOENT || strcmp(parent, path) == 0)
		return error_set_errno(error, "cannot create %s", path);
	return disk_make_directories(disk, parent, mode, error) && disk_make_directories(disk, path, mode, error);
}
