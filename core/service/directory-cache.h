/* directory-cache.h - what this node remembers of a directory that is elsewhere: records, and that there are none.
 *
 * One thread reads the numbers of the changes twice a second and forgets what changed.  Any thread. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "service/store.h"

typedef struct DirectoryCache DirectoryCache;

/* The prefixes of all kinds are watched already. */
DirectoryCache *directory_cache_new(Store *store);
/* Records in memory, those that say that there is none included; two at least.  DIRECTORY_CACHED until it is called. */
enum { DIRECTORY_CACHED = 100000 };
void directory_cache_set_most(DirectoryCache *cache, size_t most);
size_t directory_cache_size(DirectoryCache *cache);
void directory_cache_free(DirectoryCache *cache);
/* From memory; what is not there is asked for, but not by the thread of a loop.  While the store does not answer, what was
 * known: accounts and customers for ten minutes, domains and recipients for as long as it takes. */
PtnStatus directory_cache_get(
	DirectoryCache *cache, PtnKind kind, const char *key, int64_t deadline_us, char **text, uint64_t *version);
/* From the store, and remembered. */
PtnStatus directory_cache_ask(
	DirectoryCache *cache, PtnKind kind, const char *key, int64_t deadline_us, char **text, uint64_t *version);
/* This node changed it. */
void directory_cache_forget(DirectoryCache *cache, PtnKind kind, const char *key);
/* False: the store was not heard of yet. */
bool directory_cache_changes(DirectoryCache *cache, PtnKind kind, uint64_t *number);
