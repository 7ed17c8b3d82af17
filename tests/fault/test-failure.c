/* test-failure.c - each call of the disk fails once, or from some call on for good; then the disk heals. */
#include <stdio.h>

#include "fault/fault.h"

enum { FAILURE_WORK = 50, FAILURE_CUTS = 4 };

typedef struct {
	SimCall call;
	SimFault fault;
	unsigned most, step; /* which calls fail: 1, 1 + step, … up to most */
	bool is_lasting;
	unsigned aged; /* operations before, so that segments are sealed, compacted, recycled */
} Sweep;

static void
failure_mend(SimDisk *sim, Spool *spool)
{
	SpoolResult reason;

	sim_disk_heal(sim);
	for (int i = 0; i < 2000 && !(spool_probe(spool) && spool_has_room(spool, &reason)); i++)
		g_usleep(1000);
}

/* A call that failed just before the disk healed may be felt a little later. */
static bool
failure_is_open_again(Ledger *ledger, SimDisk *sim, Spool *spool)
{
	for (int i = 0; i < 5; i++) {
		if (ledger_commit(ledger, spool, 100, 1) == SPOOL_COMMITTED)
			return true;
		failure_mend(sim, spool);
	}
	return false;
}

/* What is in the directory now, and what a power cut would leave. */
static unsigned
failure_check(Ledger *ledger, SimDisk *sim, const char *directory, uint32_t seed)
{
	Spool *spool = ledger_open(directory, ledger_fast_disk());
	SpoolFigures figures;
	unsigned n_bad;

	if (spool == NULL)
		return 1;
	n_bad = ledger_compare(ledger, spool, sim_disk_step(sim));
	spool_figures(spool, &figures);
	if (figures.has_damage) {
		g_autoptr(GPtrArray) damage = spool_damage(spool);

		fprintf(stderr, "\n%s\n", (const char *)damage->pdata[0]);
		n_bad++;
	}
	spool_close(spool);
	return n_bad + power_cut_all(ledger, sim, FAILURE_CUTS, seed);
}

/* False: fewer calls than `first` were made. */
static bool
failure_run(const Sweep *sweep, unsigned first, int patience_ms, unsigned *n_bad)
{
	g_autofree char *directory = unit_new_directory();
	SimDisk *sim = sim_disk_new(directory);
	Ledger *ledger = ledger_new(sim, first);
	Spool *spool = ledger_open(directory, sim_disk_table(sim));
	bool has_failed;
	unsigned n_before;

	CU_ASSERT_PTR_NOT_NULL_FATAL(spool);
	ledger_work(ledger, spool, sweep->aged);
	sim_disk_fail(sim, sweep->call, sweep->fault, first, sweep->is_lasting);
	ledger_work(ledger, spool, FAILURE_WORK);
	/* Some calls are another thread's, which may come late. */
	for (int i = 0; i < patience_ms && sim_disk_failures(sim) == 0; i++)
		g_usleep(1000);
	has_failed = sim_disk_failures(sim) > 0;
	failure_mend(sim, spool);
	n_before = ledger_answers(ledger, SPOOL_COMMITTED);
	ledger_work(ledger, spool, 10);
	if (!failure_is_open_again(ledger, sim, spool) || ledger_answers(ledger, SPOOL_COMMITTED) == n_before) {
		fprintf(stderr, "\nthe spool did not open again\n");
		(*n_bad)++;
	}
	spool_close(spool);
	*n_bad += failure_check(ledger, sim, directory, first);
	ledger_free(ledger);
	sim_disk_free(sim);
	unit_remove_directory(directory);
	return has_failed;
}

static void
failure_sweep_once(const Sweep *sweep, unsigned *n_bad, unsigned *n_failed)
{
	for (unsigned first = 1; first <= sweep->most && *n_bad == 0; first += sweep->step) {
		/* one failure of the sweep must come, however busy the machine is */
		const bool has_failed = failure_run(sweep, first, *n_failed == 0 ? 5000 : 50, n_bad);

		*n_failed += has_failed;
		if (*n_bad > 0)
			fprintf(stderr, "call kind %d, fault %d, lasting %d, first %u\n", sweep->call, sweep->fault,
				sweep->is_lasting, first);
	}
}

/* On a busy machine the threads that make some of the calls may come too late in a whole sweep. */
static void
failure_sweep(const Sweep *sweep)
{
	unsigned n_bad = 0, n_failed = 0;

	for (unsigned rounds = 0; rounds < 4 && n_failed == 0 && n_bad == 0; rounds++)
		failure_sweep_once(sweep, &n_bad, &n_failed);
	CU_ASSERT_EQUAL(n_bad, 0);
	CU_ASSERT(n_failed > 0);
}

static void
failure_sweep_all(const Sweep *sweeps, size_t n)
{
	for (size_t i = 0; i < n; i++)
		failure_sweep(&sweeps[i]);
}

static void
test_pwritev(void)
{
	static const Sweep sweeps[] = { { SIM_PWRITEV, SIM_EIO, 40, 1, false, 0 },
		{ SIM_PWRITEV, SIM_EIO, 40, 5, true, 0 },
		{ SIM_PWRITEV, SIM_ENOSPC, 40, 3, false, 0 }, { SIM_PWRITEV, SIM_ENOSPC, 40, 7, true, 0 },
		{ SIM_PWRITEV, SIM_EIO, 40, 7, false, 250 } };

	failure_sweep_all(sweeps, G_N_ELEMENTS(sweeps));
}

static void
test_short(void)
{
	static const Sweep sweeps[] = { { SIM_PWRITEV, SIM_SHORT, 30, 2, false, 0 },
		{ SIM_PWRITEV, SIM_SHORT, 30, 9, true, 0 } };

	failure_sweep_all(sweeps, G_N_ELEMENTS(sweeps));
}

static void
test_fdatasync(void)
{
	static const Sweep sweeps[] = { { SIM_FDATASYNC, SIM_EIO, 50, 1, false, 0 },
		{ SIM_FDATASYNC, SIM_EIO, 40, 4, true, 0 },
		{ SIM_FDATASYNC, SIM_EIO, 50, 6, false, 250 }, { SIM_FDATASYNC, SIM_EIO, 40, 9, true, 250 } };

	failure_sweep_all(sweeps, G_N_ELEMENTS(sweeps));
}

static void
test_fsync(void)
{
	static const Sweep sweeps[] = { { SIM_FSYNC, SIM_EIO, 20, 2, false, 0 }, { SIM_FSYNC, SIM_EIO, 20, 6, true, 0 },
		{ SIM_FSYNC, SIM_EIO, 20, 3, false, 250 } };

	failure_sweep_all(sweeps, G_N_ELEMENTS(sweeps));
}

static void
test_names(void)
{
	static const Sweep sweeps[] = { { SIM_RENAME, SIM_EIO, 8, 1, false, 20 }, { SIM_RENAME, SIM_EIO, 8, 3, true, 20 },
		{ SIM_RENAME, SIM_EIO, 10, 2, false, 250 }, { SIM_UNLINK, SIM_EIO, 4, 1, false, 100 },
		{ SIM_UNLINK, SIM_EIO, 3, 1, true, 250 } };

	failure_sweep_all(sweeps, G_N_ELEMENTS(sweeps));
}

/* Whatever fails at the start, the next start finds all there was. */
static void
test_start(void)
{
	for (SimCall call = 0; call < SIM_CALLS; call++) {
		for (unsigned first = 1; first <= 6; first++) {
			g_autofree char *directory = unit_new_directory();
			SimDisk *sim = sim_disk_new(directory);
			Ledger *ledger = ledger_new(sim, first);
			const SpoolSettings settings = { .directory = directory, .clock = clock_system(),
				.disk = sim_disk_table(sim), .segment_size = 32 << 10 };
			Spool *spool = ledger_open(directory, sim_disk_table(sim));

			CU_ASSERT_PTR_NOT_NULL_FATAL(spool);
			ledger_work(ledger, spool, 60);
			spool_close(spool);
			sim_disk_fail(sim, call, SIM_EIO, first, false);
			spool = spool_open(&settings, NULL);
			if (spool != NULL)
				spool_close(spool);
			sim_disk_heal(sim);
			CU_ASSERT_EQUAL(failure_check(ledger, sim, directory, first), 0);
			ledger_free(ledger);
			sim_disk_free(sim);
			unit_remove_directory(directory);
		}
	}
}

/* ---- content files ---- */

/* With a file of its own, which is synced. */
static SpoolTransaction *
failure_transaction(Spool *spool, QueueId id)
{
	static const char line[] = "a line of a large message, which gets a file of its own\r\n";
	SpoolTransaction *transaction = spool_transaction_new();
	Content *content = content_new(spool);
	Envelope *envelope = envelope_new(id);

	for (int i = 0; i < 100; i++)
		content_append(content, line, sizeof line - 1);
	CU_ASSERT(content_flush(content, NULL) && content_finish(content, NULL));
	spool_transaction_set_content(transaction, content);
	envelope_add_recipient(envelope, "r@example.net", NULL, 0);
	spool_transaction_add(transaction, envelope, NULL);
	return transaction;
}

static unsigned
failure_files(Spool *spool)
{
	SpoolFigures figures;

	spool_figures(spool, &figures);
	return figures.files;
}

static bool
failure_reaches_files(Spool *spool, unsigned n)
{
	for (int i = 0; i < 5000 && failure_files(spool) != n; i++)
		g_usleep(1000);
	return failure_files(spool) == n;
}

/* The content file of a failed batch is needed until the next segment says that the batch does not
 * count.  Messages of no batch need none. */
static void
test_content_files(void)
{
	g_autofree char *directory = unit_new_directory();
	SimDisk *sim = sim_disk_new(directory);
	const SpoolSettings settings = { .directory = directory, .clock = clock_system(),
		.disk = sim_disk_table(sim), .segment_size = 32 << 10, .large = 1000 };
	Spool *spool = spool_open(&settings, NULL);
	SpoolTransaction *transactions[4];

	CU_ASSERT_PTR_NOT_NULL_FATAL(spool);
	for (size_t i = 0; i < G_N_ELEMENTS(transactions); i++)
		transactions[i] = failure_transaction(spool, i + 1);
	CU_ASSERT_EQUAL(failure_files(spool), 4);
	CU_ASSERT_EQUAL(spool_commit_wait(spool, transactions[0]), SPOOL_COMMITTED);
	fault_wait_for_reserve(spool);
	sim_disk_fail(sim, SIM_FDATASYNC, SIM_EIO, 1, true);
	for (size_t i = 1; i < G_N_ELEMENTS(transactions); i++)
		CU_ASSERT_EQUAL(spool_commit_wait(spool, transactions[i]), SPOOL_CLOSED);
	CU_ASSERT(failure_reaches_files(spool, 2));
	sim_disk_heal(sim);
	CU_ASSERT(spool_probe(spool));
	CU_ASSERT(failure_reaches_files(spool, 1));
	spool_close(spool);
	spool = spool_open(&settings, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(spool);
	CU_ASSERT_EQUAL(spool_count(spool), 1);
	CU_ASSERT_EQUAL(failure_files(spool), 1);
	spool_close(spool);
	sim_disk_free(sim);
	unit_remove_directory(directory);
}

/* A spool that is closed before that keeps the file for the next start. */
static void
test_content_file_of_closed(void)
{
	g_autofree char *directory = unit_new_directory();
	SimDisk *sim = sim_disk_new(directory);
	const SpoolSettings settings = { .directory = directory, .clock = clock_system(),
		.disk = sim_disk_table(sim), .segment_size = 32 << 10, .large = 1000 };
	Spool *spool = spool_open(&settings, NULL);
	SpoolTransaction *transaction;
	SpoolFigures figures;

	CU_ASSERT_PTR_NOT_NULL_FATAL(spool);
	transaction = failure_transaction(spool, 1);
	fault_wait_for_reserve(spool);
	sim_disk_fail(sim, SIM_FDATASYNC, SIM_EIO, 1, true);
	CU_ASSERT_EQUAL(spool_commit_wait(spool, transaction), SPOOL_CLOSED);
	spool_close(spool);
	sim_disk_heal(sim);
	spool = spool_open(&settings, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(spool);
	CU_ASSERT_EQUAL(failure_files(spool), spool_count(spool));
	spool_figures(spool, &figures);
	CU_ASSERT_FALSE(figures.has_damage);
	spool_close(spool);
	sim_disk_free(sim);
	unit_remove_directory(directory);
}

const UnitSuite failure_suite = { "failure", (const UnitTest[]){
	{ "Q-02 B-13 every n-th pwritev fails", test_pwritev },
	{ "Q-02 every n-th pwritev is short", test_short },
	{ "Q-02 B-13 every n-th fdatasync fails: what was answered 451 does not come back", test_fdatasync },
	{ "Q-02 every n-th fsync fails", test_fsync },
	{ "Q-02 every n-th rename and unlink fails", test_names },
	{ "Q-02 something fails at the start", test_start },
	{ "B-13 a message that was not taken leaves no content file", test_content_files },
	{ "B-13 the start decides about the content file of a failed batch", test_content_file_of_closed },
	{ 0 } } };
