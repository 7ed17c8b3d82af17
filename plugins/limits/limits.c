/* limits - how much an account, a customer, a client, and a recipient domain may send, over several windows at once.
 *
 * A message is counted when it is complete, last of all, so that what others refuse does not count and copies do. */
#include "plugins/limits/limits.h"

#include <stdlib.h>
#include <string.h>

#define HELD_NOTE "held"
#define HELD_PASSED \
	(8 * 86400 * PTN_SECOND) /* how long it is known that a message was counted; longer than any is tried */
#define HELD_UNSURE (60 * PTN_SECOND)

enum { OWNERS = 3 }; /* account, customer, client */

typedef struct {
	Share *shares; /* with room for the owners, and a domain of each recipient */
	size_t n;
} Shares;

typedef enum { AT_LIMIT_REFUSE, AT_LIMIT_DEFER, AT_LIMIT_HOLD } AtLimit;

static AtLimit
at_limit(PtnHook *h)
{
	return (AtLimit)ptn_option_number(h, "at-limit");
}

/* ---- who ---- */

static Shares
shares_of(PtnHook *h, size_t recipients)
{
	return (Shares){ .shares = ptn_keep(h, PTN_FOR_HOOK, NULL, (OWNERS + recipients) * sizeof(Share)) };
}

static void
add_share(Shares *shares, Scope scope, const char *who, int64_t recipients, int64_t octets)
{
	if (who != NULL)
		shares->shares[shares->n++] = (Share){ scope, who, { 1, recipients, octets } };
}

static void
add_owners(PtnHook *h, Shares *shares, const char *client, int64_t recipients, int64_t octets)
{
	PtnEntry *account = ptn_account(h), *customer = ptn_customer(h);

	add_share(
		shares, SCOPE_ACCOUNT, account != NULL ? ptn_get(account, "name") : ptn_login(h), recipients, octets);
	add_share(shares, SCOPE_CUSTOMER, customer != NULL ? ptn_get(customer, "name") : NULL, recipients, octets);
	add_share(shares, SCOPE_CLIENT, client, recipients, octets);
}

/* Each recipient domain with its recipients. */
static void
add_domains(PtnHook *h, Shares *shares, int64_t octets)
{
	const size_t first = shares->n;

	for (size_t i = 0; i < ptn_recipients(h); i++) {
		const char *domain = ptn_domain_of(ptn_recipient(h, i));
		Share *share = NULL;

		for (size_t k = first; k < shares->n && share == NULL; k++)
			if (g_ascii_strcasecmp(shares->shares[k].who, domain) == 0)
				share = &shares->shares[k];
		if (share != NULL)
			share->amounts[KIND_RECIPIENTS]++;
		else
			add_share(shares, SCOPE_DOMAIN, domain, 1, octets);
	}
}

static bool
has_domain_limits(PtnHook *h)
{
	PtnRate rate;

	return ptn_option_rates(h, "domain-messages", &rate, 1) + ptn_option_rates(h, "domain-recipients", &rate, 1) +
			   ptn_option_rates(h, "domain-bytes", &rate, 1) >
		   0;
}

/* ---- counting ---- */

static void
tell_customer(PtnHook *h, const Share *share, const Limit *limits, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const int64_t before = limits[i].total - share->amounts[limits[i].kind];
		const int64_t mark = limits[i].most - limits[i].most / 5;

		if (before < mark && limits[i].total >= mark)
			notice_tell(h, share, &limits[i], 80);
	}
}

/* A limit that is used up stops all that follows; one that only this message is too large for does not, nor does a node's share of
 * a limit while the store is away. */
static void
note_passed(PtnHook *h, const Share *share, const Limit *passed, bool is_alone)
{
	if (is_alone || passed->total < passed->most || ptn_fact(h, "rehearsal") != NULL)
		return;
	known_add(h, share->scope, share->who, passed);
	notice_tell(h, share, passed, 100);
}

/* All shares, or none: then `passed` is the limit, and `whose` its share. */
static PtnStatus
count_all(PtnHook *h, const Shares *shares, Limit *passed, const Share **whose)
{
	const bool is_alone = ptn_fact(h, "store.away") != NULL;

	for (size_t i = 0; i < shares->n; i++) {
		Limit limits[LIMITS_MOST];
		size_t n;
		const PtnStatus status = scope_count(h, &shares->shares[i], limits, &n);

		if (status == PTN_OK) {
			if (!is_alone)
				tell_customer(h, &shares->shares[i], limits, n);
			continue;
		}
		for (size_t k = 0; k < i; k++)
			scope_uncount(h, &shares->shares[k]);
		if (status == PTN_TAKEN) {
			*passed = limits[0];
			*whose = &shares->shares[i];
			note_passed(h, *whose, passed, is_alone);
		}
		return status;
	}
	return PTN_OK;
}

/* ---- the hooks ---- */

static PtnVerdict
turn_away(PtnHook *h, Scope scope, const char *who, const char *words)
{
	ptn_count(h, "passed", 1);
	if (at_limit(h) == AT_LIMIT_REFUSE)
		return ptn_refuse(
			h, PTN_RATE, 550, "5.7.1", "Error: too much mail of %s %s: %s", scope_name(scope), who, words);
	return ptn_refuse(
		h, PTN_RATE, 450, "4.7.1", "Error: too much mail of %s %s: %s", scope_name(scope), who, words);
}

/* Who is known to have passed a limit is told before the client sends anything. */
static PtnVerdict
look_back(PtnHook *h)
{
	Shares shares = shares_of(h, 0);

	if (ptn_login(h) == NULL || at_limit(h) == AT_LIMIT_HOLD)
		return PTN_NEXT;
	add_owners(h, &shares, ptn_client(h), 0, 0);
	for (size_t i = 0; i < shares.n; i++) {
		const char *words = known_find(h, shares.shares[i].scope, shares.shares[i].who);

		if (words != NULL)
			return turn_away(h, shares.shares[i].scope, shares.shares[i].who, words);
	}
	return PTN_NEXT;
}

static PtnVerdict
hold(PtnHook *h, const Share *share, const Limit *limit, int64_t octets)
{
	ptn_count(h, "held", 1);
	ptn_note(h, HELD_NOTE, ptn_format(h, "%zu %lld %s", ptn_recipients(h), (long long)octets, ptn_client(h)));
	ptn_hold(
		h, ptn_format(h, "limit of %s %s: %s", scope_name(share->scope), share->who, limit->words), limit->ends);
	return PTN_NEXT;
}

static PtnVerdict
count_message(PtnHook *h)
{
	Shares shares = shares_of(h, ptn_recipients(h));
	const Share *whose = NULL;
	const char *content_size = ptn_fact(h, "content-size");
	const int64_t size = content_size != NULL ? strtoll(content_size, NULL, 10) : 0;
	int64_t octets;
	Limit passed;

	if (ptn_login(h) == NULL)
		return PTN_NEXT;
	if (ptn_fact(h, "store.away") != NULL && strcmp(ptn_option(h, "when-away"), "defer") == 0)
		return ptn_refuse(h, PTN_LOCAL, 451, "4.3.0", "Error: mail cannot be counted now, try again later");
	octets = size * (1 + strtoll(ptn_fact(h, "copies"), NULL, 10));
	add_owners(h, &shares, ptn_client(h), (int64_t)ptn_recipients(h), octets);
	if (has_domain_limits(h))
		add_domains(h, &shares, size);
	switch (count_all(h, &shares, &passed, &whose)) {
	case PTN_OK:
		return PTN_NEXT;
	case PTN_TAKEN:
		return at_limit(h) == AT_LIMIT_HOLD ? hold(h, whose, &passed, octets)
											: turn_away(h, whose->scope, whose->who, passed.words);
	default:
		return ptn_fail(h, "the store cannot count now");
	}
}

/* What was held for a limit goes when its window allows it; counted then, once, whatever number of recipients and attempts. */
static PtnVerdict
let_go(PtnHook *h)
{
	const char *held = ptn_noted(h, HELD_NOTE);
	const char *key = ptn_format(h, "passed/%s", ptn_fact(h, "queue-id"));
	Shares shares = shares_of(h, 0);
	const Share *whose = NULL;
	int64_t recipients, octets;
	char *rest;
	Limit passed;

	if (held == NULL)
		return PTN_NEXT;
	if (ptn_store_claim(h, key, "1", HELD_PASSED) == PTN_TAKEN)
		return PTN_NEXT;
	recipients = strtoll(held, &rest, 10);
	octets = strtoll(rest, &rest, 10);
	add_owners(h, &shares, rest + strspn(rest, " "), recipients, octets);
	switch (count_all(h, &shares, &passed, &whose)) {
	case PTN_OK:
		return PTN_NEXT;
	case PTN_TAKEN:
		(void)ptn_store_remove(h, key);
		ptn_hold(h, ptn_format(h, "limit of %s %s: %s", scope_name(whose->scope), whose->who, passed.words),
			passed.ends);
		return PTN_NEXT;
	default:
		(void)ptn_store_remove(h, key);
		ptn_hold(h, "limits cannot be counted now", ptn_now(h) + HELD_UNSURE);
		return PTN_NEXT;
	}
}

/* ---- the plugin ---- */

static PtnVerdict
start(PtnHook *h)
{
	Limits *limits = ptn_instance(h);

	known_start(limits);
	ledger_start(limits);
	return PTN_NEXT;
}

static PtnVerdict
stop(PtnHook *h)
{
	Limits *limits = ptn_instance(h);

	ledger_stop(limits);
	known_stop(limits);
	return PTN_NEXT;
}

enum {
	OF_ACCOUNTS = PTN_IN_SERVER | PTN_IN_LEVEL | PTN_IN_CUSTOMER | PTN_IN_ACCOUNT,
	OF_CUSTOMERS = PTN_IN_SERVER | PTN_IN_LEVEL | PTN_IN_CUSTOMER
};

static const char *const at_limit_words[] = { "refuse", "defer", "hold", NULL };
static const char *const count_words[] = { "cluster", "node", NULL };
static const char *const away_words[] = { "share", "full", "defer", NULL };

static const PtnOption options[] = {
	{ "messages", PTN_PER_TIME | PTN_LIST, OF_ACCOUNTS, "100/1h 1000/1d", "messages of an account", 0, 4, NULL },
	{ "recipients", PTN_PER_TIME | PTN_LIST, OF_ACCOUNTS, "1000/1h 5000/1d", "recipients of an account", 0, 4,
		NULL },
	{ "bytes", PTN_PER_TIME | PTN_LIST, OF_ACCOUNTS, "5G/1d", "octets of an account, copies included", 0, 4,
		NULL },
	{ "customer-messages", PTN_PER_TIME | PTN_LIST, OF_CUSTOMERS, "", "messages of all accounts of a customer", 0,
		4, NULL },
	{ "customer-recipients", PTN_PER_TIME | PTN_LIST, OF_CUSTOMERS, "", "recipients of all accounts of a customer",
		0, 4, NULL },
	{ "customer-bytes", PTN_PER_TIME | PTN_LIST, OF_CUSTOMERS, "", "octets of all accounts of a customer", 0, 4,
		NULL },
	{ "client-messages", PTN_PER_TIME | PTN_LIST, PTN_IN_SERVER, "", "messages from one client address", 0, 4,
		NULL },
	{ "client-recipients", PTN_PER_TIME | PTN_LIST, PTN_IN_SERVER, "", "recipients from one client address", 0, 4,
		NULL },
	{ "client-bytes", PTN_PER_TIME | PTN_LIST, PTN_IN_SERVER, "", "octets from one client address", 0, 4, NULL },
	{ "domain-messages", PTN_PER_TIME | PTN_LIST, PTN_IN_SERVER, "", "messages to one recipient domain", 0, 4,
		NULL },
	{ "domain-recipients", PTN_PER_TIME | PTN_LIST, PTN_IN_SERVER, "", "recipients in one domain", 0, 4, NULL },
	{ "domain-bytes", PTN_PER_TIME | PTN_LIST, PTN_IN_SERVER, "", "octets to one recipient domain", 0, 4, NULL },
	{ "at-limit", PTN_CHOICE, OF_ACCOUNTS, "defer", "what becomes of mail beyond a limit", 0, 0, at_limit_words },
	{ "count", PTN_CHOICE, PTN_IN_SERVER, "cluster", "who counts: all nodes together, or each for itself", 0, 0,
		count_words },
	{ "nodes", PTN_NUMBER, PTN_IN_SERVER, "1", "how many nodes share the store", 1, 10000, NULL },
	{ "when-away", PTN_CHOICE, PTN_IN_SERVER, "share",
		"while the store is away: a node's share of the limit, the full limit, or no mail", 0, 0, away_words },
	{ 0 },
};

static const PtnHookRow hooks[] = { { PTN_MAIL, look_back, PTN_INLINE },
	{ PTN_MESSAGE, count_message, PTN_INLINE | PTN_LATE }, { PTN_ROUTE, let_go, PTN_INLINE },
	{ PTN_TICK, ledger_settle_all, 0 }, { 0 } };

static const PtnCommand commands[] = {
	{ "usage", "CUSTOMER|LOGIN", "what was used of what is allowed", usage_show, .reads_only = true },
	{ 0 },
};

PTN_PLUGIN(limits) = {
	PTN_HEAD("limits"),
	.version = "1",
	.summary = "how much may be sent",
	.options = options,
	.hooks = hooks,
	.commands = commands,
	.instance_size = sizeof(Limits),
	.tick = PTN_SECOND,
	.start = start,
	.stop = stop,
};
