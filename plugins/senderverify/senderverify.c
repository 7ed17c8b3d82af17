/* senderverify - the sender's address must be deliverable: its exchanger is asked, and what it said is remembered.
 *
 * At MAIL of an authenticated client the cache answers, or a probe is started behind the session and waited for.  Only
 * what the exchanger itself refuses is permanent; what could not be found out is asked again soon. */
#include "senderverify.h"

#include <string.h>
#include <strings.h>

#define LEAST_PAUSE (PTN_SECOND / 100)
#define MOST_PAUSE (PTN_SECOND / 4)
#define MARGIN (PTN_SECOND / 2) /* left of the hook's time for the answer */

/* ---- what the client is told ---- */

/* What a foreign server says could be anything: who chose that server learns what it says by us, unless the administrator
 * wants that. */
static const char *
reason_of(PtnHook *h, const Record *record)
{
	if (ptn_option_number(h, "quote-remote"))
		return record->text;
	return record->verdict == VERDICT_UNSURE ? "its mail server gave no answer"
											 : "its mail server does not take mail for it";
}

static PtnVerdict
refuse(PtnHook *h, const Record *record)
{
	const char *reason = reason_of(h, record);

	ptn_count(h, "failures", 1);
	if (record->verdict == VERDICT_UNSURE)
		return ptn_refuse(h, PTN_REMOTE, 450, "4.1.7", "<%s>: Sender address rejected: unverified address: %s",
			ptn_sender(h), reason);
	if (ptn_option_number(h, "undeliverable-code"))
		return ptn_refuse(h, PTN_POLICY, 450, "4.1.7", "<%s>: Sender address rejected: undeliverable address: %s",
			ptn_sender(h), reason);
	return ptn_refuse(h, PTN_POLICY, 550, "5.1.7", "<%s>: Sender address rejected: undeliverable address: %s",
		ptn_sender(h), reason);
}

static PtnVerdict
refuse_in_progress(PtnHook *h)
{
	return ptn_refuse(h, PTN_REMOTE, 450, "4.1.7",
		"<%s>: Sender address rejected: unverified address: Address verification in progress", ptn_sender(h));
}

static PtnVerdict
refuse_by_trouble(PtnHook *h)
{
	return ptn_refuse(h, PTN_LOCAL, 450, "4.1.7",
		"<%s>: Sender address rejected: unverified address: address verification problem", ptn_sender(h));
}

static PtnVerdict
refuse_domain(PtnHook *h, PtnStatus status)
{
	return ptn_refuse(h, PTN_DNS, 450, "4.1.8", "<%s>: Sender address rejected: %s", ptn_sender(h),
		status == PTN_UNSURE ? "Domain lookup failed, try again later" : "Domain not found");
}

/* ---- what is known ---- */

/* A record past its refresh time still answers, and is asked anew behind. */
static PtnVerdict
answer_from(PtnHook *h, const Record *record)
{
	if (verify_record_is_due(h, record))
		(void)verify_probe_start(h, ptn_sender(h));
	return record->verdict == VERDICT_GOOD || record->verdict == VERDICT_ACCEPTS ? PTN_NEXT : refuse(h, record);
}

/* OK: `record` decides. */
static PtnStatus
look_up_domain(PtnHook *h, Record *record)
{
	PtnStatus status;

	if (!ptn_option_number(h, "learn-domains"))
		return PTN_NONE;
	status = verify_record_read(h, verify_domain_key(h, ptn_domain_of(ptn_sender(h))), record);
	return status == PTN_OK && record->verdict == VERDICT_SELECTIVE ? PTN_NONE : status;
}

/* ---- what is not known ---- */

/* Nothing goes on behind a rehearsal: it asks itself. */
static PtnVerdict
rehearse_probe(PtnHook *h)
{
	Record record;

	return verify_probe_run(h, ptn_sender(h), &record) ? answer_from(h, &record) : refuse_in_progress(h);
}

static PtnVerdict
wait_for_probe(PtnHook *h)
{
	const char *key = verify_address_key(h, ptn_sender(h));
	const int64_t begun = ptn_time_left(h), wait = ptn_option_number(h, "wait");
	int64_t pause = LEAST_PAUSE;
	Record record;

	while (begun - ptn_time_left(h) < wait && ptn_time_left(h) > MARGIN) {
		if (!verify_probe_start(h, ptn_sender(h)))
			return refuse_by_trouble(h);
		if (!ptn_sleep(h, pause))
			break;
		if (verify_record_read(h, key, &record) == PTN_OK)
			return answer_from(h, &record);
		pause = pause * 2 < MOST_PAUSE ? pause * 2 : MOST_PAUSE;
	}
	return refuse_in_progress(h);
}

/* "example.org" is itself, ".example.org" all below it. */
static bool
is_exempt(PtnHook *h, const char *domain)
{
	const char *const *patterns = ptn_option_list(h, "exempt-domains");

	for (; *patterns != NULL; patterns++) {
		const size_t size = strlen(domain), least = strlen(*patterns);

		if (strcasecmp(domain, *patterns) == 0 ||
			(**patterns == '.' && size > least && strcasecmp(domain + size - least, *patterns) == 0))
			return true;
	}
	return false;
}

static PtnVerdict
verify_sender(PtnHook *h)
{
	const char *sender = ptn_sender(h);
	const PtnAnswer *exchangers;
	PtnStatus status;
	Record record;

	if (ptn_login(h) == NULL || sender[0] == '\0' || is_exempt(h, ptn_domain_of(sender)))
		return PTN_NEXT;
	status = verify_record_read(h, verify_address_key(h, sender), &record);
	if (status == PTN_UNSURE)
		return refuse_by_trouble(h);
	if (status == PTN_OK && record.verdict == VERDICT_GOOD)
		return answer_from(h, &record);
	exchangers = ptn_dns(h, ptn_domain_of(sender), PTN_EXCHANGERS);
	if (exchangers->status != PTN_OK)
		return refuse_domain(h, exchangers->status);
	if (exchangers->count == 0) /* a null MX: there is nobody to ask */
		return PTN_NEXT;
	if (status != PTN_OK)
		status = look_up_domain(h, &record);
	if (status == PTN_OK)
		return answer_from(h, &record);
	if (!ptn_sleep(h, 0)) /* on a loop: the rest waits */
		return PTN_NEXT;
	return ptn_fact(h, "rehearsal") != NULL ? rehearse_probe(h) : wait_for_probe(h);
}

/* Servers that verify us ask for the probe's sender; their bounces and complaints go there, too. */
static PtnVerdict
permit_probe_sender(PtnHook *h)
{
	if (ptn_login(h) == NULL && ptn_fact(h, "listener.inbound") != NULL &&
		strcasecmp(ptn_recipient(h, PTN_THIS), ptn_option(h, "probe-sender")) == 0)
		ptn_permit(h);
	return PTN_NEXT;
}

/* ---- the plugin ---- */

static PtnVerdict
start(PtnHook *h)
{
	Instance *instance = ptn_instance(h);

	if (ptn_option(h, "probe-sender") == NULL)
		return ptn_fail(h, "set probe-sender: the address by which other servers are asked");
	if (ptn_option_number(h, "positive-refresh") >= ptn_option_number(h, "positive-expire") ||
		ptn_option_number(h, "negative-refresh") >= ptn_option_number(h, "negative-expire") ||
		ptn_option_number(h, "unsure-refresh") >= ptn_option_number(h, "negative-expire"))
		return ptn_fail(h, "a refresh time must be shorter than the time of expiry that belongs to it");
	return pthread_mutex_init(&instance->lock, NULL) == 0 ? PTN_NEXT : ptn_fail(h, "no mutex");
}

static PtnVerdict
stop(PtnHook *h)
{
	(void)pthread_mutex_destroy(&((Instance *)ptn_instance(h))->lock);
	return PTN_NEXT;
}

static const char *const code_choices[] = { "550", "450", NULL };
static const char *const learn_choices[] = { [VERIFY_LEARNS_NOTHING] = "no", [VERIFY_LEARNS_REFUSALS] = "refusals",
	[VERIFY_LEARNS_ALL] = "yes", NULL };

#define MINUTE (60 * PTN_SECOND)
#define DAY (1440 * MINUTE)

static const PtnOption options[] = {
	{ "probe-sender", PTN_MAILBOX, PTN_IN_SERVER, NULL, "MAIL FROM of probes, an address of ours" },
	{ "wait", PTN_TIME, PTN_IN_SERVER, "6s", "how long a client waits for a probe", 0, MINUTE, NULL },
	{ "positive-expire", PTN_TIME, PTN_IN_SERVER, "31d", "how long a good address is good", MINUTE, 3650 * DAY,
		NULL },
	{ "positive-refresh", PTN_TIME, PTN_IN_SERVER, "7d", "after what time it is asked again", MINUTE, 3650 * DAY,
		NULL },
	{ "negative-expire", PTN_TIME, PTN_IN_SERVER, "3d", "how long a bad or unsure address is so", MINUTE,
		3650 * DAY, NULL },
	{ "negative-refresh", PTN_TIME, PTN_IN_SERVER, "3h", "after what time a bad one is asked again", PTN_SECOND,
		3650 * DAY, NULL },
	{ "unsure-refresh", PTN_TIME, PTN_IN_SERVER, "5m", "after what time an unsure one is asked again", PTN_SECOND,
		3650 * DAY, NULL },
	{ "undeliverable-code", PTN_CHOICE, PTN_IN_SERVER, "550", "the reply to a sender that was refused for good", 0,
		0, code_choices },
	{ "quote-remote", PTN_BOOL, PTN_IN_SERVER, "no",
		"repeat to clients what the exchanger said; without it the log and posternctl have that" },
	{ "learn-domains", PTN_CHOICE, PTN_IN_SERVER, "refusals",
		"remember domains that refuse all addresses; yes: ask for a random one, too, to know which accept all",
		0, 0, learn_choices },
	{ "exempt-domains", PTN_TEXT | PTN_LIST, PTN_IN_SERVER, NULL,
		"domains whose senders are not verified; .DOMAIN is all below it" },
	{ "per-destination", PTN_NUMBER, PTN_IN_SERVER, "4", "probes to one exchanger at a time", 1, 100, NULL },
	{ "most-probes", PTN_NUMBER, PTN_IN_SERVER, "50", "probes in all at a time", 1, VERIFY_DESTINATIONS, NULL },
	{ 0 },
};

static const PtnHookRow hooks[] = {
	{ PTN_MAIL, verify_sender, PTN_INLINE },
	{ PTN_RCPT, permit_probe_sender, PTN_INLINE },
	{ 0 },
};

static const PtnCommand commands[] = {
	{ "show", "ADDRESS|DOMAIN", "what is known of it", verify_command_show, .reads_only = true },
	{ "forget", "ADDRESS|DOMAIN", "forget what is known of it", verify_command_forget },
	{ "probe", "ADDRESS", "ask now, whatever is known", verify_command_probe },
	{ 0 },
};

static const PtnMeaningRow meanings[] = { { "probe-sender", PTN_MEANS_RECEIVER, "mail to the sender of probes" },
	{ 0 } };

PTN_PLUGIN(senderverify) = {
	PTN_HEAD("senderverify"),
	.after = "restrictions nullsender-rewrite",
	.version = "1",
	.summary = "the sender's address must be deliverable",
	.options = options,
	.meanings = meanings,
	.hooks = hooks,
	.commands = commands,
	.instance_size = sizeof(Instance),
	.start = start,
	.stop = stop,
};
