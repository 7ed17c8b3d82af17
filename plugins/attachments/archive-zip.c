/* archive-zip.c - the central directory of a zip file (APPNOTE 4.3.12, 4.3.16): one pass over what stands there. */
#include "plugins/attachments/archive.h"

#include <glib.h>
#include <string.h>

enum {
	END_SIZE = 22,
	ENTRY_SIZE = 46,
	COMMENT_MOST = 65535,
	LOCATOR_SIZE = 20, /* of zip64 */
	END64_SIZE = 56,
	UNICODE_PATH = 0x7075,
	FLAG_ENCRYPTED = 1,
	FLAG_HEADER_ENCRYPTED = 0x2000,
};

static unsigned
word(const char *at)
{
	return (unsigned char)at[0] | (unsigned)(unsigned char)at[1] << 8;
}

static uint64_t
number(const char *at, unsigned octets)
{
	uint64_t value = 0;

	while (octets-- > 0)
		value = value << 8 | (unsigned char)at[octets];
	return value;
}

/* The last "end of central directory" that the file has. */
static const char *
zip_end(const char *octets, size_t size)
{
	const char *least = size > END_SIZE + COMMENT_MOST ? octets + size - END_SIZE - COMMENT_MOST : octets;

	if (size < END_SIZE)
		return NULL;
	for (const char *at = octets + size - END_SIZE; at >= least; at--)
		if (at[0] == 'P' && memcmp(at, "PK\5\6", 4) == 0)
			return at;
	return NULL;
}

/* Large archives say where it is elsewhere. */
static void
zip_read_end64(const char *octets, const char *end, uint64_t *length, uint64_t *offset)
{
	const char *locator = end - octets >= LOCATOR_SIZE ? end - LOCATOR_SIZE : NULL;
	uint64_t at;

	if (locator == NULL || memcmp(locator, "PK\6\7", 4) != 0)
		return;
	at = number(locator + 8, 8);
	if ((uint64_t)(locator - octets) < END64_SIZE || at > (uint64_t)(locator - octets) - END64_SIZE ||
		memcmp(octets + at, "PK\6\6", 4) != 0)
		return;
	*length = number(octets + at + 40, 8);
	*offset = number(octets + at + 48, 8);
}

/* Where the directory may begin: right before its end, as programs find it that have something before the archive, and
 * where it says.  Programs differ in which of them they believe, so both count if they are two.  NULL: not there. */
typedef struct {
	const char *near, *told;
} Directories;

static Directories
zip_directories(const char *octets, const char *end)
{
	uint64_t length = number(end + 12, 4), offset = number(end + 16, 4);
	const uint64_t before = (uint64_t)(end - octets);
	Directories found = { NULL, NULL };

	if (length == UINT32_MAX || offset == UINT32_MAX)
		zip_read_end64(octets, end, &length, &offset);
	if (length >= ENTRY_SIZE && length <= before && memcmp(end - length, "PK\1\2", 4) == 0)
		found.near = end - length;
	if (before >= ENTRY_SIZE && offset <= before - ENTRY_SIZE && memcmp(octets + offset, "PK\1\2", 4) == 0)
		found.told = octets + offset;
	return found;
}

/* Old archives have names of old code pages: what is beyond ASCII there is replaced, and compared with no pattern. */
static bool
zip_visit(const char *name, size_t size, bool is_encrypted, ArchiveVisit *visit, void *data)
{
	g_autofree char *text = g_strndup(name, size);
	g_autofree char *valid = g_utf8_make_valid(text, -1);

	return visit(valid, is_encrypted, data);
}

/* Some programs go by the name in this extra field (4.6.9). */
static bool
zip_visit_unicode_path(const char *extra, size_t size, bool is_encrypted, ArchiveVisit *visit, void *data)
{
	while (size >= 4) {
		const size_t length = word(extra + 2);

		if (length > size - 4)
			return true;
		if (word(extra) == UNICODE_PATH && length > 5)
			return zip_visit(extra + 9, length - 5, is_encrypted, visit, data);
		extra += 4 + length;
		size -= 4 + length;
	}
	return true;
}

static ArchiveResult
zip_list_directory(const char *at, const char *end, const ArchiveLimits *limits, ArchiveVisit *visit, void *data)
{
	unsigned entries = 0;

	while (end - at >= ENTRY_SIZE && memcmp(at, "PK\1\2", 4) == 0) {
		const size_t name = word(at + 28), extra = word(at + 30), comment = word(at + 32);
		const bool is_encrypted = (word(at + 8) & FLAG_ENCRYPTED) != 0;

		if ((word(at + 8) & FLAG_HEADER_ENCRYPTED) != 0)
			return ARCHIVE_ENCRYPTED;
		if (name + extra > (size_t)(end - at) - ENTRY_SIZE)
			return ARCHIVE_UNLISTED;
		if (++entries > limits->most_entries)
			return ARCHIVE_CUT;
		if (!zip_visit(at + ENTRY_SIZE, name, is_encrypted, visit, data) ||
			!zip_visit_unicode_path(at + ENTRY_SIZE + name, extra, is_encrypted, visit, data))
			return ARCHIVE_LISTED;
		if (comment > (size_t)(end - at) - ENTRY_SIZE - name - extra)
			return ARCHIVE_UNLISTED;
		at += ENTRY_SIZE + name + extra + comment;
	}
	return ARCHIVE_LISTED;
}

ArchiveResult
archive_list_zip(const char *octets, size_t size, const ArchiveLimits *limits, ArchiveVisit *visit, void *data)
{
	const char *end = zip_end(octets, size);
	const Directories found = end != NULL ? zip_directories(octets, end) : (Directories){ NULL, NULL };
	ArchiveResult result = ARCHIVE_LISTED;

	if (found.near == NULL && found.told == NULL)
		return end != NULL && number(end + 10, 2) == 0 ? ARCHIVE_LISTED : ARCHIVE_UNLISTED;
	if (found.near != NULL)
		result = zip_list_directory(found.near, end, limits, visit, data);
	if (result != ARCHIVE_LISTED || found.told == NULL || found.told == found.near)
		return result;
	return zip_list_directory(found.told, end, limits, visit, data);
}
