/* store-tally.h - several counters under one key: the value "NAME:WINDOW:TOTAL:END …".
 *
 * WINDOW is the number of the window since 1970, END the µs since 1970 at which it ends.  Values
 * of earlier versions have no END; such a counter stays as long as the value does.
 * redis-script-tally.h has the same format. */
#pragma once

#include "service/store.h"

/* Fills in `total` of each; true: all were added, and `value` (new) and `end_us` (of the counter
 * that ends last) are to be kept; false: one would go beyond its `most`, and nothing is to be
 * changed.  Counters of `old` that are not named stay until their windows end.  `old`: NULL:
 * there is none, `old_end_us`: when it expires. */
bool store_tally_add(const char *old, int64_t old_end_us, int64_t now_us, StoreTally *tallies,
	size_t n, char **value, int64_t *end_us);
