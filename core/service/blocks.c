/* blocks.c - the table of blocks: a hash per network, asked once for each length of prefix in use. */
#include <string.h>

#include "base/keyed-hash.h"
#include "service/blocks-private.h"

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

void
block_entry_free(void *data)
{
	BlockEntry *entry = data;

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
	blocks->entries = g_hash_table_new_full(blocks_hash, blocks_equal, NULL, block_entry_free);
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
	const int64_t now_us = store_wall(blocks->store);
	const Block *found = NULL;

	for (unsigned bits = 0; bits < BLOCKS_LENGTHS; bits++) {
		const BlockEntry *entry = NULL;
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

void
blocks_drop(Blocks *blocks, const IpNetwork *network)
{
	const unsigned bits = network->bits;

	if (g_hash_table_remove(blocks->entries, network))
		blocks->lengths[bits]--;
	atomic_store(&blocks->count, g_hash_table_size(blocks->entries));
}

void
blocks_put(Blocks *blocks, BlockEntry *entry)
{
	const IpNetwork network = entry->block.network;

	blocks_drop(blocks, &network);
	blocks->lengths[network.bits]++;
	g_hash_table_insert(blocks->entries, &entry->block.network, entry);
	if (entry->block.until_us != 0)
		blocks->next_end_us = MIN(blocks->next_end_us, entry->block.until_us);
	atomic_store(&blocks->count, g_hash_table_size(blocks->entries));
}

bool
blocks_ends_later(int64_t until_us, int64_t than_us)
{
	return than_us != 0 && (until_us == 0 || until_us > than_us);
}

void
blocks_put_later(Blocks *blocks, BlockEntry *entry)
{
	const BlockEntry *before = g_hash_table_lookup(blocks->entries, &entry->block.network);

	if (before != NULL && blocks_ends_later(before->block.until_us, entry->block.until_us))
		block_entry_free(entry);
	else
		blocks_put(blocks, entry);
}

/* ---- verbs ---- */

Block *
block_copy(const Block *block)
{
	Block *copy = g_new(Block, 1);

	*copy = *block;
	copy->by = g_strdup(block->by);
	copy->reason = g_strdup(block->reason);
	return copy;
}

/* For those who look: by the clock of this node. */
static Block *
blocks_show(Blocks *blocks, const Block *block)
{
	const int64_t ahead_us = clock_wall(blocks->clock) - store_wall(blocks->store);
	Block *copy = block_copy(block);

	copy->since_us += ahead_us;
	if (copy->until_us != 0)
		copy->until_us += ahead_us;
	return copy;
}

Block *
blocks_find(Blocks *blocks, const IpAddress *client)
{
	const Block *block;
	Block *copy = NULL;

	g_rw_lock_reader_lock(&blocks->lock);
	block = blocks_find_locked(blocks, client);
	if (block != NULL)
		copy = blocks_show(blocks, block);
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

static bool
blocks_is_longer(Blocks *blocks, const Block *block)
{
	const BlockEntry *before;
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
	const int64_t now_us = store_wall(blocks->store);
	BlockEntry *entry = g_new0(BlockEntry, 1), *theirs = NULL;
	PtnStatus status;

	entry->block =
		(Block){ *network, now_us, time_us > 0 ? now_us + time_us : 0, g_strdup(by), blocks_one_line(reason) };
	if (!blocks_is_longer(blocks, &entry->block)) {
		block_entry_free(entry);
		return PTN_OK;
	}
	status = blocks_share(blocks, &entry->block, true, &theirs);
	if (status == PTN_TAKEN) {
		block_entry_free(entry);
		entry = theirs;
		status = PTN_OK;
	}
	entry->is_written = status == PTN_OK;
	g_rw_lock_writer_lock(&blocks->lock);
	blocks->has_unwritten |= status != PTN_OK;
	blocks_put_later(blocks, entry);
	g_rw_lock_writer_unlock(&blocks->lock);
	return status;
}

PtnStatus
blocks_lift(Blocks *blocks, const IpNetwork *network)
{
	bool is_there;

	g_rw_lock_writer_lock(&blocks->lock);
	is_there = g_hash_table_contains(blocks->entries, network);
	g_rw_lock_writer_unlock(&blocks->lock);
	if (!is_there)
		return PTN_NONE;
	if (blocks_share_lift(blocks, network) != PTN_OK)
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
	const int64_t now_us = store_wall(blocks->store);
	GHashTableIter each;
	gpointer value;

	g_rw_lock_reader_lock(&blocks->lock);
	g_hash_table_iter_init(&each, blocks->entries);
	while (g_hash_table_iter_next(&each, NULL, &value)) {
		const Block *block = &((const BlockEntry *)value)->block;

		if ((block->until_us != 0 && block->until_us <= now_us) ||
			(client != NULL && !ip_network_contains(&block->network, client)))
			continue;
		g_ptr_array_add(list, blocks_show(blocks, block));
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
