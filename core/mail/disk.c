/* disk.c - the spool's file operations as the system has them. */
#include "mail/disk.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <unistd.h>

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

const Disk *
disk_system(void)
{
	static const Disk system = { disk_system_open, disk_system_close, disk_system_pread, disk_system_pwritev,
		disk_system_fdatasync, disk_system_fsync, disk_system_rename, disk_system_unlink,
		disk_system_free_octets };

	return &system;
}
