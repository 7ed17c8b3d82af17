/* store.h - small text values with expiry, shared by threads and, with some back ends, by nodes.
 *
 * Every function may be called by any thread.  A call of a local back end (memory, sqlite) never waits
 * for longer than a lock, but for writes of a durable one, which wait for the disk; a remote one waits until
 * `deadline_us` (monotonic clock).  PTN_UNSURE: it could not be found out, or not be written.  Keys are text
 * without control characters, 1 to 500 octets; values are text of at most 1 MiB; others are PTN_UNSURE. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "plugin-api.h"

typedef struct Store Store;

typedef struct {
	char *key, *value;
	uint64_t version;
} StoreItem;

/* `url`: "memory:", "sqlite:PATH".  `is_durable`: a write is on disk before its call returns (the
 * directory); else writes are kept in memory and written behind, once a second, and beyond half a million items
 * some of those that expire go before their time.  A file is open once at a
 * time.  Expiry goes by the wall clock.  New. */
Store *store_open(const char *url, bool is_durable, const Clock *clock, GError **error);
/* Writes what is still in memory, closes. */
void store_close(Store *store);
/* Writes what is still in memory now; false: it could not be written (it is kept, and tried again). */
bool store_flush(Store *store);
bool store_is_local(const Store *store);

/* `value`: new; `version`: may be NULL. */
PtnStatus store_get(Store *store, const char *key, int64_t deadline_us, char **value, uint64_t *version);
/* `ttl_us`: 0 for ever. */
PtnStatus store_set(Store *store, const char *key, const char *value, int64_t ttl_us, int64_t deadline_us);
/* If absent, else TAKEN: also how a lease is taken. */
PtnStatus store_claim(Store *store, const char *key, const char *value, int64_t ttl_us, int64_t deadline_us);
/* If its version is still `*version` (0: if absent), else TAKEN.  `value` NULL removes.  `*version` gets the new one.
 * The new value has no expiry. */
PtnStatus store_replace(Store *store, const char *key, const char *value, uint64_t *version, int64_t deadline_us);
/* NONE: there was nothing. */
PtnStatus store_remove(Store *store, const char *key, int64_t deadline_us);
/* Adds to the counter of the present window (windows are aligned to 1970); `total` (may be NULL) gets the new sum; `n` 0
 * only reads it.  A key counts over one length of window; with another one it starts anew.  Its value is the sum as
 * text; TAKEN: the key holds something else. */
PtnStatus store_add(Store *store, const char *key, int64_t n, int64_t window_us, int64_t deadline_us,
	int64_t *total);
/* Items whose keys start with `prefix`, in order, after the key `after` (NULL: from the start), at most
 * `limit`.  A new array of StoreItem* that frees them.  Never on a hot path. */
PtnStatus store_list(Store *store, const char *prefix, const char *after, size_t limit, int64_t deadline_us,
	GPtrArray **items);
/* Rises whenever a key that starts with `prefix` (one of the prefixes given to store_watch) is written or removed;
 * expiry is no change.  NONE: `prefix` is not watched. */
void store_watch(Store *store, const char *prefix);
PtnStatus store_changes(Store *store, const char *prefix, int64_t deadline_us, uint64_t *number);
/* "sqlite ok", "memory ok", or what is wrong: for `posternctl status`.  New. */
char *store_describe(Store *store);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Store, store_close)
