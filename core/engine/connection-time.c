/* connection-time.c - when a connection's time is over: silence, slowness, unread replies, age. */
#include "base/log.h"
#include "engine/connection-private.h"

static PaceLimits
connection_pace_limits(const Connection *connection)
{
	const EngineSettings *settings = connection->snapshot->settings;

	return (PaceLimits){ settings->idle_us, settings->min_data_rate };
}

void
connection_begin_time(Connection *connection)
{
	const PaceLimits limits = connection_pace_limits(connection);

	pace_begin(&connection->pace, &limits, loop_now(connection->side->loop));
	connection_arm(connection);
}

void
connection_note_sent(Connection *connection, uint64_t sent)
{
	const PaceLimits limits = connection_pace_limits(connection);
	const uint64_t unsent = connection->out != NULL ? connection->out->len - connection->out_sent : 0;

	pace_out_note(&connection->pace_out, &limits, loop_now(connection->side->loop), sent, unsent);
}

/* While the session is lent or paused, or waits for TLS, other deadlines hold. */
void
connection_arm(Connection *connection)
{
	const PaceLimits limits = connection_pace_limits(connection);
	Loop *loop = connection->side->loop;
	int64_t until_us;

	if (connection->phase != PHASE_OPEN || connection->is_lent || connection->is_paused)
		return;
	pace_go_on(&connection->pace, loop_now(loop));
	pace_wait(&connection->pace, &limits, loop_now(loop), session_steps(connection->session),
		session_is_in_message(connection->session));
	until_us = MIN(connection->pace.deadline_us, connection->pace_out.deadline_us);
	until_us = MIN(
		until_us, connection->is_closing ? connection->farewell_us : session_ends_by(connection->session));
	loop_set_timer(loop, &connection->timer, until_us);
}

static void
connection_end_session(Connection *connection, SessionEnd why)
{
	session_say_end(connection->session, why);
	connection_settle(connection, SESSION_WANTS_LOOP);
}

/* A peer that does not read would not read a reply either. */
static void
connection_drop_unread(Connection *connection)
{
	char text[IP_TEXT_SIZE];

	metrics_add(connection->side->server->engine->metrics, "limit.unread-replies", 1);
	if (client_budget_log(connection->client.budget, &connection->snapshot->settings->clients, "unread replies"))
		log_event(LOG_LEVEL_INFO, "connection dropped", "client", ip_format(&connection->client.address, text),
			"cause", "the client does not read its replies", NULL);
	connection_close(connection);
}

void
connection_judge_time(Connection *connection)
{
	const PaceLimits limits = connection_pace_limits(connection);
	const int64_t now_us = loop_now(connection->side->loop);
	PaceResult result;

	result = pace_judge(&connection->pace, &limits, now_us);
	if (now_us >= connection->pace_out.deadline_us ||
		(result != PACE_GOES_ON && connection->pace_out.deadline_us != CLOCK_NEVER)) {
		connection_drop_unread(connection);
		return;
	}
	if (result != PACE_GOES_ON)
		connection_end_session(connection, result == PACE_IDLE ? SESSION_IDLE : SESSION_SLOW);
	else if (now_us >= session_ends_by(connection->session))
		connection_end_session(connection, SESSION_OLD);
	else
		connection_arm(connection);
}
