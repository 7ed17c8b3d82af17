/* test-power.c - the power goes at every step, and what is left is read. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "fault/fault.h"
#include "fault/ledger.h"
#include "unit/unit.h"

enum { POWER_CUTS = 70 }; /* a scenario; POWER_CUTS in the environment asks for more */

static char *
power_new_directory(void)
{
	static const char *const parts[] = { "log", "content", "lost" };
	char *directory = unit_new_directory();

	for (size_t i = 0; i < G_N_ELEMENTS(parts); i++) {
		g_autofree char *path = g_build_filename(directory, parts[i], NULL);

		(void)mkdir(path, 0700);
	}
	return directory;
}

/* What is read must agree with what was told, twice the same, without a word of damage. */
static unsigned
power_check(Ledger *ledger, const char *directory, guint step)
{
	Spool *spool = ledger_open(directory, ledger_fast_disk());
	g_autofree char *first = NULL, *second = NULL;
	SpoolFigures figures;
	unsigned n_bad;

	if (spool == NULL)
		return 1;
	n_bad = ledger_compare(ledger, spool, step);
	spool_figures(spool, &figures);
	if (figures.has_damage) {
		g_autoptr(GPtrArray) damage = spool_damage(spool);

		fprintf(stderr, "\nstep %u: %s\n", step, (const char *)damage->pdata[0]);
		n_bad++;
	}
	first = ledger_digest(spool);
	spool_close(spool);
	spool = ledger_open(directory, ledger_fast_disk());
	if (spool == NULL)
		return n_bad + 1;
	second = ledger_digest(spool);
	spool_close(spool);
	return n_bad + (strcmp(first, second) != 0);
}

unsigned
power_cut_all(Ledger *ledger, SimDisk *sim, unsigned n_cuts, uint32_t seed)
{
	const guint n = sim_disk_step(sim), stride = MAX(n / n_cuts, 1);
	SimCut *cut = sim_cut_new(sim);
	GRand *rand = g_rand_new_with_seed(seed);
	unsigned n_bad = 0;

	for (guint step = 0; step <= n && n_bad == 0; step += stride) {
		g_autofree char *directory = power_new_directory();

		sim_cut_advance(cut, step);
		sim_cut_write(cut, directory, rand);
		n_bad += power_check(ledger, directory, step);
		if (n_bad > 0 && g_getenv("KEEP_BAD") != NULL)
			fprintf(stderr, "seed %u, step %u of %u: see %s\n", seed, step, n, directory);
		else
			unit_remove_directory(directory);
	}
	g_rand_free(rand);
	sim_cut_free(cut);
	return n_bad;
}

static void
power_scenario(uint32_t seed, unsigned n_operations, unsigned n_restarts)
{
	g_autofree char *directory = unit_new_directory();
	SimDisk *sim = sim_disk_new(directory);
	Ledger *ledger = ledger_new(sim, seed);
	const char *asked = g_getenv("POWER_CUTS");
	const unsigned n_cuts = asked != NULL ? (unsigned)atoi(asked) : POWER_CUTS;

	for (unsigned i = 0; i <= n_restarts; i++) {
		Spool *spool = ledger_open(directory, sim_disk_table(sim));

		CU_ASSERT_PTR_NOT_NULL_FATAL(spool);
		ledger_work(ledger, spool, n_operations);
		spool_close(spool);
	}
	CU_ASSERT_EQUAL(power_cut_all(ledger, sim, n_cuts, seed), 0);
	ledger_free(ledger);
	sim_disk_free(sim);
	unit_remove_directory(directory);
}

static void
test_commit(void)
{
	for (uint32_t seed = 1; seed <= 3; seed++)
		power_scenario(seed, 80, 0);
}

/* Segments of 32 KiB: hundreds of operations seal, compact and recycle dozens of them. */
static void
test_compaction(void)
{
	for (uint32_t seed = 11; seed <= 13; seed++)
		power_scenario(seed, 600, 0);
}

/* A submission with three copies, its content in the log or in a file of its own: the power goes at every single step. */
static void
test_copies(void)
{
	static const size_t sizes[] = { 400, 9000 };

	for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
		g_autofree char *directory = unit_new_directory();
		SimDisk *sim = sim_disk_new(directory);
		Ledger *ledger = ledger_new(sim, 31);
		Spool *spool = ledger_open(directory, sim_disk_table(sim));

		CU_ASSERT_PTR_NOT_NULL_FATAL(spool);
		for (unsigned n = 0; n < 3; n++)
			CU_ASSERT_EQUAL(ledger_commit(ledger, spool, sizes[i], 3), SPOOL_COMMITTED);
		spool_close(spool);
		CU_ASSERT_EQUAL(power_cut_all(ledger, sim, G_MAXUINT, 31), 0);
		ledger_free(ledger);
		sim_disk_free(sim);
		unit_remove_directory(directory);
	}
}

static void
test_restarts(void)
{
	power_scenario(21, 120, 4);
}

const UnitSuite power_suite = { "power",
	(const UnitTest[]){ { "Q-02 B-13 the power goes at every step of commit", test_commit },
		{ "Q-02 B-13 the power goes at every step of seal, compaction and recycling", test_compaction },
		{ "B-12 B-13 a message and three copies: all or none, whenever the power goes", test_copies },
		{ "Q-02 the power goes at every step of several lives of a spool", test_restarts }, { 0 } } };
