/* talk.h - one call of a parser over its socket, in the daemon. */
#pragma once

#include <glib.h>
#include <stddef.h>
#include <stdint.h>

typedef enum {
	TALK_ANSWERED,
	TALK_BROKEN, /* the parser closed its socket */
	TALK_LATE,
	TALK_LONG, /* its answer is longer than it may be */
	TALK_ASTRAY, /* there are octets that are no answer to this call */
} TalkEnd;

typedef struct {
	const void *parameters, *octets;
	size_t parameters_size, size;
	size_t most;         /* octets of the answer */
	int64_t deadline_us; /* of g_get_monotonic_time() */
} TalkCall;

/* Sends the call and reads the answer: new, or NULL with the reason in *end.  After any end but TALK_ANSWERED the socket is of
 * no use.  Blocks until the deadline at most.  Any thread, one at a time for a socket. */
GByteArray *talk_call(int fd, const TalkCall *call, TalkEnd *end);
