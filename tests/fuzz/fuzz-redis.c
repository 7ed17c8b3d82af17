/* fuzz-redis.c - what a Redis answers: the first octet chooses the call of the store, the rest is the reply. */
#include <glib.h>

#include "fuzz/fuzz.h"
#include "unit/service/redis-calls.h"

#define DEADLINE_US (CLOCK_SECOND / 2) /* hardly ever waited for: the server hangs up behind its reply */

static RedisFake *
fuzz_redis_fake(void)
{
	static RedisFake *fake;

	if (fake == NULL)
		fake = redis_fake_new();
	return fake;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t n = 0;
	const RedisCall *call;

	while (redis_calls[n].name != NULL)
		n++;
	if (size == 0)
		return 0;
	call = &redis_calls[data[0] % n];
	redis_fake_answer(fuzz_redis_fake(), call->command, call->skipped, (const char *)data + 1, size - 1, true);
	(void)redis_call_run(call, fuzz_redis_fake(), DEADLINE_US);
	return 0;
}
