/* rules.c - a head of numbers, then texts, each with a NUL behind it. */
#include "plugins/attachments/rules.h"

#include <string.h>

#include "plugins/attachments/names.h"

enum { FOUND_NAME_MOST = 300 };

typedef struct {
	bool looks_into_archives, refuses_encrypted, refuses_unlisted;
	unsigned most_entries;
	size_t most_archive;
	MimeLimits mime;
	unsigned n_names, n_types;
} RulesHead;

typedef struct {
	uint8_t why, is_cut, is_unlisted;
} FindingHead;

/* ---- rules ---- */

static unsigned
rules_add_list(GByteArray *octets, const char *const *list)
{
	unsigned n = 0;

	for (; list[n] != NULL; n++)
		g_byte_array_append(octets, (const guint8 *)list[n], (guint)strlen(list[n]) + 1);
	return n;
}

GBytes *
rules_pack(PtnHook *h)
{
	GByteArray *octets = g_byte_array_new();
	RulesHead head;

	memset(&head, 0, sizeof head); /* its gaps, too: rules that are equal are equal octets */
	head.looks_into_archives = ptn_option_number(h, "archives") != 0;
	head.refuses_encrypted = ptn_option_number(h, "encrypted") == 1;
	head.refuses_unlisted = ptn_option_number(h, "unlisted") == 1;
	head.most_entries = (unsigned)ptn_option_number(h, "most-entries");
	head.most_archive = (size_t)ptn_option_number(h, "most-archive");
	head.mime.most_parts = (unsigned)ptn_option_number(h, "most-parts");
	head.mime.most_depth = (unsigned)ptn_option_number(h, "most-depth");
	g_byte_array_append(octets, (const guint8 *)&head, sizeof head);
	head.n_names = rules_add_list(octets, ptn_option_list(h, "names"));
	head.n_types = rules_add_list(octets, ptn_option_list(h, "types"));
	memcpy(octets->data, &head, sizeof head);
	return g_byte_array_free_to_bytes(octets);
}

static bool
rules_take_list(const char **at, const char *end, unsigned n, GPtrArray **patterns)
{
	g_autoptr(GPtrArray) texts = g_ptr_array_new();

	for (; n > 0; n--) {
		if (*at >= end || memchr(*at, '\0', (size_t)(end - *at)) == NULL)
			return false;
		g_ptr_array_add(texts, (void *)(uintptr_t)*at);
		*at += strlen(*at) + 1;
	}
	g_ptr_array_add(texts, NULL);
	*patterns = patterns_new((const char *const *)texts->pdata);
	return true;
}

bool
rules_unpack(InspectRules *rules, const void *octets, size_t size)
{
	const char *at = octets, *end = at + size;
	RulesHead head;

	*rules = (InspectRules){ 0 };
	if (size < sizeof head)
		return false;
	memcpy(&head, at, sizeof head);
	at += sizeof head;
	rules->looks_into_archives = head.looks_into_archives;
	rules->refuses_encrypted = head.refuses_encrypted;
	rules->refuses_unlisted = head.refuses_unlisted;
	rules->most_entries = head.most_entries;
	rules->most_archive = head.most_archive;
	rules->mime = head.mime;
	if (rules_take_list(&at, end, head.n_names, &rules->names) &&
		rules_take_list(&at, end, head.n_types, &rules->types))
		return true;
	rules_clear(rules);
	return false;
}

void
rules_clear(InspectRules *rules)
{
	g_clear_pointer(&rules->names, g_ptr_array_unref);
	g_clear_pointer(&rules->types, g_ptr_array_unref);
}

/* ---- findings ---- */

void
finding_pack(const Finding *finding, PtnParse *parse)
{
	const FindingHead head = { (uint8_t)finding->why, finding->is_cut, finding->is_unlisted };

	ptn_parsed(parse, &head, sizeof head);
	if (finding->name != NULL)
		ptn_parsed(parse, finding->name, strlen(finding->name));
}

static bool
is_printable(const char *text, size_t size)
{
	while (size > 0 && text[size - 1] >= ' ' && text[size - 1] <= '~')
		size--;
	return size == 0;
}

bool
finding_unpack(Finding *finding, const char *octets, size_t size)
{
	FindingHead head;
	bool has_name;

	*finding = (Finding){ 0 };
	if (size < sizeof head)
		return false;
	memcpy(&head, octets, sizeof head);
	octets += sizeof head;
	size -= sizeof head;
	has_name = size > 0;
	if (head.why >= FOUND_WHYS || has_name != (head.why != FOUND_NOTHING) || size > FOUND_NAME_MOST ||
		!is_printable(octets, size))
		return false;
	finding->why = (FoundWhy)head.why;
	finding->is_cut = head.is_cut != 0;
	finding->is_unlisted = head.is_unlisted != 0;
	finding->name = has_name ? g_strndup(octets, size) : NULL;
	return true;
}
