/* redis-reply.c - shapes of replies, and typed access to them. */
#include "service/redis-reply.h"

#include <string.h>

#include "base/error.h"

enum { ITEM_PARTS = 4 };


void
redis_reply_free(redisReply *reply)
{
	freeReplyObject(reply);
}

/* ---- one value ---- */

const char *
redis_reply_text(const redisReply *reply)
{
	if (reply == NULL || (reply->type != REDIS_REPLY_STRING && reply->type != REDIS_REPLY_STATUS))
		return NULL;
	return memchr(reply->str, '\0', (size_t)reply->len) == NULL ? reply->str : NULL;
}

bool
redis_reply_number(const redisReply *reply, int64_t *number)
{
	const char *text = redis_reply_text(reply);

	return text != NULL && g_ascii_string_to_signed(text, 10, G_MININT64, G_MAXINT64, number, NULL);
}

bool
redis_reply_version(const redisReply *reply, uint64_t *number)
{
	const char *text = redis_reply_text(reply);

	return text != NULL && g_ascii_string_to_unsigned(text, 10, 0, G_MAXUINT64, number, NULL);
}

bool
redis_reply_is_nil(const redisReply *reply)
{
	return reply != NULL && reply->type == REDIS_REPLY_NIL;
}

size_t
redis_reply_size(const redisReply *reply)
{
	return reply != NULL && reply->type == REDIS_REPLY_ARRAY ? (size_t)reply->elements : 0;
}

const redisReply *
redis_reply_at(const redisReply *reply, size_t i)
{
	return i < redis_reply_size(reply) ? reply->element[i] : NULL;
}

/* ---- errors ---- */

/* Inside a script the code stands further on: "-ERR Error running script …: -READONLY …". */
bool
redis_reply_is_error(const redisReply *reply, const char *code)
{
	return reply != NULL && reply->type == REDIS_REPLY_ERROR && strstr(reply->str, code) != NULL;
}

/* What Redis says when it does not do what it was asked.  A refusal is of writes, or of all, until its reason is gone; that of
 * an ACL is refused at a start as well. */
static const struct RedisComplaint {
	const char *code, *text;
	PosternError kind;
	bool is_refusal;
} complaints[] = {
	{ "WRONGPASS", "user or password is wrong", POSTERN_ERROR_INVALID, false },
	{ "invalid password", "the password is wrong", POSTERN_ERROR_INVALID, false },
	{ "NOAUTH", "it wants a password", POSTERN_ERROR_INVALID, false },
	{ "NOPERM", "its ACL does not let this user do what is needed", POSTERN_ERROR_INVALID, true },
	{ "can't run this command", "its ACL does not let this user do what is needed", POSTERN_ERROR_INVALID, true },
	{ "MOVED",
		"it is a node of a Redis Cluster, which Postern does not speak: name a master by itself or by "
		"Sentinel",
		POSTERN_ERROR_INVALID, false },
	{ "LOADING", "it is loading its data", POSTERN_ERROR_REFUSED, true },
	{ "READONLY", "it is a replica, which cannot be written", POSTERN_ERROR_REFUSED, true },
	{ "MASTERDOWN", "it is a replica, and its master is down", POSTERN_ERROR_REFUSED, true },
	{ "BUSY ", "it runs a script of somebody else", POSTERN_ERROR_REFUSED, true },
	{ "MISCONF", "it cannot save its data to disk, and so takes no writes", POSTERN_ERROR_REFUSED, true },
	{ "OOM", "its memory is full (maxmemory)", POSTERN_ERROR_REFUSED, true },
	{ "NOREPLICAS", "too few replicas follow it (min-replicas-to-write), and so it takes no writes",
		POSTERN_ERROR_REFUSED, true },
};

/* NULL: it says something else. */
static const struct RedisComplaint *
redis_reply_complaint(const redisReply *reply)
{
	for (size_t i = 0; i < G_N_ELEMENTS(complaints); i++)
		if (redis_reply_is_error(reply, complaints[i].code))
			return &complaints[i];
	return NULL;
}

bool
redis_reply_is_refusal(const redisReply *reply)
{
	const struct RedisComplaint *complaint = redis_reply_complaint(reply);

	return complaint != NULL && complaint->is_refusal;
}

void
redis_reply_explain(const redisReply *reply, GError **error)
{
	const struct RedisComplaint *complaint = redis_reply_complaint(reply);

	if (complaint != NULL)
		(void)error_set(error, complaint->kind, "%s (%s)", complaint->text, reply->str);
	else
		(void)error_set(error, POSTERN_ERROR_UNAVAILABLE, "it says %s", reply->str);
}

/* ---- shapes ---- */

static bool
is_text(const redisReply *reply)
{
	return redis_reply_text(reply) != NULL;
}

static bool
is_number(const redisReply *reply)
{
	int64_t number;

	return redis_reply_number(reply, &number);
}

static bool
is_version(const redisReply *reply)
{
	uint64_t version;

	return redis_reply_version(reply, &version);
}

static bool
is_array(const redisReply *reply)
{
	return reply->type == REDIS_REPLY_ARRAY;
}

static bool
are_all(const redisReply *reply, bool (*is_one)(const redisReply *element))
{
	for (size_t i = 0; i < redis_reply_size(reply); i++)
		if (!is_one(redis_reply_at(reply, i)))
			return false;
	return is_array(reply);
}

static bool
is_item(const redisReply *reply)
{
	const size_t n = redis_reply_size(reply);
	bool fits =
		(n == 2 || n == 3) && (redis_reply_is_nil(redis_reply_at(reply, 0)) || is_text(redis_reply_at(reply, 0)));

	for (size_t i = 1; i < n && fits; i++)
		fits = redis_reply_is_nil(redis_reply_at(reply, i)) || is_version(redis_reply_at(reply, i));
	return fits;
}

static bool
is_expiry(const redisReply *reply)
{
	int64_t time_us;

	return g_strcmp0(redis_reply_text(reply), "") == 0 || redis_reply_number(reply, &time_us);
}

static bool
are_items(const redisReply *reply)
{
	const size_t n = redis_reply_size(reply);

	for (size_t i = 0; i + ITEM_PARTS <= n; i += ITEM_PARTS)
		if (!is_text(redis_reply_at(reply, i)) || !is_text(redis_reply_at(reply, i + 1)) ||
			!is_version(redis_reply_at(reply, i + 2)) || !is_expiry(redis_reply_at(reply, i + 3)))
			return false;
	return is_array(reply) && n % ITEM_PARTS == 0;
}

static bool
has_kind(const redisReply *reply, RedisKind kind)
{
	const size_t n = redis_reply_size(reply);
	const redisReply *first = redis_reply_at(reply, 0), *second = redis_reply_at(reply, 1);

	switch (kind) {
	case REDIS_IS_TEXT_OR_NIL:
		return redis_reply_is_nil(reply) || is_text(reply);
	case REDIS_IS_TEXT:
		return is_text(reply);
	case REDIS_IS_COUNT:
		return reply->type == REDIS_REPLY_INTEGER;
	case REDIS_IS_NUMBER:
		return is_number(reply);
	case REDIS_IS_NUMBER_OR_NIL:
		return redis_reply_is_nil(reply) || is_number(reply);
	case REDIS_IS_NUMBERS:
		return are_all(reply, is_number);
	case REDIS_IS_TEXTS:
		return are_all(reply, is_text);
	case REDIS_IS_PAIR_OR_NIL:
		return redis_reply_is_nil(reply) || (n == 2 && are_all(reply, is_text));
	case REDIS_IS_PAIR_OR_NONE:
		return (n == 0 || n == 2) && are_all(reply, is_text);
	case REDIS_IS_ITEM:
		return is_item(reply);
	case REDIS_IS_ITEMS:
		return are_items(reply);
	case REDIS_IS_PAGE:
		return n == 2 && is_version(first) && are_all(second, is_text);
	case REDIS_IS_ROLE:
		return is_text(first);
	case REDIS_KINDS:
		break;
	}
	return false;
}

bool
redis_reply_fits(const redisReply *reply, RedisShape shape)
{
	if (reply == NULL)
		return false;
	if (reply->type == REDIS_REPLY_ERROR)
		return true;
	return has_kind(reply, shape.kind) && (shape.n == 0 || redis_reply_size(reply) == shape.n);
}

char *
redis_reply_misfit(const redisReply *reply, RedisShape shape)
{
	static const char *const types[] = { [REDIS_REPLY_STRING] = "a string",
		[REDIS_REPLY_ARRAY] = "an array",
		[REDIS_REPLY_INTEGER] = "an integer",
		[REDIS_REPLY_NIL] = "nil",
		[REDIS_REPLY_STATUS] = "a status",
		[REDIS_REPLY_ERROR] = "an error" };
	static const char *const kinds[REDIS_KINDS] = { [REDIS_IS_TEXT] = "a text",
		[REDIS_IS_TEXT_OR_NIL] = "a text or nil",
		[REDIS_IS_COUNT] = "an integer",
		[REDIS_IS_NUMBER] = "a decimal number",
		[REDIS_IS_NUMBER_OR_NIL] = "a decimal number or nil",
		[REDIS_IS_NUMBERS] = "an array of decimal numbers",
		[REDIS_IS_TEXTS] = "an array of texts",
		[REDIS_IS_PAIR_OR_NIL] = "an array of two texts or nil",
		[REDIS_IS_PAIR_OR_NONE] = "an array of two texts or none",
		[REDIS_IS_ITEM] = "an array of an item's fields",
		[REDIS_IS_ITEMS] = "an array of items",
		[REDIS_IS_PAGE] = "a cursor and an array of texts",
		[REDIS_IS_ROLE] = "an array that begins with a role" };
	const char *type = reply != NULL && (size_t)reply->type < G_N_ELEMENTS(types) ? types[reply->type] : NULL;
	g_autofree char *size = NULL;

	if (reply != NULL && is_array(reply))
		size = g_strdup_printf(" of %zu elements", redis_reply_size(reply));
	return g_strdup_printf("%s%s where %s was expected", type != NULL ? type : "something unknown",
		size != NULL ? size : "", kinds[shape.kind]);
}
