/* check.c - one check of one helper: what the answers mean, and what becomes of the domain. */
#include <stdlib.h>
#include <string.h>

#include "iphelper.h"

enum { ADDRESSES_MOST = 256, TRIES_MOST = 3 };

static const char *const options[] = { "iphelper.host", "iphelper.port", "iphelper.alert" };

bool
check_is_mode_supported(const char *mode)
{
	return g_strcmp0(mode, "redirect") == 0 || g_strcmp0(mode, "hold") == 0;
}

/* ---- what the answers mean ---- */

/* The answer is meant to be what the zone says now: a check comes when the TTL is over, or when somebody asked for it. */
void
check_start(PtnHook *h, Helper *helper)
{
	helper->begun = ptn_time_left(h);
	helper->lookups[0] = ptn_dns_start_fresh(h, helper->host, PTN_A);
	helper->lookups[1] = ptn_option_number(h, "ipv6") ? ptn_dns_start_fresh(h, helper->host, PTN_AAAA) : NULL;
}

bool
check_is_there(PtnHook *h, const Helper *helper)
{
	return helper->begun - ptn_time_left(h) > CHECK_MOST ||
		   (ptn_dns_is_there(h, helper->lookups[0]) && ptn_dns_is_there(h, helper->lookups[1]));
}

typedef struct {
	const char *addresses[ADDRESSES_MOST]; /* public ones */
	size_t n;
	int64_t ttl; /* least of the answers that have some */
	bool has_failed, has_unusable;
} Answers;

static void
take_answer(PtnHook *h, PtnLookup *lookup, const char *port, Answers *answers)
{
	const PtnAnswer *answer = ptn_dns_is_there(h, lookup) ? ptn_dns_wait(h, lookup) : NULL;
	const size_t before = answers->n;

	answers->has_failed |= answer == NULL || answer->status == PTN_UNSURE;
	if (answer == NULL || answer->status != PTN_OK)
		return;
	for (size_t i = 0; i < answer->count && answers->n < ADDRESSES_MOST; i++) {
		if (!ptn_is_private(h, answer->values[i], atoi(port)))
			answers->addresses[answers->n++] = answer->values[i];
		else
			answers->has_unusable = true;
	}
	if (answers->n > before && (before == 0 || answer->ttl < answers->ttl))
		answers->ttl = answer->ttl;
}

/* `present`: where the domain's mail goes now; NULL: nowhere. */
static const char *
choose(PtnHook *h, const Answers *answers, const char *present)
{
	if (ptn_option_number(h, "keep-address") && present != NULL)
		for (size_t i = 0; i < answers->n; i++)
			if (strcmp(answers->addresses[i], present) == 0)
				return answers->addresses[i];
	return answers->addresses[ptn_random(h, (uint32_t)answers->n)];
}

static Outcome
judge(PtnHook *h, const Helper *helper, const char *present)
{
	Answers answers = { 0 };

	for (size_t i = 0; i < G_N_ELEMENTS(helper->lookups); i++)
		if (helper->lookups[i] != NULL)
			take_answer(h, helper->lookups[i], helper->port, &answers);
	if (answers.n > 0)
		return (Outcome){ FOUND_ADDRESS, choose(h, &answers, present), answers.ttl };
	if (answers.has_failed)
		return (Outcome){ FOUND_FAILURE, NULL, ptn_option_number(h, "retry-failed") };
	if (answers.has_unusable)
		return (Outcome){ FOUND_INVALID, NULL, ptn_option_number(h, "retry-invalid") };
	return (Outcome){ FOUND_NONE, NULL, ptn_option_number(h, "retry-none") };
}

/* ---- what becomes of the domain ---- */

static const char *
change_text(PtnHook *h, const Helper *helper, const Outcome *outcome)
{
	const char *form = outcome->address != NULL && strchr(outcome->address, ':') != NULL ? "[%s]:%s" : "%s:%s";
	const char *target;

	if (outcome->finding != FOUND_ADDRESS)
		return "Accept and Hold Messages";
	target = form[0] == '[' ? ptn_format(h, "[%s]:%s", outcome->address, helper->port)
							: ptn_format(h, "%s:%s", outcome->address, helper->port);
	return ptn_format(h, "SMTP Redirection to %s", target);
}

static void
tell(PtnHook *h, const Helper *helper, PtnEntry *domain, const Outcome *outcome)
{
	const char *name = ptn_get(domain, "customer");
	PtnEntry *customer = NULL;
	const char *to = NULL;

	ptn_options_of(h, domain);
	if (ptn_option_number(h, "alert") == 0)
		return;
	if (name != NULL && ptn_find(h, PTN_CUSTOMER, name, &customer) == PTN_OK)
		to = ptn_get(customer, "alert");
	(void)ptn_notify(h, to, "iphelper", "domain", helper->domain, "change", change_text(h, helper, outcome),
		"customer", name, "mode", ptn_get(domain, "mode"), "host", helper->host, "address", outcome->address,
		"port", helper->port, "reason", state_finding_text(outcome->finding), NULL);
}

/* False: it is so already. */
static bool
set_wanted(PtnEntry *domain, const Helper *helper, const Outcome *outcome)
{
	const bool is_redirect = g_strcmp0(ptn_get(domain, "mode"), "redirect") == 0;

	if (outcome->finding != FOUND_ADDRESS) {
		ptn_set(domain, "mode", "hold");
		return is_redirect;
	}
	if (is_redirect && g_strcmp0(ptn_get(domain, "destination"), outcome->address) == 0 &&
		g_strcmp0(ptn_get(domain, "port"), helper->port) == 0)
		return false;
	ptn_set(domain, "mode", "redirect");
	ptn_set(domain, "destination", outcome->address);
	ptn_set(domain, "port", helper->port);
	return true;
}

/* What the helper decides on; a change of anything else by somebody else does not concern it. */
static char *
facts_of(PtnEntry *domain)
{
	static const char *const names[] = { "mode", "destination", "port", "iphelper.host", "iphelper.port" };
	GString *text = g_string_new(NULL);

	for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
		const char *value = ptn_get(domain, names[i]);

		g_string_append_printf(text, "%s\n", value != NULL ? value : "");
	}
	return g_string_free(text, FALSE);
}

/* Mode and destination are one record.  TAKEN: somebody changed the domain a moment ago; if it was what we decide on,
 * theirs stays until the next check. */
static PtnStatus
switch_domain(PtnHook *h, const Helper *helper, PtnEntry *domain, const Outcome *outcome)
{
	const bool was_redirect = g_strcmp0(ptn_get(domain, "mode"), "redirect") == 0;
	g_autofree char *facts = facts_of(domain);
	PtnStatus status = PTN_TAKEN;

	for (int i = 0; i < TRIES_MOST && status == PTN_TAKEN; i++) {
		g_autofree char *now = NULL;

		if (i > 0 && ptn_find(h, PTN_DOMAIN, helper->domain, &domain) != PTN_OK)
			return PTN_UNSURE;
		now = facts_of(domain);
		if (strcmp(now, facts) != 0)
			return PTN_TAKEN;
		if (!set_wanted(domain, helper, outcome))
			return PTN_OK;
		status = ptn_save(h, domain);
	}
	if (status != PTN_OK)
		return status;
	ptn_log(h, PTN_INFO, "%s: %s (%s: %s)", helper->domain, change_text(h, helper, outcome), helper->host,
		state_finding_text(outcome->finding));
	ptn_count(h, "changes", 1);
	if (was_redirect != (outcome->finding == FOUND_ADDRESS))
		tell(h, helper, domain, outcome);
	return PTN_OK;
}

void
check_remove(PtnHook *h, PtnEntry *domain)
{
	const char *name = ptn_get(domain, "name");

	for (size_t i = 0; i < G_N_ELEMENTS(options); i++)
		ptn_set(domain, options[i], NULL);
	if (ptn_save(h, domain) != PTN_OK)
		return; /* the next scan comes by again */
	state_remove(h, name);
	ptn_log(h, PTN_INFO, "%s: the helper is removed, mode %s has none", name, ptn_get(domain, "mode"));
}

void
check_finish(PtnHook *h, Helper *helper)
{
	const int64_t now = ptn_now(h);
	PtnEntry *domain = NULL;
	Outcome outcome;

	if (ptn_find(h, PTN_DOMAIN, helper->domain, &domain) != PTN_OK)
		return; /* gone: the next walk does not see it; or not to be read: it stays due */
	if (!check_is_mode_supported(ptn_get(domain, "mode"))) {
		check_remove(h, domain);
		return;
	}
	if (g_strcmp0(ptn_get(domain, "iphelper.host"), helper->host) != 0 ||
		g_strcmp0(ptn_get(domain, "iphelper.port"), helper->port) != 0)
		return;
	outcome = judge(h, helper, ptn_get(domain, "destination"));
	ptn_count(h, "checks", 1);
	if (switch_domain(h, helper, domain, &outcome) != PTN_OK)
		return;
	g_free(helper->state.target);
	helper->state =
		(State){ now, now + outcome.ttl, outcome.finding, g_strdup_printf("%s:%s", helper->host, helper->port) };
	state_write(h, helper->domain, &helper->state);
}
