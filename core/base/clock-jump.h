/* clock-jump.h - whether the wall clock was set: how far it jumped against the monotonic one. */
#pragma once

#include "base/clock.h"

#define CLOCK_JUMP_LEAST (5 * CLOCK_SECOND) /* less is what a time service corrects now and then */

/* Zeroed before the first look.  One thread. */
typedef struct {
	int64_t apart_us;  /* wall less monotonic clock at the last look */
	int64_t jump_us;   /* the last jump; 0: there was none */
	int64_t jumped_us; /* when that was seen; monotonic */
} ClockJump;

/* To be called every second or so, as a clock that is only slewed drifts slowly.  How far the wall clock jumped since the
 * last call, forwards or (negative) backwards; 0: it did not, or by less than CLOCK_JUMP_LEAST. */
int64_t clock_jump_check(ClockJump *jump, const Clock *clock);
