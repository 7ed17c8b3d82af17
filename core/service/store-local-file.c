/* store-local-file.c - how a store of one node comes into its file: a row at once where it is durable, else behind, from the
 * keys that are dirty. */
#include "base/keyed-hash.h"
#include "service/store-local.h"

/* ---- with the write lock held ---- */

static void
local_note_trouble(Local *local, const GError *error)
{
	const char *effect = local->is_durable ? "no change is accepted" : "counters and caches go on in memory";
	g_autofree char *text = NULL;

	if (error != NULL)
		text = g_strdup_printf("the file cannot be written: %s; %s", error->message, effect);
	g_mutex_lock(&local->lock);
	g_free(local->trouble);
	local->trouble = error != NULL ? g_strdup(error->message) : NULL;
	g_mutex_unlock(&local->lock);
	if (local->metrics != NULL)
		metrics_alarm(local->metrics, local->alarm, text);
}

bool
local_write_one(Local *local, const StoreRow *row)
{
	g_autoptr(GError) error = NULL;

	if (!store_file_begin(local->file, &error) || !store_file_put(local->file, row, &error) ||
		!store_file_commit(local->file, row->version, &error))
		store_file_rollback(local->file);
	local_note_trouble(local, error);
	return error == NULL;
}

static bool
local_write_key(Local *local, const char *key, GError **error)
{
	g_autofree char *value = NULL;
	StoreRow row = { .key = (char *)(uintptr_t)key };
	const TableItem *item;

	g_mutex_lock(&local->lock);
	item = store_table_find_any(local->table, key);
	if (item != NULL) {
		row.value = value = g_strdup(item->value);
		row.version = item->version;
		row.expires_us = item->expires_us;
	}
	g_mutex_unlock(&local->lock);
	return store_file_put(local->file, &row, error);
}

static bool
local_write_keys(Local *local, GHashTable *keys, GError **error)
{
	GHashTableIter iter;
	uint64_t version;
	void *key;

	if (!store_file_begin(local->file, error))
		return false;
	g_hash_table_iter_init(&iter, keys);
	while (g_hash_table_iter_next(&iter, &key, NULL))
		if (!local_write_key(local, key, error))
			return false;
	g_mutex_lock(&local->lock);
	version = local->version;
	g_mutex_unlock(&local->lock);
	return store_file_commit(local->file, version, error);
}

static void
local_mark_again(Local *local, GHashTable *keys)
{
	GHashTableIter iter;
	void *key;

	g_mutex_lock(&local->lock);
	g_hash_table_iter_init(&iter, keys);
	while (g_hash_table_iter_next(&iter, &key, NULL)) {
		g_hash_table_iter_steal(&iter);
		g_hash_table_add(local->dirty, key);
	}
	g_mutex_unlock(&local->lock);
}

static bool
local_write_dirty(Local *local)
{
	g_autoptr(GHashTable) keys = g_hash_table_new_full(keyed_hash_text, g_str_equal, g_free, NULL);
	g_autoptr(GError) error = NULL;
	GHashTable *dirty;

	g_mutex_lock(&local->lock);
	dirty = local->dirty;
	local->dirty = g_steal_pointer(&keys);
	keys = dirty;
	g_mutex_unlock(&local->lock);
	if (g_hash_table_size(keys) == 0)
		return true;
	if (!local_write_keys(local, keys, &error)) {
		store_file_rollback(local->file);
		local_mark_again(local, keys);
	}
	local_note_trouble(local, error);
	return error == NULL;
}

/* ---- writing behind ---- */

bool
local_flush(void *data)
{
	Local *local = data;
	bool is_written;

	if (local->file == NULL)
		return true;
	g_mutex_lock(&local->write_lock);
	is_written = local_write_dirty(local);
	g_mutex_unlock(&local->write_lock);
	return is_written;
}

void *
local_writer(void *data)
{
	Local *local = data;

	g_mutex_lock(&local->lock);
	while (!local->is_closing) {
		(void)g_cond_wait_until(&local->closing, &local->lock, g_get_monotonic_time() + G_USEC_PER_SEC);
		g_mutex_unlock(&local->lock);
		(void)local_flush(local);
		g_mutex_lock(&local->lock);
	}
	g_mutex_unlock(&local->lock);
	return NULL;
}
