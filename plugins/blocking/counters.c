/* counters.c - counting over windows of the store, shared by the cluster. */
#include "plugins/blocking/counters.h"

const Counter counters[COUNTERS] = {
	[COUNT_AUTH_FAILURES] = { "auth-failures", "failed authentications" },
	[COUNT_LOGINS] = { "logins", "many logins tried" },
	[COUNT_LISTED] = { "listed", "refused as a listed client" },
	[COUNT_CONNECTIONS] = { "connections", "too many connections" },
	[COUNT_ERRORS] = { "errors", "protocol errors" },
	[COUNT_NOT_SMTP] = { "not-smtp", "spoke something else than SMTP" },
	[COUNT_PROBES] = { "probes", "connected without ever authenticating" },
	[COUNT_RELAY_ATTEMPTS] = { "relay-attempts", "tried to relay" },
	[COUNT_REJECTS] = { "rejects", "mail against the rules" },
	[COUNT_CONTENT] = { "content", "unwanted content" },
};

static const char *
counter_key(PtnHook *h, CounterNumber number, const char *who)
{
	return ptn_format(h, "count/%s/%s", counters[number].name, who);
}

/* The chance is such that each threshold from three quarters of `most` to `most` is as likely as any other. */
static bool
is_too_much(PtnHook *h, int64_t total, int64_t most)
{
	const int64_t least = most - most / 4;

	if (total < least)
		return false;
	return total >= most || ptn_random(h, (uint32_t)(most - total + 1)) == 0;
}

bool
counter_add(PtnHook *h, CounterNumber number, const char *who)
{
	PtnRate rate;
	int64_t total;

	if (ptn_option_rates(h, counters[number].name, &rate, 1) == 0 ||
		ptn_store_add(h, counter_key(h, number, who), 1, rate.window, &total) != PTN_OK)
		return false;
	return is_too_much(h, total, rate.most);
}

int64_t
counter_read(PtnHook *h, CounterNumber number, const char *who)
{
	PtnRate rate;
	int64_t total;

	if (ptn_option_rates(h, counters[number].name, &rate, 1) == 0 ||
		ptn_store_add(h, counter_key(h, number, who), 0, rate.window, &total) != PTN_OK)
		return 0;
	return total;
}

void
counter_forget(PtnHook *h, CounterNumber number, const char *who)
{
	(void)ptn_store_remove(h, counter_key(h, number, who));
}
