/* dns-health.c - lookups that failed since one was answered. */
#include "service/dns-health.h"

#include "base/clock.h"
#include "base/keyed-hash.h"

void
dns_health_answered(DnsHealth *health)
{
	*health = (DnsHealth){ 0 };
}

void
dns_health_failed(DnsHealth *health, const char *name, int64_t now_us)
{
	const unsigned hash = keyed_hash_text(name);

	if (health->lookups++ == 0)
		health->since_us = now_us;
	for (unsigned i = 0; i < health->n_names; i++)
		if (health->names[i] == hash)
			return;
	if (health->n_names < DNS_HEALTH_NAMES)
		health->names[health->n_names++] = hash;
}

int64_t
dns_health_away_since(const DnsHealth *health, int64_t now_us)
{
	const bool is_away = health->n_names == DNS_HEALTH_NAMES && now_us - health->since_us >= DNS_HEALTH_US;

	return is_away ? health->since_us : 0;
}
