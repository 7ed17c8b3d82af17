/* session.c - the life of a session, and the loop that takes its input step by step. */
#include "engine/session-private.h"

#include <string.h>

#include "base/wipe.h"
#include "base/log.h"

static Lookups *
session_new_lookups(const Session *session)
{
	const EngineSettings *settings = session->snapshot->settings;

	return lookups_new(&(LookupsSettings){ .most = settings->max_lookups,
		.client = session->facts.client_budget,
		.client_limits = &settings->clients,
		.account_limits = &settings->accounts });
}

Session *
session_new(const SessionSettings *settings)
{
	Session *session = g_new0(Session, 1);
	char id[ID_TEXT_SIZE];

	session->engine = settings->engine;
	session->snapshot = snapshot_ref(settings->snapshot);
	session->listener = settings->listener;
	session->flush = settings->flush;
	session->flush_data = settings->data;
	session->explanation = settings->explanation;
	session->facts.client = settings->client;
	session->facts.client_port = settings->client_port;
	session->facts.listener = g_strdup(settings->listener->name);
	session->facts.is_inbound = settings->listener->is_inbound;
	session->facts.takes_auth = settings->listener->takes_auth;
	session->facts.is_monitor = engine_settings_is_monitor(settings->snapshot->settings, &settings->client);
	session->facts.client_budget = client_budget_ref(settings->client_budget);
	session->facts.client_limits = &session->snapshot->settings->clients;
	g_strlcpy(session->facts.id, id_format(id_next(session->engine->session_ids), id), sizeof session->facts.id);
	session->state = STATE_START;
	session->begun_us = clock_monotonic(session->engine->clock);
	session->lookups = session_new_lookups(session);
	session_look_up_name(session);
	if (!settings->is_secured)
		session_begin_stage(session, &session_connect_row);
	return session;
}

void
session_free(Session *session)
{
	if (session == NULL)
		return;
	session_drop_transaction(session);
	g_clear_pointer(&session->sealed, spool_transaction_free);
	g_clear_pointer(&session->in, wipe_free_array);
	if (session->out != NULL)
		g_string_free(session->out, TRUE);
	g_clear_pointer(&session->lookups, lookups_free); /* before the budgets that it borrows of the facts */
	if (session->call != NULL)
		region_free(session->call->region);
	g_free(session->call);
	wipe_free_text(session->sasl_login);
	wipe_free_text(session->sasl_password);
	g_free(session->identified);
	g_free(session->queue_text);
	g_clear_pointer(&session->kept, kept_refusal_free);
	g_clear_pointer(&session->kept_of_mail, kept_refusal_free);
	region_free(session->region);
	g_free(session->plugin_states);
	g_clear_pointer(&session->asked, g_ptr_array_unref);
	session_facts_clear(&session->facts);
	snapshot_unref(session->snapshot);
	g_free(session);
}

/* ---- octets ---- */

void
session_input(Session *session, const void *data, size_t size)
{
	wipe_append(&session->in, data, size);
}

size_t
session_input_waiting(const Session *session)
{
	return session->in != NULL ? session->in->len - session->in_taken : 0;
}

/* An idle session holds no buffer. */
static void
session_compact_input(Session *session)
{
	if (session->in == NULL || session->in_taken == 0)
		return;
	if (session->in_taken == session->in->len)
		g_clear_pointer(&session->in, wipe_free_array);
	else
		wipe_remove_front(session->in, session->in_taken);
	session->in_taken = 0;
}

GString *
session_take_output(Session *session)
{
	return g_steal_pointer(&session->out);
}

int64_t
session_pause_us(const Session *session)
{
	return session->pause_us;
}

/* ---- running ---- */

static bool
session_do_again(Session *session, SessionNeed *need)
{
	void (*again)(Session *) = session->again;

	*need = SESSION_WANTS_WORKER;
	if (session->place == ON_LOOP)
		return false;
	session->again = NULL;
	again(session);
	return true;
}

/* One step; false: `need` says what it waits for. */
static bool
session_step(Session *session, Place place, SessionNeed *need)
{
	if (session->row != NULL)
		return session_run_stage(session, place, need);
	*need = session->wants;
	if (session->wants == SESSION_WANTS_PAUSE)
		session->wants = SESSION_WANTS_INPUT;
	if (*need != SESSION_WANTS_INPUT)
		return false;
	if (session->is_closing) {
		*need = SESSION_WANTS_CLOSE;
		return false;
	}
	if (place == ON_CRUNCHER) {
		*need = SESSION_WANTS_LOOP;
		return false;
	}
	if (session->again != NULL)
		return session_do_again(session, need);
	if (session->input == INPUT_DATA || session->input == INPUT_CHUNK)
		return session_take_data(session, place, need);
	return session_take_line(session, need);
}

SessionNeed
session_run(Session *session, Place place)
{
	SessionNeed need;

	session->place = place;
	while (session_step(session, place, &need))
		;
	session_compact_input(session);
	return need;
}

/* What came while the session was lent may have come in clear, behind STARTTLS (C-14). */
static void
session_refuse_clear_input(Session *session)
{
	if (session_input_waiting(session) == 0)
		return;
	session->row = NULL;
	session->in_taken = session->in->len;
	session_event(session, "starttls-injection");
	session_close_with(session, PTN_PROTOCOL, 554, "5.5.0", "Error: commands were pipelined behind STARTTLS");
}

void
session_secured(Session *session, const char *version, const char *cipher, const char *client_name)
{
	session->is_secured = true;
	session->facts.tls_version = g_strdup(version);
	session->facts.tls_cipher = g_strdup(cipher);
	session->facts.tls_client_name = g_strdup(client_name);
	if (session->wants == SESSION_WANTS_TLS) {
		session->wants = SESSION_WANTS_INPUT;
		session_begin_stage(session, &session_tls_row);
		session_refuse_clear_input(session);
	} else {
		session_begin_stage(session, &session_connect_row);
	}
}

void
session_failed_tls(Session *session, const char *reason)
{
	char client[IP_TEXT_SIZE];

	session->is_closing = true;
	session->wants = SESSION_WANTS_INPUT;
	session_event(session, "tls-failure");
	if (session_may_log(session, "TLS handshake failed"))
		log_event(LOG_LEVEL_INFO, "TLS handshake failed", "session", session->facts.id, "client",
			ip_format(&session->facts.client, client), "error", reason, NULL);
}

/* ---- the end ---- */

bool
session_is_between_messages(const Session *session)
{
	return session->transaction == NULL && session->row == NULL && session->wants == SESSION_WANTS_INPUT;
}

bool
session_is_authenticating(const Session *session)
{
	return session->row == &session_auth_row;
}

uint64_t
session_steps(const Session *session)
{
	return session->steps;
}

bool
session_is_in_message(const Session *session)
{
	return session->input == INPUT_DATA || session->input == INPUT_CHUNK || session->state == STATE_CHUNK;
}

int64_t
session_ends_by(const Session *session)
{
	const EngineSettings *settings = session->snapshot->settings;
	const int64_t end_us = session->begun_us + settings->session_max_us;

	if (session_is_in_message(session))
		return CLOCK_NEVER;
	return session->transaction != NULL ? end_us + settings->idle_us : end_us;
}

void
session_say_end(Session *session, SessionEnd why)
{
	static const struct {
		const char *enhanced, *text;
	} words[] = { [SESSION_IDLE] = { "4.4.2", "Error: timeout exceeded" },
		[SESSION_SLOW] = { "4.4.2", "Error: the message comes too slowly" },
		[SESSION_OLD] = { "4.3.0", "Error: session has lasted too long, connect again" },
		[SESSION_STOPPING] = { "4.3.2", "Service is shutting down, try again later" } };
	g_autofree char *text = g_strdup_printf("%s %s", session->snapshot->settings->hostname, words[why].text);

	session_close_with(session, PTN_LOCAL, 421, words[why].enhanced, text);
}

void
session_gone(Session *session)
{
	atomic_store(&session->is_gone, true);
}

int64_t
session_hook_deadline(const Session *session)
{
	return atomic_load(&session->run.hook_deadline_us);
}

bool
session_orphan(Session *session)
{
	const HookRow *row = chain_orphan(&session->run);

	if (row == NULL)
		return false;
	session_gone(session);
	metrics_add(session->engine->metrics, "session.orphans", 1);
	log_event(LOG_LEVEL_WARNING, "plugin does not return, session given up", "session", session->facts.id,
		"plugin", row->plugin->name, "stage", stage_name(row->stage), NULL);
	return true;
}

/* What observers get is theirs: the rest of the session must not refer to it. */
static void
session_end_name_query(Session *session)
{
	lookups_end(session->lookups, LOOKUPS_OF_NAME);
	session->name_query = NULL;
	session->has_looked_up_name = true;
}

void
session_end(Session *session)
{
	if (session->is_ended)
		return;
	session->is_ended = true;
	session_end_name_query(session);
	session_drop_transaction(session);
	observer_tell(session->engine->observer,
		&(Observation){ .snapshot = session->snapshot,
			.stage = PTN_DISCONNECT,
			.facts = &session->facts,
			.session_region = g_steal_pointer(&session->region),
			.session_states = g_steal_pointer(&session->plugin_states),
			.lookups = g_steal_pointer(&session->lookups) });
}

/* ---- the commit ---- */

SpoolTransaction *
session_take_transaction(Session *session)
{
	return g_steal_pointer(&session->sealed);
}

static void
session_log_queued(const Session *session)
{
	const Envelope *envelope = session->transaction->envelope;
	const Recipient *first = g_ptr_array_index(envelope->recipients, 0);
	char client[IP_TEXT_SIZE], size[24], count[16];

	g_snprintf(size, sizeof size, "%" G_GUINT64_FORMAT, session->data_size);
	g_snprintf(count, sizeof count, "%u", envelope->recipients->len);
	log_event(LOG_LEVEL_INFO, "message accepted", "session", session->facts.id, "queue", session->queue_text,
		"submit", envelope_note(envelope, "submit"), "client", ip_format(&session->facts.client, client), "login",
		session->facts.login, "from", envelope->sender, "to", first->address, "recipients", count, "size", size,
		NULL);
}

static void
session_enter_one(Session *session, QueueId id, unsigned n_recipients)
{
	const Transaction *transaction = session->transaction;
	g_autoptr(MessageState) state = message_state_new(id, n_recipients);

	state->is_held = transaction->hold_reason != NULL;
	state->release_at_us = transaction->release_at_us;
	queue_enter(session->engine->queue, state);
}

static void
session_enter_queue(Session *session)
{
	const Transaction *transaction = session->transaction;

	session_enter_one(session, transaction->id, transaction->envelope->recipients->len);
	for (guint i = 0; transaction->copies != NULL && i < transaction->copies->len; i++)
		session_enter_one(session, ((const TransactionCopy *)g_ptr_array_index(transaction->copies, i))->id, 1);
}

void
session_committed(Session *session, SpoolResult result)
{
	session->wants = SESSION_WANTS_INPUT;
	if (result == SPOOL_COMMITTED) {
		session->facts.accepted++;
		if (session->facts.login != NULL)
			client_budget_note_work(session->facts.client_budget);
		session_forgive(session);
		metrics_add(session->engine->metrics, "messages.accepted", 1);
		session_reply(session, 250, "2.0.0", "Ok: queued as %s", session->queue_text);
		session_log_queued(session);
		session_observe(
			session, (Observation){ .stage = PTN_QUEUED, .code = 250, .enhanced = "2.0.0", .text = "Ok" });
		session_enter_queue(session);
	} else if (result == SPOOL_FULL) {
		session_reject(session, PTN_LOCAL, 452, "4.3.1", "Insufficient system storage");
	} else {
		session_reject(session, PTN_LOCAL, 451, "4.3.0", "Error: queue file write error");
	}
	session_drop_transaction(session);
}
