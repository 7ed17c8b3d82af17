/* pace.h - how long a client may take for a command, for a message, and for reading our replies.
 *
 * A command has a time from when we wait for it to its last octet, however its octets come.  A message
 * has a rate: in each window of that length so many octets must come, so that one that keeps the rate is
 * never cut.  Unread replies must shrink: what is unread now must be read within the time.
 * Plain values; the caller brings the time. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

typedef struct {
	int64_t window_us; /* [server] idle-timeout */
	uint64_t rate;     /* octets a second that a message must bring; 0: any */
} PaceLimits;

typedef struct {
	int64_t deadline_us;
	uint64_t steps;      /* commands when the window began */
	uint64_t octets;     /* that came in the window */
	bool is_message;
	int64_t stopped_us;  /* since when the time of the client stands still; 0: it runs */
} Pace;

typedef enum { PACE_GOES_ON, PACE_IDLE, PACE_SLOW } PaceResult;

/* A window begins. */
void pace_begin(Pace *pace, const PaceLimits *limits, int64_t now_us);
/* We wait for input, and the session has taken so many commands: a new window, if it is one more, or if a message begins
 * or ends. */
void pace_wait(Pace *pace, const PaceLimits *limits, int64_t now_us, uint64_t steps, bool is_message);
/* What we take is our time, not the client's. */
void pace_stop(Pace *pace, int64_t now_us);
void pace_go_on(Pace *pace, int64_t now_us);
/* To be asked when the deadline has come: a message that kept its rate gets a new window. */
PaceResult pace_judge(Pace *pace, const PaceLimits *limits, int64_t now_us);

typedef struct {
	int64_t deadline_us; /* CLOCK_NEVER: everything was read */
	uint64_t sent;       /* octets since the beginning */
	uint64_t mark;       /* must have been sent by the deadline */
} PaceOut;

/* After sending: `sent` octets more went, `unsent` are left. */
void pace_out_note(PaceOut *out, const PaceLimits *limits, int64_t now_us, uint64_t sent, uint64_t unsent);
