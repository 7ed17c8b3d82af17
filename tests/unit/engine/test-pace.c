/* test-pace.c - deadlines of slow clients, with a time that the test moves. */
#include "base/clock.h"
#include "engine/pace.h"
#include "unit/engine/suites.h"

#define WINDOW (300 * CLOCK_SECOND)

static const PaceLimits limits = { WINDOW, 256 };

/* One octet every two seconds is no progress; a command that is complete is. */
static void
test_command(void)
{
	int64_t now_us = CLOCK_SECOND;
	Pace pace = { 0 };

	pace_begin(&pace, &limits, now_us);
	for (; now_us < WINDOW; now_us += 2 * CLOCK_SECOND) {
		pace.octets++;
		pace_wait(&pace, &limits, now_us, 0, false);
		CU_ASSERT_EQUAL(pace_judge(&pace, &limits, now_us), PACE_GOES_ON);
	}
	CU_ASSERT_EQUAL(pace_judge(&pace, &limits, WINDOW + CLOCK_SECOND), PACE_IDLE);
	pace_wait(&pace, &limits, now_us, 1, false);
	CU_ASSERT_EQUAL(pace_judge(&pace, &limits, WINDOW + CLOCK_SECOND), PACE_GOES_ON);
	CU_ASSERT_EQUAL(pace.deadline_us, now_us + WINDOW);
}

static PaceResult
send_message(uint64_t octets_a_second, int64_t seconds)
{
	PaceResult result = PACE_GOES_ON;
	Pace pace = { 0 };

	pace_wait(&pace, &limits, 0, 5, true);
	for (int64_t second = 1; second <= seconds && result == PACE_GOES_ON; second++) {
		pace.octets += octets_a_second;
		pace_wait(&pace, &limits, second * CLOCK_SECOND, 5 + (uint64_t)second, true); /* BDAT by BDAT */
		result = pace_judge(&pace, &limits, second * CLOCK_SECOND);
	}
	return result;
}

static void
test_message(void)
{
	CU_ASSERT_EQUAL(send_message(256, 100000), PACE_GOES_ON); /* more than a day */
	CU_ASSERT_EQUAL(send_message(255, 299), PACE_GOES_ON);
	CU_ASSERT_EQUAL(send_message(255, 300), PACE_SLOW);
	CU_ASSERT_EQUAL(send_message(0, 300), PACE_IDLE);
}

/* What hooks, workers and the disk take is not the client's time. */
static void
test_our_time(void)
{
	Pace pace = { 0 };

	pace_begin(&pace, &limits, CLOCK_SECOND);
	pace_stop(&pace, 2 * CLOCK_SECOND);
	pace_stop(&pace, 50 * CLOCK_SECOND);
	pace_go_on(&pace, 1002 * CLOCK_SECOND);
	pace_go_on(&pace, 1003 * CLOCK_SECOND);
	CU_ASSERT_EQUAL(pace.deadline_us, WINDOW + 1001 * CLOCK_SECOND);
	CU_ASSERT_EQUAL(pace_judge(&pace, &limits, 1100 * CLOCK_SECOND), PACE_GOES_ON);
}

/* A peer that reads an octet now and then must have read within the time what was unread at its begin. */
static void
test_unread(void)
{
	PaceOut out = { .deadline_us = CLOCK_NEVER };
	int64_t now_us = 0;

	pace_out_note(&out, &limits, now_us, 100, 0);
	CU_ASSERT_EQUAL(out.deadline_us, CLOCK_NEVER);
	pace_out_note(&out, &limits, now_us, 10, 1000);
	for (now_us = CLOCK_SECOND; now_us < WINDOW; now_us += CLOCK_SECOND)
		pace_out_note(&out, &limits, now_us, 1, 1000); /* and we go on answering */
	CU_ASSERT_EQUAL(out.deadline_us, WINDOW);
	pace_out_note(&out, &limits, now_us, 1000, 1000); /* it read what was unread then */
	CU_ASSERT_EQUAL(out.deadline_us, now_us + WINDOW);
	pace_out_note(&out, &limits, now_us, 1000, 0);
	CU_ASSERT_EQUAL(out.deadline_us, CLOCK_NEVER);
}

static const UnitTest tests[] = {
	{ "E-14 a command has a deadline, however its octets come", test_command },
	{ "a message that keeps the rate is never cut", test_message },
	{ "our time is not the client's", test_our_time },
	{ "unread replies must shrink", test_unread },
	{ NULL, NULL },
};

const UnitSuite suite_pace = { "pace", tests };
