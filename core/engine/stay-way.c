/* stay-way.c - what the directory says of the way of mail, to be compared later. */
#include <string.h>

#include "engine/domain.h"
#include "engine/stay.h"
#include "mail/bytes.h"
#include "proto/path.h"

#define STAY_REASON_START "mail for "
#define STAY_REASON_END " is accepted and held"

enum { STAY_SHA256 = 32 };

/* ---- reasons ---- */

char *
stay_reason(const char *domain)
{
	return g_strconcat(STAY_REASON_START, domain, STAY_REASON_END, NULL);
}

bool
stay_is_ours(const char *hold_reason)
{
	return hold_reason != NULL && !spool_is_adopting(hold_reason) &&
		   g_str_has_suffix(hold_reason, STAY_REASON_END) && strstr(hold_reason, STAY_REASON_START) != NULL;
}

bool
stay_reason_is_reserved(const char *reason)
{
	return stay_is_ours(reason) || spool_is_adopting(reason);
}

/* It neither begins nor ends as the reserved ones do. */
char *
stay_reason_of_plugin(const char *plugin, const char *reason)
{
	return stay_reason_is_reserved(reason) ? g_strdup_printf("%s: %s.", plugin, reason) : g_strdup(reason);
}

/* ---- one domain ---- */

char *
stay_way(const DirectoryEntry *domain)
{
	static const char *const names[] = { "mode", "destination", "port", "forward-to", "on-missing-host" };
	GString *way = g_string_new(NULL);

	for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
		const char *value = directory_entry_get(domain, names[i]);

		g_string_append_printf(way, "%s\n", value != NULL ? value : "");
	}
	return g_string_free(way, FALSE);
}

static void
stay_way_free(void *data)
{
	StayWay *way = data;

	g_free(way->domain);
	g_free(way->way);
	g_free(way);
}

void
stay_ways_add(GPtrArray **ways, const char *domain, const DirectoryEntry *entry)
{
	StayWay *way = g_new0(StayWay, 1);

	way->domain = g_strdup(domain);
	way->way = entry != NULL ? stay_way(entry) : NULL;
	if (*ways == NULL)
		*ways = g_ptr_array_new_with_free_func(stay_way_free);
	g_ptr_array_add(*ways, way);
}

const char *
stay_last_domain(const GPtrArray *ways)
{
	return ways != NULL ? ((const StayWay *)ways->pdata[ways->len - 1])->domain : NULL;
}

/* ---- all of them ---- */

uint64_t
stay_digest(const GPtrArray *ways)
{
	g_autoptr(GChecksum) checksum = g_checksum_new(G_CHECKSUM_SHA256);
	guint8 digest[STAY_SHA256];
	gsize size = sizeof digest;

	if (ways == NULL)
		return 0;
	for (guint i = 0; i < ways->len; i++) {
		const StayWay *way = ways->pdata[i];
		const char *text = way->way != NULL ? way->way : "";

		g_checksum_update(checksum, (const guchar *)way->domain, (gssize)strlen(way->domain) + 1);
		g_checksum_update(checksum, (const guchar *)text, (gssize)strlen(text) + 1);
	}
	g_checksum_get_digest(checksum, digest, &size);
	return MAX(bytes_at64(digest), 1);
}

/* A way may end before the forwards do, at a [route] or a hook; so each step may be its last one. */
StayAnswer
stay_ways_compare(const Engine *engine, const char *address, uint64_t digest, GPtrArray **ways)
{
	g_autofree char *at = g_strdup(address);

	*ways = NULL;
	for (unsigned steps = 0; at != NULL && steps <= DOMAIN_FORWARDS; steps++) {
		g_autofree char *name = g_ascii_strdown(mailbox_domain(at), -1);
		g_autoptr(DirectoryEntry) entry = NULL;
		PtnStatus status;

		if (name[0] == '\0')
			return STAY_SAME;
		(void)domain_mode(engine, name, &status, &entry);
		if (status == PTN_UNSURE)
			return STAY_UNSURE;
		if (entry == NULL)
			break;
		stay_ways_add(ways, name, entry);
		if (digest != 0 && stay_digest(*ways) == digest)
			return STAY_SAME;
		g_free(at);
		at = g_strdup(domain_forwards_to(entry));
	}
	return digest == 0 ? STAY_SAME : STAY_CHANGED;
}
