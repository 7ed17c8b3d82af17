/* store-local.c - the stores of one node: all items in memory, and behind them a file or nothing.
 *
 * Reads never touch the file.  A durable store writes a change to the file first and to memory then, so nobody sees
 * what a crash could take back.  Otherwise changes are noted as dirty keys, which a thread writes once a second. */
#include <string.h>

#include "base/keyed-hash.h"
#include "service/store-local.h"
#include "service/store-tally.h"

enum { LOCAL_PAGE = 1000, LOCAL_VERSION_GAP = 1000 * 1000 };

static void
local_watch_clear(void *watch)
{
	g_free(((Watch *)watch)->prefix);
}

/* ---- the items in memory; with the lock held ---- */

static void
local_mark(Local *local, const char *key)
{
	if (local->file != NULL && !local->is_durable)
		g_hash_table_add(local->dirty, g_strdup(key));
}

static void
local_mark_gone(Local *local, char *key /* takes; NULL: nothing went */)
{
	if (key != NULL)
		local_mark(local, key);
	g_free(key);
}

static void
local_apply(Local *local, const StoreRow *row)
{
	local_mark_gone(local, store_table_sweep(local->table));
	store_table_apply(local->table, row);
	/* two, as a start with a smaller limit finds too many */
	for (int i = 0; i < 2 && !local->is_durable && store_table_size(local->table) > local->most_items; i++)
		local_mark_gone(local, store_table_evict(local->table));
	local_mark(local, row->key);
	for (guint i = 0; i < local->watches->len; i++) {
		Watch *watch = &g_array_index(local->watches, Watch, i);

		if (g_str_has_prefix(row->key, watch->prefix))
			watch->number = row->version;
	}
}

/* ---- writing ---- */

static void
local_begin(Local *local)
{
	if (local->is_durable)
		g_mutex_lock(&local->write_lock);
	g_mutex_lock(&local->lock);
}

static void
local_end(Local *local)
{
	g_mutex_unlock(&local->lock);
	if (local->is_durable)
		g_mutex_unlock(&local->write_lock);
}

/* Between begin and end.  Of a durable store the lock is given back while the disk works; no other writer comes in
 * between, because the write lock is kept. */
static PtnStatus
local_put(Local *local, const char *key, const char *value, int64_t expires_us)
{
	const StoreRow row = { (char *)(uintptr_t)key, (char *)(uintptr_t)value, ++local->version, expires_us };
	bool is_written = true;

	if (local->is_durable && local->file != NULL) {
		g_mutex_unlock(&local->lock);
		is_written = local_write_one(local, &row);
		g_mutex_lock(&local->lock);
	}
	if (!is_written)
		return PTN_UNSURE;
	local_apply(local, &row);
	return PTN_OK;
}

static int64_t
local_expiry(Local *local, int64_t ttl_us)
{
	int64_t expires_us;

	if (ttl_us == 0 || __builtin_add_overflow(clock_wall(local->clock), ttl_us, &expires_us))
		return CLOCK_NEVER;
	return expires_us;
}

static PtnStatus
local_set(void *data, const char *key, const char *value, int64_t ttl_us, int64_t deadline_us)
{
	Local *local = data;
	PtnStatus status;

	(void)deadline_us;
	local_begin(local);
	status = local_put(local, key, value, local_expiry(local, ttl_us));
	local_end(local);
	return status;
}

static PtnStatus
local_claim(void *data, const char *key, const char *value, int64_t ttl_us, int64_t deadline_us)
{
	Local *local = data;
	PtnStatus status = PTN_TAKEN;

	(void)deadline_us;
	local_begin(local);
	if (store_table_is_free(local->table, key, local_expiry(local, ttl_us)))
		status = local_put(local, key, value, local_expiry(local, ttl_us));
	local_end(local);
	return status;
}

static PtnStatus
local_replace(
	void *data, const char *key, const char *value, int64_t ttl_us, uint64_t *version, int64_t deadline_us)
{
	Local *local = data;
	PtnStatus status = PTN_TAKEN;
	const TableItem *item;

	(void)deadline_us;
	local_begin(local);
	item = store_table_find(local->table, key);
	if ((item != NULL ? item->version : 0) == *version) {
		status = local_put(local, key, value, local_expiry(local, ttl_us));
		if (status == PTN_OK)
			*version = local->version;
	}
	local_end(local);
	return status;
}

static PtnStatus
local_remove(void *data, const char *key, int64_t deadline_us)
{
	Local *local = data;
	PtnStatus status = PTN_NONE;

	(void)deadline_us;
	local_begin(local);
	if (store_table_find(local->table, key) != NULL)
		status = local_put(local, key, NULL, 0);
	local_end(local);
	return status;
}

static PtnStatus
local_load(void *data, const StoreItem *item, int64_t deadline_us)
{
	Local *local = data;
	PtnStatus status;

	(void)deadline_us;
	local_begin(local);
	status = local_put(local, item->key, item->value, item->expires_us);
	local_end(local);
	return status;
}

/* The sum of the window that ends at `end_us`; false: the key holds no counter. */
static bool
local_counter(Local *local, const char *key, int64_t end_us, int64_t *sum)
{
	const TableItem *item = store_table_find(local->table, key);
	gint64 number = 0;

	if (item != NULL && !g_ascii_string_to_signed(item->value, 10, G_MININT64, G_MAXINT64, &number, NULL))
		return false;
	*sum = item != NULL && item->expires_us == end_us ? number : 0;
	return true;
}

static PtnStatus
local_add(void *data, const char *key, int64_t n, int64_t window_us, int64_t deadline_us, int64_t *total)
{
	Local *local = data;
	PtnStatus status = PTN_OK;
	char text[32];
	int64_t sum, end_us;

	(void)deadline_us;
	local_begin(local);
	end_us = clock_wall(local->clock);
	if (__builtin_add_overflow(end_us - end_us % window_us, window_us, &end_us))
		end_us = CLOCK_NEVER;
	if (!local_counter(local, key, end_us, &sum)) {
		status = PTN_TAKEN;
	} else if (n != 0) {
		if (__builtin_add_overflow(sum, n, &sum))
			sum = n > 0 ? INT64_MAX : INT64_MIN;
		g_snprintf(text, sizeof text, "%" G_GINT64_FORMAT, (gint64)sum);
		status = local_put(local, key, text, end_us);
	}
	local_end(local);
	if (status == PTN_OK)
		*total = sum;
	return status;
}

static PtnStatus
local_tally(void *data, const char *key, StoreTally *tallies, size_t n, StoreBook *book, int64_t deadline_us)
{
	Local *local = data;
	g_autofree char *value = NULL;
	const TableItem *item;
	PtnStatus status = PTN_TAKEN;
	int64_t end_us;

	(void)book;
	(void)deadline_us;
	local_begin(local);
	item = store_table_find(local->table, key);
	if (store_tally_add(item != NULL ? item->value : NULL, item != NULL ? item->expires_us : 0,
			clock_wall(local->clock), tallies, n, &value, &end_us))
		status = local_put(local, key, value, end_us);
	local_end(local);
	return status;
}

/* ---- reading ---- */

static PtnStatus
local_get(void *data, const char *key, int64_t deadline_us, char **value, uint64_t *version)
{
	Local *local = data;
	const TableItem *item;

	(void)deadline_us;
	g_mutex_lock(&local->lock);
	item = store_table_find(local->table, key);
	if (item != NULL) {
		*value = g_strdup(item->value);
		*version = item->version;
	}
	g_mutex_unlock(&local->lock);
	return item != NULL ? PTN_OK : PTN_NONE;
}

static PtnStatus
local_list(void *data, const char *prefix, const char *after, size_t limit, int64_t deadline_us, GPtrArray **items)
{
	Local *local = data;

	(void)deadline_us;
	g_mutex_lock(&local->lock);
	*items = store_table_list(local->table, prefix, after, limit);
	g_mutex_unlock(&local->lock);
	return PTN_OK;
}

/* In pages: `each` may take its time. */
static PtnStatus
local_each(void *data, bool (*each)(void *each_data, const StoreItem *item), void *each_data)
{
	Local *local = data;
	g_autofree char *after = NULL;
	guint read;

	do {
		g_autoptr(GPtrArray) page = NULL;

		g_mutex_lock(&local->lock);
		page = store_table_list(local->table, "", after, LOCAL_PAGE);
		g_mutex_unlock(&local->lock);
		read = page->len;
		for (guint i = 0; i < read; i++)
			if (!each(each_data, g_ptr_array_index(page, i)))
				return PTN_TAKEN;
		if (read > 0) {
			g_free(after);
			after = g_strdup(((const StoreItem *)g_ptr_array_index(page, read - 1))->key);
		}
	} while (read == LOCAL_PAGE);
	return PTN_OK;
}

static Watch *
local_find_watch(Local *local, const char *prefix)
{
	for (guint i = 0; i < local->watches->len; i++)
		if (strcmp(g_array_index(local->watches, Watch, i).prefix, prefix) == 0)
			return &g_array_index(local->watches, Watch, i);
	return NULL;
}

static void
local_watch(void *data, const char *prefix)
{
	Local *local = data;

	g_mutex_lock(&local->lock);
	if (local_find_watch(local, prefix) == NULL) {
		const Watch watch = { g_strdup(prefix), local->version };

		g_array_append_val(local->watches, watch);
	}
	g_mutex_unlock(&local->lock);
}

/* Which keys changed is not remembered: all of them are here. */
static PtnStatus
local_feed(void *data, StoreFeed *feeds, size_t n, int64_t deadline_us)
{
	Local *local = data;
	PtnStatus status = PTN_OK;

	(void)deadline_us;
	g_mutex_lock(&local->lock);
	for (size_t i = 0; i < n; i++) {
		const Watch *watch = local_find_watch(local, feeds[i].prefix);

		if (watch == NULL)
			status = PTN_NONE;
		else
			feeds[i].number = watch->number;
		if (watch != NULL && feeds[i].has_since && feeds[i].since == watch->number)
			feeds[i].keys = g_ptr_array_new_with_free_func(g_free);
	}
	g_mutex_unlock(&local->lock);
	return status;
}

static PtnStatus
local_read(void *data, const char *prefix, const GPtrArray *keys, int64_t deadline_us, GPtrArray **items)
{
	Local *local = data;

	(void)prefix, (void)deadline_us;
	*items = g_ptr_array_new_with_free_func(store_item_free);
	g_mutex_lock(&local->lock);
	for (guint i = 0; i < keys->len; i++) {
		const TableItem *found = store_table_find(local->table, g_ptr_array_index(keys, i));
		StoreItem *item;

		if (found == NULL)
			continue;
		item = store_item_new(g_strdup(found->key), g_strdup(found->value), found->version);
		item->expires_us = found->expires_us;
		g_ptr_array_add(*items, item);
	}
	g_mutex_unlock(&local->lock);
	return PTN_OK;
}

static int64_t
local_wall(void *data)
{
	const Local *local = data;

	return clock_wall(local->clock);
}

static char *
local_describe(void *data)
{
	Local *local = data;
	const char *ok = local->file != NULL ? "sqlite ok" : "memory ok";
	char *text;

	g_mutex_lock(&local->lock);
	text = g_strdup(local->trouble != NULL ? local->trouble : ok);
	g_mutex_unlock(&local->lock);
	return text;
}

/* ---- opening, closing ---- */

static Local *
local_new(const StoreSettings *settings)
{
	Local *local = g_new0(Local, 1);

	local->clock = settings->clock;
	local->metrics = settings->metrics;
	local->alarm = g_strconcat(settings->name != NULL ? settings->name : "store", ".unwritten", NULL);
	local->is_durable = settings->is_durable;
	local->most_items = settings->most_items > 0 ? settings->most_items : STORE_ITEMS;
	g_mutex_init(&local->write_lock);
	g_mutex_init(&local->lock);
	g_cond_init(&local->closing);
	local->table = store_table_new(settings->clock);
	local->watches = g_array_new(FALSE, FALSE, sizeof(Watch));
	g_array_set_clear_func(local->watches, local_watch_clear);
	local->dirty = g_hash_table_new_full(keyed_hash_text, g_str_equal, g_free, NULL);
	return local;
}

static void
local_close(void *data)
{
	Local *local = data;

	if (local->writer != NULL) {
		g_mutex_lock(&local->lock);
		local->is_closing = true;
		g_cond_signal(&local->closing);
		g_mutex_unlock(&local->lock);
		thread_join(local->writer);
	}
	(void)local_flush(local);
	store_file_close(local->file);
	store_table_free(local->table);
	g_array_unref(local->watches);
	g_hash_table_unref(local->dirty);
	g_free(local->trouble);
	g_free(local->alarm);
	g_cond_clear(&local->closing);
	g_mutex_clear(&local->lock);
	g_mutex_clear(&local->write_lock);
	g_free(local);
}

static void *
local_open_memory(const StoreSettings *settings, const char *rest, GError **error)
{
	(void)rest, (void)error;
	return local_new(settings);
}

static void
local_load_row(void *data, const StoreRow *row)
{
	Local *local = data;

	if (row->expires_us <= clock_wall(local->clock))
		g_hash_table_add(local->dirty, g_strdup(row->key));
	else
		store_table_apply(local->table, row);
	local->version = MAX(local->version, row->version);
}

static void *
local_open_sqlite(const StoreSettings *settings, const char *path, GError **error)
{
	Local *local = local_new(settings);
	uint64_t version;

	local->file = store_file_open(path, settings->is_durable, error);
	if (local->file == NULL || !store_file_load(local->file, local_load_row, local, &version, error)) {
		g_hash_table_remove_all(local->dirty);
		local_close(local);
		return NULL;
	}
	/* Versions handed out in the second that a crash took back are never handed out again. */
	local->version = MAX(local->version, version) + (settings->is_durable ? 0 : LOCAL_VERSION_GAP);
	(void)local_flush(local);
	if (!settings->is_durable)
		local->writer = thread_new("store", local_writer, local);
	return local;
}

#define LOCAL_FUNCTIONS \
	.is_local = true, .close = local_close, .flush = local_flush, .get = local_get, .set = local_set, \
	.claim = local_claim, .replace = local_replace, .add = local_add, .tally = local_tally, \
	.remove = local_remove, .list = local_list, .watch = local_watch, \
	.feed = local_feed, .read = local_read, .wall = local_wall, .each = local_each, .load = local_load, \
	.describe = local_describe

const StoreBackend store_memory = { .scheme = "memory:", .open = local_open_memory, LOCAL_FUNCTIONS };
const StoreBackend store_sqlite = { .scheme = "sqlite:", .open = local_open_sqlite, LOCAL_FUNCTIONS };
