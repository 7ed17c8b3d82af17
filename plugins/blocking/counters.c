/* counters.c - counting over windows of the store, shared by the cluster; all counters of a client under one key. */
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
counters_key(PtnHook *h, const char *who)
{
	return ptn_format(h, "client/%s", who);
}

typedef struct {
	PtnTally tallies[COUNTERS];
	size_t n;
	size_t places[COUNTERS]; /* of each counter in `tallies`; COUNTERS: it is off */
	int64_t most[COUNTERS];
} Tallies;

/* A counter over another time is another one. */
static void
tallies_init(PtnHook *h, Tallies *tallies)
{
	*tallies = (Tallies){ 0 };
	for (CounterNumber i = 0; i < COUNTERS; i++) {
		PtnRate rate;

		tallies->places[i] = COUNTERS;
		if (ptn_option_rates(h, counters[i].name, &rate, 1) == 0)
			continue;
		tallies->most[i] = rate.most;
		tallies->places[i] = tallies->n;
		tallies->tallies[tallies->n++] =
			(PtnTally){ .name = ptn_format(h, "%s/%lld", counters[i].name, (long long)(rate.window / PTN_SECOND)),
				.window = rate.window };
	}
}

static PtnStatus
tallies_store(PtnHook *h, const char *who, Tallies *tallies)
{
	return tallies->n > 0 ? ptn_store_count(h, counters_key(h, who), tallies->tallies, tallies->n) : PTN_OK;
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
	Tallies tallies;
	PtnTally *tally;

	tallies_init(h, &tallies);
	if (tallies.places[number] == COUNTERS)
		return false;
	tally = &tallies.tallies[tallies.places[number]];
	tally->n = 1;
	(void)tallies_store(h, who, &tallies);
	if (!is_too_much(h, tally->total, tallies.most[number]))
		return false;
	client_counters_forget(h, who);
	return true;
}

void
client_counters_read(PtnHook *h, const char *who, int64_t totals[COUNTERS])
{
	Tallies tallies;

	tallies_init(h, &tallies);
	(void)tallies_store(h, who, &tallies);
	for (CounterNumber i = 0; i < COUNTERS; i++)
		totals[i] = tallies.places[i] < COUNTERS ? tallies.tallies[tallies.places[i]].total : 0;
}

/* Others may count meanwhile: what was there is taken away, no more. */
void
counter_forget(PtnHook *h, CounterNumber number, const char *who)
{
	Tallies tallies;
	PtnTally *tally;

	tallies_init(h, &tallies);
	if (tallies.places[number] == COUNTERS)
		return;
	tally = &tallies.tallies[tallies.places[number]];
	(void)tallies_store(h, who, &tallies);
	tally->n = -tally->total;
	if (tally->n != 0)
		(void)tallies_store(h, who, &tallies);
}

void
client_counters_forget(PtnHook *h, const char *who)
{
	(void)ptn_store_count_anew(h, counters_key(h, who));
}
