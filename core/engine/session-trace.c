/* session-trace.c - the header lines that a message gets here, and those it loses (RFC 5321 4.4). */
#include <ctype.h>
#include <string.h>
#include <unistd.h>

#include "engine/session-private.h"
#include "proto/date.h"
#include "proto/header.h"

/* What the client said of itself, fit for a comment-free place in a header. */
static char *
session_plain_helo(const Session *session)
{
	char *helo = g_strdup(session->facts.helo != NULL ? session->facts.helo : "unknown");

	for (char *c = helo; *c != '\0'; c++)
		if (!isalnum((unsigned char)*c) && strchr(".-_:[]", *c) == NULL)
			*c = '?';
	return helo;
}

/* RFC 3848, RFC 6531 4.3 */
static char *
session_protocol(const Session *session)
{
	if (!session->facts.is_esmtp)
		return g_strdup("SMTP");
	return g_strdup_printf("%s%s%s", session->transaction->envelope->is_smtputf8 ? "UTF8SMTP" : "ESMTP",
		session->is_secured ? "S" : "", session->facts.login != NULL ? "A" : "");
}

static void
session_put_origin(const Session *session, GString *line)
{
	g_autofree char *helo = session_plain_helo(session);
	char client[IP_TEXT_SIZE];

	if (session->snapshot->settings->hides_client && session->facts.login != NULL)
		return;
	g_string_append_printf(line, "from %s (%s [%s%s])\r\n\t", helo,
		session->facts.client_name != NULL ? session->facts.client_name : "unknown",
		ip_is_v4(&session->facts.client) ? "" : "IPv6:", ip_format(&session->facts.client, client));
	if (session->facts.tls_version != NULL)
		g_string_append_printf(
			line, "(using %s with cipher %s)\r\n\t", session->facts.tls_version, session->facts.tls_cipher);
	if (session->snapshot->settings->shows_login && session->facts.login != NULL)
		g_string_append_printf(line, "(authenticated as %s)\r\n\t", session->facts.login);
}

static void
session_put_received(Session *session)
{
	const Envelope *envelope = session->transaction->envelope;
	g_autofree char *protocol = session_protocol(session);
	GString *line = session->transaction->top;
	char date[DATE_SIZE];

	g_string_append(line, "Received: ");
	session_put_origin(session, line);
	g_string_append_printf(line, "by %s (%s) with %s id %s", session->snapshot->settings->hostname,
		session->snapshot->settings->banner_name, protocol, session->queue_text);
	if (envelope->recipients->len == 1)
		g_string_append_printf(
			line, "\r\n\tfor <%s>", ((const Recipient *)g_ptr_array_index(envelope->recipients, 0))->address);
	g_string_append_printf(line, "; %s\r\n", date_format(envelope->arrived_us, date));
}

/* Submit ID pid.sec.usec.n, in hex: what an abuse report is matched by. */
static void
session_put_service(Session *session)
{
	const EngineSettings *settings = session->snapshot->settings;
	Transaction *transaction = session->transaction;
	const int64_t now_us = transaction->envelope->arrived_us;
	g_autofree char *id =
		g_strdup_printf("%x.%" G_GINT64_MODIFIER "x.%" G_GINT64_MODIFIER "x.%x", (unsigned)getpid(),
			now_us / CLOCK_SECOND, now_us % CLOCK_SECOND, atomic_fetch_add(&session->engine->submissions, 1));

	envelope_set_note(transaction->envelope, "submit", id);
	if (settings->header_prefix == NULL || session->facts.login == NULL)
		return;
	if (settings->abuse_text != NULL)
		g_string_append_printf(
			transaction->bottom, "%s-Abuse: %s\r\n", settings->header_prefix, settings->abuse_text);
	g_string_append_printf(transaction->bottom, "%s-Submit: Submit ID %s\r\n", settings->header_prefix, id);
}

typedef struct {
	unsigned received;
	bool has_date, has_message_id, has_bcc, has_resent_bcc, has_return_path, has_too_many;
} HeaderFacts;

/* False: the header cannot be read. */
static bool
session_scan_header(Session *session, HeaderFacts *facts)
{
	size_t size = 0;
	const char *content = content_head(session->transaction->content, &size);
	HeaderScan scan;
	HeaderField field;

	if (content == NULL)
		return false;
	header_scan_start(&scan, content, size);
	while (header_scan_next(&scan, &field)) {
		facts->received += header_is(&field, "Received");
		facts->has_date |= header_is(&field, "Date");
		facts->has_message_id |= header_is(&field, "Message-ID");
		facts->has_bcc |= header_is(&field, "Bcc");
		facts->has_resent_bcc |= header_is(&field, "Resent-Bcc");
		facts->has_return_path |= header_is(&field, "Return-Path");
	}
	facts->has_too_many = scan.has_more;
	session->transaction->body_offset = header_body(content, size);
	return true;
}

static void
session_remove(Session *session, const char *name)
{
	const Act act = { .kind = ACT_REMOVE_HEADERS, .name = name };

	transaction_apply(session->transaction, "", &act, session->engine->ids);
}

static void
session_note_origin(Session *session)
{
	Envelope *envelope = session->transaction->envelope;
	const DirectoryEntry *account = session->facts.account;

	envelope_set_note(envelope, "session", session->facts.id);
	envelope_set_note(envelope, "submitted-sender", session->transaction->submitted_sender);
	if (session->facts.login != NULL)
		envelope_set_note(envelope, "account", session->facts.login);
	if (account != NULL)
		envelope_set_note(envelope, "customer", directory_entry_get(account, "customer"));
}

/* O-09: the account hides the way its mail took before us. */
static void
session_clear_received(Session *session)
{
	const DirectoryEntry *account = session->facts.account;
	const char *prefix = session->snapshot->settings->header_prefix;

	if (account == NULL || g_strcmp0(directory_entry_get(account, "clear-received"), "yes") != 0)
		return;
	session_remove(session, "Received");
	if (prefix != NULL)
		g_string_append_printf(session->transaction->bottom,
			"%s-Modified: Received headers cleared at submission by user request\r\n", prefix);
}

TraceResult
session_trace(Session *session)
{
	const EngineSettings *settings = session->snapshot->settings;
	GString *bottom = session->transaction->bottom;
	HeaderFacts facts = { 0 };
	char date[DATE_SIZE];

	if (!session_scan_header(session, &facts))
		return TRACE_UNREADABLE;
	if (facts.has_too_many)
		return TRACE_TOO_LONG;
	if (facts.received > settings->max_received)
		return TRACE_LOOP;
	session_note_origin(session);
	if (facts.received > 0)
		session_clear_received(session);
	session_put_received(session);
	if (facts.has_bcc && settings->removes_bcc)
		session_remove(session, "Bcc");
	if (facts.has_resent_bcc && settings->removes_bcc)
		session_remove(session, "Resent-Bcc");
	if (facts.has_return_path && settings->removes_return_path)
		session_remove(session, "Return-Path");
	if (!facts.has_date && settings->adds_date)
		g_string_append_printf(
			bottom, "Date: %s\r\n", date_format(session->transaction->envelope->arrived_us, date));
	if (!facts.has_message_id && settings->adds_message_id)
		g_string_append_printf(bottom, "Message-ID: <%s@%s>\r\n", session->queue_text, settings->hostname);
	session_put_service(session);
	return TRACE_GOOD;
}
