/* redis-wire.h - a connection to a Redis or a Sentinel for one thread, which waits: greetings and questions to sentinels.
 *
 * Replies are hiredis's; its parser is used, its sockets are not.  A connection that answers with something that the
 * command does not answer is of no use any more: replies may have been mixed up. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "io/stream.h"
#include "io/tls.h"
#include "service/redis-reply.h"
#include "service/redis-url.h"

typedef struct {
	Stream stream;
	RedisParser *parser;
	bool is_local;       /* the server is reached over loopback */
	bool is_out_of_step; /* a reply did not come in time, or was none to its command */
} RedisWire;

/* Looks the name up, connects until `deadline_us` (monotonic).  `tls` NULL: in clear.  New. */
RedisWire *redis_wire_open(const RedisPlace *place, const TlsClient *tls, int64_t deadline_us, GError **error);
/* True: what is written can be read by the server alone: over TLS, which is always verified, or loopback. */
bool redis_wire_is_private(const RedisWire *wire);
void redis_wire_close(RedisWire *wire);
/* One command, words up to NULL, and its reply (new), which has `shape`.  A reply that is an error is an error here, too,
 * which says what to do about it: INVALID if it will not go away by itself (wrong password …), else UNAVAILABLE.  A
 * reply of another shape is INVALID.  Waits until `deadline_us` (monotonic). */
redisReply *redis_wire_ask(
	RedisWire *wire, int64_t deadline_us, RedisKind shape, GError **error, ...) G_GNUC_NULL_TERMINATED;
/* The same, for words in an array. */
redisReply *redis_wire_ask_words(
	RedisWire *wire, int64_t deadline_us, RedisKind shape, GPtrArray *words, GError **error);

/* Appends the command in the form of the protocol. */
void redis_format(GByteArray *out, size_t n, const char *const *words);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(RedisWire, redis_wire_close)
