/* connection-loan.c - lending the session to workers and the committer, and serving what it needs.
 *
 * Everything here runs on the connection's loop, but for connection_work(), connection_flush_loan() and
 * connection_committed(). */
#include "base/wipe.h"
#include "engine/connection-private.h"

typedef struct {
	LoopPost post;
	Connection *connection;
	GString *out;
} EarnedReplies;

static void
connection_end_work(Connection *connection)
{
	if (connection->has_work)
		client_budget_end_work(connection->client.budget);
	connection->has_work = false;
}

void
connection_came_back(void *data)
{
	Connection *connection = data;

	connection->is_lent = false;
	connection_end_work(connection);
	if (connection->was_committed)
		session_committed(connection->session, connection->result);
	if (connection->phase == PHASE_GONE) {
		connection_free(connection);
		return;
	}
	if (connection->ahead != NULL) {
		session_input(connection->session, connection->ahead->data, connection->ahead->len);
		g_clear_pointer(&connection->ahead, wipe_free_array);
		if (connection->need == SESSION_WANTS_INPUT)
			connection->need = SESSION_WANTS_LOOP; /* what it wanted is there */
	}
	connection_settle(connection, connection->was_committed ? SESSION_WANTS_LOOP : connection->need);
}

/* By the committer. */
static void
connection_committed(void *data, SpoolResult result)
{
	Connection *connection = data;

	connection->result = result;
	connection->was_committed = true;
	loop_post(connection->side->loop, &connection->back);
}

static void
connection_commit(Connection *connection)
{
	spool_commit(connection->side->server->engine->spool, session_take_transaction(connection->session),
		connection_committed, connection);
}

static void
connection_take_earned(void *data)
{
	EarnedReplies *earned = data;
	Connection *connection = earned->connection;

	if (connection->phase == PHASE_GONE) {
		g_string_free(earned->out, TRUE);
	} else {
		connection_add_output(connection, earned->out);
		connection_flush(connection);
	}
	g_free(earned);
}

/* By a worker: replies already earned do not wait for the hook that comes. */
void
connection_flush_loan(void *data)
{
	Connection *connection = data;
	EarnedReplies *earned;

	if (!connection->is_lent) /* on the loop connection_settle() takes them */
		return;
	earned = g_new0(EarnedReplies, 1);
	earned->connection = connection;
	earned->out = session_take_output(connection->session);
	earned->post.run = connection_take_earned;
	earned->post.data = earned;
	loop_post(connection->side->loop, &earned->post);
}

/* By a worker. */
void
connection_work(void *data)
{
	Connection *connection = data;
	Engine *engine = connection->side->server->engine;
	const Place place = connection->pool == engine->waiters ? ON_WORKER : ON_CRUNCHER;

	connection->was_committed = false;
	if (clock_monotonic(engine->clock) - connection->work.queued_us > CONNECTION_QUEUE_US)
		session_busy(connection->session, NULL);
	connection->need = session_run(connection->session, place);
	if (connection->need == SESSION_WANTS_COMMIT)
		connection_commit(connection);
	else
		loop_post(connection->side->loop, &connection->back);
}

static bool
connection_lend(Connection *connection, Workers *pool)
{
	Loop *loop = connection->side->loop;
	const BudgetRefusal *refusal =
		client_budget_work(connection->client.budget, &connection->snapshot->settings->clients);

	if (refusal != NULL) {
		budget_count_refusal(refusal, connection->side->server->engine->metrics);
		session_busy(connection->session, refusal);
		return false;
	}
	connection->has_work = true;
	connection->is_lent = true;
	connection->pool = pool;
	connection->work.client = pool != connection->side->server->engine->waiters ? connection->client.budget : NULL;
	connection->was_committed = false;
	if (!workers_run(pool, &connection->work)) {
		connection->is_lent = false;
		connection_end_work(connection);
		session_busy(connection->session, NULL);
		return false;
	}
	pace_stop(&connection->pace, loop_now(loop));
	loop_set_timer(loop, &connection->timer, loop_now(loop) + CONNECTION_GRACE_US);
	return true;
}

/* A hook that does not come back: the client is told, the session is left to the hook's thread. */
void
connection_watch_loan(Connection *connection)
{
	Loop *loop = connection->side->loop;
	const int64_t now_us = loop_now(loop), deadline_us = session_hook_deadline(connection->session);
	const int64_t until_us = (deadline_us == 0 ? now_us : deadline_us) + CONNECTION_GRACE_US;

	if (now_us < until_us || !session_orphan(connection->session)) {
		loop_set_timer(loop, &connection->timer, MAX(until_us, now_us + 1));
		return;
	}
	if (connection->out == NULL)
		connection->out = g_string_new(NULL);
	g_string_append_printf(connection->out, "421 4.3.0 %s Error: a check did not finish, try again later\r\n",
		connection->snapshot->settings->hostname);
	if (connection_send(connection))
		connection_close(connection);
}

/* ---- driving the session ---- */

/* Its last replies go out, then it is closed. */
static void
connection_begin_farewell(Connection *connection)
{
	connection->is_closing = true;
	connection->farewell_us =
		loop_now(connection->side->loop) + connection->snapshot->settings->last_reply_us;
}

/* True: it is the loop's turn again. */
static bool
connection_serve_need(Connection *connection, SessionNeed need)
{
	Engine *engine = connection->side->server->engine;
	Loop *loop = connection->side->loop;

	switch (need) {
	case SESSION_WANTS_LOOP:
		return true;
	case SESSION_WANTS_INPUT:
		if (connection->is_draining && session_is_between_messages(connection->session)) {
			session_say_end(connection->session, SESSION_STOPPING);
			return true;
		}
		if (connection->has_ended)
			connection_begin_farewell(connection);
		return false;
	case SESSION_WANTS_WORKER:
		return !connection_lend(connection, engine->waiters);
	case SESSION_WANTS_CRUNCHER:
		return !connection_lend(connection,
			session_is_authenticating(connection->session) ? engine->hashers : engine->crunchers);
	case SESSION_WANTS_COMMIT:
		connection->is_lent = true;
		pace_stop(&connection->pace, loop_now(loop));
		loop_clear_timer(loop, &connection->timer);
		connection_commit(connection);
		return false;
	case SESSION_WANTS_TLS:
		connection->wants_tls = true;
		return false;
	case SESSION_WANTS_PAUSE:
		connection->is_paused = true;
		pace_stop(&connection->pace, loop_now(loop));
		loop_set_timer(loop, &connection->timer, loop_now(loop) + session_pause_us(connection->session));
		return false;
	case SESSION_WANTS_CLOSE:
		connection_begin_farewell(connection);
		return false;
	}
	return false;
}

/* Output is taken before the session is lent: afterwards it is the worker's. */
void
connection_settle(Connection *connection, SessionNeed need)
{
	connection_add_output(connection, session_take_output(connection->session));
	while (connection_serve_need(connection, need)) {
		need = session_run(connection->session, ON_LOOP);
		connection_add_output(connection, session_take_output(connection->session));
	}
	connection_flush(connection);
}
