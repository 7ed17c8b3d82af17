/* fuzz-attachments.c - messages with attachments, and archives alone: names that are refused can be told in a reply.
 *
 * The first octet of an input says whether the rest is a message or an archive. */
#include <glib.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "plugins/attachments/archive.h"
#include "plugins/attachments/inspect.h"
#include "plugins/attachments/names.h"

enum { FUZZ_ARCHIVE = 1, FUZZ_STRICT = 2, FUZZ_MOST_ENTRIES = 50 };

static InspectRules rules;

static void
fuzz_start(void)
{
	static const char *const names[] = { "*.exe", "a?c*", NULL }, *const types[] = { "application/x-msdownload",
		"image/*", NULL };

	if (rules.names != NULL)
		return;
	mime_start();
	rules = (InspectRules){ .names = patterns_new(names),
		.types = patterns_new(types),
		.looks_into_archives = true,
		.most_entries = FUZZ_MOST_ENTRIES,
		.most_archive = 1 << 16,
		.mime = { 50, 20 } };
}

static bool
fuzz_entry(const char *name, bool is_encrypted, void *data)
{
	g_autofree char *folded = name_fold(name), *again = name_fold(folded), *shown = name_shown(name);
	unsigned *entries = data;

	(void)is_encrypted;
	g_assert(g_utf8_validate(folded, -1, NULL));
	g_assert(strlen(again) <= strlen(folded));
	for (const char *c = shown; *c != '\0'; c++)
		g_assert(g_ascii_isprint(*c));
	return ++*entries < 2 * FUZZ_MOST_ENTRIES;
}

static void
fuzz_archive(const char *octets, size_t size)
{
	int64_t time_left = INT64_C(50000000);
	const ArchiveLimits limits = { FUZZ_MOST_ENTRIES, &time_left };
	unsigned entries = 0;

	(void)archive_list(octets, size, &limits, fuzz_entry, &entries);
	g_assert(entries <= 2 * FUZZ_MOST_ENTRIES);
}

/* What is found without the library is what the library finds. */
static void
fuzz_plain(const char *octets, size_t size, const Finding *finding)
{
	Finding plain;

	if (!inspect(&plain, octets, size, &rules, MIME_PLAIN))
		return;
	g_assert(g_strcmp0(plain.name, finding->name) == 0 && plain.why == finding->why);
	g_assert(plain.is_cut == finding->is_cut && plain.is_unlisted == finding->is_unlisted);
	g_free(plain.name);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Finding finding;

	fuzz_start();
	if (size < 1)
		return 0;
	if ((data[0] & FUZZ_ARCHIVE) != 0) {
		fuzz_archive((const char *)data + 1, size - 1);
		return 0;
	}
	rules.refuses_encrypted = rules.refuses_unlisted = (data[0] & FUZZ_STRICT) != 0;
	g_assert(inspect(&finding, (const char *)data + 1, size - 1, &rules, MIME_LIBRARY));
	g_assert((finding.name == NULL) == (finding.why == FOUND_NOTHING));
	fuzz_plain((const char *)data + 1, size - 1, &finding);
	for (const char *c = finding.name; c != NULL && *c != '\0'; c++)
		g_assert(g_ascii_isprint(*c));
	g_free(finding.name);
	return 0;
}
