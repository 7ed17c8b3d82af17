/* store.c - the store: which back end a URL names, and the checks common to all of them. */
#include "service/store.h"

#include <string.h>

#include "base/error.h"
#include "service/store-private.h"

enum { STORE_KEY_MAX = 500, STORE_VALUE_MAX = 1024 * 1024 };

struct Store {
	const StoreBackend *backend;
	void *data;
};

Store *
store_open(const char *url, bool is_durable, const Clock *clock, GError **error)
{
	static const StoreBackend *const backends[] = { &store_memory, &store_sqlite };

	for (size_t i = 0; i < G_N_ELEMENTS(backends); i++) {
		Store *store;
		void *data;

		if (!g_str_has_prefix(url, backends[i]->scheme))
			continue;
		data = backends[i]->open(url + strlen(backends[i]->scheme), is_durable, clock, error);
		if (data == NULL)
			return NULL;
		store = g_new0(Store, 1);
		store->backend = backends[i];
		store->data = data;
		return store;
	}
	(void)error_set(error, POSTERN_ERROR_INVALID, "\"%s\" names no store (memory:, sqlite:PATH)", url);
	return NULL;
}

void
store_close(Store *store)
{
	if (store == NULL)
		return;
	store->backend->close(store->data);
	g_free(store);
}

bool
store_flush(Store *store)
{
	return store->backend->flush(store->data);
}

bool
store_is_local(const Store *store)
{
	return store->backend->is_local;
}

static bool
store_key_is_valid(const char *key)
{
	const char *c = key;

	while ((unsigned char)*c >= ' ' && *c != 0x7f)
		c++;
	return *c == '\0' && c > key && c - key <= STORE_KEY_MAX;
}

static bool
store_pair_is_valid(const char *key, const char *value)
{
	return store_key_is_valid(key) && strnlen(value, STORE_VALUE_MAX + 1) <= STORE_VALUE_MAX;
}

PtnStatus
store_get(Store *store, const char *key, int64_t deadline_us, char **value, uint64_t *version)
{
	uint64_t ignored;

	if (!store_key_is_valid(key))
		return PTN_UNSURE;
	return store->backend->get(store->data, key, deadline_us, value, version != NULL ? version : &ignored);
}

PtnStatus
store_set(Store *store, const char *key, const char *value, int64_t ttl_us, int64_t deadline_us)
{
	if (!store_pair_is_valid(key, value))
		return PTN_UNSURE;
	return store->backend->set(store->data, key, value, ttl_us, deadline_us);
}

PtnStatus
store_claim(Store *store, const char *key, const char *value, int64_t ttl_us, int64_t deadline_us)
{
	if (!store_pair_is_valid(key, value))
		return PTN_UNSURE;
	return store->backend->claim(store->data, key, value, ttl_us, deadline_us);
}

PtnStatus
store_replace(Store *store, const char *key, const char *value, uint64_t *version, int64_t deadline_us)
{
	if (!store_pair_is_valid(key, value != NULL ? value : ""))
		return PTN_UNSURE;
	return store->backend->replace(store->data, key, value, version, deadline_us);
}

PtnStatus
store_remove(Store *store, const char *key, int64_t deadline_us)
{
	return store_key_is_valid(key) ? store->backend->remove(store->data, key, deadline_us) : PTN_UNSURE;
}

PtnStatus
store_add(Store *store, const char *key, int64_t n, int64_t window_us, int64_t deadline_us, int64_t *total)
{
	int64_t ignored;

	if (!store_key_is_valid(key) || window_us <= 0)
		return PTN_UNSURE;
	return store->backend->add(store->data, key, n, window_us, deadline_us, total != NULL ? total : &ignored);
}

PtnStatus
store_list(
	Store *store, const char *prefix, const char *after, size_t limit, int64_t deadline_us, GPtrArray **items)
{
	return store->backend->list(store->data, prefix, after, limit, deadline_us, items);
}

void
store_watch(Store *store, const char *prefix)
{
	store->backend->watch(store->data, prefix);
}

PtnStatus
store_changes(Store *store, const char *prefix, int64_t deadline_us, uint64_t *number)
{
	return store->backend->changes(store->data, prefix, deadline_us, number);
}

char *
store_describe(Store *store)
{
	return store->backend->describe(store->data);
}

StoreItem *
store_item_new(char *key, char *value, uint64_t version)
{
	StoreItem *item = g_new(StoreItem, 1);

	*item = (StoreItem){ .key = key, .value = value, .version = version };
	return item;
}

void
store_item_free(void *data)
{
	StoreItem *item = data;

	g_free(item->key);
	g_free(item->value);
	g_free(item);
}
