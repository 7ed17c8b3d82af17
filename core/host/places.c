/* places.c - whose options hold in a hook. */
#include "host/host-private.h"

enum { PLACES_OF_ENTRIES = PTN_IN_ACCOUNT | PTN_IN_DOMAIN | PTN_IN_CUSTOMER | PTN_IN_LEVEL };

/* Freed with the hook. */
static DirectoryEntry *
places_find(PtnHook *h, PtnKind kind, const char *name)
{
	PtnEntry *entry;

	return name != NULL && ptn_find(h, kind, name, &entry) == PTN_OK ? entry->entry : NULL;
}

static void
places_read_owner(PtnHook *h)
{
	const SessionFacts *facts = h->call->facts;
	const PtnEntry *account = ptn_account(h);
	DirectoryEntry *customer = facts != NULL ? facts->customer : NULL;

	h->has_owner = true;
	if (account == NULL)
		return;
	h->places.account = account->entry;
	if (customer == NULL)
		customer = places_find(h, PTN_CUSTOMER, directory_entry_get(account->entry, "customer"));
	h->places.customer = customer;
}

/* A person of a served domain may have logged in without an account in the directory; a login that is not proved yet
 * counts for nothing. */
static const char *
places_domain_name(PtnHook *h)
{
	const char *address = h->call->stage != PTN_AUTH ? ptn_login(h) : NULL;

	if (h->places.account != NULL)
		return directory_entry_get(h->places.account, "domain");
	if (address == NULL && stage_is(h->call->stage, STAGE_HAS_RECIPIENT))
		address = ptn_recipient(h, PTN_THIS);
	return address != NULL ? ptn_domain_of(address) : NULL;
}

void
ptn_options_of(PtnHook *h, PtnEntry *entry)
{
	const PtnKind kind = directory_entry_kind(entry->entry);

	h->places = (OptionPlaces){ 0 };
	h->has_owner = h->has_domain = true;
	if (kind == PTN_ACCOUNT)
		h->places.account = entry->entry;
	h->places.domain = kind == PTN_DOMAIN ? entry->entry
					   : kind == PTN_ACCOUNT
						   ? places_find(h, PTN_DOMAIN, directory_entry_get(entry->entry, "domain"))
						   : NULL;
	h->places.customer = kind == PTN_CUSTOMER
							 ? entry->entry
							 : places_find(h, PTN_CUSTOMER, directory_entry_get(entry->entry, "customer"));
}

const OptionPlaces *
places_at_hand(PtnHook *h, unsigned wanted)
{
	if ((wanted & PLACES_OF_ENTRIES) == 0)
		return &h->places;
	if (!h->has_owner)
		places_read_owner(h);
	if (h->has_domain || ((wanted & PTN_IN_DOMAIN) == 0 && h->places.account != NULL))
		return &h->places;
	h->has_domain = true;
	h->places.domain = places_find(h, PTN_DOMAIN, places_domain_name(h));
	if (h->places.customer == NULL && h->places.domain != NULL)
		h->places.customer = places_find(h, PTN_CUSTOMER, directory_entry_get(h->places.domain, "customer"));
	return &h->places;
}
