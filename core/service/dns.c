/* dns.c - queries in front of a cache, lookups behind it.
 *
 * A lookup is a name and type on the wire: there is one of each at a time, it belongs to the service and runs to its
 * end.  A query is somebody's interest in it; when its time is over it is answered "unsure", and the late answer still
 * fills the cache.  PTN_EXCHANGERS is a query of up to three lookups. */
#include "service/dns-private.h"

#include <stdatomic.h>
#include <string.h>

#include "base/keyed-hash.h"
#include "proto/idn.h"
#include "service/dns-health.h"

enum { DNS_NAME_MAX = 253, DNS_LABEL_MAX = 63, DNS_PARTS = 3 };

typedef enum { PART_ONLY = 0, PART_MX = 0, PART_A, PART_AAAA } PartIndex;

struct DnsLookup {
	char *key; /* as in the cache, with a '!' before it if it is past the cache */
	PtnRecord type;
	GPtrArray *waiters; /* DnsQuery* with a reference each */
};

struct DnsQuery {
	gatomicrefcount references;
	char *name;
	PtnRecord type;
	bool is_fresh;
	/* Under the lock of the Dns, until the answer is there. */
	DnsPart parts[DNS_PARTS];
	bool asked_addresses;
	bool is_refused; /* there were as many lookups as may be */
	int64_t gives_up_us; /* monotonic */
	GList link;          /* in Dns.pending, while link.data is not NULL */
	/* Written once, before is_done. */
	PtnAnswer shown;
	DnsAnswer *answer;
	atomic_bool is_done;
	DnsEnded *ended; /* its owner's, from the start */
	void *ended_data;
	GMutex lock; /* for is_done and its waiters only; taken last */
	GCond done;
};

struct Dns {
	const Clock *clock;
	int64_t timeout_us;
	size_t most_lookups;
	const DnsTransport *transport;
	void *data;
	DnsScript *script;
	void *script_data;
	GMutex lock; /* guards all that follows */
	DnsCache *cache;
	GHashTable *lookups; /* of their keys */
	GQueue pending;      /* queries without an answer, the oldest first */
	DnsHealth health;
};

/* ---- answers ---- */

DnsAnswer *
dns_answer_make(PtnStatus status, const char *const *values, int64_t ttl_us)
{
	static const char *const none[] = { NULL };
	DnsAnswer *answer = g_new0(DnsAnswer, 1);
	char **copy = g_strdupv((char **)(uintptr_t)(values != NULL ? values : none));

	g_atomic_ref_count_init(&answer->references);
	answer->shown = (PtnAnswer){
		.status = status, .count = g_strv_length(copy), .values = (const char *const *)copy, .ttl = ttl_us
	};
	return answer;
}

size_t
dns_answer_octets(const DnsAnswer *answer)
{
	enum { APART = 16 }; /* what the allocator needs for each value */
	size_t octets = sizeof *answer + (answer->shown.count + 1) * sizeof(char *);

	for (size_t i = 0; i < answer->shown.count; i++)
		octets += strlen(answer->shown.values[i]) + 1 + APART;
	return octets;
}

DnsAnswer *
dns_answer_ref(DnsAnswer *answer)
{
	g_atomic_ref_count_inc(&answer->references);
	return answer;
}

void
dns_answer_unref(DnsAnswer *answer)
{
	if (answer == NULL || !g_atomic_ref_count_dec(&answer->references))
		return;
	g_strfreev((char **)(uintptr_t)answer->shown.values);
	g_free(answer);
}

PtnAnswer *
dns_answer_new(PtnStatus status, const char *const *values, int64_t ttl_us)
{
	return &dns_answer_make(status, values, ttl_us)->shown;
}

/* ---- queries ---- */

static DnsQuery *
dns_query_ref(DnsQuery *query)
{
	g_atomic_ref_count_inc(&query->references);
	return query;
}

void
dns_query_unref(DnsQuery *query)
{
	if (query == NULL || !g_atomic_ref_count_dec(&query->references))
		return;
	for (int i = 0; i < DNS_PARTS; i++)
		dns_answer_unref(query->parts[i].answer);
	dns_answer_unref(query->answer);
	g_free(query->name);
	g_mutex_clear(&query->lock);
	g_cond_clear(&query->done);
	if (query->ended != NULL)
		query->ended(query->ended_data);
	g_free(query);
}

void
dns_query_on_end(DnsQuery *query, DnsEnded *ended, void *data)
{
	query->ended = ended;
	query->ended_data = data;
}

static void
dns_query_unref_element(void *query)
{
	dns_query_unref(query);
}

static DnsQuery *
dns_query_new(const char *name, PtnRecord type, bool is_fresh)
{
	DnsQuery *query = g_new0(DnsQuery, 1);

	g_atomic_ref_count_init(&query->references);
	query->name = g_strdup(name);
	query->type = type;
	query->is_fresh = is_fresh;
	g_mutex_init(&query->lock);
	g_cond_init(&query->done);
	return query;
}

/* Takes `answer`. */
static void
dns_query_finish(DnsQuery *query, DnsAnswer *answer, int64_t ttl_us)
{
	query->answer = answer;
	query->shown = answer->shown;
	query->shown.ttl = ttl_us;
	g_mutex_lock(&query->lock);
	atomic_store_explicit(&query->is_done, true, memory_order_release);
	g_cond_broadcast(&query->done);
	g_mutex_unlock(&query->lock);
}

static bool
dns_query_is_done(const DnsQuery *query)
{
	return atomic_load_explicit(&query->is_done, memory_order_acquire);
}

const PtnAnswer *
dns_query_answer(const DnsQuery *query)
{
	return dns_query_is_done(query) ? &query->shown : NULL;
}

bool
dns_query_is_bogus(const DnsQuery *query)
{
	return dns_query_is_done(query) && query->answer->is_bogus;
}

bool
dns_query_is_cut(const DnsQuery *query)
{
	return dns_query_is_done(query) && query->answer->is_cut;
}

bool
dns_query_is_refused(const DnsQuery *query)
{
	return dns_query_is_done(query) && query->is_refused && query->shown.status == PTN_UNSURE;
}

const char *
dns_query_name(const DnsQuery *query)
{
	return query->name;
}

PtnRecord
dns_query_type(const DnsQuery *query)
{
	return query->type;
}

const PtnAnswer *
dns_wait(DnsQuery *query, int64_t deadline_us)
{
	static const char *const none[] = { NULL };
	static const PtnAnswer late = { .status = PTN_UNSURE, .values = none };

	if (dns_query_is_done(query))
		return &query->shown;
	g_mutex_lock(&query->lock);
	while (!dns_query_is_done(query) && g_cond_wait_until(&query->done, &query->lock, deadline_us))
		;
	g_mutex_unlock(&query->lock);
	return dns_query_is_done(query) ? &query->shown : &late;
}

/* ---- lookups; with the lock held ---- */

static void
dns_lookup_free(void *data)
{
	DnsLookup *lookup = data;

	g_ptr_array_unref(lookup->waiters);
	g_free(lookup->key);
	g_free(lookup);
}

static DnsLookup *
dns_start_lookup(Dns *dns, const char *key, const DnsQuery *query, PtnRecord type)
{
	DnsLookup *lookup;

	if (g_hash_table_size(dns->lookups) >= dns->most_lookups)
		return NULL;
	lookup = g_new0(DnsLookup, 1);
	lookup->key = g_strdup(key);
	lookup->type = type;
	lookup->waiters = g_ptr_array_new_with_free_func(dns_query_unref_element);
	if (!dns->transport->start(dns->data, query->name, type, query->is_fresh, lookup)) {
		dns_lookup_free(lookup);
		return NULL;
	}
	g_hash_table_insert(dns->lookups, lookup->key, lookup);
	return lookup;
}

static DnsPart
dns_ask_script(Dns *dns, const char *name, PtnRecord type)
{
	PtnAnswer *shown = dns->script(dns->script_data, name, type);
	DnsAnswer *answer = shown != NULL ? (DnsAnswer *)(void *)shown : dns_answer_make(PTN_UNSURE, NULL, 0);

	return (DnsPart){ answer, answer->shown.ttl };
}

/* The answer, if it is there; else the query waits for it. */
static DnsPart
dns_ask(Dns *dns, DnsQuery *query, PtnRecord type)
{
	g_autofree char *key = NULL;
	DnsPart part = { NULL, 0 };
	DnsLookup *lookup;

	if (dns->script != NULL)
		return dns_ask_script(dns, query->name, type);
	key = g_strdup_printf("%s%u:%s", query->is_fresh ? "!" : "", (unsigned)type, query->name);
	if (!query->is_fresh)
		part.answer = dns_cache_get(dns->cache, key, clock_monotonic(dns->clock), &part.ttl_us);
	if (part.answer != NULL)
		return part;
	lookup = g_hash_table_lookup(dns->lookups, key);
	if (lookup == NULL)
		lookup = dns_start_lookup(dns, key, query, type);
	if (lookup == NULL) {
		query->is_refused = true;
		return (DnsPart){ dns_answer_make(PTN_UNSURE, NULL, 0), 0 };
	}
	g_ptr_array_add(lookup->waiters, dns_query_ref(query));
	return part;
}

static void
dns_settle(Dns *dns, DnsQuery *query, DnsAnswer *answer, int64_t ttl_us)
{
	if (query->link.data != NULL) {
		g_queue_unlink(&dns->pending, &query->link);
		query->link.data = NULL;
	}
	dns_query_finish(query, answer, ttl_us);
}

/* Asks what is not asked yet, and answers the query if that can be done. */
static void
dns_advance(Dns *dns, DnsQuery *query)
{
	DnsPart *parts = query->parts;
	DnsAnswer *answer;

	if (parts[PART_MX].answer == NULL)
		return;
	if (query->type != PTN_EXCHANGERS) {
		dns_settle(dns, query, dns_answer_ref(parts[PART_ONLY].answer), parts[PART_ONLY].ttl_us);
		return;
	}
	answer = dns_exchangers(query->name, &parts[PART_MX], &parts[PART_A], &parts[PART_AAAA]);
	if (answer == NULL && !query->asked_addresses) {
		query->asked_addresses = true;
		parts[PART_A] = dns_ask(dns, query, PTN_A);
		parts[PART_AAAA] = dns_ask(dns, query, PTN_AAAA);
		answer = dns_exchangers(query->name, &parts[PART_MX], &parts[PART_A], &parts[PART_AAAA]);
	}
	if (answer != NULL)
		dns_settle(dns, query, answer, answer->shown.ttl);
}

/* Nobody but its only lookup refers to it: what else there is to ask would be asked for nobody. */
static bool
dns_query_is_left(DnsQuery *query)
{
	return g_atomic_ref_count_compare(&query->references, 1);
}

static void
dns_feed(Dns *dns, DnsQuery *query, PtnRecord type, DnsAnswer *answer)
{
	const PartIndex i = query->type != PTN_EXCHANGERS || type == PTN_MX ? PART_MX
						: type == PTN_A                                 ? PART_A
																		: PART_AAAA;

	if (dns_query_is_done(query))
		return;
	if (i == PART_MX && dns_query_is_left(query)) {
		dns_settle(dns, query, dns_answer_make(PTN_UNSURE, NULL, 0), 0);
		return;
	}
	query->parts[i] = (DnsPart){ dns_answer_ref(answer), answer->shown.ttl };
	dns_advance(dns, query);
}

/* Lock held.  A forged answer is an answer. */
static void
dns_note_health(Dns *dns, const char *name, const DnsAnswer *answer)
{
	if (answer->shown.status != PTN_UNSURE || answer->is_bogus)
		dns_health_answered(&dns->health);
	else
		dns_health_failed(&dns->health, name, clock_monotonic(dns->clock));
}

void
dns_deliver(Dns *dns, DnsLookup *lookup, DnsAnswer *answer)
{
	g_mutex_lock(&dns->lock);
	(void)g_hash_table_steal(dns->lookups, lookup->key);
	dns_note_health(dns, strchr(lookup->key, ':') + 1, answer);
	dns_cache_put(dns->cache, lookup->key + (*lookup->key == '!'), answer, clock_monotonic(dns->clock));
	for (guint i = 0; i < lookup->waiters->len; i++)
		dns_feed(dns, g_ptr_array_index(lookup->waiters, i), lookup->type, answer);
	g_mutex_unlock(&dns->lock);
	dns_lookup_free(lookup);
	dns_answer_unref(answer);
}

int64_t
dns_expire(Dns *dns)
{
	const int64_t now = clock_monotonic(dns->clock);
	int64_t next = CLOCK_NEVER;
	DnsQuery *query;

	g_mutex_lock(&dns->lock);
	while ((query = g_queue_peek_head(&dns->pending)) != NULL && query->gives_up_us <= now) {
		dns_health_failed(&dns->health, query->name, now);
		dns_settle(dns, query, dns_answer_make(PTN_UNSURE, NULL, 0), 0);
	}
	if (query != NULL)
		next = query->gives_up_us;
	g_mutex_unlock(&dns->lock);
	return next;
}

bool
dns_is_doubtful(Dns *dns)
{
	bool is_doubtful;

	g_mutex_lock(&dns->lock);
	is_doubtful = dns->health.lookups > 0;
	g_mutex_unlock(&dns->lock);
	return is_doubtful;
}

char *
dns_trouble(Dns *dns)
{
	const int64_t now_us = clock_monotonic(dns->clock);
	int64_t since_us;

	g_mutex_lock(&dns->lock);
	since_us = dns_health_away_since(&dns->health, now_us);
	g_mutex_unlock(&dns->lock);
	if (since_us == 0)
		return NULL;
	return g_strdup("for a minute or longer no lookup was answered: senders and recipients that must be "
					"looked up get 450, mail by MX is deferred");
}

/* ---- names ---- */

static bool
dns_name_is_possible(const char *name)
{
	size_t label = 0;

	if (*name == '\0' || strlen(name) > DNS_NAME_MAX)
		return false;
	for (const char *c = name; *c != '\0'; c++) {
		if ((unsigned char)*c <= ' ' || *c == 0x7f || *c == '\\' || (*c == '.' && label == 0))
			return false;
		label = *c == '.' ? 0 : label + 1;
		if (label > DNS_LABEL_MAX)
			return false;
	}
	return label > 0;
}

/* As the cache and the script know it; NULL: it cannot be a name.  New. */
static char *
dns_normalise(const char *name)
{
	g_autofree char *ascii = g_str_is_ascii(name) ? g_ascii_strdown(name, -1) : idn_to_ascii(name, strlen(name));
	const size_t length = ascii != NULL ? strlen(ascii) : 0;

	if (length > 1 && ascii[length - 1] == '.')
		ascii[length - 1] = '\0';
	return ascii != NULL && dns_name_is_possible(ascii) ? g_steal_pointer(&ascii) : NULL;
}

static DnsQuery *
dns_begin(Dns *dns, const char *name, PtnRecord type, bool is_fresh)
{
	g_autofree char *normal = dns_normalise(name);
	DnsQuery *query = dns_query_new(normal, type, is_fresh);
	bool is_first = false;

	if (normal == NULL) {
		dns_query_finish(query, dns_answer_make(PTN_NONE, NULL, 0), 0);
		return query;
	}
	g_mutex_lock(&dns->lock);
	query->parts[PART_MX] = dns_ask(dns, query, type == PTN_EXCHANGERS ? PTN_MX : type);
	dns_advance(dns, query);
	if (!dns_query_is_done(query)) {
		is_first = g_queue_is_empty(&dns->pending);
		query->gives_up_us = clock_monotonic(dns->clock) + dns->timeout_us;
		query->link.data = query;
		g_queue_push_tail_link(&dns->pending, &query->link);
	}
	g_mutex_unlock(&dns->lock);
	if (is_first)
		dns->transport->wake(dns->data);
	return query;
}

DnsQuery *
dns_start(Dns *dns, const char *name, PtnRecord type)
{
	return dns_begin(dns, name, type, false);
}

DnsQuery *
dns_start_fresh(Dns *dns, const char *name, PtnRecord type)
{
	return dns_begin(dns, name, type, true);
}

/* ---- the service ---- */

DnsLimits
dns_limits_default(void)
{
	return (DnsLimits){ .addresses = 32,
		.exchangers = 100,
		.text = 4096,
		.found_us = 86400 * CLOCK_SECOND,
		.none_us = 3600 * CLOCK_SECOND,
		.failed_us = 5 * CLOCK_SECOND };
}

Dns *
dns_new_over(const DnsTransport *transport, void *data, const DnsSettings *settings)
{
	Dns *dns = g_new0(Dns, 1);

	dns->transport = transport;
	dns->data = data;
	dns->clock = settings->clock;
	dns->timeout_us = settings->timeout_us;
	dns->most_lookups = settings->most_lookups;
	g_mutex_init(&dns->lock);
	dns->cache = dns_cache_new(settings->cache_size, &settings->limits);
	dns->lookups = g_hash_table_new_full(keyed_hash_text, g_str_equal, NULL, dns_lookup_free);
	g_queue_init(&dns->pending);
	return dns;
}

Dns *
dns_new_scripted(DnsScript *resolve, void *data)
{
	const DnsSettings settings = { .clock = clock_system(), .limits = dns_limits_default() };
	Dns *dns = dns_new_over(NULL, NULL, &settings);

	dns->script = resolve;
	dns->script_data = data;
	return dns;
}

void
dns_free(Dns *dns)
{
	DnsQuery *query;

	if (dns == NULL)
		return;
	if (dns->transport != NULL)
		dns->transport->stop(dns->data);
	while ((query = g_queue_peek_head(&dns->pending)) != NULL)
		dns_settle(dns, query, dns_answer_make(PTN_UNSURE, NULL, 0), 0);
	g_hash_table_unref(dns->lookups);
	dns_cache_free(dns->cache);
	g_mutex_clear(&dns->lock);
	g_free(dns);
}
