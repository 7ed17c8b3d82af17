/* daemon-tick.c - what the main thread looks at each second: the spool, the clock, clients that the log left out, certificates. */
#include "base/log.h"
#include "daemon/confine.h"
#include "daemon/crash-record.h"
#include "daemon/daemon.h"
#include "engine/etrn.h"

#define DAEMON_JUMP_US (3600 * CLOCK_SECOND) /* so long an alarm names a jump of the clock */

static void
daemon_watch_spool(Daemon *daemon)
{
	SpoolFigures figures;
	SpoolResult reason;

	spool_figures(daemon->engine.spool, &figures);
	metrics_alarm(daemon->engine.metrics, "delivery.paused",
		figures.can_record ? NULL : "results cannot be recorded: nothing is sent until the disk takes them");
	if (figures.damage != daemon->spool_damage) {
		g_autoptr(GPtrArray) damage = spool_damage(daemon->engine.spool);

		daemon->spool_damage = figures.damage;
		metrics_alarm(daemon->engine.metrics, "spool.damage", g_ptr_array_index(damage, damage->len - 1));
	}
	if (figures.is_closed && !spool_probe(daemon->engine.spool))
		metrics_alarm(daemon->engine.metrics, "spool.closed", "the spool cannot be written: new mail gets 451");
	else
		metrics_alarm(daemon->engine.metrics, "spool.closed", NULL);
	if (!spool_has_room(daemon->engine.spool, &reason) && reason == SPOOL_FULL)
		metrics_alarm(
			daemon->engine.metrics, "spool.full", "the spool's volume is nearly full: new mail gets 452");
	else
		metrics_alarm(daemon->engine.metrics, "spool.full", NULL);
}

/* Mail is scheduled by another clock and does not expire by a wrong one, but ids, log and limits go by this one. */
static void
daemon_watch_clock(Daemon *daemon)
{
	ClockJump *jump = &daemon->clock_jump;
	g_autofree char *text = NULL;
	char seconds[24];

	if (clock_jump_check(jump, daemon->engine.clock) != 0) {
		g_snprintf(seconds, sizeof seconds, "%+" G_GINT64_FORMAT, jump->jump_us / CLOCK_SECOND);
		log_event(LOG_LEVEL_WARNING, "clock jumped", "seconds", seconds, NULL);
	}
	if (jump->jump_us != 0 && clock_monotonic(daemon->engine.clock) - jump->jumped_us < DAEMON_JUMP_US)
		text = g_strdup_printf("the clock of this machine jumped by %+" G_GINT64_FORMAT
							   " seconds within the last hour: check its time service",
			jump->jump_us / CLOCK_SECOND);
	metrics_alarm(daemon->engine.metrics, "clock.jump", text);
}

static void
daemon_put_left_out(void *data, const char *network, const char *reason, uint64_t lines)
{
	Daemon *daemon = data;
	g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT " more in 60 s", lines);
	const Refusal refusal = { .time_us = clock_wall(daemon->engine.clock),
		.client = network,
		.stage = "",
		.cause = reason,
		.reply = text };

	metrics_add(daemon->engine.metrics, "log.left-out", (int64_t)lines);
	log_event(LOG_LEVEL_INFO, "lines left out", "client", network, "reason", reason, "text", text, NULL);
	refusals_note(daemon->engine.refusals, &refusal);
}

void
daemon_report_left_out(Daemon *daemon)
{
	client_budgets_report(daemon->engine.clients, daemon_put_left_out, daemon);
}

void
daemon_tick(Daemon *daemon)
{
	const int64_t now_us = clock_wall(daemon->engine.clock);
	const int64_t minute = now_us / (60 * CLOCK_SECOND);

	/* a reload may wait for a plugin's start(): the main thread does not, as a stop is its to notice */
	if (g_mutex_trylock(&daemon->lock)) {
		host_tick(daemon->set, clock_monotonic(daemon->engine.clock));
		g_mutex_unlock(&daemon->lock);
	}
	crash_record_look(daemon->crashes, daemon->engine.spool, daemon->engine.queue, daemon->engine.metrics, now_us);
	metrics_end_alarms(daemon->engine.metrics, now_us);
	confine_tick(daemon);
	daemon_watch_spool(daemon);
	daemon_watch_clock(daemon);
	etrn_tick(daemon->engine.etrn);
	if (minute == daemon->minute)
		return;
	daemon->minute = minute;
	daemon_look_at_certificates(daemon);
	daemon_report_left_out(daemon);
	if (minute % 60 == 0)
		refusals_expire(daemon->engine.refusals, now_us);
}
