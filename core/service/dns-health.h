/* dns-health.h - whether names can be looked up at all; its user locks.
 *
 * A name whose servers are down says nothing of our resolvers: names that fail count by themselves, and any answer, also
 * "there is none", shows that the others can be asked. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { DNS_HEALTH_NAMES = 3 }; /* so many names must have failed */

#define DNS_HEALTH_US (60 * CLOCK_SECOND) /* so long nothing was answered */

typedef struct {
	uint64_t lookups;                 /* that failed since the last answer */
	unsigned names[DNS_HEALTH_NAMES]; /* keyed hashes of the first names that failed */
	unsigned n_names;
	int64_t since_us; /* monotonic; when the first of them failed */
} DnsHealth;

void dns_health_answered(DnsHealth *health);
void dns_health_failed(DnsHealth *health, const char *name, int64_t now_us);
/* Monotonic, since when nothing is answered; 0: it is not certain that the resolvers are away. */
int64_t dns_health_away_since(const DnsHealth *health, int64_t now_us);
