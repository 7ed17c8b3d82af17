/* count.c - for whom a message is counted, at its acceptance and at its release alike: all of it,
 * or nothing. */
#include <string.h>

#include "plugins/limits/limits.h"

enum { OWNERS = 3 }; /* account, customer, client */

typedef struct {
	Share *shares; /* with room for the owners, and a domain of each recipient */
	size_t n;
} Shares;

/* ---- who ---- */

static void
add_share(Shares *shares, Scope scope, const char *who, int64_t recipients, int64_t octets)
{
	if (who != NULL)
		shares->shares[shares->n++] = (Share){ scope, who, { 1, recipients, octets } };
}

static void
add_owners(PtnHook *h, Shares *shares, const Message *message)
{
	PtnEntry *account = ptn_account(h), *customer = ptn_customer(h);

	add_share(shares, SCOPE_ACCOUNT, account != NULL ? ptn_get(account, "name") : ptn_login(h),
		message->recipients, message->octets);
	add_share(shares, SCOPE_CUSTOMER, customer != NULL ? ptn_get(customer, "name") : NULL,
		message->recipients, message->octets);
	add_share(shares, SCOPE_CLIENT, message->client, message->recipients, message->octets);
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

static Shares
shares_of(PtnHook *h, const Message *message)
{
	Shares shares = { .shares = ptn_keep(h, PTN_FOR_HOOK, NULL,
						  (OWNERS + ptn_recipients(h)) * sizeof *shares.shares) };
	Limit limits[LIMITS_MOST];

	add_owners(h, &shares, message);
	if (scope_limits(h, SCOPE_DOMAIN, limits) > 0)
		add_domains(h, &shares, message->size);
	return shares;
}

bool
count_is_too_large(PtnHook *h, const Message *message, Limit *passed, Share *whose)
{
	const Shares shares = shares_of(h, message);

	for (size_t i = 0; i < shares.n; i++) {
		Limit limits[LIMITS_MOST];
		const size_t n = scope_limits(h, shares.shares[i].scope, limits);

		for (size_t k = 0; k < n; k++) {
			if (shares.shares[i].amounts[limits[k].kind] <= limits[k].most)
				continue;
			*passed = limits[k];
			*whose = shares.shares[i];
			return true;
		}
	}
	return false;
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

/* A limit that is used up stops all that follows; one that only this message is too large for
 * does not, nor does a node's share of a limit while the store is unavailable. */
static void
note_passed(PtnHook *h, const Share *share, const Limit *passed, bool is_alone)
{
	if (is_alone || passed->total < passed->most || ptn_fact(h, "rehearsal") != NULL)
		return;
	known_add(h, share->scope, share->who, passed);
	notice_tell(h, share, passed, 100);
}

PtnStatus
count_message(PtnHook *h, const Message *message, CountHow how, Limit *passed, Share *whose)
{
	const Shares shares = shares_of(h, message);

	for (size_t i = 0; i < shares.n; i++) {
		Limit limits[LIMITS_MOST];
		bool is_alone;
		size_t n;
		const PtnStatus status =
			scope_count(h, &shares.shares[i], how == COUNT_BEYOND, limits, &n, &is_alone);

		if (status == PTN_OK) {
			if (!is_alone)
				tell_customer(h, &shares.shares[i], limits, n);
			continue;
		}
		for (size_t k = 0; k < i; k++)
			scope_uncount(h, &shares.shares[k]);
		if (status == PTN_TAKEN) {
			*passed = limits[0];
			*whose = shares.shares[i];
			note_passed(h, whose, passed, is_alone);
		}
		return status;
	}
	return PTN_OK;
}
