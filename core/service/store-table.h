/* store-table.h - items in memory, found by key and listed in the order of keys; its user locks. */
#pragma once

#include <glib.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "service/store-file.h"

typedef struct StoreTable StoreTable;

typedef struct {
	char *key, *value;
	uint64_t version;
	int64_t expires_us; /* wall clock, CLOCK_NEVER */
} TableItem;

StoreTable *store_table_new(const Clock *clock);
void store_table_free(StoreTable *table);
/* NULL: there is none, or it has expired.  Lives until the table changes. */
const TableItem *store_table_find(const StoreTable *table, const char *key);
/* Whether a claim until `expires_us` is granted: nobody has one.  One that ends later than that was made before the clock
 * was set back, and is over, so that what it is for does not stop for hours. */
bool store_table_is_free(const StoreTable *table, const char *key, int64_t expires_us);
/* The same, expired ones too. */
const TableItem *store_table_find_any(const StoreTable *table, const char *key);
/* Takes over the row, copied; without value it removes. */
void store_table_apply(StoreTable *table, const StoreRow *row);
/* Removes one expired item if a short look finds one: its key (new), or NULL.  To be called with every write. */
char *store_table_sweep(StoreTable *table);
/* Removes, of a few items of whoever owns the most ("plugin/NAME/", or the first word of the key), the one that expires
 * first: its key (new), or NULL: none that was looked at has an expiry. */
char *store_table_evict(StoreTable *table);
size_t store_table_size(const StoreTable *table); /* the expired that are still there included */
/* A new array of StoreItem* that frees them: those behind `after` (NULL: all) with `prefix`, at most `limit`. */
GPtrArray *store_table_list(const StoreTable *table, const char *prefix, const char *after, size_t limit);
