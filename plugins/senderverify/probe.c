/* probe.c - probes: one per address at a time in the whole cluster, a bounded number per exchanger on this node.
 *
 * A probe follows the public exchangers, also where they are ourselves. */
#include "senderverify.h"

#include <stdio.h>
#include <string.h>

enum { EXCHANGERS_MOST = 5 };

#define CLAIM_TIME (1000 * PTN_SECOND) /* a node that died in a probe blocks its address no longer */
#define LEAST_TIME (PTN_SECOND / 10)   /* with less, no further exchanger is asked */

/* ---- the cap ---- */

/* NULL: too many are under way to it, or in all. */
static Destination *
take_destination(PtnHook *h, const char *exchanger)
{
	const unsigned most = (unsigned)ptn_option_number(h, "per-destination");
	const unsigned most_in_all = (unsigned)ptn_option_number(h, "most-probes");
	Instance *instance = ptn_instance(h);
	Destination *found = NULL, *empty = NULL;

	(void)pthread_mutex_lock(&instance->lock);
	for (size_t i = 0; i < VERIFY_DESTINATIONS; i++) {
		Destination *destination = &instance->destinations[i];

		if (destination->probes > 0 && strncmp(destination->name, exchanger, VERIFY_NAME - 1) == 0)
			found = destination;
		else if (destination->probes == 0)
			empty = destination;
	}
	if (found == NULL && empty != NULL)
		(void)snprintf(empty->name, sizeof empty->name, "%s", exchanger);
	found = found != NULL ? found : empty;
	if (found != NULL && (found->probes >= most || instance->probes >= most_in_all))
		found = NULL;
	if (found != NULL) {
		found->probes++;
		instance->probes++;
	}
	(void)pthread_mutex_unlock(&instance->lock);
	return found;
}

static void
give_destination_back(PtnHook *h, Destination *destination)
{
	Instance *instance = ptn_instance(h);

	(void)pthread_mutex_lock(&instance->lock);
	destination->probes--;
	instance->probes--;
	(void)pthread_mutex_unlock(&instance->lock);
}

/* ---- asking ---- */

static const char *
name_of(const char *exchanger)
{
	const char *space = strchr(exchanger, ' ');

	return space != NULL ? space + 1 : exchanger;
}

/* Of several equal ones the same for all probes: they come in random order. */
static const char *
destination_name(const PtnAnswer *exchangers)
{
	const char *first = exchangers->values[0], *least = name_of(first);
	const size_t size = (size_t)(least - first);

	for (size_t i = 1; i < exchangers->count; i++)
		if (strncmp(exchangers->values[i], first, size) == 0 && strcmp(name_of(exchangers->values[i]), least) < 0)
			least = name_of(exchangers->values[i]);
	return least;
}

/* The first that takes or refuses the address decides.  If all turn us away before that, they refuse the domain; one
 * that there was no time to ask did not. */
static Outcome
ask_exchangers(PtnHook *h, const PtnAnswer *exchangers, const char *address, bool learns)
{
	Outcome outcome = { .verdict = VERDICT_NONE }, unsure = { .verdict = VERDICT_NONE };

	for (size_t i = 0; i < exchangers->count && i < EXCHANGERS_MOST; i++) {
		if (ptn_time_left(h) <= LEAST_TIME) {
			const Outcome late = { .verdict = VERDICT_UNSURE, .by = "-", .text = "there was no time to ask" };

			return unsure.verdict != VERDICT_NONE ? unsure : late;
		}
		outcome = verify_dialog_ask(h, name_of(exchangers->values[i]), address, learns);
		if (outcome.verdict == VERDICT_GOOD || (outcome.verdict == VERDICT_BAD && !outcome.is_refused_early))
			return outcome;
		if (outcome.stream != NULL)
			(void)ptn_smtp(h, outcome.stream, "QUIT");
		outcome.stream = NULL;
		if (outcome.verdict == VERDICT_UNSURE && unsure.verdict == VERDICT_NONE)
			unsure = outcome;
	}
	if (unsure.verdict != VERDICT_NONE)
		return unsure;
	outcome.domain = VERDICT_REFUSES;
	return outcome;
}

/* ---- keeping ---- */

/* An address that is taken proves that its domain does not refuse all; one known word suffices for a while. */
static void
keep_domain(PtnHook *h, const char *key, const Outcome *outcome)
{
	const int64_t now = ptn_store_now(h);
	Record known, fresh = { outcome->domain, now, now, outcome->by, outcome->text };
	const bool is_known = verify_record_read(h, key, &known) == PTN_OK;

	if (outcome->domain != VERDICT_NONE)
		verify_record_write(h, key, &fresh);
	else if (is_known && known.verdict == VERDICT_REFUSES && outcome->verdict == VERDICT_GOOD)
		(void)ptn_store_remove(h, key);
	else if (is_known && known.verdict == VERDICT_ACCEPTS && outcome->verdict == VERDICT_BAD)
		(void)ptn_store_remove(h, key);
}

/* Something is learned of a domain where nothing is known, or where it is time to see whether it still holds. */
static bool
may_learn(PtnHook *h, const char *key)
{
	Record known;

	if (!ptn_option_number(h, "learn-domains"))
		return false;
	return verify_record_read(h, key, &known) != PTN_OK || verify_record_is_due(h, &known);
}

static void
keep(PtnHook *h, const char *address, const Outcome *outcome, Record *record)
{
	const int64_t now = ptn_store_now(h);

	*record = (Record){ outcome->verdict, now, now, outcome->by, outcome->text };
	verify_record_write(h, verify_address_key(h, address), record);
	if (ptn_option_number(h, "learn-domains"))
		keep_domain(h, verify_domain_key(h, ptn_domain_of(address)), outcome);
	ptn_count(h, ptn_format(h, "probes.%s", verify_verdict_name(outcome->verdict)), 1);
	ptn_log(h, PTN_INFO, "probe of %s: %s, %s", address, verify_verdict_name(outcome->verdict), outcome->text);
}

/* ---- a probe ---- */

static const char *
claim_key(PtnHook *h, const char *address)
{
	return ptn_format(h, "probe/%s", address);
}

/* Keeps what it finds out before it says QUIT: somebody waits for it.  False: too many are under way. */
static bool
probe(PtnHook *h, const char *address, Record *record)
{
	const char *domain = ptn_domain_of(address), *claim = claim_key(h, address);
	const PtnAnswer *exchangers = ptn_dns(h, domain, PTN_EXCHANGERS);
	Outcome outcome = { .verdict = VERDICT_UNSURE,
		.by = "-",
		.text = exchangers->status == PTN_UNSURE ? "the lookup of the domain failed" : "the domain is not found" };
	Destination *destination = NULL;
	bool is_asked = true;

	if (exchangers->status == PTN_OK && exchangers->count > 0) {
		destination = take_destination(h, destination_name(exchangers));
		is_asked = destination != NULL;
		if (is_asked)
			outcome = ask_exchangers(h, exchangers, address, may_learn(h, verify_domain_key(h, domain)));
	}
	if (!is_asked)
		ptn_count(h, "put-off", 1);
	else if (exchangers->status != PTN_OK || exchangers->count > 0) /* a null MX: there is nothing to find out */
		keep(h, address, &outcome, record);
	(void)ptn_store_remove(h, claim);
	if (outcome.stream != NULL)
		(void)ptn_smtp(h, outcome.stream, "QUIT");
	if (destination != NULL)
		give_destination_back(h, destination);
	return is_asked;
}

/* Who looked before the last probe ended, and claimed after, finds its result. */
static PtnVerdict
work(PtnHook *h)
{
	const char *address = ptn_work_data(h);
	Record record;

	if (verify_record_read(h, verify_address_key(h, address), &record) == PTN_OK &&
		!verify_record_is_due(h, &record))
		(void)ptn_store_remove(h, claim_key(h, address));
	else
		(void)probe(h, address, &record);
	return PTN_NEXT;
}

/* While a store that nodes share is away nobody can claim, and each node asks for itself, once. */
static PtnStatus
take_claim(PtnHook *h, const char *claim)
{
	const PtnStatus status = ptn_store_claim(h, claim, "1", CLAIM_TIME);
	const char *value;

	if (status != PTN_UNSURE || ptn_fact(h, "store.away") == NULL)
		return status;
	switch (ptn_store_get(h, claim, &value)) {
	case PTN_OK:
		return PTN_TAKEN;
	case PTN_NONE:
		return ptn_store_set(h, claim, "1", CLAIM_TIME);
	default:
		return PTN_UNSURE;
	}
}

bool
verify_probe_start(PtnHook *h, const char *address)
{
	const char *claim = claim_key(h, address);
	const PtnStatus status = take_claim(h, claim);

	if (status == PTN_TAKEN)
		return true;
	if (status != PTN_OK)
		return false;
	if (ptn_background(h, work, address, strlen(address) + 1))
		return true;
	(void)ptn_store_remove(h, claim);
	return false;
}

bool
verify_probe_run(PtnHook *h, const char *address, Record *record)
{
	*record = (Record){ .verdict = VERDICT_NONE };
	return take_claim(h, claim_key(h, address)) == PTN_OK && probe(h, address, record);
}
