/* test-blocks.c - the table of blocks, of one node and of two that share a store. */
#include "service/blocks.h"

#include <string.h>

#include "unit/service/fake-clock.h"
#include "unit/service/suites.h"

#define MINUTE (60 * CLOCK_SECOND)

typedef struct {
	FakeClock clock;
	Store *store;
	Blocks *one, *two;
} Fixture;

static void
fixture_open(Fixture *f)
{
	f->clock = fake_clock();
	f->store = store_open("memory:", false, &f->clock.clock, NULL);
	f->one = blocks_new(f->store, &f->clock.clock);
	f->two = blocks_new(f->store, &f->clock.clock);
}

static void
fixture_close(Fixture *f)
{
	blocks_free(f->one);
	blocks_free(f->two);
	store_close(f->store);
}

static IpNetwork
network(const char *text)
{
	IpNetwork parsed = { 0 };

	CU_ASSERT_TRUE(ip_network_parse(text, &parsed, NULL));
	return parsed;
}

static BlocksAnswer
ask(Blocks *blocks, const char *client)
{
	IpAddress address = { 0 };

	CU_ASSERT_TRUE(ip_parse(client, &address));
	return blocks_test(blocks, &address);
}

static void
add(Blocks *blocks, const char *text, int64_t time_us)
{
	const IpNetwork parsed = network(text);

	CU_ASSERT_EQUAL(blocks_add(blocks, &parsed, time_us, "test", "because\nof it"), PTN_OK);
}

static PtnStatus
lift(Blocks *blocks, const char *text)
{
	const IpNetwork parsed = network(text);

	return blocks_lift(blocks, &parsed);
}

/* "until it is lifted" counts before "for a minute"; NULL: none. */
static void
test_find(void)
{
	IpAddress client = { 0 };
	Block *block;
	Fixture f;

	fixture_open(&f);
	CU_ASSERT_TRUE(ip_parse("198.51.100.7", &client));
	CU_ASSERT_PTR_NULL(blocks_find(f.one, &client));
	add(f.one, "198.51.100.0/24", 0);
	add(f.one, "198.51.100.7", MINUTE);
	block = blocks_find(f.one, &client);
	CU_ASSERT_PTR_NOT_NULL_FATAL(block);
	CU_ASSERT_EQUAL(block->until_us, 0);
	ASSERT_TEXT(block->by, "test");
	ASSERT_TEXT(block->reason, "because of it");
	block_free(block);
	CU_ASSERT_EQUAL(lift(f.one, "198.51.100.0/24"), PTN_OK);
	block = blocks_find(f.one, &client);
	CU_ASSERT_PTR_NOT_NULL_FATAL(block);
	CU_ASSERT_NOT_EQUAL(block->until_us, 0);
	block_free(block);
	fixture_close(&f);
}

static void
test_networks(void)
{
	Fixture f;

	fixture_open(&f);
	CU_ASSERT_EQUAL(ask(f.one, "203.0.113.9"), BLOCKS_FREE);
	add(f.one, "203.0.113.9", MINUTE);
	add(f.one, "198.51.100.0/24", 0);
	add(f.one, "2001:db8::/64", MINUTE);
	CU_ASSERT_EQUAL(ask(f.one, "203.0.113.9"), BLOCKS_FOR_A_TIME);
	CU_ASSERT_EQUAL(ask(f.one, "203.0.113.8"), BLOCKS_FREE);
	CU_ASSERT_EQUAL(ask(f.one, "198.51.100.255"), BLOCKS_FOR_EVER);
	CU_ASSERT_EQUAL(ask(f.one, "198.51.101.0"), BLOCKS_FREE);
	CU_ASSERT_EQUAL(ask(f.one, "2001:db8::ffff"), BLOCKS_FOR_A_TIME);
	CU_ASSERT_EQUAL(ask(f.one, "2001:db8:0:1::"), BLOCKS_FREE);
	CU_ASSERT_EQUAL(blocks_count(f.one), 3);
	fixture_close(&f);
}

static void
test_end(void)
{
	Fixture f;

	fixture_open(&f);
	add(f.one, "203.0.113.9", MINUTE);
	add(f.one, "203.0.113.9", CLOCK_SECOND); /* a shorter one changes nothing */
	f.clock.now_us += MINUTE - 1;
	CU_ASSERT_EQUAL(ask(f.one, "203.0.113.9"), BLOCKS_FOR_A_TIME);
	f.clock.now_us += 1;
	CU_ASSERT_EQUAL(ask(f.one, "203.0.113.9"), BLOCKS_FREE);
	blocks_look(f.one);
	CU_ASSERT_EQUAL(blocks_count(f.one), 0);
	add(f.one, "203.0.113.9", MINUTE);
	add(f.one, "203.0.113.9", 0); /* for ever is longer */
	f.clock.now_us += 1000 * MINUTE;
	blocks_look(f.one);
	CU_ASSERT_EQUAL(ask(f.one, "203.0.113.9"), BLOCKS_FOR_EVER);
	fixture_close(&f);
}

/* K-08 what one node writes the other reads, one that is started later, too. */
static void
test_nodes(void)
{
	g_autoptr(GPtrArray) list = NULL;
	Blocks *three;
	Fixture f;

	fixture_open(&f);
	blocks_look(f.two);
	add(f.one, "203.0.113.9", MINUTE);
	CU_ASSERT_EQUAL(ask(f.two, "203.0.113.9"), BLOCKS_FREE);
	blocks_look(f.two);
	CU_ASSERT_EQUAL(ask(f.two, "203.0.113.9"), BLOCKS_FOR_A_TIME);
	list = blocks_list(f.two, NULL);
	CU_ASSERT_EQUAL_FATAL(list->len, 1);
	ASSERT_TEXT(((const Block *)list->pdata[0])->reason, "because of it");
	ASSERT_TEXT(((const Block *)list->pdata[0])->by, "test");
	three = blocks_new(f.store, &f.clock.clock);
	blocks_look(three);
	CU_ASSERT_EQUAL(ask(three, "203.0.113.9"), BLOCKS_FOR_A_TIME);
	CU_ASSERT_EQUAL(lift(three, "203.0.113.9"), PTN_OK);
	CU_ASSERT_EQUAL(lift(three, "203.0.113.9"), PTN_NONE);
	blocks_look(f.one);
	blocks_look(f.two);
	CU_ASSERT_EQUAL(ask(f.one, "203.0.113.9"), BLOCKS_FREE);
	CU_ASSERT_EQUAL(ask(f.two, "203.0.113.9"), BLOCKS_FREE);
	blocks_look(f.one); /* and it does not bring it back */
	blocks_look(three);
	CU_ASSERT_EQUAL(ask(three, "203.0.113.9"), BLOCKS_FREE);
	add(f.one, "203.0.113.9", MINUTE); /* it may be blocked again */
	blocks_look(three);
	CU_ASSERT_EQUAL(ask(three, "203.0.113.9"), BLOCKS_FOR_A_TIME);
	blocks_free(three);
	fixture_close(&f);
}

/* K-08 what the store lost is told again by who knows it. */
static void
test_lost(void)
{
	Fixture f;

	fixture_open(&f);
	add(f.one, "203.0.113.9", 10 * MINUTE);
	add(f.one, "2001:db8::/64", 0);
	blocks_look(f.one);
	CU_ASSERT_EQUAL(store_remove(f.store, "block/203.0.113.9", CLOCK_NEVER), PTN_OK);
	CU_ASSERT_EQUAL(store_remove(f.store, "block/2001:db8::/64", CLOCK_NEVER), PTN_OK);
	blocks_look(f.one);
	blocks_look(f.two);
	CU_ASSERT_EQUAL(ask(f.two, "203.0.113.9"), BLOCKS_FOR_A_TIME);
	CU_ASSERT_EQUAL(ask(f.two, "2001:db8::1"), BLOCKS_FOR_EVER);
	fixture_close(&f);
}

/* One that could not be written holds against what the store says of old. */
static void
test_unwritten(void)
{
	const IpNetwork parsed = network("203.0.113.9");
	g_autofree char *too_long = g_strnfill(2 << 20, 'x'); /* for a value of the store */
	Fixture f;

	fixture_open(&f);
	add(f.one, "203.0.113.9", MINUTE);
	CU_ASSERT_EQUAL(lift(f.one, "203.0.113.9"), PTN_OK);
	CU_ASSERT_EQUAL(blocks_add(f.one, &parsed, 0, "test", too_long), PTN_UNSURE);
	add(f.two, "198.51.100.1", MINUTE);
	blocks_look(f.one);
	blocks_look(f.one);
	CU_ASSERT_EQUAL(ask(f.one, "203.0.113.9"), BLOCKS_FOR_EVER);
	CU_ASSERT_EQUAL(ask(f.one, "198.51.100.1"), BLOCKS_FOR_A_TIME);
	fixture_close(&f);
}

/* Nonsense in the store blocks nobody. */
static void
test_nonsense(void)
{
	static const char *const items[][2] = { { "block/203.0.113.9", "" }, { "block/203.0.113.9", "x" },
		{ "block/nobody", "0 0 a b" }, { "block/203.0.113.0/99", "0 0 a b" } };
	Fixture f;

	fixture_open(&f);
	for (size_t i = 0; i < G_N_ELEMENTS(items); i++)
		(void)store_set(f.store, items[i][0], items[i][1], 0, CLOCK_NEVER);
	blocks_look(f.one);
	CU_ASSERT_EQUAL(blocks_count(f.one), 0);
	fixture_close(&f);
}

static const UnitTest tests[] = {
	{ "K-17 why a client is blocked", test_find },
	{ "K-06 addresses and networks", test_networks },
	{ "K-02 a block ends, a longer one replaces it", test_end },
	{ "K-08 K-09 nodes that share a store agree", test_nodes },
	{ "K-08 what a store lost is written again", test_lost },
	{ "one that could not be written holds all the same", test_unwritten },
	{ "nonsense blocks nobody", test_nonsense },
	{ NULL, NULL },
};
const UnitSuite suite_blocks = { "blocks", tests };
