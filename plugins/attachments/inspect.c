/* inspect.c - each part: its names, its type, what it begins with, what is in it. */
#include "plugins/attachments/inspect.h"

#include <string.h>

#include "plugins/attachments/archive.h"
#include "plugins/attachments/names.h"

enum {
	BEGIN_SIZE = 1024, /* octets that tell what a file is */
	UU_FILES_MOST = 1000,
	ZIP_HERE_MOST = 20 << 20, /* octets, encoded; the memory that a larger one takes is a parser's */
	ARCHIVE_NS = 8000000,     /* of processor time for libarchive, in a message */
};

typedef struct {
	const InspectRules *rules;
	MimeMeans means;
	Finding *finding;
	const char *shown; /* of the part at hand: its name or its type */
	bool is_encrypted; /* an entry of the archive at hand */
	int64_t archive_ns;
	unsigned uu_files;
	bool needs_library;
} Inspection;

static void
find(Inspection *inspection, const char *inner, FoundWhy why)
{
	g_autofree char *shown = name_shown(inspection->shown), *inside = inner != NULL ? name_shown(inner) : NULL;

	if (inspection->finding->name != NULL)
		return;
	inspection->finding->name = inside != NULL ? g_strdup_printf("%s in %s", inside, shown) : g_strdup(shown);
	inspection->finding->why = why;
}

static bool
is_refused_name(const Inspection *inspection, const char *name)
{
	g_autofree char *folded = name_fold(name);

	return patterns_match(inspection->rules->names, folded);
}

/* ---- types ---- */

/* What the octets say, where it is something that runs: names and types may lie. */
static const char *
type_by_octets(const char *begin, size_t size)
{
	size_t header;

	if (size >= 4 && memcmp(begin,
						 "\x7f"
						 "ELF",
						 4) == 0)
		return "application/x-executable";
	if (size < 0x40 || memcmp(begin, "MZ", 2) != 0)
		return NULL;
	header = (unsigned char)begin[0x3c] | (size_t)(unsigned char)begin[0x3d] << 8 |
			 (size_t)(unsigned char)begin[0x3e] << 16;
	if (header + 4 <= size && memcmp(begin + header, "PE\0\0", 4) != 0)
		return NULL; /* text may begin with these letters */
	return "application/x-msdownload";
}

static void
inspect_type(Inspection *inspection, const MimePart *part, const char *begin, size_t size)
{
	const char *found = type_by_octets(begin, size);

	if (patterns_match(inspection->rules->types, part->type) ||
		(found != NULL && patterns_match(inspection->rules->types, found)))
		find(inspection, NULL, FOUND_KIND);
}

/* ---- archives ---- */

static bool
inspect_entry(const char *name, bool is_encrypted, void *data)
{
	Inspection *inspection = data;

	inspection->is_encrypted |= is_encrypted;
	if (is_refused_name(inspection, name))
		find(inspection, name, FOUND_KIND);
	return inspection->finding->name == NULL;
}

static void
inspect_archive(Inspection *inspection, const MimePart *part)
{
	const InspectRules *rules = inspection->rules;
	const ArchiveLimits limits = { rules->most_entries, &inspection->archive_ns };
	ArchiveResult result = ARCHIVE_CUT;
	g_autofree char *octets = NULL;
	size_t size;

	inspection->is_encrypted = false;
	octets = mime_decode(part, rules->most_archive + 1, &size);
	if (size <= rules->most_archive)
		result = archive_list(octets, size, &limits, inspect_entry, inspection);
	if ((result & ARCHIVE_UNLISTED) != 0 && rules->refuses_unlisted)
		find(inspection, NULL, FOUND_UNLISTED);
	if (((result & ARCHIVE_ENCRYPTED) != 0 || inspection->is_encrypted) && rules->refuses_encrypted)
		find(inspection, NULL, FOUND_ENCRYPTED);
	inspection->finding->is_unlisted |= (result & ARCHIVE_UNLISTED) != 0;
	inspection->finding->is_cut |= (result & ARCHIVE_CUT) != 0;
}

static void
search_octets(const char *octets, size_t size, void *data)
{
	archive_search(data, octets, size);
}

/* One may begin behind other octets. */
static void
inspect_archives(Inspection *inspection, const MimePart *part, const char *begin, size_t size)
{
	const bool is_one = archive_is_one(begin, size), is_zip = archive_is_zip(begin, size);
	ArchiveSearch search = { .has_other = is_one && !is_zip };

	if (!search.has_other)
		(void)mime_octets_pieces(part, inspection->rules->most_archive + 1, search_octets, &search);
	if (!is_one && !search.has_zip && !search.has_other)
		return;
	inspection->needs_library |= search.has_other || part->size > ZIP_HERE_MOST;
	if (inspection->means == MIME_LIBRARY || !inspection->needs_library)
		inspect_archive(inspection, part);
}

/* ---- files within text ---- */

/* Behind "begin ": the mode, a blank, the name.  New; NULL: it is something else. */
static char *
uuencoded_name(const char *at, const char *stop)
{
	const char *mode = at;

	while (at < stop && *at >= '0' && *at <= '7')
		at++;
	if ((at - mode != 3 && at - mode != 4) || at == stop || *at != ' ')
		return NULL;
	return g_strstrip(g_strndup(at + 1, (size_t)(stop - at) - 1));
}

/* "begin 644 name": what mail was before MIME, and some readers still make attachments of it. */
static void
inspect_uuencoded(Inspection *inspection, const MimePart *part)
{
	const char *at = part->data, *end = at + part->size;

	while (at < end && (at = memmem(at, (size_t)(end - at), "begin ", 6)) != NULL) {
		const bool is_line = at == part->data || at[-1] == '\n';
		const char *begin = at + 6;
		const char *stop = is_line ? memchr(begin, '\n', (size_t)(end - begin)) : NULL;
		g_autofree char *name = stop != NULL ? uuencoded_name(begin, stop) : NULL;

		if (name != NULL && ++inspection->uu_files > UU_FILES_MOST) {
			inspection->finding->is_cut = true;
			return;
		}
		if (name != NULL && is_refused_name(inspection, name)) {
			inspection->shown = name;
			find(inspection, NULL, FOUND_KIND);
		}
		at = begin;
	}
}

/* ---- parts ---- */

static const char *
shown_of(const MimePart *part)
{
	return part->names[0] != NULL ? part->names[0] : part->type;
}

static void
inspect_part(const MimePart *part, void *data)
{
	Inspection *inspection = data;
	g_autofree char *begin = NULL;
	size_t size;

	if (inspection->finding->name != NULL || (inspection->means == MIME_PLAIN && inspection->needs_library))
		return;
	inspection->shown = shown_of(part);
	for (const char *const *name = part->names; *name != NULL; name++)
		if (is_refused_name(inspection, *name)) {
			inspection->shown = *name;
			find(inspection, NULL, FOUND_KIND);
		}
	begin = mime_decode(part, BEGIN_SIZE, &size);
	inspect_type(inspection, part, begin, size);
	if (inspection->rules->looks_into_archives)
		inspect_archives(inspection, part, begin, size);
	if (part->encoding <= GMIME_CONTENT_ENCODING_BINARY && g_str_has_prefix(part->type, "text/"))
		inspect_uuencoded(inspection, part);
}

bool
inspect(Finding *finding, const char *content, size_t size, const InspectRules *rules, MimeMeans means)
{
	Inspection inspection = { .rules = rules, .means = means, .finding = finding, .archive_ns = ARCHIVE_NS };
	MimeResult result;

	*finding = (Finding){ 0 };
	result = mime_walk(content, size, &rules->mime, means, inspect_part, &inspection);
	finding->is_cut |= result == MIME_CUT;
	if (result != MIME_NOT_PLAIN && (means == MIME_LIBRARY || !inspection.needs_library))
		return true;
	g_clear_pointer(&finding->name, g_free);
	return false;
}
