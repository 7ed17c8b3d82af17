/* crash.c - the handler; all that it calls is async-signal-safe. */
#include "daemon/crash.h"

#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/activity.h"
#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "base/sanitizer.h"
#include "base/signal-text.h"

static const struct {
	int number;
	const char *name;
} crash_signals[] = { { SIGSEGV, "SIGSEGV" }, { SIGBUS, "SIGBUS" }, { SIGFPE, "SIGFPE" },
	{ SIGILL, "SIGILL" }, { SIGABRT, "SIGABRT" } };

static atomic_int crash_file = -1;
static atomic_llong crash_stuck_us = 10 * CLOCK_SECOND;
static atomic_bool crash_is_dying;

static const char *
crash_signal_name(int number)
{
	for (size_t i = 0; i < G_N_ELEMENTS(crash_signals); i++)
		if (crash_signals[i].number == number)
			return crash_signals[i].name;
	return "?";
}

/* A field of a record: never empty, never with a blank. */
static void
crash_add_field(SignalText *line, const char *text)
{
	signal_text_add(line, " ");
	signal_text_add(line, text != NULL && *text != '\0' ? text : "-");
}

/* See crash-record.c for the format. */
static void
crash_write_record(const ActivityView *view, const char *name, const char *queue)
{
	SignalText line = { .length = 0 };
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	signal_text_add(&line, "crash ");
	signal_text_add_number(&line, (uint64_t)now.tv_sec);
	crash_add_field(&line, name);
	crash_add_field(&line, view->name);
	crash_add_field(&line, view->plugin);
	crash_add_field(&line, view->stage);
	crash_add_field(&line, view->session);
	crash_add_field(&line, queue);
	signal_text_add(&line, "\n");
	if (atomic_load(&crash_file) >= 0)
		(void)!write(atomic_load(&crash_file), line.text, line.length);
}

static void
crash_report(const ActivityView *view, int number, const char *why)
{
	const char *name = crash_signal_name(number);
	char id[ID_TEXT_SIZE] = "";
	SignalText thread = { .length = 0 };
	const char *pairs[20];
	size_t n = 0;
	const char *const all[][2] = { { "signal", name }, { "thread", view->name },
		{ "tid", thread.text }, { "plugin", view->plugin }, { "stage", view->stage },
		{ "session", view->session }, { "queue", id }, { "error", why } };

	if (view->queue != 0)
		(void)id_format(view->queue, id);
	signal_text_add_number(&thread, (uint64_t)view->thread);
	for (size_t i = 0; i < G_N_ELEMENTS(all); i++) {
		if (all[i][1] == NULL || *all[i][1] == '\0')
			continue;
		pairs[n++] = all[i][0];
		pairs[n++] = all[i][1];
	}
	pairs[n] = NULL;
	log_from_signal("crashed", pairs);
	crash_write_record(view, name, id);
}

/* A signal from outside: whoever is stuck is the reason for it.  False: nobody is. */
static bool
crash_report_stuck(int number)
{
	struct timespec now;
	int64_t now_us;
	bool has_found = false;

	clock_gettime(CLOCK_MONOTONIC, &now);
	now_us = (int64_t)now.tv_sec * CLOCK_SECOND + now.tv_nsec / 1000;
	for (const Activity *each = activity_next(NULL); each != NULL; each = activity_next(each)) {
		ActivityView view;

		if (!activity_read(each, &view) || view.busy_us == 0 ||
			now_us - view.busy_us < atomic_load(&crash_stuck_us))
			continue;
		crash_report(&view, number, "it was stuck, and somebody ended the process");
		has_found = true;
	}
	return has_found;
}

static void
crash_report_own(int number, const siginfo_t *info)
{
	const Activity *own = activity_own();
	ActivityView view = { .name = "thread" };
	const bool is_overflow = (number == SIGSEGV || number == SIGBUS) && info->si_code > 0 &&
							 activity_is_overflow(info->si_addr);

	if (own != NULL)
		(void)activity_read(own, &view);
	crash_report(&view, number, is_overflow ? "its stack is used up" : NULL);
}

/* A fault happens again when the handler returns, and is not handled then; a signal that was sent
 * has to be sent again. */
static void
crash_handle(int number, siginfo_t *info, void *context)
{
	struct sigaction preset = { .sa_handler = SIG_DFL };

	(void)context;
	while (atomic_exchange(&crash_is_dying, true))
		(void)pause(); /* another thread was first */
	if (info->si_code != SI_USER || !crash_report_stuck(number))
		crash_report_own(number, info);
	for (size_t i = 0; i < G_N_ELEMENTS(crash_signals); i++)
		(void)sigaction(crash_signals[i].number, &preset, NULL);
	if (info->si_code <= 0)
		(void)raise(number);
}

void
crash_install(void)
{
	struct sigaction action = { .sa_sigaction = crash_handle, .sa_flags = SA_SIGINFO | SA_ONSTACK };

	if (HAS_SANITIZER)
		return;
	(void)sigfillset(&action.sa_mask);
	activity_name("main");
	for (size_t i = 0; i < G_N_ELEMENTS(crash_signals); i++)
		(void)sigaction(crash_signals[i].number, &action, NULL);
}

int
crash_set_file(int fd)
{
	return atomic_exchange(&crash_file, fd);
}

void
crash_set_stuck(long long stuck_us)
{
	atomic_store(&crash_stuck_us, stuck_us);
}
