/* watch.c - counts that are not stored, domains and blocks that changed, held mail that is old, the
 * claim on our number, unfinished adoptions, resolvers. */
#include "daemon/watch.h"

#include <string.h>

#include "daemon/claim.h"
#include "daemon/held.h"
#include "daemon/levels.h"
#include "engine/stay.h"

#define WATCH_ADOPTIONS_US (3600 * CLOCK_SECOND)
#define WATCH_SETTLE_US (CLOCK_SECOND)
#define WATCH_COUNTS_US (CLOCK_SECOND / 2) /* others are looked at here, too */
#define WATCH_DNS_US (10 * CLOCK_SECOND)

/* What is held by an adoption that was not finished is nobody's until it is.  Held mail is read for that: so after the
 * start and after an adoption, and then only as long as there is some. */
static void
watch_adoptions(Daemon *daemon)
{
	const int64_t now_us = g_get_monotonic_time();
	const int64_t looked_us = atomic_load(&daemon->adopting_us);
	g_autofree char *text = NULL;
	g_autofree char *from = NULL;
	size_t n;

	if (looked_us == CLOCK_NEVER || (looked_us != 0 && now_us - looked_us < WATCH_ADOPTIONS_US))
		return;
	atomic_store(&daemon->adopting_us, now_us);
	n = spool_count_adopting(daemon->engine.spool);
	if (n == 0) {
		long long seen_us = now_us; /* unless an adoption began meanwhile */

		(void)atomic_compare_exchange_strong(&daemon->adopting_us, &seen_us, CLOCK_NEVER);
	}
	if (n > 0) {
		from = spool_adopting_from(daemon->engine.spool);
		text = g_strdup_printf(
			"%zu message%s held by an adoption that was not finished, from spool %s: run posternctl spool adopt "
			"DIRECTORY for each of these spools; of a spool that is gone for good, release or remove them "
			"(posternctl queue list state=held)",
			n, n == 1 ? " is" : "s are", from);
	}
	metrics_alarm(daemon->engine.metrics, "spool.adoption", text);
}

/* A name that only the resolvers know.  New; NULL: there is none. */
static char *
watch_dns_name(Daemon *daemon)
{
	g_autoptr(Snapshot) snapshot = NULL;
	const char *name;

	g_mutex_lock(&daemon->lock);
	snapshot = snapshot_ref(daemon->snapshot);
	g_mutex_unlock(&daemon->lock);
	name = snapshot->settings->hostname;
	return strchr(name, '.') != NULL && !g_str_has_suffix(name, "localhost") ? g_strdup(name) : NULL;
}

/* After a failure our own name is asked for until something is answered: without mail nobody else would notice that the
 * resolvers are back. */
static void
watch_dns(Daemon *daemon)
{
	Dns *dns = daemon->services.dns;
	const int64_t now_us = g_get_monotonic_time();
	g_autofree char *text = dns_trouble(dns);

	metrics_alarm(daemon->engine.metrics, "dns.away", text);
	if (now_us >= daemon->dns_due_us && dns_is_doubtful(dns)) {
		g_autofree char *name = watch_dns_name(daemon);

		daemon->dns_due_us = now_us + WATCH_DNS_US;
		if (name != NULL)
			dns_query_unref(dns_start_fresh(dns, name, PTN_A));
	}
}

static void
watch_look(void *data)
{
	Daemon *daemon = data;

	store_settle(daemon->engine.store, g_get_monotonic_time() + WATCH_SETTLE_US);
	blocks_look(daemon->engine.blocks);
	(void)counts_flush_due(daemon->engine.counts, g_get_monotonic_time() + WATCH_COUNTS_US);
	stay_look(&daemon->engine);
	held_look(daemon);
	claim_check(daemon);
	watch_adoptions(daemon);
	watch_dns(daemon);
	levels_look(daemon);
	atomic_store(&daemon->is_watching, false);
}

void
watch_tick(Daemon *daemon)
{
	if (atomic_exchange(&daemon->is_watching, true))
		return;
	daemon->watch.run = watch_look;
	daemon->watch.data = daemon;
	if (!workers_run(daemon->engine.waiters, &daemon->watch))
		atomic_store(&daemon->is_watching, false);
}
