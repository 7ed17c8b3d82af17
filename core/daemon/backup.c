/* backup.c - posternctl backup. */
#include "daemon/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

typedef struct {
	const Arguments *arguments;
	char *target, *work; /* DIRECTORY, DIRECTORY.new */
	int lock;            /* of `work`; -1 */
	bool is_ours;        /* `work` is: to be removed if it fails */
	bool replaces;       /* `target` is an older backup */
	Manifest *manifest;
} Backup;

/* ---- the place ---- */

static bool
backup_is_empty(const char *path)
{
	g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);

	return dir != NULL && g_dir_read_name(dir) == NULL;
}

static bool
backup_check_target(Backup *backup, GError **error)
{
	struct stat found;

	if (lstat(backup->target, &found) != 0)
		return errno == ENOENT || error_set_errno(error, "cannot use %s", backup->target);
	if (!S_ISDIR(found.st_mode))
		return error_set(error, POSTERN_ERROR_EXISTS, "%s is no directory", backup->target);
	backup->replaces = manifest_is_ours(backup->target, false);
	return backup->replaces || backup_is_empty(backup->target) ||
		   error_set(error, POSTERN_ERROR_EXISTS,
			   "%s is neither empty nor a backup of Postern alone: name another directory, which backup makes",
			   backup->target);
}

/* DIRECTORY.new, which a backup that was interrupted may have left. */
static bool
backup_take_place(Backup *backup, GError **error)
{
	if (g_mkdir_with_parents(backup->work, 0700) != 0)
		return error_set_errno(error, "cannot make the directory %s", backup->work);
	backup->lock = open(backup->work, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (backup->lock < 0)
		return error_set_errno(error, "cannot use %s", backup->work);
	if (flock(backup->lock, LOCK_EX | LOCK_NB) != 0)
		return error_set(error, POSTERN_ERROR_EXISTS, "another backup is being written to %s", backup->work);
	if (!manifest_is_ours(backup->work, true))
		return error_set(
			error, POSTERN_ERROR_EXISTS, "%s holds files that are of no backup: move them away", backup->work);
	backup->is_ours = true;
	if (fchmod(backup->lock, 0700) != 0)
		return error_set_errno(error, "cannot set the mode of %s", backup->work);
	return true;
}

static void
backup_empty_place(const Backup *backup)
{
	static const char *const names[] = { MANIFEST_NAME, MANIFEST_DIRECTORY, MANIFEST_STORE, MANIFEST_FILES,
		MANIFEST_STATE };

	for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
		g_autofree char *path = g_build_filename(backup->work, names[i], NULL);

		backup_remove_tree(path);
	}
}

/* ---- what the daemon says ---- */

static bool
backup_take_fact(void *data, char letter, char **fields, GError **error)
{
	Manifest *manifest = data;
	const struct {
		const char *name;
		char **to;
	} known[] = { { "version", &manifest->version }, { "host", &manifest->host }, { "node", &manifest->node },
		{ "config", &manifest->config }, { "state", &manifest->state }, { "spool", &manifest->spool } };

	(void)error;
	for (size_t i = 0; letter == 'R' && i < G_N_ELEMENTS(known); i++) {
		if (fields[0] == NULL || fields[1] == NULL || strcmp(fields[0], known[i].name) != 0)
			continue;
		g_free(*known[i].to);
		*known[i].to = g_strdup(fields[1]);
	}
	return true;
}

static bool
backup_describe(Backup *backup, GError **error)
{
	static const char *const words[] = { "backup", "describe", NULL };
	g_autoptr(GDateTime) now = g_date_time_new_now_utc();

	backup->manifest->machine = g_strdup(g_get_host_name());
	backup->manifest->made = g_date_time_format(now, "%FT%TZ");
	if (!posternctl_fetch(backup->arguments, 0, words, backup_take_fact, backup->manifest, error))
		return false;
	return (backup->manifest->host != NULL && backup->manifest->node != NULL &&
			   backup->manifest->version != NULL && backup->manifest->state != NULL &&
			   backup->manifest->spool != NULL) ||
		   error_set(error, POSTERN_ERROR_INVALID, "the daemon answers in a way of another version");
}

static bool
backup_take_octets(void *data, char letter, char **fields, GError **error)
{
	g_autofree guchar *octets = NULL;
	gsize size;

	if (letter != 'B' || fields[0] == NULL)
		return error_set(error, POSTERN_ERROR_INVALID, "the daemon answers in a way of another version");
	octets = g_base64_decode(fields[0], &size);
	return backup_writer_put(data, octets, size, error);
}

static bool
backup_save_items(Backup *backup, const char *section, const char *name, GError **error)
{
	const char *const words[] = { "backup", "items", section, NULL };
	g_autofree char *path = g_build_filename(backup->work, name, NULL);
	ManifestFile file = { .kind = (char *)"items", .user = (char *)"-", .group = (char *)"-", .mode = 0600 };
	BackupWriter writer;
	bool is_done;

	if (!backup_writer_open(&writer, path, error))
		return false;
	is_done = posternctl_fetch(backup->arguments, 0, words, backup_take_octets, &writer, error);
	file.size = writer.size;
	file.path = (char *)(uintptr_t)name;
	is_done = backup_writer_end(&writer, &file.sha256, is_done ? error : NULL) && is_done;
	if (is_done)
		manifest_add(backup->manifest, &file);
	g_free(file.sha256);
	return is_done;
}

/* ---- files ---- */

static char *
backup_user_name(uid_t uid)
{
	const struct passwd *user = getpwuid(uid);

	return user != NULL ? g_strdup(user->pw_name) : g_strdup_printf("%u", (unsigned)uid);
}

static char *
backup_group_name(gid_t gid)
{
	const struct group *group = getgrgid(gid);

	return group != NULL ? g_strdup(group->gr_name) : g_strdup_printf("%u", (unsigned)gid);
}

static bool
backup_write_copy(Backup *backup, const char *data, size_t size, ManifestFile *file, GError **error)
{
	g_autofree char *path = g_build_filename(backup->work, file->path, NULL);
	BackupWriter writer;
	bool is_done;

	if (!backup_writer_open(&writer, path, error))
		return false;
	is_done = backup_writer_put(&writer, data, size, error);
	file->size = size;
	return backup_writer_end(&writer, &file->sha256, is_done ? error : NULL) && is_done;
}

/* `name`: within the backup.  A file that is not there is named as one that the backup lacks, and so is one that may not be
 * read: the rest is worth having. */
static bool
backup_copy_file(Backup *backup, const char *from, const char *kind, const char *name, GError **error)
{
	g_autofree char *data = NULL;
	g_autofree char *user = NULL;
	g_autofree char *group = NULL;
	ManifestFile file = { .kind = (char *)(uintptr_t)kind, .path = (char *)(uintptr_t)name };
	g_autoptr(GError) why = NULL;
	struct stat found;
	gsize size;
	bool is_done;

	if (stat(from, &found) != 0 || !g_file_get_contents(from, &data, &size, &why)) {
		fprintf(stderr, "posternctl: %s is not in the backup: %s\n", from,
			why != NULL ? why->message : g_strerror(errno));
		g_ptr_array_add(backup->manifest->without, g_strdup(from));
		return true;
	}
	file.user = user = backup_user_name(found.st_uid);
	file.group = group = backup_group_name(found.st_gid);
	file.mode = found.st_mode & 0777;
	is_done = backup_write_copy(backup, data, size, &file, error);
	explicit_bzero(data, size);
	if (is_done)
		manifest_add(backup->manifest, &file);
	g_free(file.sha256);
	return is_done;
}

static bool
backup_copy_config(Backup *backup, const BackupConfig *files, GError **error)
{
	for (guint i = 0; i < files->copied->len; i++) {
		const char *from = g_ptr_array_index(files->copied, i);
		g_autofree char *canonical = g_canonicalize_filename(from, "/");
		g_autofree char *name = g_strconcat(MANIFEST_FILES, canonical, NULL);

		if (!backup_copy_file(backup, from, "config", name, error))
			return false;
	}
	for (guint i = 0; i < files->named->len; i++)
		g_ptr_array_add(backup->manifest->without, g_strdup(g_ptr_array_index(files->named, i)));
	return true;
}

static bool
backup_save_config(Backup *backup, GError **error)
{
	g_autoptr(GPtrArray) copied = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GPtrArray) named = g_ptr_array_new_with_free_func(g_free);
	BackupConfig files = { copied, named };
	const char *path = backup->manifest->config;

	return path == NULL || (backup_list_config(path, backup->manifest->state, &files, error) &&
							   backup_copy_config(backup, &files, error));
}

/* The certificate of our own making: without it, a restored node shows its clients another one. */
static bool
backup_save_state(Backup *backup, GError **error)
{
	static const char *const names[] = { "own-certificate.pem", "own-key.pem" };

	for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
		g_autofree char *from = g_build_filename(backup->manifest->state, names[i], NULL);
		g_autofree char *name = g_build_filename(MANIFEST_STATE, names[i], NULL);

		if (g_file_test(from, G_FILE_TEST_EXISTS) && !backup_copy_file(backup, from, "state", name, error))
			return false;
	}
	return true;
}

/* ---- the end ---- */

static bool
backup_save_manifest(Backup *backup, GError **error)
{
	g_autofree char *path = g_build_filename(backup->work, MANIFEST_NAME, NULL);
	g_autofree char *text = manifest_text(backup->manifest, error);
	BackupWriter writer;
	bool is_done;

	if (text == NULL || !backup_writer_open(&writer, path, error))
		return false;
	is_done = backup_writer_put(&writer, text, strlen(text), error);
	return backup_writer_end(&writer, NULL, is_done ? error : NULL) && is_done &&
		   backup_sync_directory(backup->work, error);
}

/* Exchanges the two where there is an older one, so that there is a backup of this name at every moment. */
static bool
backup_publish(Backup *backup, GError **error)
{
	g_autofree char *parent = g_path_get_dirname(backup->target);

	if (renameat2(AT_FDCWD, backup->work, AT_FDCWD, backup->target, backup->replaces ? RENAME_EXCHANGE : 0) != 0)
		return error_set_errno(error, "cannot rename %s to %s", backup->work, backup->target);
	backup->is_ours = backup->replaces; /* what has the name .new now is the older one */
	return backup_sync_directory(parent, error);
}

static void
backup_report(const Backup *backup)
{
	const Manifest *manifest = backup->manifest;

	printf("backup of %s (node %s, Postern %s) in %s: directory, store, secrets, and %u files.\n", manifest->host,
		manifest->node, manifest->version, backup->target, manifest->files->len - 2);
	for (guint i = 0; i < manifest->without->len; i++)
		printf("not in it, and needed: %s\n", (const char *)g_ptr_array_index(manifest->without, i));
	printf("not in it: the queue (%s); see doc/backup.md.  Keep it as you keep passwords.\n", manifest->spool);
}

static bool
backup_run(Backup *backup, GError **error)
{
	if (!backup_check_target(backup, error) || !backup_describe(backup, error) ||
		!backup_take_place(backup, error))
		return false;
	backup_empty_place(backup);
	return backup_save_items(backup, "directory", MANIFEST_DIRECTORY, error) &&
		   backup_save_items(backup, "store", MANIFEST_STORE, error) && backup_save_config(backup, error) &&
		   backup_save_state(backup, error) && backup_save_manifest(backup, error) &&
		   backup_publish(backup, error);
}

int
posternctl_backup(const Arguments *arguments, GError **error)
{
	const char *directory = arguments->words[1];
	Backup backup = { .arguments = arguments, .lock = -1 };
	bool is_done;

	if (directory == NULL || directory[0] == '-' || arguments->words[2] != NULL) {
		(void)error_set(error, POSTERN_ERROR_INVALID, "backup wants one directory, to which it writes");
		return EXIT_FAILURE;
	}
	(void)umask(077);
	backup.target = g_canonicalize_filename(directory, NULL);
	backup.work = g_strconcat(backup.target, ".new", NULL);
	backup.manifest = manifest_new();
	is_done = backup_run(&backup, error);
	if (is_done)
		backup_report(&backup);
	else
		g_prefix_error(error, "no backup was made: ");
	if (backup.is_ours)
		backup_remove_tree(backup.work);
	if (backup.lock >= 0)
		(void)close(backup.lock);
	manifest_free(backup.manifest);
	g_free(backup.target);
	g_free(backup.work);
	return is_done ? EXIT_SUCCESS : EXIT_FAILURE;
}
