/* spf.h - whether an address may send by an SPF record (RFC 7208), as far as an administrator's own record goes.
 *
 * Mechanisms ip4, ip6, a, mx, include and all, and redirect=; exists, ptr and macros count as not matching.  Waits. */
#pragma once

#include "base/ip.h"
#include "service/dns.h"

typedef enum { SPF_PASS, SPF_FAIL, SPF_NONE /* no record */, SPF_UNSURE /* DNS failed, or more than ten lookups */ } SpfResult;

/* Of `domain`'s record, until `deadline_us` (monotonic). */
SpfResult spf_check(Dns *dns, const char *domain, const IpAddress *address, int64_t deadline_us);
