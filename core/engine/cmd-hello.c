/* cmd-hello.c - the greeting, EHLO and HELO (RFC 5321 4.1.1.1). */
#include <string.h>

#include "engine/session-private.h"

/* What came before the greeting was not meant for an SMTP server, or for one that can be pipelined into. */
static void
cmd_greet(Session *session)
{
	const EngineSettings *settings = session->snapshot->settings;
	const size_t waiting = session_input_waiting(session);

	if (session_refuse_handshake(session))
		return;
	if (waiting > 0) {
		g_autofree char *line = g_strndup((const char *)session->in->data + session->in_taken, waiting);

		if (session_is_foreign(line)) {
			session_event(session, "not-smtp");
			session_close_with(session, PTN_PROTOCOL, 221, "2.7.0", "Error: I can break rules, too. Goodbye.");
		} else {
			session_event(session, "early-talker");
			session_close_with(session, PTN_PROTOCOL, 554, "5.5.0", "Error: SMTP protocol synchronization");
		}
		return;
	}
	session_reply(session, 220, NULL, "%s ESMTP %s", settings->hostname, settings->banner_name);
}

static void
cmd_end(Session *session)
{
	session->is_closing = true;
}

const CommandRow session_connect_row = { "", STATE_ANY, PTN_CONNECT, NULL, cmd_greet, cmd_end };

/* Computers whose name has a blank in it say so; the first word is taken. */
static char *
cmd_hello_name(const Session *session, const char *argument)
{
	return session->listener->is_strict ? g_strdup(argument) : g_strndup(argument, strcspn(argument, " \t"));
}

bool
cmd_hello_check(Session *session, const Command *command)
{
	g_autofree char *name = cmd_hello_name(session, command->argument);

	if (!helo_is_valid(name)) {
		session_reject(session, PTN_PROTOCOL, 501, "5.5.4", "Syntax: %s hostname", command->verb);
		return false;
	}
	session_drop_transaction(session);
	g_free(session->facts.helo);
	session->facts.helo = g_steal_pointer(&name);
	session->state = STATE_START;
	return true;
}

void
cmd_helo_proceed(Session *session)
{
	session->facts.is_esmtp = false;
	session->state = STATE_READY;
	session_reply(session, 250, NULL, "%s", session->snapshot->settings->hostname);
}

static bool
cmd_offers_auth(const Session *session)
{
	return session->listener->takes_auth && chain_has(session->snapshot->chain, PTN_AUTH) &&
		   (session->is_secured || session->listener->takes_auth_in_clear);
}

/* `ehlo-without` names first words. */
static void
cmd_offer(const Session *session, GPtrArray *lines, const char *line)
{
	g_autofree char *word = g_strndup(line, strcspn(line, " ="));
	char *const *without = session->snapshot->settings->ehlo_without;

	for (; without != NULL && *without != NULL; without++)
		if (g_ascii_strcasecmp(*without, word) == 0)
			return;
	g_ptr_array_add(lines, g_strdup(line));
}

/* The order is that of the seed (E-01); what we add beyond comes after. */
void
cmd_hello_proceed(Session *session)
{
	const EngineSettings *settings = session->snapshot->settings;
	g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(g_free);
	g_autofree char *size = g_strdup_printf("SIZE %" G_GINT64_FORMAT, settings->max_message);

	g_ptr_array_add(lines, g_strdup(settings->hostname));
	cmd_offer(session, lines, "PIPELINING");
	cmd_offer(session, lines, size);
	cmd_offer(session, lines, "VRFY");
	cmd_offer(session, lines, "ETRN");
	if (!session->is_secured && session->snapshot->tls != NULL && session->listener->tls != LISTENER_TLS_NONE &&
		session->listener->tls != LISTENER_TLS_IMPLICIT)
		cmd_offer(session, lines, "STARTTLS");
	if (cmd_offers_auth(session)) {
		cmd_offer(session, lines, "AUTH PLAIN LOGIN");
		cmd_offer(session, lines, "AUTH=PLAIN LOGIN");
	}
	cmd_offer(session, lines, "ENHANCEDSTATUSCODES");
	cmd_offer(session, lines, "8BITMIME");
	cmd_offer(session, lines, "DSN");
	cmd_offer(session, lines, "SMTPUTF8");
	cmd_offer(session, lines, "CHUNKING");
	session->facts.is_esmtp = session->has_said_ehlo = true;
	session->state = STATE_READY;
	if (session->out == NULL)
		session->out = g_string_sized_new(400);
	for (guint i = 0; i < lines->len; i++)
		g_string_append_printf(session->out, "250%c%s\r\n", i + 1 < lines->len ? '-' : ' ',
			(const char *)g_ptr_array_index(lines, i));
}
