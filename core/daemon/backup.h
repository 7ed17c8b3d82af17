/* backup.h - posternctl backup: the stores of a running daemon and its configuration, in a directory.
 *
 *  1  Everything is written into DIRECTORY.new, MANIFEST last, and synced.
 *  2  Only then it takes the name DIRECTORY, in one step; an older backup of that name is there until then.
 *  3  What fails before leaves DIRECTORY as it was, and DIRECTORY.new is removed.
 *
 * So a directory of the right name is a whole backup. */
#pragma once

#include "daemon/backup-manifest.h"
#include "daemon/posternctl.h"

/* The exit code; with EXIT_FAILURE a sentence. */
int posternctl_backup(const Arguments *arguments, GError **error);

/* ---- backup-config.c ---- */

typedef struct {
	GPtrArray *copied; /* char*: absolute paths to copy */
	GPtrArray *named;  /* char*: those that a node needs and a backup must not have */
} BackupConfig;

/* The files that belong to the configuration at `path`: itself, conf.d, templates, files of "@FILE" and of "trust" are copied,
 * certificates and keys named, unless they are in `state_directory`.  Blocks on the disk. */
bool backup_list_config(const char *path, const char *state_directory, BackupConfig *files, GError **error);

/* ---- backup-file.c ---- */

/* A file of a backup that is being written. */
typedef struct {
	int fd;
	char *path;
	GChecksum *sum;
	uint64_t size;
} BackupWriter;

/* Creates `path`, which must not exist, with mode 0600, and the directories that it needs with 0700. */
bool backup_writer_open(BackupWriter *writer, const char *path, GError **error);
bool backup_writer_put(BackupWriter *writer, const void *data, size_t size, GError **error);
/* Syncs and closes; `sha256` (may be NULL) gets a new text.  Closes on failure, too. */
bool backup_writer_end(BackupWriter *writer, char **sha256, GError **error);
/* Syncs a directory, so that the names in it last. */
bool backup_sync_directory(const char *path, GError **error);
/* Removes it with all that is in it; follows no symbolic link. */
void backup_remove_tree(const char *path);
