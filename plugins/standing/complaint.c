/* complaint.c - complaints: the mailbox that feedback loops report to, and what the operator adds by hand. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "plugins/standing/claim.h"
#include "plugins/standing/feedback.h"
#include "plugins/standing/standing.h"
#include "plugins/standing/tag.h"

enum { CLAIMS = 3, LIST_MOST = 20, LIST_OCTETS_MOST = 4000, CONTENT_MOST = 10 << 20 };

#define CLAIM_KEPT (30 * DAY)
#define LIST_KEPT (90 * DAY)

typedef struct {
	const char *login;
	const char *submit; /* "" where the operator named the account */
	const char *by;     /* who complained, or "operator" */
	const char *
		reporter; /* the network that the report came from; NULL: the operator, who counts as a new one each time */
	const char *type;
	bool is_named; /* `by` is the person */
} Complaint;

/* ---- counting ---- */

/* For the operator only: two nodes at once may lose a line, never a count. */
static void
remember_complaint(PtnHook *h, const Complaint *complaint)
{
	const char *key = ptn_format(h, "list/%s", complaint->login), *before = NULL;
	g_autoptr(GString) list = g_string_new(NULL);
	g_auto(GStrv) lines = NULL;

	g_string_append_printf(list, "%s|%s|%s|%s", action_time(h), complaint->submit, complaint->by, complaint->type);
	if (ptn_store_get(h, key, &before) == PTN_OK)
		lines = g_strsplit(before, "\n", LIST_MOST);
	for (size_t i = 0; lines != NULL && lines[i] != NULL && i < LIST_MOST - 1; i++)
		if (list->len + strlen(lines[i]) < LIST_OCTETS_MOST)
			g_string_append_printf(list, "\n%s", lines[i]);
	(void)ptn_store_set(h, key, list->str, LIST_KEPT);
}

static const char *
claim_key(PtnHook *h, const char *submit)
{
	return ptn_format(h, "complaint/%s", submit);
}

/* One key for each account and person: of any length, and not to be read. */
static const char *
person_key(PtnHook *h, const Complaint *complaint)
{
	g_autofree char *lower = g_ascii_strdown(complaint->by, -1);
	g_autofree char *pair = g_strdup_printf("%s\n%s", complaint->login, lower);
	g_autofree char *digest = g_compute_checksum_for_string(G_CHECKSUM_SHA256, pair, -1);

	return ptn_format(h, "person/%s", digest);
}

/* A message counts once, and so does a person.  TAKEN: it is known already.  `keys`: what was claimed, in order.
 * Reporters are counted with the account: counters_add_complaint(). */
static PtnStatus
claim_complaint(PtnHook *h, const Complaint *complaint, const char *keys[CLAIMS])
{
	PtnStatus status = PTN_OK;
	size_t n = 0;

	if (complaint->submit[0] != '\0') {
		keys[n] = claim_key(h, complaint->submit);
		status = claim_begin(h, keys[n], CLAIM_KEPT);
		n += status == PTN_OK;
	}
	if (status == PTN_OK && complaint->is_named) {
		keys[n] = person_key(h, complaint);
		status = claim_begin(h, keys[n], CLAIM_KEPT);
		n += status == PTN_OK;
	}
	keys[n] = NULL;
	return status;
}

/* When the message was accepted that it is about. */
static int64_t
complaint_time(PtnHook *h, const Complaint *complaint)
{
	int64_t time;

	return tag_time(complaint->submit, &time) ? time : ptn_now(h);
}

static PtnStatus
count_complaint(PtnHook *h, const Complaint *complaint)
{
	const Event event = { .login = complaint->login,
		.count = COUNT_COMPLAINTS,
		.at = complaint_time(h, complaint) };

	return counters_add_complaint(h, &event, complaint->reporter,
		ptn_format(h, "by %s about the message with Submit ID %s", complaint->by,
			complaint->submit[0] != '\0' ? complaint->submit : "unknown"));
}

/* TAKEN: it is known already; NONE: it is about mail that does not count any more. */
static PtnStatus
take_complaint(PtnHook *h, const Complaint *complaint)
{
	const char *keys[CLAIMS];
	PtnStatus status = claim_complaint(h, complaint, keys);

	if (status == PTN_TAKEN)
		return status;
	if (status == PTN_OK)
		status = count_complaint(h, complaint);
	for (size_t i = 0; keys[i] != NULL; i++) {
		if (status == PTN_UNSURE)
			(void)ptn_store_remove(h, keys[i]);
		else
			claim_end(h, keys[i], CLAIM_KEPT);
	}
	if (status == PTN_UNSURE)
		return status;
	ptn_log(h, PTN_INFO, "complaint about %s by %s, Submit ID %s, %s%s", complaint->login, complaint->by,
		complaint->submit[0] != '\0' ? complaint->submit : "unknown", complaint->type,
		status == PTN_NONE ? ": not counted, its message is of before the account was enabled or held, or too old"
						   : "");
	ptn_count(h, status == PTN_OK ? "complaints" : "late", 1);
	remember_complaint(h, complaint);
	return status;
}

/* ---- the mailbox of feedback loops ---- */

static bool
is_ours(PtnHook *h, const char *address)
{
	const char *own = ptn_option(h, "address");

	return own != NULL && address != NULL && strcasecmp(address, own) == 0;
}

PtnVerdict
complaint_at_rcpt(PtnHook *h)
{
	if (ptn_login(h) == NULL && ptn_fact(h, "listener.inbound") != NULL && is_ours(h, ptn_recipient(h, PTN_THIS)))
		ptn_permit(h);
	return PTN_NEXT;
}

/* Where the message counts, and all that is heard of it later. */
static void
note_place(PtnHook *h)
{
	const char *submit = ptn_fact(h, "submit-id");
	Place place;
	int64_t at;

	if (submit == NULL || !tag_time(submit, &at))
		return;
	place = place_at(h, ptn_account(h), ptn_customer(h), at);
	place_note(h, &place);
}

/* What comes is kept in memory, and sent on whole. */
PtnVerdict
complaint_at_message(PtnHook *h)
{
	const char *content_size = ptn_fact(h, "content-size");
	const int64_t size = content_size != NULL ? strtoll(content_size, NULL, 10) : 0;

	for (size_t i = 0; size > CONTENT_MOST && i < ptn_recipients(h); i++)
		if (is_ours(h, ptn_recipient(h, i)))
			return ptn_refuse(h, PTN_POLICY, 552, "5.3.4", "Error: too large for <%s>", ptn_recipient(h, i));
	for (size_t i = 0; ptn_login(h) == NULL && i < ptn_recipients(h); i++)
		if (is_ours(h, ptn_recipient(h, i)))
			ptn_note(h, "client", ptn_client(h)); /* who reports: in the queue there is no session any more */
	if (ptn_login(h) != NULL && ptn_option(h, "hold") != NULL)
		ptn_hold(h, ptn_option(h, "hold"), 0);
	if (ptn_login(h) != NULL)
		note_place(h);
	tag_sign(h);
	return PTN_NEXT;
}

PtnVerdict
complaint_route(PtnHook *h)
{
	return is_ours(h, ptn_recipient(h, PTN_THIS)) ? ptn_route(h, "plugin:standing") : PTN_NEXT;
}

/* True: we have sent it on before, and it comes back. */
static bool
was_kept(PtnHook *h, const char *content, size_t body)
{
	g_autofree char *head = g_strndup(content, body);
	g_autofree char *mark = g_ascii_strdown(tag_header(h, "Standing:"), -1);
	g_auto(GStrv) lines = g_strsplit(head, "\n", -1);

	for (size_t i = 0; lines[i] != NULL; i++)
		if (g_ascii_strncasecmp(lines[i], mark, strlen(mark)) == 0)
			return true;
	return false;
}

/* What cannot be counted goes to the postmaster as it is. */
static PtnVerdict
keep_for_human(PtnHook *h, const char *why)
{
	const char *postmaster = ptn_fact(h, "postmaster");
	size_t size, body;
	const char *content = ptn_content(h, &size, &body);
	g_autoptr(GString) whole = g_string_new(NULL);

	if (postmaster == NULL || is_ours(h, postmaster) || was_kept(h, content, body)) {
		ptn_alarm(h, "postmaster", "mail for the postmaster comes back to the address of feedback loops");
		return ptn_refuse(h, PTN_LOCAL, 451, "4.3.5", "mail for the postmaster comes back to this address");
	}
	ptn_alarm(h, "postmaster", NULL);
	g_string_append_printf(whole, "%s: %s\r\n", tag_header(h, "Standing"), why);
	g_string_append_len(whole, content, (gssize)size);
	for (gsize i = 0; i < whole->len; i++)
		if (whole->str[i] == '\0')
			whole->str[i] = ' ';
	if (!ptn_submit(h, "", postmaster, whole->str))
		return ptn_refuse(h, PTN_LOCAL, 451, "4.3.0", "the mail cannot be sent on now");
	ptn_log(h, PTN_INFO, "mail to the address of feedback loops is sent on to %s: %s", postmaster, why);
	ptn_count(h, "unmatched", 1);
	return PTN_DONE;
}

/* The network of a feedback loop that the report came from; NULL: it came from somebody else. */
static const char *
reporter_of(PtnHook *h)
{
	const char *client = ptn_noted(h, "client");

	for (const char *const *network = ptn_option_list(h, "reporters"); client != NULL && *network != NULL;
		 network++)
		if (ptn_is_within(client, *network))
			return *network;
	return NULL;
}

static PtnVerdict
deliver_complaint(PtnHook *h, const Feedback *feedback)
{
	Complaint complaint = { .submit = feedback->submit,
		.by = feedback->recipient[0] != '\0' ? feedback->recipient : "unknown",
		.is_named = feedback->recipient[0] != '\0',
		.reporter = reporter_of(h),
		.type = feedback->type[0] != '\0' ? feedback->type : "unknown" };
	PtnStatus status = PTN_TAKEN;

	if (!tag_is_good(h, feedback->submit, feedback->tag))
		return keep_for_human(h, "its tag is forged");
	if (complaint.reporter == NULL)
		return keep_for_human(h, "it comes from no feedback loop that is known (reporters)");
	if (!claim_is_known(h, claim_key(h, feedback->submit))) /* a report that comes again and again costs no walk */
		status = tag_find(h, feedback->submit, feedback->tag, &complaint.login);
	if (status == PTN_NONE)
		return keep_for_human(h, "its account is gone");
	if (status == PTN_OK)
		status = take_complaint(h, &complaint); /* NONE: it is too late to count */
	if (status == PTN_UNSURE)
		return ptn_refuse(h, PTN_LOCAL, 451, "4.3.0", "complaints cannot be counted now");
	if (status == PTN_TAKEN) {
		ptn_log(h, PTN_INFO, "the complaint about Submit ID %s was counted before", complaint.submit);
		ptn_count(h, "repeated", 1);
	}
	return PTN_DONE;
}

PtnVerdict
complaint_deliver(PtnHook *h)
{
	size_t size, body;
	const char *content = ptn_content(h, &size, &body);
	Feedback feedback;

	if (content == NULL)
		return ptn_refuse(h, PTN_LOCAL, 451, "4.3.0", "the report cannot be read now");
	feedback_read(ptn_fact(h, "header-prefix"), content, size, &feedback);
	if (!feedback.is_report)
		return keep_for_human(h, "it is no feedback report");
	ptn_count(h, "reports", 1);
	if (strcmp(feedback.type, "not-spam") == 0)
		return PTN_DONE;
	if (strcmp(feedback.type, "auth-failure") == 0)
		return keep_for_human(h, "it reports of authentication");
	if (feedback.submit[0] == '\0' || feedback.tag[0] == '\0')
		return keep_for_human(h, "it is about no message of this service");
	return deliver_complaint(h, &feedback);
}

/* ---- posternctl complaint ---- */

static PtnVerdict
fail_to_find(PtnHook *h, PtnStatus status, const char *what)
{
	return status == PTN_NONE ? ptn_fail(h, "%s", what) : ptn_fail(h, "the directory cannot be reached");
}

PtnVerdict
complaint_command_add(PtnHook *h)
{
	const char *const *arguments = ptn_arguments(h);
	Complaint complaint = { .submit = "", .by = "operator", .type = "by hand" };
	PtnStatus status;
	PtnEntry *entry;

	if (arguments[0] == NULL)
		return ptn_fail(h, "about whom?  Give a LOGIN, or SUBMIT-ID and TAG of the message");
	if (arguments[1] != NULL) {
		complaint.submit = arguments[0];
		status = tag_find(h, arguments[0], arguments[1], &complaint.login);
		if (status != PTN_OK)
			return fail_to_find(h, status, "no account sent a message with this Submit ID and tag");
	} else {
		status = ptn_find(h, PTN_ACCOUNT, arguments[0], &entry);
		if (status != PTN_OK)
			return fail_to_find(h, status, ptn_format(h, "there is no account %s", arguments[0]));
		complaint.login = ptn_get(entry, "name");
	}
	switch (take_complaint(h, &complaint)) {
	case PTN_OK:
		ptn_row(h, "login", complaint.login, "result", "counted", NULL);
		return PTN_NEXT;
	case PTN_TAKEN:
		ptn_row(h, "login", complaint.login, "result", "counted before", NULL);
		return PTN_NEXT;
	case PTN_NONE:
		ptn_row(h, "login", complaint.login, "result",
			"not counted: the account was enabled or held since, or it is too old", NULL);
		return PTN_NEXT;
	default:
		return ptn_fail(h, "it cannot be counted now");
	}
}

PtnVerdict
complaint_command_list(PtnHook *h)
{
	const char *login = ptn_arguments(h)[0], *list = NULL;
	g_auto(GStrv) lines = NULL;
	PtnStatus status;
	PtnEntry *entry;

	if (login == NULL)
		return ptn_fail(h, "of which account?");
	status = ptn_find(h, PTN_ACCOUNT, login, &entry);
	if (status == PTN_UNSURE)
		return ptn_fail(h, "the directory cannot be reached");
	if (status == PTN_OK)
		login = ptn_get(entry, "name");
	status = ptn_store_get(h, ptn_format(h, "list/%s", login), &list);
	if (status != PTN_OK)
		return status == PTN_NONE ? PTN_NEXT : ptn_fail(h, "the store cannot be reached");
	lines = g_strsplit(list, "\n", -1);
	for (size_t i = 0; lines[i] != NULL; i++) {
		g_auto(GStrv) cells = g_strsplit(lines[i], "|", 4);

		if (g_strv_length(cells) == 4)
			ptn_row(h, "time:time", ptn_format(h, "%s:00Z", cells[0]), "submit-id", cells[1], "by",
				cells[2], "type", cells[3], NULL);
	}
	return PTN_NEXT;
}
