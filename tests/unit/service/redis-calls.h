/* redis-calls.h - each way in which the store asks a Redis, as a row: for tests that answer it with anything. */
#pragma once

#include <stdbool.h>

#include "service/store.h"
#include "unit/service/redis-fake.h"

typedef struct {
	const char *name;
	const char *command; /* what Redis is asked with */
	unsigned skipped;    /* of these that the greeting sends before */
	const char *url;     /* with the port as %u; NULL: redis://127.0.0.1:PORT */
	/* NULL: the greeting itself asks.  Asserts (g_assert) what must hold whatever the answer was. */
	PtnStatus (*call)(Store *store);
} RedisCall;

extern const RedisCall redis_calls[]; /* ends with a name of NULL */

/* Opens a store at `fake`, whose one reply is wrong, and does the call.  UNSURE, too, if the greeting fails. */
PtnStatus redis_call_run(const RedisCall *call, RedisFake *fake, int64_t deadline_us);
