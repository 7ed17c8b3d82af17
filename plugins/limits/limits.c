/* limits - how much an account, a customer, a client, and a recipient domain may send, over several windows at once.
 *
 * A message is counted when it is complete, last of all, so that what others refuse does not count and copies do. */
#include "plugins/limits/limits.h"

#include <stdlib.h>
#include <string.h>

typedef enum { AT_LIMIT_REFUSE, AT_LIMIT_DEFER, AT_LIMIT_HOLD } AtLimit;

static AtLimit
at_limit(PtnHook *h)
{
	return (AtLimit)ptn_option_number(h, "at-limit");
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
	PtnEntry *account = ptn_account(h), *customer = ptn_customer(h);
	const struct {
		Scope scope;
		const char *who;
	} owners[] = { { SCOPE_ACCOUNT, account != NULL ? ptn_get(account, "name") : ptn_login(h) },
		{ SCOPE_CUSTOMER, customer != NULL ? ptn_get(customer, "name") : NULL },
		{ SCOPE_CLIENT, ptn_client(h) } };

	if (ptn_login(h) == NULL || at_limit(h) == AT_LIMIT_HOLD)
		return PTN_NEXT;
	for (size_t i = 0; i < G_N_ELEMENTS(owners); i++) {
		const char *words = owners[i].who != NULL ? known_find(h, owners[i].scope, owners[i].who) : NULL;

		if (words != NULL)
			return turn_away(h, owners[i].scope, owners[i].who, words);
	}
	return PTN_NEXT;
}

/* It would wait for ever, here or in the client's queue. */
static PtnVerdict
refuse_too_large(PtnHook *h, const Share *whose, const Limit *limit)
{
	ptn_count(h, "passed", 1);
	return ptn_refuse(h, PTN_RATE, 550, "5.7.1", "Error: this message alone is more than %s %s may send: %s",
		scope_name(whose->scope), whose->who, limit->words);
}

static PtnVerdict
count_submitted(PtnHook *h)
{
	const char *content_size = ptn_fact(h, "content-size");
	Message message = { .client = ptn_client(h), .recipients = (int64_t)ptn_recipients(h) };
	Limit passed;
	Share whose;

	if (ptn_login(h) == NULL)
		return PTN_NEXT;
	message.size = content_size != NULL ? strtoll(content_size, NULL, 10) : 0;
	message.octets = message.size * (1 + strtoll(ptn_fact(h, "copies"), NULL, 10));
	if (count_is_too_large(h, &message, &passed, &whose))
		return refuse_too_large(h, &whose, &passed);
	switch (count_message(h, &message, COUNT_WITHIN, &passed, &whose)) {
	case PTN_OK:
		return PTN_NEXT;
	case PTN_TAKEN:
		if (at_limit(h) != AT_LIMIT_HOLD)
			return turn_away(h, whose.scope, whose.who, passed.words);
		held_begin(h, &message, &whose, &passed);
		return PTN_NEXT;
	default:
		if (strcmp(ptn_option(h, "when-away"), "defer") == 0)
			return ptn_refuse(
				h, PTN_LOCAL, 451, "4.3.0", "Error: mail cannot be counted now, try again later");
		return ptn_fail(h, "the store cannot count now");
	}
}

/* ---- the plugin ---- */

static PtnVerdict
start(PtnHook *h)
{
	Limits *limits = ptn_instance(h);

	known_start(limits);
	held_start(limits);
	return PTN_NEXT;
}

static PtnVerdict
stop(PtnHook *h)
{
	Limits *limits = ptn_instance(h);

	held_stop(limits);
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
		"while the store is away: a node's share of the limit, all that is left of it, or no mail", 0, 0,
		away_words },
	{ 0 },
};

static const PtnHookRow hooks[] = { { PTN_MAIL, look_back, PTN_INLINE },
	{ PTN_MESSAGE, count_submitted, PTN_INLINE | PTN_LATE }, { PTN_ROUTE, held_route, PTN_INLINE }, { 0 } };

static const PtnCommand commands[] = {
	{ "usage", "CUSTOMER|LOGIN", "what was used of what is allowed", usage_show, .reads_only = true },
	{ 0 },
};

static const PtnShortWord short_words[] = { { "usage", "usage" }, { 0 } };

PTN_PLUGIN(limits) = {
	PTN_HEAD("limits"),
	.version = "1",
	.summary = "how much may be sent",
	.options = options,
	.hooks = hooks,
	.commands = commands,
	.short_words = short_words,
	.instance_size = sizeof(Limits),
	.start = start,
	.stop = stop,
};
