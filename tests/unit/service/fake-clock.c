/* fake-clock.c - a clock that a test moves. */
#include "unit/service/fake-clock.h"

static int64_t
fake_clock_read(const Clock *clock)
{
	return __atomic_load_n(&((const FakeClock *)clock)->now_us, __ATOMIC_RELAXED);
}

FakeClock
fake_clock(void)
{
	return (FakeClock){ { fake_clock_read, fake_clock_read }, INT64_C(20000) * 86400 * CLOCK_SECOND };
}
