/* redis-fake.h - a server on loopback that speaks as much of Redis and Sentinel as a greeting needs, and answers one
 * command with whatever a test wants. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

typedef struct RedisFake RedisFake;

RedisFake *redis_fake_new(void);
void redis_fake_free(RedisFake *fake);
unsigned redis_fake_port(const RedisFake *fake);
/* From now on each `command`, but for the first `skipped` of a connection, is answered with these octets (copied).
 * `hangs_up`: the connection is closed behind them.  `command` NULL: all is answered as it should be. */
void redis_fake_answer(
	RedisFake *fake, const char *command, unsigned skipped, const char *octets, size_t size, bool hangs_up);
