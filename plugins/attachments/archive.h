/* archive.h - what is in an archive, without unpacking it: zip by its central directory; tar (with gzip, xz or
 * zstd around it), 7z, rar and cab by libarchive, within bounds of entries and processor time. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
	unsigned most_entries;
	int64_t *time_left; /* ns of processor time for libarchive; what it took is taken away */
} ArchiveLimits;

typedef enum {
	ARCHIVE_IS_NONE,
	ARCHIVE_LISTED,
	ARCHIVE_ENCRYPTED, /* its names, too: they cannot be told */
	ARCHIVE_UNLISTED,  /* damaged, of a kind that cannot be listed, or too slow; some entries may have been visited */
	ARCHIVE_CUT,       /* it has more entries than are visited */
} ArchiveResult;

/* False: that is enough. */
typedef bool ArchiveVisit(const char *name, bool is_encrypted, void *data);

/* True if it begins as an archive does; `size` octets, of which some hundred suffice. */
bool archive_is_one(const char *begin, size_t size);
/* True if code of ours reads it, not the library. */
bool archive_is_zip(const char *begin, size_t size);
ArchiveResult archive_list(
	const char *octets, size_t size, const ArchiveLimits *limits, ArchiveVisit *visit, void *data);

/* Of archive-zip.c. */
ArchiveResult archive_list_zip(
	const char *octets, size_t size, const ArchiveLimits *limits, ArchiveVisit *visit, void *data);
