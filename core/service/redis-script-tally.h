/* redis-script-tally.h - the script of store_tally(), for redis-script.c.
 *
 * The value of the item is "NAME:WINDOW:TOTAL:END …": WINDOW is the number of the window since
 * 1970, END the µs at which it ends.  The item has a further field "oN" for each node N that counts
 * here: "INSTANCE GENERATION NAME:WINDOW:OWN:END …", which instance of the node it was, its last
 * generation, and what it added to each total.
 *
 * Values of earlier versions have no END; such a counter stays as long as the item.  An earlier
 * version writes the totals that it names, and nothing else: then a node is asked to settle before
 * it counts, and adds its debt.
 *
 * Arguments: name of the item, number of the node ("": nobody keeps a ledger), its instance, its
 * generation, whether it settles ("1"), and of each counter seven: name, n, window in µs, most or 0,
 * and what the node says of itself: number of the window, own, debt (store-ledger.h).
 * Answer: "1": added, "0": one would go beyond its most, "2": the node is to settle first; the time
 * in µs; the generation of the node that is known; the totals. */
#pragma once

#define REDIS_SCRIPT_TALLY \
	"local i = item()\n" \
	"local is_settling, is_plain = ARGV[5] == '1', ARGV[2] == ''\n" \
	"local field, last = 'o' .. ARGV[2], tonumber(i[3]) or 0\n" \
	"local function read(list)\n" \
	"  local counters = {}\n" \
	"  for name, w, n, e in string.gmatch(list or '', '([^ :]+):(%d+):(-?%d+):?(%d*)') do\n" \
	"    e = tonumber(e) or last\n" \
	"    if e > now then counters[name .. ':' .. w] = { tonumber(n), e } end\n" \
	"  end\n" \
	"  return counters\n" \
	"end\n" \
	"local totals, own = read(i[1]), i[1] and not is_plain and redis.call('HGET', KEYS[1], field)\n" \
	"local seat, known = string.match(own or '', '^(%d+) (%d+)')\n" \
	"own = seat == ARGV[3] and read(own) or {}\n" \
	"local must_settle = seat and tonumber(ARGV[4]) < tonumber(known)\n" \
	"local is_within, is_write, counted, said = true, is_settling, {}, {}\n" \
	"for a = 6, #ARGV, 7 do\n" \
	"  local n, window, most = tonumber(ARGV[a + 1]), tonumber(ARGV[a + 2]), tonumber(ARGV[a + 3])\n" \
	"  local w = math.floor(now / window)\n" \
	"  local place, e = ARGV[a] .. ':' .. text(w), (w + 1) * window\n" \
	"  local total, mine = totals[place], own[place]\n" \
	"  if ARGV[a + 4] == text(w) then\n" \
	"    local counts, more = tonumber(ARGV[a + 5]), tonumber(ARGV[a + 6])\n" \
	"    if not total then more = counts elseif mine then more = counts - mine[1] end\n" \
	"    if is_settling and (more ~= 0 or counts ~= 0) then\n" \
	"      total, own[place] = { (total and total[1] or 0) + more, e }, { counts, e }\n" \
	"      totals[place] = total\n" \
	"    elseif counts ~= 0 and not mine then\n" \
	"      must_settle = true\n" \
	"    end\n" \
	"  end\n" \
	"  total = total and total[1] or 0\n" \
	"  if most > 0 and n ~= 0 and total + n > most then is_within = false end\n" \
	"  if n ~= 0 then is_write = true end\n" \
	"  said[#said + 1] = text(total)\n" \
	"  counted[#counted + 1] = { place, n, e }\n" \
	"end\n" \
	"local function answer(status)\n" \
	"  return { status, text(now), known or '0', unpack(said) }\n" \
	"end\n" \
	"if must_settle then return answer('2') end\n" \
	"if not is_within then return answer('0') end\n" \
	"if not is_write then return answer('1') end\n" \
	"for k, c in ipairs(counted) do\n" \
	"  if c[2] ~= 0 then\n" \
	"    local total, mine = totals[c[1]] or { 0 }, own[c[1]] or { 0 }\n" \
	"    totals[c[1]] = { total[1] + c[2], c[3] }\n" \
	"    own[c[1]] = { mine[1] + c[2], c[3] }\n" \
	"    said[k] = text(totals[c[1]][1])\n" \
	"  end\n" \
	"end\n" \
	"local finish = 0\n" \
	"local function list(counters)\n" \
	"  local parts = {}\n" \
	"  for place, c in pairs(counters) do\n" \
	"    finish = math.max(finish, c[2])\n" \
	"    parts[#parts + 1] = place .. ':' .. text(c[1]) .. ':' .. text(c[2])\n" \
	"  end\n" \
	"  table.sort(parts)\n" \
	"  return table.concat(parts, ' ')\n" \
	"end\n" \
	"local value = list(totals)\n" \
	"if finish > 0 then\n" \
	"  write(value, finish, i[2], i[1])\n" \
	"  if not is_plain then\n" \
	"    redis.call('HSET', KEYS[1], field, ARGV[3] .. ' ' .. ARGV[4] .. ' ' .. list(own))\n" \
	"  end\n" \
	"end\n" \
	"return answer('1')\n"
