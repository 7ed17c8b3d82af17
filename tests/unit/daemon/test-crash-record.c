/* test-crash-record.c - a message that was being processed at two crashes is held at the next start, also where that is not possible
 * at once. */
#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>

#include "daemon/crash-record.h"
#include "unit/daemon/suites.h"
#include "unit/mail/queue-bench.h"

enum { MESSAGE = 5, LOOKS = 60 }; /* a look each second */

/* ---- a disk that cannot be read ---- */

typedef struct {
	Disk disk; /* first: the table is the object */
	ssize_t (*pread)(const Disk *disk, int fd, void *data, size_t size, off_t offset);
	GThread *thread; /* whose reads fail; NULL: nobody's */
} BadDisk;

static ssize_t
bad_pread(const Disk *disk, int fd, void *data, size_t size, off_t offset)
{
	const BadDisk *bad = (const BadDisk *)(const void *)disk;

	if (bad->thread != g_thread_self())
		return bad->pread(disk, fd, data, size, offset);
	errno = EIO;
	return -1;
}

static void
bench_use_bad_disk(Bench *bench, BadDisk *bad)
{
	*bad = (BadDisk){ .disk = *bench->fixture->settings.disk };
	bad->pread = bad->disk.pread;
	bad->disk.pread = bad_pread;
	bench->fixture->settings.disk = &bad->disk;
	bench_reopen(bench);
}

/* ---- a start after two crashes ---- */

typedef struct {
	char *directory;
	CrashRecord *record;
	Metrics *metrics;
} Start;

static Start
start_after_two_crashes(void)
{
	Start start = { .directory = g_dir_make_tmp("postern-crash-XXXXXX", NULL), .metrics = metrics_new() };
	g_autofree char *path = g_build_filename(start.directory, "crashes", NULL);
	g_autofree char *text = NULL;
	char id[ID_TEXT_SIZE];

	(void)id_format(MESSAGE, id);
	text = g_strdup_printf("crash 1000 SIGSEGV worker greedy route - %s\n"
						   "crash 1001 SIGSEGV worker greedy route - %s\n",
		id, id);
	CU_ASSERT_TRUE_FATAL(g_file_set_contents(path, text, -1, NULL));
	start.record = crash_record_open(start.directory);
	return start;
}

static void
start_look(Start *start, Bench *bench)
{
	for (int i = 0; i < LOOKS; i++)
		crash_record_look(
			start->record, bench->fixture->spool, bench->queue, start->metrics, 1002 * CLOCK_SECOND);
}

static void
start_find_alarm(void *data, const char *name, const char *text, int64_t since_us)
{
	(void)text, (void)since_us;
	*(bool *)data |= strcmp(name, "crash.held") == 0;
}

static bool
start_has_alarm(const Start *start)
{
	bool found = false;

	metrics_each_alarm(start->metrics, start_find_alarm, &found);
	return found;
}

/* What the next start would read. */
static bool
start_remembers_hold(const Start *start)
{
	g_autofree char *path = g_build_filename(start->directory, "crashes", NULL);
	g_autofree char *text = NULL;

	return g_file_get_contents(path, &text, NULL, NULL) && strstr(text, "held 1001 ") != NULL;
}

static void
start_end(Start *start)
{
	g_autofree char *path = g_build_filename(start->directory, "crashes", NULL);

	crash_record_close(start->record);
	metrics_free(start->metrics);
	(void)g_unlink(path);
	(void)g_rmdir(start->directory);
	g_free(start->directory);
}

static void
test_held(void)
{
	g_autoptr(Bench) bench = bench_new();
	Start start = start_after_two_crashes();

	bench_enter(bench, MESSAGE);
	crash_record_hold(start.record, bench->fixture->spool, bench->queue);
	CU_ASSERT_TRUE(bench_is_held(bench, MESSAGE));
	start_look(&start, bench);
	CU_ASSERT_TRUE(start_has_alarm(&start));
	CU_ASSERT_TRUE(start_remembers_hold(&start));
	CU_ASSERT_EQUAL(queue_do(bench->queue, MESSAGE, QUEUE_RELEASE, NULL), QUEUE_DONE);
	start_look(&start, bench);
	CU_ASSERT_FALSE(bench_is_held(bench, MESSAGE));
	CU_ASSERT_FALSE(start_has_alarm(&start));
	start_end(&start);
}

/* Another thread has the message: it is held when that gives it back. */
static void
test_active(void)
{
	g_autoptr(Bench) bench = bench_new();
	Start start = start_after_two_crashes();

	bench_enter(bench, MESSAGE);
	CU_ASSERT_EQUAL(bench_take(bench), MESSAGE);
	crash_record_hold(start.record, bench->fixture->spool, bench->queue);
	start_look(&start, bench);
	CU_ASSERT_FALSE(start_has_alarm(&start));
	bench_return(bench, bench_state(MESSAGE, RECIPIENT_PENDING, bench->fixture->now_us));
	CU_ASSERT_TRUE(bench_is_held(bench, MESSAGE));
	start_look(&start, bench);
	CU_ASSERT_TRUE(start_has_alarm(&start));
	CU_ASSERT_TRUE(start_remembers_hold(&start));
	start_end(&start);
}

/* It cannot be read at the start, and can later. */
static void
test_unreadable(void)
{
	BadDisk bad;
	g_autoptr(Bench) bench = bench_new();
	Start start = start_after_two_crashes();

	bench_enter(bench, MESSAGE);
	bench_use_bad_disk(bench, &bad);
	bad.thread = g_thread_self();
	crash_record_hold(start.record, bench->fixture->spool, bench->queue);
	bad.thread = NULL;
	CU_ASSERT_FALSE(bench_is_held(bench, MESSAGE));
	start_look(&start, bench);
	CU_ASSERT_TRUE(bench_is_held(bench, MESSAGE));
	CU_ASSERT_TRUE(start_has_alarm(&start));
	CU_ASSERT_TRUE(start_remembers_hold(&start));
	start_end(&start);
}

/* Somebody else holds it: it counts for nothing, and is not this record's to hold again when it is released. */
static void
test_held_by_others(void)
{
	g_autoptr(Bench) bench = bench_new();
	Start start = start_after_two_crashes();

	bench_enter(bench, MESSAGE);
	CU_ASSERT_EQUAL(queue_do(bench->queue, MESSAGE, QUEUE_HOLD, "by hand"), QUEUE_DONE);
	crash_record_hold(start.record, bench->fixture->spool, bench->queue);
	start_look(&start, bench);
	CU_ASSERT_FALSE(start_has_alarm(&start));
	CU_ASSERT_EQUAL(queue_do(bench->queue, MESSAGE, QUEUE_RELEASE, NULL), QUEUE_DONE);
	start_look(&start, bench);
	CU_ASSERT_FALSE(bench_is_held(bench, MESSAGE));
	start_end(&start);
}

static const UnitTest tests[] = {
	{ "H-02 a message that was being processed at two crashes is held", test_held },
	{ "H-02 also one that another thread has at the start", test_active },
	{ "H-02 also one that cannot be read at the start", test_unreadable },
	{ "H-02 one that somebody else holds is left alone", test_held_by_others },
	{ NULL, NULL },
};

const UnitSuite crash_record_suite = { "crash-record", tests };
