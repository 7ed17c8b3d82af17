/* clock-jump.c - the difference of two clocks, remembered. */
#include "base/clock-jump.h"

int64_t
clock_jump_check(ClockJump *jump, const Clock *clock)
{
	const int64_t now_us = clock_monotonic(clock);
	const int64_t before_us = jump->apart_us;
	int64_t jumped_us;

	jump->apart_us = clock_wall(clock) - now_us;
	jumped_us = before_us != 0 ? jump->apart_us - before_us : 0;
	if (jumped_us > -CLOCK_JUMP_LEAST && jumped_us < CLOCK_JUMP_LEAST)
		return 0;
	jump->jump_us = jumped_us;
	jump->jumped_us = now_us;
	return jumped_us;
}
