/* pace.c - deadlines of slow clients. */
#include "engine/pace.h"

#include "base/clock.h"

void
pace_begin(Pace *pace, const PaceLimits *limits, int64_t now_us)
{
	pace->deadline_us = now_us + limits->window_us;
	pace->octets = 0;
}

void
pace_wait(Pace *pace, const PaceLimits *limits, int64_t now_us, uint64_t steps, bool is_message)
{
	const bool is_new = pace->is_message != is_message || (!is_message && pace->steps != steps);

	pace->steps = steps;
	pace->is_message = is_message;
	if (is_new)
		pace_begin(pace, limits, now_us);
}

void
pace_stop(Pace *pace, int64_t now_us)
{
	if (pace->stopped_us == 0)
		pace->stopped_us = now_us;
}

void
pace_go_on(Pace *pace, int64_t now_us)
{
	if (pace->stopped_us != 0)
		pace->deadline_us += now_us - pace->stopped_us;
	pace->stopped_us = 0;
}

PaceResult
pace_judge(Pace *pace, const PaceLimits *limits, int64_t now_us)
{
	const uint64_t wanted = limits->rate * (uint64_t)(limits->window_us / CLOCK_SECOND);

	if (now_us < pace->deadline_us)
		return PACE_GOES_ON;
	if (!pace->is_message || pace->octets == 0)
		return PACE_IDLE;
	if (pace->octets < wanted)
		return PACE_SLOW;
	pace_begin(pace, limits, now_us);
	return PACE_GOES_ON;
}

void
pace_out_note(PaceOut *out, const PaceLimits *limits, int64_t now_us, uint64_t sent, uint64_t unsent)
{
	const bool was_idle = out->deadline_us == CLOCK_NEVER;

	out->sent += sent;
	if (unsent == 0) {
		out->deadline_us = CLOCK_NEVER;
	} else if (was_idle || out->sent >= out->mark) {
		out->mark = out->sent + unsent;
		out->deadline_us = now_us + limits->window_us;
	}
}
