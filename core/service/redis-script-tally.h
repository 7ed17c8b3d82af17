/* redis-script-tally.h - the script of store_tally(), for redis-script.c.
 *
 * The value of the item is "NAME:WINDOW:TOTAL:END …": WINDOW is the number of the window since
 * 1970, END the µs at which it ends.  Beside the totals it has, of each node N that counts here:
 *     "NAME@N:WINDOW:OWN:END"            what the node added to that total
 *     "@N:INSTANCE:GENERATION:END"       which instance of the node it was, and its last generation
 * Values of earlier versions have totals only, without END; such a counter stays as long as the
 * item.  An earlier version writes back the totals that it names, and nothing else: then a node is
 * asked to settle before it counts, and adds its debt.
 *
 * Arguments: name of the item, number of the node ("": nobody keeps a ledger of it), its instance, its generation, whether it settles
 * ("1"), and of each counter seven: name, n, window in µs, most or 0, and what the node says of
 * itself: number of the window, own, debt (store-ledger.h).
 * Answer: "1": added, "0": one would go beyond its most, "2": the node is to settle first; the time
 * in µs; the generation of the node that is known; the totals. */
#pragma once

#define REDIS_SCRIPT_TALLY \
	"local i = item()\n" \
	"local who, last = '@' .. ARGV[2], tonumber(i[3]) or 0\n" \
	"local have, ends, names, seat, generation = {}, {}, {}, nil, 0\n" \
	"for name, w, total, e in string.gmatch(i[1] or '', '([^ :]+):(%d+):(-?%d+):?(%d*)') do\n" \
	"  e = tonumber(e) or last\n" \
	"  local place = name .. ':' .. w\n" \
	"  if name == who then\n" \
	"    seat, generation = w, tonumber(total)\n" \
	"  elseif e > now then\n" \
	"    have[place], ends[place] = tonumber(total), e\n" \
	"    names[#names + 1] = place\n" \
	"  end\n" \
	"end\n" \
	"local function set(place, n, e)\n" \
	"  if not have[place] then names[#names + 1] = place end\n" \
	"  have[place], ends[place] = n, e\n" \
	"end\n" \
	"local is_settling, is_within, is_write = ARGV[5] == '1', true, ARGV[5] == '1'\n" \
	"local is_plain = ARGV[2] == ''\n" \
	"local must_settle = seat and tonumber(ARGV[4]) < generation\n" \
	"if seat ~= ARGV[3] then\n" \
	"  for _, place in ipairs(names) do\n" \
	"    if string.match(place, '@(%d+):') == ARGV[2] then have[place] = nil end\n" \
	"  end\n" \
	"end\n" \
	"local counted, said = {}, {}\n" \
	"for a = 6, #ARGV, 7 do\n" \
	"  local name, n, window = ARGV[a], tonumber(ARGV[a + 1]), tonumber(ARGV[a + 2])\n" \
	"  local most, w = tonumber(ARGV[a + 3]), math.floor(now / window)\n" \
	"  local own, debt = tonumber(ARGV[a + 5]), tonumber(ARGV[a + 6])\n" \
	"  local place, mine = name .. ':' .. text(w), name .. who .. ':' .. text(w)\n" \
	"  local e = (w + 1) * window\n" \
	"  if ARGV[a + 4] == text(w) then\n" \
	"    local more = debt\n" \
	"    if not have[place] then more = own elseif have[mine] then more = own - have[mine] end\n" \
	"    if is_settling and (more ~= 0 or own ~= 0) then\n" \
	"      set(place, (have[place] or 0) + more, e)\n" \
	"      set(mine, own, e)\n" \
	"    elseif own ~= 0 and not have[mine] then\n" \
	"      must_settle = true\n" \
	"    end\n" \
	"  end\n" \
	"  local total = have[place] or 0\n" \
	"  if most > 0 and n ~= 0 and total + n > most then is_within = false end\n" \
	"  if n ~= 0 then is_write = true end\n" \
	"  said[#said + 1] = text(total)\n" \
	"  counted[#counted + 1] = { place, mine, n, e }\n" \
	"end\n" \
	"local function answer(status)\n" \
	"  return { status, text(now), text(generation), unpack(said) }\n" \
	"end\n" \
	"if must_settle then return answer('2') end\n" \
	"if not is_within then return answer('0') end\n" \
	"if not is_write then return answer('1') end\n" \
	"for k, c in ipairs(counted) do\n" \
	"  if c[3] ~= 0 then\n" \
	"    set(c[1], (have[c[1]] or 0) + c[3], c[4])\n" \
	"    if not is_plain then set(c[2], (have[c[2]] or 0) + c[3], c[4]) end\n" \
	"    said[k] = text(have[c[1]])\n" \
	"  end\n" \
	"end\n" \
	"local parts, is_there, finish = {}, {}, 0\n" \
	"for _, place in ipairs(names) do\n" \
	"  if have[place] and not is_there[place] then\n" \
	"    is_there[place] = true\n" \
	"    finish = math.max(finish, ends[place])\n" \
	"    parts[#parts + 1] = place .. ':' .. text(have[place]) .. ':' .. text(ends[place])\n" \
	"  end\n" \
	"end\n" \
	"local own = who .. ':' .. ARGV[3] .. ':' .. ARGV[4] .. ':' .. text(finish)\n" \
	"if not is_plain then parts[#parts + 1] = own end\n" \
	"if finish > now then write(table.concat(parts, ' '), finish, i[2]) end\n" \
	"return answer('1')\n"
