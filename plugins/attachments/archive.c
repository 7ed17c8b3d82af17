/* archive.c - libarchive on a leash.
 *
 * It reads what is in memory by a function of ours, in small pieces: a small piece of a bomb is a
 * small bomb, and before each the processor time is looked at.  What it need not read it skips by
 * another. */
#include "plugins/attachments/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <glib.h>
#include <string.h>
#include <time.h>

enum {
	PIECE = 4096,
	PIECE_COMPRESSED = 64,
	OTHERS_MOST = 16, /* signatures behind the first octets that are tried */
};

typedef struct {
	const char *octets;
	size_t size, at, piece;
	int64_t until; /* of the thread's processor time */
} Source;

static int64_t
thread_time(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* ---- what libarchive reads ---- */

static la_ssize_t
source_read(struct archive *archive, void *data, const void **buffer)
{
	Source *source = data;
	const size_t size = MIN(source->piece, source->size - source->at);

	if (thread_time() > source->until) {
		archive_set_error(archive, ARCHIVE_FATAL, "it takes too long");
		return ARCHIVE_FATAL;
	}
	*buffer = source->octets + source->at;
	source->at += size;
	return (la_ssize_t)size;
}

static la_int64_t
source_skip(struct archive *archive, void *data, la_int64_t request)
{
	Source *source = data;
	const size_t size = (size_t)MIN((uint64_t)MAX(request, 0), source->size - source->at);

	(void)archive;
	source->at += size;
	return (la_int64_t)size;
}

static la_int64_t
source_seek(struct archive *archive, void *data, la_int64_t offset, int whence)
{
	Source *source = data;
	const la_int64_t from = whence == SEEK_SET ? 0 : (la_int64_t)(whence == SEEK_CUR ? source->at : source->size);
	la_int64_t to;

	(void)archive;
	if (__builtin_add_overflow(from, offset, &to) || to < 0 || (uint64_t)to > source->size)
		return ARCHIVE_FATAL;
	source->at = (size_t)to;
	return to;
}

/* ---- listing ---- */

static bool
begins_with(const char *octets, size_t size, size_t at, const char *magic, size_t length)
{
	return size >= at + length && memcmp(octets + at, magic, length) == 0;
}

static struct archive *
reader_new(Source *source)
{
	struct archive *reader = archive_read_new();

	(void)archive_read_support_format_tar(reader);
	(void)archive_read_support_format_7zip(reader);
	(void)archive_read_support_format_rar(reader);
	(void)archive_read_support_format_rar5(reader);
	(void)archive_read_support_format_cab(reader);
	(void)archive_read_support_filter_gzip(reader);
	(void)archive_read_support_filter_xz(reader);
	(void)archive_read_support_filter_zstd(reader);
	(void)archive_read_set_read_callback(reader, source_read);
	(void)archive_read_set_skip_callback(reader, source_skip);
	(void)archive_read_set_seek_callback(reader, source_seek);
	(void)archive_read_set_callback_data(reader, source);
	return reader;
}

static bool
is_bzip2(const char *octets, size_t size)
{
	return begins_with(octets, size, 0, "BZh", 3);
}

/* A file that is only compressed is no archive. */
static bool
is_compressed(const char *octets, size_t size)
{
	return begins_with(octets, size, 0, "\x1f\x8b", 2) ||
		   begins_with(octets, size, 0,
			   "\xfd"
			   "7zXZ",
			   6) ||
		   begins_with(octets, size, 0, "\x28\xb5\x2f\xfd", 4);
}

/* 7z compresses its directory, too. */
static size_t
piece_for(const char *octets, size_t size)
{
	return is_compressed(octets, size) || octets[0] == '7' ? PIECE_COMPRESSED : PIECE;
}

/* An archive whose names are encrypted says so only in the words of its error. */
static bool
is_about_encryption(const char *error)
{
	return error != NULL && (strstr(error, "ncrypt") != NULL || strstr(error, "Crypto") != NULL);
}

static ArchiveResult
reader_result(struct archive *reader, const Source *source, int status, unsigned entries)
{
	if (status == ARCHIVE_EOF)
		return ARCHIVE_LISTED;
	/* asked before it knows the format, libarchive follows a pointer that leads nowhere (3.6.2) */
	if ((archive_format(reader) != 0 && archive_read_has_encrypted_entries(reader) > 0) ||
		is_about_encryption(archive_error_string(reader)))
		return ARCHIVE_ENCRYPTED;
	if (entries == 0 && is_compressed(source->octets, source->size) && thread_time() <= source->until)
		return ARCHIVE_IS_NONE;
	return ARCHIVE_UNLISTED;
}

static ArchiveResult
reader_list(struct archive *reader, const Source *source, unsigned most, ArchiveVisit *visit, void *data)
{
	struct archive_entry *entry;
	unsigned entries = 0;
	int status = archive_read_open1(reader);

	if (status != ARCHIVE_OK)
		return reader_result(reader, source, status, 0);
	while ((status = archive_read_next_header(reader, &entry)) == ARCHIVE_OK || status == ARCHIVE_WARN) {
		const char *utf8 = archive_entry_pathname_utf8(entry);
		const char *name = utf8 != NULL ? utf8 : archive_entry_pathname(entry);
		g_autofree char *valid = g_utf8_make_valid(name != NULL ? name : "", -1);

		if (++entries > most)
			return ARCHIVE_CUT;
		if (thread_time() > source->until)
			return ARCHIVE_UNLISTED;
		if (!visit(valid, archive_entry_is_encrypted(entry) != 0, data))
			return ARCHIVE_LISTED;
	}
	return reader_result(reader, source, status, entries);
}

static ArchiveResult
archive_list_by_library(
	const char *octets, size_t size, const ArchiveLimits *limits, ArchiveVisit *visit, void *data)
{
	const int64_t begun = thread_time();
	Source source = { octets, size, 0, piece_for(octets, size), begun + *limits->time_left };
	struct archive *reader = reader_new(&source);
	const ArchiveResult result = reader_list(reader, &source, limits->most_entries, visit, data);

	(void)archive_read_free(reader);
	*limits->time_left -= thread_time() - begun;
	return result;
}

/* One that begins with the first octet, and is no zip file. */
static ArchiveResult
archive_list_other(const char *octets, size_t size, const ArchiveLimits *limits, ArchiveVisit *visit, void *data)
{
	/* 45 octets of bzip2 may be a megabyte: no piece is small */
	if (*limits->time_left <= 0 || is_bzip2(octets, size))
		return ARCHIVE_UNLISTED;
	return archive_list_by_library(octets, size, limits, visit, data) |
		   (archive_is_encrypted_rar5(octets, size, limits->most_entries) ? ARCHIVE_ENCRYPTED : 0);
}

/* One may stand behind something else, and what stands there may look like one. */
static ArchiveResult
archive_list_others(const char *octets, size_t size, const ArchiveLimits *limits, ArchiveVisit *visit, void *data)
{
	const bool is_one = archive_is_one(octets, size) && !archive_is_zip(octets, size);
	ArchiveResult result = is_one ? archive_list_other(octets, size, limits, visit, data) : ARCHIVE_IS_NONE;
	const char *at = octets + (is_one ? 1 : 0), *end = octets + size;

	for (unsigned n = 0; (at = archive_find_other(octets, size, at)) != NULL; n++, at++) {
		if (n == OTHERS_MOST)
			return result | ARCHIVE_UNLISTED;
		result |= archive_list_other(at, (size_t)(end - at), limits, visit, data);
	}
	return result;
}

ArchiveResult
archive_list(const char *octets, size_t size, const ArchiveLimits *limits, ArchiveVisit *visit, void *data)
{
	bool is_whole;
	const ArchiveResult result = archive_list_zip(octets, size, limits, visit, data, &is_whole);

	return is_whole ? result : result | archive_list_others(octets, size, limits, visit, data);
}
