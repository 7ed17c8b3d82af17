/* redis-wire.h - a connection to a Redis or a Sentinel for one thread, which waits: greetings and questions to sentinels.
 *
 * Replies are hiredis's; its parser is used, its sockets are not. */
#pragma once

#include <glib.h>
#include <hiredis.h>
#include <stdbool.h>
#include <stdint.h>

#include "io/stream.h"
#include "io/tls.h"
#include "service/redis-url.h"

typedef struct {
	Stream stream;
	redisReader *reader;
	bool is_local;       /* the server is reached over loopback */
	bool is_out_of_step; /* a reply did not come in time: it would be taken for the next one's */
} RedisWire;

/* Looks the name up, connects until `deadline_us` (monotonic).  `tls` NULL: in clear.  New. */
RedisWire *redis_wire_open(const RedisPlace *place, const TlsClient *tls, int64_t deadline_us, GError **error);
/* True: what is written can be read by the server alone: over TLS, which is always verified, or loopback. */
bool redis_wire_is_private(const RedisWire *wire);
void redis_wire_close(RedisWire *wire);
/* One command, words up to NULL, and its reply (new).  A reply that is an error is an error here, too, which says what to
 * do about it: INVALID if it will not go away by itself (wrong password …), else UNAVAILABLE. */
redisReply *redis_wire_ask(RedisWire *wire, int64_t deadline_us, GError **error, ...) G_GNUC_NULL_TERMINATED;
/* The same, for words in an array. */
redisReply *redis_wire_ask_words(RedisWire *wire, int64_t deadline_us, GPtrArray *words, GError **error);

void redis_reply_free(redisReply *reply);
bool redis_reply_is_error(const redisReply *reply, const char *code);
/* Sets `error` by a reply that is one. */
void redis_reply_explain(const redisReply *reply, GError **error);
/* What the error says, if it is REDIS_REPLY_STRING or _STATUS; else NULL. */
const char *redis_reply_text(const redisReply *reply);
/* Element `i` of an array; NULL: there is none. */
const redisReply *redis_reply_at(const redisReply *reply, size_t i);
/* Appends the command in the form of the protocol. */
void redis_format(GByteArray *out, size_t n, const char *const *words);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(RedisWire, redis_wire_close)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(redisReply, redis_reply_free)
