/* smtp-client.c - reaching a server: connection, hello, TLS, AUTH. */
#include <string.h>

#include "base/error.h"
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
smtp_client_read(SmtpClient *client, ServerReply *reply, GError **error)
{
	smtp_client_limit(client, client->settings->command_us);
	return smtp_read_reply(client->wire, reply, error);
}

/* A reply that stops us, as an error whose code says whether it is for ever. */
static bool
smtp_client_refused(const ServerReply *reply, const char *at, GError **error)
{
	g_autofree char *text = g_strdelimit(g_strdup(reply->text->str), "\n", ' ');

	return error_set(error, reply->code >= 500 ? POSTERN_ERROR_INVALID : POSTERN_ERROR_UNAVAILABLE,
		"%d %s %s (in reply to %s)", reply->code, reply->enhanced, text, at);
}

static bool
smtp_client_say_hello(SmtpClient *client, ServerReply *reply, GError **error)
{
	const char *verb = client->is_lmtp ? "LHLO" : "EHLO";

	if (!smtp_write_command(client->wire, error, "%s %s", verb, client->settings->helo) ||
		!smtp_client_read(client, reply, error))
		return false;
	client->capabilities = smtp_capabilities(reply, &client->size_limit);
	if (client->is_lmtp)
		client->capabilities &= ~(unsigned)SMTP_DSN; /* we know what became of each, and report it ourselves */
	if (reply->code == 250)
		return true;
	client->capabilities = 0;
	if (reply->code / 100 != 5 || client->is_lmtp)
		return smtp_client_refused(reply, verb, error);
	if (!smtp_write_command(client->wire, error, "HELO %s", client->settings->helo) ||
		!smtp_client_read(client, reply, error))
		return false;
	return reply->code == 250 || smtp_client_refused(reply, "HELO", error);
}

/* Opportunistic TLS falls back to clear only where the server does not offer it or says no (RFC 7435). */
static bool
smtp_client_secure(SmtpClient *client, const NextHop *hop, const char *name, ServerReply *reply, GError **error)
{
	const bool is_offered = (client->capabilities & SMTP_STARTTLS) != 0;

	if (hop->tls == TLS_NONE || (hop->tls == TLS_MAY && (!is_offered || client->skips_tls)))
		return true;
	if (!is_offered)
		return error_set(
			error, POSTERN_ERROR_UNAVAILABLE, "4.7.4 TLS is required, but %s does not offer it", client->peer);
	if (!smtp_write_command(client->wire, error, "STARTTLS") || !smtp_client_read(client, reply, error))
		return false;
	if (reply->code != 220)
		return hop->tls == TLS_MAY || smtp_client_refused(reply, "STARTTLS", error);
	client->tried_tls = true;
	if (!wire_start_tls(client->wire, client->settings->client, name, hop->tls, error))
		return false;
	client->tried_tls = false; /* what fails from now on is no reason to go on in clear */
	return smtp_client_say_hello(client, reply, error);
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

	if (!smtp_write_command(client->wire, error, "AUTH LOGIN") || !smtp_client_read(client, reply, error))
		return false;
	for (size_t i = 0; i < G_N_ELEMENTS(steps) && reply->code == 334; i++) {
		char *word = smtp_client_base64(steps[i], NULL, NULL);
		const bool is_written = smtp_write_command(client->wire, error, "%s", word);

		wipe_free_text(word);
		if (!is_written || !smtp_client_read(client, reply, error))
			return false;
	}
	return true;
}

/* Whatever the configuration says, no login goes over a connection that others can read (RFC 4954 4).
 * A smarthost that refuses our password is the administrator's to mend: never a bounce. */
static bool
smtp_client_authenticate(SmtpClient *client, const NextHop *hop, ServerReply *reply, GError **error)
{
	if (hop->user == NULL)
		return true;
	if (!client->is_local && !wire_is_secured(client->wire))
		return error_set(error, POSTERN_ERROR_UNAVAILABLE,
			"4.7.4 %s offers no TLS, and the login of user %s is not sent in clear", client->peer, hop->user);
	if (client->capabilities & SMTP_AUTH_PLAIN) {
		char *word = smtp_client_base64("", hop->user, hop->password != NULL ? hop->password : "");
		const bool is_written = smtp_write_command(client->wire, error, "AUTH PLAIN %s", word);

		wipe_free_text(word);
		if (!is_written || !smtp_client_read(client, reply, error))
			return false;
	} else if ((client->capabilities & SMTP_AUTH_LOGIN) == 0) {
		return error_set(
			error, POSTERN_ERROR_UNAVAILABLE, "4.7.0 %s offers no authentication that we know", client->peer);
	} else if (!smtp_client_auth_login(client, hop, reply, error)) {
		return false;
	}
	if (reply->code == 235)
		return true;
	return error_set(error, POSTERN_ERROR_UNAVAILABLE, "4.7.8 %s refused our login: %d %s", client->peer,
		reply->code, g_strdelimit(reply->text->str, "\n", ' '));
}

static bool
smtp_client_greet(SmtpClient *client, const NextHop *hop, const char *name, GError **error)
{
	g_auto(ServerReply) reply;

	smtp_reply_init(&reply);
	if (!smtp_client_read(client, &reply, error))
		return false;
	if (reply.code != 220) /* RFC 5321 3.1: 554 speaks for this host only */
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

static const IpAddress *
smtp_client_from(const DeliverySettings *settings, const IpAddress *to)
{
	for (guint i = 0; i < settings->from->len; i++)
		if (ip_is_v4(&g_array_index(settings->from, IpAddress, i)) == ip_is_v4(to))
			return &g_array_index(settings->from, IpAddress, i);
	return NULL;
}

static SmtpClient *
smtp_client_try(const DeliverySettings *settings, const NextHop *hop, const HopAddress *to, bool skips_tls,
	int64_t greeting_us, bool *tried_tls, GError **error)
{
	const int64_t until_us = g_get_monotonic_time() + settings->connect_us;
	g_autoptr(SmtpClient) client = g_new0(SmtpClient, 1);
	char text[IP_TEXT_SIZE];

	client->settings = settings;
	client->is_lmtp = hop->kind == HOP_LMTP;
	client->is_local = hop->path != NULL || ip_is_loopback(&to->address);
	client->skips_tls = skips_tls;
	if (hop->path != NULL) {
		client->peer = g_strdup_printf("%s[%s]", to->name, hop->path);
		client->wire = wire_open_unix(hop->path, until_us, error);
	} else {
		client->peer = g_strdup_printf("%s[%s]:%u", to->name, ip_format(&to->address, text), to->port);
		client->wire =
			wire_open(&to->address, to->port, smtp_client_from(settings, &to->address), until_us, error);
	}
	if (client->wire == NULL)
		return NULL;
	client->attempt_until_us = g_get_monotonic_time() + greeting_us;
	if (smtp_client_greet(client, hop, to->name, error))
		return g_steal_pointer(&client);
	*tried_tls = client->tried_tls;
	if (!smtp_client_has_status((*error)->message))
		g_prefix_error(error, "%s: ", client->peer);
	return NULL;
}

SmtpClient *
smtp_client_open(const DeliverySettings *settings, const NextHop *hop, const HopAddress *to, bool is_known,
	char **reply, bool *is_untrusted)
{
	const int64_t greeting_us = is_known ? settings->command_us : settings->greeting_us;
	g_autoptr(GError) error = NULL;
	bool tried_tls = false;
	SmtpClient *client = smtp_client_try(settings, hop, to, false, greeting_us, &tried_tls, &error);

	if (client == NULL && tried_tls && hop->tls == TLS_MAY && hop->user == NULL) {
		/* a handshake that breaks must not stop mail that would have gone in clear; a login never does */
		g_clear_error(&error);
		client = smtp_client_try(settings, hop, to, true, greeting_us, &tried_tls, &error);
	}
	*reply = NULL;
	*is_untrusted = client == NULL && g_error_matches(error, POSTERN_ERROR, POSTERN_ERROR_UNTRUSTED);
	if (client == NULL)
		*reply = g_strconcat(smtp_client_has_status(error->message) ? "" : "4.4.1 ", error->message, NULL);
	return client;
}
