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

/* Counts one more of `who`; true: it is too much now.  The threshold wanders below what is configured, so that nobody can
 * stay just under it. */
bool counter_add(PtnHook *h, CounterNumber number, const char *who);
/* What is counted of `who` now; 0 where it cannot be told. */
int64_t counter_read(PtnHook *h, CounterNumber number, const char *who);
void counter_forget(PtnHook *h, CounterNumber number, const char *who);
