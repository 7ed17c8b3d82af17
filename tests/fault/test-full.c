/* test-full.c - the disk is full: mail is refused, what is queued goes on, and the space comes back. */
#include <stdio.h>

#include "fault/fault.h"

enum { FULL_SEGMENT = 32 << 10 };

static void
test_full(void)
{
	g_autofree char *directory = unit_new_directory();
	SimDisk *sim = sim_disk_new(directory);
	Ledger *ledger = ledger_new(sim, 1);
	Spool *spool = ledger_open(directory, sim_disk_table(sim));
	SpoolResult result = SPOOL_COMMITTED, reason = SPOOL_COMMITTED;
	unsigned n = 0;

	CU_ASSERT_PTR_NOT_NULL_FATAL(spool);
	sim_disk_set_capacity(sim, 12 * FULL_SEGMENT);
	for (; n < 1000 && result == SPOOL_COMMITTED; n++)
		result = ledger_commit(ledger, spool, 3000, 1);
	CU_ASSERT_EQUAL(result, SPOOL_FULL);
	CU_ASSERT(n > 20);
	CU_ASSERT_FALSE(spool_has_room(spool, &reason));
	CU_ASSERT_EQUAL(reason, SPOOL_FULL);
	/* The two reserved segments take the states of all. */
	CU_ASSERT(ledger_finish_all(ledger, spool));
	CU_ASSERT_EQUAL(spool_count(spool), 0);
	for (int i = 0; i < 5000 && !spool_has_room(spool, &reason); i++)
		g_usleep(1000);
	CU_ASSERT(spool_has_room(spool, &reason));
	CU_ASSERT_EQUAL(ledger_commit(ledger, spool, 3000, 1), SPOOL_COMMITTED);
	spool_close(spool);
	spool = ledger_open(directory, ledger_fast_disk());
	CU_ASSERT_EQUAL(ledger_compare(ledger, spool, sim_disk_step(sim)), 0);
	spool_close(spool);
	CU_ASSERT_EQUAL(power_cut_all(ledger, sim, 100, 5), 0);
	ledger_free(ledger);
	sim_disk_free(sim);
	unit_remove_directory(directory);
}

/* The volume has less than `keep_free`: refused before anything fails. */
static void
test_keep_free(void)
{
	g_autofree char *directory = unit_new_directory();
	SimDisk *sim = sim_disk_new(directory);
	const SpoolSettings settings = { .directory = directory, .clock = clock_system(), .disk = sim_disk_table(sim),
		.segment_size = FULL_SEGMENT, .keep_free = 100 * FULL_SEGMENT };
	SpoolResult reason = SPOOL_COMMITTED;
	Spool *spool = spool_open(&settings, NULL);

	CU_ASSERT_PTR_NOT_NULL_FATAL(spool);
	CU_ASSERT(spool_has_room(spool, &reason));
	sim_disk_set_capacity(sim, 99 * FULL_SEGMENT);
	g_usleep(100000); /* what was seen is believed for a moment */
	CU_ASSERT_FALSE(spool_has_room(spool, &reason));
	CU_ASSERT_EQUAL(reason, SPOOL_FULL);
	spool_close(spool);
	sim_disk_free(sim);
	unit_remove_directory(directory);
}

/* Messages that grow reserve what they have not written: all of them together leave `keep_free`. */
static void
test_reserve(void)
{
	g_autofree char *directory = unit_new_directory();
	SimDisk *sim = sim_disk_new(directory);
	const SpoolSettings settings = { .directory = directory, .clock = clock_system(), .disk = sim_disk_table(sim),
		.segment_size = FULL_SEGMENT, .keep_free = 100 * FULL_SEGMENT };
	Spool *spool = spool_open(&settings, NULL);
	uint64_t free_octets;

	CU_ASSERT_PTR_NOT_NULL_FATAL(spool);
	sim_disk_set_capacity(sim, 300 * FULL_SEGMENT);
	CU_ASSERT_EQUAL(settings.disk->free_octets(settings.disk, directory, &free_octets), 0);
	free_octets -= settings.keep_free;
	CU_ASSERT_TRUE(spool_reserve(spool, free_octets / 2));
	CU_ASSERT_TRUE(spool_reserve(spool, free_octets / 4));
	CU_ASSERT_FALSE(spool_reserve(spool, free_octets / 2));
	spool_unreserve(spool, free_octets / 2);
	CU_ASSERT_TRUE(spool_reserve(spool, free_octets / 2));
	spool_unreserve(spool, free_octets / 2 + free_octets / 4);
	sim_disk_set_capacity(sim, 99 * FULL_SEGMENT); /* somebody else filled the volume */
	CU_ASSERT_FALSE(spool_reserve(spool, 1));
	spool_close(spool);
	sim_disk_free(sim);
	unit_remove_directory(directory);
}

/* Until the background has nothing to do: the reserve is there. */
static void
full_wait_for_quiet(SimDisk *sim)
{
	guint before = G_MAXUINT;

	for (int i = 0; i < 200 && sim_disk_step(sim) != before; i++) {
		before = sim_disk_step(sim);
		g_usleep(30000);
	}
}

/* Nothing can be synced: the spool is closed, says so, and opens again. */
static void
test_closed(void)
{
	g_autofree char *directory = unit_new_directory();
	SimDisk *sim = sim_disk_new(directory);
	Ledger *ledger = ledger_new(sim, 2);
	Spool *spool = ledger_open(directory, sim_disk_table(sim));
	SpoolResult reason = SPOOL_COMMITTED;
	SpoolFigures figures;

	CU_ASSERT_PTR_NOT_NULL_FATAL(spool);
	ledger_work(ledger, spool, 20);
	full_wait_for_quiet(sim);
	sim_disk_fail(sim, SIM_FDATASYNC, SIM_EIO, 1, true);
	CU_ASSERT_EQUAL(ledger_commit(ledger, spool, 500, 2), SPOOL_CLOSED);
	CU_ASSERT_EQUAL(ledger_commit(ledger, spool, 500, 0), SPOOL_CLOSED);
	CU_ASSERT_FALSE(spool_has_room(spool, &reason));
	CU_ASSERT_EQUAL(reason, SPOOL_CLOSED);
	CU_ASSERT_FALSE(spool_flush(spool, CLOCK_NEVER));
	spool_figures(spool, &figures);
	CU_ASSERT(figures.is_closed);
	CU_ASSERT_FALSE(spool_probe(spool));
	sim_disk_heal(sim);
	for (int i = 0; i < 2000 && !(spool_probe(spool) && spool_has_room(spool, &reason)); i++)
		g_usleep(1000);
	spool_figures(spool, &figures);
	CU_ASSERT_FALSE(figures.is_closed);
	CU_ASSERT_EQUAL(ledger_commit(ledger, spool, 500, 0), SPOOL_COMMITTED);
	ledger_work(ledger, spool, 20);
	spool_close(spool);
	CU_ASSERT_EQUAL(power_cut_all(ledger, sim, 60, 5), 0);
	ledger_free(ledger);
	sim_disk_free(sim);
	unit_remove_directory(directory);
}

const UnitSuite full_suite = { "full", (const UnitTest[]){
	{ "Q-02 a full disk refuses mail, and delivers what it has", test_full },
	{ "mail is refused below keep_free", test_keep_free },
	{ "what grows leaves keep_free", test_reserve },
	{ "Q-02 a spool that cannot sync is closed, and opens again", test_closed },
	{ 0 } } };
