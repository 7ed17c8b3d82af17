/* dnsbl - clients that DNS lists know: refused, deferred, tagged, or only told of.
 *
 * The lists are asked when the client connects and awaited at MAIL, so that neither greeting nor EHLO nor AUTH waits
 * for them.  A list that does not answer is the administrator's `on-error`, which lets mail pass by default. */
#include "plugin-api.h"

#include <glib.h>
#include <string.h>

#include "list.h"

typedef struct {
	GPtrArray *lists;  /* of List* */
	GPtrArray *health; /* of ListHealth*, theirs */
	bool defers;       /* on-error = defer: nobody passes unseen */
} Dnsbl;

/* What one list says of the client. */
typedef struct {
	PtnLookup *lookup;
	Meaning meaning;
	const char *code;
	bool is_of_message; /* the lookup was started at MAIL, and ends with the message */
} Finding;

typedef struct {
	Finding *findings; /* one per list; NULL: the client is not looked up */
} Session;

/* ---- the instance ---- */

static PtnVerdict
start(PtnHook *h)
{
	Dnsbl *dnsbl = ptn_instance(h);

	dnsbl->lists = list_read_all(h);
	dnsbl->health = g_ptr_array_new();
	for (guint i = 0; i < dnsbl->lists->len; i++)
		g_ptr_array_add(dnsbl->health, &((List *)g_ptr_array_index(dnsbl->lists, i))->health);
	dnsbl->defers = ptn_option_number(h, "on-error") == 0;
	return PTN_NEXT;
}

static PtnVerdict
stop(PtnHook *h)
{
	Dnsbl *dnsbl = ptn_instance(h);

	for (guint i = 0; i < dnsbl->health->len; i++)
		health_end(h, g_ptr_array_index(dnsbl->health, i));
	g_ptr_array_unref(dnsbl->health);
	g_ptr_array_unref(dnsbl->lists);
	return PTN_NEXT;
}

static PtnVerdict
test_lists(PtnHook *h)
{
	const Dnsbl *dnsbl = ptn_instance(h);

	health_test_all(h, dnsbl->health);
	return PTN_NEXT;
}

/* ---- asking ---- */

static bool
is_exempt(PtnHook *h)
{
	for (const char *const *network = ptn_option_list(h, "exempt"); *network != NULL; network++)
		if (ptn_is_within(ptn_client(h), *network))
			return true;
	return !ptn_is_public(ptn_client(h));
}

static bool
concerns(PtnHook *h, const List *list)
{
	return list->takes_ipv6 || strchr(ptn_client(h), ':') == NULL;
}

static PtnVerdict
ask_all(PtnHook *h)
{
	const Dnsbl *dnsbl = ptn_instance(h);
	Session *session = ptn_session(h);

	if (dnsbl->lists->len == 0 || is_exempt(h))
		return PTN_NEXT;
	session->findings = ptn_keep(h, PTN_FOR_SESSION, NULL, dnsbl->lists->len * sizeof(Finding));
	for (guint i = 0; i < dnsbl->lists->len; i++) {
		List *list = g_ptr_array_index(dnsbl->lists, i);

		if (concerns(h, list) && health_may_ask(&list->health))
			session->findings[i].lookup = ptn_dns_start(h, list_name(h, list, ptn_client(h)), PTN_A);
	}
	return PTN_NEXT;
}

/* ---- hearing ---- */

/* An answer that fails because the client went, or because this run may not wait, says nothing of the list. */
static bool
is_fault_of_list(PtnHook *h)
{
	return ptn_time_left(h) == 0 || ptn_sleep(h, 0);
}

static void
tell(PtnHook *h, const List *list, const Finding *finding)
{
	if (finding->meaning == MEANS_OTHER)
		ptn_log(h, PTN_DEBUG, "%s: list %s (%s) answers %s, which does not count", ptn_client(h), list->name,
			list->shown, finding->code);
	if (finding->meaning != MEANS_LISTED)
		return;
	ptn_count(h, "listed", 1);
	ptn_count(h, ptn_format(h, "listed.%s", list->name), 1);
	ptn_log(h, PTN_INFO, "%s is listed by %s (%s, %s)", ptn_client(h), list->name, list->shown, finding->code);
}

/* Nothing is noted before all is known: a run that would have had to wait is repeated from its start. */
static void
hear(PtnHook *h, List *list, Finding *finding)
{
	const PtnAnswer *answer = ptn_dns_wait(h, finding->lookup);
	const char *code;
	Meaning meaning = list_meaning(list, answer, &code);

	if (meaning == MEANS_LISTED)
		meaning = health_control(h, &list->health);
	if (meaning == MEANS_UNKNOWN && !is_fault_of_list(h))
		return;
	if (ptn_fact(h, "rehearsal") == NULL) /* its log lines and alarms would go nowhere */
		health_note(h, &list->health, meaning, code);
	finding->meaning = meaning;
	finding->lookup = NULL; /* to be asked anew if nothing came */
	if (code != NULL)
		finding->code = ptn_keep(h, PTN_FOR_SESSION, code, strlen(code) + 1);
	tell(h, list, finding);
}

/* True: the list is to be asked now, and our own limits do not let us. */
static bool
ask_again(PtnHook *h, List *list, Finding *finding)
{
	if (finding->is_of_message) /* of one that is over: so is the lookup */
		finding->lookup = NULL;
	if (finding->meaning != MEANS_UNKNOWN || finding->lookup != NULL || !concerns(h, list) ||
		!health_may_ask(&list->health))
		return false;
	finding->lookup = ptn_dns_start(h, list_name(h, list, ptn_client(h)), PTN_A);
	finding->is_of_message = true;
	return finding->lookup == NULL;
}

/* Why a list could not say anything; NULL: all that matter did. */
static const char *
hear_all(PtnHook *h, const Dnsbl *dnsbl, Finding *findings)
{
	const char *why = NULL;

	for (guint i = 0; i < dnsbl->lists->len; i++) {
		List *list = g_ptr_array_index(dnsbl->lists, i);

		if (ask_again(h, list, &findings[i]))
			why = ptn_format(h, "list %s could not be asked: a limit of lookups is reached", list->shown);
	}
	for (guint i = 0; i < dnsbl->lists->len; i++) {
		List *list = g_ptr_array_index(dnsbl->lists, i);
		const bool is_asked = findings[i].meaning == MEANS_UNKNOWN && findings[i].lookup != NULL;

		if (is_asked)
			hear(h, list, &findings[i]);
		if (findings[i].meaning == MEANS_UNKNOWN && concerns(h, list) && why == NULL &&
			((is_asked && findings[i].lookup == NULL) || dnsbl->defers))
			why = ptn_format(h, "list %s does not answer", list->shown);
	}
	return why;
}

/* ---- the verdict ---- */

/* The one that decides: the first of the severest action, where the weights suffice. */
static const List *
find_decisive(PtnHook *h, const Dnsbl *dnsbl, const Finding *findings)
{
	const List *decisive = NULL;
	gint64 weight = 0;

	for (guint i = 0; i < dnsbl->lists->len; i++) {
		const List *list = g_ptr_array_index(dnsbl->lists, i);

		if (findings[i].meaning != MEANS_LISTED || list->action > ACTION_DEFER)
			continue;
		weight += list->weight;
		if (decisive == NULL || list->action < decisive->action)
			decisive = list;
	}
	return weight >= ptn_option_number(h, "threshold") ? decisive : NULL;
}

static PtnVerdict
judge(PtnHook *h)
{
	const Dnsbl *dnsbl = ptn_instance(h);
	const Session *session = ptn_session(h);
	const List *list;
	const char *why;

	if (session->findings == NULL)
		return PTN_NEXT;
	why = hear_all(h, dnsbl, session->findings);
	list = find_decisive(h, dnsbl, session->findings);
	if (list != NULL)
		ptn_blame(h, list->name);
	if (list != NULL)
		return ptn_refuse(h, PTN_POLICY, list->action == ACTION_REJECT ? 554 : 450,
			list->action == ACTION_REJECT ? "5.7.1" : "4.7.1",
			"Service unavailable; Client host [%s] blocked using %s%s", ptn_client(h), list->shown,
			list_reason(h, list, ptn_client(h)));
	return why != NULL ? ptn_fail(h, "%s", why) : PTN_NEXT;
}

/* ---- tags ---- */

/* What stood there before is not ours, so a client cannot make it up. */
static PtnVerdict
tag(PtnHook *h)
{
	const Dnsbl *dnsbl = ptn_instance(h);
	const Session *session = ptn_session(h);
	const char *name = ptn_format(h, "%s-DNSBL", ptn_fact(h, "header-prefix"));
	bool is_first = true;

	for (guint i = 0; i < dnsbl->lists->len; i++) {
		const List *list = g_ptr_array_index(dnsbl->lists, i);

		if (list->action != ACTION_TAG)
			continue;
		if (is_first)
			ptn_remove_headers(h, name);
		is_first = false;
		if (session->findings != NULL && session->findings[i].meaning == MEANS_LISTED)
			ptn_add_header(
				h, name, "[%s] listed by %s (%s)", ptn_client(h), list->shown, session->findings[i].code);
	}
	return PTN_NEXT;
}

/* ---- for people ---- */

static const char *const actions[] = { "reject", "defer", "tag", "warn", NULL };

static PtnVerdict
show_lists(PtnHook *h)
{
	const Dnsbl *dnsbl = ptn_instance(h);

	for (guint i = 0; i < dnsbl->lists->len; i++) {
		List *list = g_ptr_array_index(dnsbl->lists, i);

		ptn_row(h, "list", list->name, "zone", list->shown, "action", actions[list->action], "state",
			health_describe(h, &list->health), NULL);
	}
	return PTN_NEXT;
}

static PtnVerdict
tell_doctor(PtnHook *h)
{
	const Dnsbl *dnsbl = ptn_instance(h);

	for (guint i = 0; i < dnsbl->health->len; i++)
		health_tell_doctor(h, "dnsbl", g_ptr_array_index(dnsbl->health, i));
	return PTN_NEXT;
}

static PtnVerdict
look_up(PtnHook *h)
{
	static const char *const words[] = { "no answer", "not listed", "another code", "LISTED", "error" };
	const Dnsbl *dnsbl = ptn_instance(h);
	const char *ip = ptn_arguments(h)[0];

	if (ip == NULL || ptn_reversed(h, ip) == NULL)
		return ptn_fail(h, "which IP address?  dnsbl check ADDRESS");
	for (guint i = 0; i < dnsbl->lists->len; i++) {
		const List *list = g_ptr_array_index(dnsbl->lists, i);
		const char *code;
		const Meaning meaning = list_meaning(list, ptn_dns(h, list_name(h, list, ip), PTN_A), &code);

		ptn_row(h, "list", list->name, "zone", list->shown, "answer", code != NULL ? code : "", "meaning",
			words[meaning], NULL);
	}
	return PTN_NEXT;
}

/* ---- values of the configuration ---- */

static const char *
keep(PtnHook *h, char *text /* takes */)
{
	g_autofree char *mine = text;

	return mine != NULL ? ptn_format(h, "%s", mine) : NULL;
}

static const char *
check(PtnHook *h, const char *option, const char *value)
{
	if (strcmp(option, "zone") == 0)
		return keep(h, list_zone_complaint(value));
	if (strcmp(option, "key") == 0)
		return keep(h, list_key_complaint(value));
	if (strcmp(option, "codes") == 0) {
		g_auto(GStrv) words = g_strsplit(value, " ", -1);

		return keep(h, list_codes_complaint((const char *const *)words));
	}
	return NULL;
}

static const PtnOption options[] = {
	{ "threshold", PTN_NUMBER, PTN_IN_SERVER, "1", "sum of weights from which reject and defer are done", 1,
		1000000 },
	{ "exempt", PTN_NETWORK | PTN_LIST, PTN_IN_SERVER, NULL, "clients that are not looked up" },
	{ "patience", PTN_NUMBER, PTN_IN_SERVER, "5", "failures in a row after which a list is left out", 1, 100000 },
	{ "pause", PTN_TIME, PTN_IN_SERVER, "60s", "how long a list is left out at first; doubled while it fails",
		PTN_SECOND, 24 * 3600 * PTN_SECOND },
	{ "pause-most", PTN_TIME, PTN_IN_SERVER, "30m", "how long a list is left out at most", PTN_SECOND,
		24 * 3600 * PTN_SECOND },
	{ "test-every", PTN_TIME, PTN_IN_SERVER, "1h", "how often the test entries of the lists are asked for",
		60 * PTN_SECOND, 24 * 3600 * PTN_SECOND },
	{ "zone", PTN_TEXT, PTN_IN_ITEM, NULL, "domain of the list", .is_required = true },
	{ "key", PTN_SECRET, PTN_IN_ITEM, NULL, "subscriber's key, which stands before the zone in queries" },
	{ "codes", PTN_TEXT | PTN_LIST, PTN_IN_ITEM, "127.0.0.2-127.0.0.255", "answers that mean listed", 1, 100 },
	{ "weight", PTN_NUMBER, PTN_IN_ITEM, "1", "what a listing adds towards threshold", 1, 1000000 },
	{ "action", PTN_CHOICE, PTN_IN_ITEM, "reject", "what is done with mail of a listed client",
		.choices = actions },
	{ "text", PTN_TEXT, PTN_IN_ITEM, NULL, "reason in the reply, in place of the list's own" },
	{ "ipv6", PTN_BOOL, PTN_IN_ITEM, "yes", "the list is asked for IPv6 clients, too" },
	{ 0 },
};

static const PtnHookRow hooks[] = {
	{ PTN_CONNECT, ask_all, PTN_INLINE },
	{ PTN_MAIL, judge, PTN_INLINE },
	{ PTN_MESSAGE, tag, PTN_INLINE },
	{ PTN_TICK, test_lists, 0 },
	{ 0 },
};

static const PtnCommand commands[] = {
	{ "doctor", NULL, "the lists, for posternctl doctor", tell_doctor, .reads_only = true },
	{ "lists", NULL, "the lists, and how they do", show_lists, .reads_only = true },
	{ "check", "ADDRESS", "what the lists say of an address now", look_up, .reads_only = true },
	{ 0 },
};

PTN_PLUGIN(dnsbl) = {
	PTN_HEAD("dnsbl"),
	.version = "1",
	.summary = "clients that DNS lists know",
	.options = options,
	.hooks = hooks,
	.commands = commands,
	.doctor = tell_doctor,
	.instance_size = sizeof(Dnsbl),
	.session_size = sizeof(Session),
	.tick = 5 * PTN_SECOND,
	.passes_on_error = true,
	.start = start,
	.stop = stop,
	.check = check,
	.has_on = true,
};
