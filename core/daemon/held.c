/* held.c - held mail: once an hour, whether some of it is old. */
#include "daemon/held.h"

#include "engine/notice.h"
#include "engine/stay.h"

enum { HELD_NAMED = 20 }; /* domains in a notice */

#define HELD_HOUR (3600 * CLOCK_SECOND)
#define HELD_DAY (24 * HELD_HOUR)
#define HELD_AGAIN_US (7 * HELD_DAY)

typedef struct {
	int64_t before_us; /* arrived before this is old */
	unsigned messages;
	QueueId oldest;
} HeldOld;

static bool
held_count(void *data, const SpoolSummary *summary)
{
	HeldOld *old = data;

	if ((!summary->is_held && !summary->has_held) || summary->arrived_us > old->before_us)
		return true;
	if (old->messages++ == 0)
		old->oldest = summary->id; /* they come oldest first */
	return true;
}

/* "a.example b.example", "a.example … (7 more)"; new. */
static char *
held_name_domains(Engine *engine)
{
	g_autoptr(GPtrArray) domains = stay_held_domains(engine->stay);
	GString *text = g_string_new(domains->len == 0 ? "none" : NULL);

	for (guint i = 0; i < MIN(domains->len, HELD_NAMED); i++)
		g_string_append_printf(text, "%s%s", i > 0 ? " " : "", (const char *)domains->pdata[i]);
	if (domains->len > HELD_NAMED)
		g_string_append_printf(text, " and %u more", domains->len - HELD_NAMED);
	return g_string_free(text, FALSE);
}

static void
held_tell_postmaster(Daemon *daemon, const HeldOld *old, int64_t most_us)
{
	Engine *engine = &daemon->engine;
	g_autoptr(Snapshot) snapshot = NULL;
	g_autofree char *count = g_strdup_printf("%u", old->messages);
	g_autofree char *days = g_strdup_printf("%d", (int)(most_us / HELD_DAY));
	g_autofree char *domains = held_name_domains(engine);
	char id[ID_TEXT_SIZE];
	const char *const values[] = { "messages", count, "age", days, "oldest", id_format(old->oldest, id), "domains",
		domains, NULL };
	NoticeSettings settings;

	g_mutex_lock(&daemon->lock);
	snapshot = snapshot_ref(daemon->snapshot);
	g_mutex_unlock(&daemon->lock);
	settings = notice_settings(snapshot->settings);
	(void)notice_send(engine, &settings, settings.postmaster, "held", values);
}

/* An alarm while there is some; nothing is thrown away. */
static void
held_look_for_old(Daemon *daemon, int64_t most_us)
{
	Engine *engine = &daemon->engine;
	HeldOld old = { .before_us = clock_wall(engine->clock) - most_us };
	g_autofree char *text = NULL;
	g_autofree char *key = NULL;
	char id[ID_TEXT_SIZE];

	if (most_us > 0)
		spool_each(engine->spool, held_count, &old);
	if (old.messages > 0)
		text = g_strdup_printf("%u held message%s older than hold-at-most, the oldest is %s: "
							   "posternctl queue list state=held",
			old.messages, old.messages == 1 ? " is" : "s are", id_format(old.oldest, id));
	metrics_alarm(engine->metrics, "held.old", text);
	if (old.messages == 0)
		return;
	/* the store knows when this node told it last, so that a restart does not tell it again */
	key = g_strdup_printf("held/%u", daemon->node);
	if (store_claim(engine->store, key, "told", HELD_AGAIN_US, CLOCK_NEVER) == PTN_OK)
		held_tell_postmaster(daemon, &old, most_us);
}

void
held_look(Daemon *daemon)
{
	const int64_t now_us = clock_monotonic(daemon->engine.clock);
	int64_t most_us;

	if (daemon->looked_for_old_us != 0 && now_us - daemon->looked_for_old_us < HELD_HOUR)
		return;
	daemon->looked_for_old_us = now_us;
	g_mutex_lock(&daemon->lock);
	most_us = config_number(config_section(daemon->config, "spool", NULL), "hold-at-most");
	g_mutex_unlock(&daemon->lock);
	held_look_for_old(daemon, most_us);
}
