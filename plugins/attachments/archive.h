/* archive.h - what is in an archive, without unpacking it: zip by its headers; tar (with gzip, xz
 * or zstd around it), 7z, rar and cab by libarchive, within bounds of entries and processor time;
 * at the start of a file, or behind something else. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
	unsigned most_entries; /* of a zip file: in its directories, and as many local headers */
	int64_t *time_left;    /* ns of processor time for libarchive; what it took is taken away */
} ArchiveLimits;

/* Several, where a file can be read as more than one archive. */
typedef enum {
	ARCHIVE_IS_NONE = 0,
	ARCHIVE_LISTED = 1 << 0,
	ARCHIVE_ENCRYPTED = 1 << 1, /* its names, too: they cannot be told */
	ARCHIVE_UNLISTED =
		1 << 2, /* damaged, of a kind that cannot be listed, or too slow; some entries may have been visited */
	ARCHIVE_CUT = 1 << 3, /* it has more entries than are visited */
} ArchiveResult;

/* The same entry may come more than once.  False: that is enough. */
typedef bool ArchiveVisit(const char *name, bool is_encrypted, void *data);

/* True if it begins as an archive does; `size` octets, of which some hundred suffice. */
bool archive_is_one(const char *begin, size_t size);
/* True if code of ours reads it, not the library. */
bool archive_is_zip(const char *begin, size_t size);

enum { ARCHIVE_SEARCH_TAIL = 7 };

/* Whether an archive may begin anywhere in a file, whose octets come piece by piece; zero at first. */
typedef struct {
	char tail[ARCHIVE_SEARCH_TAIL];
	size_t tail_size, seen;
	bool has_zip;   /* headers or the end of a zip file */
	bool has_other; /* in the first 8 MiB: rar, 7z or cab, which the library reads */
} ArchiveSearch;

void archive_search(ArchiveSearch *search, const char *octets, size_t size);

/* All of the archives that the file may be, or contain uncompressed.  Uses the library if the file
 * begins as an archive other than a zip file, or archive_search() says `has_other`. */
ArchiveResult archive_list(
	const char *octets, size_t size, const ArchiveLimits *limits, ArchiveVisit *visit, void *data);

/* Of archive-zip.c.  `is_whole`: it is nothing but a zip file. */
ArchiveResult archive_list_zip(
	const char *octets, size_t size, const ArchiveLimits *limits, ArchiveVisit *visit, void *data, bool *is_whole);
/* Of archive-rar.c.  True: it is a rar file of version 5, and encrypted in its first `most`
 * headers, or more than these. */
bool archive_is_encrypted_rar5(const char *octets, size_t size, unsigned most);
/* Of archive-search.c.  Where the next archive begins that is no zip file, from `from` on, in
 * `octets`; or NULL. */
const char *archive_find_other(const char *octets, size_t size, const char *from);
