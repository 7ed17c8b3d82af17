/* lookups.h - the DNS lookups that the hooks of one session, or of one call without a session, hold.
 *
 * A lookup is held from its start until its scope ends, whether its answer is there or not.  How many may
 * be held at a time is limited for the session, and for the account or, before there is one, the client's
 * network.  On the budget of account or client a lookup stays until libunbound has ended it, too.  One
 * beyond a limit, that of the DNS service included, is not started, and the plugin gets the answer
 * "unsure".  One thread at a time. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "service/account-budget.h"
#include "service/client-budget.h"
#include "service/dns.h"

typedef struct Lookups Lookups;

enum { LOOKUPS_OF_HOOK = -1, LOOKUPS_OF_MESSAGE = -2, LOOKUPS_OF_NAME = -3 }; /* scopes; the others are stages */

/* Limits and the client's budget are borrowed, and outlive it; the budget may be NULL. */
typedef struct {
	unsigned most; /* held at a time */
	ClientBudget *client;
	const ClientLimits *client_limits;
	const AccountLimits *account_limits;
} LookupsSettings;

/* `settings` NULL: a call in the queue, a tick or a command; no stranger decides what it asks, so nothing limits it. */
Lookups *lookups_new(const LookupsSettings *settings);
void lookups_free(Lookups *lookups); /* cancels all; NULL is allowed */

/* Starts a lookup in a scope, on the budget of `account` (a reference is taken); NULL: on the client's.
 * Borrowed, until the scope ends; NULL: a limit is reached.  Never waits. */
DnsQuery *lookups_start(Lookups *lookups, Dns *dns, const char *name, PtnRecord type, bool is_fresh, int scope,
	AccountBudget *account);
/* Cancels the lookups of a scope: the hook or the message is over, or the stage begins again. */
void lookups_end(Lookups *lookups, int scope);
unsigned lookups_held(const Lookups *lookups);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Lookups, lookups_free)
