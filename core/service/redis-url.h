/* redis-url.h - where a Redis is, as an administrator writes it. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct {
	char *host;
	uint16_t port;
} RedisPlace;

typedef struct {
	GPtrArray *places; /* of RedisPlace*: the server, or the sentinels that know it; never empty */
	char *master;      /* the sentinels' name for it; NULL: `places` has the server itself */
	char *user;        /* NULL: the default user */
	char *password;    /* NULL: none */
	unsigned database;
	bool is_tls;
	char *name; /* for people: "mymaster", "192.0.2.1:6379" */
} RedisUrl;

/* redis://[USER[:PASSWORD]@]HOST[:PORT][/DB], redis+sentinel://[USER[:PASSWORD]@]HOST[:PORT],…/MASTER[/DB], and both
 * with rediss for TLS.  USER and PASSWORD may have octets as %XX; an IPv6 address stands in [].  New. */
RedisUrl *redis_url_parse(const char *url, GError **error);
void redis_url_free(RedisUrl *url);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(RedisUrl, redis_url_free)
