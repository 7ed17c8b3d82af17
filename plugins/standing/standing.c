/* standing - how an account stands: who fails too often, sends to nobody, or is complained about may not send any more.
 *
 * Observers count, on a worker, and delay nobody.  What was accepted is stored some seconds later: alone what counts against an
 * account costs the store a step of its own, and only then is anything judged. */
#include "plugins/standing/standing.h"

#include <string.h>

enum { TOLD_MOST = 20000 };

/* ---- what is counted ---- */

static PtnVerdict
count_accepted(PtnHook *h)
{
	Place place;

	if (ptn_login(h) != NULL && place_noted(h, &place))
		counters_remember(h, ptn_login(h), &place, (int64_t)ptn_recipients(h));
	return PTN_NEXT;
}

/* A verdict about the sender may be told at each recipient; it is one. */
static bool
is_told_again(PtnHook *h, const char *text)
{
	Standing *own = ptn_instance(h);
	const char *id = ptn_fact(h, "queue-id");
	bool is_new;

	if (id == NULL)
		return false;
	g_mutex_lock(&own->lock);
	if (g_hash_table_size(own->told) >= TOLD_MOST)
		g_hash_table_remove_all(own->told);
	is_new = g_hash_table_add(own->told, g_strdup_printf("%s %s", id, text != NULL ? text : ""));
	g_mutex_unlock(&own->lock);
	return !is_new;
}

static PtnVerdict
count_refusal(PtnHook *h)
{
	const char *by = ptn_fact(h, "refused-by"), *text;
	bool is_ours, is_unverified;
	PtnCause cause;
	int code;

	if (ptn_login(h) == NULL)
		return PTN_NEXT;
	text = ptn_reply(h, &code, &cause, &is_ours);
	is_unverified = g_strcmp0(by, "senderverify") == 0 && cause == PTN_POLICY;
	if (!is_unverified && (code < 500 || (cause != PTN_POLICY && cause != PTN_REMOTE && cause != PTN_CONTENT)))
		return PTN_NEXT;
	if (!is_told_again(h, text))
		(void)counters_add(h, &(Event){ .login = ptn_login(h),
								  .count = is_unverified ? COUNT_UNVERIFIED : COUNT_ERRORS,
								  .at = ptn_now(h) });
	return PTN_NEXT;
}

/* Copies have no place: what becomes of them is not the submitter's doing. */
static PtnVerdict
count_undeliverable(PtnHook *h)
{
	Event event = { .login = ptn_login(h), .count = COUNT_UNDELIVERABLE, .has_place = true };
	bool is_ours;
	int code;

	(void)ptn_reply(h, &code, NULL, &is_ours);
	if (event.login != NULL && !is_ours && code >= 500 && place_noted(h, &event.place))
		(void)counters_add(h, &event);
	return PTN_NEXT;
}

static PtnVerdict
tick(PtnHook *h)
{
	(void)later_tick(h);
	action_tick(h);
	return PTN_NEXT;
}

/* ---- posternctl standing show ---- */

static void
show_rule(PtnHook *h, const Rule *rule, bool is_share)
{
	const char *most =
		ptn_format(h, is_share ? "percent:%lld" : "number:%lld", (long long)rule->most);

	ptn_row(h, "of", rule->what, "count", rule->words, "share:percent",
		is_share ? ptn_format(h, "%lld", (long long)rule->percent) : "", "most:value",
		(is_share && rule->most >= 100) || rule->most == 0 ? "number:off" : most, NULL);
}

static PtnVerdict
show(PtnHook *h)
{
	const char *login = ptn_arguments(h)[0], *reason = NULL, *held = NULL, *last;
	Counters counters;
	Rule rules[RULES];
	PtnEntry *entry = NULL, *customer = NULL;
	Place place;

	if (login == NULL)
		return ptn_fail(h, "of which account?");
	if (ptn_find(h, PTN_ACCOUNT, login, &entry) == PTN_OK) {
		ptn_options_of(h, entry);
		login = ptn_get(entry, "name");
		if (g_strcmp0(ptn_get(entry, "enabled"), "no") == 0)
			reason = ptn_get(entry, "reason") != NULL ? ptn_get(entry, "reason") : "no reason given";
		held = ptn_get(entry, "standing.hold");
		if (ptn_get(entry, "customer") != NULL)
			(void)ptn_find(h, PTN_CUSTOMER, ptn_get(entry, "customer"), &customer);
	}
	place = place_at(h, entry, customer, ptn_now(h));
	if (counters_read(h, login, &place, &counters) != PTN_OK)
		return ptn_fail(h, "the store cannot be reached");
	counters_judge(h, &counters, rules);
	for (size_t i = 0; i < RULES; i++)
		show_rule(h, &rules[i], i + 1 < RULES);
	ptn_row(h, "of", "judged", "count",
		ptn_option_number(h, "exempt") ? "no: exempt" : ptn_format(h, "from %s on", ptn_option(h, "least")),
		"share:percent", "", "most:value", "", NULL);
	if (reason != NULL)
		ptn_row(h, "of", "disabled", "count", reason, "share:percent", "", "most:value", "", NULL);
	if (held != NULL)
		ptn_row(h, "of", "held", "count", held, "share:percent", "", "most:value", "", NULL);
	if ((last = action_last(h, login)) != NULL)
		ptn_row(h, "of", "last time", "count", last, "share:percent", "", "most:value", "", NULL);
	return PTN_NEXT;
}

/* ---- the plugin ---- */

static PtnVerdict
start(PtnHook *h)
{
	Standing *own = ptn_instance(h);
	const char *secret = ptn_option(h, "secret");

	if (ptn_option(h, "address") != NULL && secret == NULL)
		return ptn_fail(h, "address needs a secret: without it no complaint can be matched");
	ptn_alarm(h, "reporters",
		ptn_option(h, "address") != NULL && ptn_option_list(h, "reporters")[0] == NULL
			? "no reporters are set: reports of feedback loops go to the postmaster, and are not counted"
			: NULL);
	ptn_alarm(h, "secret",
		secret != NULL && g_str_has_prefix(secret, "change-this")
			? "the secret is the one of the sample configuration: anybody can forge complaints"
			: NULL);
	g_mutex_init(&own->lock);
	own->later = later_new();
	own->told = g_hash_table_new_full(ptn_hash, g_str_equal, g_free, NULL);
	own->alarms = action_alarms_new();
	return PTN_NEXT;
}

static PtnVerdict
stop(PtnHook *h)
{
	Standing *own = ptn_instance(h);

	(void)later_tick(h);
	action_stop(h);
	g_hash_table_unref(own->later);
	g_hash_table_unref(own->told);
	g_hash_table_unref(own->alarms);
	g_mutex_clear(&own->lock);
	return PTN_NEXT;
}

static const char *
check(PtnHook *h, const char *option, const char *value)
{
	(void)h;
	if (strcmp(option, "secret") == 0 && strlen(value) < 16)
		return "a secret has at least 16 characters";
	if (strcmp(option, "since") == 0 && place_time(value) == 0)
		return "not a time of RFC 3339 (2026-11-29T05:24:22Z)";
	return NULL;
}

enum { OF_ACCOUNTS = PTN_IN_SERVER | PTN_IN_LEVEL | PTN_IN_CUSTOMER | PTN_IN_ACCOUNT };

static const char *const action_words[] = { "disable", "alarm", "hold", NULL };

static const PtnOption options[] = {
	{ "window", PTN_TIME, OF_ACCOUNTS, "1d", "over what time shares are counted", 60 * PTN_SECOND, 31 * DAY,
		NULL },
	{ "least", PTN_NUMBER, OF_ACCOUNTS, "50", "below so many attempts, or recipients, no share is judged", 1,
		1000000, NULL },
	{ "most-errors", PTN_NUMBER, OF_ACCOUNTS, "50", "percent of attempts that may be refused; 100: any", 1, 100,
		NULL },
	{ "most-undeliverable", PTN_NUMBER, OF_ACCOUNTS, "30",
		"percent of recipients that next hops may refuse; 100: any", 1, 100, NULL },
	{ "most-unverified", PTN_NUMBER, OF_ACCOUNTS, "30",
		"percent of attempts whose sender may fail its verification; 100: any", 1, 100, NULL },
	{ "complaints", PTN_PER_TIME, OF_ACCOUNTS, "5/7d",
		"below so many complaints of different people none is judged", 0, 0, NULL },
	{ "complaint-reporters", PTN_NUMBER, OF_ACCOUNTS, "2", "so many different reporters they must have come by", 1,
		100, NULL },
	{ "complaint-share", PTN_NUMBER, OF_ACCOUNTS, "3",
		"of 1,000 recipients so many may complain; 0: the number alone decides", 0, 1000, NULL },
	{ "complaint-action", PTN_CHOICE, OF_ACCOUNTS, "hold", "what becomes of an account that is complained about",
		0, 0, action_words },
	{ "hold", PTN_TEXT, PTN_IN_ACCOUNT, NULL, "why all mail of this account is held; unset: it is not", 0,
		200, NULL },
	{ "since", PTN_TEXT, PTN_IN_ACCOUNT, NULL,
		"what was accepted before does not count; set when the account is held", 0, 40, NULL },
	{ "action", PTN_CHOICE, OF_ACCOUNTS, "disable", "what becomes of an account that passes a threshold", 0, 0,
		action_words },
	{ "exempt", PTN_BOOL, OF_ACCOUNTS, "no", "it is counted, and never judged" },
	{ "reporters", PTN_NETWORK | PTN_LIST, PTN_IN_SERVER, NULL,
		"networks of feedback loops; reports from elsewhere are not counted" },
	{ "address", PTN_MAILBOX, PTN_IN_SERVER, NULL, "the mailbox that feedback loops report to" },
	{ "secret", PTN_SECRET, PTN_IN_SERVER, NULL,
		"signs messages, so that complaints are matched; the same on every node; best as @FILE" },
	{ 0 },
};

static const PtnHookRow hooks[] = {
	{ PTN_RCPT, complaint_at_rcpt, PTN_INLINE },
	{ PTN_MESSAGE, complaint_at_message, PTN_INLINE },
	{ PTN_ROUTE, complaint_route, PTN_INLINE },
	{ PTN_DELIVER, complaint_deliver, 0 },
	{ PTN_QUEUED, count_accepted, 0 },
	{ PTN_REPLY, count_refusal, 0 },
	{ PTN_BOUNCED, count_undeliverable, 0 },
	{ PTN_TICK, tick, 0 },
	{ 0 },
};

static const PtnCommand commands[] = {
	{ "show", "LOGIN", "counters, shares and thresholds of an account, and why it is disabled", show,
		.reads_only = true },
	{ "add", "LOGIN | SUBMIT-ID TAG", "a complaint about an account, or about one of its messages",
		complaint_command_add },
	{ "list", "LOGIN", "the last complaints about an account", complaint_command_list, .reads_only = true },
	{ 0 },
};

PTN_PLUGIN(standing) = {
	PTN_HEAD("standing"),
	.version = "1",
	.summary = "an account that fails, bounces or is complained about too often may not send",
	.options = options,
	.hooks = hooks,
	.commands = commands,
	.instance_size = sizeof(Standing),
	.tick = 10 * PTN_SECOND,
	.start = start,
	.stop = stop,
	.check = check,
};
