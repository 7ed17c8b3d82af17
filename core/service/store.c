/* store.c - the store: which back end a URL names, and the checks common to all of them. */
#include "service/store.h"

#include <string.h>

#include "base/error.h"
#include "service/store-ledger.h"

#define STORE_LAST_SETTLING_US (2 * CLOCK_SECOND)

enum { STORE_KEY_MAX = 500, STORE_VALUE_MAX = 1024 * 1024, STORE_TALLY_NAME_MAX = 60 };

const char *const store_watched[] = { "directory/customer/", "directory/domain/", "directory/account/",
	"directory/recipient/", "block/", "audit/", NULL };

struct Store {
	const StoreBackend *backend;
	void *data;
	StoreAway *away;     /* NULL: nothing goes on without it */
	StoreLedger *ledger; /* NULL: the back end is local */
	void (*told)(void *data, bool is_away);
	void *told_data;
};

/* May come before store_open_with() returns. */
static void
store_was_told(void *data, bool is_away)
{
	Store *store = data;

	if (!is_away && store->away != NULL)
		store_away_clear(store->away);
	if (is_away && store->ledger != NULL)
		store_ledger_save(store->ledger);
	if (store->told != NULL)
		store->told(store->told_data, is_away);
}

static Store *
store_open_at(const StoreBackend *backend, const StoreSettings *settings, GError **error)
{
	Store *store = g_new0(Store, 1);
	StoreSettings inner = *settings;

	store->backend = backend;
	store->told = settings->told;
	store->told_data = settings->told_data;
	if (!backend->is_local && !settings->is_durable)
		store->away = store_away_new(settings);
	if (!backend->is_local)
		store->ledger = store_ledger_new(settings);
	inner.told = store_was_told;
	inner.told_data = store;
	store->data = backend->open(&inner, settings->url + strlen(backend->scheme), error);
	if (store->data != NULL)
		return store;
	store_away_free(store->away);
	store_ledger_free(store->ledger);
	g_free(store);
	return NULL;
}

Store *
store_open_with(const StoreSettings *settings, GError **error)
{
	static const StoreBackend *const backends[] = { &store_memory, &store_sqlite, &store_redis };

	for (size_t i = 0; i < G_N_ELEMENTS(backends); i++)
		if (g_str_has_prefix(settings->url, backends[i]->scheme))
			return store_open_at(backends[i], settings, error);
	(void)error_set(error, POSTERN_ERROR_INVALID,
		"\"%s\" names no store (memory:, sqlite:PATH, redis://HOST:PORT/DB)", settings->url);
	return NULL;
}

Store *
store_open(const char *url, bool is_durable, const Clock *clock, GError **error)
{
	const StoreSettings settings = { .url = url, .is_durable = is_durable, .clock = clock };

	return store_open_with(&settings, error);
}

void
store_close(Store *store)
{
	if (store == NULL)
		return;
	store_settle(store, g_get_monotonic_time() + STORE_LAST_SETTLING_US);
	if (store->ledger != NULL)
		store_ledger_save(store->ledger);
	store->backend->close(store->data);
	store_away_free(store->away);
	store_ledger_free(store->ledger);
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

bool
store_is_away(Store *store)
{
	return store->backend->is_away != NULL && store->backend->is_away(store->data);
}

/* Whether memory is to answer instead. */
static bool
store_goes_on(Store *store, PtnStatus status)
{
	return status == PTN_UNSURE && store->away != NULL && store_is_away(store);
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
	uint64_t ignored, *number = version != NULL ? version : &ignored;
	PtnStatus status;

	if (!store_key_is_valid(key))
		return PTN_UNSURE;
	/* what was written while it takes no writes */
	if (store->away != NULL && store_is_away(store) && store_away_get(store->away, key, value, number) == PTN_OK)
		return PTN_OK;
	status = store->backend->get(store->data, key, deadline_us, value, number);
	return store_goes_on(store, status) ? store_away_get(store->away, key, value, number) : status;
}

PtnStatus
store_set(Store *store, const char *key, const char *value, int64_t ttl_us, int64_t deadline_us)
{
	PtnStatus status;

	if (!store_pair_is_valid(key, value))
		return PTN_UNSURE;
	status = store->backend->set(store->data, key, value, ttl_us, deadline_us);
	return store_goes_on(store, status) ? store_away_set(store->away, key, value, ttl_us) : status;
}

PtnStatus
store_claim(Store *store, const char *key, const char *value, int64_t ttl_us, int64_t deadline_us)
{
	if (!store_pair_is_valid(key, value))
		return PTN_UNSURE;
	return store->backend->claim(store->data, key, value, ttl_us, deadline_us);
}

PtnStatus
store_replace(
	Store *store, const char *key, const char *value, int64_t ttl_us, uint64_t *version, int64_t deadline_us)
{
	if (!store_pair_is_valid(key, value != NULL ? value : ""))
		return PTN_UNSURE;
	return store->backend->replace(store->data, key, value, ttl_us, version, deadline_us);
}

static bool
store_tallies_are_valid(const char *key, const StoreTally *tallies, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (tallies[i].window_us <= 0 || strlen(tallies[i].name) > STORE_TALLY_NAME_MAX ||
			strpbrk(tallies[i].name, " :") != NULL)
			return false;
	return store_key_is_valid(key) && n > 0;
}

PtnStatus
store_tally_shared(Store *store, const char *key, StoreTally *tallies, size_t n, int64_t deadline_us)
{
	if (!store_tallies_are_valid(key, tallies, n))
		return PTN_UNSURE;
	return store->backend->tally(store->data, key, tallies, n, NULL, deadline_us);
}

PtnStatus
store_tally(Store *store, const char *key, StoreTally *tallies, size_t n, int64_t deadline_us)
{
	if (!store_tallies_are_valid(key, tallies, n))
		return PTN_UNSURE;
	for (size_t i = 0; i < n; i++) {
		tallies[i].most_now = tallies[i].most;
		tallies[i].is_alone = false;
	}
	if (store->ledger == NULL)
		return store->backend->tally(store->data, key, tallies, n, NULL, deadline_us);
	return store_ledger_tally(store->ledger, store->backend, store->data, key, tallies, n, deadline_us);
}

void
store_settle(Store *store, int64_t deadline_us)
{
	if (store->ledger != NULL && !store_is_away(store))
		store_ledger_settle(store->ledger, store->backend, store->data, deadline_us);
}

PtnStatus
store_remove(Store *store, const char *key, int64_t deadline_us)
{
	PtnStatus status;

	if (!store_key_is_valid(key))
		return PTN_UNSURE;
	status = store->backend->remove(store->data, key, deadline_us);
	if (store_goes_on(store, status))
		store_away_remove(store->away, key); /* UNSURE all the same: the store still has it */
	return status;
}

PtnStatus
store_add(Store *store, const char *key, int64_t n, int64_t window_us, int64_t deadline_us, int64_t *total)
{
	int64_t ignored, *sum = total != NULL ? total : &ignored;
	PtnStatus status;

	if (!store_key_is_valid(key) || window_us <= 0)
		return PTN_UNSURE;
	status = store->backend->add(store->data, key, n, window_us, deadline_us, sum);
	return store_goes_on(store, status) ? store_away_add(store->away, key, n, window_us, sum) : status;
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
	if (store->away != NULL)
		store_away_watch(store->away, prefix);
	store->backend->watch(store->data, prefix);
}

PtnStatus
store_changes(Store *store, const char *prefix, int64_t deadline_us, uint64_t *number)
{
	StoreFeed feed = { .prefix = prefix };
	const PtnStatus status = store_feed(store, &feed, 1, deadline_us);

	if (status == PTN_OK)
		*number = feed.number;
	return status;
}

PtnStatus
store_feed(Store *store, StoreFeed *feeds, size_t n, int64_t deadline_us)
{
	PtnStatus status;

	for (size_t i = 0; i < n; i++)
		feeds[i].keys = NULL;
	status = store->backend->feed(store->data, feeds, n, deadline_us);
	for (size_t i = 0; i < n && status != PTN_OK; i++)
		g_clear_pointer(&feeds[i].keys, g_ptr_array_unref);
	return status;
}

PtnStatus
store_read(Store *store, const char *prefix, const GPtrArray *keys, int64_t deadline_us, GPtrArray **items)
{
	return store->backend->read(store->data, prefix, keys, deadline_us, items);
}

int64_t
store_wall(Store *store)
{
	return store->backend->wall(store->data);
}

PtnStatus
store_each(Store *store, bool (*each)(void *data, const StoreItem *item), void *data)
{
	return store->backend->each(store->data, each, data);
}

PtnStatus
store_load(Store *store, const StoreItem *item, int64_t deadline_us)
{
	if (!store_pair_is_valid(item->key, item->value))
		return PTN_UNSURE;
	return store->backend->load(store->data, item, deadline_us);
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

	*item = (StoreItem){ .key = key, .value = value, .version = version, .expires_us = CLOCK_NEVER };
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
