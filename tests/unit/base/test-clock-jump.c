/* test-clock-jump.c - a clock that was set, and one that only drifts. */
#include "base/clock-jump.h"

#include "suites.h"

typedef struct {
	Clock clock;
	int64_t wall_us, monotonic_us;
} TwoClocks;

static int64_t
two_wall(const Clock *clock)
{
	return ((const TwoClocks *)clock)->wall_us;
}

static int64_t
two_monotonic(const Clock *clock)
{
	return ((const TwoClocks *)clock)->monotonic_us;
}

/* One second passes; the wall clock goes `more_us` further. */
static int64_t
look_after_a_second(ClockJump *jump, TwoClocks *clocks, int64_t more_us)
{
	clocks->monotonic_us += CLOCK_SECOND;
	clocks->wall_us += CLOCK_SECOND + more_us;
	return clock_jump_check(jump, &clocks->clock);
}

static void
jumps(void)
{
	TwoClocks clocks = { { two_wall, two_monotonic }, 1795334400 * CLOCK_SECOND, 100 * CLOCK_SECOND };
	ClockJump jump = { 0 };

	CU_ASSERT_EQUAL(clock_jump_check(&jump, &clocks.clock), 0);
	CU_ASSERT_EQUAL(look_after_a_second(&jump, &clocks, 0), 0);
	CU_ASSERT_EQUAL(look_after_a_second(&jump, &clocks, 6 * 86400 * CLOCK_SECOND), 6 * 86400 * CLOCK_SECOND);
	CU_ASSERT_EQUAL(look_after_a_second(&jump, &clocks, 0), 0);
	CU_ASSERT_EQUAL(look_after_a_second(&jump, &clocks, -3600 * CLOCK_SECOND), -3600 * CLOCK_SECOND);
	CU_ASSERT_EQUAL(jump.jump_us, -3600 * CLOCK_SECOND);
	CU_ASSERT_EQUAL(jump.jumped_us, clocks.monotonic_us);
}

/* A time service that slews takes hours for that; and one that steps a second is no alarm. */
static void
drifts(void)
{
	TwoClocks clocks = { { two_wall, two_monotonic }, 1795334400 * CLOCK_SECOND, 100 * CLOCK_SECOND };
	ClockJump jump = { 0 };

	for (int i = 0; i < 100000; i++)
		CU_ASSERT_EQUAL(look_after_a_second(&jump, &clocks, 500), 0);
	CU_ASSERT_EQUAL(look_after_a_second(&jump, &clocks, CLOCK_SECOND), 0);
	CU_ASSERT_EQUAL(jump.jump_us, 0);
}

const UnitSuite suite_clock_jump = { "clock-jump", (const UnitTest[]){
	{ "a clock that was set jumps", jumps },
	{ "a clock that is slewed does not", drifts },
	{ 0 } } };
