/* cmd-misc.c - the small commands: RSET, NOOP, VRFY, ETRN, HELP, QUIT. */
#include <string.h>

#include "engine/etrn.h"
#include "engine/session-private.h"
#include "proto/idn.h"

bool
cmd_none_check(Session *session, const Command *command)
{
	if (command->argument[0] == '\0')
		return true;
	session_reject(session, PTN_PROTOCOL, 501, "5.5.4", "Syntax: %s", command->verb);
	return false;
}

void
cmd_rset_proceed(Session *session)
{
	session_drop_transaction(session);
	session_reply(session, 250, "2.0.0", "Ok");
}

void
cmd_noop_proceed(Session *session)
{
	session_reply(session, 250, "2.0.0", "Ok");
}

static bool
cmd_is_printable(const char *text)
{
	while (g_ascii_isprint(*text))
		text++;
	return *text == '\0';
}

/* Never says whether an address exists (E-09).  It replies itself: nothing is left to proceed with. */
bool
cmd_vrfy_check(Session *session, const Command *command)
{
	g_autofree char *shown = g_strndup(command->argument, 300);

	if (command->argument[0] == '\0')
		session_reject(session, PTN_PROTOCOL, 501, "5.5.4", "Syntax: VRFY address");
	else if (!cmd_is_printable(shown))
		session_reply(session, 252, "2.0.0", "Cannot VRFY, but will accept messages");
	else
		session_reply(session, 252, "2.0.0", "%s", shown);
	return false;
}

static bool
cmd_etrn_is_permitted(const Session *session)
{
	return session->facts.login != NULL ||
		   ip_networks_contain(session->snapshot->settings->etrn_clients, &session->facts.client);
}

/* RFC 1985.  Every domain gets the same answer, in the same time: which of them are ours is nobody's business (etrn.h). */
bool
cmd_etrn_check(Session *session, const Command *command)
{
	const char *named = command->argument + strspn(command->argument, "@#");
	g_autofree char *domain = idn_to_ascii(named, strlen(named));

	if (domain == NULL) {
		session_reject(session, PTN_PROTOCOL, 501, NULL, "Error: invalid parameter syntax");
		return false;
	}
	if (!cmd_etrn_is_permitted(session)) {
		session_reject(session, PTN_POLICY, 459, NULL, "<%s>: service unavailable", named);
		return false;
	}
	if (session->engine->etrn != NULL)
		etrn_ask(session->engine->etrn, domain);
	session_reply(session, 250, NULL, "Queuing started");
	return false;
}

void
cmd_help_proceed(Session *session)
{
	session_reply(
		session, 214, "2.0.0", "EHLO HELO STARTTLS AUTH MAIL RCPT DATA BDAT RSET NOOP VRFY ETRN HELP QUIT");
}

void
cmd_quit_proceed(Session *session)
{
	session->is_closing = true;
	session_reply(session, 221, "2.0.0", "Bye");
}
