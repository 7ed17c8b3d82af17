/* redis-parser.c - the parser of hiredis, which takes replies of any size and arrays of any length, with limits.
 *
 * hiredis allocates an array when it reads the announced length, before a single element has come; the function that
 * makes arrays is therefore replaced by one that counts elements first. */
#include "service/redis-reply.h"

enum {
	PARSER_ELEMENTS_MOST = 1000 * 1000
}; /* of one reply, nested ones included: a page of 100,000 items has 400,000 */

struct RedisParser {
	redisReader *reader;
	redisReplyObjectFunctions functions; /* hiredis's, but for createArray */
	redisReplyObjectFunctions original;
	size_t most_octets;
	size_t octets;   /* fed since the last whole reply */
	size_t elements; /* announced since then */
};

#if HIREDIS_MAJOR >= 1
typedef size_t ParserLength;
#else
typedef int ParserLength;
#endif

static void *
parser_create_array(const redisReadTask *task, ParserLength n)
{
	RedisParser *parser = task->privdata;

	if (n < 0 || (size_t)n > PARSER_ELEMENTS_MOST - parser->elements)
		return NULL;
	parser->elements += (size_t)n;
	return parser->original.createArray(task, n);
}

RedisParser *
redis_parser_new(size_t most_octets)
{
	RedisParser *parser = g_new0(RedisParser, 1);

	parser->most_octets = most_octets;
	parser->reader = redisReaderCreate();
	parser->original = *parser->reader->fn;
	parser->functions = parser->original;
	parser->functions.createArray = parser_create_array;
	parser->reader->fn = &parser->functions;
	parser->reader->privdata = parser;
	return parser;
}

void
redis_parser_free(RedisParser *parser)
{
	if (parser == NULL)
		return;
	redisReaderFree(parser->reader);
	g_free(parser);
}

bool
redis_parser_feed(RedisParser *parser, const char *octets, size_t size)
{
	if (size > parser->most_octets - MIN(parser->octets, parser->most_octets))
		return false;
	parser->octets += size;
	return redisReaderFeed(parser->reader, octets, size) == REDIS_OK;
}

bool
redis_parser_next(RedisParser *parser, redisReply **reply)
{
	void *found = NULL;

	if (redisReaderGetReply(parser->reader, &found) != REDIS_OK)
		return false;
	*reply = found;
	if (found != NULL) {
		parser->octets = parser->reader->len - parser->reader->pos;
		parser->elements = 0;
	}
	return true;
}
