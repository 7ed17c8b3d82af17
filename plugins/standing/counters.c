/* counters.c - counting per account, the counters of a place under two keys: those of shares and those of complaints; and the
 * rules.  What the store does not take is kept by ptn_store_count(). */
#include <string.h>

#include "plugins/standing/claim.h"
#include "plugins/standing/standing.h"

/* ---- the store ---- */

/* The first key has the counters of shares, the second those of complaints. */
static PtnStatus
counters_tally(PtnHook *h, const char *key, int64_t end, size_t first, size_t last, Counters *counters)
{
	static const char *const names[COUNTS] = { "messages", "recipients", "errors", "unverified", "undeliverable",
		"complaints", "reporters", "complained-of" };
	PtnTally tallies[COUNTS];
	PtnStatus status;

	for (size_t i = first; i < last; i++)
		tallies[i] = (PtnTally){ .name = names[i], .n = counters->totals[i], .window = end };
	status = ptn_store_count(h, key, tallies + first, last - first);
	for (size_t i = first; i < last; i++)
		counters->totals[i] = tallies[i].total;
	return status;
}

/* Adds what `counters` has, which then is what there is. */
static PtnStatus
counters_tally_shares(PtnHook *h, const char *login, const Place *place, Counters *counters)
{
	return counters_tally(
		h, place_shares_key(h, place, login), place_shares_end(place), 0, COUNT_COMPLAINTS, counters);
}

static PtnStatus
counters_tally_complaints(PtnHook *h, const char *login, const Place *place, Counters *counters)
{
	return counters_tally(
		h, place_complaints_key(h, place, login), place_complaints_end(place), COUNT_COMPLAINTS, COUNTS, counters);
}

PtnStatus
counters_read(PtnHook *h, const char *login, const Place *place, Counters *counters)
{
	PtnStatus status;

	*counters = (Counters){ 0 };
	status = counters_tally_shares(h, login, place, counters);
	return status == PTN_OK ? counters_tally_complaints(h, login, place, counters) : status;
}

void
counters_remember(PtnHook *h, const char *login, const Place *place, int64_t recipients)
{
	const int64_t shares = place_shares_end(place), complaints = place_complaints_end(place);
	const PtnTally accepted[] = { { .name = "messages", .n = 1, .window = shares },
		{ .name = "recipients", .n = recipients, .window = shares }, { .name = "errors", .window = shares },
		{ .name = "unverified", .window = shares }, { .name = "undeliverable", .window = shares } };
	const PtnTally complained_of[] = { { .name = "complaints", .window = complaints },
		{ .name = "reporters", .window = complaints },
		{ .name = "complained-of", .n = recipients, .window = complaints } };

	if (place_is_open(h, place))
		ptn_store_count_later(h, place_shares_key(h, place, login), accepted, G_N_ELEMENTS(accepted));
	if (place_is_open_for_complaints(h, place))
		ptn_store_count_later(
			h, place_complaints_key(h, place, login), complained_of, G_N_ELEMENTS(complained_of));
}

/* ---- reporters ---- */

static const char *
generation_key(PtnHook *h, const char *login)
{
	return ptn_format(h, "generation/%s", login);
}

/* One key for each account, reporter and place, of any length; another one when the place was forgotten.  NULL: it cannot be
 * told. */
static const char *
reporter_key(PtnHook *h, const char *login, const Place *place, const char *reporter)
{
	const char *generation = "", *words;
	const PtnStatus status = ptn_store_get(h, generation_key(h, login), &generation);
	g_autofree char *digest = NULL;

	if (status != PTN_OK && status != PTN_NONE)
		return NULL;
	words = ptn_format(h, "%s\n%s\n%s", reporter, place_complaints_key(h, place, login), generation);
	digest = g_compute_checksum_for_string(G_CHECKSUM_SHA256, words, -1);
	return ptn_format(h, "reporter/%s", digest);
}

void
counters_forget(PtnHook *h, const char *login, const Place *place)
{
	(void)ptn_store_count_anew(h, place_shares_key(h, place, login));
	(void)ptn_store_count_anew(h, place_complaints_key(h, place, login));
	(void)ptn_store_set(h, generation_key(h, login), ptn_format(h, "%lld", (long long)ptn_now(h)),
		place_complaints_end(place) - ptn_now(h));
}

/* ---- the rules ---- */

static void
rule_of_share(PtnHook *h, Rule *rule, const char *option, const char *unit)
{
	rule->most = ptn_option_number(h, option);
	rule->percent = rule->of > 0 ? rule->count * 100 / rule->of : 0;
	rule->words = ptn_format(h, "%lld of %lld %s", (long long)rule->count, (long long)rule->of, unit);
	rule->is_passed =
		rule->of >= ptn_option_number(h, "least") && rule->count * 100 > rule->most * rule->of && rule->most < 100;
}

void
counters_judge(PtnHook *h, const Counters *counters, Rule rules[RULES])
{
	const int64_t *totals = counters->totals;
	const int64_t attempts = totals[COUNT_MESSAGES] + totals[COUNT_ERRORS] + totals[COUNT_UNVERIFIED];
	PtnRate rate = { 0 };

	rules[0] = (Rule){ .what = "errors", .count = totals[COUNT_ERRORS], .of = attempts };
	rule_of_share(h, &rules[0], "most-errors", "attempts");
	rules[1] = (Rule){ .what = "failed sender verifications", .count = totals[COUNT_UNVERIFIED], .of = attempts };
	rule_of_share(h, &rules[1], "most-unverified", "attempts");
	rules[2] = (Rule){
		.what = "undeliverable mail", .count = totals[COUNT_UNDELIVERABLE], .of = totals[COUNT_RECIPIENTS]
	};
	rule_of_share(h, &rules[2], "most-undeliverable", "recipients");
	rules[3] =
		(Rule){ .what = "complaints", .count = totals[COUNT_COMPLAINTS], .of = totals[COUNT_COMPLAINED_OF] };
	if (ptn_option_rates(h, "complaints", &rate, 1) > 0) {
		rules[3].most = rate.most;
		rules[3].is_passed = rules[3].count >= rate.most &&
							 totals[COUNT_REPORTERS] >= ptn_option_number(h, "complaint-reporters") &&
							 rules[3].count * 1000 > ptn_option_number(h, "complaint-share") * rules[3].of;
	}
	rules[3].words = ptn_format(h, "%lld about %lld recipients, by %lld reporters, within %lld hours",
		(long long)rules[3].count, (long long)rules[3].of, (long long)totals[COUNT_REPORTERS],
		(long long)((rate.window > 0 ? rate.window : 7 * DAY) / (3600 * PTN_SECOND)));
}

/* ---- counting ---- */

/* Acts by the rules from `first` to before `last`.  `place`: in whose windows they were passed. */
static PtnStatus
counters_act(PtnHook *h, const char *login, const Place *place, const Counters *counters, size_t first,
	size_t last, const char *detail)
{
	Rule rules[RULES];

	counters_judge(h, counters, rules);
	for (size_t i = first; i < last; i++) {
		const bool is_share = i + 1 < RULES;
		const char *when = is_share ? place_words(h, place->window, place->start)
									: place_words(h, place->complaints_window, place->complaints_start);

		if (rules[i].is_passed)
			return action_take(h, login, place, is_share ? "action" : "complaint-action",
				ptn_format(h, "excessive %s: %s%s", rules[i].what, rules[i].words, when), detail);
	}
	return PTN_OK;
}

typedef struct {
	Place place;
	bool is_exempt;
} Opened;

/* The place of an event, and whose options hold from here on.  NONE: it does not count: the account may not send anyway, or may
 * again since. */
static PtnStatus
counters_open(PtnHook *h, const Event *event, Opened *opened)
{
	PtnEntry *account = NULL, *customer = NULL;
	PtnStatus status = ptn_find(h, PTN_ACCOUNT, event->login, &account);
	const char *owner = status == PTN_OK ? ptn_get(account, "customer") : NULL;

	*opened = (Opened){ .place = event->place };
	if (owner != NULL && ptn_find(h, PTN_CUSTOMER, owner, &customer) == PTN_UNSURE)
		status = PTN_UNSURE;
	if (status == PTN_UNSURE)
		return PTN_UNSURE;
	if (account != NULL) {
		ptn_options_of(h, account);
		opened->is_exempt = ptn_option_number(h, "exempt") != 0;
		if (g_strcmp0(ptn_get(account, "enabled"), "no") == 0)
			return PTN_NONE;
	}
	opened->place = place_at(h, account, customer, event->at);
	if (event->has_place ? event->place.beginning < opened->place.beginning
						 : place_is_before(h, account, customer, event->at))
		return PTN_NONE;
	if (event->has_place)
		opened->place = event->place;
	return PTN_OK;
}

/* While the store does not answer nothing is judged: what this node has kept is a part of what there is. */
static PtnStatus
counters_add_share(PtnHook *h, const Event *event, const Opened *opened)
{
	Counters counters = { 0 };

	if (!place_is_open(h, &opened->place))
		return PTN_OK;
	counters.totals[event->count] = event->is_counted ? 0 : 1;
	if (counters_tally_shares(h, event->login, &opened->place, &counters) != PTN_OK) {
		later_judge(h, event, &opened->place);
		return PTN_UNSURE;
	}
	if (opened->is_exempt)
		return PTN_OK;
	return counters_act(h, event->login, &opened->place, &counters, 0, RULE_COMPLAINTS, "");
}

PtnStatus
counters_add(PtnHook *h, const Event *event)
{
	Opened opened;
	PtnStatus status = counters_open(h, event, &opened);

	/* what came before comes first; then other options are at hand */
	if (status == PTN_OK && !event->has_waited && later_tick(h))
		status = counters_open(h, event, &opened);
	if (status == PTN_OK)
		status = counters_add_share(h, event, &opened);
	else if (status == PTN_UNSURE)
		later_count(h, event);
	return status == PTN_UNSURE ? PTN_UNSURE : PTN_OK;
}

/* Whoever reported before in this place counts as no other reporter.  `key`: what claim_end() wants; NULL: nothing. */
static PtnStatus
counters_claim_reporter(PtnHook *h, const Event *event, const Place *place, const char *reporter, const char **key)
{
	PtnStatus status;

	*key = NULL;
	if (reporter == NULL)
		return PTN_OK;
	*key = reporter_key(h, event->login, place, reporter);
	status = *key != NULL ? claim_begin(h, *key, place_complaints_end(place) - ptn_now(h)) : PTN_UNSURE;
	if (status != PTN_OK)
		*key = NULL;
	return status;
}

/* What is kept of a complaint is judged with the next one. */
PtnStatus
counters_add_complaint(PtnHook *h, const Event *event, const char *reporter, const char *detail)
{
	Counters counters = { .totals[COUNT_COMPLAINTS] = 1 };
	PtnStatus status, claimed;
	const char *key;
	Opened opened;

	status = counters_open(h, event, &opened);
	if (status != PTN_OK)
		return status;
	if (!place_is_open_for_complaints(h, &opened.place))
		return PTN_NONE;
	claimed = counters_claim_reporter(h, event, &opened.place, reporter, &key);
	if (claimed == PTN_UNSURE)
		return PTN_UNSURE;
	counters.totals[COUNT_REPORTERS] = claimed == PTN_OK;
	status = counters_tally_complaints(h, event->login, &opened.place, &counters);
	if (key != NULL)
		claim_end(h, key, place_complaints_end(&opened.place) - ptn_now(h));
	if (status == PTN_OK && !opened.is_exempt)
		(void)counters_act(h, event->login, &opened.place, &counters, RULE_COMPLAINTS, RULES, detail);
	return PTN_OK;
}
