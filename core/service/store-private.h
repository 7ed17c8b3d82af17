/* store-private.h - what a back end of the store is. */
#pragma once

#include "service/store.h"

typedef struct StoreBackend StoreBackend;

/* What a node says of one counter with a call: what it counted in the window, and which part of that is not known to be booked. */
typedef struct {
	int64_t window; /* its number since 1970 */
	int64_t own, debt;
} StoreOwn;

/* What goes with a tally of a remote store; see store-ledger.h. */
typedef struct {
	const char *node; /* a number */
	uint64_t instance, generation;
	bool is_settling;     /* the store corrects the totals by `owns` */
	const StoreOwn *owns; /* one for each tally */
	/* the answer */
	int64_t now_us;       /* the store's clock; 0: there was no reply */
	uint64_t known;       /* the generation that the store has of this node */
} StoreBook;

/* Keys and values are checked before these are called; the contract is that of store.h. */
struct StoreBackend {
	const char *scheme; /* what the URL begins with: "sqlite:" */
	bool is_local;
	/* `rest`: the URL behind the scheme. */
	void *(*open)(const StoreSettings *settings, const char *rest, GError **error);
	void (*close)(void *data);
	bool (*flush)(void *data);
	PtnStatus (*get)(void *data, const char *key, int64_t deadline_us, char **value, uint64_t *version);
	PtnStatus (*set)(void *data, const char *key, const char *value, int64_t ttl_us, int64_t deadline_us);
	PtnStatus (*claim)(void *data, const char *key, const char *value, int64_t ttl_us, int64_t deadline_us);
	PtnStatus (*replace)(void *data, const char *key, const char *value, int64_t ttl_us, uint64_t *version,
		int64_t deadline_us);
	PtnStatus (*add)(
		void *data, const char *key, int64_t n, int64_t window_us, int64_t deadline_us, int64_t *total);
	/* `book`: NULL: nobody keeps a ledger of the key; local ones ignore it.  NONE: the store does not
	 * know what this node counted; it is to settle first. */
	PtnStatus (*tally)(
		void *data, const char *key, StoreTally *tallies, size_t n, StoreBook *book, int64_t deadline_us);
	PtnStatus (*remove)(void *data, const char *key, int64_t deadline_us);
	PtnStatus (*list)(
		void *data, const char *prefix, const char *after, size_t limit, int64_t deadline_us, GPtrArray **items);
	void (*watch)(void *data, const char *prefix);
	PtnStatus (*feed)(void *data, StoreFeed *feeds, size_t n, int64_t deadline_us);
	PtnStatus (*read)(void *data, const char *prefix, const GPtrArray *keys, int64_t deadline_us,
		GPtrArray **items);
	int64_t (*wall)(void *data);
	PtnStatus (*each)(void *data, bool (*each)(void *each_data, const StoreItem *item), void *each_data);
	PtnStatus (*load)(void *data, const StoreItem *item, int64_t deadline_us);
	char *(*describe)(void *data);
	bool (*is_away)(void *data); /* NULL: never */
};

extern const StoreBackend store_memory, store_sqlite, store_redis;

/* New, without expiry; takes the texts. */
StoreItem *store_item_new(char *key, char *value, uint64_t version);
void store_item_free(void *item);

/* ---- store-away.c: what goes on in memory while a remote store is away ---- */

typedef struct StoreAway StoreAway;

StoreAway *store_away_new(const StoreSettings *settings);
void store_away_free(StoreAway *away);
/* Forgets everything. */
void store_away_clear(StoreAway *away);
/* Such a prefix is not for memory. */
void store_away_watch(StoreAway *away, const char *prefix);
/* UNSURE: the key is of a watched prefix. */
PtnStatus store_away_get(StoreAway *away, const char *key, char **value, uint64_t *version);
PtnStatus store_away_set(StoreAway *away, const char *key, const char *value, int64_t ttl_us);
PtnStatus store_away_add(StoreAway *away, const char *key, int64_t n, int64_t window_us, int64_t *total);
void store_away_remove(StoreAway *away, const char *key);

/* ---- store-ledger.c: see store-ledger.h ---- */

typedef struct StoreLedger StoreLedger;
