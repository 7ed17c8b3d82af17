/* session-cmd.c - the table of commands: reading it is reading the server. */
#include <string.h>

#include "base/wipe.h"
#include "engine/session-private.h"
#include "proto/line.h"

static const CommandRow session_commands[] = {
	/* verb, legal states, stage, check, proceed, refused */
	{ "EHLO", STATE_ANY, PTN_HELO, cmd_hello_check, cmd_hello_proceed, NULL },
	{ "HELO", STATE_ANY, PTN_HELO, cmd_hello_check, cmd_helo_proceed, NULL },
	{ "STARTTLS", STATE_START | STATE_READY, 0, cmd_starttls_check, cmd_starttls_proceed, NULL },
	{ "AUTH", STATE_READY, 0, cmd_auth_check, cmd_auth_proceed, NULL },
	{ "MAIL", STATE_READY, PTN_MAIL, cmd_mail_check, cmd_mail_proceed, cmd_mail_refused },
	{ "RCPT", STATE_MAIL | STATE_RCPT, PTN_RCPT, cmd_rcpt_check, cmd_rcpt_proceed, cmd_rcpt_refused },
	{ "DATA", STATE_RCPT, PTN_DATA, cmd_data_check, cmd_data_proceed, NULL },
	{ "BDAT", STATE_RCPT | STATE_CHUNK, PTN_DATA, cmd_bdat_check, cmd_bdat_proceed, cmd_bdat_refused },
	{ "RSET", STATE_ANY, 0, cmd_none_check, cmd_rset_proceed, NULL },
	{ "NOOP", STATE_ANY, 0, NULL, cmd_noop_proceed, NULL },
	{ "VRFY", STATE_ANY, 0, cmd_vrfy_check, cmd_noop_proceed, NULL },
	{ "ETRN", STATE_READY, 0, cmd_etrn_check, cmd_noop_proceed, NULL },
	{ "HELP", STATE_ANY, 0, NULL, cmd_help_proceed, NULL },
	{ "QUIT", STATE_ANY, 0, cmd_none_check, cmd_quit_proceed, NULL },
};

const CommandRow *
session_find_command(const char *verb)
{
	for (size_t i = 0; i < G_N_ELEMENTS(session_commands); i++)
		if (strcmp(session_commands[i].verb, verb) == 0)
			return &session_commands[i];
	return NULL;
}

unsigned
session_path_flags(const Session *session, bool is_utf8)
{
	return (is_utf8 ? PATH_UTF8 : 0) | (session->listener->is_strict ? 0 : PATH_LOOSE);
}

bool
session_is_foreign(const char *line)
{
	static const char *const verbs[] = { "GET ", "POST ", "PUT ", "HEAD ", "CONNECT ", "OPTIONS ", "DELETE ",
		"PRI * " };
	const size_t word = strcspn(line, " \t:");

	for (size_t i = 0; i < G_N_ELEMENTS(verbs); i++)
		if (g_ascii_strncasecmp(line, verbs[i], strlen(verbs[i])) == 0)
			return true;
	return word > 0 && line[word] == ':'; /* "Header: value" */
}

/* Behind MAIL, all RCPTs or a chunk that were refused, what a client had pipelined comes all the same. */
static bool
session_is_behind_refusal(const Session *session, const char *verb)
{
	const bool is_data = strcmp(verb, "BDAT") == 0 || (strcmp(verb, "DATA") == 0 && !session->failed_data);

	if (session->state == STATE_READY)
		return session->failed_mail && (is_data || strcmp(verb, "RCPT") == 0);
	return session->state == STATE_MAIL && session->failed_recipient && is_data;
}

/* Before the states are looked at. */
static void
session_note_command(Session *session, const CommandRow *row)
{
	session->command = row;
	session->facts.has_only_quit = session->commands == 1 && strcmp(row->verb, "QUIT") == 0;
	if (row->stage == PTN_MAIL || row->stage == PTN_RCPT)
		session->failed_data = false;
	if (row->stage == PTN_MAIL && session->state == STATE_READY)
		session->failed_mail = true; /* until it is accepted */
	if (row->stage == PTN_HELO || strcmp(row->verb, "RSET") == 0)
		session->failed_mail = false;
}

/* Which order was broken, in the words of part 2. */
static void
session_reject_order(Session *session, const char *verb)
{
	const char *text = "Error: command out of order";
	bool is_behind;

	if (session->state == STATE_START)
		text = "Error: send HELO/EHLO first";
	else if (strcmp(verb, "MAIL") == 0)
		text = "Error: nested MAIL command";
	else if (strcmp(verb, "RCPT") == 0 || session->state == STATE_READY)
		text = "Error: need MAIL command";
	else if (session->failed_recipient)
		text = "Error: no valid recipients";
	else
		text = "Error: need RCPT command";
	if (strcmp(verb, "AUTH") == 0 && session->state != STATE_START)
		text = "Error: MAIL transaction in progress";
	if (strcmp(verb, "STARTTLS") == 0 || strcmp(verb, "ETRN") == 0)
		text =
			session->state == STATE_START ? "Error: send HELO/EHLO first" : "Error: MAIL transaction in progress";
	is_behind = session_is_behind_refusal(session, verb);
	session->failed_data |= is_behind && strcmp(verb, "DATA") == 0;
	if (is_behind)
		session_reject_behind(session, strstr(text, "no valid") != NULL ? 554 : 503, "5.5.1", text);
	else
		session_reject(session, PTN_PROTOCOL, strstr(text, "no valid") != NULL ? 554 : 503, "5.5.1", "%s", text);
}

bool
session_is_too_old(Session *session)
{
	if (clock_monotonic(session->engine->clock) <= session_ends_by(session))
		return false;
	session_close_with(session, PTN_LOCAL, 421, "4.3.0", "Error: session has lasted too long, connect again");
	return true;
}

/* A transaction that was begun may end: its commands are bounded by recipients, errors and junk, and the chunks of a
 * message by twice the limit. */
static const BudgetRefusal *
session_has_too_many_commands(const Session *session)
{
	static const BudgetRefusal many = { "max-commands", 421, "4.7.0",
		"Error: too many commands in one connection, connect again" };
	const unsigned most = session->snapshot->settings->max_commands;
	const uint64_t now_most = session->transaction != NULL ? 2 * (uint64_t)most : most;

	return session->commands > now_most ? &many : NULL;
}

/* What an account does is the account's; before it has said who it is, it is its network's. */
static void
session_count_command(Session *session)
{
	const BudgetRefusal *refusal;

	session->commands++;
	if (session_is_too_old(session))
		return;
	refusal = session_has_too_many_commands(session);
	if (refusal == NULL && session->facts.login == NULL)
		refusal = client_budget_command(session->facts.client_budget, session->facts.client_limits);
	if (refusal == NULL)
		return;
	budget_count_refusal(refusal, session->engine->metrics);
	session_close_with(session, PTN_LOCAL, refusal->code, refusal->enhanced, refusal->text);
}

static void
session_take_command(Session *session, char *line, size_t size)
{
	const CommandRow *row;
	Command command;

	if (session_is_foreign(line)) {
		session_event(session, "not-smtp");
		session_close_with(session, PTN_PROTOCOL, 221, "2.7.0", "Error: I can break rules, too. Goodbye.");
		return;
	}
	session_count_command(session);
	if (session->is_closing)
		return;
	command_split(line, size, &command);
	row = session_find_command(command.verb);
	if (row == NULL) {
		session_reject(session, PTN_PROTOCOL, 500, "5.5.2", "Error: command not recognized");
		return;
	}
	session_look_up_name(session);
	session_note_command(session, row);
	session_count_junk(session, row);
	if (session->is_closing)
		return;
	if ((row->states & session->state) == 0) {
		session_reject_order(session, row->verb);
		if (strcmp(row->verb, "BDAT") == 0)
			cmd_bdat_skip(session, &command);
		return;
	}
	if (row->check == NULL || row->check(session, &command))
		session_begin_stage(session, row);
}

static void
session_reject_line(Session *session, LineResult result)
{
	if (result == LINE_BARE) {
		session_event(session, "bare-newline");
		session_close_with(session, PTN_PROTOCOL, 521, "5.5.2", "Error: bare <CR> or <LF> received");
		return;
	}
	session->skips_line = true;
	if (session->input == INPUT_SASL)
		session_reject(session, PTN_PROTOCOL, 500, "5.5.6", "SASL response limit exceeded");
	else
		session_reject(session, PTN_PROTOCOL, 500, "5.5.2", "Error: line too long");
	session->input = INPUT_COMMANDS;
	session->sasl = SASL_NONE;
}

/* A wrong setting of the client, or a probe: no violation of the protocol. */
bool
session_refuse_handshake(Session *session)
{
	const size_t waiting = session_input_waiting(session);
	const unsigned char *octets = waiting >= 2 ? session->in->data + session->in_taken : NULL;

	if (octets == NULL || session->is_secured || session->command != NULL || octets[0] != 0x16 || octets[1] != 3)
		return false;
	session->in_taken = session->in->len;
	session_event(session, "tls-failure");
	session_close_with(session, PTN_POLICY, 554, "5.7.0",
		session->listener->tls == LISTENER_TLS_NONE ? "Error: there is no TLS on this port"
													: "Error: TLS begins with STARTTLS on this port");
	return true;
}

/* AUTH's first line carries a response, too. */
static size_t
session_line_limit(const Session *session, const char *line, size_t size)
{
	if (session->input == INPUT_SASL || (size >= 5 && g_ascii_strncasecmp(line, "AUTH ", 5) == 0))
		return COMMAND_AUTH_LINE_MAX;
	return COMMAND_LINE_MAX;
}

/* What was found in the input; `line` NULL: nothing that makes sense. */
static bool
session_take_found(
	Session *session, LineResult result, char *line, size_t size, size_t taken, SessionNeed *need)
{
	if (session->skips_line && result != LINE_BARE) {
		session->skips_line = result == LINE_TOO_LONG;
		return true;
	}
	if (result == LINE_BARE && session_is_foreign(line)) { /* HTTP by hand ends lines with LF */
		session_take_command(session, line, size);
		return true;
	}
	if (result != LINE_OK) {
		session_reject_line(session, result);
		return true;
	}
	session->steps++;
	if (session->input == INPUT_SASL)
		cmd_auth_take_response(session, line, size);
	else
		session_take_command(session, line, size);
	if (!session->goes_to_worker)
		return true;
	session->goes_to_worker = false;
	session->in_taken = taken;
	*need = SESSION_WANTS_WORKER;
	return false;
}

bool
session_take_line(Session *session, SessionNeed *need)
{
	const size_t waiting = session_input_waiting(session), taken = session->in_taken;
	const char *octets = waiting > 0 ? (const char *)session->in->data + session->in_taken : NULL;
	size_t size, used = 0;
	char *line;
	bool is_taken;
	LineResult result;

	*need = SESSION_WANTS_INPUT;
	if (waiting == 0)
		return false;
	if (session->state == STATE_START && session_refuse_handshake(session))
		return true;
	result = line_find(octets, waiting, session_line_limit(session, octets, waiting),
		session->listener->is_lenient, &size, &used);
	if (result == LINE_MORE)
		return false;
	line = result == LINE_OK || result == LINE_BARE ? g_strndup(octets, size) : NULL;
	session->in_taken += result == LINE_BARE ? waiting : used;
	is_taken = session_take_found(session, result, line, size, taken, need);
	wipe_free_text(line);
	return is_taken;
}
