/* store-ledger.h - what this node counted in counters that all nodes share, so that each count
 * reaches a remote store once.
 *
 * The remote store keeps, beside the total of a counter, what each node added to it in the
 * window.  A call whose reply does not arrive may have been done, may be done later, or never.
 * The node then does not repeat it, but settles: it says with a new generation what it counted in
 * all ("node 2, window 494012: 17"), and the store corrects the total by the difference. Calls of
 * an earlier generation that arrive behind that do nothing.
 *
 * Invariants:
 *   1. own is what this node counted in the window and answered with OK, by the store or alone.
 *   2. debt is the part of own of which no reply of the store says that it is booked.
 *   3. alone is what was counted without the store in the window, settled or not; it never exceeds
 *      the node's part.
 *   4. A page that is unsettled sends nothing but its settlement, and that only when no other call
 *      of the page is under way.
 *   5. An unsettled page is in the file before its caller gets the answer, so that a restart
 *      neither forgets nor repeats it.
 *
 * doc/cluster.md says what follows for limits. */
#pragma once

#include "service/store-private.h"

/* `node`: this node among those that share the store.  `path`: the file that keeps what is
 * unsettled over restarts; NULL: none.  New. */
StoreLedger *store_ledger_new(const StoreSettings *settings);
void store_ledger_free(StoreLedger *ledger);
/* store_tally() of a remote back end. */
PtnStatus store_ledger_tally(StoreLedger *ledger, const StoreBackend *backend, void *data,
	const char *key, StoreTally *tallies, size_t n, int64_t deadline_us);
/* Settles what can be settled until `deadline_us`. */
void store_ledger_settle(
	StoreLedger *ledger, const StoreBackend *backend, void *data, int64_t deadline_us);
/* Writes all pages to the file: the store is unavailable from now on, or the node stops. */
void store_ledger_save(StoreLedger *ledger);
