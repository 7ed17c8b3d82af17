/* test-read.c - the disk cannot read: an error never means "nothing here". */
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "fault/fault.h"
#include "mail/spool-record.h"

enum { READ_SEGMENT = 32 << 10 };



static Spool *
read_open(const char *directory, SimDisk *sim, GError **error)
{
	const SpoolSettings settings = { .directory = directory, .clock = clock_system(), .disk = sim_disk_table(sim),
		.segment_size = READ_SEGMENT, .large = 6 << 10 };

	return spool_open(&settings, error);
}

/* A spool of some segments, with some of its mail ended. */
static void
read_fill(Ledger *ledger, SimDisk *sim, const char *directory, unsigned n)
{
	Spool *spool = read_open(directory, sim, NULL);

	CU_ASSERT_PTR_NOT_NULL_FATAL(spool);
	ledger_work(ledger, spool, n);
	spool_close(spool);
}

/* After it healed all is as it was. */
static void
read_check_healed(Ledger *ledger, SimDisk *sim, const char *directory)
{
	Spool *spool;

	sim_disk_heal(sim);
	spool = ledger_open(directory, ledger_fast_disk());
	CU_ASSERT_PTR_NOT_NULL_FATAL(spool);
	CU_ASSERT_EQUAL(ledger_compare(ledger, spool, sim_disk_step(sim)), 0);
	spool_close(spool);
}

/* What was refused was not touched; what started knows all messages. */
static bool
read_start(Ledger *ledger, SimDisk *sim, const char *directory, size_t n_messages, const char *words)
{
	const guint before = sim_disk_step(sim);
	g_autoptr(GError) error = NULL;
	Spool *spool = read_open(directory, sim, &error);

	if (spool == NULL) {
		CU_ASSERT(g_error_matches(error, POSTERN_ERROR, POSTERN_ERROR_IO));
		if (words != NULL && strstr(error->message, words) == NULL) {
			fprintf(stderr, "\n%s\n", error->message);
			CU_FAIL("the refusal does not say what to do");
		}
		CU_ASSERT_EQUAL(sim_disk_step(sim), before);
		return false;
	}
	CU_ASSERT_EQUAL(spool_count(spool), n_messages);
	(void)ledger;
	spool_close(spool);
	return true;
}

static size_t
read_count(const char *directory)
{
	Spool *spool = ledger_open(directory, ledger_fast_disk());
	const size_t n = spool_count(spool);

	spool_close(spool);
	return n;
}

/* A call fails once (and is repeated), or from some call on for good, or is short. */
static void
read_sweep(SimCall call, SimFault fault, bool is_lasting, unsigned most, unsigned step)
{
	for (unsigned first = 1; first <= most; first += step) {
		g_autofree char *directory = unit_new_directory();
		SimDisk *sim = sim_disk_new(directory);
		Ledger *ledger = ledger_new(sim, first);
		size_t n;

		read_fill(ledger, sim, directory, 120);
		n = read_count(directory);
		sim_disk_fail(sim, call, fault, first, is_lasting);
		if (fault == SIM_SHORT)
			CU_ASSERT(read_start(ledger, sim, directory, n, NULL))
		else
			(void)read_start(ledger, sim, directory, n, NULL);
		read_check_healed(ledger, sim, directory);
		ledger_free(ledger);
		sim_disk_free(sim);
		unit_remove_directory(directory);
	}
}

static void
test_calls(void)
{
	read_sweep(SIM_PREAD, SIM_EIO, false, 40, 1);
	read_sweep(SIM_PREAD, SIM_EIO, true, 60, 7);
	read_sweep(SIM_PREAD, SIM_SHORT, true, 4, 3);
	read_sweep(SIM_OPEN, SIM_EIO, false, 14, 1);
	read_sweep(SIM_OPEN, SIM_EIO, true, 14, 2);
	read_sweep(SIM_READDIR, SIM_EIO, false, 4, 1);
	read_sweep(SIM_READDIR, SIM_EIO, true, 4, 1);
}

/* ---- bad sectors ---- */

typedef struct {
	unsigned n_started, n_refused;
} Starts;

static GPtrArray *
read_files(const char *directory, const char *folder)
{
	g_autofree char *path = g_build_filename(directory, folder, NULL);
	GPtrArray *names = disk_system()->list(disk_system(), path);

	CU_ASSERT_PTR_NOT_NULL_FATAL(names);
	return names;
}

static void
read_break_one(uint32_t seed, unsigned file, uint64_t offset, uint64_t size, Starts *starts)
{
	g_autofree char *directory = unit_new_directory();
	SimDisk *sim = sim_disk_new(directory);
	Ledger *ledger = ledger_new(sim, seed);
	g_autofree char *name = NULL;
	size_t n;

	read_fill(ledger, sim, directory, 60);
	n = read_count(directory);
	name = g_strdup_printf("log/%016x", file);
	sim_disk_break(sim, name, offset, size);
	if (read_start(ledger, sim, directory, n, "posternctl spool set-aside"))
		starts->n_started++;
	else
		starts->n_refused++;
	read_check_healed(ledger, sim, directory);
	ledger_free(ledger);
	sim_disk_free(sim);
	unit_remove_directory(directory);
}

/* The lowest and the highest number of a segment that `seed` makes. */
static void
read_segments(uint32_t seed, unsigned *lowest, unsigned *highest)
{
	g_autofree char *directory = unit_new_directory();
	SimDisk *sim = sim_disk_new(directory);
	Ledger *ledger = ledger_new(sim, seed);
	g_autoptr(GPtrArray) names = NULL;

	read_fill(ledger, sim, directory, 60);
	names = read_files(directory, "log");
	*lowest = G_MAXUINT;
	*highest = 0;
	for (guint i = 0; i < names->len; i++) {
		const char *name = names->pdata[i];

		if (strlen(name) == 16) {
			*lowest = MIN(*lowest, (unsigned)strtoul(name, NULL, 16));
			*highest = MAX(*highest, (unsigned)strtoul(name, NULL, 16));
		}
	}
	ledger_free(ledger);
	sim_disk_free(sim);
	unit_remove_directory(directory);
}

/* Each block of each segment; whether a start is possible depends on what stood there. */
static void
test_blocks(void)
{
	Starts starts = { 0 };
	unsigned lowest, highest;

	read_segments(5, &lowest, &highest);
	/* the last one or two of the first life may be numbered differently in the next: threads race for them */
	for (unsigned file = lowest; file + 2 < highest; file++)
		for (uint64_t at = 0; at < READ_SEGMENT; at += SPOOL_BLOCK)
			read_break_one(5, file, at, SPOOL_BLOCK, &starts);
	CU_ASSERT(starts.n_started > 0);
	CU_ASSERT(starts.n_refused > 0);
}

typedef struct {
	char *directory;
	SimDisk *sim;
	Ledger *ledger;
} ReadWorld;

static ReadWorld
read_new_world(unsigned n_messages, size_t size)
{
	ReadWorld world = { .directory = unit_new_directory() };
	Spool *spool;

	world.sim = sim_disk_new(world.directory);
	world.ledger = ledger_new(world.sim, 1);
	spool = read_open(world.directory, world.sim, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(spool);
	for (unsigned i = 0; i < n_messages; i++)
		CU_ASSERT_EQUAL(ledger_commit(world.ledger, spool, size, 0), SPOOL_COMMITTED);
	spool_close(spool);
	return world;
}

static void
read_clear_world(ReadWorld *world)
{
	ledger_free(world->ledger);
	sim_disk_free(world->sim);
	unit_remove_directory(world->directory);
	g_free(world->directory);
}

/* The last batch of the tail: acknowledged mail; it was taken for a torn one, and overwritten. */
static void
test_tail(void)
{
	ReadWorld world = read_new_world(1, 3000);

	sim_disk_break(world.sim, "log/0000000000000001", SPOOL_BLOCK, SPOOL_BLOCK);
	CU_ASSERT_FALSE(read_start(world.ledger, world.sim, world.directory, 1,
		"segment 1, octet 4096 cannot be read: Input/output error; which messages it holds is not known. If it stays so, "
		"start without it: posternctl spool set-aside 1 "));
	read_check_healed(world.ledger, world.sim, world.directory);
	CU_ASSERT_EQUAL(read_count(world.directory), 1);
	read_clear_world(&world);
}

/* Set aside: what can be read of the segment counts, the rest is said, and the segment is never written to again. */
static void
test_aside(void)
{
	ReadWorld world = read_new_world(3, 3000); /* a batch of one block each, and the first one's mark */
	const SpoolSettings settings = { .directory = world.directory, .clock = clock_system(),
		.disk = sim_disk_table(world.sim), .segment_size = READ_SEGMENT, .large = 6 << 10 };
	g_autoptr(GPtrArray) findings = g_ptr_array_new_with_free_func(g_free);
	g_autofree char *lost = g_build_filename(world.directory, "lost/aside-0000000000000001", NULL);
	g_autoptr(GError) error = NULL;
	SpoolFigures figures;
	Spool *spool;

	CU_ASSERT_FALSE(spool_set_aside(&settings, 77, &error));
	CU_ASSERT(g_error_matches(error, POSTERN_ERROR, POSTERN_ERROR_NOT_FOUND));
	sim_disk_break(world.sim, "log/0000000000000001", 2 * SPOOL_BLOCK, SPOOL_BLOCK);
	CU_ASSERT_FALSE(read_start(world.ledger, world.sim, world.directory, 3, "set-aside 1 "));
	CU_ASSERT(spool_set_aside(&settings, 1, NULL));
	CU_ASSERT_FALSE(spool_set_aside(&settings, 1, NULL));
	CU_ASSERT_FALSE(spool_check(&settings, findings, NULL));
	CU_ASSERT(findings->len > 0);
	spool = spool_open(&settings, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(spool);
	spool_figures(spool, &figures);
	CU_ASSERT(figures.has_damage);
	CU_ASSERT_EQUAL(spool_count(spool), 2);
	CU_ASSERT_EQUAL(ledger_commit(world.ledger, spool, 100, 0), SPOOL_COMMITTED);
	CU_ASSERT(ledger_finish_all(world.ledger, spool));
	for (int i = 0; i < 5000 && !g_file_test(lost, G_FILE_TEST_EXISTS); i++)
		g_usleep(1000);
	CU_ASSERT(g_file_test(lost, G_FILE_TEST_EXISTS));
	CU_ASSERT_EQUAL(ledger_commit(world.ledger, spool, 100, 0), SPOOL_COMMITTED);
	spool_close(spool);
	CU_ASSERT_EQUAL(read_count(world.directory), 1);
	read_clear_world(&world);
}

/* With a summary that can be read the messages are known: the start goes on, and the segment is not used again. */
static void
test_known(void)
{
	ReadWorld world = read_new_world(40, 3000);
	g_autoptr(GError) error = NULL;
	g_autofree char *lost = g_build_filename(world.directory, "lost/0000000000000001", NULL);
	Spool *spool;
	unsigned n_unread = 0;

	sim_disk_break(world.sim, "log/0000000000000001", SPOOL_BLOCK, 2 * SPOOL_BLOCK);
	spool = read_open(world.directory, world.sim, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(spool);
	CU_ASSERT_EQUAL(spool_count(spool), 40);
	for (QueueId id = 1000; id < 1040; id++) {
		g_autoptr(GError) why = NULL;
		g_autoptr(SpoolMessage) message = spool_read(spool, id, &why);

		if (message == NULL || !spool_read_content(message, &why)) {
			CU_ASSERT(g_error_matches(why, POSTERN_ERROR, POSTERN_ERROR_IO));
			n_unread++;
		}
	}
	CU_ASSERT(n_unread > 0 && n_unread < 4);
	/* Its messages end; the segment is kept. */
	CU_ASSERT(ledger_finish_all(world.ledger, spool));
	for (int i = 0; i < 5000 && !g_file_test(lost, G_FILE_TEST_EXISTS); i++)
		g_usleep(1000);
	CU_ASSERT(g_file_test(lost, G_FILE_TEST_EXISTS));
	spool_close(spool);
	read_clear_world(&world);
}

/* Nothing that lies in content/ is removed when its names cannot be read, and new files find numbers. */
static void
test_names(void)
{
	ReadWorld world = read_new_world(3, 9000);
	g_autoptr(GPtrArray) before = read_files(world.directory, "content"), after = NULL;
	Spool *spool;

	CU_ASSERT_EQUAL(before->len, 3);
	sim_disk_fail(world.sim, SIM_READDIR, SIM_EIO, 1, true);
	CU_ASSERT_FALSE(read_start(world.ledger, world.sim, world.directory, 3, "cannot list the segments in "));
	sim_disk_fail(world.sim, SIM_READDIR, SIM_EIO, 2, true);
	spool = read_open(world.directory, world.sim, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(spool);
	CU_ASSERT_EQUAL(ledger_commit(world.ledger, spool, 9000, 0), SPOOL_COMMITTED);
	spool_close(spool);
	after = read_files(world.directory, "content");
	CU_ASSERT_EQUAL(after->len, 4);
	read_check_healed(world.ledger, world.sim, world.directory);
	read_clear_world(&world);
}

/* ---- while it runs ---- */

/* What cannot be moved now stays in the queue, and is moved once it can be read. */
static void
test_compaction(void)
{
	ReadWorld world = read_new_world(3, 3000);
	g_autofree char *path = g_build_filename(world.directory, "log/0000000000000001", NULL);
	Spool *spool = read_open(world.directory, world.sim, NULL);
	SpoolSummary summary;
	SpoolFigures figures;

	CU_ASSERT_PTR_NOT_NULL_FATAL(spool);
	sim_disk_break(world.sim, "log/0000000000000001", SPOOL_BLOCK, SPOOL_BLOCK);
	for (int i = 0; i < 300 && sim_disk_failures(world.sim) == 0; i++)
		CU_ASSERT_EQUAL(ledger_commit(world.ledger, spool, 10, 0), SPOOL_COMMITTED);
	for (int i = 0; i < 5000 && sim_disk_failures(world.sim) < 3; i++)
		g_usleep(1000);
	CU_ASSERT(sim_disk_failures(world.sim) >= 3);
	CU_ASSERT(spool_summary(spool, 1000, &summary));
	spool_figures(spool, &figures);
	CU_ASSERT(figures.has_damage);
	sim_disk_heal(world.sim);
	for (int i = 0; i < 10000 && g_file_test(path, G_FILE_TEST_EXISTS); i++)
		g_usleep(1000);
	CU_ASSERT_FALSE(g_file_test(path, G_FILE_TEST_EXISTS));
	CU_ASSERT_EQUAL(ledger_compare(world.ledger, spool, sim_disk_step(world.sim)), 0);
	spool_close(spool);
	read_clear_world(&world);
}

static bool
read_count_piece(void *data, const char *octets, size_t size)
{
	(void)octets;
	*(uint64_t *)data += size;
	return true;
}

/* A large content: a bad sector, or octets that change, after it was verified. */
static void
test_large(void)
{
	const size_t size = 1 << 20;
	ReadWorld world = read_new_world(1, size);
	g_autoptr(GPtrArray) files = read_files(world.directory, "content");
	g_autofree char *name = g_strdup_printf("content/%s", (const char *)files->pdata[0]);
	g_autofree char *path = g_build_filename(world.directory, name, NULL);
	Spool *spool = read_open(world.directory, world.sim, NULL);
	g_autoptr(SpoolMessage) message = spool_read(spool, 1000, NULL);
	g_autoptr(GError) unread = NULL, changed = NULL, damaged = NULL;
	SpoolFigures figures;
	uint64_t sent = 0;
	FILE *file;

	CU_ASSERT_PTR_NOT_NULL_FATAL(message);
	sim_disk_break(world.sim, name, size / 2, 1);
	CU_ASSERT_FALSE(spool_read_content(message, &unread));
	CU_ASSERT(g_error_matches(unread, POSTERN_ERROR, POSTERN_ERROR_IO));
	spool_figures(spool, &figures);
	CU_ASSERT(figures.has_damage);
	sim_disk_heal(world.sim);
	CU_ASSERT(spool_read_content(message, NULL));
	CU_ASSERT(spool_message_pieces(message, read_count_piece, &sent, NULL));
	CU_ASSERT_EQUAL(sent, spool_message_octets(message));
	sim_disk_break(world.sim, name, size / 2, 1);
	g_clear_error(&unread);
	sent = 0;
	CU_ASSERT_FALSE(spool_message_pieces(message, read_count_piece, &sent, &unread));
	CU_ASSERT(g_error_matches(unread, POSTERN_ERROR, POSTERN_ERROR_IO));
	CU_ASSERT(sent <= size / 2 + 100);
	sim_disk_heal(world.sim);
	file = fopen(path, "r+");
	CU_ASSERT_FATAL(file != NULL && fseek(file, (long)size - 10, SEEK_SET) == 0 && fputc('#', file) == '#');
	CU_ASSERT_EQUAL(fclose(file), 0);
	sent = 0;
	CU_ASSERT_FALSE(spool_message_pieces(message, read_count_piece, &sent, &changed));
	CU_ASSERT(g_error_matches(changed, POSTERN_ERROR, POSTERN_ERROR_DAMAGED));
	CU_ASSERT(sent < size);
	CU_ASSERT_FALSE(spool_read_whole(message, &damaged));
	g_clear_pointer(&message, spool_message_free);
	spool_close(spool);
	read_clear_world(&world);
}

const UnitSuite read_suite = { "read", (const UnitTest[]){
	{ "Q-16 every n-th pread, open and readdir of a start fails", test_calls },
	{ "Q-16 each block of each segment cannot be read", test_blocks },
	{ "Q-16 the last batch cannot be read: the start is refused, and nothing is overwritten", test_tail },
	{ "Q-16 a segment that was set aside counts as far as it can be read", test_aside },
	{ "Q-16 a block cannot be read, the summary can: the start knows all messages", test_known },
	{ "Q-16 names that cannot be listed remove nothing", test_names },
	{ "Q-16 compaction leaves in the queue what cannot be read now", test_compaction },
	{ "Q-16 a large content is verified, and verified again while it is sent", test_large },
	{ 0 } } };
