/* cmd-starttls.c - STARTTLS (RFC 3207). */
#include "engine/session-private.h"

bool
cmd_starttls_check(Session *session, const Command *command)
{
	if (session->is_secured)
		session_reject(session, PTN_PROTOCOL, 554, "5.5.1", "Error: TLS already active");
	else if (command->argument[0] != '\0')
		session_reject(session, PTN_PROTOCOL, 501, "5.5.4", "Syntax: STARTTLS");
	else if (session->listener->tls == LISTENER_TLS_NONE)
		session_reject(session, PTN_PROTOCOL, 502, "5.5.1", "Error: command not implemented");
	else if (session->snapshot->tls == NULL)
		session_reject(session, PTN_LOCAL, 454, "4.7.0", "TLS not available due to local problem");
	else
		return true;
	return false;
}

/* What was pipelined behind STARTTLS came in clear and must not count as said inside TLS (C-14). */
void
cmd_starttls_proceed(Session *session)
{
	if (session_input_waiting(session) > 0) {
		session_event(session, "starttls-injection");
		session_close_with(session, PTN_PROTOCOL, 554, "5.5.0", "Error: commands were pipelined behind STARTTLS");
		return;
	}
	session_reply(session, 220, "2.0.0", "Ready to start TLS");
	session->wants = SESSION_WANTS_TLS;
}

static void
cmd_tls_proceed(Session *session)
{
	session_drop_transaction(session);
	g_clear_pointer(&session->facts.helo, g_free);
	g_clear_pointer(&session->facts.login, g_free);
	g_clear_pointer(&session->facts.account, directory_entry_free);
	g_clear_pointer(&session->facts.customer, directory_entry_free);
	g_clear_pointer(&session->facts.account_budget, account_budget_drop);
	session->state = STATE_START;
	session->has_greeted = session->has_said_ehlo = false;
}

static void
cmd_tls_refused(Session *session)
{
	session->is_closing = true;
}

const CommandRow session_tls_row = { "", STATE_ANY, PTN_TLS, NULL, cmd_tls_proceed, cmd_tls_refused };
