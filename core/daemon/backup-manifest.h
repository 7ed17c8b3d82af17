/* backup-manifest.h - MANIFEST of a backup: what made it, where and when, and a checksum of each file.
 *
 *   postern-backup 1                       format; a reader refuses a later one
 *   version, host, machine, node, made, config, state, spool: a line each, name and value
 *   file KIND SHA256 SIZE MODE USER GROUP PATH
 *   without PATH                           needed by the node, and not in the backup
 *   end SHA256                             of all lines before it
 *
 * It is written last, so a folder without a whole one is no backup. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define MANIFEST_NAME "MANIFEST"
#define MANIFEST_FILES "files" /* the folder of copies: below it the whole path of each */
#define MANIFEST_DIRECTORY "directory.items"
#define MANIFEST_STORE "store.items"
#define MANIFEST_STATE "state" /* the folder of files of the state directory */

/* "items": of a store; "config": belongs to its path; "state": belongs into the state directory. */
typedef struct {
	char *kind, *sha256, *user, *group, *path; /* path: within the backup */
	uint64_t size;
	mode_t mode;
} ManifestFile;

typedef struct {
	char *version, *host, *machine, *node, *made, *config, *state, *spool;
	GPtrArray *files;   /* ManifestFile* */
	GPtrArray *without; /* char* */
} Manifest;

/* New, empty. */
Manifest *manifest_new(void);
void manifest_free(Manifest *manifest);
/* Takes over copies of all texts. */
void manifest_add(Manifest *manifest, const ManifestFile *file);
/* New; to be written to MANIFEST.  NULL with a sentence: a path has a newline. */
char *manifest_text(const Manifest *manifest, GError **error);
/* Reads MANIFEST in `directory` and checks it; NULL with a sentence: no backup, damaged, or of a later format.  Blocks on
 * the disk. */
Manifest *manifest_read(const char *directory, GError **error);
/* Whether every file is in `directory` as the manifest says, and no other; false: a sentence.  Blocks on the disk. */
bool manifest_check_files(const Manifest *manifest, const char *directory, GError **error);
/* True if `directory` holds nothing but what a backup has, and its MANIFEST is of this family, whole or not, or
 * `may_lack_manifest`.  Blocks on the disk. */
bool manifest_is_ours(const char *directory, bool may_lack_manifest);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Manifest, manifest_free)
