/* backup-file.c - files and directories of a backup. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/error.h"
#include "daemon/backup.h"

bool
backup_writer_open(BackupWriter *writer, const char *path, GError **error)
{
	g_autofree char *parent = g_path_get_dirname(path);

	*writer = (BackupWriter){ .fd = -1 };
	if (g_mkdir_with_parents(parent, 0700) != 0)
		return error_set_errno(error, "cannot make the directory %s", parent);
	writer->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (writer->fd < 0)
		return error_set_errno(error, "cannot create %s", path);
	writer->path = g_strdup(path);
	writer->sum = g_checksum_new(G_CHECKSUM_SHA256);
	return true;
}

bool
backup_writer_put(BackupWriter *writer, const void *data, size_t size, GError **error)
{
	const char *rest = data;

	g_checksum_update(writer->sum, data, (gssize)size);
	writer->size += size;
	while (size > 0) {
		const ssize_t n = write(writer->fd, rest, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_set_errno(error, "cannot write %s", writer->path);
		rest += n;
		size -= (size_t)n;
	}
	return true;
}

bool
backup_writer_end(BackupWriter *writer, char **sha256, GError **error)
{
	bool is_done = true;

	if (writer->fd < 0)
		return true;
	if (fsync(writer->fd) != 0)
		is_done = error_set_errno(error, "cannot write %s", writer->path);
	if (close(writer->fd) != 0 && is_done)
		is_done = error_set_errno(error, "cannot write %s", writer->path);
	if (sha256 != NULL)
		*sha256 = g_strdup(g_checksum_get_string(writer->sum));
	writer->fd = -1;
	g_checksum_free(writer->sum);
	g_free(writer->path);
	return is_done;
}

bool
backup_sync_directory(const char *path, GError **error)
{
	const int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const bool is_done = fd >= 0 && fsync(fd) == 0;

	if (!is_done)
		error_set_errno(error, "cannot sync %s", path);
	if (fd >= 0)
		(void)close(fd);
	return is_done;
}

void
backup_remove_tree(const char *path)
{
	GDir *dir = g_file_test(path, G_FILE_TEST_IS_SYMLINK) ? NULL : g_dir_open(path, 0, NULL);
	const char *name;

	while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
		g_autofree char *inner = g_build_filename(path, name, NULL);

		backup_remove_tree(inner);
	}
	if (dir != NULL)
		g_dir_close(dir);
	(void)remove(path);
}
