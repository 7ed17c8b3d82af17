/* redis-calls.c - what holds behind each call of the store, whatever the server answered. */
#include "unit/service/redis-calls.h"

#include <glib.h>
#include <string.h>

#define WINDOW_US (INT64_C(3600) * CLOCK_SECOND)

static PtnStatus
call_get(Store *store)
{
	g_autofree char *value = NULL;
	uint64_t version = 0;
	const PtnStatus status = store_get(store, "a", CLOCK_NEVER, &value, &version);

	g_assert((status == PTN_OK) == (value != NULL));
	return status;
}

static PtnStatus
call_set(Store *store)
{
	return store_set(store, "a", "1", 0, CLOCK_NEVER);
}

static PtnStatus
call_claim(Store *store)
{
	return store_claim(store, "a", "1", WINDOW_US, CLOCK_NEVER);
}

static PtnStatus
call_replace(Store *store)
{
	uint64_t version = 1;

	return store_replace(store, "a", "1", 0, &version, CLOCK_NEVER);
}

static PtnStatus
call_add(Store *store)
{
	int64_t total = 0;

	return store_add(store, "a", 1, WINDOW_US, CLOCK_NEVER, &total);
}

static PtnStatus
call_tally(Store *store)
{
	StoreTally tallies[] = { { .name = "x", .n = 1, .window_us = WINDOW_US },
		{ .name = "y", .n = 1, .window_us = WINDOW_US } };

	return store_tally(store, "a", tallies, G_N_ELEMENTS(tallies), CLOCK_NEVER);
}

static PtnStatus
call_remove(Store *store)
{
	return store_remove(store, "a", CLOCK_NEVER);
}

static PtnStatus
call_load(Store *store)
{
	char key[] = "a", value[] = "1";
	const StoreItem item = { .key = key, .value = value, .expires_us = CLOCK_NEVER };

	return store_load(store, &item, CLOCK_NEVER);
}

/* Each item is of the prefix, and comes behind the one before: who pages comes to an end. */
static PtnStatus
list_of(Store *store, const char *prefix)
{
	GPtrArray *items = NULL;
	const PtnStatus status = store_list(store, prefix, NULL, 10, CLOCK_NEVER, &items);
	const char *last = "";

	g_assert((status == PTN_OK) == (items != NULL));
	for (guint i = 0; items != NULL && i < items->len; i++) {
		const StoreItem *item = g_ptr_array_index(items, i);

		g_assert(g_str_has_prefix(item->key, prefix) && strcmp(item->key, last) > 0 && item->value != NULL);
		last = item->key;
	}
	g_assert(items == NULL || items->len <= 10);
	g_clear_pointer(&items, g_ptr_array_unref);
	return status;
}

static PtnStatus
call_list(Store *store)
{
	store_watch(store, "block/");
	return list_of(store, "block/");
}

static PtnStatus
call_scan(Store *store)
{
	return list_of(store, "other/");
}

static bool
each_item(void *data, const StoreItem *item)
{
	(void)data;
	g_assert(item->key != NULL && item->value != NULL);
	return true;
}

static PtnStatus
call_each(Store *store)
{
	return store_each(store, each_item, NULL);
}

/* Its own failure shows nowhere: the greeting puts it right. */
static PtnStatus
call_watch(Store *store)
{
	store_watch(store, "block/");
	return PTN_UNSURE;
}

static PtnStatus
call_changes(Store *store)
{
	uint64_t number = 0;

	store_watch(store, "block/");
	return store_changes(store, "block/", CLOCK_NEVER, &number);
}

static PtnStatus
call_feed(Store *store)
{
	StoreFeed feeds[] = { { .prefix = "block/", .has_since = true }, { .prefix = "audit/" } };
	PtnStatus status;

	store_watch(store, "block/");
	store_watch(store, "audit/");
	status = store_feed(store, feeds, G_N_ELEMENTS(feeds), CLOCK_NEVER);
	for (size_t i = 0; i < G_N_ELEMENTS(feeds); i++) {
		const GPtrArray *keys = feeds[i].keys;

		g_assert(status == PTN_OK || keys == NULL);
		for (guint k = 0; keys != NULL && k < keys->len; k++)
			g_assert(g_str_has_prefix(g_ptr_array_index(keys, k), feeds[i].prefix));
		g_clear_pointer(&feeds[i].keys, g_ptr_array_unref);
	}
	return status;
}

static PtnStatus
call_read(Store *store)
{
	g_autoptr(GPtrArray) keys = g_ptr_array_new();
	GPtrArray *items = NULL;
	char key[] = "block/a";
	PtnStatus status;

	store_watch(store, "block/");
	g_ptr_array_add(keys, key);
	status = store_read(store, "block/", keys, CLOCK_NEVER, &items);
	g_assert((status == PTN_OK) == (items != NULL));
	g_assert(items == NULL || items->len <= 1);
	g_clear_pointer(&items, g_ptr_array_unref);
	return status;
}

const RedisCall redis_calls[] = {
	{ "get", "HMGET", 0, NULL, call_get },
	{ "set", "EVALSHA", 1, NULL, call_set },
	{ "claim", "EVALSHA", 1, NULL, call_claim },
	{ "replace", "EVALSHA", 1, NULL, call_replace },
	{ "add", "EVALSHA", 1, NULL, call_add },
	{ "tally", "EVALSHA", 1, NULL, call_tally },
	{ "remove", "EVALSHA", 1, NULL, call_remove },
	{ "load", "EVALSHA", 1, NULL, call_load },
	{ "list", "EVALSHA", 1, NULL, call_list },
	{ "scan", "SCAN", 0, NULL, call_scan },
	{ "each", "SCAN", 0, NULL, call_each },
	{ "watch", "SADD", 0, NULL, call_watch },
	{ "changes", "EVALSHA", 1, NULL, call_changes },
	{ "feed", "EVALSHA", 1, NULL, call_feed },
	{ "read", "EVALSHA", 1, NULL, call_read },
	{ "password", "AUTH", 0, "redis://:secret@127.0.0.1:%u/1", NULL },
	{ "database", "SELECT", 0, "redis://:secret@127.0.0.1:%u/1", NULL },
	{ "role", "ROLE", 0, NULL, NULL },
	{ "schema", "SETNX", 0, NULL, NULL },
	{ "schema of keys", "GET", 0, NULL, NULL },
	{ "scripts", "SCRIPT", 0, NULL, NULL },
	{ "first script", "EVALSHA", 0, NULL, NULL },
	{ "classes", "SMEMBERS", 0, NULL, NULL },
	{ "configuration", "CONFIG", 0, NULL, NULL },
	{ "sentinel", "SENTINEL", 0, "redis+sentinel://127.0.0.1:%u/mymaster", NULL },
	{ 0 },
};

PtnStatus
redis_call_run(const RedisCall *call, RedisFake *fake, int64_t deadline_us)
{
	g_autoptr(GString) url = g_string_new(call->url != NULL ? call->url : "redis://127.0.0.1:%u");
	g_autofree char *port = g_strdup_printf("%u", redis_fake_port(fake));
	g_autoptr(Store) store = NULL;
	StoreSettings settings = {
		.is_durable = true, .clock = clock_system(), .connections = 1, .deadline_us = deadline_us
	};

	(void)g_string_replace(url, "%u", port, 1);
	settings.url = url->str;
	store = store_open_with(&settings, NULL);
	if (store == NULL || store_is_away(store))
		return PTN_UNSURE;
	return call->call != NULL ? call->call(store) : PTN_OK;
}
