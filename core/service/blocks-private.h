/* blocks-private.h - the table of blocks, for blocks.c and blocks-share.c only. */
#pragma once

#include <stdatomic.h>

#include "service/blocks.h"

enum { BLOCKS_LENGTHS = 129 };

#define BLOCKS_PREFIX "block/"

typedef struct {
	Block block;     /* its times are of the store's clock: see store_wall() */
	bool is_written; /* the store has it */
	bool is_seen;    /* by the listing that is being read */
} BlockEntry;

struct Blocks {
	Store *store;
	const Clock *clock;
	atomic_size_t count;
	GRWLock lock;                     /* guards the three below */
	GHashTable *entries;              /* IpNetwork -> BlockEntry* */
	unsigned lengths[BLOCKS_LENGTHS]; /* how many entries have this length */
	int64_t next_end_us;
	uint64_t changes; /* of the store when it was read; the rest is of blocks_look() alone */
	int64_t read_all_us;
	bool has_read, has_unwritten;
};

/* ---- blocks.c ---- */
void block_entry_free(void *entry);
/* True: a block until `until_us` ends later than one until `than_us`; 0 is never. */
bool blocks_ends_later(int64_t until_us, int64_t than_us);
/* With the writer's lock held: replaces what there is of this network (takes the entry); the same, unless that ends later; removes
 * it. */
void blocks_put(Blocks *blocks, BlockEntry *entry);
void blocks_put_later(Blocks *blocks, BlockEntry *entry);
void blocks_drop(Blocks *blocks, const IpNetwork *network);
/* By the store's clock; new. */
Block *block_copy(const Block *block);

/* ---- blocks-share.c ---- */
int64_t blocks_deadline(void);
/* Writes it to the store, unless that has one of this network that ends later: then TAKEN, and `theirs` is that one, new.  A
 * block that is not new is not written either when the network was lifted after it was blocked: TAKEN without `theirs`.  It is on
 * disk when this returns OK, where the store is a file.  Waits. */
PtnStatus blocks_share(Blocks *blocks, const Block *block, bool is_new, BlockEntry **theirs);
/* Tells the other nodes that the network is not blocked any more.  Waits. */
PtnStatus blocks_share_lift(Blocks *blocks, const IpNetwork *network);
