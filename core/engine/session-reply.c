/* session-reply.c - what the session says, and what is kept of every refusal. */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "engine/session-private.h"

static void
session_put_line(Session *session, int code, char separator, const char *enhanced, const char *text)
{
	if (session->out == NULL)
		session->out = g_string_sized_new(200);
	g_string_append_printf(session->out, "%d%c%s%s%s\r\n", code, separator, enhanced != NULL ? enhanced : "",
		enhanced != NULL ? " " : "", text);
}

void
session_reply(Session *session, int code, const char *enhanced, const char *format, ...)
{
	char text[512];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	session_put_line(session, code, ' ', enhanced, text);
}

void
session_event(Session *session, const char *name)
{
	g_autofree char *metric = g_strdup_printf("event.%s", name);
	char client[IP_TEXT_SIZE];

	metrics_add(session->engine->metrics, metric, 1);
	log_event(LOG_LEVEL_INFO, "event", "session", session->facts.id, "name", name, "client",
		ip_format(&session->facts.client, client), "login", session->facts.login, NULL);
}

/* "%{session}" and "%{cause}" of the setting `support`. */
static char *
session_support(const Session *session, PtnCause cause)
{
	g_auto(GStrv) parts = g_strsplit(session->snapshot->settings->support, "%{session}", -1);
	g_autofree char *with_id = g_strjoinv(session->facts.id, parts);
	g_auto(GStrv) more = g_strsplit(with_id, "%{cause}", -1);

	return g_strjoinv(cause_name(cause), more);
}

static const char *
session_stage_now(const Session *session)
{
	if (session->row != NULL && session->row->stage != 0)
		return stage_name(session->row->stage);
	if (session->sasl != SASL_NONE)
		return "auth";
	if (session->input == INPUT_DATA || session->input == INPUT_CHUNK || session->data_size > 0)
		return "message";
	switch (session->state) {
	case STATE_RCPT:
	case STATE_MAIL:
		return "rcpt";
	case STATE_START:
		return "connect";
	default:
		return "mail";
	}
}

static void
session_note_refusal(Session *session, PtnCause cause, const char *plugin, const char *reply)
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
		.stage = session_stage_now(session),
		.plugin = plugin,
		.cause = cause_name(cause),
		.reply = reply };

	if (session->engine->refusals != NULL)
		refusals_note(session->engine->refusals, &refusal);
	log_event(LOG_LEVEL_INFO, "refused", "session", refusal.session, "queue", refusal.queue_id, "client",
		refusal.client, "login", refusal.login, "from", refusal.sender, "to", refusal.recipient, "stage",
		refusal.stage, "plugin", plugin, "cause", refusal.cause, "reply", reply, NULL);
}

/* From the soft limit on each error costs a second, at the hard one the session ends (part 2). */
static void
session_count_error(Session *session)
{
	const EngineSettings *settings = session->snapshot->settings;

	session->errors++;
	if (session->is_closing)
		return;
	if (session->errors >= settings->hard_errors) {
		session_event(session, "too-many-errors");
		session_put_line(session, 421, ' ', "4.7.0", "Error: too many errors");
		session->is_closing = true;
	} else if (session->errors > settings->soft_errors && session->wants == SESSION_WANTS_INPUT) {
		session->pause_us = settings->error_delay_us;
		session->wants = SESSION_WANTS_PAUSE;
	}
}

static void
session_refuse(
	Session *session, PtnCause cause, const char *plugin, int code, const char *enhanced, const char *text)
{
	g_autofree char *reply =
		g_strdup_printf("%d%s%s %s", code, enhanced != NULL ? " " : "", enhanced != NULL ? enhanced : "", text);
	const bool has_support =
		session->snapshot->settings->support != NULL && cause != PTN_PROTOCOL && cause != PTN_LOCAL;

	session->reply_code = code;
	session_put_line(session, code, has_support ? '-' : ' ', enhanced, text);
	if (has_support) {
		g_autofree char *support = session_support(session, cause);

		session_put_line(session, code, ' ', enhanced, support);
	}
	session_note_refusal(session, cause, plugin, reply);
	session_observe(session, PTN_REPLY, cause, code, enhanced, text);
	metrics_add(session->engine->metrics, code < 500 ? "replies.4xx" : "replies.5xx", 1);
}

void
session_reject(Session *session, PtnCause cause, int code, const char *enhanced, const char *format, ...)
{
	g_autofree char *text = NULL;
	va_list arguments;

	va_start(arguments, format);
	text = g_strdup_vprintf(format, arguments);
	va_end(arguments);
	session_refuse(session, cause, NULL, code, enhanced, text);
	session_count_error(session);
}

void
session_reject_by(Session *session, const char *plugin)
{
	const HookCall *call = session->call;
	g_autofree char *text = g_strdup(call->text);

	session_refuse(session, call->cause, plugin, call->code, call->enhanced, text);
	session_count_error(session);
}

void
session_close_with(Session *session, PtnCause cause, int code, const char *enhanced, const char *text)
{
	session->is_closing = true;
	if (code >= 400)
		session_refuse(session, cause, NULL, code, enhanced, text);
	else
		session_put_line(session, code, ' ', enhanced, text);
}
