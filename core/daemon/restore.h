/* restore.h - posternctl restore: a backup into the stores and files of this machine.
 *
 *  1  Nothing is written before all of the backup was read and compared with its checksums, and all that would be overwritten
 *     was looked at.
 *  2  What is there already and differs is overwritten with --yes alone; of files the old ones stay as NAME.before-restore.
 *  3  No daemon may use the stores: a SQLite file that is open is refused, and so is a Redis in which a node has its claim. */
#pragma once

#include "daemon/backup-manifest.h"
#include "daemon/posternctl.h"

/* The exit code; with EXIT_FAILURE a sentence. */
int posternctl_restore(const Arguments *arguments, GError **error);

/* ---- restore-files.c ---- */

typedef struct {
	const Manifest *manifest;
	const char *directory;  /* of the backup */
	const char *state;      /* the state directory of this machine */
	const char *user;       /* the daemon's */
	bool keeps_config;      /* no file of the configuration is written */
	unsigned written, same; /* counted by restore_write_files() */
} RestoreFiles;

/* Adds a sentence to `obstacles` (char*) for each file that would be overwritten or taken out of conf.d.  Blocks on the disk. */
bool restore_check_files(const RestoreFiles *files, GPtrArray *obstacles, GError **error);
/* Writes what differs.  False with a sentence; files that were written until then stay. */
bool restore_write_files(RestoreFiles *files, GError **error);
