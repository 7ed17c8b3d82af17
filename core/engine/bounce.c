/* bounce.c - writing delivery status notifications. */
#include "engine/bounce.h"

#include <ctype.h>
#include <string.h>

#include "engine/dsn-text.h"
#include "proto/date.h"
#include "proto/header.h"
#include "proto/xtext.h"

enum {
	DSN_FULL_MOST = 50000,     /* octets of a message returned whole if the sender did not say */
	DSN_HEADER_MOST = 1 << 20, /* octets in which a header that is returned must end */
};

static const char *const dsn_actions[] = { "failed", "delayed", "delivered", "relayed" };

bool
dsn_is_wanted(const Envelope *envelope, guint place, DsnAction action)
{
	const Recipient *recipient = g_ptr_array_index(envelope->recipients, place);
	const unsigned notify = recipient->notify;

	if (envelope->sender[0] == '\0' || (notify & NOTIFY_NEVER))
		return false;
	switch (action) {
	case DSN_FAILED:
		return notify == 0 || (notify & NOTIFY_FAILURE);
	case DSN_DELAYED:
		return notify == 0 || (notify & NOTIFY_DELAY);
	case DSN_DELIVERED:
	case DSN_RELAYED:
		return (notify & NOTIFY_SUCCESS) != 0;
	}
	return false;
}

/* ---- parts ---- */

static const char *
dsn_subject(DsnAction action)
{
	switch (action) {
	case DSN_FAILED:
		return "Undelivered Mail Returned to Sender";
	case DSN_DELAYED:
		return "Delayed Mail (still being retried)";
	case DSN_DELIVERED:
	case DSN_RELAYED:
		break;
	}
	return "Successful Mail Delivery Report";
}

static const char *
dsn_explanation(DsnAction action)
{
	switch (action) {
	case DSN_FAILED:
		return "Your message could not be delivered to one or more recipients. It is attached\r\n"
			   "below, or its header is.\r\n";
	case DSN_DELAYED:
		return "Your message could not be delivered yet. This is a warning only: you do not\r\n"
			   "need to send it again. It will be retried.\r\n";
	case DSN_DELIVERED:
		return "Your message was delivered to the recipients below.\r\n";
	case DSN_RELAYED:
		break;
	}
	return "Your message was passed on to a system that does not report deliveries.\r\n";
}

static const Recipient *
dsn_recipient(const DsnReport *report, guint i)
{
	return g_ptr_array_index(report->message->envelope->recipients, report->recipients[i].place);
}

static void
dsn_put_text_part(GString *out, const DsnReport *report)
{
	g_autoptr(GString) text = g_string_new(NULL);

	g_string_append_printf(text, "This is the mail system at host %s.\r\n\r\n%s\r\n", report->settings->hostname,
		dsn_explanation(report->recipients[0].action));
	for (guint i = 0; i < report->n; i++)
		g_string_append_printf(text, "<%s>: %s%s%s%s\r\n", dsn_recipient(report, i)->address,
			report->recipients[i].peer != NULL ? "host " : "",
			report->recipients[i].peer != NULL ? report->recipients[i].peer : "",
			report->recipients[i].peer != NULL ? " said: " : "",
			report->recipients[i].reply != NULL ? report->recipients[i].reply : "");
	if (!report->has_content)
		g_string_append(text, "\r\nThe message itself can no longer be read and is not returned.\r\n");
	g_string_append(out, "Content-Description: Notification\r\nContent-Type: text/plain; charset=utf-8\r\n");
	dsn_put_body(out, text->str, text->len);
}

/* The enhanced code of a reply: "550 5.1.1 …" or "5.1.1 …"; else what the action means at least.  Mail that
 * was given up after temporary failures has failed with a 4 (RFC 3463 3.5: X.4.7). */
static char *
dsn_status(const DsnRecipient *recipient)
{
	static const char *const least[] = { "5.0.0", "4.0.0", "2.0.0", "2.0.0" };
	const char *at = recipient->reply != NULL ? recipient->reply : "";
	const char class = at[0];

	if (isdigit((unsigned char)at[0]) && isdigit((unsigned char)at[1]) && isdigit((unsigned char)at[2]) &&
		at[3] == ' ')
		at += 4;
	if ((class == least[recipient->action][0] || (class == '4' && recipient->action == DSN_FAILED)) &&
		at[0] == class && at[1] == '.') {
		const size_t size = strspn(at, "0123456789.");

		if (size >= 5 && size <= 9 && isdigit((unsigned char)at[size - 1]))
			return g_strndup(at, size);
	}
	return g_strdup(least[recipient->action]);
}

/* What a server said begins with its code; all else is ours (RFC 3464 2.3.6). */
static bool
dsn_is_smtp(const DsnRecipient *recipient)
{
	return recipient->is_remote && strspn(recipient->reply, "0123456789") == 3 &&
		   (recipient->reply[3] == ' ' || recipient->reply[3] == '\0');
}

static void
dsn_put_recipient_fields(GString *out, const DsnReport *report, guint i)
{
	const DsnRecipient *told = &report->recipients[i];
	const Recipient *recipient = dsn_recipient(report, i);
	g_autofree char *status = dsn_status(told), *address = dsn_address(report->is_global, recipient->address);
	g_autofree char *original =
		recipient->original != NULL ? dsn_original(report->is_global, recipient->original) : NULL;
	g_autofree char *host = told->peer != NULL ? dsn_host(told->peer) : NULL;
	char date[DATE_SIZE];

	g_string_append(out, "\r\n");
	if (original != NULL)
		dsn_put_field(out, report->is_global, "Original-Recipient", original);
	dsn_put_field(out, report->is_global, "Final-Recipient", address);
	g_string_append_printf(out, "Action: %s\r\nStatus: %s\r\n", dsn_actions[told->action], status);
	if (host != NULL)
		dsn_put_field(out, report->is_global, "Remote-MTA", host);
	if (told->reply != NULL) {
		g_autofree char *code = g_strdup_printf("%s; %s", dsn_is_smtp(told) ? "smtp" : "x-postern", told->reply);

		dsn_put_field(out, report->is_global, "Diagnostic-Code", code);
	}
	g_string_append_printf(out, "Last-Attempt-Date: %s\r\n", date_format(report->now_us, date));
	if (told->action == DSN_DELAYED)
		g_string_append_printf(out, "Will-Retry-Until: %s\r\n", date_format(told->expires_us, date));
}

static void
dsn_put_status_part(GString *out, const DsnReport *report)
{
	const Envelope *envelope = report->message->envelope;
	g_autoptr(Region) region = region_new();
	const char *envid = envelope->envid != NULL ? xtext_decode(region, envelope->envid) : NULL;
	g_autoptr(GString) text = g_string_new(NULL);
	char date[DATE_SIZE], id[ID_TEXT_SIZE];

	if (envid != NULL)
		dsn_put_field(text, false, "Original-Envelope-Id", envid);
	g_string_append_printf(text, "Reporting-MTA: dns; %s\r\nX-Postern-Queue-ID: %s\r\nArrival-Date: %s\r\n",
		report->settings->hostname, id_format(envelope->id, id), date_format(envelope->arrived_us, date));
	for (guint i = 0; i < report->n; i++)
		dsn_put_recipient_fields(text, report, i);
	g_string_append_printf(out, "Content-Description: Delivery report\r\nContent-Type: message/%s\r\n%s\r\n",
		report->is_global ? "global-delivery-status" : "delivery-status",
		g_str_is_ascii(text->str) ? "" : "Content-Transfer-Encoding: 8bit\r\n");
	g_string_append_len(out, text->str, (gssize)text->len);
}

/* ---- what is returned ---- */

/* What is returned of a message. */
typedef struct {
	GString *octets;
	bool is_all;
} Returned;

/* Of a large message no more than the header is read. */
static bool
dsn_add_piece(void *data, const char *octets, size_t size)
{
	Returned *returned = data;
	size_t end;

	g_string_append_len(returned->octets, octets, (gssize)size);
	if (returned->is_all)
		return true;
	return returned->octets->len < DSN_HEADER_MOST &&
		   !header_is_within(returned->octets->str, returned->octets->len, &end);
}

static bool
dsn_returns_all(const DsnReport *report)
{
	const Envelope *envelope = report->message->envelope;

	if (report->recipients[0].action != DSN_FAILED || envelope->ret == RET_HDRS)
		return false;
	return report->message->size <= DSN_FULL_MOST ||
		   (envelope->ret == RET_FULL && report->message->size <= 20 * DSN_FULL_MOST);
}

/* A NUL would end the text that we are; nothing in a header or a returned message needs one. */
static void
dsn_blank_nuls(GString *octets)
{
	for (size_t i = 0; i < octets->len; i++)
		if (octets->str[i] == '\0')
			octets->str[i] = ' ';
}

/* A whole message has no encoding of its own (RFC 2046 5.2.1), so one with lines that are too long, or with octets in its
 * header that are no UTF-8, is not returned. */
static bool
dsn_can_return_all(const GString *whole, size_t header)
{
	return !dsn_has_long_line(whole->str, whole->len) && g_utf8_validate(whole->str, (gssize)header, NULL);
}

static void
dsn_put_whole(GString *out, const GString *whole, bool is_utf8)
{
	g_string_append_printf(out, "Content-Description: Undelivered Message\r\nContent-Type: %s\r\n%s\r\n",
		is_utf8 ? "message/global" : "message/rfc822",
		g_str_is_ascii(whole->str) ? "" : "Content-Transfer-Encoding: 8bit\r\n");
	g_string_append_len(out, whole->str, (gssize)whole->len);
}

/* Readers take what is in message/global-headers for a header as it stands: it is never encoded. */
static void
dsn_put_head(GString *out, const char *head, size_t size, bool is_utf8)
{
	const bool is_global = is_utf8 && !dsn_has_long_line(head, size);

	g_string_append_printf(out, "Content-Description: Undelivered Message Header\r\nContent-Type: %s\r\n",
		is_global ? "message/global-headers\r\nContent-Transfer-Encoding: 8bit\r\n" : "text/rfc822-headers");
	if (is_global)
		g_string_append_len(out, head, (gssize)size);
	else
		dsn_put_body(out, head, size);
}

/* RFC 6533 6: what is not ASCII in a header makes it a global one. */
static bool
dsn_put_message_part(GString *out, const DsnReport *report)
{
	g_autoptr(GString) whole = g_string_new(NULL);
	g_autoptr(GError) error = NULL;
	Returned returned = { whole, dsn_returns_all(report) };
	g_autofree char *head = NULL;
	bool is_utf8;
	size_t header;

	if (!spool_message_pieces(report->message, dsn_add_piece, &returned, &error) && error != NULL)
		return false;
	dsn_blank_nuls(whole);
	header = header_body(whole->str, whole->len);
	head = g_strndup(whole->str, header);
	is_utf8 = !g_str_is_ascii(head) && g_utf8_validate(head, -1, NULL);
	if (returned.is_all && dsn_can_return_all(whole, header)) {
		dsn_put_whole(out, whole, is_utf8);
		return true;
	}
	dsn_put_head(out, head, header, is_utf8);
	return true;
}

/* ---- the whole ---- */

/* Who has a sender address that is not ASCII takes internationalized mail; from others it is not known (RFC 6533 4). */
static bool
dsn_needs_global(const DsnReport *report)
{
	if (g_str_is_ascii(report->message->envelope->sender))
		return false;
	for (guint i = 0; i < report->n; i++) {
		const char *reply = report->recipients[i].reply, *original = dsn_recipient(report, i)->original;

		if (!g_str_is_ascii(dsn_recipient(report, i)->address) || (reply != NULL && !g_str_is_ascii(reply)) ||
			(original != NULL && !g_str_is_ascii(original)))
			return true;
	}
	return false;
}

static void
dsn_put_header(GString *out, const DsnReport *report, const char *message_id, const char *boundary, bool is_8bit)
{
	const char *hostname = report->settings->hostname;
	char date[DATE_SIZE];

	g_string_append_printf(out,
		"From: Mail Delivery System <MAILER-DAEMON@%s>\r\nTo: %s\r\nSubject: %s\r\nDate: %s\r\n"
		"Message-ID: <%s@%s>\r\nAuto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"
		"Content-Type: multipart/report; report-type=%s;\r\n\tboundary=\"%s\"\r\n%s\r\n"
		"This is a MIME-encapsulated message.\r\n",
		hostname, report->message->envelope->sender, dsn_subject(report->recipients[0].action),
		date_format(report->now_us, date), message_id, hostname,
		report->is_global ? "global-delivery-status" : "delivery-status", boundary,
		is_8bit ? "Content-Transfer-Encoding: 8bit\r\n" : "");
}

char *
dsn_write(const DsnReport *asked, const char *message_id)
{
	DsnReport report = *asked;
	/* RFC 2046 5.1.1: 70 octets at the most; "=_" stands in no encoded text */
	g_autofree char *boundary = g_strdup_printf("=_%.20s.%" G_GINT64_FORMAT, message_id, report.now_us);
	g_autoptr(GString) parts = g_string_new(NULL);
	GString *out;

	report.is_global = dsn_needs_global(&report);
	g_string_append_printf(parts, "\r\n--%s\r\n", boundary);
	dsn_put_text_part(parts, &report);
	g_string_append_printf(parts, "\r\n--%s\r\n", boundary);
	dsn_put_status_part(parts, &report);
	if (report.has_content) {
		g_string_append_printf(parts, "\r\n--%s\r\n", boundary);
		if (!dsn_put_message_part(parts, &report))
			return NULL;
	}
	g_string_append_printf(parts, "\r\n--%s--\r\n", boundary);
	out = g_string_sized_new(parts->len + 1024);
	dsn_put_header(out, &report, message_id, boundary, !g_str_is_ascii(parts->str));
	g_string_append_len(out, parts->str, (gssize)parts->len);
	return g_string_free(out, FALSE);
}
