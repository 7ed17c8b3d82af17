/* store-private.h - what a back end of the store is. */
#pragma once

#include "service/store.h"

typedef struct StoreBackend StoreBackend;

/* Keys and values are checked before these are called; the contract is that of store.h. */
struct StoreBackend {
	const char *scheme; /* "sqlite:" */
	bool is_local;
	/* `rest`: the URL behind the scheme. */
	void *(*open)(const char *rest, bool is_durable, const Clock *clock, GError **error);
	void (*close)(void *data);
	bool (*flush)(void *data);
	PtnStatus (*get)(void *data, const char *key, int64_t deadline_us, char **value, uint64_t *version);
	PtnStatus (*set)(void *data, const char *key, const char *value, int64_t ttl_us, int64_t deadline_us);
	PtnStatus (*claim)(void *data, const char *key, const char *value, int64_t ttl_us, int64_t deadline_us);
	PtnStatus (*replace)(void *data, const char *key, const char *value, uint64_t *version, int64_t deadline_us);
	PtnStatus (*add)(void *data, const char *key, int64_t n, int64_t window_us, int64_t deadline_us,
		int64_t *total);
	PtnStatus (*remove)(void *data, const char *key, int64_t deadline_us);
	PtnStatus (*list)(void *data, const char *prefix, const char *after, size_t limit, int64_t deadline_us,
		GPtrArray **items);
	void (*watch)(void *data, const char *prefix);
	PtnStatus (*changes)(void *data, const char *prefix, int64_t deadline_us, uint64_t *number);
	char *(*describe)(void *data);
};

extern const StoreBackend store_memory, store_sqlite;

/* New; takes the texts. */
StoreItem *store_item_new(char *key, char *value, uint64_t version);
void store_item_free(void *item);
