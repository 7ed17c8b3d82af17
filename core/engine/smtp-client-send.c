/* smtp-client-send.c - one message: envelope, content, a result per recipient; in several transactions where the server
 * takes only so many recipients in one.
 *
 * Behind the content goes the envelope of the next message, where there is one and the server pipelines.  Not over
 * LMTP: there each recipient has a reply of its own behind the content, and mailboxes are near. */
#include <string.h>

#include "engine/smtp-client-private.h"
#include "proto/data.h"

enum { SEND_LEAST_RATE = 10 * 1024 }; /* octets a second that a content may take beyond attempt-timeout */

#define SEND_LAST_WORDS_US CLOCK_SECOND /* whoever takes no more may have said why: that is here, or not at all */

/* ---- a connection that breaks ---- */

/* "4.4.2 PEER: why", with the last refusal: a server that hangs up has said its reason before. */
static char *
send_broken_text(const Sending *sending)
{
	const SmtpClient *client = sending->client;
	const char *why = sending->error != NULL ? sending->error->message : "the connection was lost";

	if (sending->unread != NULL)
		return g_strdup_printf("4.3.0 the message cannot be read: %s", sending->unread->message);
	if (sending->has_421)
		return g_strdup(sending->refusal);
	if (sending->refusal != NULL)
		return g_strdup_printf("4.4.2 %s: %s after \"%s\"", client->peer, why, sending->refusal);
	return g_strdup_printf("4.4.2 %s: %s", client->peer, why);
}

/* A burst that came to nothing over a new connection: the next one does without bursts. */
static void
send_suspect_pipelining(const Sending *sending)
{
	SmtpClient *client = sending->client;

	if (!sending_can_pipeline(sending) || client->messages > 0 || sending->is_past_envelope)
		return;
	if (sending->refusal != NULL && !sending->is_confused) /* it hung up for a reason of its own */
		return;
	client->has_new_quirk = smtp_client_note_quirk(client, QUIRK_PIPELINING);
}

/* What is not settled when a connection breaks is tried again; at once, unless the server may have all of it. */
static bool
send_broken(Sending *sending)
{
	g_autofree char *text = send_broken_text(sending);

	sending->client->is_broken = true;
	for (guint i = 0; i < sending->n; i++) {
		SentResult *result = &sending->results[sending->chosen[i]];

		if (sending->is_open[i] || sending->is_surplus[i])
			result->is_cut_off = !sending->is_ended && sending->unread == NULL;
		if (!sending->is_open[i])
			continue;
		sending_settle(sending, i, SENT_DEFERRED, sending->has_421 && sending->unread == NULL, text);
	}
	send_suspect_pipelining(sending);
	g_clear_error(&sending->error);
	g_clear_error(&sending->unread);
	return false;
}

/* ---- content ---- */

/* The envelope of the next task, behind the content of this one, if nothing speaks against it. */
static bool
send_ahead(Sending *sending)
{
	SmtpClient *client = sending->client;
	const SmtpTask *task = sending->next;
	Sending next = { .client = client, .task = task };
	g_autofree guint *chosen = NULL;
	g_autofree char *obstacle = NULL;
	g_auto(SendForm) form = { 0 };

	if (task == NULL || !sending_can_pipeline(sending) || client->is_lmtp || sending->surplus > 0 ||
		!send_form_is_plain(client, task) || !send_form_find(&form, client, task, NULL))
		return true;
	next.form = &form;
	obstacle = sending_obstacle(client, &form);
	if (obstacle != NULL)
		return true;
	chosen = g_new(guint, task->n);
	for (guint i = 0; i < task->n; i++)
		chosen[i] = i;
	next.chosen = chosen;
	next.n = sending_most(client, task->n);
	client->is_ahead = sending_write_first(&next);
	sending->error = next.error;
	return client->is_ahead;
}

typedef struct {
	Sending *sending;
	uint8_t state;
	bool is_lost;
} Encoding;

static void
send_octets(void *data, const char *octets, size_t size)
{
	Encoding *encoding = data;

	if (encoding->is_lost)
		return;
	smtp_client_limit(encoding->sending->client, encoding->sending->client->settings->data_us);
	encoding->is_lost = !wire_write(encoding->sending->client->wire, octets, size, &encoding->sending->error);
}

static bool
send_piece(void *data, const char *octets, size_t size)
{
	Encoding *encoding = data;

	data_encode(&encoding->state, octets, size, send_octets, encoding);
	return !encoding->is_lost;
}

static void
send_recoded(void *data, const char *octets, size_t size)
{
	(void)send_piece(data, octets, size);
}

static bool
send_piece_to_recode(void *data, const char *octets, size_t size)
{
	recoder_add(data, octets, size);
	return true;
}

/* False: the message cannot be read, or the connection is lost. */
static bool
send_message(Sending *sending, Encoding *encoding)
{
	const SpoolMessage *message = sending->task->message;
	g_autoptr(Recoder) recoder = NULL;

	if (sending->form->plan == NULL)
		return spool_message_pieces(message, send_piece, encoding, &sending->unread) && !encoding->is_lost;
	recoder = recoder_new(sending->form->plan, send_recoded, encoding);
	if (!spool_message_pieces(message, send_piece_to_recode, recoder, &sending->unread))
		return false;
	recoder_end(recoder);
	return !encoding->is_lost;
}

/* RFC 2033 4.2: without a recipient DATA is refused; how many replies would follow what was accepted here? */
static bool
send_out_of_step(Sending *sending)
{
	sending->client->is_broken = true;
	return true;
}

static bool
send_content(Sending *sending, bool has_recipients)
{
	Encoding encoding = { .sending = sending };
	const char *end;

	/* A message that cannot be read to its end gets no final dot: the connection breaks.
	 * RFC 2920 3.1: a DATA that was accepted without recipients is ended with nothing in it */
	if (has_recipients && !send_message(sending, &encoding))
		return false;
	sending->is_ended = true;
	end = has_recipients ? data_encode_end(encoding.state) : ".\r\n";
	return wire_write(sending->client->wire, end, strlen(end), &sending->error) && send_ahead(sending) &&
		   wire_flush(sending->client->wire, &sending->error);
}

/* RFC 2033 4.2: a reply for each recipient that was accepted, in their order.  What was said holds, even if the server is
 * gone before it has said the rest. */
static bool
send_take_mailboxes(Sending *sending, ServerReply *reply)
{
	for (guint i = 0; i < sending->n; i++) {
		g_autofree char *text = NULL;

		if (!sending->is_open[i])
			continue;
		smtp_client_limit_final(sending->client);
		if (!sending_read_now(sending, reply))
			return false;
		text = sending_text(reply);
		sending_settle(sending, i, sending_status(reply->code), true, text);
		sending->results[sending->chosen[i]].is_final = true;
		if (reply->is_torn || sending->has_421)
			return false;
	}
	return true;
}

static bool
send_take_final(Sending *sending, ServerReply *reply)
{
	g_autofree char *text = NULL;

	if (sending->client->is_lmtp)
		return send_take_mailboxes(sending, reply);
	if (!sending_read_now(sending, reply))
		return false;
	text = sending_text(reply);
	sending_settle_open(sending, sending_status(reply->code), true, text);
	return true;
}

/* A server that took no more of the content: a refusal that it sent before it hung up decides. */
static bool
send_take_last_words(Sending *sending, ServerReply *reply)
{
	g_autoptr(GError) first = g_steal_pointer(&sending->error);

	wire_set_deadline(sending->client->wire, g_get_monotonic_time() + SEND_LAST_WORDS_US);
	if (sending_read_now(sending, reply) && reply->code / 100 > 3) {
		g_autofree char *text = sending_text(reply);

		sending_settle_open(sending, sending_status(reply->code), true, text);
	}
	g_clear_error(&sending->error);
	sending->error = g_steal_pointer(&first);
	return false;
}

static bool
send_finish(Sending *sending, ServerReply *reply)
{
	const bool has_recipients = sending_count_open(sending) > 0;

	if (!has_recipients && sending->client->is_lmtp)
		return send_out_of_step(sending);
	if (!send_content(sending, has_recipients))
		return sending->unread == NULL && send_take_last_words(sending, reply);
	smtp_client_limit_final(sending->client);
	return send_take_final(sending, reply);
}

/* ---- a transaction ---- */

/* What answers anything else is out of step with us: whose replies would be taken for whose? */
static bool
send_reset(Sending *sending, ServerReply *reply)
{
	if (sending->client->is_broken)
		return true;
	if (!smtp_write_command(sending->client->wire, &sending->error, "RSET") || !sending_read(sending, reply))
		return false;
	sending->client->is_broken |= reply->code / 100 != 2;
	return true;
}

/* After MAIL or all recipients were refused the connection is cleared for the next message. */
static bool
send_transaction(Sending *sending, ServerReply *reply)
{
	bool is_accepted = false;
	int data_code = 0;

	if (!sending_envelope(sending, &is_accepted, &data_code, reply))
		return false;
	if (data_code == 0 && is_accepted && sending_count_open(sending) > 0) {
		if (!smtp_write_command(sending->client->wire, &sending->error, "DATA") || !sending_read(sending, reply))
			return false;
		data_code = reply->code;
	}
	if (data_code != 0 && !sending_take_data(sending, reply))
		return false;
	sending->is_past_envelope = data_code != 0;
	return data_code / 100 == 3 ? send_finish(sending, reply) : send_reset(sending, reply);
}

bool
smtp_client_is_ahead(const SmtpClient *client)
{
	return client->is_ahead;
}

/* A large content and many recipients take their time; one octet now and then does not keep a connection for hours. */
static int64_t
send_attempt_us(const Sending *sending)
{
	return sending->client->settings->attempt_us + (int64_t)sending->n * CLOCK_SECOND +
		   (int64_t)(sending->form->size / SEND_LEAST_RATE) * CLOCK_SECOND;
}

static bool
send_once(Sending *sending)
{
	SmtpClient *client = sending->client;
	g_auto(ServerReply) reply;

	smtp_reply_init(&reply);
	client->attempt_until_us = g_get_monotonic_time() + send_attempt_us(sending);
	smtp_client_limit(client, client->settings->command_us);
	if (!send_transaction(sending, &reply))
		return send_broken(sending);
	client->messages++;
	return !client->is_broken;
}

/* ---- as many as it takes ---- */

/* Those that were too many remain in `chosen`, in their order, before those that were not offered yet. */
static guint
send_keep_surplus(Sending *sending, guint *chosen, guint n)
{
	guint kept = 0;

	for (guint i = 0; i < n; i++)
		if (i >= sending->n || sending->is_surplus[i])
			chosen[kept++] = chosen[i];
	return kept;
}

/* False: all were deferred by MAIL, DATA or the final dot, or are surplus; the next transaction would fare no better. */
static bool
send_has_progressed(const Sending *sending)
{
	if (sending->refused > 0)
		return true;
	for (guint i = 0; i < sending->n; i++)
		if (sending->results[sending->chosen[i]].status != SENT_DEFERRED)
			return true;
	return false;
}

/* Nothing was said of those that were not offered: what became of the others holds for them. */
static void
send_defer_rest(const Sending *sending, const guint *chosen, guint n)
{
	const SentResult *other = &sending->results[sending->chosen[0]];

	for (guint i = sending->n; i < n; i++) {
		SentResult *result = &sending->results[chosen[i]];

		if (result->reply != NULL) /* of a transaction before, where it was too many */
			continue;
		sent_result_set(result, SENT_DEFERRED, false, NULL);
		result->reply = other->status == SENT_DEFERRED
							? g_strdup(other->reply)
							: g_strdup_printf("4.4.2 %s: the connection was lost", sending->client->peer);
		result->is_remote = other->status == SENT_DEFERRED && other->is_remote;
		result->is_cut_off = other->status == SENT_DEFERRED && other->is_cut_off;
	}
}

/* So many were accepted besides those that were too many.  A server that counts the latter as errors, and hangs up, is not
 * offered them again. */
static void
send_note_most(const Sending *sending)
{
	SmtpClient *client = sending->client;

	if (sending->surplus == 0 || sending->accepted == 0)
		return;
	client->most_recipients = sending->accepted;
	client->has_new_quirk |= host_quirks_note_most(client->quirks, client->place, sending->accepted);
}

/* `chosen` has `n` recipients of the task that have no result yet. */
static bool
send_all(SmtpClient *client, const SmtpTask *task, const SmtpTask *next, const SendForm *form, SentResult *results,
	guint *chosen)
{
	bool is_usable = true;
	guint n = task->n;

	while (is_usable && n > 0) {
		const guint most = sending_most(client, n);
		g_autofree bool *is_open = g_new(bool, most), *is_surplus = g_new0(bool, most);
		Sending sending = { .client = client, .task = task, .next = most == n ? next : NULL, .results = results,
			.chosen = chosen, .n = most, .is_open = is_open, .is_surplus = is_surplus, .form = form };
		bool goes_on;

		memset(is_open, true, most * sizeof *is_open);
		is_usable = send_once(&sending);
		g_free(sending.refusal);
		send_note_most(&sending);
		goes_on = is_usable && send_has_progressed(&sending);
		if (!goes_on)
			send_defer_rest(&sending, chosen, n);
		n = goes_on ? send_keep_surplus(&sending, chosen, n) : 0;
	}
	return is_usable;
}

static void
send_set_all(const SmtpTask *task, SentResult *results, SentStatus status, const char *text)
{
	for (guint i = 0; i < task->n; i++)
		sent_result_set(&results[i], status, false, text);
}

bool
smtp_client_send_task(SmtpClient *client, const SmtpTask *task, const SmtpTask *next, SentResult *results)
{
	g_autofree guint *chosen = g_new(guint, task->n);
	g_autofree char *obstacle = NULL;
	g_autoptr(GError) unread = NULL;
	g_auto(SendForm) form = { 0 };

	for (guint i = 0; i < task->n; i++)
		chosen[i] = i;
	if (!send_form_find(&form, client, task, &unread)) {
		g_autofree char *text = g_strdup_printf("4.3.0 the message cannot be read: %s", unread->message);

		client->is_broken |= client->is_ahead;
		send_set_all(task, results, SENT_DEFERRED, text);
		return !client->is_broken;
	}
	obstacle = sending_obstacle(client, &form);
	if (obstacle != NULL) {
		send_set_all(task, results, SENT_FAILED, obstacle);
		return true;
	}
	return send_all(client, task, next, &form, results, chosen);
}
