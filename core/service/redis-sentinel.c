/* redis-sentinel.c - which server is the master now.
 *
 * The answer is not kept: after each break of a connection it may be another one. */
#include "service/redis-sentinel.h"

#include "base/clock.h"
#include "base/error.h"

enum { SENTINEL_ASK_US = 1000 * 1000 }; /* one that does not answer must not use up the time of the others */

static RedisPlace *
redis_sentinel_ask(
	const RedisUrl *url, const RedisPlace *at, const TlsClient *tls, int64_t deadline_us, GError **error)
{
	g_autoptr(RedisWire) wire = redis_wire_open(at, tls, deadline_us, error);
	g_autoptr(redisReply) reply = NULL;
	const char *host, *port;
	guint64 number;
	RedisPlace *place;

	if (wire != NULL)
		reply = redis_wire_ask(wire, deadline_us, REDIS_IS_PAIR_OR_NIL, error, "SENTINEL",
			"get-master-addr-by-name", url->master, (const char *)NULL);
	if (reply == NULL)
		return NULL;
	host = redis_reply_text(redis_reply_at(reply, 0));
	port = redis_reply_text(redis_reply_at(reply, 1));
	if (host == NULL || port == NULL || !g_ascii_string_to_unsigned(port, 10, 1, 65535, &number, NULL)) {
		(void)error_set(error, POSTERN_ERROR_INVALID, "the sentinel knows no master \"%s\"", url->master);
		return NULL;
	}
	place = g_new(RedisPlace, 1);
	place->host = g_strdup(host);
	place->port = (uint16_t)number;
	return place;
}

RedisPlace *
redis_sentinel_master(const RedisUrl *url, guint *first, const TlsClient *tls, int64_t deadline_us, GError **error)
{
	for (guint i = 0; i < url->places->len; i++) {
		const guint at = (*first + i) % url->places->len;
		const RedisPlace *sentinel = g_ptr_array_index(url->places, at);
		const int64_t until_us = MIN(deadline_us, g_get_monotonic_time() + SENTINEL_ASK_US);
		g_autoptr(GError) failure = NULL;
		RedisPlace *place = redis_sentinel_ask(url, sentinel, tls, until_us, &failure);

		if (place != NULL) {
			*first = at;
			return place;
		}
		if (i + 1 == url->places->len)
			(void)error_set(error, (PosternError)failure->code, "no sentinel helps: %s:%u: %s", sentinel->host,
				sentinel->port, failure->message);
	}
	return NULL;
}
