/* spool-start.c - the directory of a spool: made if there is none, known by its format, locked by one daemon.
 *
 * Nothing is touched before the format is known to be ours. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/error.h"
#include "base/random.h"
#include "mail/spool-private.h"

enum { FORMAT_MOST = 200 };

static bool
spool_parse_id(const char *text, uint8_t id[SPOOL_ID_SIZE])
{
	for (int i = 0; i < SPOOL_ID_SIZE; i++) {
		const int high = g_ascii_xdigit_value(text[2 * i]);
		const int low = high < 0 ? -1 : g_ascii_xdigit_value(text[2 * i + 1]);

		if (low < 0)
			return false;
		id[i] = (uint8_t)(high << 4 | low);
	}
	return text[2 * SPOOL_ID_SIZE] == '\n' && text[2 * SPOOL_ID_SIZE + 1] == '\0';
}

/* "postern-spool VERSION ID" */
static bool
spool_parse_format(Spool *spool, const char *path, const char *text, GError **error)
{
	static const char head[] = "postern-spool ";
	const char *version = text + strlen(head);
	char *end;
	guint64 number;

	if (!g_str_has_prefix(text, head))
		return error_set(error, POSTERN_ERROR_DAMAGED, "%s is not what Postern wrote", path);
	number = g_ascii_strtoull(version, &end, 10);
	if (end != version && *end == ' ' && (number < SPOOL_OLDEST_VERSION || number > SPOOL_VERSION))
		return error_set(error, POSTERN_ERROR_INVALID,
			"the spool %s is of format version %" G_GUINT64_FORMAT "; this Postern knows versions %d to %d",
			spool->directory, number, SPOOL_OLDEST_VERSION, SPOOL_VERSION);
	spool->is_older = number < SPOOL_VERSION;
	if (end == version || *end != ' ' || !spool_parse_id(end + 1, spool->id))
		return error_set(error, POSTERN_ERROR_DAMAGED, "%s is not what Postern wrote", path);
	return true;
}

/* False without an error: there is none yet. */
static bool
spool_read_format(Spool *spool, GError **error)
{
	g_autofree char *path = g_build_filename(spool->directory, "format", NULL);
	char text[FORMAT_MOST] = "";
	const int fd = spool->disk->open(spool->disk, path, O_RDONLY, 0);
	ssize_t got;

	if (fd < 0)
		return errno == ENOENT ? false : error_set_errno(error, "cannot open %s", path);
	got = spool_pread_most(spool->disk, fd, text, sizeof text - 1, 0);
	(void)spool->disk->close(spool->disk, fd);
	if (got < 0)
		return error_set_errno(error, "cannot read %s", path);
	return spool_parse_format(spool, path, text, error);
}

static bool
spool_write_file(Spool *spool, const char *path, const char *text, GError **error)
{
	const Disk *disk = spool->disk;
	const int fd = disk->open(disk, path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	struct iovec part = { (void *)(uintptr_t)text, strlen(text) };
	bool is_written;

	if (fd < 0)
		return error_set_errno(error, "cannot create %s", path);
	is_written = spool_pwrite(disk, fd, &part, 1, 0) && disk->fsync(disk, fd) == 0;
	if (!is_written)
		(void)error_set_errno(error, "cannot write %s", path);
	(void)disk->close(disk, fd);
	return is_written;
}

/* Names in a directory that has just been made are none; a directory that cannot be read may have some. */
static bool
spool_is_empty(Spool *spool, const char *directory, GError **error)
{
	g_autoptr(GPtrArray) names = spool->disk->list(spool->disk, directory);

	if (names == NULL)
		return error_set_errno(error, "cannot list %s", directory);
	return names->len == 0 ||
		   error_set(error, POSTERN_ERROR_DAMAGED,
			   "%s/format is missing, though %s has files: put it back from a copy, or move %s away",
			   spool->directory, directory, directory);
}

/* Somebody else may have made the directory of a new spool, and not synced its name.  A parent that we may not
 * open is theirs. */
static bool
spool_sync_parent(Spool *spool, GError **error)
{
	g_autofree char *parent = g_path_get_dirname(spool->directory);

	return (access(parent, R_OK) != 0 && errno == EACCES) || spool_sync_directory(spool, parent, error);
}

/* The version and the id become those of `spool`, durably. */
static bool
spool_write_format(Spool *spool, GError **error)
{
	g_autofree char *path = g_build_filename(spool->directory, "format", NULL);
	g_autofree char *new_path = g_build_filename(spool->directory, "format.new", NULL);
	g_autoptr(GString) text = g_string_new(NULL);

	g_string_printf(text, "postern-spool %d ", SPOOL_VERSION);
	for (int i = 0; i < SPOOL_ID_SIZE; i++)
		g_string_append_printf(text, "%02x", spool->id[i]);
	g_string_append_c(text, '\n');
	if (!spool_write_file(spool, new_path, text->str, error))
		return false;
	if (spool->disk->rename(spool->disk, new_path, path) != 0)
		return error_set_errno(error, "cannot create %s", path);
	return spool_sync_directory(spool, spool->directory, error);
}

/* A new spool, with an id of its own. */
static bool
spool_make_format(Spool *spool, GError **error)
{
	if (!spool_is_empty(spool, spool->log_directory, error) ||
		!spool_is_empty(spool, spool->content_directory, error))
		return false;
	random_fill(spool->id, sizeof spool->id);
	return spool_write_format(spool, error) && spool_sync_parent(spool, error);
}

static bool
spool_make_directories(Spool *spool, GError **error)
{
	g_autofree char *lost = g_build_filename(spool->directory, "lost", NULL);
	const char *paths[] = { spool->directory, spool->log_directory, spool->content_directory, lost };

	for (size_t i = 0; i < G_N_ELEMENTS(paths); i++)
		if (!disk_make_directories(spool->disk, paths[i], 0700, error))
			return false;
	return true;
}

static bool
spool_lock(Spool *spool, GError **error)
{
	g_autofree char *path = g_build_filename(spool->directory, "lock", NULL);
	const int flags = spool->is_read_only ? O_RDONLY : O_RDWR | O_CREAT;

	spool->lock_fd = spool->disk->open(spool->disk, path, flags, 0600);
	if (spool->lock_fd < 0)
		return error_set_errno(error, "cannot open %s", path);
	if (flock(spool->lock_fd, LOCK_EX | LOCK_NB) == 0)
		return true;
	if (errno == EWOULDBLOCK)
		return error_set(
			error, POSTERN_ERROR_EXISTS, "the spool %s is owned by another process", spool->directory);
	return error_set_errno(error, "cannot lock %s", path);
}

/* Its format is ours, and no other process has it; made if there is none. */
static bool
spool_enter(Spool *spool, GError **error)
{
	g_autoptr(GError) found = NULL;
	bool is_there = spool_read_format(spool, &found);

	if (found == NULL && !is_there && spool->is_read_only)
		return error_set(error, POSTERN_ERROR_NOT_FOUND, "there is no spool in %s", spool->directory);
	if (found != NULL) {
		g_propagate_error(error, g_steal_pointer(&found));
		return false;
	}
	if ((!spool->is_read_only && !spool_make_directories(spool, error)) || !spool_lock(spool, error))
		return false;
	/* Another may have made it before we had the lock. */
	is_there = spool_read_format(spool, &found);
	if (found != NULL) {
		g_propagate_error(error, g_steal_pointer(&found));
		return false;
	}
	return is_there || spool_make_format(spool, error);
}

/* Before anything is written that an older Postern would misread: that refuses the new version, and touches nothing. */
static bool
spool_upgrade(Spool *spool, GError **error)
{
	return !spool->is_older || spool->is_read_only || spool_write_format(spool, error);
}

bool
spool_load(Spool *spool, GError **error)
{
	return spool_enter(spool, error) && spool_recover(spool, error) && spool_upgrade(spool, error);
}

static bool
spool_rename_aside(Spool *spool, uint64_t number, GError **error)
{
	const Disk *disk = spool->disk;
	g_autofree char *path = spool_segment_path(spool, "", number);
	g_autofree char *aside = spool_segment_path(spool, "aside-", number);
	const int fd = disk->open(disk, aside, O_RDONLY, 0);

	if (fd >= 0) {
		(void)disk->close(disk, fd);
		return error_set(error, POSTERN_ERROR_EXISTS, "segment %" G_GUINT64_FORMAT " of %s was set aside before",
			number, spool->directory);
	}
	if (disk->rename(disk, path, aside) == 0)
		return spool_sync_directory(spool, spool->log_directory, error);
	return errno == ENOENT ? error_set(error, POSTERN_ERROR_NOT_FOUND,
								 "there is no segment %" G_GUINT64_FORMAT " in %s", number, spool->directory)
						   : error_set_errno(error, "cannot rename %s", path);
}

bool
spool_set_aside(const SpoolSettings *settings, uint64_t number, GError **error)
{
	Spool *spool = spool_new(settings);
	bool is_aside;

	spool->is_read_only = true;
	is_aside = spool_enter(spool, error) && spool_rename_aside(spool, number, error);
	spool_unload(spool);
	return is_aside;
}
