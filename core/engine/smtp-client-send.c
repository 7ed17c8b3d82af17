/* smtp-client-send.c - one transaction: envelope in one burst, content, a result per recipient.
 *
 * Behind the content goes the envelope of the next transaction, where there is one and the server pipelines.  Not over
 * LMTP: there each recipient has a reply of its own behind the content, and mailboxes are near. */
#include <string.h>

#include "engine/smtp-client-private.h"
#include "proto/data.h"
#include "proto/xtext.h"

enum {
	SEND_GROUP = 100,             /* recipients of one burst: their replies must fit the socket's buffers */
	SEND_LEAST_RATE = 10 * 1024, /* octets a second that a content may take beyond attempt-timeout */
};

typedef struct {
	SmtpClient *client;
	const SpoolMessage *message;
	const guint *places;
	guint n;
	const char *sender; /* NULL: the envelope's */
	const RouteAnswer *ways;
	const SmtpTask *next; /* NULL: none is known */
	SentResult *results;
	SendForm form;
	bool *is_open; /* recipients that were accepted */
	GError *error;   /* of the wire */
	GError *unread;  /* of the spool: the message could not be read to its end */
} Sending;

static char *
send_reply_text(const ServerReply *reply)
{
	g_autofree char *text = g_strdelimit(g_strdup(reply->text->str), "\n", ' ');

	return g_strdup_printf("%d %s%s%s", reply->code, reply->enhanced, reply->enhanced[0] != '\0' ? " " : "", text);
}

static SentStatus
send_status_of(int code)
{
	return code / 100 == 2 ? SENT_OK : code / 100 == 5 ? SENT_FAILED : SENT_DEFERRED;
}

static void
send_set(Sending *sending, guint i, SentStatus status, bool is_remote, const char *text)
{
	sent_result_set(&sending->results[i], status, is_remote, text);
}

static void
send_set_open(Sending *sending, SentStatus status, bool is_remote, const char *text)
{
	for (guint i = 0; i < sending->n; i++)
		if (sending->is_open[i])
			send_set(sending, i, status, is_remote, text);
}

/* What is not settled when a connection breaks is tried again. */
static bool
send_broken(Sending *sending)
{
	g_autofree char *text =
		sending->unread != NULL
			? g_strdup_printf("4.3.0 the message cannot be read: %s", sending->unread->message)
			: g_strdup_printf("4.4.2 %s: %s", sending->client->peer,
				  sending->error != NULL ? sending->error->message : "the connection was lost");

	sending->client->is_broken = true;
	send_set_open(sending, SENT_DEFERRED, false, text);
	g_clear_error(&sending->error);
	g_clear_error(&sending->unread);
	return false;
}

/* ---- what the server must be able to ---- */

/* New: why the server would not take it; NULL: it can. */
static char *
send_obstacle(const Sending *sending)
{
	const SmtpClient *client = sending->client;

	if ((client->capabilities & SMTP_SIZE) && client->size_limit > 0 && sending->form.size > client->size_limit)
		return g_strdup_printf("5.3.4 the message has %" G_GUINT64_FORMAT " octets, %s takes %" G_GUINT64_FORMAT,
			sending->form.size, client->peer, client->size_limit);
	if (sending->form.needs_utf8 && !(client->capabilities & SMTP_SMTPUTF8))
		return send_form_no_utf8(client);
	if (sending->form.cannot_convert)
		return g_strdup_printf("5.6.3 %s takes no 8-bit content (8BITMIME), and part of the message is signed, or "
							   "in an unknown encoding, and must not be converted",
			client->peer);
	return NULL;
}

/* ---- commands ---- */

static bool
send_mail(Sending *sending)
{
	const Envelope *envelope = sending->message->envelope;
	const unsigned can = sending->client->capabilities;
	g_autoptr(GString) line = g_string_new(NULL);

	g_string_printf(line, "MAIL FROM:<%s>", sending->sender != NULL ? sending->sender : envelope->sender);
	if (can & SMTP_SIZE)
		g_string_append_printf(line, " SIZE=%" G_GUINT64_FORMAT, sending->form.size);
	if ((can & SMTP_8BITMIME) && (envelope->body == BODY_8BITMIME || sending->form.has_8bit))
		g_string_append(line, " BODY=8BITMIME");
	if (sending->form.needs_utf8)
		g_string_append(line, " SMTPUTF8");
	if ((can & SMTP_DSN) && envelope->ret != RET_NONE)
		g_string_append(line, envelope->ret == RET_FULL ? " RET=FULL" : " RET=HDRS");
	if ((can & SMTP_DSN) && envelope->envid != NULL)
		g_string_append_printf(line, " ENVID=%s", envelope->envid);
	return smtp_write_command(sending->client->wire, &sending->error, "%s", line->str);
}

static bool
send_rcpt(Sending *sending, guint i)
{
	static const struct {
		unsigned bit;
		const char *word;
	} words[] = { { NOTIFY_NEVER, "NEVER" }, { NOTIFY_SUCCESS, "SUCCESS" }, { NOTIFY_FAILURE, "FAILURE" },
		{ NOTIFY_DELAY, "DELAY" } };
	const guint place = sending->places[i];
	const Recipient *recipient = g_ptr_array_index(sending->message->envelope->recipients, place);
	const char *other = sending->ways != NULL ? sending->ways[place].recipient : NULL;
	g_autoptr(GString) line = g_string_new(NULL);
	g_autoptr(Region) region = region_new();
	const char *separator = " NOTIFY=";

	g_string_printf(line, "RCPT TO:<%s>", other != NULL ? other : recipient->address);
	for (size_t k = 0; (sending->client->capabilities & SMTP_DSN) && k < G_N_ELEMENTS(words); k++) {
		if (recipient->notify & words[k].bit) {
			g_string_append_printf(line, "%s%s", separator, words[k].word);
			separator = ",";
		}
	}
	if ((sending->client->capabilities & SMTP_DSN) && recipient->original != NULL)
		g_string_append_printf(line, " ORCPT=%s",
			sending->form.needs_utf8 ? recipient->original : orcpt_to_ascii(region, recipient->original));
	return smtp_write_command(sending->client->wire, &sending->error, "%s", line->str);
}

static bool
send_read(Sending *sending, ServerReply *reply)
{
	smtp_client_limit(sending->client, sending->client->settings->command_us);
	return smtp_read_reply(sending->client->wire, reply, &sending->error);
}

/* Reads the reply to MAIL; a refusal is everybody's. */
static bool
send_take_mail(Sending *sending, ServerReply *reply, bool *is_accepted)
{
	if (!send_read(sending, reply))
		return false;
	*is_accepted = reply->code / 100 == 2;
	if (!*is_accepted) {
		g_autofree char *text = send_reply_text(reply);

		send_set_open(sending, send_status_of(reply->code), true, text);
		if (reply->code / 100 == 5) /* that holds, even if the server hangs up at once */
			memset(sending->is_open, 0, sending->n * sizeof *sending->is_open);
	}
	return true;
}

static bool
send_take_rcpt(Sending *sending, guint i, ServerReply *reply, bool is_mail_accepted)
{
	if (!send_read(sending, reply))
		return false;
	if (is_mail_accepted && reply->code / 100 != 2) {
		g_autofree char *text = send_reply_text(reply);

		/* 552 for too many recipients is 452 by its meaning (RFC 5321 4.5.3.1.10) */
		send_set(sending, i, reply->code == 552 ? SENT_DEFERRED : send_status_of(reply->code), true, text);
		sending->is_open[i] = false;
	}
	return true;
}

static guint
send_count_open(const Sending *sending)
{
	guint open = 0;

	for (guint i = 0; i < sending->n; i++)
		open += sending->is_open[i];
	return open;
}

static guint
send_group_end(const Sending *sending, guint first)
{
	return MIN(first + SEND_GROUP, sending->n);
}

/* A burst: MAIL before the first recipient, DATA behind the last. */
static bool
send_write_group(Sending *sending, guint first)
{
	const guint end = send_group_end(sending, first);

	if (first == 0 && !send_mail(sending))
		return false;
	for (guint i = first; i < end; i++)
		if (!send_rcpt(sending, i))
			return false;
	return end < sending->n || smtp_write_command(sending->client->wire, &sending->error, "DATA");
}

/* MAIL, RCPT … in bursts.  The reply to DATA is read here, too: `data_code`. */
static bool
send_envelope_in_bursts(Sending *sending, bool *is_accepted, int *data_code, ServerReply *reply)
{
	for (guint first = 0; first < sending->n; first += SEND_GROUP) {
		const bool is_out = first == 0 && sending->client->is_ahead;

		sending->client->is_ahead = false;
		if (!is_out && !send_write_group(sending, first))
			return false;
		if (first == 0 && !send_take_mail(sending, reply, is_accepted))
			return false;
		for (guint i = first; i < send_group_end(sending, first); i++)
			if (!send_take_rcpt(sending, i, reply, *is_accepted))
				return false;
	}
	if (!send_read(sending, reply))
		return false;
	*data_code = reply->code;
	return true;
}

static bool
send_envelope_one_by_one(Sending *sending, bool *is_accepted, ServerReply *reply)
{
	if (!send_mail(sending) || !send_take_mail(sending, reply, is_accepted))
		return false;
	for (guint i = 0; *is_accepted && i < sending->n; i++)
		if (!send_rcpt(sending, i) || !send_take_rcpt(sending, i, reply, true))
			return false;
	return true;
}

/* The envelope of the next task, behind the content of this one, if nothing speaks against it. */
static bool
send_ahead(Sending *sending)
{
	const SmtpTask *task = sending->next;
	Sending next = { .client = sending->client };
	g_autofree char *obstacle = NULL;

	if (task == NULL || !(sending->client->capabilities & SMTP_PIPELINING) || sending->client->is_lmtp ||
		!send_form_is_plain(sending->client, task))
		return true;
	next.message = task->message;
	next.places = task->places;
	next.n = task->n;
	next.sender = task->sender;
	next.ways = task->ways;
	if (!send_form_find(&next.form, sending->client, task, NULL))
		return true;
	obstacle = send_obstacle(&next);
	if (obstacle != NULL)
		return true;
	sending->client->is_ahead = send_write_group(&next, 0);
	sending->error = next.error;
	return sending->client->is_ahead;
}

/* ---- content ---- */

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
	g_autoptr(Recoder) recoder = NULL;

	if (sending->form.plan == NULL)
		return spool_message_pieces(sending->message, send_piece, encoding, &sending->unread) &&
			   !encoding->is_lost;
	recoder = recoder_new(sending->form.plan, send_recoded, encoding);
	if (!spool_message_pieces(sending->message, send_piece_to_recode, recoder, &sending->unread))
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
		if (!smtp_read_reply(sending->client->wire, reply, &sending->error))
			return false;
		text = send_reply_text(reply);
		send_set(sending, i, send_status_of(reply->code), true, text);
		sending->results[i].is_final = true;
		sending->is_open[i] = false;
	}
	return true;
}

static bool
send_finish(Sending *sending, ServerReply *reply)
{
	const bool has_recipients = send_count_open(sending) > 0;
	g_autofree char *text = NULL;

	if (!has_recipients && sending->client->is_lmtp)
		return send_out_of_step(sending);
	if (!send_content(sending, has_recipients))
		return false;
	if (sending->client->is_lmtp)
		return send_take_mailboxes(sending, reply);
	smtp_client_limit_final(sending->client);
	if (!smtp_read_reply(sending->client->wire, reply, &sending->error))
		return false;
	text = send_reply_text(reply);
	send_set_open(sending, send_status_of(reply->code), true, text);
	return true;
}

/* What answers anything else is out of step with us: whose replies would be taken for whose? */
static bool
send_reset(Sending *sending, ServerReply *reply)
{
	if (!smtp_write_command(sending->client->wire, &sending->error, "RSET") || !send_read(sending, reply))
		return false;
	sending->client->is_broken |= reply->code / 100 != 2;
	return true;
}

/* After MAIL or all recipients were refused the connection is cleared for the next message. */
static bool
send_transaction(Sending *sending, ServerReply *reply)
{
	const bool pipelines = (sending->client->capabilities & SMTP_PIPELINING) != 0;
	bool is_accepted = false;
	int data_code = 0;

	if (pipelines ? !send_envelope_in_bursts(sending, &is_accepted, &data_code, reply)
				  : !send_envelope_one_by_one(sending, &is_accepted, reply))
		return false;
	if (data_code == 0 && is_accepted && send_count_open(sending) > 0) {
		if (!smtp_write_command(sending->client->wire, &sending->error, "DATA") || !send_read(sending, reply))
			return false;
		data_code = reply->code;
	}
	if (data_code == 354) {
		if (!is_accepted) /* settled already; nothing of the message goes out */
			memset(sending->is_open, 0, sending->n * sizeof *sending->is_open);
		return send_finish(sending, reply);
	}
	if (is_accepted && send_count_open(sending) > 0) {
		g_autofree char *text = send_reply_text(reply);

		send_set_open(
			sending, send_status_of(data_code) == SENT_OK ? SENT_DEFERRED : send_status_of(data_code), true, text);
	}
	return send_reset(sending, reply);
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
		   (int64_t)(sending->form.size / SEND_LEAST_RATE) * CLOCK_SECOND;
}

bool
smtp_client_send_task(SmtpClient *client, const SmtpTask *task, const SmtpTask *next, SentResult *results)
{
	g_autofree bool *is_open = g_new(bool, task->n);
	g_autofree char *obstacle = NULL;
	g_auto(ServerReply) reply;
	Sending sending = { .client = client,
		.message = task->message,
		.places = task->places,
		.n = task->n,
		.sender = task->sender,
		.ways = task->ways,
		.next = next,
		.results = results,
		.is_open = is_open };
	bool is_done;

	smtp_reply_init(&reply);
	memset(is_open, true, task->n * sizeof *is_open);
	if (!send_form_find(&sending.form, client, task, &sending.unread)) {
		send_form_clear(&sending.form);
		return send_broken(&sending);
	}
	obstacle = send_obstacle(&sending);
	if (obstacle != NULL) {
		send_set_open(&sending, SENT_FAILED, false, obstacle);
		send_form_clear(&sending.form);
		return true;
	}
	client->attempt_until_us = g_get_monotonic_time() + send_attempt_us(&sending);
	smtp_client_limit(client, client->settings->command_us);
	is_done = send_transaction(&sending, &reply);
	send_form_clear(&sending.form);
	if (!is_done)
		return send_broken(&sending);
	client->messages++;
	if (reply.code == 421)
		client->is_broken = true;
	return !client->is_broken;
}
