/* cmd-auth.c - AUTH with PLAIN and LOGIN (RFC 4954, RFC 4616). */
#include <string.h>

#include "base/escape.h"
#include "base/log.h"
#include "base/wipe.h"
#include "engine/session-private.h"
#include "proto/idn.h"

static void
cmd_auth_wipe(Session *session)
{
	wipe_free_text(g_steal_pointer(&session->sasl_password));
	session->sasl = SASL_NONE;
	session->input = INPUT_COMMANDS;
}

/* After the reply: what was wrong with the credentials counts, what was wrong with us does not, nor does the right password
 * of an account that is disabled: a program that does not know that yet must not get its whole network blocked. */
static void
cmd_auth_count(Session *session)
{
	const EngineSettings *settings = session->snapshot->settings;

	if (session->refused_code < 500 || session->was_told_disabled)
		return;
	session_event(session, "auth-failure");
	if (session->is_closing)
		return;
	if (++session->auth_failures >= settings->max_auth_failures) {
		session_close_with(session, PTN_CREDENTIALS, 421, "4.7.0", "Error: too many failed authentications");
		return;
	}
	session->pause_us =
		MAX(settings->auth_delay_us, session->wants == SESSION_WANTS_PAUSE ? session->pause_us : 0);
	session->wants = SESSION_WANTS_PAUSE;
}

/* Every failure costs the client the same words and the same time. */
static void
cmd_auth_fail(Session *session, int code, const char *enhanced, const char *text)
{
	session_reject(session, code < 500 ? PTN_LOCAL : PTN_CREDENTIALS, code, enhanced, "%s", text);
	cmd_auth_count(session);
	cmd_auth_wipe(session);
}

static void
cmd_auth_refused(Session *session)
{
	g_clear_pointer(&session->identified, g_free);
	cmd_auth_count(session);
	cmd_auth_wipe(session);
}

/* ---- credentials are complete ---- */

/* A login that the directory does not know may still be a person of a domain that it knows (LDAP …), if it is an
 * address: it goes into headers and logs, and others know it by a client's words only. */
static PtnStatus
cmd_auth_ask_domain(Session *session, const char *login)
{
	const char *domain = mailbox_domain(login);
	g_autoptr(DirectoryEntry) entry = NULL;
	g_autoptr(Region) region = region_new();

	if (domain[0] == '\0' || login[0] == '@' || mailbox_parse(region, login, true) == NULL)
		return PTN_NONE;
	return directory_find(session->engine->directory, PTN_DOMAIN, domain, CLOCK_NEVER, &entry);
}

static void
cmd_auth_judge(Session *session)
{
	PtnStatus status;

	if (session->identified == NULL) {
		cmd_auth_fail(session, 535, "5.7.8", "Error: authentication failed: wrong login or password");
		return;
	}
	session->facts.login = g_steal_pointer(&session->identified);
	session->has_read_account = false;
	status = session_read_account(session);
	if (status == PTN_NONE)
		status = cmd_auth_ask_domain(session, session->facts.login);
	if (status == PTN_UNSURE && session_goes_to_worker(session)) {
		session->goes_to_worker = false;
		session->identified = g_steal_pointer(&session->facts.login);
		session->again = cmd_auth_judge;
		return;
	}
	if (status == PTN_OK) {
		cmd_auth_wipe(session);
		session_begin_stage(session, &session_authenticated_row);
		return;
	}
	g_clear_pointer(&session->facts.login, g_free);
	if (status == PTN_NONE)
		cmd_auth_fail(session, 535, "5.7.8", "Error: authentication failed: wrong login or password");
	else
		cmd_auth_fail(session, 454, "4.7.0", "Temporary authentication failure: the directory cannot be reached");
}

static void
cmd_auth_succeed(Session *session)
{
	char client[IP_TEXT_SIZE];

	session->auth_failures = 0;
	session->facts.account_budget = account_budget_take(session->engine->accounts, session->facts.login);
	metrics_add(session->engine->metrics, "auth.succeeded", 1);
	if (session->explanation == NULL)
		log_event(LOG_LEVEL_INFO, "authenticated", "session", session->facts.id, "client",
			ip_format(&session->facts.client, client), "login", session->facts.login, "tls",
			session->facts.tls_version, NULL);
	session_reply(session, 235, "2.7.0", "Authentication successful");
	session_observe(
		session, (Observation){
					 .stage = PTN_REPLY, .code = 235, .enhanced = "2.7.0", .text = "Authentication successful" });
}

static void
cmd_authenticated_refused(Session *session)
{
	g_clear_pointer(&session->facts.login, g_free);
	g_clear_pointer(&session->facts.account, directory_entry_free);
	g_clear_pointer(&session->facts.customer, directory_entry_free);
	cmd_auth_refused(session);
}

const CommandRow session_auth_row = { "", STATE_ANY, PTN_AUTH, NULL, cmd_auth_judge, cmd_auth_refused };
const CommandRow session_authenticated_row = { "", STATE_ANY, PTN_AUTHENTICATED, NULL, cmd_auth_succeed,
	cmd_authenticated_refused };

/* ---- gathering them ---- */

static void
cmd_auth_set(Session *session, const char *login, const char *password)
{
	if (!escape_is_plain(login) || login[0] == '\0' || strlen(login) > 320) {
		cmd_auth_fail(session, 535, "5.7.8", "Error: authentication failed: wrong login or password");
		return;
	}
	g_free(session->sasl_login);
	session->sasl_login = strchr(login, '@') != NULL ? idn_address_to_ascii(login) : g_strdup(login);
	session->sasl_password = g_strdup(password);
	session->input = INPUT_COMMANDS;
	session_begin_stage(session, &session_auth_row);
}

/* A login is the same in any letter case. */
static bool
cmd_auth_is_self(const Session *session, const char *authzid, const char *login)
{
	if (authzid[0] == '\0' || strcmp(authzid, login) == 0)
		return true;
	return !session->listener->is_strict && g_ascii_strcasecmp(authzid, login) == 0;
}

/* message = [authzid] NUL authcid NUL passwd (RFC 4616 2) */
static void
cmd_auth_take_plain(Session *session, const char *octets, size_t size)
{
	const char *login = memchr(octets, '\0', size);
	const char *password = login != NULL ? memchr(login + 1, '\0', size - (size_t)(login + 1 - octets)) : NULL;

	if (password == NULL || memchr(password + 1, '\0', size - (size_t)(password + 1 - octets)) != NULL)
		cmd_auth_fail(session, 535, "5.7.8", "Error: authentication failed: Invalid SASL PLAIN message");
	else if (!cmd_auth_is_self(session, octets, login + 1))
		cmd_auth_fail(
			session, 535, "5.7.8", "Error: authentication failed: acting for another login is not allowed");
	else
		cmd_auth_set(session, login + 1, password + 1);
}

/* Takes blanks behind it and a missing "=" where the listener tolerates that; new, with all its padding.  NULL: it is no base64. */
static char *
cmd_auth_base64(const Session *session, const char *text)
{
	const size_t digits = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
	const size_t padding = strspn(text + digits, "="), needed = (4 - digits % 4) % 4;
	const size_t blanks = session->listener->is_strict ? 0 : strspn(text + digits + padding, " \t");

	if (text[digits + padding + blanks] != '\0' || needed > 2 || padding > needed ||
		(padding < needed && session->listener->is_strict))
		return NULL;
	return g_strdup_printf("%.*s%.*s", (int)digits, text, (int)needed, "==");
}

static void
cmd_auth_decode(Session *session, char *line, size_t size)
{
	const SaslStep step = session->sasl;
	char *base64;
	g_autofree char *octets = NULL; /* g_base64_decode() ends with no NUL of its own */
	gsize length = 0;

	if (strcmp(line, "*") == 0) {
		cmd_auth_wipe(session);
		session_reject(session, PTN_CREDENTIALS, 501, "5.7.0", "Authentication aborted");
		return;
	}
	base64 = strlen(line) == size ? cmd_auth_base64(session, line) : NULL;
	if (base64 == NULL) {
		cmd_auth_fail(session, 535, "5.7.8", "Error: authentication failed: Invalid base64 data");
		return;
	}
	octets = g_malloc0(size + 1);
	if (size > 0) {
		g_autofree guchar *decoded = g_base64_decode(base64, &length);

		memcpy(octets, decoded, length);
		explicit_bzero(decoded, length);
	}
	wipe_free_text(base64);
	if (step == SASL_PLAIN) {
		cmd_auth_take_plain(session, octets, length);
	} else if (strlen(octets) != length) {
		cmd_auth_fail(session, 535, "5.7.8", "Error: authentication failed: wrong login or password");
	} else if (step == SASL_LOGIN_NAME) {
		g_free(session->sasl_login);
		session->sasl_login = g_strdup(octets);
		session->sasl = SASL_LOGIN_PASSWORD;
		session_reply(session, 334, NULL, "UGFzc3dvcmQ6");
	} else {
		g_autofree char *login = g_steal_pointer(&session->sasl_login);

		cmd_auth_set(session, login, octets);
	}
	explicit_bzero(octets, size);
}

void
cmd_auth_take_response(Session *session, char *line, size_t size)
{
	cmd_auth_decode(session, line, size);
	explicit_bzero(line, size);
}

bool
cmd_auth_check(Session *session, const Command *command)
{
	if (session_is_blocked(session))
		return false;
	if (session->facts.login != NULL)
		session_reject(session, PTN_PROTOCOL, 503, "5.5.1", "Error: already authenticated");
	else if (!session->facts.is_esmtp && (session->listener->is_strict || !session->has_said_ehlo))
		session_reject(session, PTN_PROTOCOL, 503, "5.5.1", "Error: send EHLO first");
	else if (!session->listener->takes_auth || !chain_has(session->snapshot->chain, PTN_AUTH))
		session_reject(session, PTN_PROTOCOL, 503, "5.5.1", "Error: authentication not enabled");
	else if (!session->is_secured && !session->listener->takes_auth_in_clear)
		session_reject(
			session, PTN_CREDENTIALS, 538, "5.7.11", "Encryption required for this authentication mechanism");
	else if (command->argument[0] == '\0')
		session_reject(session, PTN_PROTOCOL, 501, "5.5.4", "Syntax: AUTH mechanism");
	else {
		wipe_free_text(session->sasl_login);
		session->sasl_login = g_strdup(command->argument); /* until cmd_auth_proceed() */
		return true;
	}
	return false;
}

/* AUTH mechanism [initial-response]; "=" is an empty one. */
void
cmd_auth_proceed(Session *session)
{
	g_autofree char *argument = g_steal_pointer(&session->sasl_login);
	const size_t word = strcspn(argument, " ");
	char *response = argument[word] == ' ' ? g_strchug(argument + word) : NULL;
	const bool is_plain = g_ascii_strncasecmp(argument, "PLAIN", MAX(word, 5)) == 0;

	if (!is_plain && g_ascii_strncasecmp(argument, "LOGIN", MAX(word, 5)) != 0) {
		explicit_bzero(argument, strlen(argument)); /* it may have had credentials behind it all the same */
		session_reject(session, PTN_PROTOCOL, 504, "5.5.4", "Error: authentication mechanism is not supported");
		return;
	}
	session->sasl = is_plain ? SASL_PLAIN : SASL_LOGIN_NAME;
	session->input = INPUT_SASL;
	if (response != NULL)
		cmd_auth_take_response(session, strcmp(response, "=") == 0 ? response + 1 : response,
			strcmp(response, "=") == 0 ? 0 : strlen(response));
	else
		session_reply(session, 334, NULL, "%s", is_plain ? "" : "VXNlcm5hbWU6");
}
