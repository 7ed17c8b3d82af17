/* host-quirks.c - what servers offer and cannot do, remembered for a while. */
#include "engine/host-quirks.h"

#include <glib.h>

#include "base/keyed-hash.h"

typedef struct {
	char *place;
	unsigned quirks;
	unsigned most;    /* of QUIRK_RECIPIENTS */
	int64_t until_us; /* monotonic */
} QuirkyHost;

struct HostQuirks {
	const Clock *clock;
	GMutex lock;       /* guards what follows */
	GHashTable *hosts; /* place -> its link in `order` */
	GQueue order;      /* of QuirkyHost*, the one that ends first at the head */
};

static void
quirks_free_host(void *data)
{
	QuirkyHost *host = data;

	g_free(host->place);
	g_free(host);
}

HostQuirks *
host_quirks_new(const Clock *clock)
{
	HostQuirks *quirks = g_new0(HostQuirks, 1);

	quirks->clock = clock;
	g_mutex_init(&quirks->lock);
	quirks->hosts = g_hash_table_new(keyed_hash_text, g_str_equal);
	g_queue_init(&quirks->order);
	return quirks;
}

void
host_quirks_free(HostQuirks *quirks)
{
	if (quirks == NULL)
		return;
	g_hash_table_unref(quirks->hosts);
	g_queue_clear_full(&quirks->order, quirks_free_host);
	g_mutex_clear(&quirks->lock);
	g_free(quirks);
}

static void
quirks_forget_first(HostQuirks *quirks)
{
	QuirkyHost *host = g_queue_pop_head(&quirks->order);

	g_hash_table_remove(quirks->hosts, host->place);
	quirks_free_host(host);
}

/* Those whose time is over, and the oldest, until `most` are left. */
static void
quirks_forget_locked(HostQuirks *quirks, guint most)
{
	const int64_t now_us = clock_monotonic(quirks->clock);
	const QuirkyHost *host;

	while ((host = g_queue_peek_head(&quirks->order)) != NULL &&
		   (host->until_us <= now_us || quirks->order.length > most))
		quirks_forget_first(quirks);
}

/* NULL: nothing is known of it. */
static const QuirkyHost *
quirks_find_locked(HostQuirks *quirks, const char *place)
{
	const GList *link;

	quirks_forget_locked(quirks, HOST_QUIRKS_MOST);
	link = g_hash_table_lookup(quirks->hosts, place);
	return link != NULL ? link->data : NULL;
}

unsigned
host_quirks_of(HostQuirks *quirks, const char *place)
{
	const QuirkyHost *host;
	unsigned found;

	if (quirks == NULL)
		return 0;
	g_mutex_lock(&quirks->lock);
	host = quirks_find_locked(quirks, place);
	found = host != NULL ? host->quirks : 0;
	g_mutex_unlock(&quirks->lock);
	return found;
}

unsigned
host_quirks_most(HostQuirks *quirks, const char *place)
{
	const QuirkyHost *host;
	unsigned most;

	if (quirks == NULL)
		return 0;
	g_mutex_lock(&quirks->lock);
	host = quirks_find_locked(quirks, place);
	most = host != NULL ? host->most : 0;
	g_mutex_unlock(&quirks->lock);
	return most;
}

/* The host is the newest from now on. */
static QuirkyHost *
quirks_need_locked(HostQuirks *quirks, const char *place)
{
	GList *link = g_hash_table_lookup(quirks->hosts, place);
	QuirkyHost *host;

	if (link != NULL) {
		g_queue_unlink(&quirks->order, link);
		g_queue_push_tail_link(&quirks->order, link);
		return link->data;
	}
	host = g_new0(QuirkyHost, 1);
	host->place = g_strdup(place);
	g_queue_push_tail(&quirks->order, host);
	g_hash_table_insert(quirks->hosts, host->place, quirks->order.tail);
	return host;
}

/* `most`: of QUIRK_RECIPIENTS. */
static bool
quirks_note(HostQuirks *quirks, const char *place, HostQuirk quirk, unsigned most)
{
	QuirkyHost *host;
	bool is_new;

	if (quirks == NULL)
		return false;
	g_mutex_lock(&quirks->lock);
	quirks_forget_locked(quirks, HOST_QUIRKS_MOST - 1);
	host = quirks_need_locked(quirks, place);
	is_new = (host->quirks & quirk) == 0 || (quirk == QUIRK_RECIPIENTS && host->most != most);
	host->quirks |= quirk;
	if (quirk == QUIRK_RECIPIENTS)
		host->most = most;
	host->until_us = clock_monotonic(quirks->clock) + HOST_QUIRKS_US;
	g_mutex_unlock(&quirks->lock);
	return is_new;
}

bool
host_quirks_note(HostQuirks *quirks, const char *place, HostQuirk quirk)
{
	return quirks_note(quirks, place, quirk, 0);
}

bool
host_quirks_note_most(HostQuirks *quirks, const char *place, unsigned most)
{
	return quirks_note(quirks, place, QUIRK_RECIPIENTS, most);
}
