/* session-stage.c - running the hooks of a stage for a session, and what follows from their verdict. */
#include "engine/exempt.h"
#include "engine/session-private.h"

/* ---- what a hook may change ---- */

static void
session_apply(void *data, const HookRow *row, HookCall *call)
{
	Session *session = data;

	for (guint i = 0; i < call->acts->len; i++) {
		const Act *act = &g_array_index(call->acts, Act, i);

		if (act->kind == ACT_IDENTIFY) {
			g_free(session->identified);
			session->identified = g_strdup(act->text);
		} else if (session->transaction != NULL) {
			transaction_apply(session->transaction, row->plugin->name, act, session->engine->ids);
		}
	}
}

static bool
session_before_wait(void *data)
{
	Session *session = data;

	if (session->out != NULL && session->flush != NULL)
		session->flush(session->flush_data);
	return !atomic_load(&session->is_gone);
}

/* ---- a stage's call ---- */

static unsigned
session_plugin_count(const Session *session)
{
	return chain_plugins(session->snapshot->chain);
}

static void
session_fill_call(Session *session, HookCall *call)
{
	Transaction *transaction = session->transaction;

	call->stage = session->row->stage;
	call->facts = &session->facts;
	call->transaction = transaction;
	call->login = session->sasl_login;
	call->password = session->sasl_password;
	call->is_gone = &session->is_gone;
	if (transaction != NULL) {
		call->envelope = transaction->envelope;
		call->recipient = transaction->envelope->recipients->len - 1;
		call->is_content_exempt =
			call->stage == PTN_MESSAGE &&
			exempt_are_all(session->snapshot->settings->exempt_recipients, transaction->envelope);
		if (transaction->region == NULL)
			transaction->region = region_new();
		if (transaction->plugin_states == NULL)
			transaction->plugin_states = g_new0(void *, session_plugin_count(session));
		call->message_region = transaction->region;
		call->message_states = transaction->plugin_states;
	}
	call->session_region = session->region;
	call->session_states = session->plugin_states;
	call->lookups = session->lookups;
	if (session->explanation != NULL && session->asked == NULL)
		session->asked = g_ptr_array_new_with_free_func(g_free);
	call->asked = session->asked;
}

static HookCall *
session_new_call(Session *session)
{
	HookCall *call = g_new0(HookCall, 1);

	if (session->region == NULL) {
		session->region = region_new();
		session->plugin_states = g_new0(void *, session_plugin_count(session));
	}
	call->region = region_new();
	session_fill_call(session, call);
	return call;
}

static void
session_end_stage(Session *session)
{
	if (session->call != NULL)
		region_free(session->call->region);
	g_clear_pointer(&session->call, g_free);
	session->row = NULL;
}

bool
session_goes_to_worker(Session *session)
{
	session->goes_to_worker = session->place == ON_LOOP;
	return session->goes_to_worker;
}

void
session_begin_stage(Session *session, const CommandRow *row)
{
	if (!stage_is(row->stage, STAGE_OF_MESSAGE))
		lookups_end(session->lookups, (int)row->stage); /* it comes again, a repeated EHLO say */
	session->row = row;
	session->run.stage = row->stage;
	session->run.next = 0;
	session->run.deadline_us = 0; /* the rest is at rest between hooks, and the loop may be looking at it */
}

/* ---- running ---- */

/* "NAME" or "NAME/ITEM"; new. */
static char *
session_name_refuser(const Session *session)
{
	const HookRow *refuser = chain_row(session->snapshot->chain, session->row->stage, session->run.next);

	return refuser != NULL ? hook_name(refuser->plugin->name, session->call) : NULL;
}

static void
session_settle(Session *session, ChainResult result)
{
	const CommandRow *row = session->row;
	g_autofree char *plugin = NULL;

	if (result == CHAIN_PASSED || result == CHAIN_SETTLED) {
		session_end_stage(session);
		row->proceed(session);
		return;
	}
	if (atomic_load(&session->is_gone)) {
		session->is_closing = true;
		session_end_stage(session);
		return;
	}
	plugin = session_name_refuser(session);
	if (result == CHAIN_REFUSED && session_keep_refusal(session, plugin)) {
		session_end_stage(session);
		row->proceed(session);
		return;
	}
	session_reject_by(session, plugin);
	if (result == CHAIN_CLOSED)
		session->is_closing = true;
	session_end_stage(session);
	if (row->refused != NULL)
		row->refused(session);
}

bool
session_run_stage(Session *session, Place place, SessionNeed *need)
{
	const CommandRow *row = session->row;
	const ChainTask task = { .chain = session->snapshot->chain,
		.chain_us = session->snapshot->settings->chain_us,
		.place = place,
		.before_wait = session_before_wait,
		.apply = session_apply,
		.told = session->explanation != NULL ? explain_hook : NULL,
		.data = session };
	ChainResult result = CHAIN_PASSED;

	if (row->stage != 0 && chain_has(task.chain, row->stage)) {
		if (session->call == NULL)
			session->call = session_new_call(session);
		result = chain_run(&session->run, &task, session->call);
	}
	if (result == CHAIN_WANTS_WORKER || result == CHAIN_WANTS_CRUNCHER) {
		*need = result == CHAIN_WANTS_WORKER ? SESSION_WANTS_WORKER : SESSION_WANTS_CRUNCHER;
		return false;
	}
	session_settle(session, result);
	return true;
}

/* Content that waits for its file has no stage: the message is given up. */
void
session_busy(Session *session, const BudgetRefusal *why)
{
	const CommandRow *row = session->row;
	const bool is_auth = row == &session_auth_row;
	const char *text = why != NULL ? why->text : "Error: too busy, try again later";

	metrics_add(session->engine->metrics, "session.busy", 1);
	if (row == NULL) {
		session_close_with(session, PTN_LOCAL, 421, "4.3.2", text);
		return;
	}
	session_reject(session, PTN_LOCAL, is_auth ? 454 : 451, is_auth ? "4.7.0" : "4.3.2", "%s", text);
	session_end_stage(session);
	if (row->refused != NULL)
		row->refused(session);
}

/* ---- observers ---- */

void
session_observe(Session *session, Observation what)
{
	const Transaction *transaction = session->transaction;

	if (session->explanation != NULL || !chain_has(session->snapshot->chain, what.stage))
		return;
	what.snapshot = session->snapshot;
	what.facts = &session->facts;
	what.envelope = transaction != NULL ? transaction->envelope : NULL;
	what.is_ours = true;
	observer_tell(session->engine->observer, &what);
}
