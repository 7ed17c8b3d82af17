/* test-etrn.c - requests for domains are coalesced: a distance between passes, a bound for what waits. */
#include "engine/etrn.h"

#include <string.h>

#include "suites.h"
#include "unit/service/fake-clock.h"

/* None of them is a default. */
#define AGAIN_US (30 * CLOCK_SECOND)
#define DISTANCE_US (2 * CLOCK_SECOND)
enum { MOST = 100, MOST_KNOWN = 10 * MOST };

typedef struct {
	FakeClock clock;
	Store *store;
	Directory *directory;
	Etrn *etrn;
	GString *tried;
} World;

static void
try_domain(void *data, const char *domain)
{
	World *world = data;

	g_string_append_printf(world->tried, "%s;", domain);
}

static void
world_open(World *world)
{
	*world = (World){ .clock = fake_clock(), .tried = g_string_new(NULL) };
	world->store = store_open("memory:", true, &world->clock.clock, NULL);
	world->directory = directory_new(world->store);
	world->etrn = etrn_new(&(EtrnSettings){ .clock = &world->clock.clock,
		.directory = world->directory,
		.retry = try_domain,
		.data = world,
		.again_us = AGAIN_US,
		.distance_us = DISTANCE_US,
		.most = MOST });
}

static void
world_host(World *world, const char *domain)
{
	g_autoptr(DirectoryEntry) customer = directory_entry_new(PTN_CUSTOMER, "acme");
	g_autoptr(DirectoryEntry) entry = directory_entry_new(PTN_DOMAIN, domain);

	(void)directory_save(world->directory, customer, NULL, CLOCK_NEVER);
	directory_entry_set(entry, "customer", "acme");
	directory_entry_set(entry, "mode", "outbound-only");
	CU_ASSERT_EQUAL_FATAL(directory_save(world->directory, entry, NULL, CLOCK_NEVER), PTN_OK);
}

static void
world_close(World *world)
{
	etrn_free(world->etrn);
	directory_free(world->directory);
	store_close(world->store);
	(void)g_string_free(world->tried, TRUE);
}

static void
test_coalesced(void)
{
	World world;

	world_open(&world);
	world_host(&world, "a.example");
	world_host(&world, "b.example");
	for (int i = 0; i < 1000; i++) {
		etrn_ask(world.etrn, "A.example");
		etrn_ask(world.etrn, "b.example");
	}
	ASSERT_TEXT(world.tried->str, "a.example;");
	CU_ASSERT_EQUAL(etrn_waiting(world.etrn), 1);
	etrn_tick(world.etrn);
	ASSERT_TEXT(world.tried->str, "a.example;");
	world.clock.now_us += DISTANCE_US;
	etrn_tick(world.etrn);
	ASSERT_TEXT(world.tried->str, "a.example;b.example;");
	world.clock.now_us += AGAIN_US;
	etrn_ask(world.etrn, "a.example");
	ASSERT_TEXT(world.tried->str, "a.example;b.example;a.example;");
	world_close(&world);
}

/* Domains that are not ours cost no pass, and keep none from those that are. */
static void
test_foreign(void)
{
	World world;

	world_open(&world);
	world_host(&world, "a.example");
	for (int i = 0; i < 5000; i++) {
		g_autofree char *domain = g_strdup_printf("d%d.example", i);

		etrn_ask(world.etrn, domain);
		CU_ASSERT(etrn_waiting(world.etrn) <= MOST);
	}
	world.clock.now_us += DISTANCE_US;
	etrn_tick(world.etrn);
	CU_ASSERT_EQUAL(etrn_waiting(world.etrn), 0);
	world.clock.now_us += DISTANCE_US;
	etrn_ask(world.etrn, "a.example");
	ASSERT_TEXT(world.tried->str, "a.example;");
	world_close(&world);
}

/* At the bound what is old is forgotten, the domain that is asked for anew among it. */
static void
test_known_bound(void)
{
	World world;

	world_open(&world);
	world.clock.now_us = AGAIN_US; /* a machine that has just started: what freed memory reads as lies in its future */
	world_host(&world, "d0.example");
	for (int i = 0; i < MOST_KNOWN; i++) {
		g_autofree char *domain = g_strdup_printf("d%d.example", i);

		world.clock.now_us += i % MOST == 0 ? DISTANCE_US : 0;
		etrn_ask(world.etrn, domain);
		etrn_tick(world.etrn);
	}
	world.clock.now_us += DISTANCE_US;
	etrn_tick(world.etrn);
	CU_ASSERT_EQUAL(etrn_waiting(world.etrn), 0);
	ASSERT_TEXT(world.tried->str, "d0.example;");
	world.clock.now_us += AGAIN_US;
	etrn_ask(world.etrn, "d0.example");
	ASSERT_TEXT(world.tried->str, "d0.example;d0.example;");
	world_close(&world);
}

static const UnitTest tests[] = {
	{ "E-10 a domain is tried once a minute, passes have a distance", test_coalesced },
	{ "E-10 foreign domains cost nothing, and what waits has a bound", test_foreign },
	{ "E-10 at the bound of known domains the old ones are forgotten", test_known_bound },
	{ NULL, NULL },
};

const UnitSuite suite_etrn = { "etrn", tests };
