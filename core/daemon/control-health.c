/* control-health.c - posternctl status --check: one line and an exit code, for programs that watch. */
#include "daemon/control-health.h"

/* What they want to know (as plugins of Nagios say it by their exit codes). */
typedef enum { HEALTH_OK, HEALTH_WARNING, HEALTH_CRITICAL } Health;

typedef struct {
	Health health;
	GString *alarms;
} HealthCheck;

/* Mail is not taken, or not delivered. */
static bool
control_is_critical(const char *alarm)
{
	static const char *const critical[] = { "spool.closed", "spool.full", "delivery.paused", "directory.away",
		"thread.stuck", NULL };

	return g_strv_contains(critical, alarm);
}

static void
control_judge_alarm(void *data, const char *name, const char *text, int64_t since_us)
{
	HealthCheck *check = data;

	(void)since_us;
	check->health = MAX(check->health, control_is_critical(name) ? HEALTH_CRITICAL : HEALTH_WARNING);
	g_string_append_printf(check->alarms, "%s%s: %s", check->alarms->len > 0 ? "; " : "", name, text);
}

static void
control_put_health(
	const HealthCheck *check, unsigned connections, uint64_t messages, const char *name, Answer *answer)
{
	g_autofree char *n_connections = g_strdup_printf("%u", connections);
	g_autofree char *n_messages = g_strdup_printf("%" G_GUINT64_FORMAT, messages);

	answer_set_audience(answer, FOR_PROGRAMS);
	answer_columns(answer, "health", "connections:number", "messages:number", "alarms", NULL);
	answer_row(answer, name, n_connections, n_messages, check->alarms->str, NULL);
}

void
control_put_check(Daemon *daemon, Answer *answer)
{
	static const char *const names[] = { [HEALTH_OK] = "OK",
		[HEALTH_WARNING] = "WARNING",
		[HEALTH_CRITICAL] = "CRITICAL" };
	g_autoptr(GString) alarms = g_string_new(NULL);
	HealthCheck check = { HEALTH_OK, alarms };
	SpoolFigures spool;

	spool_figures(daemon->engine.spool, &spool);
	metrics_each_alarm(daemon->engine.metrics, control_judge_alarm, &check);
	control_put_health(&check, server_connections(daemon->server), spool.messages, names[check.health], answer);
	answer_set_audience(answer, FOR_PEOPLE);
	answer_text(answer, "%s - %u connections, %" G_GUINT64_FORMAT " messages%s%s", names[check.health],
		server_connections(daemon->server), spool.messages, alarms->len > 0 ? "; " : "", alarms->str);
	answer_set_audience(answer, FOR_ALL);
	answer_set_code(answer, (int)check.health);
}
