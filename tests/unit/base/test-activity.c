/* test-activity.c - records of what threads do, threads, and texts made in signal handlers. */
#include "base/activity.h"

#include <glib.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "base/signal-text.h"
#include "base/thread.h"
#include "suites.h"

static bool
find_thread(int thread, ActivityView *view)
{
	for (const Activity *each = activity_next(NULL); each != NULL; each = activity_next(each))
		if (activity_read(each, view) && view->thread == thread)
			return true;
	return false;
}

static unsigned
count_records(void)
{
	unsigned n = 0;

	for (const Activity *each = activity_next(NULL); each != NULL; each = activity_next(each))
		n++;
	return n;
}

/* ---- records ---- */

static void
nests_hooks(void)
{
	const ActivityHook outer = { "outer", "mail", "SESSION1", 7, 100, 200 };
	const ActivityHook inner = { "inner", "check", NULL, 0, 150, 0 };
	ActivityView before, between, view;

	activity_name("test");
	activity_set_queue(3);
	activity_begin(&outer, &before);
	CU_ASSERT_TRUE_FATAL(activity_read(activity_own(), &view));
	CU_ASSERT_STRING_EQUAL(view.name, "test");
	CU_ASSERT_STRING_EQUAL(view.plugin, "outer");
	CU_ASSERT_STRING_EQUAL(view.stage, "mail");
	CU_ASSERT_STRING_EQUAL(view.session, "SESSION1");
	CU_ASSERT_EQUAL(view.queue, 7);
	CU_ASSERT_EQUAL(view.deadline_us, 200);
	activity_begin(&inner, &between);
	CU_ASSERT_TRUE(activity_read(activity_own(), &view));
	CU_ASSERT_STRING_EQUAL(view.plugin, "inner");
	CU_ASSERT_STRING_EQUAL(view.session, "");
	CU_ASSERT_EQUAL(view.queue, 7); /* the message is the same */
	activity_end(&between);
	CU_ASSERT_TRUE(activity_read(activity_own(), &view));
	CU_ASSERT_STRING_EQUAL(view.plugin, "outer");
	CU_ASSERT_STRING_EQUAL(view.session, "SESSION1");
	CU_ASSERT_EQUAL(view.since_us, 100);
	activity_end(&before);
	CU_ASSERT_TRUE(activity_read(activity_own(), &view));
	CU_ASSERT_PTR_NULL(view.plugin);
	CU_ASSERT_PTR_NULL(view.stage);
	CU_ASSERT_EQUAL(view.queue, 3);
	activity_set_queue(0);
}

static void
cuts_long_sessions(void)
{
	const ActivityHook hook = { "p", "mail", "0123456789012345678901234567890123456789", 0, 1, 0 };
	ActivityView before, view;

	activity_begin(&hook, &before);
	CU_ASSERT_TRUE(activity_read(activity_own(), &view));
	CU_ASSERT_STRING_EQUAL(view.session, "01234567890123456789012");
	activity_end(&before);
}

/* ---- threads ---- */

typedef struct {
	GMutex lock;
	GCond changed;
	int thread; /* 0: it has not begun */
	bool may_end;
} Held;

static void *
hold(void *data)
{
	Held *held = data;
	ActivityView view;

	(void)activity_read(activity_own(), &view);
	activity_round(42);
	g_mutex_lock(&held->lock);
	held->thread = view.thread;
	g_cond_broadcast(&held->changed);
	while (!held->may_end)
		g_cond_wait(&held->changed, &held->lock);
	g_mutex_unlock(&held->lock);
	return NULL;
}

static void
wait_begun(Held *held)
{
	g_mutex_lock(&held->lock);
	while (held->thread == 0)
		g_cond_wait(&held->changed, &held->lock);
	g_mutex_unlock(&held->lock);
}

static void
let_end(Held *held)
{
	g_mutex_lock(&held->lock);
	held->may_end = true;
	g_cond_broadcast(&held->changed);
	g_mutex_unlock(&held->lock);
}

static void
joins_in_time_or_not(void)
{
	Held held = { .thread = 0 };
	Thread *thread = thread_new("held", hold, &held);
	ActivityView view;

	wait_begun(&held);
	CU_ASSERT_TRUE_FATAL(find_thread(held.thread, &view));
	CU_ASSERT_STRING_EQUAL(view.name, "held");
	CU_ASSERT_EQUAL(view.busy_us, 42);
	CU_ASSERT_FALSE(thread_join_until(thread, g_get_monotonic_time() + 1000));
	let_end(&held);
	CU_ASSERT_TRUE(thread_join_until(thread, g_get_monotonic_time() + 60 * G_USEC_PER_SEC));
	CU_ASSERT_FALSE(find_thread(held.thread, &view));
}

static void
uses_records_again(void)
{
	unsigned before = 0;

	for (int i = 0; i < 20; i++) {
		Held held = { .may_end = true };

		thread_join(thread_new("again", hold, &held));
		if (i == 0)
			before = count_records();
	}
	CU_ASSERT_EQUAL(count_records(), before);
}

static unsigned
use_stack(long octets)
{
	volatile char page[4096];

	page[0] = page[4095] = 1;
	return (octets > 4096 ? use_stack(octets - 4096) : 0) + (unsigned)page[0];
}

static void *
use_much(void *data)
{
	*(unsigned *)data = use_stack(1536 * 1024);
	return NULL;
}

static void
has_a_large_stack(void)
{
	unsigned pages = 0;
	pthread_attr_t attributes;
	size_t size = 0;

	thread_join(thread_new("deep", use_much, &pages));
	CU_ASSERT_EQUAL(pages, 1536 * 1024 / 4096);
	thread_set_default_stack();
	CU_ASSERT_EQUAL_FATAL(pthread_getattr_default_np(&attributes), 0);
	(void)pthread_attr_getstacksize(&attributes, &size);
	pthread_attr_destroy(&attributes);
	CU_ASSERT_EQUAL(size, THREAD_STACK);
}

static void *
look_at_signal_stack(void *data)
{
	return sigaltstack(NULL, data) == 0 ? data : NULL;
}

static void
has_a_signal_stack(void)
{
	stack_t stack = { .ss_size = 0 };

	thread_join(thread_new("signals", look_at_signal_stack, &stack));
	CU_ASSERT_TRUE(HAS_SANITIZER || stack.ss_size >= 24 * 1024);
	CU_ASSERT_TRUE(HAS_SANITIZER || (stack.ss_flags & SS_DISABLE) == 0);
}

/* ---- texts ---- */

static void
tells_the_time_by_hand(void)
{
	static const int64_t times[] = { 0, 951782399, 951782400, 951868799, 951868800, 1078012800,
		1709164800, 1709251199, 1709251200, 1767225599, 1767225600, 4107542399, 4107542400,
		253402300799 };

	for (size_t i = 0; i < G_N_ELEMENTS(times); i++) {
		g_autoptr(GDateTime) time = g_date_time_new_from_unix_utc(times[i]);
		g_autofree char *expected = g_date_time_format(time, "%Y-%m-%dT%H:%M:%S.007Z");
		SignalText text = { .length = 0 };

		signal_text_add_time(&text, (uint64_t)times[i] * 1000 + 7);
		CU_ASSERT_STRING_EQUAL(text.text, expected);
	}
}

static void
tells_the_stamp_of_syslog(void)
{
	static const int64_t times[] = { 0, 951782399, 1078012800, 1709251199, 1767225599, 1793232000 };

	for (size_t i = 0; i < G_N_ELEMENTS(times); i++) {
		const time_t second = (time_t)times[i];
		char expected[40];
		struct tm parts;
		SignalText text = { .length = 0 };

		CU_ASSERT_NOT_EQUAL(strftime(expected, sizeof expected, "%b %e %H:%M:%S", gmtime_r(&second, &parts)), 0);
		signal_text_add_stamp(&text, (uint64_t)times[i]);
		CU_ASSERT_STRING_EQUAL(text.text, expected);
	}
}

static void
cuts_long_lines(void)
{
	SignalText text = { .length = 0 };

	for (int i = 0; i < 300; i++)
		signal_text_add(&text, "0123456789");
	signal_text_add_number(&text, 18446744073709551615u);
	CU_ASSERT_EQUAL(strlen(text.text), SIGNAL_TEXT_SIZE - 1);
	CU_ASSERT_EQUAL(text.text[SIGNAL_TEXT_SIZE - 2], '\n');
	text.length = 0;
	signal_text_add_number(&text, 18446744073709551615u);
	signal_text_add(&text, " ");
	signal_text_add_number(&text, 0);
	CU_ASSERT_STRING_EQUAL(text.text, "18446744073709551615 0");
}

static const UnitTest tests[] = { { "nests hooks", nests_hooks },
	{ "cuts long sessions", cuts_long_sessions }, { "joins in time or not", joins_in_time_or_not },
	{ "uses records again", uses_records_again }, { "has a large stack", has_a_large_stack },
	{ "has a signal stack", has_a_signal_stack },
	{ "tells the time by hand", tells_the_time_by_hand }, { "cuts long lines", cuts_long_lines },
	{ "the stamp of RFC 3164 is made without locks", tells_the_stamp_of_syslog },
	{ 0 } };

const UnitSuite suite_activity = { "activity", tests };
