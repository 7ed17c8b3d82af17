/* test-blocks-share.c - blocks of nodes that share a Redis: clocks that differ, cuts, and two at once. */
#include <stdio.h>
#include <string.h>

#include "service/blocks.h"
#include "unit/service/fake-clock.h"
#include "unit/service/redis-server.h"
#include "unit/service/suites.h"

enum { NODES = 3, ROUNDS = 30 };

#define MINUTE (60 * CLOCK_SECOND)
#define DAY (24 * 60 * MINUTE)

typedef struct {
	FakeClock clock;
	Store *store;
	Blocks *blocks;
} Node;

typedef struct {
	RedisServer *redis;
	Node nodes[NODES];
	IpNetwork network;
	IpAddress client;
} Fixture;

/* The nodes' clocks are two minutes behind the server's, right, and two minutes ahead. */
static bool
fixture_open(Fixture *f)
{
	if (!redis_server_is_there())
		return false;
	*f = (Fixture){ .redis = redis_server_new(NULL, true) };
	CU_ASSERT_TRUE(ip_network_parse("203.0.113.9", &f->network, NULL) && ip_parse("203.0.113.9", &f->client));
	for (int i = 0; i < NODES; i++) {
		g_autofree char *url = redis_server_url(f->redis);
		Node *node = &f->nodes[i];

		node->clock = fake_clock();
		node->clock.now_us = *f->redis->clock + (i - 1) * 2 * MINUTE;
		node->store = store_open_with(
			&(StoreSettings){ .url = url, .clock = &node->clock.clock, .deadline_us = CLOCK_SECOND / 2 }, NULL);
		CU_ASSERT_PTR_NOT_NULL_FATAL(node->store);
		node->blocks = blocks_new(node->store, &node->clock.clock);
		blocks_look(node->blocks);
	}
	return true;
}

static void
fixture_close(Fixture *f)
{
	for (int i = 0; i < NODES; i++) {
		blocks_free(f->nodes[i].blocks);
		store_close(f->nodes[i].store);
	}
	redis_server_free(f->redis);
}

static PtnStatus
add(Fixture *f, int node, int64_t time_us)
{
	return blocks_add(f->nodes[node].blocks, &f->network, time_us, "test", "x");
}

static void
look(Fixture *f)
{
	for (int round = 0; round < 2; round++) /* the first may write what the second reads */
		for (int i = 0; i < NODES; i++)
			blocks_look(f->nodes[i].blocks);
}

static void
assert_all(Fixture *f, BlocksAnswer expected)
{
	for (int i = 0; i < NODES; i++)
		CU_ASSERT_EQUAL(blocks_test(f->nodes[i].blocks, &f->client), expected);
}

/* What a node shows of it is by the node's own clock. */
static void
assert_shown(Fixture *f, int node, int64_t time_us)
{
	Block *block = blocks_find(f->nodes[node].blocks, &f->client);

	CU_ASSERT_PTR_NOT_NULL_FATAL(block);
	CU_ASSERT_TRUE(ABS(block->until_us - f->nodes[node].clock.now_us - time_us) < 2 * CLOCK_SECOND);
	block_free(block);
}

/* Skew makes no block longer or shorter, whoever sets it. */
static void
test_skew(void)
{
	Fixture f;

	if (!fixture_open(&f))
		return;
	for (int by = 0; by < NODES; by++) {
		CU_ASSERT_EQUAL(add(&f, by, MINUTE), PTN_OK);
		look(&f);
		assert_all(&f, BLOCKS_FOR_A_TIME);
		for (int i = 0; i < NODES; i++)
			assert_shown(&f, i, MINUTE);
		*f.redis->clock += MINUTE + CLOCK_SECOND;
		look(&f);
		assert_all(&f, BLOCKS_FREE);
		for (int i = 0; i < NODES; i++)
			f.nodes[i].clock.now_us += MINUTE + CLOCK_SECOND;
	}
	fixture_close(&f);
}

/* Neither the one who has not seen it yet, nor the one who was cut off meanwhile, makes a block shorter. */
static void
test_later_end_wins(void)
{
	Fixture f;

	if (!fixture_open(&f))
		return;
	CU_ASSERT_EQUAL(add(&f, 0, 0), PTN_OK);
	CU_ASSERT_EQUAL(add(&f, 1, MINUTE), PTN_OK);
	CU_ASSERT_EQUAL(blocks_test(f.nodes[1].blocks, &f.client), BLOCKS_FOR_EVER);
	look(&f);
	assert_all(&f, BLOCKS_FOR_EVER);
	CU_ASSERT_EQUAL(blocks_lift(f.nodes[2].blocks, &f.network), PTN_OK);
	look(&f);
	assert_all(&f, BLOCKS_FREE);
	for (int by_cut_off = 0; by_cut_off < 2; by_cut_off++) { /* who was cut off has the shorter, the longer one */
		redis_server_pause(f.redis, true);
		CU_ASSERT_EQUAL(add(&f, 1, by_cut_off ? 0 : MINUTE), PTN_UNSURE);
		redis_server_pause(f.redis, false);
		CU_ASSERT_TRUE(redis_server_becomes(f.nodes[0].store, false));
		CU_ASSERT_EQUAL(add(&f, 0, by_cut_off ? MINUTE : 0), PTN_OK);
		CU_ASSERT_TRUE(redis_server_becomes(f.nodes[1].store, false));
		look(&f);
		assert_all(&f, BLOCKS_FOR_EVER);
		CU_ASSERT_EQUAL(blocks_lift(f.nodes[0].blocks, &f.network), PTN_OK);
		look(&f);
		assert_all(&f, BLOCKS_FREE);
	}
	fixture_close(&f);
}

/* What was lifted while a node could not write its block stays so; what it blocks after that holds. */
static void
test_lifted_meanwhile(void)
{
	Fixture f;

	if (!fixture_open(&f))
		return;
	redis_server_pause(f.redis, true);
	CU_ASSERT_EQUAL(add(&f, 1, DAY), PTN_UNSURE);
	redis_server_pause(f.redis, false);
	*f.redis->clock += CLOCK_SECOND;
	CU_ASSERT_TRUE(redis_server_becomes(f.nodes[0].store, false));
	CU_ASSERT_EQUAL(add(&f, 0, MINUTE), PTN_OK);
	CU_ASSERT_EQUAL(blocks_lift(f.nodes[0].blocks, &f.network), PTN_OK);
	CU_ASSERT_TRUE(redis_server_becomes(f.nodes[1].store, false));
	look(&f);
	assert_all(&f, BLOCKS_FREE);
	CU_ASSERT_EQUAL(add(&f, 1, MINUTE), PTN_OK);
	look(&f);
	assert_all(&f, BLOCKS_FOR_A_TIME);
	fixture_close(&f);
}

typedef struct {
	Blocks *blocks;
	const IpNetwork *network;
	int64_t time_us;
} Racer;

static void *
race(void *data)
{
	const Racer *racer = data;

	return GINT_TO_POINTER(blocks_add(racer->blocks, racer->network, racer->time_us, "test", "x"));
}

/* All at once, one of them for ever: that holds on all. */
static void
test_at_once(void)
{
	Fixture f;

	if (!fixture_open(&f))
		return;
	for (int round = 0; round < ROUNDS; round++) {
		GThread *threads[NODES];
		Racer racers[NODES];

		for (int i = 0; i < NODES; i++) {
			racers[i] = (Racer){ f.nodes[i].blocks, &f.network, i == round % NODES ? 0 : (i + 1) * MINUTE };
			threads[i] = g_thread_new("racer", race, &racers[i]);
		}
		for (int i = 0; i < NODES; i++)
			CU_ASSERT_EQUAL(GPOINTER_TO_INT(g_thread_join(threads[i])), PTN_OK);
		look(&f);
		assert_all(&f, BLOCKS_FOR_EVER);
		CU_ASSERT_EQUAL(blocks_lift(f.nodes[round % NODES].blocks, &f.network), PTN_OK);
		look(&f);
		assert_all(&f, BLOCKS_FREE);
	}
	fixture_close(&f);
}

static const UnitTest tests[] = {
	{ "K-08 clocks that differ do not matter", test_skew },
	{ "K-02 K-08 the later end wins on all nodes, after a cut, too", test_later_end_wins },
	{ "K-08 lifted while a node was cut off", test_lifted_meanwhile },
	{ "K-08 nodes that block at once", test_at_once },
	{ NULL, NULL },
};
const UnitSuite suite_blocks_share = { "blocks-share", tests };
