/* restore-files.c - the files of a backup, into their places. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "daemon/backup.h"
#include "daemon/owner.h"
#include "daemon/restore.h"
#include "service/config.h"

/* Where the file belongs; NULL: it is not restored.  New. */
static char *
restore_place(const RestoreFiles *files, const ManifestFile *file)
{
	if (strcmp(file->kind, "state") == 0)
		return g_build_filename(files->state, file->path + strlen(MANIFEST_STATE "/"), NULL);
	if (strcmp(file->kind, "config") == 0 && !files->keeps_config)
		return g_strdup(file->path + strlen(MANIFEST_FILES));
	return NULL;
}

typedef enum { PLACE_ABSENT, PLACE_SAME, PLACE_DIFFERS } PlaceState;

static PlaceState
restore_compare(const char *place, const ManifestFile *file)
{
	g_autofree char *data = NULL;
	g_autofree char *sha256 = NULL;
	struct stat found;
	gsize size;

	if (lstat(place, &found) != 0)
		return PLACE_ABSENT;
	if (!g_file_get_contents(place, &data, &size, NULL))
		return PLACE_DIFFERS;
	sha256 = g_compute_checksum_for_data(G_CHECKSUM_SHA256, (const guchar *)data, size);
	return strcmp(sha256, file->sha256) == 0 ? PLACE_SAME : PLACE_DIFFERS;
}

static bool
restore_is_in_backup(const Manifest *manifest, const char *place)
{
	for (guint i = 0; i < manifest->files->len; i++) {
		const ManifestFile *file = g_ptr_array_index(manifest->files, i);

		if (strcmp(file->kind, "config") == 0 && strcmp(file->path + strlen(MANIFEST_FILES), place) == 0)
			return true;
	}
	return false;
}

/* Files of conf.d that the backup does not have, and that would change what its configuration means; new. */
static GPtrArray *
restore_list_strangers(const RestoreFiles *files, GError **error)
{
	GPtrArray *own;

	if (files->keeps_config || files->manifest->config == NULL)
		return g_ptr_array_new_with_free_func(g_free);
	own = config_files(files->manifest->config, error);
	for (guint i = own != NULL ? own->len : 0; i > 0; i--)
		if (i == 1 || restore_is_in_backup(files->manifest, g_ptr_array_index(own, i - 1)))
			g_ptr_array_remove_index(own, i - 1);
	return own;
}

bool
restore_check_files(const RestoreFiles *files, GPtrArray *obstacles, GError **error)
{
	g_autoptr(GPtrArray) strangers = restore_list_strangers(files, error);

	if (strangers == NULL)
		return false;
	for (guint i = 0; i < files->manifest->files->len; i++) {
		const ManifestFile *file = g_ptr_array_index(files->manifest->files, i);
		g_autofree char *place = restore_place(files, file);

		if (place != NULL && restore_compare(place, file) == PLACE_DIFFERS)
			g_ptr_array_add(obstacles, g_strdup_printf("%s is there, and differs from the backup", place));
	}
	for (guint i = 0; i < strangers->len; i++)
		g_ptr_array_add(obstacles, g_strdup_printf("%s is there, would count, and is not in the backup",
									   (const char *)g_ptr_array_index(strangers, i)));
	return true;
}

/* ---- writing ---- */

/* To whom it belonged; a name that this machine does not have is worth a warning, since the daemon may not be able to read it. */
static void
restore_set_owner(const char *path, const ManifestFile *file)
{
	const struct passwd *user = getpwnam(file->user);
	const struct group *group = getgrnam(file->group);

	if (geteuid() != 0)
		return;
	if (user == NULL || group == NULL || lchown(path, user->pw_uid, group->gr_gid) != 0)
		fprintf(stderr, "posternctl: %s belonged to %s:%s, which are unknown here: set its owner\n", path,
			file->user, file->group);
}

static bool
restore_set_aside(const char *path, GError **error)
{
	g_autofree char *aside = g_strconcat(path, ".before-restore", NULL);

	if (rename(path, aside) != 0)
		return error_set_errno(error, "cannot rename %s to %s", path, aside);
	printf("%s is %s now.\n", path, aside);
	return true;
}

static bool
restore_make_parent(const RestoreFiles *files, const ManifestFile *file, const char *place, GError **error)
{
	const bool is_state = strcmp(file->kind, "state") == 0;
	g_autofree char *parent = g_path_get_dirname(place);
	struct stat found;

	if (stat(parent, &found) == 0)
		return true;
	if (g_mkdir_with_parents(parent, is_state ? 0700 : 0755) != 0)
		return error_set_errno(error, "cannot make the directory %s", parent);
	return !is_state || owner_give(files->user, parent, error);
}

/* Under another name first, so that no half file ever has its name, and a symbolic link is replaced, not followed. */
static bool
restore_write_temporary(const char *temporary, const char *from, const ManifestFile *file, GError **error)
{
	g_autofree char *data = NULL;
	BackupWriter writer;
	gsize size;
	bool is_done;

	if (!g_file_get_contents(from, &data, &size, error))
		return false;
	(void)unlink(temporary);
	if (!backup_writer_open(&writer, temporary, error))
		return false;
	is_done = backup_writer_put(&writer, data, size, error);
	is_done = backup_writer_end(&writer, NULL, is_done ? error : NULL) && is_done;
	if (is_done && chmod(temporary, file->mode) != 0)
		is_done = error_set_errno(error, "cannot set the mode of %s", temporary);
	if (!is_done)
		(void)unlink(temporary);
	return is_done;
}

static bool
restore_write_file(RestoreFiles *files, const ManifestFile *file, const char *place, GError **error)
{
	g_autofree char *from = g_build_filename(files->directory, file->path, NULL);
	g_autofree char *temporary = g_strconcat(place, ".restoring", NULL);
	const PlaceState state = restore_compare(place, file);

	if (state == PLACE_SAME) {
		files->same++;
		return true;
	}
	if (!restore_make_parent(files, file, place, error) || !restore_write_temporary(temporary, from, file, error))
		return false;
	if (strcmp(file->kind, "config") == 0)
		restore_set_owner(temporary, file);
	else if (!owner_give(files->user, temporary, error))
		return false;
	if (state == PLACE_DIFFERS && !restore_set_aside(place, error))
		return false;
	if (rename(temporary, place) != 0)
		return error_set_errno(error, "cannot rename %s to %s", temporary, place);
	files->written++;
	return true;
}

bool
restore_write_files(RestoreFiles *files, GError **error)
{
	g_autoptr(GPtrArray) strangers = restore_list_strangers(files, error);

	if (strangers == NULL)
		return false;
	for (guint i = 0; i < strangers->len; i++)
		if (!restore_set_aside(g_ptr_array_index(strangers, i), error))
			return false;
	for (guint i = 0; i < files->manifest->files->len; i++) {
		const ManifestFile *file = g_ptr_array_index(files->manifest->files, i);
		g_autofree char *place = restore_place(files, file);

		if (place != NULL && !restore_write_file(files, file, place, error))
			return false;
	}
	return true;
}
