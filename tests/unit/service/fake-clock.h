/* fake-clock.h - a clock that a test moves. */
#pragma once

#include "base/clock.h"

typedef struct {
	Clock clock;
	int64_t now_us; /* wall and monotonic */
} FakeClock;

/* Starts on an even day. */
FakeClock fake_clock(void);
