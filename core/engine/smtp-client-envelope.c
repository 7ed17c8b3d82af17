/* smtp-client-envelope.c - MAIL, RCPT and DATA: in bursts where the server pipelines (RFC 2920), else one by one. */
#include <string.h>

#include "base/error.h"
#include "engine/smtp-client-private.h"
#include "proto/xtext.h"

enum { SENDING_GROUP = 100 }; /* recipients of one burst: their replies must fit the socket's buffers */

/* ---- results ---- */

char *
sending_text(const ServerReply *reply)
{
	g_autofree char *text = smtp_reply_text(reply);

	return g_strdup_printf("%d %s%s%s", reply->code, reply->enhanced, reply->enhanced[0] != '\0' ? " " : "", text);
}

SentStatus
sending_status(int code)
{
	return code / 100 == 2 ? SENT_OK : code / 100 == 5 ? SENT_FAILED : SENT_DEFERRED;
}

void
sending_settle(Sending *sending, guint i, SentStatus status, bool is_remote, const char *text)
{
	sent_result_set(&sending->results[sending->chosen[i]], status, is_remote, text);
	sending->is_open[i] = false;
}

void
sending_settle_open(Sending *sending, SentStatus status, bool is_remote, const char *text)
{
	for (guint i = 0; i < sending->n; i++)
		if (sending->is_open[i])
			sending_settle(sending, i, status, is_remote, text);
}

guint
sending_count_open(const Sending *sending)
{
	guint open = 0;

	for (guint i = 0; i < sending->n; i++)
		open += sending->is_open[i];
	return open;
}

/* ---- what the server is able to do ---- */

char *
sending_obstacle(const SmtpClient *client, const SendForm *form)
{
	if ((client->capabilities & SMTP_SIZE) && client->size_limit > 0 && form->size > client->size_limit)
		return g_strdup_printf("5.3.4 the message has %" G_GUINT64_FORMAT " octets, %s takes %" G_GUINT64_FORMAT,
			form->size, client->peer, client->size_limit);
	if (form->needs_utf8 && !(client->capabilities & SMTP_SMTPUTF8))
		return send_form_no_utf8(client);
	if (form->cannot_convert)
		return g_strdup_printf("5.6.3 %s takes no 8-bit content (8BITMIME), and part of the message is signed, or "
							   "in an unknown encoding, and must not be converted",
			client->peer);
	return NULL;
}

guint
sending_most(const SmtpClient *client, guint n)
{
	return client->most_recipients > 0 ? MIN(n, client->most_recipients) : n;
}

bool
sending_can_pipeline(const Sending *sending)
{
	return (sending->client->capabilities & SMTP_PIPELINING) != 0;
}

/* "503 5.5.0 Improper use of SMTP command pipelining", "554 SMTP synchronization error" */
static bool
sending_blames_pipelining(const ServerReply *reply)
{
	g_autofree char *text = g_ascii_strdown(reply->text->str, -1);

	return strstr(text, "pipelin") != NULL || strstr(text, "synchroni") != NULL;
}

/* Servers that say PIPELINING and then take the commands of a burst for one, or for an attack. */
static bool
sending_is_confused(const Sending *sending, const ServerReply *reply)
{
	const SmtpClient *client = sending->client;
	const int code = reply->code;

	if (!sending_can_pipeline(sending) || client->messages > 0 || client->quirks == NULL || code / 100 < 4)
		return false;
	return code == 500 || code == 502 || code == 503 || sending_blames_pipelining(reply);
}

/* ---- commands ---- */

static bool
sending_mail(Sending *sending)
{
	const Envelope *envelope = sending->task->message->envelope;
	const unsigned can = sending->client->capabilities;
	const char *sender = sending->task->sender;
	g_autoptr(GString) line = g_string_new(NULL);

	g_string_printf(line, "MAIL FROM:<%s>", sender != NULL ? sender : envelope->sender);
	if (can & SMTP_SIZE)
		g_string_append_printf(line, " SIZE=%" G_GUINT64_FORMAT, sending->form->size);
	if ((can & SMTP_8BITMIME) && (envelope->body == BODY_8BITMIME || sending->form->has_8bit))
		g_string_append(line, " BODY=8BITMIME");
	if (sending->form->needs_utf8)
		g_string_append(line, " SMTPUTF8");
	if ((can & SMTP_DSN) && envelope->ret != RET_NONE)
		g_string_append(line, envelope->ret == RET_FULL ? " RET=FULL" : " RET=HDRS");
	if ((can & SMTP_DSN) && envelope->envid != NULL)
		g_string_append_printf(line, " ENVID=%s", envelope->envid);
	return smtp_write_command(sending->client->wire, &sending->error, "%s", line->str);
}

static bool
sending_rcpt(Sending *sending, guint i)
{
	static const struct {
		unsigned bit;
		const char *word;
	} words[] = { { NOTIFY_NEVER, "NEVER" }, { NOTIFY_SUCCESS, "SUCCESS" }, { NOTIFY_FAILURE, "FAILURE" },
		{ NOTIFY_DELAY, "DELAY" } };
	const SmtpTask *task = sending->task;
	const guint place = task->places[sending->chosen[i]];
	const Recipient *recipient = g_ptr_array_index(task->message->envelope->recipients, place);
	const char *other = task->ways != NULL ? task->ways[place].recipient : NULL;
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
			sending->form->needs_utf8 ? recipient->original : orcpt_to_ascii(region, recipient->original));
	return smtp_write_command(sending->client->wire, &sending->error, "%s", line->str);
}

/* ---- replies ---- */

bool
sending_read_now(Sending *sending, ServerReply *reply)
{
	if (!smtp_read_reply(sending->client->wire, NOISE_WAITS, reply, &sending->error))
		return false;
	if (reply->code / 100 > 3) {
		g_free(sending->refusal);
		sending->refusal = sending_text(reply);
	}
	sending->has_421 = reply->code == 421;
	sending->is_confused |= sending->has_421 && sending_is_confused(sending, reply);
	sending->client->is_broken |= sending->has_421 || reply->is_torn;
	return true;
}

bool
sending_read(Sending *sending, ServerReply *reply)
{
	smtp_client_limit(sending->client, sending->client->settings->command_us);
	return sending_read_now(sending, reply) && !sending->has_421;
}

static bool
sending_fail_confused(Sending *sending, const ServerReply *reply)
{
	sending->is_confused = true;
	return error_set(&sending->error, POSTERN_ERROR_UNAVAILABLE,
		"it offers PIPELINING, and answers pipelined commands with %d", reply->code);
}

/* Reads the reply to MAIL; a refusal is everybody's. */
static bool
sending_take_mail(Sending *sending, ServerReply *reply, bool *is_accepted)
{
	if (!sending_read(sending, reply))
		return false;
	if (sending_is_confused(sending, reply))
		return sending_fail_confused(sending, reply);
	*is_accepted = reply->code / 100 == 2;
	if (!*is_accepted) {
		g_autofree char *text = sending_text(reply);

		sending_settle_open(sending, sending_status(reply->code), true, text);
	}
	return true;
}

/* Too many for one transaction (RFC 5321 4.5.3.1.10: 552 is old for 452), or, without an enhanced code, a mailbox that is full. */
static bool
sending_may_mean_too_many(const ServerReply *reply)
{
	if (reply->code == 552)
		return reply->enhanced[0] == '\0' || strcmp(reply->enhanced, "5.5.3") == 0;
	if (reply->code / 100 != 4)
		return false;
	return strcmp(reply->enhanced, "4.5.3") == 0 || (reply->code == 452 && reply->enhanced[0] == '\0');
}

/* Where none was accepted before it, only an enhanced code says that the reply is not about this one recipient. */
static bool
sending_is_surplus(const Sending *sending, const ServerReply *reply)
{
	return sending_may_mean_too_many(reply) && (sending->accepted > 0 || reply->enhanced[0] != '\0');
}

static bool
sending_take_rcpt(Sending *sending, guint i, ServerReply *reply, bool is_mail_accepted)
{
	g_autofree char *text = NULL;

	if (!sending_read(sending, reply))
		return false;
	if (!is_mail_accepted)
		return true;
	if (reply->code / 100 == 2) {
		sending->accepted++;
		return true;
	}
	if (sending_is_confused(sending, reply))
		return sending_fail_confused(sending, reply);
	text = sending_text(reply);
	sending->is_surplus[i] = sending_is_surplus(sending, reply);
	sending->surplus += sending->is_surplus[i];
	sending->refused += !sending->is_surplus[i];
	sending_settle(sending, i,
		sending_may_mean_too_many(reply) ? SENT_DEFERRED : sending_status(reply->code), true, text);
	return true;
}

bool
sending_take_data(Sending *sending, const ServerReply *reply)
{
	const SentStatus status = sending_status(reply->code);
	g_autofree char *text = sending_text(reply);

	if (reply->code / 100 == 3 || sending_count_open(sending) == 0)
		return true;
	if (sending_is_confused(sending, reply))
		return sending_fail_confused(sending, reply);
	sending_settle_open(sending, status == SENT_OK ? SENT_DEFERRED : status, true, text);
	return true;
}

/* ---- in bursts ---- */

static guint
sending_group_end(const Sending *sending, guint first)
{
	return MIN(first + SENDING_GROUP, sending->n);
}

/* A burst: MAIL before the first recipient, DATA behind the last. */
static bool
sending_write_group(Sending *sending, guint first)
{
	const guint end = sending_group_end(sending, first);

	if (first == 0 && !sending_mail(sending))
		return false;
	for (guint i = first; i < end; i++)
		if (!sending_rcpt(sending, i))
			return false;
	return end < sending->n || smtp_write_command(sending->client->wire, &sending->error, "DATA");
}

bool
sending_write_first(Sending *sending)
{
	return sending_write_group(sending, 0);
}

/* The server has enough recipients: those behind are not even offered, which it would count as errors of ours. */
static void
sending_leave_rest(Sending *sending, guint first, const ServerReply *reply)
{
	g_autofree char *text = sending_text(reply);

	for (guint i = first; i < sending->n; i++) {
		sending->is_surplus[i] = true;
		sending->surplus++;
		sending_settle(sending, i, SENT_DEFERRED, true, text);
	}
}

static bool
sending_take_group(Sending *sending, guint first, bool *is_accepted, ServerReply *reply)
{
	if (first == 0 && !sending_take_mail(sending, reply, is_accepted))
		return false;
	for (guint i = first; i < sending_group_end(sending, first); i++)
		if (!sending_take_rcpt(sending, i, reply, *is_accepted))
			return false;
	return true;
}

static bool
sending_in_bursts(Sending *sending, bool *is_accepted, int *data_code, ServerReply *reply)
{
	for (guint first = 0; first < sending->n; first += SENDING_GROUP) {
		const bool is_out = first == 0 && sending->client->is_ahead;
		const guint end = sending_group_end(sending, first);

		sending->client->is_ahead = false;
		if (!is_out && !sending_write_group(sending, first))
			return false;
		if (!sending_take_group(sending, first, is_accepted, reply))
			return false;
		if (end < sending->n && (sending->surplus > 0 || !*is_accepted)) {
			if (*is_accepted)
				sending_leave_rest(sending, end, reply);
			return true;
		}
	}
	if (!sending_read(sending, reply))
		return false;
	*data_code = reply->code;
	return true;
}

static bool
sending_one_by_one(Sending *sending, bool *is_accepted, ServerReply *reply)
{
	if (!sending_mail(sending) || !sending_take_mail(sending, reply, is_accepted))
		return false;
	for (guint i = 0; *is_accepted && i < sending->n; i++) {
		if (!sending_rcpt(sending, i) || !sending_take_rcpt(sending, i, reply, true))
			return false;
		if (sending->surplus > 0) {
			sending_leave_rest(sending, i + 1, reply);
			break;
		}
	}
	return true;
}

bool
sending_envelope(Sending *sending, bool *is_accepted, int *data_code, ServerReply *reply)
{
	if (sending_can_pipeline(sending))
		return sending_in_bursts(sending, is_accepted, data_code, reply);
	return sending_one_by_one(sending, is_accepted, reply);
}
