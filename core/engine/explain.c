/* explain.c - drives a session that nobody is at the other end of, up to where its message would be committed. */
#include "engine/explain.h"

#include <stdlib.h>
#include <string.h>

#include "engine/session-private.h"

static void
explain_row_free(void *data)
{
	ExplainRow *row = data;

	g_free(row->plugin);
	g_free(row->answer);
	g_free(row->asked);
	g_free(row);
}

void
explanation_free(Explanation *explanation)
{
	g_ptr_array_unref(explanation->rows);
	g_ptr_array_unref(explanation->changes);
	g_free(explanation->reply);
	g_free(explanation);
}

/* ---- what the session tells ---- */

static char *
explain_answer(const HookRow *row, const HookCall *call, PtnVerdict verdict)
{
	const bool is_refusal = verdict == PTN_REFUSED || verdict == PTN_CLOSED;

	if (verdict == PTN_FAILED)
		return g_strdup_printf(
			"failed: %s (on-error = %s)", call->failure, row->plugin->passes_on_error ? "pass" : "defer");
	if (is_refusal)
		return g_strdup_printf("%s%d %s %s%s",
			row->plugin->mode == HOOK_WARNS ? "would refuse (mode = warn): " : "", call->code, call->enhanced,
			call->text, verdict == PTN_CLOSED ? ", and close" : "");
	return g_strdup(verdict == PTN_DONE ? "done" : "next");
}

void
explain_hook(void *data, const HookRow *row, const HookCall *call, PtnVerdict verdict, int64_t took_us)
{
	const Session *session = data;
	ExplainRow *told = g_new0(ExplainRow, 1);

	g_ptr_array_add(call->asked, NULL);
	told->stage = stage_name(row->stage);
	told->plugin = hook_name(row->plugin->name, call);
	told->answer = explain_answer(row, call, verdict);
	told->asked = g_strjoinv("; ", (char **)call->asked->pdata);
	told->took_us = took_us;
	g_ptr_array_set_size(call->asked, 0);
	g_ptr_array_add(session->explanation->rows, told);
}

void
explain_refusal(const Session *session, const char *stage, const char *plugin, const char *reply)
{
	Explanation *explanation = session->explanation;
	ExplainRow *row;

	g_free(explanation->reply);
	explanation->reply = g_strdup(reply);
	if (plugin != NULL)
		return; /* its row is there */
	row = g_new0(ExplainRow, 1);
	row->stage = stage;
	row->answer = g_strdup(reply);
	row->asked = g_strdup("");
	g_ptr_array_add(explanation->rows, row);
}

/* ---- what becomes of the message ---- */

static void explain_change(Explanation *explanation, const char *format, ...) G_GNUC_PRINTF(2, 3);

static void
explain_change(Explanation *explanation, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	g_ptr_array_add(explanation->changes, g_strdup_vprintf(format, arguments));
	va_end(arguments);
}

static void
explain_headers(Explanation *explanation, const GString *lines)
{
	g_auto(GStrv) each = g_strsplit(lines->str, "\r\n", -1);

	for (char **line = each; *line != NULL; line++)
		if ((*line)[0] != '\0' && (*line)[0] != ' ' && (*line)[0] != '\t')
			explain_change(explanation, "adds %s", *line);
}

static void
explain_message(Explanation *explanation, const Transaction *transaction)
{
	const Envelope *envelope = transaction->envelope;
	GHashTableIter each;
	void *name;

	if (strcmp(envelope->sender, transaction->submitted_sender) != 0)
		explain_change(
			explanation, "the sender <%s> becomes <%s>", transaction->submitted_sender, envelope->sender);
	for (guint i = 0; i < envelope->recipients->len; i++)
		explain_change(
			explanation, "goes to <%s>", ((Recipient *)g_ptr_array_index(envelope->recipients, i))->address);
	for (guint i = 0; transaction->copies != NULL && i < transaction->copies->len; i++) {
		const TransactionCopy *copy = g_ptr_array_index(transaction->copies, i);

		if (copy->envelope != NULL)
			explain_change(explanation, "a copy goes to <%s>",
				((Recipient *)g_ptr_array_index(copy->envelope->recipients, 0))->address);
	}
	if (transaction->copies_barred != NULL)
		explain_change(explanation, "has no copies: %s", transaction->copies_barred);
	if (transaction->hold_reason != NULL)
		explain_change(explanation, "is held: %s", transaction->hold_reason);
	explain_headers(explanation, transaction->top);
	explain_headers(explanation, transaction->bottom);
	if (transaction->removed == NULL)
		return;
	g_hash_table_iter_init(&each, transaction->removed);
	while (g_hash_table_iter_next(&each, &name, NULL))
		explain_change(explanation, "loses its header fields \"%s\"", (const char *)name);
}

/* ---- the conversation ---- */

/* Goes on until it wants more input; false: it is over. */
static bool
explain_run(Session *session)
{
	Place place = ON_WORKER;

	for (;;) {
		const SessionNeed need = session_run(session, place);

		place = need == SESSION_WANTS_CRUNCHER ? ON_CRUNCHER : ON_WORKER;
		if (need == SESSION_WANTS_INPUT)
			return true;
		if (need == SESSION_WANTS_COMMIT || need == SESSION_WANTS_CLOSE || need == SESSION_WANTS_TLS)
			return false;
	}
}

/* The last line of what was said since; new. */
static char *
explain_take_reply(Session *session)
{
	GString *output = session_take_output(session);
	g_auto(GStrv) lines = NULL;
	guint n;

	if (output == NULL)
		return g_strdup("");
	lines = g_strsplit(g_strchomp(output->str), "\r\n", -1);
	n = g_strv_length(lines);
	g_string_free(output, TRUE);
	return g_strdup(n > 0 ? lines[n - 1] : "");
}

/* True: it was answered with success, or asked to go on. */
static bool
explain_say(Session *session, const char *line)
{
	g_autofree char *reply = NULL;
	bool goes_on;

	session_input(session, line, strlen(line));
	session_input(session, "\r\n", 2);
	goes_on = explain_run(session);
	reply = explain_take_reply(session);
	return goes_on && reply[0] != '4' && reply[0] != '5';
}

static bool
explain_log_in(Session *session, const char *login)
{
	g_autofree char *reply = NULL;

	session->identified = g_strdup(login);
	session_auth_row.proceed(session);
	(void)explain_run(session);
	reply = explain_take_reply(session);
	return reply[0] == '2';
}

static bool
explain_recipients(Session *session, const char *const *recipients)
{
	bool is_any = false;

	for (; *recipients != NULL; recipients++) {
		g_autofree char *line = g_strdup_printf("RCPT TO:<%s>", *recipients);

		is_any |= explain_say(session, line);
	}
	return is_any;
}

/* Lines get CRLF and their dots stuffed. */
static void
explain_content(Session *session, const char *content)
{
	g_auto(GStrv) lines = g_strsplit(content, "\n", -1);
	g_autoptr(GString) text = g_string_new(NULL);

	for (char **line = lines; *line != NULL; line++) {
		const size_t size = strlen(*line);
		const bool has_return = size > 0 && (*line)[size - 1] == '\r';

		if (line[1] == NULL && size == 0)
			break;
		g_string_append_printf(text, "%s%.*s\r\n", (*line)[0] == '.' ? "." : "", (int)(size - has_return), *line);
	}
	g_string_append(text, ".\r\n");
	session_input(session, text->str, text->len);
}

static bool
explain_envelope(Session *session, const ExplainRequest *request)
{
	g_autofree char *hello = g_strdup_printf("EHLO %s", request->helo);
	g_autofree char *mail = g_strdup_printf("MAIL FROM:<%s>", request->sender);
	g_autofree char *greeting = NULL;
	bool goes_on = explain_run(session);

	greeting = explain_take_reply(session);
	return goes_on && greeting[0] == '2' && explain_say(session, hello) &&
		   (request->login == NULL || explain_log_in(session, request->login)) && explain_say(session, mail) &&
		   explain_recipients(session, request->recipients) && explain_say(session, "DATA");
}

Explanation *
explain(const Engine *engine, Snapshot *snapshot, const ExplainRequest *request)
{
	Explanation *explanation = g_new0(Explanation, 1);
	/* services that remember are left out */
	Engine apart = { .clock = engine->clock,
		.ids = engine->ids,
		.session_ids = engine->session_ids,
		.spool = engine->spool,
		.queue = engine->queue,
		.store = engine->store,
		.directory = engine->directory,
		.blocks = engine->blocks,
		.stay = engine->stay,
		.metrics = metrics_new(),
		.waiters = engine->waiters,
		.crunchers = engine->crunchers,
		.hashers = engine->hashers };
	const SessionSettings settings = { .engine = &apart,
		.snapshot = snapshot,
		.listener = request->listener,
		.client = request->client,
		.explanation = explanation };
	Session *session;

	explanation->rows = g_ptr_array_new_with_free_func(explain_row_free);
	explanation->changes = g_ptr_array_new_with_free_func(g_free);
	session = session_new(&settings);
	if (explain_envelope(session, request)) {
		explain_content(session, request->content);
		if (!explain_run(session) && session->sealed != NULL) {
			explanation->is_accepted = true;
			explain_message(explanation, session->transaction);
		}
	}
	if (explanation->is_accepted) {
		g_free(explanation->reply);
		explanation->reply = g_strdup("250 2.0.0 Ok");
	} else if (explanation->reply == NULL) {
		explanation->reply = explain_take_reply(session);
	}
	session_free(session);
	metrics_free(apart.metrics);
	return explanation;
}
