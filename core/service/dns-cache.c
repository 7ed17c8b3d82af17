/* dns-cache.c - answers by name and type, as long as their TTL, the least used ones given up first. */
#include "service/dns-private.h"

#include <string.h>

#include "base/keyed-hash.h"

#define CACHE_FOUND_MOST (86400 * CLOCK_SECOND)
#define CACHE_NONE_MOST (3600 * CLOCK_SECOND)
#define CACHE_UNSURE (5 * CLOCK_SECOND)

typedef struct {
	char *key;
	DnsAnswer *answer;
	int64_t expires_us;
	GList link; /* in `used` */
} CacheEntry;

struct DnsCache {
	size_t most;
	GHashTable *entries; /* of their keys, which the entries own */
	GQueue used;         /* the one used last first */
};

static void
dns_cache_entry_free(void *data)
{
	CacheEntry *entry = data;

	dns_answer_unref(entry->answer);
	g_free(entry->key);
	g_free(entry);
}

DnsCache *
dns_cache_new(size_t most)
{
	DnsCache *cache = g_new0(DnsCache, 1);

	cache->most = most;
	cache->entries = g_hash_table_new_full(keyed_hash_text, g_str_equal, NULL, dns_cache_entry_free);
	g_queue_init(&cache->used);
	return cache;
}

void
dns_cache_free(DnsCache *cache)
{
	g_hash_table_unref(cache->entries);
	g_free(cache);
}

static void
dns_cache_drop(DnsCache *cache, CacheEntry *entry)
{
	g_queue_unlink(&cache->used, &entry->link);
	g_hash_table_remove(cache->entries, entry->key);
}

DnsAnswer *
dns_cache_get(DnsCache *cache, const char *key, int64_t now_us, int64_t *ttl_us)
{
	CacheEntry *entry = g_hash_table_lookup(cache->entries, key);

	if (entry == NULL)
		return NULL;
	if (entry->expires_us <= now_us) {
		dns_cache_drop(cache, entry);
		return NULL;
	}
	g_queue_unlink(&cache->used, &entry->link);
	g_queue_push_head_link(&cache->used, &entry->link);
	*ttl_us = entry->answer->shown.status == PTN_UNSURE ? 0 : entry->expires_us - now_us;
	return dns_answer_ref(entry->answer);
}

static int64_t
dns_cache_life(const DnsAnswer *answer)
{
	switch (answer->shown.status) {
	case PTN_OK:
		return MIN(answer->shown.ttl, CACHE_FOUND_MOST);
	case PTN_NONE:
		return MIN(answer->shown.ttl, CACHE_NONE_MOST);
	default:
		return CACHE_UNSURE;
	}
}

void
dns_cache_put(DnsCache *cache, const char *key, DnsAnswer *answer, int64_t now_us)
{
	CacheEntry *entry = g_hash_table_lookup(cache->entries, key);
	const int64_t life_us = dns_cache_life(answer);

	/* A failure does not take away what is known and still good. */
	if (entry != NULL && answer->shown.status == PTN_UNSURE && entry->expires_us > now_us)
		return;
	if (entry != NULL)
		dns_cache_drop(cache, entry);
	if (life_us <= 0 || cache->most == 0)
		return;
	if (g_hash_table_size(cache->entries) >= cache->most)
		dns_cache_drop(cache, g_queue_peek_tail(&cache->used));
	entry = g_new0(CacheEntry, 1);
	entry->key = g_strdup(key);
	entry->answer = dns_answer_ref(answer);
	entry->expires_us = now_us + life_us;
	entry->link.data = entry;
	g_queue_push_head_link(&cache->used, &entry->link);
	g_hash_table_insert(cache->entries, entry->key, entry);
}

size_t
dns_cache_size(const DnsCache *cache)
{
	return g_hash_table_size(cache->entries);
}
