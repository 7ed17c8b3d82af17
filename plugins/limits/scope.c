/* scope.c - counters of one scope are one tally of the store: one step, all or none. */
#include <string.h>

#include "plugins/limits/limits.h"

enum { WINDOWS = LIMITS_MOST / KINDS };

/* Options of the scopes, by kind. */
static const char *const options_of[SCOPES][KINDS] = {
	[SCOPE_ACCOUNT] = { "messages", "recipients", "bytes" },
	[SCOPE_CUSTOMER] = { "customer-messages", "customer-recipients", "customer-bytes" },
	[SCOPE_CLIENT] = { "client-messages", "client-recipients", "client-bytes" },
	[SCOPE_DOMAIN] = { "domain-messages", "domain-recipients", "domain-bytes" },
};

const char *
scope_name(Scope scope)
{
	static const char *const names[] = { "account", "customer", "client", "domain" };

	return names[scope];
}

const char *
kind_name(Kind kind)
{
	return options_of[SCOPE_ACCOUNT][kind];
}

const char *
window_text(PtnHook *h, int64_t window)
{
	static const struct {
		int64_t seconds;
		char unit;
	} units[] = { { 86400, 'd' }, { 3600, 'h' }, { 60, 'm' }, { 1, 's' } };
	const int64_t seconds = window / PTN_SECOND;

	for (size_t i = 0; i < sizeof units / sizeof *units; i++)
		if (seconds % units[i].seconds == 0)
			return ptn_format(h, "%lld%c", (long long)(seconds / units[i].seconds), units[i].unit);
	return "";
}

static bool
is_per_node(PtnHook *h)
{
	return strcmp(ptn_option(h, "count"), "node") == 0;
}

/* Counted by all nodes together, or by each alone. */
static const char *
scope_key(PtnHook *h, const Share *share)
{
	const char *where = is_per_node(h) ? "node/" : "";

	return ptn_format(h, "%s%s/%s", where, scope_name(share->scope), share->who);
}

/* Among how many nodes a limit is divided while the store is unavailable. */
static int64_t
nodes_alone(PtnHook *h)
{
	const char *when_away = ptn_option(h, "when-away");

	if (strcmp(when_away, "defer") == 0)
		return PTN_NOT_ALONE;
	return is_per_node(h) || strcmp(when_away, "share") != 0 ? 0 : ptn_option_number(h, "nodes");
}

size_t
scope_limits(PtnHook *h, Scope scope, Limit *limits)
{
	const int64_t now = ptn_now(h);
	size_t n = 0;

	for (Kind kind = KIND_MESSAGES; kind < KINDS; kind++) {
		PtnRate rates[WINDOWS];
		const size_t found = ptn_option_rates(h, options_of[scope][kind], rates, WINDOWS);

		for (size_t i = 0; i < found; i++)
			limits[n++] = (Limit){ .kind = kind,
				.most = rates[i].most,
				.window = rates[i].window,
				.ends = now - now % rates[i].window + rates[i].window,
				.words = ptn_format(h, "%lld %s per %s", (long long)rates[i].most, kind_name(kind),
					window_text(h, rates[i].window)) };
	}
	return n;
}

/* `most_now` of each limit: what it may come to now. */
static PtnStatus
scope_tally(PtnHook *h, const Share *share, int sign, bool is_beyond, Limit *limits, size_t n, bool *is_alone)
{
	PtnTally tallies[LIMITS_MOST];
	PtnStatus status;

	for (size_t i = 0; i < n; i++)
		tallies[i] = (PtnTally){
			.name = ptn_format(h, "%s/%s", kind_name(limits[i].kind), window_text(h, limits[i].window)),
			.n = sign * share->amounts[limits[i].kind],
			.window = limits[i].window,
			.most = sign > 0 && !is_beyond ? limits[i].most : 0,
			.nodes = nodes_alone(h)
		};
	status = ptn_store_tally(h, scope_key(h, share), tallies, n);
	for (size_t i = 0; i < n; i++) {
		limits[i].total = tallies[i].total;
		limits[i].most_now = tallies[i].most_now;
	}
	*is_alone = tallies[0].is_alone;
	return status;
}

PtnStatus
scope_count(PtnHook *h, const Share *share, bool is_beyond, Limit *limits, size_t *n, bool *is_alone)
{
	PtnStatus status;

	*is_alone = false;
	*n = scope_limits(h, share->scope, limits);
	if (*n == 0)
		return PTN_OK;
	status = scope_tally(h, share, 1, is_beyond, limits, *n, is_alone);
	for (size_t i = 0; status == PTN_TAKEN && i < *n; i++) {
		const Limit passed = limits[i];

		if (passed.total + share->amounts[passed.kind] <= passed.most_now)
			continue;
		limits[i] = limits[0];
		limits[0] = passed;
		break;
	}
	return status;
}

void
scope_uncount(PtnHook *h, const Share *share)
{
	Limit limits[LIMITS_MOST];
	const size_t n = scope_limits(h, share->scope, limits);
	bool is_alone;

	if (n > 0)
		(void)scope_tally(h, share, -1, false, limits, n, &is_alone);
}
