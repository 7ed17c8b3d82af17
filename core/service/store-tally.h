/* store-tally.h - several counters under one key: the value "NAME:WINDOW:TOTAL …", WINDOW the number of the window since 1970. */
#pragma once

#include "service/store.h"

/* Fills in `total` of each; true: all were added, and `value` (new) and `end_us` (of the longest window) are to be kept; false:
 * one would go beyond its `most`, and nothing is to be changed.  `old`: NULL: there is none. */
bool store_tally_add(const char *old, int64_t now_us, StoreTally *tallies, size_t n, char **value,
	int64_t *end_us);
