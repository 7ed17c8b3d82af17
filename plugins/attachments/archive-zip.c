/* archive-zip.c - the names in a zip file (APPNOTE 4.3), in each way that a program may read it.
 *
 * Programs differ in where they look: in the directory that the last end record names, or the one
 * right before it, or before another end record; or at local headers, one after the other or
 * wherever their signature stands.  If the members fill the file from its first octet to one
 * directory that says the same as they do, all of them see the same, and the directory is read.
 * Any other file is searched for headers of both kinds, and the names of all of them count: one
 * pass, whatever the records say about sizes and places. */
#include <glib.h>
#include <string.h>

#include "plugins/attachments/archive.h"

enum {
	END_SIZE = 22,
	CENTRAL_SIZE = 46,
	LOCAL_SIZE = 30,
	SIGNATURE_SIZE = 4,
	NAME_MOST = 1024, /* octets at the end of a name that are looked at: there it says what it is */
	EXTRAS_MOST = 16, /* extra fields, for each entry that may be listed, on the average */
	UNICODE_PATH = 0x7075,
	FLAG_ENCRYPTED = 1,
	FLAG_DESCRIPTOR = 8, /* sizes stand behind the data */
	FLAG_STRONG = 0x40,
	FLAG_MASKED = 0x2000, /* the directory is encrypted, and names elsewhere are made up */
	METHOD_AES = 99,
};

/* One of a member: in the directory, or before its data. */
typedef struct {
	const char *name;
	size_t size, name_size, extra_size,
		rest_size; /* of its fixed part, and of what follows: name, extra fields, comment */
	unsigned flags, method;
	uint32_t packed, offset; /* octets of the data; where the local header is */
} Header;

typedef struct {
	const char *octets, *end;
	const ArchiveLimits *limits;
	ArchiveVisit *visit;
	void *data;
	unsigned n_central, n_local; /* headers that were visited */
	uint64_t n_extras;
	bool has_local; /* one that can be one */
	bool is_masked, is_over, is_cut;
} Zip;

static unsigned
word(const char *at)
{
	return (unsigned char)at[0] | (unsigned)(unsigned char)at[1] << 8;
}

static uint32_t
number(const char *at)
{
	return word(at) | (uint32_t)word(at + 2) << 16;
}

static bool
has_signature(const char *at, const char *end, const char *signature)
{
	return end - at >= SIGNATURE_SIZE && memcmp(at, signature, SIGNATURE_SIZE) == 0;
}

/* ---- headers ---- */

/* What follows the fixed part may be cut by the end of the file.  False: there is no header. */
static bool
header_read(Header *header, const char *at, const char *end)
{
	const bool is_central = has_signature(at, end, "PK\1\2");
	const size_t size = is_central ? CENTRAL_SIZE : LOCAL_SIZE;
	const char *common = at + (is_central ? 8 : 6); /* flags, method, …, in both alike */

	if ((!is_central && !has_signature(at, end, "PK\3\4")) || (size_t)(end - at) < size)
		return false;
	*header = (Header){ .name = at + size,
		.size = size,
		.name_size = word(common + 20),
		.extra_size = word(common + 22),
		.flags = word(common),
		.method = word(common + 2),
		.packed = number(common + 12),
		.offset = is_central ? number(at + 42) : 0 };
	header->rest_size = header->name_size + header->extra_size + (is_central ? word(at + 32) : 0);
	return true;
}

/* No octets of something else that happen to look like one: it has a name, it fits, and programs
 * know its method. */
static bool
header_is_likely(const Header *header, const char *end)
{
	return header->name_size > 0 && header->rest_size <= (size_t)(end - header->name) &&
		   (header->method <= 20 || (header->method >= 93 && header->method <= METHOD_AES));
}

static bool
header_is_encrypted(const Header *header)
{
	return (header->flags & (FLAG_ENCRYPTED | FLAG_STRONG | FLAG_MASKED)) != 0 || header->method == METHOD_AES;
}

/* ---- names ---- */

/* Old archives have names of old code pages: what is beyond ASCII there is replaced, and compared
 * with no pattern. */
static void
zip_visit_piece(Zip *zip, const char *name, size_t size, bool is_encrypted)
{
	const size_t cut = size - MIN(size, NAME_MOST);
	g_autofree char *valid = g_utf8_make_valid(name + cut, (gssize)(size - cut));

	zip->is_over = zip->is_over || !zip->visit(valid, is_encrypted, zip->data);
}

static size_t
without_nul(const char *name, size_t size, char *out)
{
	size_t n = 0;

	for (size_t i = 0; i < size; i++)
		if (name[i] != '\0')
			out[n++] = name[i];
	return n;
}

/* A program ends a name at NUL, at the first one behind something, or it drops all. */
static void
zip_visit_name(Zip *zip, const char *name, size_t size, bool is_encrypted)
{
	const size_t first = strnlen(name, size), cut = size - MIN(size, NAME_MOST);
	char joined[NAME_MOST];
	size_t start = first;

	zip_visit_piece(zip, name, first, is_encrypted);
	if (first == size)
		return;
	while (first == 0 && start < size && name[start] == '\0')
		start++;
	if (first == 0)
		zip_visit_piece(zip, name + start, strnlen(name + start, size - start), is_encrypted);
	zip_visit_piece(zip, joined, without_nul(name + cut, size - cut, joined), is_encrypted);
}

/* Some programs go by the name in this extra field (4.6.9). */
static void
zip_visit_extras(Zip *zip, const char *extra, size_t size, bool is_encrypted)
{
	while (size >= 4 && !zip->is_cut && !zip->is_over) {
		const size_t length = MIN(word(extra + 2), size - 4);

		if (word(extra) == UNICODE_PATH && length > 5)
			zip_visit_name(zip, extra + 9, length - 5, is_encrypted);
		extra += 4 + length;
		size -= 4 + length;
		zip->is_cut = ++zip->n_extras > (uint64_t)zip->limits->most_entries * EXTRAS_MOST;
	}
}

static void
zip_visit_header(Zip *zip, const Header *header)
{
	const size_t left = (size_t)(zip->end - header->name), name = MIN(header->name_size, left);
	const bool is_encrypted = header_is_likely(header, zip->end) && header_is_encrypted(header);
	unsigned *n = header->size == CENTRAL_SIZE ? &zip->n_central : &zip->n_local;

	zip->is_cut |= ++*n > zip->limits->most_entries;
	if (zip->is_cut)
		return;
	zip->is_masked |= is_encrypted && (header->flags & FLAG_MASKED) != 0;
	zip->has_local |= header->size == LOCAL_SIZE && header_is_likely(header, zip->end);
	zip_visit_name(zip, header->name, name, is_encrypted);
	zip_visit_extras(zip, header->name + name, MIN(header->extra_size, left - name), is_encrypted);
}

/* ---- files that all programs read in the same way ---- */

/* The last end record, if nothing but its comment is behind it. */
static const char *
zip_end_record(const Zip *zip)
{
	const size_t size = (size_t)(zip->end - zip->octets);

	for (size_t comment = 0; comment <= UINT16_MAX && END_SIZE + comment <= size; comment++) {
		const char *at = zip->end - END_SIZE - comment;

		if (has_signature(at, zip->end, "PK\5\6"))
			return word(at + 20) == comment && memmem(at + END_SIZE, comment, "PK", 2) == NULL ? at : NULL;
	}
	return NULL;
}

/* Both say the same, and the data is right behind the local one. */
static bool
headers_agree(const Header *central, const Header *local, const char *directory)
{
	return (local->flags & FLAG_DESCRIPTOR) == 0 && central->flags == local->flags &&
		   central->method == local->method && central->packed == local->packed &&
		   central->name_size == local->name_size &&
		   local->rest_size + (uint64_t)local->packed <= (uint64_t)(directory - local->name) &&
		   memcmp(central->name, local->name, local->name_size) == 0;
}

/* The directory of a file whose members fill it; NULL: programs may differ about it. */
static const char *
zip_only_directory(const Zip *zip, const char *record)
{
	const uint64_t before = (uint64_t)(record - zip->octets);
	const char *directory = zip->octets + number(record + 16), *at = directory, *member = zip->octets;
	unsigned entries = 0;
	Header central, local;

	if ((uint64_t)number(record + 12) + number(record + 16) != before || number(record + 4) != 0)
		return NULL;
	for (; at < record; at = central.name + central.rest_size, entries++) {
		if (!header_read(&central, at, record) || central.size != CENTRAL_SIZE ||
			central.rest_size > (size_t)(record - central.name) ||
			central.offset != (uint64_t)(member - zip->octets) || !header_read(&local, member, directory) ||
			local.size != LOCAL_SIZE || !headers_agree(&central, &local, directory))
			return NULL;
		member = local.name + local.rest_size + local.packed;
	}
	return member == directory && word(record + 8) == entries && word(record + 10) == entries ? directory : NULL;
}

static void
zip_list(Zip *zip, const char *directory, const char *record)
{
	for (const char *at = directory; at < record && !zip->is_cut && !zip->is_over;) {
		Header central, local;

		(void)header_read(&central, at, record);
		(void)header_read(&local, zip->octets + central.offset, directory);
		zip_visit_header(zip, &central);
		zip_visit_extras(zip, local.name + local.name_size, local.extra_size, false);
		at = central.name + central.rest_size;
	}
}

/* ---- all others ---- */

/* Returns whether there is an end record, or what stands in its place where the directory is
 * encrypted. */
static ArchiveResult
zip_search(Zip *zip)
{
	ArchiveResult found = ARCHIVE_IS_NONE;
	Header header;

	for (const char *at = zip->octets; !zip->is_over && !zip->is_cut; at += 2) {
		at = memmem(at, (size_t)(zip->end - at), "PK", 2);
		if (at == NULL)
			break;
		if (header_read(&header, at, zip->end))
			zip_visit_header(zip, &header);
		else if (has_signature(at, zip->end, "PK\5\6") && zip->end - at >= END_SIZE)
			found |= zip->n_central > 0 || number(at + 8) == 0 ? ARCHIVE_LISTED : ARCHIVE_UNLISTED;
		else if (has_signature(at, zip->end, "PK\6\10") && zip->n_central == 0 && zip->n_local > 0)
			found |= ARCHIVE_ENCRYPTED;
	}
	return found;
}

static ArchiveResult
zip_result(const Zip *zip, ArchiveResult found)
{
	if (zip->is_cut)
		return ARCHIVE_CUT;
	if (zip->is_masked || (found & ARCHIVE_ENCRYPTED) != 0)
		return ARCHIVE_ENCRYPTED;
	if ((found & ARCHIVE_LISTED) != 0)
		return ARCHIVE_LISTED;
	if (found != ARCHIVE_IS_NONE || zip->has_local)
		return ARCHIVE_UNLISTED;
	return archive_is_zip(zip->octets, (size_t)(zip->end - zip->octets)) ? ARCHIVE_UNLISTED : ARCHIVE_IS_NONE;
}

ArchiveResult
archive_list_zip(
	const char *octets, size_t size, const ArchiveLimits *limits, ArchiveVisit *visit, void *data, bool *is_whole)
{
	Zip zip = { .octets = octets, .end = octets + size, .limits = limits, .visit = visit, .data = data };
	const char *record = zip_end_record(&zip);
	const char *directory = record != NULL ? zip_only_directory(&zip, record) : NULL;

	*is_whole = directory != NULL;
	if (directory == NULL)
		return zip_result(&zip, zip_search(&zip));
	zip_list(&zip, directory, record);
	return zip_result(&zip, ARCHIVE_LISTED);
}
