/* store-redis-list.c - lists, and the change feed.
 *
 * A watched class is listed by its index.  Anything else is looked for in the whole database: for people, never where many
 * wait. */
#include <string.h>

#include "service/store-redis.h"

#include "base/keyed-hash.h"

enum {
	LIST_CHANGES_MAX = 1000,      /* names that a class remembers as changed */
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

static PtnStatus
list_by_index(StoreRedis *store, const char *class, const char *prefix, const char *after, size_t limit,
	int64_t deadline_us, GPtrArray *found)
{
	g_autoptr(redisReply) reply = NULL;
	const char *last = after;

	if (after != NULL && strcmp(after, prefix) >= 0 && !g_str_has_prefix(after, class))
		return PTN_OK; /* behind all of them */
	reply = list_ask_index(store, class, prefix, after, limit, deadline_us);
	if (reply == NULL || redis_reply_size(reply) / 4 > MIN(limit, (size_t)LIST_PAGE_MAX))
		return PTN_UNSURE;
	for (size_t i = 0; i < redis_reply_size(reply); i += 4) {
		char *key = g_strconcat(class, redis_reply_text(redis_reply_at(reply, i)), NULL);
		StoreItem *item = list_make_item(
			key, redis_reply_at(reply, i + 1), redis_reply_at(reply, i + 2), redis_reply_at(reply, i + 3));

		if (item == NULL)
			return PTN_UNSURE;
		g_ptr_array_add(found, item);
		if (!g_str_has_prefix(item->key, prefix) || (last != NULL && strcmp(item->key, last) <= 0))
			return PTN_UNSURE; /* who pages through the list would never come to an end */
		last = item->key;
	}
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

/* ---- the change feed ---- */

static bool
list_is_watched(StoreRedis *store, const char *prefix)
{
	const char *class = store_redis_class(store, prefix);

	return class != NULL && strcmp(class, prefix) == 0;
}

/* The set of classes is for those that open the store without knowing them.  A greeting puts it right if this fails. */
void
store_redis_watch(void *data, const char *prefix)
{
	StoreRedis *store = data;
	g_autofree char *all = g_strconcat(store->prefix, "classes", NULL);
	const char *const words[] = { "SADD", all, prefix };

	if (list_is_watched(store, prefix))
		return;
	g_mutex_lock(&store->lock);
	g_ptr_array_add(store->classes, g_strdup(prefix));
	g_mutex_unlock(&store->lock);
	redis_reply_free(
		store_redis_ask(store, CLOCK_NEVER, (RedisShape){ REDIS_IS_COUNT, 0 }, G_N_ELEMENTS(words), words));
}

PtnStatus
store_redis_changes(void *data, const char *prefix, int64_t deadline_us, uint64_t *number)
{
	StoreRedis *store = data;
	g_autofree char *changes = store_redis_beside(store, prefix, 'c');
	const char *const words[] = { "ZREVRANGE", changes, "0", "0", "WITHSCORES" };
	g_autoptr(redisReply) reply = NULL;

	if (!list_is_watched(store, prefix))
		return PTN_NONE;
	store_redis_try_write(store, deadline_us);
	reply = store_redis_ask(
		store, deadline_us, (RedisShape){ REDIS_IS_NUMBERED_OR_NONE, 0 }, G_N_ELEMENTS(words), words);
	if (reply == NULL)
		return PTN_UNSURE;
	if (!redis_reply_score(redis_reply_at(reply, 1), number))
		*number = 0; /* nothing has changed yet */
	return PTN_OK;
}

PtnStatus
store_redis_changed(void *data, const char *prefix, uint64_t since, int64_t deadline_us, GPtrArray **keys)
{
	StoreRedis *store = data;
	g_autoptr(GPtrArray) found = g_ptr_array_new_with_free_func(g_free);
	g_autofree char *changes = store_redis_beside(store, prefix, 'c');
	g_autofree char *least = g_strdup_printf("(%" G_GUINT64_FORMAT, since);
	const char *const words[] = { "ZRANGEBYSCORE", changes, least, "+inf" };
	g_autoptr(redisReply) reply =
		store_redis_ask(store, deadline_us, (RedisShape){ REDIS_IS_TEXTS, 0 }, G_N_ELEMENTS(words), words);

	if (reply == NULL)
		return PTN_UNSURE;
	if (redis_reply_size(reply) >= LIST_CHANGES_MAX)
		return PTN_NONE;
	for (size_t i = 0; i < redis_reply_size(reply); i++)
		g_ptr_array_add(found, g_strconcat(prefix, redis_reply_text(redis_reply_at(reply, i)), NULL));
	*keys = g_steal_pointer(&found);
	return PTN_OK;
}
