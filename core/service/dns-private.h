/* dns-private.h - answers, the cache, and the seam behind which names are looked up; for the files of dns and their test. */
#pragma once

#include "service/dns.h"

typedef struct DnsCache DnsCache;
typedef struct DnsLookup DnsLookup; /* a name and type being looked up */

/* Immutable and reference-counted; `shown` comes first, so that a PtnAnswer of ours is one of these. */
typedef struct {
	PtnAnswer shown;
	gatomicrefcount references;
	bool is_bogus;
	bool is_nxdomain; /* NONE for all types */
	bool is_cut;      /* there were more or longer records than are kept */
} DnsAnswer;

/* New reference. */
DnsAnswer *dns_answer_make(PtnStatus status, const char *const *values, int64_t ttl_us);
DnsAnswer *dns_answer_ref(DnsAnswer *answer);
void dns_answer_unref(DnsAnswer *answer); /* NULL is allowed */

/* Octets of memory that it takes. */
size_t dns_answer_octets(const DnsAnswer *answer);

/* ---- the cache; its user locks ---- */

/* `most`: octets of memory that answers and their names may take. */
DnsCache *dns_cache_new(size_t most, const DnsLimits *limits);
void dns_cache_free(DnsCache *cache);
/* New reference, or NULL; `ttl_us` gets what is left. */
DnsAnswer *dns_cache_get(DnsCache *cache, const char *key, int64_t now_us, int64_t *ttl_us);
/* Keeps it by its TTL and the limits.  Those used least recently go until it fits. */
void dns_cache_put(DnsCache *cache, const char *key, DnsAnswer *answer, int64_t now_us);
size_t dns_cache_size(const DnsCache *cache);   /* answers */
size_t dns_cache_octets(const DnsCache *cache);

/* ---- where to deliver ---- */

typedef struct {
	DnsAnswer *answer;
	int64_t ttl_us;
} DnsPart;

/* RFC 5321 5.1, RFC 7505.  New reference; NULL: A and AAAA have to be asked, or waited for (answer NULL). */
DnsAnswer *dns_exchangers(const char *name, const DnsPart *mx, const DnsPart *a, const DnsPart *aaaa);

/* ---- the seam ---- */

typedef struct {
	/* Asks, `is_fresh` past any cache of its own; dns_deliver() comes later, never from within.  False: it cannot be asked
	 * now. */
	bool (*start)(void *data, const char *name, PtnRecord type, bool is_fresh, DnsLookup *lookup);
	/* Calls dns_expire() soon. */
	void (*wake)(void *data);
	/* Ends it; nothing is delivered after this. */
	void (*stop)(void *data);
} DnsTransport;

/* `transport` and `data` are borrowed; stop frees `data` if it likes. */
Dns *dns_new_over(const DnsTransport *transport, void *data, const DnsSettings *settings);
/* Takes `answer` and `lookup`; any thread. */
void dns_deliver(Dns *dns, DnsLookup *lookup, DnsAnswer *answer);
/* Gives up on queries whose time is over; when it wants to be called again (monotonic), or CLOCK_NEVER. */
int64_t dns_expire(Dns *dns);

/* Records in wire format, `data` ending with NULL, as an answer: damaged ones are left out, and what is beyond the limits.
 * UNSURE if none is left.  `ttl` in seconds.  New. */
DnsAnswer *dns_answer_found(const DnsLimits *limits, PtnRecord type, char *const *data, const int *sizes, int ttl);
/* The text of one record's data in wire format, or NULL if it is damaged.  New. */
char *dns_rdata_text(PtnRecord type, const uint8_t *data, size_t size);
