/* blocks-share.c - blocks in the store that nodes share: written so that the later end wins, and read when they change.
 *
 * An item is "SINCE UNTIL BY REASON" under the network's name, and expires with the block; UNTIL is read from its expiry, which
 * the store counts by its own clock.  "lifted" expires a day after the block was lifted. */
#include <string.h>

#include "service/blocks-private.h"

enum { SHARE_PAGE = 1000, SHARE_ATTEMPTS = 20 };

#define SHARE_LIFTED "lifted"
#define SHARE_LIFTED_US (86400 * CLOCK_SECOND) /* how long a node that was away may still bring it back */
#define SHARE_PATIENCE_US (2 * CLOCK_SECOND)
#define SHARE_ALL_US (600 * CLOCK_SECOND) /* how long changes alone are read */

int64_t
blocks_deadline(void)
{
	return g_get_monotonic_time() + SHARE_PATIENCE_US;
}

/* ---- items ---- */

static char *
share_key(const IpNetwork *network)
{
	g_autofree char *text = ip_network_format(network);

	return g_strconcat(BLOCKS_PREFIX, text, NULL);
}

static char *
share_format(const Block *block)
{
	return g_strdup_printf("%" G_GINT64_FORMAT " %" G_GINT64_FORMAT " %s %s", block->since_us, block->until_us,
		block->by, block->reason);
}

/* New; NULL: no block, or one that was lifted. */
static BlockEntry *
share_parse(const StoreItem *item)
{
	g_auto(GStrv) words = g_strsplit(item->value, " ", 4);
	IpNetwork network;
	BlockEntry *entry;

	if (g_strv_length(words) != 4 || !ip_network_parse(item->key + strlen(BLOCKS_PREFIX), &network, NULL))
		return NULL;
	entry = g_new0(BlockEntry, 1);
	entry->block.network = network;
	entry->block.since_us = g_ascii_strtoll(words[0], NULL, 10);
	entry->block.until_us = item->expires_us == CLOCK_NEVER ? 0 : item->expires_us;
	entry->block.by = g_strdup(words[2]);
	entry->block.reason = g_strdup(words[3]);
	entry->is_written = true;
	return entry;
}

static bool
share_is_lifted_since(const StoreItem *item, int64_t since_us)
{
	return strcmp(item->value, SHARE_LIFTED) == 0 && item->expires_us != CLOCK_NEVER &&
		   item->expires_us - SHARE_LIFTED_US > since_us;
}

/* ---- writing ---- */

/* OK: `item` is what the store has of it (new), NONE: nothing. */
static PtnStatus
share_read(Blocks *blocks, char *key, GPtrArray **items)
{
	g_autoptr(GPtrArray) keys = g_ptr_array_new();
	PtnStatus status;

	g_ptr_array_add(keys, key);
	status = store_read(blocks->store, BLOCKS_PREFIX, keys, blocks_deadline(), items);
	return status == PTN_OK && (*items)->len == 0 ? PTN_NONE : status;
}

/* True: what the store has is not to be replaced by `block`; `theirs`: new, or NULL. */
static bool
share_yields(const Block *block, bool is_new, const StoreItem *item, BlockEntry **theirs)
{
	BlockEntry *entry = share_parse(item);

	if (entry != NULL && blocks_ends_later(entry->block.until_us, block->until_us)) {
		*theirs = entry;
		return true;
	}
	if (entry != NULL)
		block_entry_free(entry);
	return !is_new && share_is_lifted_since(item, block->since_us);
}

static PtnStatus
share_replace(Blocks *blocks, const Block *block, const char *key, uint64_t version)
{
	g_autofree char *value = share_format(block);
	const int64_t time_us = block->until_us == 0 ? 0 : MAX(block->until_us - store_wall(blocks->store), 1);
	const PtnStatus status = store_replace(blocks->store, key, value, time_us, &version, blocks_deadline());

	return status == PTN_OK && !store_flush(blocks->store) ? PTN_UNSURE : status;
}

PtnStatus
blocks_share(Blocks *blocks, const Block *block, bool is_new, BlockEntry **theirs)
{
	g_autofree char *key = share_key(&block->network);
	PtnStatus status = PTN_TAKEN;

	for (int i = 0; i < SHARE_ATTEMPTS && status == PTN_TAKEN; i++) { /* until nobody writes in between */
		g_autoptr(GPtrArray) items = NULL;
		const StoreItem *item = NULL;

		status = share_read(blocks, key, &items);
		if (status == PTN_UNSURE)
			return status;
		if (status == PTN_OK)
			item = g_ptr_array_index(items, 0);
		if (item != NULL && share_yields(block, is_new, item, theirs))
			return PTN_TAKEN;
		status = share_replace(blocks, block, key, item != NULL ? item->version : 0);
	}
	return status == PTN_TAKEN ? PTN_UNSURE : status;
}

PtnStatus
blocks_share_lift(Blocks *blocks, const IpNetwork *network)
{
	g_autofree char *key = share_key(network);
	const PtnStatus status =
		store_set(blocks->store, key, SHARE_LIFTED, SHARE_LIFTED_US, blocks_deadline());

	return status == PTN_OK && !store_flush(blocks->store) ? PTN_UNSURE : status;
}

/* What the store lost, or could not be given, is written again. */
static void
share_write_again(Blocks *blocks, const Block *block)
{
	BlockEntry *theirs = NULL, *ours;
	const PtnStatus status = blocks_share(blocks, block, false, &theirs);

	g_rw_lock_writer_lock(&blocks->lock);
	ours = g_hash_table_lookup(blocks->entries, &block->network);
	if (theirs != NULL)
		blocks_put_later(blocks, theirs);
	else if (status == PTN_TAKEN)
		blocks_drop(blocks, &block->network);
	else if (ours != NULL && ours->block.until_us == block->until_us)
		ours->is_written = status == PTN_OK;
	blocks->has_unwritten |= status == PTN_UNSURE;
	g_rw_lock_writer_unlock(&blocks->lock);
}

static void
share_write_lost(Blocks *blocks)
{
	g_autoptr(GPtrArray) lost = g_ptr_array_new_with_free_func((GDestroyNotify)block_free);
	GHashTableIter each;
	gpointer value;

	g_rw_lock_writer_lock(&blocks->lock);
	g_hash_table_iter_init(&each, blocks->entries);
	while (blocks->has_unwritten && g_hash_table_iter_next(&each, NULL, &value)) {
		const BlockEntry *entry = value;

		if (!entry->is_written)
			g_ptr_array_add(lost, block_copy(&entry->block));
	}
	blocks->has_unwritten = false;
	g_rw_lock_writer_unlock(&blocks->lock);
	for (guint i = 0; i < lost->len; i++)
		share_write_again(blocks, g_ptr_array_index(lost, i));
}

/* ---- reading ---- */

/* One that is not written yet stays, unless the store's ends later, or the network was lifted since; the writer's lock is
 * held. */
static void
share_take(Blocks *blocks, const StoreItem *item)
{
	BlockEntry *entry = share_parse(item);
	const BlockEntry *ours;
	IpNetwork network;

	if (!ip_network_parse(item->key + strlen(BLOCKS_PREFIX), &network, NULL))
		return;
	ours = g_hash_table_lookup(blocks->entries, &network);
	if (entry == NULL) {
		if (ours != NULL && share_is_lifted_since(item, ours->is_written ? 0 : ours->block.since_us))
			blocks_drop(blocks, &network);
	} else if (ours == NULL || ours->is_written ||
			   blocks_ends_later(entry->block.until_us, ours->block.until_us)) {
		entry->is_seen = true;
		blocks_put(blocks, entry);
	} else {
		block_entry_free(entry);
	}
}

static void
share_take_all(Blocks *blocks, const GPtrArray *items)
{
	g_rw_lock_writer_lock(&blocks->lock);
	for (guint i = 0; i < items->len; i++)
		share_take(blocks, g_ptr_array_index(items, i));
	g_rw_lock_writer_unlock(&blocks->lock);
}

static bool
share_list(Blocks *blocks)
{
	g_autofree char *after = NULL;
	guint n;

	do {
		g_autoptr(GPtrArray) page = NULL;

		if (store_list(blocks->store, BLOCKS_PREFIX, after, SHARE_PAGE, blocks_deadline(), &page) != PTN_OK)
			return false;
		n = page->len;
		share_take_all(blocks, page);
		if (n > 0) {
			g_free(after);
			after = g_strdup(((const StoreItem *)g_ptr_array_index(page, n - 1))->key);
		}
	} while (n == SHARE_PAGE);
	return true;
}

/* False: all is to be read, as one of them is lost (a lifted one is not), or not known.  A thousand nodes that read a long table
 * for each block would be more than a store can bear. */
static bool
share_read_changed(Blocks *blocks, const GPtrArray *keys)
{
	g_autoptr(GPtrArray) items = NULL;

	if (keys->len == 0)
		return true;
	if (store_read(blocks->store, BLOCKS_PREFIX, keys, blocks_deadline(), &items) != PTN_OK ||
		items->len < keys->len)
		return false;
	share_take_all(blocks, items);
	return true;
}

/* Of all entries; afterwards those that the store did not have are not written. */
static void
share_note_seen(Blocks *blocks, bool is_begin)
{
	GHashTableIter each;
	gpointer value;

	g_rw_lock_writer_lock(&blocks->lock);
	g_hash_table_iter_init(&each, blocks->entries);
	while (g_hash_table_iter_next(&each, NULL, &value)) {
		BlockEntry *entry = value;

		if (is_begin) {
			entry->is_seen = false;
		} else if (!entry->is_seen) {
			entry->is_written = false;
			blocks->has_unwritten = true;
		}
	}
	g_rw_lock_writer_unlock(&blocks->lock);
}

static bool
share_read_all(Blocks *blocks)
{
	share_note_seen(blocks, true);
	blocks->has_read = share_list(blocks);
	if (!blocks->has_read)
		return false;
	blocks->read_all_us = clock_monotonic(blocks->clock);
	share_note_seen(blocks, false);
	return true;
}

/* ---- looking ---- */

static gboolean
share_has_ended(gpointer key, gpointer value, gpointer data)
{
	Blocks *blocks = data;
	const Block *block = &((BlockEntry *)value)->block;

	(void)key;
	if (block->until_us != 0 && block->until_us <= store_wall(blocks->store)) {
		blocks->lengths[block->network.bits]--;
		return TRUE;
	}
	if (block->until_us != 0)
		blocks->next_end_us = MIN(blocks->next_end_us, block->until_us);
	return FALSE;
}

static void
share_expire(Blocks *blocks)
{
	g_rw_lock_writer_lock(&blocks->lock);
	if (blocks->next_end_us <= store_wall(blocks->store)) {
		blocks->next_end_us = CLOCK_NEVER;
		g_hash_table_foreach_remove(blocks->entries, share_has_ended, blocks);
		atomic_store(&blocks->count, g_hash_table_size(blocks->entries));
	}
	g_rw_lock_writer_unlock(&blocks->lock);
}

void
blocks_look(Blocks *blocks)
{
	StoreFeed feed = { .prefix = BLOCKS_PREFIX, .since = blocks->changes };
	bool is_read;

	share_expire(blocks);
	feed.has_since = blocks->has_read && clock_monotonic(blocks->clock) - blocks->read_all_us <= SHARE_ALL_US;
	if (store_feed(blocks->store, &feed, 1, blocks_deadline()) != PTN_OK) {
		blocks->has_read = false;
		return;
	}
	is_read = (feed.keys != NULL && share_read_changed(blocks, feed.keys)) || share_read_all(blocks);
	g_clear_pointer(&feed.keys, g_ptr_array_unref);
	if (!is_read)
		return;
	blocks->changes = feed.number;
	share_write_lost(blocks);
}
