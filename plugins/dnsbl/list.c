/* list.c - one DNS list: its row of the configuration, its names, its codes. */
#include "list.h"

#include <arpa/inet.h>
#include <string.h>

enum { ZONE_MAX = 180, LABEL_MAX = 63, KEY_LABEL_LEAST = 16, REASON_MAX = 200 };

#define ERRORS_FIRST UINT32_C(0x7fffff00) /* 127.255.255.0/24 */
#define ERRORS_LAST UINT32_C(0x7fffffff)
#define TEST_IPV6 ".0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0"

enum { TESTS_IPV4 = 2 };

/* RFC 5782 5: of IPv4, then of IPv6. */
static const ListTest tests[] = {
	{ "1.0.0.127", false, false, "127.0.0.1", NULL },
	{ "2.0.0.127", true, false, "127.0.0.2", ": is it the right zone, and alive?" },
	{ "1" TEST_IPV6, false, false, "127.0.0.1", NULL },
	{ "2" TEST_IPV6, true, false, "::FFFF:7F00:2", "; if it knows IPv4 only, set ipv6 = no" },
};

/* ---- codes ---- */

static bool
list_read_address(const char *text, guint32 *number)
{
	struct in_addr address;

	if (inet_pton(AF_INET, text, &address) != 1)
		return false;
	*number = ntohl(address.s_addr);
	return true;
}

static bool
list_is_code(guint32 number)
{
	return number >> 24 == 127 && (number < ERRORS_FIRST || number > ERRORS_LAST);
}

/* "127.0.0.4" or "127.0.0.4-127.0.0.7" */
static bool
list_read_codes(const char *text, Codes *codes)
{
	g_auto(GStrv) ends = g_strsplit(text, "-", 2);

	if (ends[0] == NULL || !list_read_address(ends[0], &codes->first))
		return false;
	codes->last = codes->first;
	return ends[1] == NULL || list_read_address(ends[1], &codes->last);
}

char *
list_codes_complaint(const char *const *words)
{
	if (*words == NULL)
		return g_strdup("no code: then it lists nobody");
	for (; *words != NULL; words++) {
		Codes codes;

		if (!list_read_codes(*words, &codes))
			return g_strdup_printf(
				"\"%s\" is neither an address nor a range of them (127.0.0.4-127.0.0.7)", *words);
		if (codes.last < codes.first)
			return g_strdup_printf("\"%s\" ends before it begins", *words);
		if (!list_is_code(codes.first) || !list_is_code(codes.last))
			return g_strdup_printf(
				"\"%s\": lists answer with 127.0.0.0/8, and mean errors with 127.255.255.0/24", *words);
	}
	return NULL;
}

static bool
list_counts(const List *list, guint32 number)
{
	for (guint i = 0; i < list->codes->len; i++) {
		const Codes *codes = &g_array_index(list->codes, Codes, i);

		if (number >= codes->first && number <= codes->last)
			return true;
	}
	return false;
}

/* One error makes the whole answer one: whoever answers so is not to be believed. */
Meaning
list_meaning(const List *list, const PtnAnswer *answer, const char **value)
{
	Meaning meaning = MEANS_NOTHING;

	*value = NULL;
	if (answer->status == PTN_UNSURE)
		return MEANS_UNKNOWN;
	for (size_t i = 0; answer->status == PTN_OK && i < answer->count; i++) {
		guint32 number;
		Meaning one;

		if (!list_read_address(answer->values[i], &number) || !list_is_code(number))
			one = MEANS_ERROR;
		else
			one = list_counts(list, number) ? MEANS_LISTED : MEANS_OTHER;
		if (one > meaning) {
			meaning = one;
			*value = answer->values[i];
		}
	}
	return meaning;
}

/* ---- zones and keys ---- */

static bool
list_is_name(const char *name)
{
	g_auto(GStrv) labels = g_strsplit(name, ".", -1);

	for (char **label = labels; *label != NULL; label++) {
		const size_t length = strlen(*label);

		if (length == 0 || length > LABEL_MAX ||
			(*label)[strspn(*label, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")] != '\0')
			return false;
	}
	return labels[0] != NULL && strlen(name) <= ZONE_MAX;
}

char *
list_zone_complaint(const char *zone)
{
	if (zone[0] == '@')
		return g_strdup("a file is named by its whole path: zone = @/etc/…");
	if (!list_is_name(zone) || strchr(zone, '.') == NULL)
		return g_strdup("the value is not the domain of a list");
	return NULL;
}

char *
list_key_complaint(const char *key)
{
	if (key[0] == '@')
		return g_strdup("a file is named by its whole path: key = @/etc/…");
	return list_is_name(key) ? NULL : g_strdup("the value cannot be part of a domain name");
}

/* Nobody names a zone in sixteen letters with digits among them. */
static bool
list_is_key(const char *label)
{
	return strlen(label) >= KEY_LABEL_LEAST && strpbrk(label, "0123456789") != NULL;
}

/* Without what looks like a key, and what stands before it. */
static char *
list_show_zone(const char *zone)
{
	g_auto(GStrv) labels = g_strsplit(zone, ".", -1);
	const guint n = g_strv_length(labels);
	guint first = 0;

	for (guint i = 0; i + 1 < n; i++)
		if (list_is_key(labels[i]))
			first = i + 1;
	/* "KEY.xbl.dq.spamhaus.net", whatever the key looks like */
	if (n > 4 && g_ascii_strcasecmp(labels[n - 1], "net") == 0 &&
		g_ascii_strcasecmp(labels[n - 2], "spamhaus") == 0 && g_ascii_strcasecmp(labels[n - 3], "dq") == 0)
		first = MAX(first, n - 4);
	return g_strjoinv(".", labels + first);
}

/* ---- the configuration ---- */

static const char *
list_option(PtnHook *h, const char *item, const char *option)
{
	return ptn_option(h, ptn_format(h, "%s/%s", item, option));
}

static void
list_free(void *data)
{
	List *list = data;

	g_free(list->name);
	g_free(list->zone);
	g_free(list->shown);
	g_free(list->text);
	g_free(list->label);
	g_array_unref(list->codes);
	health_clear(&list->health);
	g_free(list);
}

static Meaning
list_meaning_of(const void *list, const PtnAnswer *answer, const char **value)
{
	return list_meaning(list, answer, value);
}

static void
list_init_health(List *list)
{
	list->label = g_strdup_printf("%s (%s)", list->name, list->shown);
	list->health.name = list->name;
	list->health.label = list->label;
	list->health.zone = list->zone;
	list->health.tests = tests;
	list->health.n_tests = list->takes_ipv6 ? G_N_ELEMENTS(tests) : TESTS_IPV4;
	list->health.meaning = list_meaning_of;
	list->health.list = list;
	health_init(&list->health);
}

static List *
list_read(PtnHook *h, const char *item)
{
	List *list = g_new0(List, 1);
	const char *zone = list_option(h, item, "zone"), *key = list_option(h, item, "key");
	const char *text = list_option(h, item, "text");
	const char *const *words = ptn_option_list(h, ptn_format(h, "%s/codes", item));

	list->name = g_strdup(item);
	list->zone = key != NULL && key[0] != '\0' ? g_strdup_printf("%s.%s", key, zone) : g_strdup(zone);
	list->shown = list_show_zone(zone);
	list->text = text != NULL && text[0] != '\0' ? g_strdup(text) : NULL;
	list->codes = g_array_new(FALSE, FALSE, sizeof(Codes));
	for (; *words != NULL; words++) {
		Codes codes;

		if (list_read_codes(*words, &codes))
			g_array_append_val(list->codes, codes);
	}
	list->weight = ptn_option_number(h, ptn_format(h, "%s/weight", item));
	list->action = (Action)ptn_option_number(h, ptn_format(h, "%s/action", item));
	list->takes_ipv6 = ptn_option_number(h, ptn_format(h, "%s/ipv6", item)) != 0;
	list_init_health(list);
	return list;
}

GPtrArray *
list_read_all(PtnHook *h)
{
	GPtrArray *lists = g_ptr_array_new_with_free_func(list_free);

	for (const char *const *item = ptn_option_items(h); *item != NULL; item++)
		g_ptr_array_add(lists, list_read(h, *item));
	return lists;
}

/* ---- names ---- */

const char *
list_name(PtnHook *h, const List *list, const char *ip)
{
	return ptn_format(h, "%s.%s", ptn_reversed(h, ip), list->zone);
}

/* ---- reasons ---- */

/* A list may repeat what it was asked. */
static bool
list_tells_secret(const List *list, const char *text)
{
	const size_t extra = strlen(list->zone) - MIN(strlen(list->shown), strlen(list->zone));
	g_autofree char *secret = g_strndup(list->zone, extra > 0 ? extra - 1 : 0);
	g_autofree char *lower = g_ascii_strdown(text, -1);
	g_autofree char *wanted = g_ascii_strdown(secret, -1);

	return wanted[0] != '\0' && strstr(lower, wanted) != NULL;
}

static const char *
list_clean(PtnHook *h, const char *text)
{
	g_autofree char *clean = g_strndup(text, REASON_MAX);

	for (char *c = clean; *c != '\0'; c++)
		if (!g_ascii_isprint(*c))
			*c = '?';
	return ptn_format(h, "; %s", g_strstrip(clean));
}

const char *
list_reason(PtnHook *h, const List *list, const char *ip)
{
	const PtnAnswer *answer;

	if (list->text != NULL) {
		g_auto(GStrv) parts = g_strsplit(list->text, "%{client}", -1);
		g_autofree char *text = g_strjoinv(ip, parts);

		return list_clean(h, text);
	}
	answer = ptn_dns(h, list_name(h, list, ip), PTN_TXT);
	if (answer->status != PTN_OK || answer->count == 0 || list_tells_secret(list, answer->values[0]))
		return "";
	return list_clean(h, answer->values[0]);
}
