/* dns.h - DNS with a bounded cache in front, one query in flight per name and type.
 *
 * Found, none, and "could not be found out" are three answers (PTN_OK, PTN_NONE, PTN_UNSURE; bogus is
 * UNSURE with is_bogus).  Any thread may ask; only dns_wait() waits. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "plugin-api.h"

typedef struct Dns Dns;
typedef struct DnsQuery DnsQuery; /* reference-counted */

/* What is kept of an answer, and how long: whoever has a zone decides what is in it, and every answer is copied and cached.
 * Of PTR it is the first, which is the one that is confirmed. */
typedef struct {
	unsigned addresses, exchangers; /* A or AAAA records; MX records */
	size_t text;                    /* octets of all TXT records together */
	int64_t found_us, none_us;      /* at most, whatever the TTL */
	int64_t failed_us;              /* a failed lookup is not repeated within */
} DnsLimits;

/* The defaults of the options of [dns]. */
DnsLimits dns_limits_default(void);

typedef struct {
	const char *const *servers;    /* "127.0.0.1" or "127.0.0.1@5353"; empty: those of /etc/resolv.conf */
	const char *trust_anchor;      /* file, or NULL: no validation                                   */
	const char *const *stub_zones; /* "zone=address[@port]": asked there, for tests and split views      */
	int64_t timeout_us;            /* a query's whole time, 1s … 60s                                  */
	size_t cache_size;             /* octets of memory for answers                                   */
	size_t most_lookups;           /* under way at a time; the answer to more is UNSURE              */
	DnsLimits limits;
	const Clock *clock;
} DnsSettings;

Dns *dns_new(const DnsSettings *settings, GError **error);
/* Ends its thread; queries still referenced stay readable and answer UNSURE.  Nobody may start a query meanwhile. */
void dns_free(Dns *dns);

/* New reference; never waits.  From the cache the answer is there at once.  A name that cannot be one (an empty label,
 * more than 253 octets) is NONE; U-labels are asked as A-labels.  `type` PTN_EXCHANGERS:
 * values "10 mx.example.org" in random order within a preference, implicit MX included ("0 name" when
 * there is no MX but A or AAAA), null MX is PTN_OK with count 0 (RFC 5321 5.1, RFC 7505). */
DnsQuery *dns_start(Dns *dns, const char *name, PtnRecord type);
/* The same past our own caches, to the servers; the answer still fills the first of them. */
DnsQuery *dns_start_fresh(Dns *dns, const char *name, PtnRecord type);
void dns_query_unref(DnsQuery *query);
/* Calls `ended` once when the last reference is gone and the servers are not asked for it any more, which may be long after
 * dns_query_unref(); on any thread, with no lock held.  It must not ask this Dns. */
typedef void DnsEnded(void *data);
void dns_query_on_end(DnsQuery *query, DnsEnded *ended, void *data);
/* NULL: not yet.  Lives as long as the reference. */
const PtnAnswer *dns_query_answer(const DnsQuery *query);
/* Waits until the answer or `deadline_us` (monotonic); past it, an UNSURE answer.  Never NULL. */
const PtnAnswer *dns_wait(DnsQuery *query, int64_t deadline_us);
/* True: the answer is there, and it is UNSURE because DNSSEC says that it is forged or broken. */
bool dns_query_is_bogus(const DnsQuery *query);
/* True: the answer is there, and has only the first of the records (DnsLimits): what it does not have
 * may exist. */
bool dns_query_is_cut(const DnsQuery *query);
/* True: the answer is there, and it is UNSURE because as many lookups are under way as may be. */
bool dns_query_is_refused(const DnsQuery *query);
/* True: the last lookup failed, and none was answered since: whoever wants to know whether the resolvers are away asks
 * something, past the caches. */
bool dns_is_doubtful(Dns *dns);
/* New: a sentence for people; NULL: lookups are answered.  They are not when, for a minute, all failed, of three names or
 * more. */
char *dns_trouble(Dns *dns);
/* What was asked. */
const char *dns_query_name(const DnsQuery *query);
PtnRecord dns_query_type(const DnsQuery *query);

/* A scripted DNS for tests and dry runs: the answer comes from `resolve` at once, which fills a new
 * PtnAnswer through dns_answer_new() (taken; NULL is UNSURE).  It is asked for each query, for MX, A and AAAA where the
 * type is PTN_EXCHANGERS; `name` is in lower case, without a dot at its end.  It must not ask this Dns. */
typedef PtnAnswer *DnsScript(void *data, const char *name, PtnRecord type);
Dns *dns_new_scripted(DnsScript *resolve, void *data);
/* Copies the values (NULL: none), which end with NULL. */
PtnAnswer *dns_answer_new(PtnStatus status, const char *const *values, int64_t ttl_us);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Dns, dns_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DnsQuery, dns_query_unref)
