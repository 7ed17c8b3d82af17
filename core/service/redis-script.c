/* redis-script.c - what Redis does in one step for the store.
 *
 * An item is a hash: v its value, n its version, e when it expires (µs, absent: never); tallies have more fields.  The time is the server's.
 * KEYS[1] is the item.  Items of a watched class have KEYS[2], the index (a sorted set of names, all of score 0), and
 * KEYS[3], the latest changes (a sorted set of names, by the number of the change), all three in one hash slot.
 * ARGV[1] is the item's name in its class.  Versions and numbers are times, or one more than the last: they rise, also behind
 * a failover that lost the last ones, unless the clocks of the servers differ by more than it took. */
#include "service/redis-script.h"

#include <glib.h>

#include "service/redis-script-tally.h"

/* Numbers of 53 bits: µs of the year 2255.  PEXPIREAT names the last millisecond: an item goes with the first
 * one that begins at its expiry or after it. */
static const char redis_script_prelude[] =
	"local t = redis.call('TIME')\n"
	"local now = t[1] * 1000000 + t[2]\n"
	"local function text(n) return string.format('%.0f', n) end\n"
	"local function item()\n"
	"  local i = redis.call('HMGET', KEYS[1], 'v', 'n', 'e')\n"
	"  if i[1] and i[3] and tonumber(i[3]) <= now then i[1] = false end\n"
	"  return i\n"
	"end\n"
	"local function note(is_there)\n"
	"  if is_there then redis.call('ZADD', KEYS[2], 0, ARGV[1]) else redis.call('ZREM', KEYS[2], ARGV[1]) end\n"
	"  local top = redis.call('ZREVRANGE', KEYS[3], 0, 0, 'WITHSCORES')\n"
	"  redis.call('ZADD', KEYS[3], text(math.max(now, (tonumber(top[2]) or 0) + 1)), ARGV[1])\n"
	"  redis.call('ZREMRANGEBYRANK', KEYS[3], 0, -1002)\n"
	"end\n"
	"local function write(value, ends, old, keeps)\n"
	"  local n = text(old and math.max(now, old + 1) or now)\n"
	"  if old and not keeps then redis.call('DEL', KEYS[1]) end\n"
	"  if value and ends > 0 then\n"
	"    redis.call('HSET', KEYS[1], 'v', value, 'n', n, 'e', text(ends))\n"
	"    local last = math.max(math.ceil(ends / 1000) - 1, math.floor(now / 1000) + 1)\n"
	"    redis.call('PEXPIREAT', KEYS[1], text(last))\n"
	"  elseif value then\n"
	"    redis.call('HSET', KEYS[1], 'v', value, 'n', n)\n"
	"  end\n"
	"  if KEYS[2] then note(value) end\n"
	"  return n\n"
	"end\n"
	"local function show(found, name, i)\n"
	"  if not i[1] or (i[3] and tonumber(i[3]) <= now) then return false end\n"
	"  for _, part in ipairs({ name, i[1], i[2], i[3] or '' }) do found[#found + 1] = part end\n"
	"  return true\n"
	"end\n"
	"local function behind(ttl)\n"
	"  ttl = tonumber(ttl)\n"
	"  if ttl == 0 then return 0 end\n"
	"  return now + ttl\n"
	"end\n";

static const char *const redis_scripts[SCRIPT_COUNT] = {
	/* name, value, ttl in µs or 0 */
	[SCRIPT_SET] = "return write(ARGV[2], behind(ARGV[3]), redis.call('HGET', KEYS[1], 'n'))\n",
	/* name, value, ttl; nil: it is taken */
	[SCRIPT_CLAIM] = "local i = item()\n"
					 "if i[1] then return false end\n"
					 "return write(ARGV[2], behind(ARGV[3]), i[2])\n",
	/* name, version it must have or 0, ttl, value (none: to remove); nil: it has another one */
	[SCRIPT_REPLACE] = "local i = item()\n"
					   "if (i[1] and i[2] or '0') ~= ARGV[2] then return false end\n"
					   "return write(ARGV[4] or false, behind(ARGV[3]), i[2])\n",
	/* name; nil: there was nothing */
	[SCRIPT_REMOVE] = "local i = item()\n"
					  "if not i[1] then return false end\n"
					  "return write(false, 0, i[2])\n",
	/* name, n, window in µs or 0 for all time; nil: it holds something else.  HINCRBY knows 64 bits, which Lua does not. */
	[SCRIPT_ADD] = "local i = item()\n"
				   "local window = tonumber(ARGV[3])\n"
				   "local ends = window > 0 and now - now % window + window or 0\n"
				   "if i[1] and not string.match(i[1], '^%-?%d+$') then return false end\n"
				   "if (tonumber(i[3]) or 0) ~= ends then i[1] = false end\n"
				   "if ARGV[2] == '0' then return i[1] or '0' end\n"
				   "if not i[1] then write(ARGV[2], ends, i[2]) return ARGV[2] end\n"
				   "local sum = redis.pcall('HINCRBY', KEYS[1], 'v', ARGV[2])\n"
				   "if type(sum) == 'table' then\n"
				   "  local most = '9223372036854775807'\n"
				   "  if string.sub(ARGV[2], 1, 1) == '-' then most = '-9223372036854775808' end\n"
				   "  redis.call('HSET', KEYS[1], 'v', most)\n"
				   "end\n"
				   "redis.call('HSET', KEYS[1], 'n', text(math.max(now, (tonumber(i[2]) or 0) + 1)))\n"
				   "if KEYS[2] then note(true) end\n"
				   "return redis.call('HGET', KEYS[1], 'v')\n",
	[SCRIPT_TALLY] = REDIS_SCRIPT_TALLY,
	/* name, value, when it expires or 0: of a copy */
	[SCRIPT_LOAD] = "local ends = tonumber(ARGV[3])\n"
					"local old = redis.call('HGET', KEYS[1], 'n')\n"
					"return write((ends == 0 or ends > now) and ARGV[2] or false, ends, old)\n",
	/* KEYS[1] is the index here.  What the names of items begin with in Redis, least and greatest name in the form of
	 * ZRANGEBYLEX, how many: name, value, version, expiry ("": never), … of those that are there.  The index loses
	 * those that expired. */
	[SCRIPT_PAGE] =
		"local found, least, n = {}, ARGV[2], 0\n"
		"local most = tonumber(ARGV[4])\n"
		"while n < most do\n"
		"  local names = redis.call('ZRANGEBYLEX', KEYS[1], least, ARGV[3], 'LIMIT', 0, most - n)\n"
		"  if #names == 0 then break end\n"
		"  for _, name in ipairs(names) do\n"
		"    local i = redis.call('HMGET', ARGV[1] .. name, 'v', 'n', 'e')\n"
		"    if show(found, name, i) then\n"
		"      n = n + 1\n"
		"    elseif not i[1] then\n"
		"      redis.call('ZREM', KEYS[1], name)\n"
		"    end\n"
		"    least = '(' .. name\n"
		"  end\n"
		"end\n"
		"return found\n",
	/* KEYS[1] is the index.  What the names of items begin with in Redis, then names; as PAGE. */
	[SCRIPT_READ] = "local found = {}\n"
					"for a = 2, #ARGV do\n"
					"  show(found, ARGV[a], redis.call('HMGET', ARGV[1] .. ARGV[a], 'v', 'n', 'e'))\n"
					"end\n"
					"return found\n",
	/* KEYS are the latest changes of classes here, ARGV the number since when of each, "": it is not known.  The time; then of
	 * each class its number, how many names changed (-1: that is not known), and these. */
	[SCRIPT_FEED] = "local said = { text(now) }\n"
					"for k, changes in ipairs(KEYS) do\n"
					"  local top = redis.call('ZREVRANGE', changes, 0, 0, 'WITHSCORES')\n"
					"  local number, since, names = tonumber(top[2]) or 0, tonumber(ARGV[k]), false\n"
					"  if since and number == since then names = {} end\n"
					"  if since and number > since then\n"
					"    names = redis.call('ZRANGEBYSCORE', changes, '(' .. ARGV[k], '+inf')\n"
					"    if #names >= 1000 then names = false end\n"
					"  end\n"
					"  said[#said + 1] = text(number)\n"
					"  said[#said + 1] = names and text(#names) or '-1'\n"
					"  for _, name in ipairs(names or {}) do said[#said + 1] = name end\n"
					"end\n"
					"return said\n",
};

bool
redis_script_only_reads(RedisScript script)
{
	return script == SCRIPT_PAGE || script == SCRIPT_READ || script == SCRIPT_FEED;
}

bool
redis_script_may_repeat(RedisScript script)
{
	return redis_script_only_reads(script) || script == SCRIPT_SET || script == SCRIPT_LOAD;
}

char *
redis_script_text(RedisScript script)
{
	return g_strconcat(redis_script_prelude, redis_scripts[script], NULL);
}
