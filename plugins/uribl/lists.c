/* lists.c - reading the items, and what an answer means to them. */
#include "plugins/uribl/lists.h"

#include <arpa/inet.h>
#include <string.h>

enum { CODES_BASE = 0x7f000000 };

/* ---- answers ---- */

static bool
address_parse(const char *text, uint32_t *address)
{
	struct in_addr binary;

	if (inet_pton(AF_INET, text, &binary) != 1)
		return false;
	*address = ntohl(binary.s_addr);
	return true;
}

static bool
code_is_error(uint32_t address)
{
	return (address & 0xff000000) != CODES_BASE || address == CODES_BASE + 1 || address == CODES_BASE + 255 ||
		   (address & 0xffffff00) == 0x7fffff00;
}

static bool
is_odd(uint32_t address)
{
	return (address & 0xffffff00) == CODES_BASE && (address & 1) != 0;
}

/* False: the list refuses to tell, or a resolver on the way makes answers up. */
static bool
answer_parse(const Zone *zone, const char *text, uint32_t *address)
{
	return address_parse(text, address) && !code_is_error(*address) && !(zone->has_bits && is_odd(*address));
}

static bool
item_lists(const Item *item, uint32_t address)
{
	if ((address & 0xffffff00) == CODES_BASE && (address & item->bits) != 0)
		return true;
	for (guint i = 0; i < item->codes->len; i++) {
		const CodeRange *range = &g_array_index(item->codes, CodeRange, i);

		if (address >= range->first && address <= range->last)
			return true;
	}
	return false;
}

bool
item_lists_answer(const Item *item, const PtnAnswer *answer)
{
	for (size_t i = 0; i < answer->count; i++) {
		uint32_t address;

		if (address_parse(answer->values[i], &address) && item_lists(item, address))
			return true;
	}
	return false;
}

Meaning
zone_meaning(const Zone *zone, const PtnAnswer *answer, const char **value)
{
	uint32_t address;

	*value = NULL;
	if (answer->status != PTN_OK || answer->count == 0)
		return answer->status == PTN_UNSURE ? MEANS_UNKNOWN : MEANS_NOTHING;
	for (size_t i = 0; i < answer->count; i++)
		if (!answer_parse(zone, answer->values[i], &address)) {
			*value = answer->values[i];
			return MEANS_ERROR;
		}
	*value = answer->values[0];
	for (guint i = 0; i < zone->items->len; i++)
		if (item_lists_answer(g_ptr_array_index(zone->items, i), answer))
			return MEANS_LISTED;
	return MEANS_OTHER;
}

/* ---- items ---- */

bool
code_range_parse(const char *text, CodeRange *range)
{
	const size_t size = strcspn(text, "-/");
	g_autofree char *first = g_strndup(text, size);
	guint64 bits;

	if (!address_parse(first, &range->first))
		return false;
	range->last = range->first;
	if (text[size] == '-' && !address_parse(text + size + 1, &range->last))
		return false;
	if (text[size] == '/') {
		if (!g_ascii_string_to_unsigned(text + size + 1, 10, 8, 32, &bits, NULL))
			return false;
		range->last = range->first | (bits < 32 ? 0xffffffffu >> bits : 0);
	}
	return range->first <= range->last && (range->first & 0xff000000) == CODES_BASE &&
		   (range->last & 0xff000000) == CODES_BASE;
}

static void
item_free(void *data)
{
	Item *item = data;

	g_array_unref(item->codes);
	g_free(item->text);
	g_free(item);
}

static void
zone_free(void *data)
{
	Zone *zone = data;

	health_clear(&zone->health);
	g_ptr_array_unref(zone->items);
	g_free(zone->name);
	g_free(zone);
}

/* An item that says neither bits nor codes takes each code that is no error. */
static bool
item_read_codes(PtnHook *h, Item *item, const char **why)
{
	const char *const *codes = ptn_option_list(h, ptn_format(h, "%s/codes", item->name));
	CodeRange range = { CODES_BASE + 2, CODES_BASE + 254 };

	item->bits = (unsigned)ptn_option_number(h, ptn_format(h, "%s/bits", item->name));
	if (item->bits == 0 && codes[0] == NULL)
		g_array_append_val(item->codes, range);
	for (; *codes != NULL; codes++) {
		if (!code_range_parse(*codes, &range)) {
			*why = ptn_format(h,
				"item %s: \"%s\" is no code of a list (127.0.0.2, 127.0.0.4-127.0.0.7, 127.0.1.0/24)", item->name,
				*codes);
			return false;
		}
		g_array_append_val(item->codes, range);
	}
	return true;
}

static Item *
item_read(PtnHook *h, const char *name, const char **why)
{
	Item *item = g_new0(Item, 1);
	const char *text = ptn_option(h, ptn_format(h, "%s/text", name));

	item->name = name;
	item->codes = g_array_new(FALSE, FALSE, sizeof(CodeRange));
	item->text = text != NULL ? g_strdup(text) : g_strdup_printf("listed in %s", name);
	item->action = (Action)ptn_option_number(h, ptn_format(h, "%s/action", name));
	if (item_read_codes(h, item, why))
		return item;
	item_free(item);
	return NULL;
}

static Meaning
zone_meaning_of(const void *zone, const PtnAnswer *answer, const char **value)
{
	return zone_meaning(zone, answer, value);
}

/* `item`: the first one, whose name lives as long as the instance. */
static void
zone_init_health(Zone *zone, const char *item)
{
	/* RFC 5782 5, of lists of domains, some of which have the entry of lists of addresses only */
	static const ListTest tests[] = {
		{ "invalid", false, false, "INVALID", NULL },
		{ "2.0.0.127", true, false, "127.0.0.2 or TEST", ": is it the right zone, and alive?" },
		{ "test", true, true, NULL, NULL },
	};

	zone->health.name = zone->health.label = item;
	zone->health.zone = zone->name;
	zone->health.tests = tests;
	zone->health.n_tests = G_N_ELEMENTS(tests);
	zone->health.meaning = zone_meaning_of;
	zone->health.list = zone;
	health_init(&zone->health);
}

static Zone *
zone_of(GPtrArray *zones, const char *name, const char *item)
{
	Zone *zone;

	for (guint i = 0; i < zones->len; i++) {
		zone = g_ptr_array_index(zones, i);
		if (g_ascii_strcasecmp(zone->name, name) == 0)
			return zone;
	}
	zone = g_new0(Zone, 1);
	zone->name = g_strdup(name);
	zone->items = g_ptr_array_new_with_free_func(item_free);
	zone_init_health(zone, item);
	g_ptr_array_add(zones, zone);
	return zone;
}

GPtrArray *
lists_read(PtnHook *h, const char **why)
{
	g_autoptr(GPtrArray) zones = g_ptr_array_new_with_free_func(zone_free);

	for (const char *const *name = ptn_option_items(h); *name != NULL; name++) {
		g_autofree char *zone = g_strdup(ptn_option(h, ptn_format(h, "%s/zone", *name)));
		Item *item;
		Zone *of;

		if (zone == NULL)
			*why = ptn_format(h, "item %s has no zone", *name);
		item = zone != NULL ? item_read(h, *name, why) : NULL;
		if (item == NULL)
			return NULL;
		of = zone_of(zones, zone, *name);
		of->has_bits |= item->bits != 0;
		g_ptr_array_add(of->items, item);
	}
	return g_steal_pointer(&zones);
}
