/* clock.c - the clocks of the machine. */
#include "base/clock.h"

#include <time.h>

static int64_t
clock_read(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return (int64_t)now.tv_sec * CLOCK_SECOND + now.tv_nsec / 1000;
}

static int64_t
clock_system_wall(const Clock *clock)
{
	(void)clock;
	return clock_read(CLOCK_REALTIME);
}

static int64_t
clock_system_monotonic(const Clock *clock)
{
	(void)clock;
	return clock_read(CLOCK_MONOTONIC);
}

const Clock *
clock_system(void)
{
	static const Clock system = { clock_system_wall, clock_system_monotonic };

	return &system;
}
