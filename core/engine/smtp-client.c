/* smtp-client.c - reaching a server: connection, hello, TLS, AUTH. */
#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "base/wipe.h"
#include "engine/smtp-client-private.h"

void
sent_result_set(SentResult *result, SentStatus status, bool is_remote, const char *reply)
{
	g_free(result->reply);
	result->status = status;
	result->is_remote = is_remote;
	result->reply = g_strdup(reply);
}

void
smtp_client_limit(SmtpClient *client, int64_t time_us)
{
	wire_set_deadline(client->wire, MIN(g_get_monotonic_time() + time_us, client->attempt_until_us));
}

void
smtp_client_limit_final(SmtpClient *client)
{
	wire_set_deadline(client->wire, g_get_monotonic_time() + client->settings->data_us);
}

void
smtp_client_close(SmtpClient *client)
{
	if (client == NULL)
		return;
	if (client->wire != NULL && !client->is_broken && wire_write(client->wire, "QUIT\r\n", 6, NULL))
		(void)wire_flush(client->wire, NULL);
	wire_close(client->wire);
	g_free(client->peer);
	g_free(client->place);
	g_free(client);
}

bool
smtp_client_is_alive(SmtpClient *client)
{
	return !client->is_broken && wire_is_alive(client->wire);
}

unsigned
smtp_client_messages(const SmtpClient *client)
{
	return client->messages;
}

bool
smtp_client_note_quirk(const SmtpClient *client, HostQuirk quirk)
{
	const bool is_new = host_quirks_note(client->quirks, client->place, quirk);

	if (is_new)
		log_event(LOG_LEVEL_INFO, "next hop limited", "relay", client->peer, "without",
			quirk == QUIRK_TLS ? "STARTTLS" : "PIPELINING", NULL);
	return is_new;
}

bool
smtp_client_has_new_quirk(const SmtpClient *client)
{
	return client->has_new_quirk;
}

const char *
smtp_client_peer(const SmtpClient *client)
{
	return client->peer;
}

bool
smtp_client_relays_dsn(const SmtpClient *client)
{
	return (client->capabilities & SMTP_DSN) != 0;
}

/* ---- hello ---- */

static bool
smtp_client_read(SmtpClient *client, SmtpNoise noise, ServerReply *reply, GError **error)
{
	smtp_client_limit(client, client->settings->command_us);
	if (!smtp_read_reply(client->wire, noise, reply, error))
		return false;
	return !reply->is_torn || reply->code >= 400 ||
		   error_set(error, POSTERN_ERROR_UNAVAILABLE, "the connection ended within a reply: %d", reply->code);
}

/* False: no reply came. */
static bool
smtp_client_ask(SmtpClient *client, ServerReply *reply, GError **error, const char *command)
{
	return smtp_write_command(client->wire, error, "%s", command) &&
		   smtp_client_read(client, NOISE_WAITS, reply, error);
}

/* A reply that stops us, as an error whose code says whether it is for ever. */
static bool
smtp_client_refused(const ServerReply *reply, const char *at, GError **error)
{
	g_autofree char *text = sending_text(reply);

	return error_set(error, reply->code >= 500 ? POSTERN_ERROR_INVALID : POSTERN_ERROR_UNAVAILABLE,
		"%s (in reply to %s)", text, at);
}

/* A server that knows no EHLO is asked by HELO.  If it hangs up instead, its answer to EHLO is what it had to say. */
static bool
smtp_client_say_helo(SmtpClient *client, ServerReply *reply, GError **error)
{
	g_autofree char *command = g_strdup_printf("HELO %s", client->settings->helo);
	g_autoptr(GError) first = NULL;

	(void)smtp_client_refused(reply, "EHLO", &first);
	if (!smtp_client_ask(client, reply, NULL, command)) {
		g_propagate_error(error, g_steal_pointer(&first));
		return false;
	}
	return reply->code / 100 == 2 || smtp_client_refused(reply, "HELO", error);
}

static bool
smtp_client_say_hello(SmtpClient *client, ServerReply *reply, GError **error)
{
	const char *verb = client->is_lmtp ? "LHLO" : "EHLO";
	g_autofree char *command = g_strdup_printf("%s %s", verb, client->settings->helo);

	if (!smtp_client_ask(client, reply, error, command))
		return false;
	client->capabilities = smtp_capabilities(reply, &client->size_limit);
	if (client->is_lmtp)
		client->capabilities &= ~(unsigned)SMTP_DSN; /* we know what became of each, and report it ourselves */
	if (host_quirks_of(client->quirks, client->place) & QUIRK_PIPELINING)
		client->capabilities &= ~(unsigned)SMTP_PIPELINING;
	if (reply->code / 100 == 2)
		return true;
	client->capabilities = 0;
	if (reply->code / 100 != 5 || client->is_lmtp)
		return smtp_client_refused(reply, verb, error);
	return smtp_client_say_helo(client, reply, error);
}

static bool
smtp_client_start_tls(SmtpClient *client, const NextHop *hop, const char *name, GError **error)
{
	return wire_start_tls(
		client->wire, hop->client != NULL ? hop->client : client->settings->client, name, hop->tls, error);
}

/* Opportunistic TLS falls back to clear only where the server does not offer it, says no or fails at it (RFC 7435).  A
 * TLS 1.3 server may refuse us after our handshake is done, and one that says 454 may hang up: neither is known before the
 * next reply, so there is one before mail is sent. */
static bool
smtp_client_secure(SmtpClient *client, const NextHop *hop, const char *name, ServerReply *reply, GError **error)
{
	const bool is_offered = (client->capabilities & SMTP_STARTTLS) != 0;

	if (hop->is_wrapped)
		return true;
	if (hop->tls == TLS_NONE || (hop->tls == TLS_MAY && (!is_offered || client->skips_tls)))
		return true;
	if (!is_offered)
		return error_set(
			error, POSTERN_ERROR_UNAVAILABLE, "4.7.4 TLS is required, but %s does not offer it", client->peer);
	client->tried_tls = true;
	if (!smtp_client_ask(client, reply, error, "STARTTLS"))
		return false;
	if (reply->code != 220 && (hop->tls != TLS_MAY || reply->code == 421))
		return smtp_client_refused(reply, "STARTTLS", error);
	if (reply->code == 220 && !smtp_client_start_tls(client, hop, name, error))
		return false;
	if (!smtp_client_say_hello(client, reply, error))
		return false;
	client->tried_tls = false; /* what fails from now on is no reason to go on in clear */
	return true;
}

static char *
smtp_client_base64(const char *a, const char *b, const char *c)
{
	g_autoptr(GByteArray) octets = g_byte_array_sized_new(
		(guint)(strlen(a) + (b != NULL ? strlen(b) + strlen(c) : 0) + 2)); /* grows no more: leaves no copy */
	char *word;

	g_byte_array_append(octets, (const guint8 *)a, (guint)strlen(a));
	if (b != NULL) {
		g_byte_array_append(octets, (const guint8 *)"", 1);
		g_byte_array_append(octets, (const guint8 *)b, (guint)strlen(b));
		g_byte_array_append(octets, (const guint8 *)"", 1);
		g_byte_array_append(octets, (const guint8 *)c, (guint)strlen(c));
	}
	word = g_base64_encode(octets->data, octets->len);
	explicit_bzero(octets->data, octets->len);
	return word;
}

static bool
smtp_client_auth_login(SmtpClient *client, const NextHop *hop, ServerReply *reply, GError **error)
{
	const char *const steps[] = { hop->user, hop->password != NULL ? hop->password : "" };

	if (!smtp_client_ask(client, reply, error, "AUTH LOGIN"))
		return false;
	for (size_t i = 0; i < G_N_ELEMENTS(steps) && reply->code == 334; i++) {
		char *word = smtp_client_base64(steps[i], NULL, NULL);
		const bool is_answered = smtp_client_ask(client, reply, error, word);

		wipe_free_text(word);
		if (!is_answered)
			return false;
	}
	return true;
}

/* Whatever the configuration says, no login goes over a connection that others can read (RFC 4954 4).
 * A smarthost that refuses our password is the administrator's to mend: never a bounce. */
static bool
smtp_client_authenticate(SmtpClient *client, const NextHop *hop, ServerReply *reply, GError **error)
{
	g_autofree char *text = NULL;

	if (hop->user == NULL)
		return true;
	if (!client->is_local && !wire_is_secured(client->wire))
		return error_set(error, POSTERN_ERROR_UNAVAILABLE,
			"4.7.4 %s offers no TLS, and the login of user %s is not sent in clear", client->peer, hop->user);
	if (client->capabilities & SMTP_AUTH_PLAIN) {
		char *word = smtp_client_base64("", hop->user, hop->password != NULL ? hop->password : "");
		const bool is_written = smtp_write_command(client->wire, error, "AUTH PLAIN %s", word);

		wipe_free_text(word);
		if (!is_written || !smtp_client_read(client, NOISE_WAITS, reply, error))
			return false;
	} else if ((client->capabilities & SMTP_AUTH_LOGIN) == 0) {
		return error_set(
			error, POSTERN_ERROR_UNAVAILABLE, "4.7.0 %s offers no authentication that we know", client->peer);
	} else if (!smtp_client_auth_login(client, hop, reply, error)) {
		return false;
	}
	if (reply->code / 100 == 2)
		return true;
	text = smtp_reply_text(reply);
	return error_set(
		error, POSTERN_ERROR_UNAVAILABLE, "4.7.8 %s refused our login: %d %s", client->peer, reply->code, text);
}

static bool
smtp_client_greet(SmtpClient *client, const NextHop *hop, const char *name, GError **error)
{
	g_auto(ServerReply) reply;

	smtp_reply_init(&reply);
	smtp_client_limit(client, client->settings->command_us);
	if (hop->is_wrapped && !smtp_client_start_tls(client, hop, name, error))
		return false;
	if (!smtp_client_read(client, NOISE_FAILS, &reply, error))
		return false;
	if (reply.code / 100 != 2) /* RFC 5321 3.1: 554 speaks for this host only */
		return smtp_client_refused(&reply, "the connection", error);
	return smtp_client_say_hello(client, &reply, error) && smtp_client_secure(client, hop, name, &reply, error) &&
		   smtp_client_authenticate(client, hop, &reply, error);
}

/* ---- opening ---- */

/* Errors of ours that have a status code name the peer themselves; a reply of the peer ("554 5.7.1 …") speaks for one
 * host only, so what it says is not the status. */
static bool
smtp_client_has_status(const char *text)
{
	return (text[0] == '4' || text[0] == '5') && text[1] == '.' && g_ascii_isdigit(text[2]) && text[3] == '.' &&
		   g_ascii_isdigit(text[4]) && text[5] == ' ';
}

static SmtpClient *
smtp_client_new(const SmtpOpening *opening, bool skips_tls)
{
	const NextHop *hop = opening->hop;
	const HopAddress *to = opening->to;
	SmtpClient *client = g_new0(SmtpClient, 1);
	char text[IP_TEXT_SIZE];

	client->settings = opening->settings;
	client->quirks = opening->quirks;
	client->place = hop_address_text(hop, to);
	client->most_recipients = host_quirks_most(client->quirks, client->place);
	client->is_lmtp = hop->kind == HOP_LMTP;
	client->is_local = hop->path != NULL || ip_is_loopback(&to->address);
	client->skips_tls = skips_tls;
	client->peer = hop->path != NULL
					   ? g_strdup_printf("%s[%s]", to->name, hop->path)
					   : g_strdup_printf("%s[%s]:%u", to->name, ip_format(&to->address, text), to->port);
	return client;
}

static SmtpClient *
smtp_client_try(const SmtpOpening *opening, bool skips_tls, bool *tried_tls, GError **error)
{
	const DeliverySettings *settings = opening->settings;
	const int64_t until_us = g_get_monotonic_time() + settings->connect_us;
	const HopAddress *to = opening->to;
	g_autoptr(SmtpClient) client = smtp_client_new(opening, skips_tls);
	const IpAddress *from = hop_from(settings, opening->hop, &to->address);

	client->wire = opening->hop->path != NULL
					   ? wire_open_unix(opening->hop->path, until_us, error)
					   : wire_open(&to->address, to->port, from, until_us, error);
	if (client->wire == NULL)
		return NULL;
	client->attempt_until_us =
		g_get_monotonic_time() + (opening->is_known ? settings->command_us : settings->greeting_us);
	if (smtp_client_greet(client, opening->hop, to->name, error))
		return g_steal_pointer(&client);
	*tried_tls = client->tried_tls;
	if (!smtp_client_has_status((*error)->message))
		g_prefix_error(error, "%s: ", client->peer);
	return NULL;
}

SmtpClient *
smtp_client_open(const SmtpOpening *opening, char **reply, bool *is_untrusted)
{
	/* a handshake that breaks must not stop mail that would have gone in clear; a login never does */
	const bool may_skip_tls = opening->hop->tls == TLS_MAY && opening->hop->user == NULL;
	g_autofree char *place = hop_address_text(opening->hop, opening->to);
	const bool skips_tls = may_skip_tls && (host_quirks_of(opening->quirks, place) & QUIRK_TLS);
	g_autoptr(GError) error = NULL;
	bool tried_tls = false;
	SmtpClient *client = smtp_client_try(opening, skips_tls, &tried_tls, &error);

	if (client == NULL && tried_tls && may_skip_tls) {
		g_clear_error(&error);
		client = smtp_client_try(opening, true, &tried_tls, &error);
		if (client != NULL)
			(void)smtp_client_note_quirk(client, QUIRK_TLS);
	}
	*reply = NULL;
	*is_untrusted = client == NULL && g_error_matches(error, POSTERN_ERROR, POSTERN_ERROR_UNTRUSTED);
	if (client == NULL)
		*reply = g_strconcat(smtp_client_has_status(error->message) ? "" : "4.4.1 ", error->message, NULL);
	return client;
}
