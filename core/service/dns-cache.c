/* dns-cache.c - answers by name and type, kept as long as their TTL says; when there are too many, those used least recently go first. */
#include "service/dns-private.h"

#include <string.h>

#include "base/keyed-hash.h"

typedef struct {
	char *key;
	size_t octets;
	DnsAnswer *answer;
	int64_t expires_us;
	GList link; /* in `used` */
} CacheEntry;

struct DnsCache {
	DnsLimits limits;
	size_t most, octets;
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
dns_cache_new(size_t most, const DnsLimits *limits)
{
	DnsCache *cache = g_new0(DnsCache, 1);

	cache->most = most;
	cache->limits = *limits;
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
	cache->octets -= entry->octets;
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
dns_cache_life(const DnsLimits *limits, const DnsAnswer *answer)
{
	switch (answer->shown.status) {
	case PTN_OK:
		return MIN(answer->shown.ttl, limits->found_us);
	case PTN_NONE:
		return MIN(answer->shown.ttl, limits->none_us);
	default:
		return limits->failed_us;
	}
}

/* With what the allocator and the table need for each. */
static size_t
dns_cache_octets_of(const char *key, const DnsAnswer *answer)
{
	enum { APART = 64 };

	return sizeof(CacheEntry) + strlen(key) + dns_answer_octets(answer) + APART;
}

/* False: the entry is larger than the whole cache. */
static bool
dns_cache_make_room(DnsCache *cache, size_t octets)
{
	if (octets > cache->most)
		return false;
	while (cache->octets > cache->most - octets)
		dns_cache_drop(cache, g_queue_peek_tail(&cache->used));
	return true;
}

void
dns_cache_put(DnsCache *cache, const char *key, DnsAnswer *answer, int64_t now_us)
{
	CacheEntry *entry = g_hash_table_lookup(cache->entries, key);
	const int64_t life_us = dns_cache_life(&cache->limits, answer);
	const size_t octets = dns_cache_octets_of(key, answer);

	/* A failure does not take away what is known and still good. */
	if (entry != NULL && answer->shown.status == PTN_UNSURE && entry->expires_us > now_us)
		return;
	if (entry != NULL)
		dns_cache_drop(cache, entry);
	if (life_us <= 0 || !dns_cache_make_room(cache, octets))
		return;
	entry = g_new0(CacheEntry, 1);
	entry->key = g_strdup(key);
	entry->octets = octets;
	cache->octets += octets;
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

size_t
dns_cache_octets(const DnsCache *cache)
{
	return cache->octets;
}
