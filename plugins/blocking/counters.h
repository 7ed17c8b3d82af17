/* counters.h - the reasons why clients are blocked: what is counted of an address, over what time, and how much is too much. */
#pragma once

#include "plugin-api.h"

typedef struct {
	const char *name;   /* of the option, and in the store */
	const char *reason; /* as the operator reads it */
} Counter;

typedef enum {
	COUNT_AUTH_FAILURES,
	COUNT_LOGINS,
	COUNT_LISTED,
	COUNT_CONNECTIONS,
	COUNT_ERRORS,
	COUNT_NOT_SMTP,
	COUNT_PROBES,
	COUNT_RELAY_ATTEMPTS,
	COUNT_REJECTS,
	COUNT_CONTENT,
	COUNTERS
} CounterNumber;

extern const Counter counters[COUNTERS];

/* Counts one more of `who`; true: it is too much now, and all counters of `who` have started again, so that the next block needs
 * as much again.  The threshold wanders below what is configured, so that nobody can stay just under it.  While the store does not
 * answer, what this node has counted alone is compared. */
bool counter_add(PtnHook *h, CounterNumber number, const char *who);
/* What is counted of `who` now; all 0 where it cannot be told. */
void client_counters_read(PtnHook *h, const char *who, int64_t totals[COUNTERS]);
void counter_forget(PtnHook *h, CounterNumber number, const char *who);
void client_counters_forget(PtnHook *h, const char *who);
