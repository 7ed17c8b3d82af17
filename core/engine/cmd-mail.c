/* cmd-mail.c - MAIL: whose message it is, and whether we may take one now (RFC 5321 4.1.1.2). */
#include <string.h>

#include "engine/session-private.h"

/* ---- may this session send at all? ---- */

/* Facts of the account are read again at each MAIL: a disabled one ends its sessions here, and so does a new password, which
 * may be new because somebody else knew the old one. */
static bool
cmd_mail_account_may(Session *session)
{
	const EngineSettings *settings = session->snapshot->settings;
	const PtnStatus status = session_read_account(session);
	const DirectoryEntry *account = session->facts.account;
	const char *barred;

	if (status == PTN_UNSURE && session_goes_to_worker(session))
		return false;
	if (status == PTN_UNSURE) {
		session_reject(
			session, PTN_LOCAL, 451, "4.3.0", "Error: the directory cannot be reached, try again later");
		return false;
	}
	if (session->has_lost_account) {
		session_close_with(session, PTN_CREDENTIALS, 421, "4.7.0", "Error: this account does not exist any more");
		return false;
	}
	if (session->has_new_password) {
		session_close_with(session, PTN_CREDENTIALS, 421, "4.7.0",
			"Error: the password of this account was changed, log in again");
		return false;
	}
	barred = account != NULL ? directory_account_barred(account, session->facts.customer) : NULL;
	if (barred != NULL) {
		g_autofree char *text = g_strdup_printf("Error: this account may not send: %s", barred);

		session_close_with(session, PTN_CREDENTIALS, 421, "4.7.0", text);
		return false;
	}
	if (account != NULL && g_strcmp0(directory_entry_get(account, "type"), "server") == 0 &&
		!settings->opens_server_accounts) {
		session_reject(session, PTN_POLICY, 554, "5.7.1",
			"Client host rejected: a mail-server account may not submit before its sources are filtered");
		return false;
	}
	return true;
}

static bool
cmd_mail_session_may(Session *session)
{
	SpoolResult reason;

	if (session_is_blocked(session))
		return false;
	if (session->facts.login == NULL && session->listener->takes_auth && !session->listener->is_inbound) {
		session_event(session, "unauthenticated-mail");
		session_reject(session, PTN_CREDENTIALS, 530, "5.7.0", "Authentication required");
		return false;
	}
	if (session->facts.login != NULL && !cmd_mail_account_may(session))
		return false;
	if (!spool_has_room(session->engine->spool, &reason)) {
		if (reason == SPOOL_FULL)
			session_reject(session, PTN_LOCAL, 452, "4.3.1", "Insufficient system storage");
		else
			session_reject(session, PTN_LOCAL, 451, "4.3.0", "Error: queue file write error");
		return false;
	}
	return true;
}

/* ---- parameters ---- */

typedef bool ParameterCheck(Session *session, Envelope *envelope, const char *value);

static bool
cmd_mail_size(Session *session, Envelope *envelope, const char *value)
{
	guint64 size;

	(void)envelope;
	if (value == NULL || !g_ascii_string_to_unsigned(value, 10, 0, G_MAXINT64, &size, NULL)) {
		session_reject(session, PTN_PROTOCOL, 501, "5.5.4", "Bad message size syntax");
		return false;
	}
	if (size > (guint64)session->snapshot->settings->max_message) {
		session_reject(session, PTN_POLICY, 552, "5.3.4", "Message size exceeds fixed limit");
		return false;
	}
	session->transaction->declared_size = (int64_t)size;
	return true;
}

static bool
cmd_mail_body(Session *session, Envelope *envelope, const char *value)
{
	if (value != NULL && g_ascii_strcasecmp(value, "7BIT") == 0)
		envelope->body = BODY_7BIT;
	else if (value != NULL && g_ascii_strcasecmp(value, "8BITMIME") == 0)
		envelope->body = BODY_8BITMIME;
	else {
		session_reject(session, PTN_PROTOCOL, 501, "5.5.4", "Syntax: BODY=7BIT or BODY=8BITMIME");
		return false;
	}
	return true;
}

static bool
cmd_mail_ret(Session *session, Envelope *envelope, const char *value)
{
	if (value != NULL && g_ascii_strcasecmp(value, "FULL") == 0 && envelope->ret == RET_NONE)
		envelope->ret = RET_FULL;
	else if (value != NULL && g_ascii_strcasecmp(value, "HDRS") == 0 && envelope->ret == RET_NONE)
		envelope->ret = RET_HDRS;
	else {
		session_reject(session, PTN_PROTOCOL, 501, "5.5.4", "Bad RET parameter syntax");
		return false;
	}
	return true;
}

/* RFC 3461 4.4: at most 100 characters of xtext. */
static bool
cmd_mail_envid(Session *session, Envelope *envelope, const char *value)
{
	if (value == NULL || !envid_is_valid(value) || envelope->envid != NULL) {
		session_reject(session, PTN_PROTOCOL, 501, "5.5.4", "Bad ENVID parameter syntax");
		return false;
	}
	envelope->envid = g_strdup(value);
	return true;
}

static bool
cmd_mail_utf8(Session *session, Envelope *envelope, const char *value)
{
	if (value != NULL) {
		session_reject(session, PTN_PROTOCOL, 501, "5.5.4", "Syntax: SMTPUTF8 takes no value");
		return false;
	}
	envelope->is_smtputf8 = true;
	return true;
}

/* RFC 4954 5: who submitted it first; we trust only whom we authenticated, so it is checked and dropped. */
static bool
cmd_mail_auth(Session *session, Envelope *envelope, const char *value)
{
	(void)envelope;
	if (value == NULL || !xtext_is_valid(value)) {
		session_reject(session, PTN_PROTOCOL, 501, "5.5.4", "Bad AUTH parameter syntax");
		return false;
	}
	return true;
}

static bool
cmd_mail_parameters(Session *session, const Path *path)
{
	static const struct {
		const char *name;
		ParameterCheck *check;
	} known[] = { { "SIZE", cmd_mail_size }, { "BODY", cmd_mail_body }, { "RET", cmd_mail_ret },
		{ "ENVID", cmd_mail_envid }, { "SMTPUTF8", cmd_mail_utf8 }, { "AUTH", cmd_mail_auth } };

	for (size_t i = 0; i < path->n_parameters; i++) {
		const Parameter *parameter = &path->parameters[i];
		ParameterCheck *check = NULL;

		for (size_t k = 0; k < G_N_ELEMENTS(known); k++)
			if (strcmp(known[k].name, parameter->name) == 0)
				check = known[k].check;
		if (check == NULL) {
			session_reject(session, PTN_PROTOCOL, 555, "5.5.4", "Unsupported option: %s", parameter->name);
			return false;
		}
		if (!check(session, session->transaction->envelope, parameter->value))
			return false;
	}
	return true;
}

/* ---- the command ---- */

static bool
cmd_mail_path(Session *session, PathResult result, const Path *path)
{
	switch (result) {
	case PATH_OK:
		if (path->n_parameters <= PARAMETERS_MAX)
			return true;
		session_reject(session, PTN_PROTOCOL, 501, "5.5.4", "Too many parameters");
		return false;
	case PATH_SYNTAX:
		session_reject(session, PTN_PROTOCOL, 501, "5.5.4", "Syntax: MAIL FROM:<address>");
		return false;
	case PATH_NEEDS_UTF8:
		session_reject(session, PTN_PROTOCOL, 553, "5.6.7", "Must declare SMTPUTF8 to send a non-ASCII address");
		return false;
	case PATH_NOT_QUALIFIED:
		session_reject(session, PTN_POLICY, 504, "5.5.2",
			"<%s>: Sender address rejected: need fully-qualified address", path->address);
		return false;
	case PATH_BAD_ADDRESS:
	case PATH_LITERAL:
	case PATH_TOO_LONG:
		break;
	}
	session_reject(session, PTN_PROTOCOL, 501, "5.1.7", "Bad sender address syntax");
	return false;
}

bool
cmd_mail_check(Session *session, const Command *command)
{
	g_autoptr(Region) region = region_new();
	PathResult result;
	Path path;

	if (!cmd_mail_session_may(session))
		return false;
	result = path_parse(region, command->argument, "FROM:",
		session_path_flags(session, path_wants_utf8(command->argument)), &path);
	if (!cmd_mail_path(session, result, &path))
		return false;
	session->transaction =
		transaction_new(id_next(session->engine->ids), path.address, chain_plugins(session->snapshot->chain));
	session->transaction->envelope->arrived_us = clock_wall(session->engine->clock);
	if (!cmd_mail_parameters(session, &path)) {
		session_drop_transaction(session);
		return false;
	}
	session->queue_text = g_malloc(ID_TEXT_SIZE);
	id_format(session->transaction->id, session->queue_text);
	return true;
}

void
cmd_mail_proceed(Session *session)
{
	session->state = STATE_MAIL;
	session->failed_mail = false;
	session_reply(session, 250, "2.1.0", "Ok");
}

void
cmd_mail_refused(Session *session)
{
	session_drop_transaction(session);
}
