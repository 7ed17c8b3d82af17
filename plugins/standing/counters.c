/* counters.c - counting per account over a window, all counters of an account under one key; and the rules. */
#include <string.h>

#include "plugins/standing/standing.h"

enum { WAITS_MOST = 100000 };

typedef struct {
	int64_t messages, recipients;
} Waiting;

/* ---- accepted mail ---- */

void
counters_remember(PtnHook *h, const char *login, int64_t recipients)
{
	Standing *own = ptn_instance(h);
	Waiting *waiting;

	g_mutex_lock(&own->lock);
	waiting = g_hash_table_lookup(own->waits, login);
	if (waiting == NULL && g_hash_table_size(own->waits) < WAITS_MOST) {
		waiting = g_new0(Waiting, 1);
		g_hash_table_insert(own->waits, g_strdup(login), waiting);
	}
	if (waiting != NULL) {
		waiting->messages++;
		waiting->recipients += recipients;
	}
	g_mutex_unlock(&own->lock);
}

static Waiting
counters_take(PtnHook *h, const char *login)
{
	Standing *own = ptn_instance(h);
	Waiting taken = { 0 };
	const Waiting *waiting;

	g_mutex_lock(&own->lock);
	waiting = g_hash_table_lookup(own->waits, login);
	if (waiting != NULL)
		taken = *waiting;
	g_hash_table_remove(own->waits, login);
	g_mutex_unlock(&own->lock);
	return taken;
}

/* ---- the store ---- */

static const char *
counters_key(PtnHook *h, const char *login)
{
	return ptn_format(h, "account/%s", login);
}

static Counters
counters_of(const Waiting *waiting)
{
	Counters counters = { { waiting->messages, waiting->recipients } };

	counters.totals[COUNT_COMPLAINED_OF] = waiting->recipients;
	return counters;
}

/* Over which complaints are counted. */
static int64_t
complaints_window(PtnHook *h)
{
	PtnRate rate = { .window = 7 * DAY };

	(void)ptn_option_rates(h, "complaints", &rate, 1);
	return rate.window;
}

static PtnStatus
counters_tally(PtnHook *h, const char *login, const Counters *added, Counters *counters)
{
	static const char *const names[COUNTS] = { "messages", "recipients", "errors", "unverified", "undeliverable",
		"complaints", "reporters", "complained-of" };
	const int64_t window = ptn_option_number(h, "window");
	const int64_t of_complaints = complaints_window(h);
	PtnTally tallies[COUNTS];
	PtnStatus status;

	for (size_t i = 0; i < COUNTS; i++) {
		const int64_t own = i >= COUNT_COMPLAINTS ? of_complaints : window;

		tallies[i] = (PtnTally){ .name = ptn_format(h, "%s/%lld", names[i], (long long)(own / PTN_SECOND)),
			.n = added->totals[i],
			.window = own };
	}
	status = ptn_store_tally(h, counters_key(h, login), tallies, COUNTS);
	for (size_t i = 0; i < COUNTS; i++)
		counters->totals[i] = tallies[i].total;
	return status;
}

PtnStatus
counters_read(PtnHook *h, const char *login, Counters *counters)
{
	const Waiting waiting = counters_take(h, login);
	const Counters added = counters_of(&waiting);

	return counters_tally(h, login, &added, counters);
}

/* ---- reporters ---- */

static const char *
generation_key(PtnHook *h, const char *login)
{
	return ptn_format(h, "generation/%s", login);
}

/* One key for each account and reporter, of any length: another one in each window, and when the counters were forgotten
 * within it.  NULL: it cannot be told. */
static const char *
reporter_key(PtnHook *h, const char *login, const char *reporter)
{
	const int64_t window = complaints_window(h);
	const char *generation = NULL;
	const PtnStatus status = ptn_store_get(h, generation_key(h, login), &generation);
	g_autofree char *words = NULL, *digest = NULL;

	if (status != PTN_OK && status != PTN_NONE)
		return NULL;
	words = g_strdup_printf("%s\n%s\n%s\n%" G_GINT64_FORMAT "\n%" G_GINT64_FORMAT, login, reporter,
		status == PTN_OK ? generation : "", (gint64)window, (gint64)(ptn_now(h) / window));
	digest = g_compute_checksum_for_string(G_CHECKSUM_SHA256, words, -1);
	return ptn_format(h, "reporter/%s", digest);
}

void
counters_forget(PtnHook *h, const char *login)
{
	const int64_t window = complaints_window(h);

	(void)counters_take(h, login);
	(void)ptn_store_remove(h, counters_key(h, login));
	/* until the window ends: the next one has reporters of its own */
	(void)ptn_store_set(h, generation_key(h, login), ptn_format(h, "%lld", (long long)ptn_now(h)),
		window - ptn_now(h) % window);
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

/* Whose options hold from here on; false: it may not send anyway, and counting begins when it may again. */
static bool
counters_open(PtnHook *h, const char *login, bool *is_exempt)
{
	PtnEntry *entry;

	*is_exempt = false;
	if (ptn_find(h, PTN_ACCOUNT, login, &entry) != PTN_OK)
		return true;
	ptn_options_of(h, entry);
	*is_exempt = ptn_option_number(h, "exempt") != 0;
	return g_strcmp0(ptn_get(entry, "enabled"), "no") != 0;
}

/* Whoever reported before in this window counts as no other reporter. */
static PtnStatus
counters_tally_complaint(
	PtnHook *h, const char *login, const char *reporter, Counters *added, Counters *counters)
{
	const char *key = reporter != NULL ? reporter_key(h, login, reporter) : NULL;
	PtnStatus claimed = PTN_OK, status;

	if (reporter != NULL)
		claimed = key != NULL ? ptn_store_claim(h, key, "1", complaints_window(h)) : PTN_UNSURE;
	if (claimed != PTN_OK && claimed != PTN_TAKEN)
		return PTN_UNSURE;
	added->totals[COUNT_REPORTERS] += claimed == PTN_OK;
	status = counters_tally(h, login, added, counters);
	if (status != PTN_OK && key != NULL && claimed == PTN_OK)
		(void)ptn_store_remove(h, key);
	return status;
}

static PtnStatus
counters_add_one(PtnHook *h, const char *login, Count count, const char *reporter, const char *detail)
{
	PtnStatus status;
	Rule rules[RULES];
	Counters counters, added;
	Waiting waiting;
	bool is_exempt;

	if (!counters_open(h, login, &is_exempt))
		return PTN_OK;
	waiting = counters_take(h, login);
	added = counters_of(&waiting);
	added.totals[count]++;
	status = count == COUNT_COMPLAINTS ? counters_tally_complaint(h, login, reporter, &added, &counters)
									   : counters_tally(h, login, &added, &counters);
	if (status != PTN_OK)
		return PTN_UNSURE;
	counters_judge(h, &counters, rules);
	for (size_t i = 0; i < RULES && !is_exempt; i++)
		if (rules[i].is_passed)
			return action_take(h, login, i + 1 < RULES ? "action" : "complaint-action",
				ptn_format(h, "excessive %s: %s", rules[i].what, rules[i].words), detail);
	return PTN_OK;
}

PtnStatus
counters_add(PtnHook *h, const char *login, Count count)
{
	return counters_add_one(h, login, count, NULL, "");
}

PtnStatus
counters_add_complaint(PtnHook *h, const char *login, const char *reporter, const char *detail)
{
	return counters_add_one(h, login, COUNT_COMPLAINTS, reporter, detail);
}

void
counters_flush(PtnHook *h)
{
	Standing *own = ptn_instance(h);
	g_autoptr(GPtrArray) logins = g_ptr_array_new_with_free_func(g_free);
	Counters counters;
	GHashTableIter iter;
	void *login;
	bool is_exempt;

	g_mutex_lock(&own->lock);
	g_hash_table_iter_init(&iter, own->waits);
	while (g_hash_table_iter_next(&iter, &login, NULL))
		g_ptr_array_add(logins, g_strdup(login));
	g_mutex_unlock(&own->lock);
	for (guint i = 0; i < logins->len && ptn_time_left(h) > PTN_SECOND; i++) {
		if (counters_open(h, logins->pdata[i], &is_exempt))
			(void)counters_read(h, logins->pdata[i], &counters);
		else
			(void)counters_take(h, logins->pdata[i]);
	}
}
