/* archive-search.c - where archives begin, at the start of a file or behind something else: a
 * program that unpacks itself, a text, another archive.  Programs that unpack look for signatures,
 * too. */
#include <glib.h>
#include <string.h>

#include "plugins/attachments/archive.h"

enum { TAR_MAGIC = 257, OTHERS_WITHIN = 8 << 20 };

typedef struct {
	size_t at, size;
	const char *magic;
} Magic;

static const Magic magics[] = { { 0, 4, "PK\3\4" }, { 0, 4, "PK\5\6" }, { 0, 4, "PK\1\2" }, { 0, 4, "PK\7\10" },
	{ 0, 6, "Rar!\x1a\x07" }, { 0, 6, "7z\xbc\xaf\x27\x1c" }, { TAR_MAGIC, 5, "ustar" }, { 0, 2, "\x1f\x8b" },
	{ 0, 3, "BZh" },
	{ 0, 6,
		"\xfd"
		"7zXZ" },
	{ 0, 4, "\x28\xb5\x2f\xfd" }, { 0, 4, "MSCF" } };

/* Those that are looked for at any place, with as many octets of them as are always the same. */
static const Magic zips[] = { { 0, 4, "PK\3\4" }, { 0, 4, "PK\5\6" }, { 0, 4, "PK\1\2" } };
static const Magic others[] = { { 0, 6, "Rar!\x1a\x07" }, { 0, 6, "7z\xbc\xaf\x27\x1c" },
	{ 0, 8, "MSCF\0\0\0\0" } };

bool
archive_is_one(const char *begin, size_t size)
{
	for (size_t i = 0; i < G_N_ELEMENTS(magics); i++)
		if (size >= magics[i].at + magics[i].size &&
			memcmp(begin + magics[i].at, magics[i].magic, magics[i].size) == 0)
			return true;
	return false;
}

bool
archive_is_zip(const char *begin, size_t size)
{
	return archive_is_one(begin, size) && begin[0] == 'P' && begin[1] == 'K';
}

static const char *
find_first(const char *octets, size_t size, const Magic *which, size_t n)
{
	const char *first = NULL;

	for (size_t i = 0; i < n; i++) {
		const size_t within = first != NULL ? (size_t)(first - octets) + which[i].size - 1 : size;
		const char *found = memmem(octets, MIN(within, size), which[i].magic, which[i].size);

		first = found != NULL ? found : first;
	}
	return first;
}

static const char *
find_zip(const char *octets, size_t size)
{
	return find_first(octets, size, zips, G_N_ELEMENTS(zips));
}

/* In octets that come behind `seen` others. */
static const char *
find_other(const char *octets, size_t size, size_t seen)
{
	const size_t within = OTHERS_WITHIN - MIN(seen, OTHERS_WITHIN);

	return find_first(octets, MIN(size, within), others, G_N_ELEMENTS(others));
}

void
archive_search(ArchiveSearch *search, const char *octets, size_t size)
{
	char border[2 * ARCHIVE_SEARCH_TAIL];
	const size_t head = MIN(size, ARCHIVE_SEARCH_TAIL), whole = search->tail_size + head;
	size_t tail;

	memcpy(border, search->tail, search->tail_size);
	memcpy(border + search->tail_size, octets, head);
	search->has_zip = search->has_zip || find_zip(border, whole) != NULL || find_zip(octets, size) != NULL;
	search->has_other = search->has_other || find_other(border, whole, search->seen - search->tail_size) != NULL ||
						find_other(octets, size, search->seen) != NULL;
	search->seen += size;
	tail = MIN(whole, ARCHIVE_SEARCH_TAIL);
	memcpy(search->tail, size >= tail ? octets + size - tail : border + whole - tail, tail);
	search->tail_size = tail;
}

const char *
archive_find_other(const char *octets, size_t size, const char *from)
{
	const size_t seen = (size_t)(from - octets);

	return find_other(from, size - seen, seen);
}
