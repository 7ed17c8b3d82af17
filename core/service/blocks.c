/* blocks.c - the table of blocks: a hash per network, asked once for each length of prefix in use. */
#include "service/blocks.h"

#include <stdatomic.h>
#include <string.h>

#include "base/keyed-hash.h"
#include "base/log.h"

enum { BLOCKS_LENGTHS = 129, BLOCKS_PAGE = 1000 };

#define BLOCKS_PREFIX "block/"
#define BLOCKS_LIFTED "lifted"
#define BLOCKS_LIFTED_US (86400 * CLOCK_SECOND) /* how long a node that was away may still bring it back */
#define BLOCKS_PATIENCE_US (2 * CLOCK_SECOND)
#define BLOCKS_ALL_US (600 * CLOCK_SECOND) /* how long changes alone are read */

typedef struct {
	Block block;
	bool is_written; /* the store has it */
	bool is_seen;    /* by the listing that is being read */
} Entry;

struct Blocks {
	Store *store;
	const Clock *clock;
	atomic_size_t count;
	GRWLock lock;                     /* guards the three below */
	GHashTable *entries;              /* IpNetwork -> Entry* */
	unsigned lengths[BLOCKS_LENGTHS]; /* how many entries have this length */
	int64_t next_end_us;
	uint64_t changes; /* of the store when it was read; the rest is of blocks_look() alone */
	int64_t read_all_us;
	bool has_read, has_unwritten;
};

/* Whole, because a network has no octets between its fields. */
static guint
blocks_hash(gconstpointer key)
{
	G_STATIC_ASSERT(sizeof(IpNetwork) == sizeof(IpAddress) + sizeof(unsigned));
	return keyed_hash_octets(key, sizeof(IpNetwork));
}

static gboolean
blocks_equal(gconstpointer a, gconstpointer b)
{
	const IpNetwork *left = a, *right = b;

	return left->bits == right->bits && ip_equal(&left->base, &right->base);
}

void
block_free(Block *block)
{
	if (block == NULL)
		return;
	g_free(block->by);
	g_free(block->reason);
	g_free(block);
}

static void
blocks_free_entry(void *data)
{
	Entry *entry = data;

	g_free(entry->block.by);
	g_free(entry->block.reason);
	g_free(entry);
}

Blocks *
blocks_new(Store *store, const Clock *clock)
{
	Blocks *blocks = g_new0(Blocks, 1);

	blocks->store = store;
	blocks->clock = clock;
	blocks->next_end_us = CLOCK_NEVER;
	g_rw_lock_init(&blocks->lock);
	blocks->entries = g_hash_table_new_full(blocks_hash, blocks_equal, NULL, blocks_free_entry);
	store_watch(store, BLOCKS_PREFIX);
	return blocks;
}

void
blocks_free(Blocks *blocks)
{
	if (blocks == NULL)
		return;
	g_hash_table_unref(blocks->entries);
	g_rw_lock_clear(&blocks->lock);
	g_free(blocks);
}

/* ---- at each connection ---- */

/* Lock held.  The block that keeps the client out, one without end before others; NULL: none does. */
static const Block *
blocks_find_locked(Blocks *blocks, const IpAddress *client)
{
	const int64_t now_us = clock_wall(blocks->clock);
	const Block *found = NULL;

	for (unsigned bits = 0; bits < BLOCKS_LENGTHS; bits++) {
		const Entry *entry = NULL;
		IpNetwork network;

		if (blocks->lengths[bits] == 0)
			continue;
		network = ip_network_of(client, bits);
		entry = g_hash_table_lookup(blocks->entries, &network);
		if (entry != NULL && entry->block.until_us == 0)
			return &entry->block;
		if (entry != NULL && entry->block.until_us > now_us)
			found = &entry->block;
	}
	return found;
}

BlocksAnswer
blocks_test(Blocks *blocks, const IpAddress *client)
{
	BlocksAnswer answer = BLOCKS_FREE;
	const Block *block;

	if (atomic_load(&blocks->count) == 0)
		return BLOCKS_FREE;
	g_rw_lock_reader_lock(&blocks->lock);
	block = blocks_find_locked(blocks, client);
	if (block != NULL)
		answer = block->until_us == 0 ? BLOCKS_FOR_EVER : BLOCKS_FOR_A_TIME;
	g_rw_lock_reader_unlock(&blocks->lock);
	return answer;
}

/* ---- changing the table; the writer's lock is held ---- */

static void
blocks_drop(Blocks *blocks, const IpNetwork *network)
{
	const unsigned bits = network->bits;

	if (g_hash_table_remove(blocks->entries, network))
		blocks->lengths[bits]--;
	atomic_store(&blocks->count, g_hash_table_size(blocks->entries));
}

/* Takes. */
static void
blocks_put(Blocks *blocks, Entry *entry)
{
	const IpNetwork network = entry->block.network;

	blocks_drop(blocks, &network);
	blocks->lengths[network.bits]++;
	g_hash_table_insert(blocks->entries, &entry->block.network, entry);
	if (entry->block.until_us != 0)
		blocks->next_end_us = MIN(blocks->next_end_us, entry->block.until_us);
	atomic_store(&blocks->count, g_hash_table_size(blocks->entries));
}

static bool
blocks_ends_later(int64_t until_us, int64_t than_us)
{
	return than_us != 0 && (until_us == 0 || until_us > than_us);
}

/* ---- records: "SINCE UNTIL BY REASON" ---- */

static char *
blocks_key(const IpNetwork *network)
{
	g_autofree char *text = ip_network_format(network);

	return g_strconcat(BLOCKS_PREFIX, text, NULL);
}

static char *
blocks_format(const Block *block)
{
	return g_strdup_printf("%" G_GINT64_FORMAT " %" G_GINT64_FORMAT " %s %s", block->since_us, block->until_us,
		block->by, block->reason);
}

/* New; NULL: no block, or one that was lifted. */
static Entry *
blocks_parse(const StoreItem *item)
{
	g_auto(GStrv) words = g_strsplit(item->value, " ", 4);
	IpNetwork network;
	Entry *entry;

	if (g_strv_length(words) != 4 || !ip_network_parse(item->key + strlen(BLOCKS_PREFIX), &network, NULL))
		return NULL;
	entry = g_new0(Entry, 1);
	entry->block.network = network;
	entry->block.since_us = g_ascii_strtoll(words[0], NULL, 10);
	entry->block.until_us = g_ascii_strtoll(words[1], NULL, 10);
	entry->block.by = g_strdup(words[2]);
	entry->block.reason = g_strdup(words[3]);
	entry->is_written = true;
	return entry;
}

static int64_t
blocks_deadline(void)
{
	return g_get_monotonic_time() + BLOCKS_PATIENCE_US;
}

/* A block is on disk when this returns, where the store is a file. */
static PtnStatus
blocks_write(Blocks *blocks, const Block *block)
{
	const int64_t left_us = block->until_us - clock_wall(blocks->clock);
	g_autofree char *key = blocks_key(&block->network);
	g_autofree char *value = blocks_format(block);
	const int64_t time_us = block->until_us == 0 ? 0 : MAX(left_us, 1);
	const PtnStatus status = store_set(blocks->store, key, value, time_us, blocks_deadline());

	return status == PTN_OK && !store_flush(blocks->store) ? PTN_UNSURE : status;
}

/* ---- verbs ---- */

static Block
blocks_copy(const Block *block)
{
	Block copy = *block;

	copy.by = g_strdup(block->by);
	copy.reason = g_strdup(block->reason);
	return copy;
}

Block *
blocks_find(Blocks *blocks, const IpAddress *client)
{
	const Block *block;
	Block *copy = NULL;

	g_rw_lock_reader_lock(&blocks->lock);
	block = blocks_find_locked(blocks, client);
	if (block != NULL) {
		copy = g_new(Block, 1);
		*copy = blocks_copy(block);
	}
	g_rw_lock_reader_unlock(&blocks->lock);
	return copy;
}

static char *
blocks_one_line(const char *text)
{
	char *line = g_strdup(text);

	for (char *c = line; *c != '\0'; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = ' ';
	return line;
}

static void
blocks_set_written(Blocks *blocks, const IpNetwork *network, bool is_written)
{
	Entry *entry;

	g_rw_lock_writer_lock(&blocks->lock);
	entry = g_hash_table_lookup(blocks->entries, network);
	if (entry != NULL)
		entry->is_written = is_written;
	blocks->has_unwritten |= !is_written;
	g_rw_lock_writer_unlock(&blocks->lock);
}

static bool
blocks_is_longer(Blocks *blocks, const Block *block)
{
	const Entry *before;
	bool is_longer;

	g_rw_lock_reader_lock(&blocks->lock);
	before = g_hash_table_lookup(blocks->entries, &block->network);
	is_longer = before == NULL || blocks_ends_later(block->until_us, before->block.until_us);
	g_rw_lock_reader_unlock(&blocks->lock);
	return is_longer;
}

/* It holds when it is written, so that it still does after a crash; where it cannot be written it holds all the same. */
PtnStatus
blocks_add(Blocks *blocks, const IpNetwork *network, int64_t time_us, const char *by, const char *reason)
{
	const int64_t now_us = clock_wall(blocks->clock);
	Entry *entry = g_new0(Entry, 1);
	PtnStatus status;

	entry->block =
		(Block){ *network, now_us, time_us > 0 ? now_us + time_us : 0, g_strdup(by), blocks_one_line(reason) };
	if (!blocks_is_longer(blocks, &entry->block)) {
		blocks_free_entry(entry);
		return PTN_OK;
	}
	status = blocks_write(blocks, &entry->block);
	entry->is_written = status == PTN_OK;
	g_rw_lock_writer_lock(&blocks->lock);
	blocks->has_unwritten |= status != PTN_OK;
	blocks_put(blocks, entry);
	g_rw_lock_writer_unlock(&blocks->lock);
	return status;
}

PtnStatus
blocks_lift(Blocks *blocks, const IpNetwork *network)
{
	g_autofree char *key = blocks_key(network);
	bool is_there;
	PtnStatus status;

	g_rw_lock_writer_lock(&blocks->lock);
	is_there = g_hash_table_contains(blocks->entries, network);
	g_rw_lock_writer_unlock(&blocks->lock);
	if (!is_there)
		return PTN_NONE;
	status = store_set(blocks->store, key, BLOCKS_LIFTED, BLOCKS_LIFTED_US, blocks_deadline());
	if (status != PTN_OK || !store_flush(blocks->store))
		return PTN_UNSURE;
	g_rw_lock_writer_lock(&blocks->lock);
	blocks_drop(blocks, network);
	g_rw_lock_writer_unlock(&blocks->lock);
	return PTN_OK;
}

static int
blocks_compare(gconstpointer a, gconstpointer b)
{
	const Block *left = *(const Block *const *)a, *right = *(const Block *const *)b;
	const int order = memcmp(&left->network.base, &right->network.base, sizeof left->network.base);

	return order != 0 ? order : (int)left->network.bits - (int)right->network.bits;
}

GPtrArray *
blocks_list(Blocks *blocks, const IpAddress *client)
{
	GPtrArray *list = g_ptr_array_new_with_free_func((GDestroyNotify)block_free);
	const int64_t now_us = clock_wall(blocks->clock);
	GHashTableIter each;
	gpointer value;

	g_rw_lock_reader_lock(&blocks->lock);
	g_hash_table_iter_init(&each, blocks->entries);
	while (g_hash_table_iter_next(&each, NULL, &value)) {
		const Block *block = &((const Entry *)value)->block;
		Block *copy;

		if ((block->until_us != 0 && block->until_us <= now_us) ||
			(client != NULL && !ip_network_contains(&block->network, client)))
			continue;
		copy = g_new(Block, 1);
		*copy = blocks_copy(block);
		g_ptr_array_add(list, copy);
	}
	g_rw_lock_reader_unlock(&blocks->lock);
	g_ptr_array_sort(list, blocks_compare);
	return list;
}

size_t
blocks_count(Blocks *blocks)
{
	return atomic_load(&blocks->count);
}

/* ---- looking ---- */

static gboolean
blocks_has_ended(gpointer key, gpointer value, gpointer data)
{
	Blocks *blocks = data;
	const Block *block = &((Entry *)value)->block;

	(void)key;
	if (block->until_us != 0 && block->until_us <= clock_wall(blocks->clock)) {
		blocks->lengths[block->network.bits]--;
		return TRUE;
	}
	if (block->until_us != 0)
		blocks->next_end_us = MIN(blocks->next_end_us, block->until_us);
	return FALSE;
}

static void
blocks_expire(Blocks *blocks)
{
	g_rw_lock_writer_lock(&blocks->lock);
	if (blocks->next_end_us <= clock_wall(blocks->clock)) {
		blocks->next_end_us = CLOCK_NEVER;
		g_hash_table_foreach_remove(blocks->entries, blocks_has_ended, blocks);
		atomic_store(&blocks->count, g_hash_table_size(blocks->entries));
	}
	g_rw_lock_writer_unlock(&blocks->lock);
}

/* One item of the store; the writer's lock is held. */
static void
blocks_take_item(Blocks *blocks, const StoreItem *item)
{
	Entry *entry = blocks_parse(item);
	const Entry *ours;
	IpNetwork network;

	if (!ip_network_parse(item->key + strlen(BLOCKS_PREFIX), &network, NULL))
		return;
	ours = g_hash_table_lookup(blocks->entries, &network);
	if (ours != NULL && !ours->is_written) { /* it is newer than what the store has, and will be written */
		if (entry != NULL)
			blocks_free_entry(entry);
	} else if (entry != NULL) {
		entry->is_seen = true;
		blocks_put(blocks, entry);
	} else if (strcmp(item->value, BLOCKS_LIFTED) == 0) {
		blocks_drop(blocks, &network);
	}
}

static bool
blocks_read(Blocks *blocks)
{
	g_autofree char *after = NULL;
	guint n;

	do {
		g_autoptr(GPtrArray) page = NULL;

		if (store_list(blocks->store, BLOCKS_PREFIX, after, BLOCKS_PAGE, blocks_deadline(), &page) != PTN_OK)
			return false;
		n = page->len;
		g_rw_lock_writer_lock(&blocks->lock);
		for (guint i = 0; i < n; i++)
			blocks_take_item(blocks, g_ptr_array_index(page, i));
		g_rw_lock_writer_unlock(&blocks->lock);
		if (n > 0) {
			g_free(after);
			after = g_strdup(((const StoreItem *)g_ptr_array_index(page, n - 1))->key);
		}
	} while (n == BLOCKS_PAGE);
	return true;
}

/* What changed since the last look; false: all is to be read.  A thousand nodes that read a long table for each block would be
 * more than a store can bear; but behind a failover all of it is read, as some of it may be lost. */
static bool
blocks_read_changed(Blocks *blocks, uint64_t changes)
{
	g_autoptr(GPtrArray) keys = NULL;

	if (!blocks->has_read || changes < blocks->changes ||
		store_changed(blocks->store, BLOCKS_PREFIX, blocks->changes, blocks_deadline(), &keys) != PTN_OK)
		return false;
	for (guint i = 0; i < keys->len; i++) {
		StoreItem item = { .key = g_ptr_array_index(keys, i) };
		const PtnStatus status = store_get(blocks->store, item.key, blocks_deadline(), &item.value, &item.version);

		if (status == PTN_OK) {
			g_rw_lock_writer_lock(&blocks->lock);
			blocks_take_item(blocks, &item);
			g_rw_lock_writer_unlock(&blocks->lock);
			g_free(item.value);
		} else {
			return false; /* it is lost, or cannot be told */
		}
	}
	blocks->changes = changes;
	return true;
}

/* Of all entries; afterwards those that the store did not have are not written. */
static void
blocks_note_seen(Blocks *blocks, bool is_begin)
{
	GHashTableIter each;
	gpointer value;

	g_rw_lock_writer_lock(&blocks->lock);
	g_hash_table_iter_init(&each, blocks->entries);
	while (g_hash_table_iter_next(&each, NULL, &value)) {
		Entry *entry = value;

		if (is_begin) {
			entry->is_seen = false;
		} else if (!entry->is_seen) {
			entry->is_written = false;
			blocks->has_unwritten = true;
		}
	}
	g_rw_lock_writer_unlock(&blocks->lock);
}

/* What the store lost, or could not be told, is told again. */
static void
blocks_assert(Blocks *blocks)
{
	g_autoptr(GPtrArray) lost = g_ptr_array_new_with_free_func((GDestroyNotify)block_free);
	GHashTableIter each;
	gpointer value;

	g_rw_lock_writer_lock(&blocks->lock);
	g_hash_table_iter_init(&each, blocks->entries);
	while (blocks->has_unwritten && g_hash_table_iter_next(&each, NULL, &value)) {
		const Entry *entry = value;

		if (!entry->is_written) {
			Block *copy = g_new(Block, 1);

			*copy = blocks_copy(&entry->block);
			g_ptr_array_add(lost, copy);
		}
	}
	blocks->has_unwritten = false;
	g_rw_lock_writer_unlock(&blocks->lock);
	for (guint i = 0; i < lost->len; i++) {
		const Block *block = g_ptr_array_index(lost, i);

		blocks_set_written(blocks, &block->network, blocks_write(blocks, block) == PTN_OK);
	}
}

static bool
blocks_read_all(Blocks *blocks, uint64_t changes)
{
	blocks_note_seen(blocks, true);
	blocks->has_read = blocks_read(blocks);
	if (!blocks->has_read)
		return false;
	blocks->changes = changes;
	blocks->read_all_us = clock_monotonic(blocks->clock);
	blocks_note_seen(blocks, false);
	return true;
}

void
blocks_look(Blocks *blocks)
{
	uint64_t changes;

	blocks_expire(blocks);
	if (store_changes(blocks->store, BLOCKS_PREFIX, blocks_deadline(), &changes) != PTN_OK) {
		blocks->has_read = false;
		return;
	}
	if (clock_monotonic(blocks->clock) - blocks->read_all_us > BLOCKS_ALL_US)
		blocks->has_read = false;
	if ((!blocks->has_read || changes != blocks->changes) && !blocks_read_changed(blocks, changes) &&
		!blocks_read_all(blocks, changes))
		return;
	blocks_assert(blocks);
}
