/* store.h - small text values with expiry, shared by threads and, with some back ends, by nodes.
 *
 * Every function may be called by any thread.  A call of a local back end (memory, sqlite) never waits
 * for longer than a lock, but for writes of a durable one, which wait for the disk; a remote one (redis) waits until
 * `deadline_us` (monotonic clock), at most its own deadline.  PTN_UNSURE: it could not be found out, or not be written;
 * with a remote one a write that got this answer may have been done, or be done later.  Keys are text
 * without control characters, 1 to 500 octets; values are text of at most 1 MiB; others are PTN_UNSURE.
 *
 * On the thread of a loop, which must not wait, a remote one answers PTN_UNSURE at once: whoever comes from there goes on
 * on a worker.
 *
 * A remote store that does not answer is away; it comes back by itself.  While a store that is not durable is away, get, set
 * and add of keys that are not watched go on in the memory of this node, which forgets them when the store is back: a counter
 * then goes on from what the nodes had counted together before.  Tallies go on, too, and are added to the store when it is back.
 * All else is PTN_UNSURE: a claim that each node could make
 * would be worth nothing, and a list of what this node happens to know would look like all there is.  A durable store
 * answers PTN_UNSURE to everything.
 *
 * A remote store that answers and refuses writes (its memory or disk is full, too few replicas, its ACL) counts as away, but for
 * what can be read: get reads the memory of this node first, then the store, and lists and changes are the store's.
 * Whether it takes writes again is tried once a second by store_changes().  A durable one tries each write.
 *
 * What a claim promises: as long as the server keeps its data, nobody else gets the key until its time is over by the
 * server's clock, or it is removed.  Redis replicates behind the reply: a failover may lose the writes of its last moments
 * (a claim, a counter's last additions, a value), and then a second node gets a claim that the first still believes to
 * have.  So whoever holds a lease does only what may be done twice, or writes through store_replace(), whose version is the
 * token: a write by a version that is no longer there is TAKEN.  The holder counts its time from before the call, by its
 * own clock, and leaves some of it. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "plugin-api.h"
#include "service/metrics.h"

typedef struct Store Store;

typedef struct {
	char *key, *value;
	uint64_t version;
	int64_t expires_us; /* wall clock, of the server if it is remote; CLOCK_NEVER */
} StoreItem;

/* Every prefix that the core watches; ends with NULL.  Whoever copies into a store watches them all. */
extern const char *const store_watched[];

enum { STORE_ITEMS = 500 * 1000 }; /* some 150 MB */

/* What is not given is 0 or NULL. */
typedef struct {
	/* "memory:", "sqlite:PATH", "redis://[USER[:PASSWORD]@]HOST[:PORT][/DB]",
	 * "redis+sentinel://[USER[:PASSWORD]@]HOST[:PORT],…/MASTER[/DB]"; "rediss…" is with TLS */
	const char *url;
	bool is_durable; /* see store_open() */
	bool must_exist; /* a remote one that nobody made ready, or that lost everything, counts as away: what it says is
	                  * missing may have been there */
	const Clock *clock;
	size_t most_items; /* in the memory of this node, unless it is durable; default STORE_ITEMS */
	/* of remote ones only */
	const char *prefix;                     /* begins all keys; default "postern:" */
	const char *user, *password;            /* instead of the URL's */
	unsigned node;                          /* this one among those that share it */
	const char *ledger; /* the file that keeps what was counted alone over restarts; NULL: none */
	const char *trust; /* PEM file of certificates to trust with rediss; NULL: the system's */
	int64_t deadline_us;                    /* of a call; default half a second */
	unsigned connections;                   /* default 2 */
	Metrics *metrics;                       /* NULL: none; outlives the store */
	const char *name;                       /* begins names of metrics and alarms; default "store" */
	void (*told)(void *data, bool is_away); /* it went away, or came back; by any thread, which holds no lock */
	void *told_data;
} StoreSettings;

/* `is_durable`: a write is on disk before its call returns (the
 * directory); else writes are kept in memory and written behind, once a second, and beyond `most_items`
 * some of those that expire go before their time.  A file is open once at a
 * time.  Expiry goes by the wall clock, with redis by the server's and to some milliseconds.  A redis is opened, too,
 * when it cannot be reached (it is away); one that will not do (wrong password, a replica, keys of a newer schema, of a
 * durable one: it may evict) is an error.  New. */
Store *store_open_with(const StoreSettings *settings, GError **error);
Store *store_open(const char *url, bool is_durable, const Clock *clock, GError **error);
/* Writes what is still in memory, closes. */
void store_close(Store *store);
/* Writes what is still in memory now; false: it could not be written (it is kept, and tried again). */
bool store_flush(Store *store);
bool store_is_local(const Store *store);
/* It does not answer now, or takes no writes, and calls are answered without it: limits that count over all nodes then count
 * on this one. */
bool store_is_away(Store *store);

/* `value`: new; `version`: may be NULL. */
PtnStatus store_get(Store *store, const char *key, int64_t deadline_us, char **value, uint64_t *version);
/* `ttl_us`: 0 for ever. */
PtnStatus store_set(Store *store, const char *key, const char *value, int64_t ttl_us, int64_t deadline_us);
/* If absent, else TAKEN: also how a lease is taken. */
PtnStatus store_claim(Store *store, const char *key, const char *value, int64_t ttl_us, int64_t deadline_us);
/* If its version is still `*version` (0: if absent), else TAKEN.  `value` NULL removes.  `*version` gets the new one.
 * `ttl_us`: 0 for ever. */
PtnStatus store_replace(
	Store *store, const char *key, const char *value, int64_t ttl_us, uint64_t *version, int64_t deadline_us);
/* NONE: there was nothing. */
PtnStatus store_remove(Store *store, const char *key, int64_t deadline_us);
/* Adds to the counter of the present window (windows are aligned to 1970); `total` (may be NULL) gets the new sum; `n` 0
 * only reads it.  A key counts over one length of window; with another one it starts anew.  Its value is the sum as
 * text; TAKEN: the key holds something else. */
PtnStatus store_add(
	Store *store, const char *key, int64_t n, int64_t window_us, int64_t deadline_us, int64_t *total);
/* One of several counters under one key; windows are aligned to 1970, by the store's clock.  What is not given is 0.
 * `name`: a word without ":", at most 60 octets. */
typedef struct {
	const char *name;
	int64_t n;         /* to add; 0 reads only */
	int64_t window_us;
	int64_t most;      /* it may come to; 0: any */
	/* What this node may count in the window while a remote store is unavailable: STORE_NOT_ALONE: nothing, 0: what was left
	 * of `most` when it saw the total last, else that divided by so many nodes, and at least 1 of a counter of which it saw
	 * none.  All outages of a window together. */
	int64_t nodes;
	int64_t total; /* the answer; below 2^53; without the store: as far as this node knows */
	int64_t most_now; /* the answer: `most`, or what it may come to on this node without the store */
	bool is_alone;    /* the answer: this node counted without the store */
} StoreTally;

enum { STORE_NOT_ALONE = -1 };

/* Adds to all of them in one step; TAKEN: one would go beyond its `most`, and none was added.  Such a key holds nothing else.
 * Counters of the key that the call does not name stay until their windows end.
 *
 * With a remote store each count is booked once, whatever replies are lost (store-ledger.h).  While it is unavailable this node
 * counts alone, as `nodes` says, and settles when the store is back.  Tallies without any `most` and those that only
 * take back never fail for that: they are kept and settled.  UNSURE: nothing was added. */
PtnStatus store_tally(Store *store, const char *key, StoreTally *tallies, size_t n, int64_t deadline_us);
/* Books what this node counted alone, as far as it comes until `deadline_us`; to be called about once a second. */
void store_settle(Store *store, int64_t deadline_us);
/* The same, but never answered by the memory of this node while the store is away: then UNSURE. */
PtnStatus store_tally_shared(Store *store, const char *key, StoreTally *tallies, size_t n, int64_t deadline_us);
/* Items whose keys start with `prefix`, in order, after the key `after` (NULL: from the start), at most
 * `limit`.  A new array of StoreItem* that frees them.  Never on a hot path; with redis only prefixes that are watched, or
 * begin with one that is, cost no more than what they find: any other looks at every key of the server. */
PtnStatus store_list(
	Store *store, const char *prefix, const char *after, size_t limit, int64_t deadline_us, GPtrArray **items);
/* Rises whenever a key that starts with `prefix` (one of the prefixes given to store_watch) is written or removed;
 * expiry is no change.  NONE: `prefix` is not watched.  Behind a failover it may be smaller, too: any number but the one read
 * before means that something changed.  With redis a prefix is to be watched by all nodes from the start, and by none inside
 * another: what was written under it before is not listed by it. */
void store_watch(Store *store, const char *prefix);
PtnStatus store_changes(Store *store, const char *prefix, int64_t deadline_us, uint64_t *number);

/* A watched prefix, and what changed under it since its number was read. */
typedef struct {
	const char *prefix;
	bool has_since;  /* `since` is a number that was read before, from a server that is to be believed */
	uint64_t since;
	uint64_t number; /* the answer: as store_changes() */
	GPtrArray *keys; /* the answer: those that changed, new and freed by it; NULL: any may have changed */
} StoreFeed;

/* All of them in one round trip; NONE: one is not watched. */
PtnStatus store_feed(Store *store, StoreFeed *feeds, size_t n, int64_t deadline_us);
/* The items of `keys` that are there, all under `prefix`, which is watched: a new array of StoreItem* that frees them, in
 * one round trip. */
PtnStatus store_read(
	Store *store, const char *prefix, const GPtrArray *keys, int64_t deadline_us, GPtrArray **items);
/* The wall clock by which the store counts expiry, in µs: of a remote one the server's, as store_feed() learned it, to half a
 * round trip; before that, and of a local one, this node's.  For times that nodes compare.  Never waits. */
int64_t store_wall(Store *store);
/* Every item, in no order; ends when `each` returns false (TAKEN).  For copies; what is written meanwhile may be missed. */
PtnStatus store_each(Store *store, bool (*each)(void *data, const StoreItem *item), void *data);
/* Writes an item of another store: value and expiry, to the µs, so that a counter goes on.  Its version is a new one. */
PtnStatus store_load(Store *store, const StoreItem *item, int64_t deadline_us);
/* "sqlite ok", "memory ok", "redis mymaster ok (1.1 ms)", or what is wrong: for `posternctl status`.  New. */
char *store_describe(Store *store);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Store, store_close)
