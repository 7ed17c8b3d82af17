/* blocks.h - client addresses that may not connect: a table in memory, shared by the nodes through the store.
 *
 * A block is a network with a reason and an end, which is counted by the store's clock, so that nodes whose clocks differ agree.  Of
 * two blocks of a network the one that ends later holds.  Nodes see those of others within a second (blocks_look()).  What a
 * store lost (a failover, an eviction) is written again by the nodes that know it; what was lifted is remembered as lifted for
 * a day, so that it is not. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/ip.h"
#include "service/store.h"

typedef struct Blocks Blocks;

typedef struct {
	IpNetwork network;
	int64_t since_us, until_us; /* wall clock of this node; until_us 0: until it is lifted */
	char *by;                   /* one word: a plugin, or "operator" */
	char *reason;               /* one line */
} Block;

void block_free(Block *block);

/* `store` and `clock` are borrowed. */
Blocks *blocks_new(Store *store, const Clock *clock);
void blocks_free(Blocks *blocks);

typedef enum { BLOCKS_FREE, BLOCKS_FOR_A_TIME, BLOCKS_FOR_EVER } BlocksAnswer;

/* Any thread, at each connection: some hashing, no memory, no waiting. */
BlocksAnswer blocks_test(Blocks *blocks, const IpAddress *client);
/* The block behind that answer; new (block_free()), NULL: none.  Any thread; no waiting. */
Block *blocks_find(Blocks *blocks, const IpAddress *client);

/* Blocks for `time_us` (0: until it is lifted), elsewhere within a second; a block of the same network is replaced if
 * it ends earlier.  Waits for the store; UNSURE: it holds on this node alone until the store can be written. */
PtnStatus blocks_add(Blocks *blocks, const IpNetwork *network, int64_t time_us, const char *by,
	const char *reason);
/* NONE: exactly this network is not blocked. */
PtnStatus blocks_lift(Blocks *blocks, const IpNetwork *network);
/* New array of Block* (freed by it), by address; `client` NULL: all, else those that it falls under. */
GPtrArray *blocks_list(Blocks *blocks, const IpAddress *client);
size_t blocks_count(Blocks *blocks);

/* To be called more than once a second: forgets what has ended, takes over what other nodes changed.  One thread;
 * waits for the store. */
void blocks_look(Blocks *blocks);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Block, block_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Blocks, blocks_free)
