/* test-restart.c - what a start finds in the page cache only, spares that vanish, ids when the clock was set back. */
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>

#include "fault/fault.h"
#include "mail/spool-record.h"

/* Until the background has nothing to do. */
static void
restart_wait_for_quiet(SimDisk *sim)
{
	guint before = G_MAXUINT;

	for (int i = 0; i < 200 && sim_disk_step(sim) != before; i++) {
		before = sim_disk_step(sim);
		g_usleep(20000);
	}
}

/* A batch is written, and its sync fails or never comes: then the daemon is gone.  `first_write`: which write from the
 * batch on (1) fails, too, so that no header says that the segment ended. */
static void
restart_scenario(uint32_t seed, SimFault fault, unsigned first_write)
{
	g_autofree char *directory = unit_new_directory();
	SimDisk *sim = sim_disk_new(directory);
	Ledger *ledger = ledger_new(sim, seed);
	Spool *spool = ledger_open(directory, sim_disk_table(sim));
	SpoolResult result;

	CU_ASSERT_PTR_NOT_NULL_FATAL(spool);
	ledger_work(ledger, spool, 15);
	CU_ASSERT_EQUAL(ledger_commit(ledger, spool, 9000, 0), SPOOL_COMMITTED); /* a file of its own */
	restart_wait_for_quiet(sim);
	sim_disk_fail(sim, SIM_FDATASYNC, fault, 1, true);
	if (first_write != 0)
		sim_disk_fail(sim, SIM_PWRITEV, SIM_KILLED, first_write, true);
	if (seed % 2 == 0) {
		result = ledger_commit(ledger, spool, 700, 1);
		CU_ASSERT_EQUAL(result, SPOOL_CLOSED);
	} else {
		CU_ASSERT_FALSE(ledger_finish_all(ledger, spool)); /* the file of the large one is named no more */
	}
	spool_close(spool);
	ledger_kill(ledger);
	sim_disk_heal(sim);
	spool = ledger_open(directory, sim_disk_table(sim));
	CU_ASSERT_PTR_NOT_NULL_FATAL(spool);
	if (seed % 4 < 2) { /* else the power goes right after the start */
		ledger_work(ledger, spool, 12);
		restart_wait_for_quiet(sim);
	}
	spool_close(spool);
	CU_ASSERT_EQUAL(power_cut_all(ledger, sim, 60, seed), 0);
	ledger_free(ledger);
	sim_disk_free(sim);
	unit_remove_directory(directory);
}

static void
test_spoiled(void)
{
	for (uint32_t seed = 1; seed <= 8; seed++) {
		restart_scenario(seed, SIM_EIO, 2);
		restart_scenario(seed, SIM_EIO, 0);
	}
}

static void
test_killed(void)
{
	for (uint32_t seed = 1; seed <= 12; seed++)
		restart_scenario(seed, SIM_KILLED, 2);
}

/* ---- spares ---- */

static unsigned
restart_remove_spares(const char *directory)
{
	g_autofree char *log = g_build_filename(directory, "log", NULL);
	g_autoptr(GPtrArray) names = disk_system()->list(disk_system(), log);
	unsigned n = 0;

	for (guint i = 0; i < names->len; i++) {
		g_autofree char *path = g_build_filename(log, names->pdata[i], NULL);

		if (g_str_has_prefix(names->pdata[i], "spare-"))
			n += g_remove(path) == 0;
	}
	return n;
}

/* Enough for some segments to be filled. */
static void
restart_roll(Ledger *ledger, Spool *spool)
{
	for (int i = 0; i < 60; i++) {
		CU_ASSERT_EQUAL(ledger_commit(ledger, spool, 3000, 0), SPOOL_COMMITTED);
		if (i % 10 == 9)
			CU_ASSERT(ledger_finish_all(ledger, spool));
	}
}

/* More than the segments that are ready hold, while none becomes free. */
static void
restart_grow(Ledger *ledger, Spool *spool)
{
	for (int i = 0; i < 60; i++)
		CU_ASSERT_EQUAL(ledger_commit(ledger, spool, 3000, 0), SPOOL_COMMITTED);
}

static void
restart_spares(SimCall call)
{
	g_autofree char *directory = unit_new_directory();
	SimDisk *sim = sim_disk_new(directory);
	Ledger *ledger = ledger_new(sim, 3);
	Spool *spool = ledger_open(directory, sim_disk_table(sim));

	CU_ASSERT_PTR_NOT_NULL_FATAL(spool);
	restart_roll(ledger, spool);
	restart_wait_for_quiet(sim);
	if (call == SIM_CALLS)
		CU_ASSERT(restart_remove_spares(directory) > 0)
	else
		sim_disk_fail(sim, call, SIM_EIO, 1, false);
	restart_grow(ledger, spool);
	restart_roll(ledger, spool);
	sim_disk_heal(sim);
	restart_roll(ledger, spool);
	CU_ASSERT_EQUAL(ledger_compare(ledger, spool, sim_disk_step(sim)), 0);
	spool_close(spool);
	ledger_free(ledger);
	sim_disk_free(sim);
	unit_remove_directory(directory);
}

static void
test_spares(void)
{
	static const SimCall calls[] = { SIM_CALLS, SIM_RENAME, SIM_FSYNC, SIM_OPEN };

	for (size_t i = 0; i < G_N_ELEMENTS(calls); i++)
		restart_spares(calls[i]);
}

/* ---- names ---- */

/* How many segments of the spool a power cut at this moment may leave without their names. */
static unsigned
restart_unnamed_segments(SimDisk *sim, const char *directory, uint32_t seed)
{
	g_autofree char *log = g_build_filename(directory, "log", NULL), *left = unit_new_directory();
	g_autofree char *left_log = g_build_filename(left, "log", NULL), *content = g_build_filename(left, "content", NULL);
	g_autofree char *lost = g_build_filename(left, "lost", NULL);
	g_autoptr(GPtrArray) names = disk_system()->list(disk_system(), log);
	GRand *rand = g_rand_new_with_seed(seed);
	SimCut *cut = sim_cut_new(sim);
	unsigned n = 0;

	CU_ASSERT(g_mkdir(left_log, 0700) == 0 && g_mkdir(content, 0700) == 0 && g_mkdir(lost, 0700) == 0);
	sim_cut_advance(cut, sim_disk_step(sim));
	sim_cut_write(cut, left, rand);
	for (guint i = 0; i < names->len; i++) {
		g_autofree char *path = g_build_filename(left_log, names->pdata[i], NULL);

		n += strchr(names->pdata[i], '-') == NULL && !g_file_test(path, G_FILE_TEST_EXISTS);
	}
	sim_cut_free(cut);
	g_rand_free(rand);
	unit_remove_directory(left);
	return n;
}

/* Killed between the name of a new segment and the sync of its directory: the next process has it for a segment that is
 * ready, and writes to it without another sync of the name. */
static void
test_names(void)
{
	g_autofree char *directory = unit_new_directory();
	SimDisk *sim = sim_disk_new(directory);
	Ledger *ledger = ledger_new(sim, 1);
	Spool *spool = ledger_open(directory, sim_disk_table(sim));
	unsigned n_unnamed = 0;

	CU_ASSERT_PTR_NOT_NULL_FATAL(spool);
	fault_wait_for_reserve(spool);
	restart_wait_for_quiet(sim);
	sim_disk_fail(sim, SIM_FSYNC, SIM_KILLED, 1, true);
	sim_disk_fail(sim, SIM_RENAME, SIM_KILLED, 2, true); /* nor is it taken back */
	for (int i = 0; i < 200 && sim_disk_failures(sim) == 0; i++)
		(void)ledger_commit(ledger, spool, 700, 0);
	restart_wait_for_quiet(sim);
	spool_close(spool);
	for (uint32_t seed = 0; seed < 30; seed++)
		n_unnamed += restart_unnamed_segments(sim, directory, seed);
	CU_ASSERT(n_unnamed > 0);
	ledger_kill(ledger);
	sim_disk_heal(sim);
	spool = ledger_open(directory, sim_disk_table(sim));
	CU_ASSERT_PTR_NOT_NULL_FATAL(spool);
	restart_wait_for_quiet(sim);
	for (uint32_t seed = 0; seed < 30; seed++)
		CU_ASSERT_EQUAL(restart_unnamed_segments(sim, directory, seed), 0);
	spool_close(spool);
	ledger_free(ledger);
	sim_disk_free(sim);
	unit_remove_directory(directory);
}

/* ---- ids ---- */

/* All its mail has ended, the segments that had it are gone, and so is the memory of the process. */
static void
restart_ids(SimDisk *sim, const char *directory, QueueId *highest)
{
	Ledger *ledger = ledger_new(sim, 7);
	Spool *spool = ledger_open(directory, sim_disk_table(sim));

	CU_ASSERT_PTR_NOT_NULL_FATAL(spool);
	ledger_set_next(ledger, *highest + 1);
	ledger_work(ledger, spool, 30);
	CU_ASSERT(ledger_finish_all(ledger, spool));
	*highest = ledger_last(ledger);
	CU_ASSERT_EQUAL(spool_highest_id(spool), *highest);
	ledger_set_next(ledger, 1000);
	restart_roll(ledger, spool);
	restart_roll(ledger, spool);
	CU_ASSERT_EQUAL(spool_highest_id(spool), *highest);
	spool_close(spool);
	ledger_free(ledger);
}

static void
test_ids(void)
{
	g_autofree char *directory = unit_new_directory();
	g_autofree char *first = g_build_filename(directory, "log/0000000000000001", NULL);
	SimDisk *sim = sim_disk_new(directory);
	QueueId highest = UINT64_C(1) << 40;

	for (int life = 0; life < 3; life++) {
		const SpoolSettings settings = { .directory = directory, .clock = clock_system(), .segment_size = 32 << 10 };
		IdSource *source = id_source_new(clock_system(), 1);
		Spool *spool;

		restart_ids(sim, directory, &highest);
		CU_ASSERT_FALSE(g_file_test(first, G_FILE_TEST_EXISTS));
		spool = spool_open(&settings, NULL);
		CU_ASSERT_PTR_NOT_NULL_FATAL(spool);
		CU_ASSERT_EQUAL(spool_highest_id(spool), highest);
		spool_close(spool);
		id_source_free(source);
	}
	sim_disk_free(sim);
	unit_remove_directory(directory);
}

const UnitSuite restart_suite = { "restart", (const UnitTest[]){
	{ "Q-02 a batch whose sync failed is in the page cache only: it is written anew", test_spoiled },
	{ "Q-02 killed before the sync, started, and then the power goes", test_killed },
	{ "Q-02 a start makes the names of segments durable", test_names },
	{ "Q-02 a spare that is gone or fails blocks nothing", test_spares },
	{ "Q-17 the highest id outlives the segments that had it", test_ids },
	{ 0 } } };
