/* session-refusal.c - refusals: their words, what is kept of each, what they cost, and those that are told later. */
#include <string.h>

#include "base/log.h"
#include "engine/refusal.h"
#include "engine/session-private.h"

/* What is refused, before the account's wishes are looked at. */
typedef struct {
	const char *stage; /* of the log */
	PtnCause cause;
	int code;
	const char *enhanced, *text, *plugin;
} Refused;

static const char *
session_stage_now(const Session *session)
{
	if (session->row != NULL && session->row->stage != 0)
		return stage_name(session->row->stage);
	if (session->sasl != SASL_NONE)
		return stage_name(PTN_AUTH);
	if (session->input == INPUT_DATA || session->input == INPUT_CHUNK || session->data_size > 0)
		return stage_name(PTN_MESSAGE);
	switch (session->state) {
	case STATE_RCPT:
	case STATE_MAIL:
		return stage_name(PTN_RCPT);
	case STATE_START:
		return stage_name(PTN_CONNECT);
	default:
		return stage_name(PTN_MAIL);
	}
}

/* Log and rejection log together: what is left out of one is of the other. */
static bool
session_may_log_refusal(const Session *session, const Refused *refused)
{
	g_autofree char *reason = g_strdup_printf("refused at %s, %s", refused->stage, cause_name(refused->cause));

	return session_may_log(session, reason);
}

/* `before`: what the rule wanted, where `reply` is what the account's on-refusal made of it; else NULL. */
static void
session_note_refusal(Session *session, const Refused *refused, const char *reply, const char *before)
{
	const Transaction *transaction = session->transaction;
	const Recipient *last = session->pending;
	char client[IP_TEXT_SIZE];
	const Refusal refusal = { .time_us = clock_wall(session->engine->clock),
		.session = session->facts.id,
		.queue_id = session->queue_text,
		.client = ip_format(&session->facts.client, client),
		.login = session->facts.login != NULL ? session->facts.login : session->sasl_login,
		.sender = transaction != NULL ? transaction->submitted_sender : NULL,
		.recipient = last != NULL ? last->address : NULL,
		.stage = refused->stage,
		.plugin = refused->plugin,
		.cause = cause_name(refused->cause),
		.reply = reply };

	if (session->explanation != NULL) {
		explain_refusal(session, refused->stage, refused->plugin, reply);
		return;
	}
	if (!session_may_log_refusal(session, refused))
		return;
	if (session->engine->refusals != NULL)
		refusals_note(session->engine->refusals, &refusal);
	log_event(LOG_LEVEL_INFO, "refused", "session", refusal.session, "queue", refusal.queue_id, "client",
		refusal.client, "login", refusal.login, "from", refusal.sender, "to", refusal.recipient, "stage",
		refusal.stage, "plugin", refusal.plugin, "cause", refusal.cause, "reply", reply, "before-on-refusal",
		before, NULL);
}

/* "450 4.7.1 later".  New. */
static char *
session_refusal_text(int code, const char *enhanced, const char *text)
{
	return g_strdup_printf("%d%s%s %s", code, enhanced[0] != '\0' ? " " : "", enhanced, text);
}

/* An account's on-refusal changes what the client is told, and nothing else: whatever counts or observes a refusal goes by the
 * code of the rule, or one option would make a violation of the rules unseen, and a refusal for now one for good. */
static void
session_refuse(Session *session, const Refused *refused)
{
	g_autofree char *support =
		refusal_support(session->snapshot->settings, session->facts.id, refused->cause);
	const char *rule_enhanced = refused->enhanced != NULL ? refused->enhanced : "";
	char enhanced[REFUSAL_ENHANCED_SIZE];
	g_autofree char *before = session_refusal_text(refused->code, rule_enhanced, refused->text);
	g_autofree char *reply = NULL;
	int code = refused->code;

	(void)g_strlcpy(enhanced, rule_enhanced, sizeof enhanced);
	refusal_map(refusal_action(session->facts.account), refused->cause, &code, enhanced);
	reply = session_refusal_text(code, enhanced, refused->text);
	session->refused_code = refused->code;
	session->was_told_disabled = g_strcmp0(refused->enhanced, "5.7.13") == 0;
	session_put_line(session, code, support != NULL ? '-' : ' ', enhanced, refused->text);
	if (support != NULL)
		session_put_line(session, code, ' ', enhanced, support);
	session_note_refusal(session, refused, reply, code != refused->code ? before : NULL);
	session_observe(session, (Observation){ .stage = PTN_REPLY,
								 .cause = refused->cause,
								 .code = refused->code,
								 .enhanced = rule_enhanced,
								 .text = refused->text,
								 .about = refused->plugin });
	metrics_add(session->engine->metrics, refused->code < 500 ? "replies.4xx" : "replies.5xx", 1);
}

void
session_reject(Session *session, PtnCause cause, int code, const char *enhanced, const char *format, ...)
{
	g_autofree char *text = NULL;
	va_list arguments;

	va_start(arguments, format);
	text = g_strdup_vprintf(format, arguments);
	va_end(arguments);
	session_refuse(session, &(Refused){ session_stage_now(session), cause, code, enhanced, text, NULL });
	session_count_error(session, cause, session->refused_code);
}

void
session_reject_behind(Session *session, int code, const char *enhanced, const char *text)
{
	session_refuse(session, &(Refused){ session_stage_now(session), PTN_PROTOCOL, code, enhanced, text, NULL });
}

void
session_reject_by(Session *session, const char *plugin)
{
	const HookCall *call = session->call;

	session_refuse(session,
		&(Refused){ session_stage_now(session), call->cause, call->code, call->enhanced, call->text, plugin });
	session_count_error(session, call->cause, session->refused_code);
}

void
session_close_with(Session *session, PtnCause cause, int code, const char *enhanced, const char *text)
{
	session->is_closing = true;
	if (code >= 400)
		session_refuse(session, &(Refused){ session_stage_now(session), cause, code, enhanced, text, NULL });
	else
		session_put_line(session, code, ' ', enhanced, text);
}

bool
session_is_blocked(Session *session)
{
	if (session->facts.is_monitor ||
		blocks_test(session->engine->blocks, &session->facts.client) == BLOCKS_FREE)
		return false;
	session_close_with(
		session, PTN_POLICY, 421, "4.7.0", "Error: too many errors from your address, try again later");
	return true;
}

/* ---- refusals that are told at RCPT ---- */

struct KeptRefusal {
	const char *stage;
	PtnCause cause;
	int code;
	char *enhanced, *text, *plugin;
};

void
kept_refusal_free(KeptRefusal *kept)
{
	g_free(kept->enhanced);
	g_free(kept->text);
	g_free(kept->plugin);
	g_free(kept);
}

bool
session_keep_refusal(Session *session, const char *plugin)
{
	const PtnStage stage = session->row->stage;
	KeptRefusal **place = stage == PTN_MAIL ? &session->kept_of_mail : &session->kept;
	const HookCall *call = session->call;

	if (!session->snapshot->settings->refuses_at_rcpt || !stage_is(stage, STAGE_REFUSES_LATE))
		return false;
	if (*place != NULL)
		return true; /* the first is told */
	*place = g_new0(KeptRefusal, 1);
	**place = (KeptRefusal){ .stage = stage_name(stage),
		.cause = call->cause,
		.code = call->code,
		.enhanced = g_strdup(call->enhanced),
		.text = g_strdup(call->text),
		.plugin = g_strdup(plugin) };
	return true;
}

bool
session_tell_kept(Session *session)
{
	const KeptRefusal *kept = session->kept != NULL ? session->kept : session->kept_of_mail;

	if (kept == NULL)
		return false;
	session_refuse(
		session, &(Refused){ kept->stage, kept->cause, kept->code, kept->enhanced, kept->text, kept->plugin });
	session_count_error(session, kept->cause, session->refused_code);
	return true;
}
