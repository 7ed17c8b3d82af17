/* cmd-rcpt.c - RCPT: for whom it is; relay is refused unless a hook permits it (RFC 5321 4.1.1.3). */
#include <string.h>

#include "engine/domain.h"
#include "engine/forward.h"
#include "engine/session-private.h"
#include "proto/srs.h"

static bool
cmd_rcpt_path(Session *session, PathResult result, const Path *path)
{
	if (result == PATH_OK && path->address[0] != '\0' && path->n_parameters <= PARAMETERS_MAX)
		return true;
	if (result == PATH_SYNTAX || (result == PATH_OK && path->n_parameters > PARAMETERS_MAX))
		session_reject(session, PTN_PROTOCOL, 501, "5.5.4", "Syntax: RCPT TO:<address>");
	else if (result == PATH_NEEDS_UTF8)
		session_reject(
			session, PTN_PROTOCOL, 553, "5.6.7", "Must declare SMTPUTF8 to send to a non-ASCII address");
	else if (result == PATH_NOT_QUALIFIED)
		session_reject(session, PTN_POLICY, 504, "5.5.2",
			"<%s>: Recipient address rejected: need fully-qualified address", path->address);
	else
		session_reject(session, PTN_PROTOCOL, 501, "5.1.3", "Bad recipient address syntax");
	return false;
}

/* notify-esmtp-value = "NEVER" / 1#notify-list-element (RFC 3461 4.1) */
static bool
cmd_rcpt_notify(const char *value, unsigned *notify)
{
	static const struct {
		const char *word;
		unsigned bit;
	} words[] = { { "NEVER", NOTIFY_NEVER }, { "SUCCESS", NOTIFY_SUCCESS }, { "FAILURE", NOTIFY_FAILURE },
		{ "DELAY", NOTIFY_DELAY } };
	g_auto(GStrv) parts = value != NULL ? g_strsplit(value, ",", 5) : NULL;
	unsigned bits = 0;

	for (guint i = 0; parts != NULL && parts[i] != NULL; i++) {
		unsigned bit = 0;

		for (size_t k = 0; k < G_N_ELEMENTS(words); k++)
			if (g_ascii_strcasecmp(parts[i], words[k].word) == 0)
				bit = words[k].bit;
		if (bit == 0)
			return false;
		bits |= bit;
	}
	if (bits == 0 || ((bits & NOTIFY_NEVER) && bits != NOTIFY_NEVER))
		return false;
	*notify = bits;
	return true;
}

static bool
cmd_rcpt_parameters(Session *session, const Path *path, Recipient *recipient)
{
	const bool is_utf8 = session->transaction->envelope->is_smtputf8;

	for (size_t i = 0; i < path->n_parameters; i++) {
		const Parameter *parameter = &path->parameters[i];

		if (strcmp(parameter->name, "NOTIFY") == 0) {
			if (recipient->notify != 0 || !cmd_rcpt_notify(parameter->value, &recipient->notify)) {
				session_reject(session, PTN_PROTOCOL, 501, "5.5.4", "Bad NOTIFY parameter syntax");
				return false;
			}
		} else if (strcmp(parameter->name, "ORCPT") == 0) {
			if (parameter->value == NULL || !orcpt_is_valid(parameter->value, is_utf8)) {
				session_reject(session, PTN_PROTOCOL, 501, "5.5.4", "Bad ORCPT parameter syntax");
				return false;
			}
			recipient->original = g_strdup(parameter->value);
		} else {
			session_reject(session, PTN_PROTOCOL, 555, "5.5.4", "Unsupported option: %s", parameter->name);
			return false;
		}
	}
	return true;
}

static void
cmd_rcpt_clear(Recipient *recipient)
{
	g_clear_pointer(&recipient->address, g_free);
	g_clear_pointer(&recipient->original, g_free);
}

/* ---- whose the recipient is ---- */

static bool
cmd_rcpt_no(Session *session, int code, const char *enhanced, const char *address, const char *why)
{
	session_reject(session, code == 451 ? PTN_LOCAL : PTN_POLICY, code, enhanced,
		"<%s>: Recipient address rejected: %s", address, why);
	return false;
}

/* Bounces of mail that we forwarded go back to its sender; `*address` becomes that.  Other mail has no business there. */
static bool
cmd_rcpt_forwarded(Session *session, char **address)
{
	g_autofree char *origin = NULL;

	switch (forward_origin(session->engine, session->snapshot->settings->forward_days, *address, &origin)) {
	case FORWARD_NOT:
		return true;
	case FORWARD_UNSURE:
		return !session_goes_to_worker(session) &&
			   cmd_rcpt_no(session, 451, "4.3.0", *address, "the directory cannot be reached, try again later");
	case FORWARD_FORGED:
		return cmd_rcpt_no(session, 550, "5.1.1", *address, "User unknown");
	case FORWARD_EXPIRED:
		return cmd_rcpt_no(session, 550, "5.1.1", *address, "this address of a forwarded message has expired");
	case FORWARD_BACK:
		break;
	}
	if (session->transaction->envelope->sender[0] != '\0')
		return cmd_rcpt_no(session, 550, "5.7.1", *address, "it takes reports of failed delivery only");
	g_free(*address);
	*address = g_steal_pointer(&origin);
	session->transaction->is_permitted = true;
	return true;
}

/* A domain of the directory: its mail is taken on inbound listeners; from accounts, what it will not take is not accepted either. */
static bool
cmd_rcpt_domain(Session *session, char **address)
{
	switch (domain_judge(session->engine, session->snapshot->settings->held_per_domain, *address)) {
	case DOMAIN_FOREIGN:
		return true;
	case DOMAIN_UNSURE:
		if (session_goes_to_worker(session))
			return false;
		return !session->listener->is_inbound ||
			   cmd_rcpt_no(session, 451, "4.3.0", *address, "the directory cannot be reached, try again later");
	case DOMAIN_IS_FULL:
		return cmd_rcpt_no(session, 452, "4.2.2", *address, "too much mail is held for this domain");
	case DOMAIN_NO_USER:
		if (srs_is(*address))
			break;
		return cmd_rcpt_no(session, 550, "5.1.1", *address, "User unknown");
	case DOMAIN_TAKES:
		break;
	}
	session->transaction->is_permitted = session->listener->is_inbound;
	return cmd_rcpt_forwarded(session, address);
}

/* Our postmaster's mail is taken on inbound listeners; its local part, too, is compared without regard to case.  Who has not
 * authenticated where that is needed is not told what we know. */
static bool
cmd_rcpt_whose(Session *session, char **address)
{
	const char *postmaster = session->snapshot->settings->postmaster;
	const bool is_inbound = session->listener->is_inbound;

	session->transaction->is_permitted = false;
	if (session->facts.login == NULL && !is_inbound)
		return true;
	if (postmaster != NULL && g_ascii_strcasecmp(*address, "postmaster") == 0) {
		g_free(*address);
		*address = g_strdup(postmaster);
	}
	if (postmaster != NULL && g_ascii_strcasecmp(*address, postmaster) == 0) {
		session->transaction->is_permitted = is_inbound;
		return true;
	}
	return cmd_rcpt_domain(session, address);
}

void
cmd_rcpt_refused(Session *session)
{
	GPtrArray *recipients = session->transaction->envelope->recipients;

	g_ptr_array_set_size(recipients, (int)session->accepted); /* a hook may have made several of it */
	session->pending = NULL;
}

bool
cmd_rcpt_check(Session *session, const Command *command)
{
	g_autoptr(Region) region = region_new();
	GPtrArray *recipients = session->transaction->envelope->recipients;
	g_autofree char *address = NULL;
	Recipient recipient = { 0 };
	Path path;

	session->failed_recipient = true;
	if (!cmd_rcpt_path(session,
			path_parse(region, command->argument, "TO:",
				session_path_flags(session, session->transaction->envelope->is_smtputf8), &path),
			&path))
		return false;
	if (recipients->len >= session->snapshot->settings->max_recipients) {
		session_reject(session, PTN_RATE, 452, "4.5.3", "Error: too many recipients");
		return false;
	}
	address = g_strdup(path.address);
	if (cmd_rcpt_parameters(session, &path, &recipient) && cmd_rcpt_whose(session, &address)) {
		session->accepted = recipients->len;
		envelope_add_recipient(session->transaction->envelope, address, recipient.original, recipient.notify);
		session->pending = g_ptr_array_index(recipients, recipients->len - 1);
	}
	cmd_rcpt_clear(&recipient);
	if (session->pending != NULL && session_tell_kept(session))
		cmd_rcpt_refused(session);
	return session->pending != NULL;
}

void
cmd_rcpt_proceed(Session *session)
{
	if (!session->transaction->is_permitted) {
		session_event(session, "relay-attempt");
		session_reject(session, PTN_POLICY, 554, "5.7.1", "<%s>: Relay access denied", session->pending->address);
		cmd_rcpt_refused(session);
		return;
	}
	session->pending = NULL;
	session->failed_recipient = false;
	session->state = STATE_RCPT;
	session_reply(session, 250, "2.1.5", "Ok");
}
