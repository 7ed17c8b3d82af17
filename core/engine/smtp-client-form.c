/* smtp-client-form.c - the form in which a message goes over a connection: as it is, or encoded differently, and what MAIL says of it.
 *
 * Most messages are looked at no further than spool_read_content() did: they are ASCII with short lines, or the server takes 8-bit
 * content.  Of the others the whole is read once more to find out, and once again to know the size of what becomes of them. */
#include <string.h>

#include "engine/smtp-client-private.h"

bool
send_form_is_utf8_recipient(const SmtpTask *task, guint i)
{
	const guint place = task->places[i];
	const char *other = task->ways != NULL ? task->ways[place].recipient : NULL;
	const Recipient *recipient = g_ptr_array_index(task->message->envelope->recipients, place);

	return !g_str_is_ascii(other != NULL ? other : recipient->address);
}

/* RFC 6531 3.2: an address of the envelope. */
static bool
form_has_utf8_address(const SmtpTask *task)
{
	if (!g_str_is_ascii(task->sender != NULL ? task->sender : task->message->envelope->sender))
		return true;
	for (guint i = 0; i < task->n; i++)
		if (send_form_is_utf8_recipient(task, i))
			return true;
	return false;
}

static OctetFacts
form_facts(const SpoolMessage *message)
{
	OctetFacts facts = message->facts;

	facts.line = 0;
	octets_note(&facts, message->envelope->top, strlen(message->envelope->top));
	facts.line = 0;
	octets_note(&facts, message->envelope->bottom, strlen(message->envelope->bottom));
	return facts;
}

static bool
form_needs_look(const SmtpClient *client, const SpoolMessage *message)
{
	const OctetFacts facts = form_facts(message);

	return facts.has_long || message->envelope->is_smtputf8 ||
		   (facts.has_8bit && !(client->capabilities & SMTP_8BITMIME));
}

static bool
form_plan_piece(void *data, const char *octets, size_t size)
{
	recode_plan_add(data, octets, size);
	return true;
}

static void
form_count(void *data, const char *octets, size_t size)
{
	(void)octets;
	*(uint64_t *)data += size;
}

static bool
form_recode_piece(void *data, const char *octets, size_t size)
{
	recoder_add(data, octets, size);
	return true;
}

static bool
form_measure(const SpoolMessage *message, SendForm *form, GError **error)
{
	g_autoptr(Recoder) recoder = recoder_new(form->plan, form_count, &form->size);

	form->size = 0;
	if (!spool_message_pieces(message, form_recode_piece, recoder, error))
		return false;
	recoder_end(recoder);
	return true;
}

/* A report that returns such a content is sent as it is: refused, nobody would learn what it says. */
bool
send_form_find(SendForm *form, const SmtpClient *client, const SmtpTask *task, GError **error)
{
	const SpoolMessage *message = task->message;
	g_autoptr(RecodePlan) plan = NULL;

	*form = (SendForm){ .needs_utf8 = form_has_utf8_address(task),
		.has_8bit = form_facts(message).has_8bit,
		.size = spool_message_octets(message) };
	if (!form_needs_look(client, message))
		return true;
	plan = recode_plan_new((client->capabilities & SMTP_8BITMIME) != 0);
	if (!spool_message_pieces(message, form_plan_piece, plan, error))
		return false;
	recode_plan_end(plan);
	form->needs_utf8 |= message->envelope->is_smtputf8 && recode_plan_has_8bit_header(plan);
	form->cannot_convert = recode_plan_is_impossible(plan) && message->envelope->sender[0] != '\0';
	if (!recode_plan_is_needed(plan))
		return true;
	form->plan = g_steal_pointer(&plan);
	return form_measure(message, form, error);
}

bool
send_form_is_plain(const SmtpClient *client, const SmtpTask *task)
{
	return !form_needs_look(client, task->message) && !form_has_utf8_address(task);
}

void
send_form_clear(SendForm *form)
{
	g_clear_pointer(&form->plan, recode_plan_free);
}

char *
send_form_no_utf8(const SmtpClient *client)
{
	return g_strdup_printf("5.6.7 %s does not take internationalized mail (SMTPUTF8)", client->peer);
}

/* Where SMTPUTF8 is not spoken, the recipients that need it fail, and the others get the message. */
bool
smtp_client_send(SmtpClient *client, const SmtpTask *task, const SmtpTask *next, SentResult *results)
{
	g_autofree guint *places = g_new(guint, task->n), *kept = g_new(guint, task->n);
	g_autofree SentResult *some = g_new0(SentResult, task->n);
	SmtpTask part = *task;
	bool goes_on;

	for (guint i = 0; i < task->n; i++) /* of an attempt over another connection */
		results[i].is_cut_off = false;
	part.places = places;
	part.n = 0;
	for (guint i = 0; i < task->n && !(client->capabilities & SMTP_SMTPUTF8); i++)
		if (!send_form_is_utf8_recipient(task, i)) {
			places[part.n] = task->places[i];
			kept[part.n++] = i;
		}
	if (part.n == 0 || part.n == task->n)
		return smtp_client_send_task(client, task, next, results);
	for (guint i = 0; i < task->n; i++) {
		g_autofree char *text = send_form_no_utf8(client);

		sent_result_set(&results[i], SENT_FAILED, false, text);
	}
	goes_on = smtp_client_send_task(client, &part, next, some);
	for (guint i = 0; i < part.n; i++) {
		g_free(results[kept[i]].reply);
		results[kept[i]] = some[i];
	}
	return goes_on;
}
