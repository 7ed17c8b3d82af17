/* session-errors.c - what a session does wrong, and when that slows or ends it.
 *
 * Errors are violations of the protocol, and commands that do nothing: too many of them end the session, and plugin blocking
 * counts that against the client.  What rules refuse is no error, whatever the reason: a mail server has to try.  A client
 * without a login that is refused for good again and again is slowed, though: it may be guessing addresses. */
#include <string.h>

#include "engine/session-private.h"

static void
session_slow_down(Session *session)
{
	if (session->wants != SESSION_WANTS_INPUT)
		return;
	session->pause_us = session->snapshot->settings->error_delay_us;
	session->wants = SESSION_WANTS_PAUSE;
}

/* From the soft limit on each violation costs a second, at the hard one the session ends (part 2). */
static void
session_count_violation(Session *session)
{
	const EngineSettings *settings = session->snapshot->settings;

	session->errors++;
	if (session->is_closing)
		return;
	if (session->errors >= settings->hard_errors) {
		session_event(session, "too-many-errors");
		session_put_line(session, 421, ' ', "4.7.0", "Error: too many errors");
		session->is_closing = true;
	} else if (session->errors > settings->soft_errors) {
		session_slow_down(session);
	}
}

/* Who had a message refused was at work: the commands before it were not idle. */
static void
session_excuse_commands(Session *session)
{
	static const char *const verbs[] = { "MAIL", "RCPT", "DATA", "BDAT" };

	for (size_t i = 0; session->command != NULL && i < G_N_ELEMENTS(verbs); i++)
		if (strcmp(session->command->verb, verbs[i]) == 0)
			session->junk = 0;
}

/* Who does not log in, or cannot, has no reason to go on; but it violated nothing, so that plugins are not told of it. */
static void
session_count_refusal(Session *session, PtnCause cause)
{
	const EngineSettings *settings = session->snapshot->settings;

	session->refusals++;
	if (session->is_closing)
		return;
	if (cause == PTN_CREDENTIALS && session->refusals >= settings->hard_errors) {
		session_put_line(session, 421, ' ', "4.7.0", "Error: too many errors");
		session->is_closing = true;
	} else if (session->refusals > settings->soft_errors) {
		session_slow_down(session);
	}
}

void
session_count_error(Session *session, PtnCause cause, int code)
{
	if (cause == PTN_PROTOCOL) {
		session_count_violation(session);
		return;
	}
	session_excuse_commands(session);
	if (code >= 500 && session->facts.login == NULL)
		session_count_refusal(session, cause);
}

/* Of EHLO and HELO the first, and the one behind TLS, are needed. */
static bool
session_is_junk(const Session *session, const CommandRow *row)
{
	static const char *const idle[] = { "NOOP", "VRFY", "ETRN", "RSET", "HELP", "MAIL" };

	for (size_t i = 0; i < G_N_ELEMENTS(idle); i++)
		if (strcmp(row->verb, idle[i]) == 0)
			return true;
	return row->stage == PTN_HELO && session->has_greeted;
}

void
session_count_junk(Session *session, const CommandRow *row)
{
	session->junk += session_is_junk(session, row);
	session->has_greeted |= row->stage == PTN_HELO;
	if (session->junk > session->snapshot->settings->max_junk)
		session->errors++;
	if (session->errors >= session->snapshot->settings->hard_errors && !session->is_closing) {
		session_event(session, "too-many-errors");
		session_close_with(session, PTN_PROTOCOL, 421, "4.7.0", "Error: too many errors");
	}
}

void
session_forgive(Session *session)
{
	session->errors = session->refusals = session->junk = 0;
}
