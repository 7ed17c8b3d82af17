/* watch.c - domains and blocks that changed, held mail that is old. */
#include "daemon/watch.h"

#include "daemon/held.h"
#include "engine/stay.h"

static void
watch_look(void *data)
{
	Daemon *daemon = data;

	blocks_look(daemon->engine.blocks);
	stay_look(&daemon->engine);
	held_look(daemon);
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
