/* store-redis-list.c - lists of items.
 *
 * A watched class is listed by its index.  Anything else is looked for in the whole database: for people, never where many
 * wait. */
#include <string.h>

#include "service/store-redis.h"

#include "base/keyed-hash.h"

enum {
	LIST_PAGE_MAX = 100 * 1000,   /* items that are asked for at once */
	LIST_SCANS_MAX = 1000 * 1000, /* pages of SCAN: a server whose cursor never ends is not followed */
};

static StoreItem *
list_make_item(char *key, const redisReply *value, const redisReply *version, const redisReply *ends)
{
	const char *text = redis_reply_text(value);
	uint64_t number;
	int64_t expires_us;
	StoreItem *item;

	if (text == NULL || !redis_reply_version(version, &number)) {
		g_free(key);
		return NULL;
	}
	item = store_item_new(key, g_strdup(text), number);
	if (redis_reply_number(ends, &expires_us))
		item->expires_us = expires_us;
	return item;
}

/* ---- by the index ---- */

static redisReply *
list_ask_page(StoreRedis *store, const char *class, const char *const *range, size_t limit, int64_t deadline_us)
{
	g_autoptr(GPtrArray) words = g_ptr_array_new();
	g_autofree char *index = store_redis_beside(store, class, 'x');
	g_autofree char *items = store_redis_item(store, class, class);
	g_autofree char *most = g_strdup_printf("%zu", MIN(limit, (size_t)LIST_PAGE_MAX));
	const char *const rest[] = { "1", index, items, range[0], range[1], most };

	g_ptr_array_set_size(words, 2);
	for (size_t i = 0; i < G_N_ELEMENTS(rest); i++)
		g_ptr_array_add(words, (void *)(uintptr_t)rest[i]);
	return store_redis_eval(store, SCRIPT_PAGE, (RedisShape){ REDIS_IS_ITEMS, 0 }, deadline_us, words);
}

/* 0xff comes after whatever a name may go on with. */
static redisReply *
list_ask_index(
	StoreRedis *store, const char *class, const char *prefix, const char *after, size_t limit, int64_t deadline_us)
{
	const char *rest = prefix + strlen(class);
	const bool is_behind = after != NULL && strcmp(after, prefix) >= 0;
	g_autofree char *least =
		is_behind ? g_strconcat("(", after + strlen(class), NULL) : g_strconcat("[", rest, NULL);
	g_autofree char *greatest = rest[0] != '\0' ? g_strconcat("(", rest, "\xff", NULL) : g_strdup("+");
	const char *const range[] = { least, greatest };

	return list_ask_page(store, class, range, limit, deadline_us);
}

/* Adds what PAGE and READ answer; UNSURE: it is no such thing. */
static PtnStatus
list_take(const redisReply *reply, const char *class, GPtrArray *found)
{
	for (size_t i = 0; i < redis_reply_size(reply); i += 4) {
		char *key = g_strconcat(class, redis_reply_text(redis_reply_at(reply, i)), NULL);
		StoreItem *item = list_make_item(
			key, redis_reply_at(reply, i + 1), redis_reply_at(reply, i + 2), redis_reply_at(reply, i + 3));

		if (item == NULL)
			return PTN_UNSURE;
		g_ptr_array_add(found, item);
	}
	return reply != NULL ? PTN_OK : PTN_UNSURE;
}

/* Who pages through the list would otherwise never come to an end. */
static bool
list_is_in_order(const GPtrArray *found, const char *prefix, const char *after)
{
	const char *last = after;

	for (guint i = 0; i < found->len; i++) {
		const StoreItem *item = g_ptr_array_index(found, i);

		if (!g_str_has_prefix(item->key, prefix) || (last != NULL && strcmp(item->key, last) <= 0))
			return false;
		last = item->key;
	}
	return true;
}

static PtnStatus
list_by_index(StoreRedis *store, const char *class, const char *prefix, const char *after, size_t limit,
	int64_t deadline_us, GPtrArray *found)
{
	g_autoptr(redisReply) reply = NULL;

	if (after != NULL && strcmp(after, prefix) >= 0 && !g_str_has_prefix(after, class))
		return PTN_OK; /* behind all of them */
	reply = list_ask_index(store, class, prefix, after, limit, deadline_us);
	if (list_take(reply, class, found) != PTN_OK || found->len > MIN(limit, (size_t)LIST_PAGE_MAX))
		return PTN_UNSURE;
	return list_is_in_order(found, prefix, after) ? PTN_OK : PTN_UNSURE;
}

PtnStatus
store_redis_read(void *data, const char *prefix, const GPtrArray *keys, int64_t deadline_us, GPtrArray **items)
{
	StoreRedis *store = data;
	g_autoptr(GPtrArray) found = g_ptr_array_new_with_free_func(store_item_free);
	g_autoptr(GPtrArray) words = g_ptr_array_new();
	g_autofree char *index = store_redis_beside(store, prefix, 'x');
	g_autofree char *base = store_redis_item(store, prefix, prefix);
	g_autoptr(redisReply) reply = NULL;
	const char *const first[] = { "1", index, base };

	g_ptr_array_set_size(words, 2);
	for (size_t i = 0; i < G_N_ELEMENTS(first); i++)
		g_ptr_array_add(words, (void *)(uintptr_t)first[i]);
	for (guint i = 0; i < keys->len; i++)
		g_ptr_array_add(words, (char *)g_ptr_array_index(keys, i) + strlen(prefix));
	reply = store_redis_eval(store, SCRIPT_READ, (RedisShape){ REDIS_IS_ITEMS, 0 }, deadline_us, words);
	if (list_take(reply, prefix, found) != PTN_OK || found->len > keys->len)
		return PTN_UNSURE;
	*items = g_steal_pointer(&found);
	return PTN_OK;
}

/* ---- by looking at all ---- */

static char *
list_pattern(const StoreRedis *store)
{
	GString *pattern = g_string_new(NULL);

	for (const char *c = store->prefix; *c != '\0'; c++) {
		if (strchr("*?[]\\", *c) != NULL)
			g_string_append_c(pattern, '\\');
		g_string_append_c(pattern, *c);
	}
	g_string_append_c(pattern, '*');
	return g_string_free(pattern, FALSE);
}

/* Adds the keys of items to `names` (a set of what Redis calls them). */
static PtnStatus
list_scan(StoreRedis *store, const char *prefix, int64_t deadline_us, GHashTable *names)
{
	g_autofree char *pattern = list_pattern(store);
	g_autofree char *cursor = g_strdup("0");

	for (int n = 0; n < LIST_SCANS_MAX; n++) {
		const char *const words[] = { "SCAN", cursor, "MATCH", pattern, "COUNT", "1000" };
		g_autoptr(redisReply) reply =
			store_redis_ask(store, deadline_us, (RedisShape){ REDIS_IS_PAGE, 0 }, G_N_ELEMENTS(words), words);
		const char *next = redis_reply_text(redis_reply_at(reply, 0));
		const redisReply *page = redis_reply_at(reply, 1);

		if (reply == NULL)
			return PTN_UNSURE;
		for (size_t i = 0; i < redis_reply_size(page); i++) {
			const char *name = redis_reply_text(redis_reply_at(page, i));
			g_autofree char *key = store_redis_key_of(store, name);

			if (key != NULL && g_str_has_prefix(key, prefix))
				g_hash_table_insert(names, g_steal_pointer(&key), g_strdup(name));
		}
		if (strcmp(next, "0") == 0)
			return PTN_OK;
		g_free(cursor);
		cursor = g_strdup(next);
	}
	return PTN_UNSURE;
}

/* NULL with OK: it is gone. */
static PtnStatus
list_read(StoreRedis *store, const char *key, const char *name, int64_t deadline_us, StoreItem **item)
{
	const char *const words[] = { "HMGET", name, "v", "n", "e" };
	g_autoptr(redisReply) reply =
		store_redis_ask(store, deadline_us, (RedisShape){ REDIS_IS_ITEM, 3 }, G_N_ELEMENTS(words), words);

	if (reply == NULL)
		return PTN_UNSURE;
	*item = list_make_item(
		g_strdup(key), redis_reply_at(reply, 0), redis_reply_at(reply, 1), redis_reply_at(reply, 2));
	return PTN_OK;
}

static gint
list_compare(gconstpointer a, gconstpointer b)
{
	return strcmp(a, b);
}

static PtnStatus
list_by_scan(
	StoreRedis *store, const char *prefix, const char *after, size_t limit, int64_t deadline_us, GPtrArray *found)
{
	g_autoptr(GHashTable) names = g_hash_table_new_full(keyed_hash_text, g_str_equal, g_free, g_free);
	PtnStatus status = list_scan(store, prefix, deadline_us, names);
	GList *keys = g_list_sort(g_hash_table_get_keys(names), list_compare);

	for (GList *key = keys; key != NULL && status == PTN_OK && found->len < limit; key = key->next) {
		StoreItem *item = NULL;

		if (after != NULL && strcmp(key->data, after) <= 0)
			continue;
		status = list_read(store, key->data, g_hash_table_lookup(names, key->data), deadline_us, &item);
		if (item != NULL)
			g_ptr_array_add(found, item);
	}
	g_list_free(keys);
	return status;
}

PtnStatus
store_redis_list(
	void *data, const char *prefix, const char *after, size_t limit, int64_t deadline_us, GPtrArray **items)
{
	g_autoptr(GPtrArray) found = g_ptr_array_new_with_free_func(store_item_free);
	StoreRedis *store = data;
	const char *class = store_redis_class(store, prefix);
	PtnStatus status;

	if (class != NULL)
		status = list_by_index(store, class, prefix, after, limit, deadline_us, found);
	else
		status = list_by_scan(store, prefix, after, limit, deadline_us, found);
	if (status == PTN_OK && found->len == 0 && !store_redis_exists(store, deadline_us))
		status = PTN_UNSURE;
	if (status == PTN_OK)
		*items = g_steal_pointer(&found);
	return status;
}

PtnStatus
store_redis_each(void *data, bool (*each)(void *each_data, const StoreItem *item), void *each_data)
{
	g_autoptr(GHashTable) names = g_hash_table_new_full(keyed_hash_text, g_str_equal, g_free, g_free);
	StoreRedis *store = data;
	PtnStatus status = list_scan(store, "", CLOCK_NEVER, names);
	GHashTableIter iter;
	void *key, *name;

	g_hash_table_iter_init(&iter, names);
	while (status == PTN_OK && g_hash_table_iter_next(&iter, &key, &name)) {
		StoreItem *item = NULL;

		status = list_read(store, key, name, CLOCK_NEVER, &item);
		if (item != NULL && !each(each_data, item))
			status = PTN_TAKEN;
		if (item != NULL)
			store_item_free(item);
	}
	return status;
}
