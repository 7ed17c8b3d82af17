/* store-copy.c - a store copied into another back end, and compared.
 *
 * What was read is remembered as a digest per key; then the whole of the other store is read and ticked off. */
#include "daemon/store-copy.h"

#include <string.h>

#include "base/error.h"
#include "base/keyed-hash.h"
#include "daemon/claim.h"

typedef struct {
	Store *to;
	GHashTable *left;     /* key -> digest of value and expiry: what was not found in `to` yet */
	GHashTable *expiries; /* key -> int64_t* */
	size_t copied;
	char *first; /* a key that differs, or could not be written */
} Copy;

static char *
copy_digest(const StoreItem *item)
{
	GChecksum *checksum = g_checksum_new(G_CHECKSUM_SHA256);
	char *digest;

	g_checksum_update(checksum, (const guchar *)item->value, -1);
	g_checksum_update(checksum, (const guchar *)&item->expires_us, sizeof item->expires_us);
	digest = g_strdup(g_checksum_get_string(checksum));
	g_checksum_free(checksum);
	return digest;
}

static bool
copy_one(void *data, const StoreItem *item)
{
	Copy *copy = data;

	if (g_str_has_prefix(item->key, CLAIM_PREFIX)) /* a lease of a daemon that uses the original, not the copy */
		return true;
	if (store_load(copy->to, item, CLOCK_NEVER) != PTN_OK) {
		copy->first = g_strdup(item->key);
		return false;
	}
	copy->copied++;
	g_hash_table_replace(copy->left, g_strdup(item->key), copy_digest(item));
	if (item->expires_us != CLOCK_NEVER)
		g_hash_table_replace(
			copy->expiries, g_strdup(item->key), g_memdup2(&item->expires_us, sizeof item->expires_us));
	return true;
}

static bool
copy_compare(void *data, const StoreItem *item)
{
	Copy *copy = data;
	const char *expected = g_hash_table_lookup(copy->left, item->key);
	g_autofree char *digest = expected != NULL ? copy_digest(item) : NULL;

	if (expected != NULL && strcmp(digest, expected) == 0) {
		g_hash_table_remove(copy->left, item->key);
	} else if (expected != NULL) {
		if (copy->first == NULL)
			copy->first = g_strdup(item->key);
	}
	return true;
}

/* What expired while it was copied is not missing. */
static size_t
copy_forgive(Copy *copy)
{
	const int64_t now_us = g_get_real_time();
	GHashTableIter iter;
	size_t expired = 0;
	void *key;

	g_hash_table_iter_init(&iter, copy->left);
	while (g_hash_table_iter_next(&iter, &key, NULL)) {
		const int64_t *until = g_hash_table_lookup(copy->expiries, key);

		if (until != NULL && *until <= now_us + CLOCK_SECOND) {
			expired++;
			g_hash_table_iter_remove(&iter);
		} else if (copy->first == NULL) {
			copy->first = g_strdup(key);
		}
	}
	return expired;
}

static bool
copy_nothing(void *data, const StoreItem *item)
{
	(void)data;
	return g_str_has_prefix(item->key, CLAIM_PREFIX);
}

static bool
copy_check_empty(Store *to, GError **error)
{
	switch (store_each(to, copy_nothing, NULL)) {
	case PTN_OK:
		return true;
	case PTN_TAKEN:
		return error_set(error, POSTERN_ERROR_EXISTS, "the store to copy to is not empty (--yes copies into it)");
	default:
		return error_set(error, POSTERN_ERROR_UNAVAILABLE, "the store to copy to cannot be read");
	}
}

static bool
copy_run(Copy *copy, Store *from, StoreCopied *copied, GError **error)
{
	const PtnStatus status = store_each(from, copy_one, copy);

	if (status == PTN_TAKEN)
		return error_set(
			error, POSTERN_ERROR_UNAVAILABLE, "%s cannot be written, after %zu items", copy->first, copy->copied);
	if (status != PTN_OK)
		return error_set(error, POSTERN_ERROR_UNAVAILABLE, "the store to copy cannot be read");
	if (!store_flush(copy->to))
		return error_set(error, POSTERN_ERROR_IO, "the copy cannot be written");
	if (store_each(copy->to, copy_compare, copy) != PTN_OK)
		return error_set(error, POSTERN_ERROR_UNAVAILABLE, "the copy cannot be read back");
	copied->copied = copy->copied;
	copied->expired = copy_forgive(copy);
	if (g_hash_table_size(copy->left) > 0)
		return error_set(error, POSTERN_ERROR_DAMAGED,
			"%u of %zu items are not in the copy as they were read, %s first: who writes there?",
			g_hash_table_size(copy->left), copy->copied, copy->first);
	return true;
}

bool
store_copy(Store *from, Store *to, bool may_have_more, StoreCopied *copied, GError **error)
{
	Copy copy = { .to = to };
	bool is_done;

	if (!may_have_more && !copy_check_empty(to, error))
		return false;
	copy.left = g_hash_table_new_full(keyed_hash_text, g_str_equal, g_free, g_free);
	copy.expiries = g_hash_table_new_full(keyed_hash_text, g_str_equal, g_free, g_free);
	is_done = copy_run(&copy, from, copied, error);
	g_hash_table_unref(copy.left);
	g_hash_table_unref(copy.expiries);
	g_free(copy.first);
	return is_done;
}
