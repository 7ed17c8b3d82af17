/* test-redis-reply.c - replies of the wrong type: of each command, and to each call of the store. */
#include <glib.h>
#include <stdio.h>
#include <string.h>

#include "service/redis-reply.h"
#include "unit/service/redis-calls.h"
#include "unit/service/redis-fake.h"
#include "unit/service/suites.h"

#define DEADLINE_US (CLOCK_SECOND / 20)

typedef struct {
	const char *octets;
	size_t size;
} Octets;

#define OCTETS(text) { text, sizeof text - 1 }

/* Each type, each nesting that some command has, and what is no reply at all. */
static const Octets replies[] = {
	OCTETS(":1\r\n"),
	OCTETS(":-9223372036854775808\r\n"),
	OCTETS(":9223372036854775807\r\n"),
	OCTETS(":99999999999999999999999\r\n"),
	OCTETS("+OK\r\n"),
	OCTETS("+\r\n"),
	OCTETS("-\r\n"),
	OCTETS("-ERR no\r\n"),
	OCTETS("-NOSCRIPT No matching script\r\n"),
	OCTETS("-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
	OCTETS("$-1\r\n"),
	OCTETS("$0\r\n\r\n"),
	OCTETS("$1\r\nx\r\n"),
	OCTETS("$2\r\n-1\r\n"),
	OCTETS("$3\r\n1\0" "2\r\n"),
	OCTETS("$20\r\n18446744073709551616\r\n"),
	OCTETS("$30\r\n999999999999999999999999999999\r\n"),
	OCTETS("$999999999999\r\nx"),
	OCTETS("$-7\r\n"),
	OCTETS("*-1\r\n"),
	OCTETS("*-5\r\n"),
	OCTETS("*0\r\n"),
	OCTETS("*1\r\n$-1\r\n"),
	OCTETS("*1\r\n:1\r\n"),
	OCTETS("*1\r\n$1\r\n1\r\n"),
	OCTETS("*2\r\n:1\r\n:2\r\n"),
	OCTETS("*2\r\n$-1\r\n$-1\r\n"),
	OCTETS("*2\r\n$1\r\nv\r\n$1\r\nx\r\n"),
	OCTETS("*2\r\n$1\r\nv\r\n:7\r\n"),
	OCTETS("*2\r\n$1\r\n0\r\n$1\r\n0\r\n"),
	OCTETS("*2\r\n$1\r\n0\r\n*-1\r\n"),
	OCTETS("*2\r\n$1\r\n0\r\n*1\r\n:1\r\n"),
	OCTETS("*2\r\n$1\r\n0\r\n*1\r\n*1\r\n$-1\r\n"),
	OCTETS("*3\r\n$-1\r\n$-1\r\n$-1\r\n"),
	OCTETS("*3\r\n:1\r\n:2\r\n:3\r\n"),
	OCTETS("*3\r\n$1\r\n1\r\n$-1\r\n$-1\r\n"),
	OCTETS("*3\r\n$1\r\nx\r\n$1\r\ny\r\n$1\r\nz\r\n"),
	OCTETS("*3\r\n-ERR a\r\n-ERR b\r\n-ERR c\r\n"),
	OCTETS("*4\r\n$-1\r\n$-1\r\n$-1\r\n$-1\r\n"),
	OCTETS("*4\r\n$1\r\na\r\n$1\r\nv\r\n$1\r\n1\r\n:0\r\n"),
	OCTETS("*5\r\n$1\r\na\r\n$1\r\nv\r\n$1\r\n1\r\n$0\r\n\r\n$1\r\nb\r\n"),
	OCTETS("*8\r\n$1\r\nb\r\n$1\r\nv\r\n$1\r\n1\r\n$0\r\n\r\n$1\r\na\r\n$1\r\nv\r\n$1\r\n1\r\n$0\r\n\r\n"),
	OCTETS("*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n$-1\r\n"),
	OCTETS("*2147483647\r\n"),
	OCTETS("*4294967296\r\n"),
	OCTETS("*1000000\r\n*1000000\r\n*1000000\r\n"),
	OCTETS("%1\r\n+a\r\n:1\r\n"),
	OCTETS(">2\r\n+message\r\n+x\r\n"),
	OCTETS(",1.5\r\n"),
	OCTETS("#t\r\n"),
	OCTETS("HTTP/1.1 200 OK\r\n\r\n"),
	OCTETS("\0\0\0\0"),
};

static redisReply *
parse(const Octets *octets)
{
	g_autoptr(RedisParser) parser = redis_parser_new(1 << 20);
	redisReply *reply = NULL;

	if (!redis_parser_feed(parser, octets->octets, octets->size) || !redis_parser_next(parser, &reply))
		return NULL;
	return reply;
}

/* ---- shapes ---- */

static void
test_shapes(void)
{
	static const struct {
		Octets octets;
		RedisShape shape;
		bool fits;
	} cases[] = {
		{ OCTETS("$1\r\nx\r\n"), { REDIS_IS_TEXT, 0 }, true },
		{ OCTETS("+OK\r\n"), { REDIS_IS_TEXT, 0 }, true },
		{ OCTETS("-ERR\r\n"), { REDIS_IS_TEXT, 0 }, true },
		{ OCTETS("$-1\r\n"), { REDIS_IS_TEXT, 0 }, false },
		{ OCTETS("$3\r\n1\0" "2\r\n"), { REDIS_IS_TEXT, 0 }, false },
		{ OCTETS(":1\r\n"), { REDIS_IS_TEXT, 0 }, false },
		{ OCTETS(":1\r\n"), { REDIS_IS_COUNT, 0 }, true },
		{ OCTETS("$1\r\n1\r\n"), { REDIS_IS_COUNT, 0 }, false },
		{ OCTETS("$2\r\n-1\r\n"), { REDIS_IS_NUMBER, 0 }, true },
		{ OCTETS("$20\r\n99999999999999999999\r\n"), { REDIS_IS_NUMBER, 0 }, false },
		{ OCTETS("$-1\r\n"), { REDIS_IS_NUMBER, 0 }, false },
		{ OCTETS("$-1\r\n"), { REDIS_IS_NUMBER_OR_NIL, 0 }, true },
		{ OCTETS("*2\r\n$1\r\n1\r\n$1\r\n2\r\n"), { REDIS_IS_NUMBERS, 2 }, true },
		{ OCTETS("*2\r\n$1\r\n1\r\n$1\r\n2\r\n"), { REDIS_IS_NUMBERS, 3 }, false },
		{ OCTETS("*2\r\n$1\r\n1\r\n$-1\r\n"), { REDIS_IS_NUMBERS, 2 }, false },
		{ OCTETS("$-1\r\n"), { REDIS_IS_NUMBERS, 0 }, false },
		{ OCTETS("*0\r\n"), { REDIS_IS_TEXTS, 0 }, true },
		{ OCTETS("*1\r\n:1\r\n"), { REDIS_IS_TEXTS, 0 }, false },
		{ OCTETS("*-1\r\n"), { REDIS_IS_PAIR_OR_NIL, 0 }, true },
		{ OCTETS("*1\r\n$1\r\na\r\n"), { REDIS_IS_PAIR_OR_NIL, 0 }, false },
		{ OCTETS("*0\r\n"), { REDIS_IS_PAIR_OR_NONE, 0 }, true },
		{ OCTETS("*-1\r\n"), { REDIS_IS_PAIR_OR_NONE, 0 }, false },
		{ OCTETS("*2\r\n$1\r\nv\r\n$1\r\n1\r\n"), { REDIS_IS_ITEM, 2 }, true },
		{ OCTETS("*2\r\n$-1\r\n$-1\r\n"), { REDIS_IS_ITEM, 2 }, true },
		{ OCTETS("*2\r\n$-1\r\n$-1\r\n"), { REDIS_IS_ITEM, 3 }, false },
		{ OCTETS("*2\r\n$1\r\nv\r\n$2\r\n-1\r\n"), { REDIS_IS_ITEM, 2 }, false },
		{ OCTETS("*0\r\n"), { REDIS_IS_ITEMS, 0 }, true },
		{ OCTETS("*4\r\n$1\r\na\r\n$1\r\nv\r\n$1\r\n1\r\n$0\r\n\r\n"), { REDIS_IS_ITEMS, 0 }, true },
		{ OCTETS("*4\r\n$1\r\na\r\n$1\r\nv\r\n$1\r\n1\r\n$1\r\nx\r\n"), { REDIS_IS_ITEMS, 0 }, false },
		{ OCTETS("*5\r\n$1\r\na\r\n$1\r\nv\r\n$1\r\n1\r\n$0\r\n\r\n$1\r\nb\r\n"), { REDIS_IS_ITEMS, 0 }, false },
		{ OCTETS("*2\r\n$1\r\n0\r\n*1\r\n$1\r\na\r\n"), { REDIS_IS_PAGE, 0 }, true },
		{ OCTETS("*2\r\n$1\r\n0\r\n$1\r\na\r\n"), { REDIS_IS_PAGE, 0 }, false },
		{ OCTETS("*3\r\n$6\r\nmaster\r\n:1\r\n*0\r\n"), { REDIS_IS_ROLE, 0 }, true },
		{ OCTETS("*0\r\n"), { REDIS_IS_ROLE, 0 }, false },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(redisReply) reply = parse(&cases[i].octets);

		CU_ASSERT_PTR_NOT_NULL_FATAL(reply);
		if (redis_reply_fits(reply, cases[i].shape) != cases[i].fits) {
			fprintf(stderr, "case %zu\n", i);
			CU_FAIL("shape");
		}
	}
	CU_ASSERT_FALSE(redis_reply_fits(NULL, (RedisShape){ REDIS_IS_NUMBER_OR_NIL, 0 }));
}

static void
test_misfit(void)
{
	static const Octets array = OCTETS("*2\r\n:1\r\n:2\r\n"), integer = OCTETS(":1\r\n");
	g_autoptr(redisReply) two = parse(&array);
	g_autoptr(redisReply) one = parse(&integer);
	g_autofree char *first = redis_reply_misfit(two, (RedisShape){ REDIS_IS_TEXT, 0 });
	g_autofree char *second = redis_reply_misfit(one, (RedisShape){ REDIS_IS_ITEM, 2 });

	ASSERT_TEXT(first, "an array of 2 elements where a text was expected");
	ASSERT_TEXT(second, "an integer where an array of an item's fields was expected");
	for (size_t i = 0; i < G_N_ELEMENTS(replies); i++) {
		g_autoptr(redisReply) reply = parse(&replies[i]);

		for (RedisKind kind = 0; kind < REDIS_KINDS; kind++) {
			g_autofree char *text = redis_reply_misfit(reply, (RedisShape){ kind, 0 });

			CU_ASSERT_PTR_NULL(strstr(text, "(null)"));
			(void)redis_reply_fits(reply, (RedisShape){ kind, 0 });
		}
	}
}

/* ---- limits of the parser ---- */

static void
test_limits(void)
{
	static const char half[] = "*2\r\n$4\r\nabcd\r\n", whole[] = "$4\r\nabcd\r\n";
	RedisParser *parser = redis_parser_new(24);
	redisReply *reply = NULL;

	for (int i = 0; i < 100; i++) { /* the limit is that of one reply */
		CU_ASSERT_TRUE(redis_parser_feed(parser, whole, strlen(whole)));
		CU_ASSERT_TRUE(redis_parser_next(parser, &reply));
		ASSERT_TEXT(redis_reply_text(reply), "abcd");
		redis_reply_free(reply);
	}
	CU_ASSERT_TRUE(redis_parser_feed(parser, half, strlen(half)));
	CU_ASSERT_TRUE(redis_parser_next(parser, &reply));
	CU_ASSERT_PTR_NULL(reply);
	CU_ASSERT_FALSE(redis_parser_feed(parser, whole, strlen(whole) + 1));
	redis_parser_free(parser);
	parser = redis_parser_new(1 << 20); /* nothing is allocated for what is only announced */
	CU_ASSERT_TRUE(redis_parser_feed(parser, "*1000001\r\n", 10));
	CU_ASSERT_FALSE(redis_parser_next(parser, &reply));
	redis_parser_free(parser);
}

/* ---- each call, each reply ---- */

static void
test_calls(void)
{
	RedisFake *fake = redis_fake_new();

	for (const RedisCall *call = redis_calls; call->name != NULL; call++)
		for (size_t i = 0; i < G_N_ELEMENTS(replies); i++) {
			redis_fake_answer(fake, call->command, call->skipped, replies[i].octets, replies[i].size, i % 2 == 0);
			(void)redis_call_run(call, fake, DEADLINE_US);
		}
	redis_fake_free(fake);
}

/* None of these is an answer to it: nobody is told that there is one. */
static void
test_never_ok(void)
{
	static const char *const never[] = { ":1\r\n", "*1\r\n:1\r\n", "*3\r\n:1\r\n:2\r\n:3\r\n", "%1\r\n+a\r\n:1\r\n",
		"$3\r\n1\0" };
	RedisFake *fake = redis_fake_new();

	for (const RedisCall *call = redis_calls; call->name != NULL; call++)
		for (size_t i = 0; i < G_N_ELEMENTS(never); i++) {
			PtnStatus status;

			if (never[i][0] == ':' && (strcmp(call->command, "SETNX") == 0 || strcmp(call->command, "SADD") == 0))
				continue;
			redis_fake_answer(fake, call->command, call->skipped, never[i], strlen(never[i]), true);
			status = redis_call_run(call, fake, DEADLINE_US);
			if (status != PTN_UNSURE)
				fprintf(stderr, "%s: reply %zu: %d\n", call->name, i, (int)status);
			CU_ASSERT_EQUAL(status, PTN_UNSURE);
		}
	redis_fake_free(fake);
}

/* The reply behind a wrong one is not taken for the next command's, memory goes on, and it comes back by itself. */
static void
test_goes_on(void)
{
	static const char twice[] = ":1\r\n*2\r\n$6\r\nforged\r\n$1\r\n9\r\n";
	RedisFake *fake = redis_fake_new();
	g_autofree char *url = g_strdup_printf("redis://127.0.0.1:%u", redis_fake_port(fake));
	const StoreSettings settings = { .url = url, .clock = clock_system(), .connections = 1, .deadline_us = CLOCK_SECOND };
	g_autoptr(Store) store = store_open_with(&settings, NULL);
	g_autofree char *local = NULL;
	g_autofree char *text = NULL;
	g_autofree char *value = NULL;

	CU_ASSERT_PTR_NOT_NULL_FATAL(store);
	redis_fake_answer(fake, "HMGET", 0, twice, strlen(twice), false);
	CU_ASSERT_NOT_EQUAL(store_get(store, "a", CLOCK_NEVER, &local, NULL), PTN_OK);
	text = store_describe(store);
	if (strstr(text, "AWAY: it answers HMGET with an integer where an array of an item's fields was expected") == NULL)
		CU_ASSERT_FALSE(store_is_away(store)); /* it may be back already */
	redis_fake_answer(fake, NULL, 0, "", 0, false);
	for (int64_t until_us = g_get_monotonic_time() + 20 * CLOCK_SECOND; g_get_monotonic_time() < until_us;) {
		g_clear_pointer(&value, g_free);
		if (store_get(store, "a", CLOCK_NEVER, &value, NULL) == PTN_OK)
			break;
		g_usleep(5000);
	}
	ASSERT_TEXT(value, "v");
	g_clear_pointer(&store, store_close);
	redis_fake_free(fake);
}

static const UnitTest tests[] = {
	{ "which reply has which shape", test_shapes },
	{ "what is said of one that has not", test_misfit },
	{ "limits of the parser", test_limits },
	{ "each call of the store, each wrong reply: nothing breaks", test_calls },
	{ "a wrong reply is never an answer", test_never_ok },
	{ "behind a wrong reply all begins anew", test_goes_on },
	{ NULL, NULL },
};

const UnitSuite suite_redis_reply = { "replies of Redis", tests };
