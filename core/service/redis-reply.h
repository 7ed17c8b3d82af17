/* redis-reply.h - what a Redis answers: whether it is what the command answers by its documentation, and what it says.
 *
 * A server that answers with something else, be it broken, no Redis, or a proxy that mixed replies up, cannot be
 * trusted with the next reply either.  So the shape of each reply is named with its command, and is compared before
 * anybody reads it.  All functions are pure, take NULL for a reply that is missing, and never fail by what they read. */
#pragma once

#include <glib.h>
#include <hiredis.h>
#include <stdbool.h>
#include <stdint.h>

/* A text is a string or status without NUL.  A number is a text of decimal
 * digits within 64 bits, with or without a minus sign. */
typedef enum {
	REDIS_IS_TEXT,             /* GET, AUTH, SCRIPT LOAD */
	REDIS_IS_TEXT_OR_NIL,      /* GET of a key that may be missing */
	REDIS_IS_COUNT,            /* an integer of RESP: SADD, SETNX */
	REDIS_IS_NUMBER,           /* our scripts */
	REDIS_IS_NUMBER_OR_NIL,    /* our scripts */
	REDIS_IS_NUMBERS,          /* an array of numbers: our scripts */
	REDIS_IS_TEXTS,            /* an array of texts: SMEMBERS, our scripts */
	REDIS_IS_PAIR_OR_NIL,      /* two texts, or nil: SENTINEL get-master-addr-by-name */
	REDIS_IS_PAIR_OR_NONE,     /* two texts, or an empty array: CONFIG GET of one name */
	REDIS_IS_ITEM,             /* HMGET v n [e]: a text, a number, a number, each of them or nil */
	REDIS_IS_ITEMS,            /* name, value, version, expiry or "", …: our script PAGE */
	REDIS_IS_PAGE,             /* a number and an array of texts: SCAN */
	REDIS_IS_ROLE,             /* an array that begins with a text: ROLE */
	REDIS_KINDS
} RedisKind;

typedef struct {
	RedisKind kind;
	size_t n; /* elements that the array must have; 0: any number that `kind` allows */
} RedisShape;

/* True for what has the shape, and for errors, which each command may answer.  False for NULL. */
bool redis_reply_fits(const redisReply *reply, RedisShape shape);
/* "an integer where a text was expected"; new. */
char *redis_reply_misfit(const redisReply *reply, RedisShape shape);

void redis_reply_free(redisReply *reply);
bool redis_reply_is_error(const redisReply *reply, const char *code);
/* True: an error by which this server refuses what it would do at another time, or for another user: too few replicas, no
 * memory, no disk, its ACL, a replica, loading. */
bool redis_reply_is_refusal(const redisReply *reply);
/* Sets `error` by a reply that is one: INVALID if it will not go away by itself (a wrong password), REFUSED if the server
 * works and refuses this now, else UNAVAILABLE. */
void redis_reply_explain(const redisReply *reply, GError **error);
/* The text, borrowed; NULL: it is none. */
const char *redis_reply_text(const redisReply *reply);
bool redis_reply_is_nil(const redisReply *reply);
/* Sets `number` and returns true if it is one; a version has no sign. */
bool redis_reply_number(const redisReply *reply, int64_t *number);
bool redis_reply_version(const redisReply *reply, uint64_t *number);
/* Element `i` of an array; NULL: there is none. */
const redisReply *redis_reply_at(const redisReply *reply, size_t i);
/* Of an array; 0 of anything else. */
size_t redis_reply_size(const redisReply *reply);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(redisReply, redis_reply_free)

/* ---- the parser of hiredis, with limits ---- */

typedef struct RedisParser RedisParser;

/* `most_octets`: of one reply. */
RedisParser *redis_parser_new(size_t most_octets);
void redis_parser_free(RedisParser *parser);
/* False: it is not the protocol, or a reply is larger than the limits; the parser is of no use any more. */
bool redis_parser_feed(RedisParser *parser, const char *octets, size_t size);
/* The next whole reply (new) in `reply`, or NULL: more octets are needed.  False as above. */
bool redis_parser_next(RedisParser *parser, redisReply **reply);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(RedisParser, redis_parser_free)
