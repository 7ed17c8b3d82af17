/* watch.c - domains and blocks that changed, held mail that is old, the claim on our number, unfinished adoptions. */
#include "daemon/watch.h"

#include "daemon/claim.h"
#include "daemon/held.h"
#include "engine/stay.h"

#define WATCH_ADOPTIONS_US (3600 * CLOCK_SECOND)

/* What is held by an adoption that was not finished is nobody's until it is.  Held mail is read for that: so after the
 * start and after an adoption, and then only as long as there is some. */
static void
watch_adoptions(Daemon *daemon)
{
	const int64_t now_us = g_get_monotonic_time();
	const int64_t looked_us = atomic_load(&daemon->adopting_us);
	g_autofree char *text = NULL;
	size_t n;

	if (looked_us == CLOCK_NEVER || (looked_us != 0 && now_us - looked_us < WATCH_ADOPTIONS_US))
		return;
	atomic_store(&daemon->adopting_us, now_us);
	n = spool_count_adopting(daemon->engine.spool);
	if (n == 0) {
		long long seen_us = now_us; /* unless an adoption began meanwhile */

		(void)atomic_compare_exchange_strong(&daemon->adopting_us, &seen_us, CLOCK_NEVER);
	}
	if (n > 0)
		text = g_strdup_printf("%zu message%s held by an adoption that was not finished: posternctl queue list "
							   "state=held names the spool; adopt it (again)",
			n, n == 1 ? " is" : "s are");
	metrics_alarm(daemon->engine.metrics, "spool.adoption", text);
}

static void
watch_look(void *data)
{
	Daemon *daemon = data;

	blocks_look(daemon->engine.blocks);
	stay_look(&daemon->engine);
	held_look(daemon);
	claim_check(daemon);
	watch_adoptions(daemon);
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
