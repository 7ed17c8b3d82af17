/* test-log-lines.c - lines that plugins write about a client are on its budget, those of observers too. */
#include <glib.h>
#include <string.h>

#include "host/test-host-private.h"
#include "host/test-host.h"

#include "unit/unit.h"

#define CLIENT "192.0.2.1"

static PtnHookRow rows[2];
static const PtnPlugin talker = { PTN_HEAD("talker"), .version = "1", .summary = "talks", .hooks = rows };

static PtnVerdict
talk(PtnHook *h)
{
	for (int i = 0; i < 10; i++)
		ptn_log(h, PTN_INFO, "line %d", i);
	return PTN_NEXT;
}

/* Work behind the hook, as that of senderverify, which asks another server when the session may be over. */
static PtnVerdict
talk_behind(PtnHook *h)
{
	CU_ASSERT(ptn_background(h, talk, NULL, 0));
	return PTN_NEXT;
}

static void
count_lines(void *data, const char *network, const char *reason, uint64_t lines)
{
	if (g_strcmp0(network, CLIENT) == 0 && strcmp(reason, "talker") == 0)
		*(uint64_t *)data += lines;
}

/* What was left out of ten lines at a limit of four, of a hook at that stage. */
static uint64_t
lines_left_out(PtnStage stage, PtnFunction *function)
{
	const PtnPlugin *const plugins[] = { &ptn_test_door, &talker, NULL };
	uint64_t left_out = 0;
	PtnTest *test;

	rows[0] = (PtnHookRow){ stage, function, 0 };
	test = ptn_test_new_chain(plugins, NULL);
	test->settings->clients.log_lines = 4;
	ptn_test_connect(test, CLIENT);
	(void)ptn_test_say(test, stage == PTN_HELO ? "EHLO a.example" : "FROBNICATE");
	ptn_test_connect(test, "192.0.2.2"); /* the session before it ends, and with it what its observers do */
	(void)workers_stop(test->engine.waiters, clock_monotonic(test->engine.clock) + 10 * PTN_SECOND); /* work is done */
	client_budgets_report(test->engine.clients, count_lines, &left_out);
	ptn_test_free(test);
	return left_out;
}

static void
test_hook(void)
{
	CU_ASSERT_EQUAL(lines_left_out(PTN_HELO, talk), 6);
}

static void
test_background(void)
{
	CU_ASSERT_EQUAL(lines_left_out(PTN_HELO, talk_behind), 6);
}

/* They run later, when the session may be over, and each has the facts of its own. */
static void
test_observers(void)
{
	CU_ASSERT_EQUAL(lines_left_out(PTN_DISCONNECT, talk), 7); /* the refusal has a line, too */
	CU_ASSERT_EQUAL(lines_left_out(PTN_REPLY, talk), 7);
}

static const UnitTest tests[] = {
	{ "lines of a hook", test_hook },
	{ "lines of observers", test_observers },
	{ "lines of work behind a hook", test_background },
	{ NULL, NULL },
};

int
main(int argc, char **argv)
{
	static const UnitSuite suite = { "log-lines", tests };
	const UnitSuite *const suites[] = { &suite, NULL };

	return unit_main(argc, argv, suites);
}
