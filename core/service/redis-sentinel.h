/* redis-sentinel.h - which server is the master now. */
#pragma once

#include "service/redis-wire.h"

/* Asks the sentinels one after the other, until `deadline_us` in all; the one that knew is asked first the next time.  New
 * (free the host and it), NULL: none knows. */
RedisPlace *redis_sentinel_master(
	const RedisUrl *url, guint *first, const TlsClient *tls, int64_t deadline_us, GError **error);
