/* held.c - held mail, looked at each second by a worker; once an hour whether some of it is old. */
#include "daemon/held.h"

#include "base/log.h"
#include "engine/stay.h"

#define HELD_HOUR (3600 * CLOCK_SECOND)

typedef struct {
	int64_t before_us; /* arrived before this is old */
	unsigned messages;
	QueueId oldest;
} HeldOld;

static bool
held_count(void *data, const SpoolSummary *summary)
{
	HeldOld *old = data;

	if (!summary->is_held || summary->arrived_us > old->before_us)
		return true;
	if (old->messages++ == 0)
		old->oldest = summary->id; /* they come oldest first */
	return true;
}

/* An alarm while there is some; nothing is thrown away. */
static void
held_look_for_old(Daemon *daemon, int64_t most_us)
{
	HeldOld old = { .before_us = clock_wall(daemon->engine.clock) - most_us };
	g_autofree char *text = NULL;
	char id[ID_TEXT_SIZE];

	if (most_us > 0)
		spool_each(daemon->engine.spool, held_count, &old);
	if (old.messages > 0)
		text = g_strdup_printf("%u held messages are older than hold-at-most, the oldest is %s: "
							   "posternctl queue list state=held",
			old.messages, id_format(old.oldest, id));
	metrics_alarm(daemon->engine.metrics, "held.old", text);
}

static void
held_look(void *data)
{
	Daemon *daemon = data;
	const int64_t now_us = clock_wall(daemon->engine.clock);

	stay_look(&daemon->engine);
	if (now_us - daemon->looked_for_old_us >= HELD_HOUR) {
		int64_t most_us;

		g_mutex_lock(&daemon->lock);
		most_us = config_number(config_section(daemon->config, "spool", NULL), "hold-at-most");
		g_mutex_unlock(&daemon->lock);
		held_look_for_old(daemon, most_us);
		daemon->looked_for_old_us = now_us;
	}
	atomic_store(&daemon->is_looking, false);
}

void
held_tick(Daemon *daemon)
{
	if (atomic_exchange(&daemon->is_looking, true))
		return;
	daemon->look.run = held_look;
	daemon->look.data = daemon;
	if (!workers_run(daemon->engine.waiters, &daemon->look))
		atomic_store(&daemon->is_looking, false);
}
