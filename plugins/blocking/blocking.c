/* blocking - clients that misbehave may not connect for a while.
 *
 * Everything is counted afterwards, by observers: a client that is served waits for nothing here. */
#include <glib.h>
#include <string.h>

#include "plugins/blocking/counters.h"
#include "plugins/blocking/offences.h"

enum { BLOCKING_KNOWN = 10000 }; /* addresses with failures that this node remembers */

typedef struct {
	GMutex lock;
	GHashTable *failed; /* addresses whose failures were counted here: a success of others has nothing to forget */
	Offences *offences; /* that the store does not know of */
} Blocking;

/* What a blocked client had under way is part of what it was blocked for. */
static void
count(PtnHook *h, CounterNumber number)
{
	const char *who = offender(h, ptn_client(h));

	if (offender_is_exempt(h, ptn_client(h)) || ptn_fact(h, "client.blocked") != NULL)
		return;
	if (counter_add(h, number, who))
		offence(h, ((Blocking *)ptn_instance(h))->offences, who, counters[number].reason);
}

/* ---- failed authentications ---- */

static void
remember_failure(PtnHook *h, const char *who)
{
	Blocking *blocking = ptn_instance(h);

	g_mutex_lock(&blocking->lock);
	if (g_hash_table_size(blocking->failed) >= BLOCKING_KNOWN)
		g_hash_table_remove_all(blocking->failed);
	g_hash_table_add(blocking->failed, g_strdup(who));
	g_mutex_unlock(&blocking->lock);
}

/* A login counts once for each address, under a digest: what people type in there may be a password. */
static void
count_login(PtnHook *h, const char *who, const char *login)
{
	g_autofree char *digest = g_compute_checksum_for_string(G_CHECKSUM_SHA256, login, -1);
	PtnRate rate;

	if (ptn_option_rates(h, counters[COUNT_LOGINS].name, &rate, 1) == 0)
		return;
	if (ptn_store_claim(h, ptn_format(h, "login/%s/%.16s", who, digest), "1", rate.window) == PTN_OK)
		count(h, COUNT_LOGINS);
}

static void
count_failure(PtnHook *h)
{
	const char *who = offender(h, ptn_client(h)), *login = ptn_login(h);

	if (offender_is_exempt(h, ptn_client(h)))
		return;
	remember_failure(h, who);
	count(h, COUNT_AUTH_FAILURES);
	if (login != NULL)
		count_login(h, who, login);
}

/* Who authenticates and has mail accepted did not guess. */
static PtnVerdict
forget_failures(PtnHook *h)
{
	Blocking *blocking = ptn_instance(h);
	const char *who = offender(h, ptn_client(h));
	bool is_known;

	if (ptn_login(h) == NULL)
		return PTN_NEXT;
	g_mutex_lock(&blocking->lock);
	is_known = g_hash_table_remove(blocking->failed, who);
	g_mutex_unlock(&blocking->lock);
	if (!is_known)
		return PTN_NEXT;
	counter_forget(h, COUNT_AUTH_FAILURES, who);
	return PTN_NEXT;
}

/* ---- what happened ---- */

static PtnVerdict
take_event(PtnHook *h)
{
	static const struct {
		const char *event;
		CounterNumber number;
	} events[] = { { "too-many-connections", COUNT_CONNECTIONS }, { "too-many-errors", COUNT_ERRORS },
		{ "early-talker", COUNT_ERRORS }, { "bare-newline", COUNT_ERRORS }, { "starttls-injection", COUNT_ERRORS },
		{ "not-smtp", COUNT_NOT_SMTP }, { "relay-attempt", COUNT_RELAY_ATTEMPTS },
		{ "unauthenticated-mail", COUNT_RELAY_ATTEMPTS } };
	const char *event = ptn_fact(h, "event");

	if (strcmp(event, "too-many-connections") == 0 && ptn_fact(h, "client.at-work") != NULL)
		return PTN_NEXT; /* an office whose people send at the same moment */
	if (strcmp(event, "auth-failure") == 0)
		count_failure(h);
	for (size_t i = 0; i < G_N_ELEMENTS(events); i++)
		if (strcmp(events[i].event, event) == 0)
			count(h, events[i].number);
	return PTN_NEXT;
}

/* Refusals of plugins; what may pass by itself counts for nothing. */
static PtnVerdict
take_reply(PtnHook *h)
{
	const char *by = ptn_fact(h, "refused-by");
	PtnCause cause;
	int code;

	(void)ptn_reply(h, &code, &cause, NULL);
	if (by == NULL || code < 500)
		return PTN_NEXT;
	if (strcmp(by, "dnsbl") == 0 || strncmp(by, "dnsbl/", 6) == 0)
		count(h, COUNT_LISTED);
	else if (cause == PTN_POLICY || cause == PTN_REMOTE)
		count(h, COUNT_REJECTS);
	else if (cause == PTN_CONTENT)
		count(h, COUNT_CONTENT);
	return PTN_NEXT;
}

/* Who logged in or had mail accepted came to work, however often; who said QUIT to the greeting looked whether we are there.
 * Other connections count; so does one of a client that was to authenticate and did not, failed handshakes included. */
static PtnVerdict
take_end(PtnHook *h)
{
	const bool is_at_work = ptn_login(h) != NULL || ptn_fact(h, "session.accepted") != NULL;

	if (is_at_work || ptn_fact(h, "session.only-quit") != NULL)
		return PTN_NEXT;
	count(h, COUNT_CONNECTIONS);
	if (ptn_fact(h, "listener.auth") != NULL && ptn_fact(h, "listener.inbound") == NULL)
		count(h, COUNT_PROBES);
	return PTN_NEXT;
}

static PtnVerdict
tick(PtnHook *h)
{
	offences_settle(h, ((Blocking *)ptn_instance(h))->offences);
	return PTN_NEXT;
}

/* ---- posternctl ---- */

static PtnVerdict
show(PtnHook *h)
{
	Blocking *blocking = ptn_instance(h);
	const char *client = ptn_arguments(h)[0];
	int64_t totals[COUNTERS];
	const char *who;

	if (client == NULL)
		return ptn_fail(h, "which address?");
	who = offender(h, client);
	offences_settle(h, blocking->offences);
	ptn_row(h, "what", "counted as", "value:value", ptn_format(h, "text:%s", who), "limit:value", "", NULL);
	ptn_row(h, "what", "never blocked", "value:value",
		offender_is_exempt(h, client) ? "boolean:yes" : "boolean:no", "limit:value", "", NULL);
	ptn_row(h, "what", "offences", "value:value",
		ptn_format(h, "number:%ld", offences_read(h, blocking->offences, who)), "limit:value",
		ptn_format(h, "number:%lld", (long long)ptn_option_number(h, "forever-after")), NULL);
	client_counters_read(h, who, totals);
	for (CounterNumber i = 0; i < COUNTERS; i++)
		ptn_row(h, "what", counters[i].name, "value:value",
			ptn_format(h, "number:%lld", (long long)totals[i]), "limit:value",
			ptn_format(h, "text:%s", ptn_option(h, counters[i].name)), NULL);
	return PTN_NEXT;
}

static PtnVerdict
forget(PtnHook *h)
{
	Blocking *blocking = ptn_instance(h);
	const char *client = ptn_arguments(h)[0];
	const char *who;

	if (client == NULL)
		return ptn_fail(h, "which address?");
	who = offender(h, client);
	offences_forget(h, blocking->offences, who);
	client_counters_forget(h, who);
	ptn_row(h, "address", who, "what", "its history is forgotten; a block that runs is not: posternctl block lift",
		NULL);
	return PTN_NEXT;
}

/* ---- the plugin ---- */

static const char *
check(PtnHook *h, const char *option, const char *value)
{
	return strcmp(option, "ipv6-as") == 0 ? offender_check(h, value) : NULL;
}

static PtnVerdict
start(PtnHook *h)
{
	Blocking *blocking = ptn_instance(h);

	g_mutex_init(&blocking->lock);
	blocking->failed = g_hash_table_new_full(ptn_hash, g_str_equal, g_free, NULL);
	blocking->offences = offences_new();
	return PTN_NEXT;
}

static PtnVerdict
stop(PtnHook *h)
{
	Blocking *blocking = ptn_instance(h);

	offences_settle(h, blocking->offences);
	g_hash_table_unref(blocking->failed);
	offences_free(blocking->offences);
	g_mutex_clear(&blocking->lock);
	return PTN_NEXT;
}

#define COUNTED(NAME, PRESET, HELP) \
	{ \
		NAME, PTN_PER_TIME, PTN_IN_SERVER, PRESET, HELP, 0, 0, NULL \
	}

static const PtnOption options[] = {
	{ "first", PTN_TIME_RANGE, PTN_IN_SERVER, "5m .. 15m", "how long a client is blocked the first time",
		PTN_SECOND, 30 * 86400 * PTN_SECOND },
	{ "repeat", PTN_TIME_RANGE, PTN_IN_SERVER, "1h .. 24h", "how long it is blocked again within memory",
		PTN_SECOND, 30 * 86400 * PTN_SECOND },
	{ "forever-after", PTN_NUMBER, PTN_IN_SERVER, "5",
		"repeats after which a block stays until it is lifted; 0: never", 0, 1000 },
	{ "memory", PTN_TIME, PTN_IN_SERVER, "7d", "how long an offence is remembered after the last", PTN_SECOND,
		400 * 86400 * PTN_SECOND },
	{ "never", PTN_NETWORK | PTN_LIST, PTN_IN_SERVER, "",
		"networks that are never blocked, beside those of [server] monitors" },
	{ "ipv6-as", PTN_TEXT, PTN_IN_SERVER, "/64", "the IPv6 prefix that counts as one client" },
	COUNTED("auth-failures", "5/10m", "failed authentications"),
	COUNTED("logins", "5/1h", "different logins whose authentication failed"),
	COUNTED("listed", "5/1h", "refusals by dnsbl"),
	COUNTED("connections", "600/10m",
		"connections without a login and without accepted mail, and those that [clients] refused"),
	COUNTED("errors", "3/10m",
		"sessions with too many violations of the protocol, early talkers, bare line feeds"),
	COUNTED("not-smtp", "2/1h", "sessions that speak HTTP, or a message instead of commands"),
	COUNTED("probes", "30/10m", "sessions and handshakes that end without authentication"),
	COUNTED("relay-attempts", "10/1h", "recipients that are not ours, without authentication"),
	COUNTED("rejects", "50/1h", "messages and recipients that rules refuse for good"),
	COUNTED("content", "20/1d", "messages refused for what is in them"),
	{ 0 },
};

static const PtnHookRow hooks[] = { { PTN_EVENT, take_event, 0 }, { PTN_REPLY, take_reply, 0 },
	{ PTN_DISCONNECT, take_end, 0 }, { PTN_QUEUED, forget_failures, 0 }, { PTN_TICK, tick, 0 }, { 0 } };

static const PtnCommand commands[] = {
	{ "show", "ADDRESS", "what is counted of a client", show, .reads_only = true },
	{ "forget", "ADDRESS", "its counters and offences", forget },
	{ 0 },
};

static const PtnMeaningRow meanings[] = { { "never", PTN_MEANS_NEVER_BLOCKED }, { 0 } };

PTN_PLUGIN(blocking) = {
	PTN_HEAD("blocking"),
	.version = "1",
	.summary = "clients that misbehave may not connect for a while",
	.options = options,
	.meanings = meanings,
	.hooks = hooks,
	.commands = commands,
	.instance_size = sizeof(Blocking),
	.tick = 10 * PTN_SECOND,
	.passes_on_error = true,
	.start = start,
	.stop = stop,
	.check = check,
};
