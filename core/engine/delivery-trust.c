/* delivery-trust.c - which next hops have a certificate that is not accepted. */
#include "engine/delivery-trust.h"

#include "base/keyed-hash.h"

enum { TRUST_MOST = 20 }; /* next hops with an alarm of their own: whose domains mail goes to others decide */

struct DeliveryTrust {
	Metrics *metrics;
	GMutex lock;         /* guards what follows */
	GHashTable *failing; /* next hop -> int64_t*, when it failed last: those with an alarm */
};

DeliveryTrust *
delivery_trust_new(Metrics *metrics)
{
	DeliveryTrust *trust = g_new0(DeliveryTrust, 1);

	trust->metrics = metrics;
	g_mutex_init(&trust->lock);
	trust->failing = g_hash_table_new_full(keyed_hash_text, g_str_equal, g_free, g_free);
	return trust;
}

void
delivery_trust_free(DeliveryTrust *trust)
{
	g_hash_table_unref(trust->failing);
	g_mutex_clear(&trust->lock);
	g_free(trust);
}

static void
trust_alarm(const DeliveryTrust *trust, const char *hop, const char *reply)
{
	g_autofree char *name = g_strdup_printf("delivery.certificate.%s", hop);
	g_autofree char *text = NULL;

	if (reply != NULL)
		text = g_strdup_printf("mail for next hop %s is deferred: %s", hop, reply);
	metrics_alarm(trust->metrics, name, text);
}

void
delivery_trust_failed(DeliveryTrust *trust, const char *hop, const char *reply, int64_t now_us)
{
	g_mutex_lock(&trust->lock);
	if (g_hash_table_contains(trust->failing, hop) || g_hash_table_size(trust->failing) < TRUST_MOST) {
		g_hash_table_replace(trust->failing, g_strdup(hop), g_memdup2(&now_us, sizeof now_us));
		trust_alarm(trust, hop, reply);
	}
	g_mutex_unlock(&trust->lock);
}

void
delivery_trust_succeeded(DeliveryTrust *trust, const char *hop)
{
	g_mutex_lock(&trust->lock);
	if (g_hash_table_remove(trust->failing, hop))
		trust_alarm(trust, hop, NULL);
	g_mutex_unlock(&trust->lock);
}

void
delivery_trust_expire(DeliveryTrust *trust, int64_t before_us)
{
	GHashTableIter each;
	void *hop, *failed_us;

	g_mutex_lock(&trust->lock);
	g_hash_table_iter_init(&each, trust->failing);
	while (g_hash_table_iter_next(&each, &hop, &failed_us))
		if (*(int64_t *)failed_us < before_us) {
			trust_alarm(trust, hop, NULL);
			g_hash_table_iter_remove(&each);
		}
	g_mutex_unlock(&trust->lock);
}

void
delivery_trust_forget(DeliveryTrust *trust)
{
	delivery_trust_expire(trust, INT64_MAX);
}
