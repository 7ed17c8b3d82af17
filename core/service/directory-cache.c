/* directory-cache.c - what this node remembers of a directory that is elsewhere.
 *
 * Two tables: what is asked for moves to the young one; when that is full, it becomes the old one, and what nobody asked for
 * since then is forgotten.  So the memory is bounded, and no order has to be kept. */
#include "service/directory-cache.h"

#include "base/keyed-hash.h"
#include "base/thread.h"
#include "io/loop.h"
#include "service/directory-private.h"

enum { CACHE_KINDS = PTN_RECIPIENT + 1 };

#define CACHE_LOOK_US (CLOCK_SECOND / 2)
#define CACHE_FRESH_US (5 * CLOCK_SECOND / 2) /* looks that failed for so long: others may have changed anything */
#define CACHE_STALE_US (10 * 60 * CLOCK_SECOND)

typedef struct {
	char *text; /* NULL: there is none */
	uint64_t version;
} CacheRecord;

typedef struct {
	bool is_heard;
	uint64_t number; /* of the last change that was looked at */
	uint64_t ours;   /* changes by this node */
	uint64_t epoch;  /* changes of what is remembered: an answer asked for before one is not kept */
} CacheKind;

struct DirectoryCache {
	Store *store;
	Thread *thread;
	char *prefixes[CACHE_KINDS];
	bool was_interrupted; /* the thread's own: it may be another server now, which lost the last changes */
	GMutex lock;          /* guards all that follows */
	GCond closing;
	bool is_closing;
	size_t most;             /* records of a table */
	GHashTable *young, *old; /* key -> CacheRecord* */
	CacheKind kinds[CACHE_KINDS];
	int64_t heard_us; /* when all numbers were read; 0: never */
};

static void
cache_record_free(void *data)
{
	CacheRecord *record = data;

	g_free(record->text);
	g_free(record);
}

static GHashTable *
cache_table_new(void)
{
	return g_hash_table_new_full(keyed_hash_text, g_str_equal, g_free, cache_record_free);
}

/* ---- with the lock held ---- */

static void
cache_put(DirectoryCache *cache, char *key, CacheRecord *record)
{
	if (g_hash_table_size(cache->young) >= cache->most) {
		g_hash_table_unref(cache->old);
		cache->old = cache->young;
		cache->young = cache_table_new();
	}
	g_hash_table_replace(cache->young, key, record);
}

static const CacheRecord *
cache_look_up(DirectoryCache *cache, const char *key)
{
	const CacheRecord *found = g_hash_table_lookup(cache->young, key);
	void *kept_key, *record;

	if (found != NULL || !g_hash_table_steal_extended(cache->old, key, &kept_key, &record))
		return found;
	cache_put(cache, kept_key, record);
	return record;
}

static void
cache_drop(DirectoryCache *cache, PtnKind kind, const char *key)
{
	cache->kinds[kind].epoch++;
	(void)g_hash_table_remove(cache->young, key);
	(void)g_hash_table_remove(cache->old, key);
}

static void
cache_drop_all(DirectoryCache *cache)
{
	for (int kind = PTN_CUSTOMER; kind < CACHE_KINDS; kind++)
		cache->kinds[kind].epoch++;
	g_hash_table_remove_all(cache->young);
	g_hash_table_remove_all(cache->old);
}

/* NULL: nothing so young is known. */
static const CacheRecord *
cache_find(DirectoryCache *cache, const char *key, int64_t age_us)
{
	if (cache->heard_us == 0 || g_get_monotonic_time() - cache->heard_us > age_us)
		return NULL;
	return cache_look_up(cache, key);
}

/* ---- reading ---- */

/* False: nothing so young is known. */
static bool
cache_answer(DirectoryCache *cache, const char *key, int64_t age_us, char **text, uint64_t *version)
{
	const CacheRecord *record;

	g_mutex_lock(&cache->lock);
	record = cache_find(cache, key, age_us);
	if (record != NULL) {
		*text = g_strdup(record->text);
		*version = record->version;
	}
	g_mutex_unlock(&cache->lock);
	return record != NULL;
}

PtnStatus
directory_cache_ask(
	DirectoryCache *cache, PtnKind kind, const char *key, int64_t deadline_us, char **text, uint64_t *version)
{
	PtnStatus status;
	uint64_t epoch;

	g_mutex_lock(&cache->lock);
	epoch = cache->kinds[kind].epoch;
	g_mutex_unlock(&cache->lock);
	status = store_get(cache->store, key, deadline_us, text, version);
	if (status != PTN_OK && status != PTN_NONE)
		return status;
	g_mutex_lock(&cache->lock);
	if (cache->kinds[kind].is_heard && epoch == cache->kinds[kind].epoch) {
		CacheRecord *record = g_new(CacheRecord, 1);

		*record = (CacheRecord){ status == PTN_OK ? g_strdup(*text) : NULL, status == PTN_OK ? *version : 0 };
		cache_put(cache, g_strdup(key), record);
	}
	g_mutex_unlock(&cache->lock);
	return status;
}

/* Mail on its way goes on as long as it takes; who may send is not to be old. */
static int64_t
cache_patience(PtnKind kind)
{
	return kind == PTN_DOMAIN || kind == PTN_RECIPIENT ? CLOCK_NEVER : CACHE_STALE_US;
}

PtnStatus
directory_cache_get(
	DirectoryCache *cache, PtnKind kind, const char *key, int64_t deadline_us, char **text, uint64_t *version)
{
	PtnStatus status = PTN_UNSURE;

	if (cache_answer(cache, key, CACHE_FRESH_US, text, version))
		return *text != NULL ? PTN_OK : PTN_NONE;
	if (!loop_is_here())
		status = directory_cache_ask(cache, kind, key, deadline_us, text, version);
	if (status == PTN_UNSURE && cache_answer(cache, key, cache_patience(kind), text, version))
		return *text != NULL ? PTN_OK : PTN_NONE;
	return status;
}

void
directory_cache_forget(DirectoryCache *cache, PtnKind kind, const char *key)
{
	g_mutex_lock(&cache->lock);
	cache->kinds[kind].ours++;
	cache_drop(cache, kind, key);
	g_mutex_unlock(&cache->lock);
}

bool
directory_cache_changes(DirectoryCache *cache, PtnKind kind, uint64_t *number)
{
	bool is_heard;

	g_mutex_lock(&cache->lock);
	is_heard = cache->kinds[kind].is_heard;
	*number = cache->kinds[kind].number + cache->kinds[kind].ours;
	g_mutex_unlock(&cache->lock);
	return is_heard;
}

/* ---- looking for changes ---- */

static void
cache_take_changes(DirectoryCache *cache, PtnKind kind, const StoreFeed *feed)
{
	CacheKind *of = &cache->kinds[kind];

	g_mutex_lock(&cache->lock);
	if (feed->keys == NULL)
		cache_drop_all(cache);
	for (guint i = 0; feed->keys != NULL && i < feed->keys->len; i++)
		cache_drop(cache, kind, g_ptr_array_index(feed->keys, i));
	of->number = feed->number;
	of->is_heard = true;
	g_mutex_unlock(&cache->lock);
}

/* After an interruption it may be another server, which lost something: no number is believed then. */
static void
cache_begin_look(DirectoryCache *cache, StoreFeed feeds[CACHE_KINDS])
{
	g_mutex_lock(&cache->lock);
	for (int kind = PTN_CUSTOMER; kind < CACHE_KINDS; kind++) {
		feeds[kind].prefix = cache->prefixes[kind];
		feeds[kind].has_since = cache->kinds[kind].is_heard && !cache->was_interrupted;
		feeds[kind].since = cache->kinds[kind].number;
	}
	g_mutex_unlock(&cache->lock);
}

static void
cache_look(DirectoryCache *cache)
{
	const int64_t begun_us = g_get_monotonic_time();
	StoreFeed feeds[CACHE_KINDS] = { 0 };

	cache_begin_look(cache, feeds);
	cache->was_interrupted =
		store_feed(cache->store, feeds + PTN_CUSTOMER, CACHE_KINDS - PTN_CUSTOMER, CLOCK_NEVER) != PTN_OK;
	if (cache->was_interrupted)
		return;
	for (int kind = PTN_CUSTOMER; kind < CACHE_KINDS; kind++) {
		cache_take_changes(cache, (PtnKind)kind, &feeds[kind]);
		g_clear_pointer(&feeds[kind].keys, g_ptr_array_unref);
	}
	g_mutex_lock(&cache->lock);
	cache->heard_us = begun_us;
	g_mutex_unlock(&cache->lock);
}

static void *
cache_run(void *data)
{
	DirectoryCache *cache = data;

	g_mutex_lock(&cache->lock);
	while (!cache->is_closing) {
		int64_t until_us;

		g_mutex_unlock(&cache->lock);
		cache_look(cache);
		g_mutex_lock(&cache->lock);
		until_us = g_get_monotonic_time() + CACHE_LOOK_US;
		while (!cache->is_closing && g_cond_wait_until(&cache->closing, &cache->lock, until_us))
			;
	}
	g_mutex_unlock(&cache->lock);
	return NULL;
}

/* ---- making ---- */

DirectoryCache *
directory_cache_new(Store *store)
{
	DirectoryCache *cache = g_new0(DirectoryCache, 1);

	cache->store = store;
	cache->most = DIRECTORY_CACHED / 2;
	for (int kind = PTN_CUSTOMER; kind < CACHE_KINDS; kind++)
		cache->prefixes[kind] = directory_prefix((PtnKind)kind);
	g_mutex_init(&cache->lock);
	g_cond_init(&cache->closing);
	cache->young = cache_table_new();
	cache->old = cache_table_new();
	cache_look(cache);
	cache->thread = thread_new("directory", cache_run, cache);
	return cache;
}

void
directory_cache_set_most(DirectoryCache *cache, size_t most)
{
	g_mutex_lock(&cache->lock);
	cache->most = MAX(most / 2, 1);
	g_mutex_unlock(&cache->lock);
}

size_t
directory_cache_size(DirectoryCache *cache)
{
	size_t size;

	g_mutex_lock(&cache->lock);
	size = g_hash_table_size(cache->young) + g_hash_table_size(cache->old);
	g_mutex_unlock(&cache->lock);
	return size;
}

void
directory_cache_free(DirectoryCache *cache)
{
	if (cache == NULL)
		return;
	g_mutex_lock(&cache->lock);
	cache->is_closing = true;
	g_cond_signal(&cache->closing);
	g_mutex_unlock(&cache->lock);
	thread_join(cache->thread);
	for (int kind = PTN_CUSTOMER; kind < CACHE_KINDS; kind++)
		g_free(cache->prefixes[kind]);
	g_hash_table_unref(cache->young);
	g_hash_table_unref(cache->old);
	g_cond_clear(&cache->closing);
	g_mutex_clear(&cache->lock);
	g_free(cache);
}
