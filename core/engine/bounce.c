/* bounce.c - writing delivery status notifications. */
#include "engine/bounce.h"

#include <ctype.h>
#include <string.h>

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
	g_string_append_printf(out, "This is the mail system at host %s.\r\n\r\n%s\r\n", report->settings->hostname,
		dsn_explanation(report->recipients[0].action));
	for (guint i = 0; i < report->n; i++)
		g_string_append_printf(out, "<%s>: %s%s%s%s\r\n", dsn_recipient(report, i)->address,
			report->recipients[i].peer != NULL ? "host " : "",
			report->recipients[i].peer != NULL ? report->recipients[i].peer : "",
			report->recipients[i].peer != NULL ? " said: " : "",
			report->recipients[i].reply != NULL ? report->recipients[i].reply : "");
	if (!report->has_content)
		g_string_append(out, "\r\nThe message itself can no longer be read and is not returned.\r\n");
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

/* xtext of the client stands as it was given: it is for the machine that made it (RFC 3464 2.3.1). */
static void
dsn_put_recipient_fields(GString *out, const DsnReport *report, guint i)
{
	const DsnRecipient *told = &report->recipients[i];
	const Recipient *recipient = dsn_recipient(report, i);
	g_autofree char *status = dsn_status(told);
	g_autoptr(Region) region = region_new();
	char date[DATE_SIZE];

	g_string_append(out, "\r\n");
	if (recipient->original != NULL) {
		const char *semicolon = strchr(recipient->original, ';');
		const bool is_utf8 = g_ascii_strncasecmp(recipient->original, "utf-8;", strlen("utf-8;")) == 0;
		const char *decoded = semicolon == NULL ? NULL
							  : is_utf8			? orcpt_to_ascii(region, semicolon + 1)
												: xtext_decode(region, semicolon + 1);

		if (decoded != NULL)
			g_string_append_printf(out, "Original-Recipient: %.*s;%s\r\n", (int)(semicolon - recipient->original),
				recipient->original, decoded);
	}
	g_string_append_printf(out, "Final-Recipient: %s;%s\r\nAction: %s\r\nStatus: %s\r\n",
		g_str_is_ascii(recipient->address) ? "rfc822" : "utf-8", recipient->address, dsn_actions[told->action],
		status);
	if (told->peer != NULL)
		g_string_append_printf(out, "Remote-MTA: dns; %s\r\n", told->peer);
	if (told->reply != NULL)
		g_string_append_printf(
			out, "Diagnostic-Code: %s; %s\r\n", told->is_remote ? "smtp" : "x-postern", told->reply);
	g_string_append_printf(out, "Last-Attempt-Date: %s\r\n", date_format(report->now_us, date));
	if (told->action == DSN_DELAYED)
		g_string_append_printf(out, "Will-Retry-Until: %s\r\n", date_format(report->expires_us, date));
}

static void
dsn_put_status_part(GString *out, const DsnReport *report)
{
	const Envelope *envelope = report->message->envelope;
	g_autoptr(Region) region = region_new();
	const char *envid = envelope->envid != NULL ? xtext_decode(region, envelope->envid) : NULL;
	char date[DATE_SIZE], id[ID_TEXT_SIZE];

	if (envid != NULL)
		g_string_append_printf(out, "Original-Envelope-Id: %s\r\n", envid);
	g_string_append_printf(out, "Reporting-MTA: dns; %s\r\nX-Postern-Queue-ID: %s\r\nArrival-Date: %s\r\n",
		report->settings->hostname, id_format(envelope->id, id), date_format(envelope->arrived_us, date));
	for (guint i = 0; i < report->n; i++)
		dsn_put_recipient_fields(out, report, i);
}

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
static bool
dsn_put_message_part(GString *out, const DsnReport *report, const char *boundary)
{
	g_autoptr(GString) whole = g_string_new(NULL);
	g_autoptr(GError) error = NULL;
	const bool is_all = dsn_returns_all(report);
	Returned returned = { whole, is_all };
	const bool is_utf8 = report->message->envelope->is_smtputf8;
	size_t size;

	if (!spool_message_pieces(report->message, dsn_add_piece, &returned, &error) && error != NULL)
		return false;
	size = is_all ? whole->len : header_body(whole->str, whole->len);
	for (size_t i = 0; i < size; i++)
		if (whole->str[i] == '\0')
			whole->str[i] = ' ';
	g_string_append_printf(out,
		"\r\n--%s\r\nContent-Description: Undelivered Message%s\r\nContent-Type: %s\r\n%s\r\n", boundary,
		is_all ? "" : " Header",
		is_all ? (is_utf8 ? "message/global" : "message/rfc822")
			   : (is_utf8 ? "message/global-headers" : "text/rfc822-headers"),
		g_str_is_ascii(whole->str) ? "" : "Content-Transfer-Encoding: 8bit\r\n");
	g_string_append_len(out, whole->str, (gssize)size);
	return true;
}

/* ---- the whole ---- */

char *
dsn_write(const DsnReport *report, const char *message_id)
{
	const char *hostname = report->settings->hostname;
	g_autofree char *boundary =
		g_strdup_printf("%s.%" G_GINT64_FORMAT "/%s", message_id, report->now_us, hostname);
	const DsnAction action = report->recipients[0].action;
	const bool is_utf8 = report->message->envelope->is_smtputf8;
	GString *out = g_string_new(NULL);
	char date[DATE_SIZE];

	g_string_append_printf(out,
		"From: Mail Delivery System <MAILER-DAEMON@%s>\r\nTo: %s\r\nSubject: %s\r\nDate: %s\r\n"
		"Message-ID: <%s@%s>\r\nAuto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"
		"Content-Type: multipart/report; report-type=%s;\r\n\tboundary=\"%s\"\r\n\r\n",
		hostname, report->message->envelope->sender, dsn_subject(action), date_format(report->now_us, date),
		message_id, hostname, is_utf8 ? "global-delivery-status" : "delivery-status", boundary);
	g_string_append_printf(out,
		"This is a MIME-encapsulated message.\r\n\r\n--%s\r\nContent-Description: Notification\r\n"
		"Content-Type: text/plain; charset=utf-8\r\n\r\n",
		boundary);
	dsn_put_text_part(out, report);
	g_string_append_printf(out,
		"\r\n--%s\r\nContent-Description: Delivery report\r\nContent-Type: message/%s\r\n\r\n", boundary,
		is_utf8 ? "global-delivery-status" : "delivery-status");
	dsn_put_status_part(out, report);
	if (report->has_content && !dsn_put_message_part(out, report, boundary)) {
		(void)g_string_free(out, TRUE);
		return NULL;
	}
	g_string_append_printf(out, "\r\n--%s--\r\n", boundary);
	return g_string_free(out, FALSE);
}
