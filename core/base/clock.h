/* clock.h - where the time comes from: the system's clocks, or a test's. */
#pragma once

#include <stdint.h>

#define CLOCK_SECOND INT64_C(1000000)
#define CLOCK_NEVER INT64_MAX

typedef struct Clock Clock;

/* Both functions may be called by any thread. */
struct Clock {
	int64_t (*wall_us)(const Clock *clock);      /* µs since 1970, may jump              */
	int64_t (*monotonic_us)(const Clock *clock); /* µs since some start, never goes back */
};

/* The clock of the machine; static, never freed. */
const Clock *clock_system(void);

static inline int64_t
clock_wall(const Clock *clock)
{
	return clock->wall_us(clock);
}

static inline int64_t
clock_monotonic(const Clock *clock)
{
	return clock->monotonic_us(clock);
}
