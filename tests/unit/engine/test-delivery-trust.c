/* test-delivery-trust.c - alarms for certificates of next hops. */
#include <glib.h>
#include <string.h>

#include "engine/delivery-trust.h"
#include "unit/engine/suites.h"
#include "unit/unit.h"

static void
show_alarm(void *data, const char *name, const char *text, int64_t since_us)
{
	(void)since_us;
	g_string_append_printf(data, "%s: %s\n", name, text);
}

static void
assert_alarms(Metrics *metrics, const char *expected)
{
	g_autoptr(GString) shown = g_string_new(NULL);

	metrics_each_alarm(metrics, show_alarm, shown);
	ASSERT_TEXT(shown->str, expected);
}

static void
test_alarms(void)
{
	g_autoptr(Metrics) metrics = metrics_new();
	DeliveryTrust *trust = delivery_trust_new(metrics);

	delivery_trust_failed(trust, "smtp:a", "expired", 10);
	delivery_trust_failed(trust, "smtp:b", "self-signed", 20);
	delivery_trust_failed(trust, "smtp:a", "another name", 30);
	assert_alarms(metrics, "delivery.certificate.smtp:a: mail for next hop smtp:a is deferred: another name\n"
						   "delivery.certificate.smtp:b: mail for next hop smtp:b is deferred: self-signed\n");
	delivery_trust_succeeded(trust, "smtp:c");
	delivery_trust_expire(trust, 30); /* the last failure counts */
	assert_alarms(metrics, "delivery.certificate.smtp:a: mail for next hop smtp:a is deferred: another name\n");
	delivery_trust_succeeded(trust, "smtp:a");
	assert_alarms(metrics, "");
	delivery_trust_failed(trust, "smtp:b", "self-signed", 40);
	delivery_trust_forget(trust);
	assert_alarms(metrics, "");
	delivery_trust_free(trust);
}

/* Others decide to whose domains mail goes. */
static void
test_bound(void)
{
	g_autoptr(Metrics) metrics = metrics_new();
	DeliveryTrust *trust = delivery_trust_new(metrics);

	for (int i = 0; i < 100; i++) {
		g_autofree char *hop = g_strdup_printf("mx:%d.example", i);

		delivery_trust_failed(trust, hop, "expired", i);
	}
	CU_ASSERT_EQUAL(metrics_alarms(metrics), 20);
	delivery_trust_succeeded(trust, "mx:0.example");
	delivery_trust_failed(trust, "mx:99.example", "expired", 100);
	CU_ASSERT_EQUAL(metrics_alarms(metrics), 20);
	delivery_trust_free(trust);
}

static const UnitTest tests[] = {
	{ "a certificate that is not accepted is an alarm until it is, or no mail is left for the next hop", test_alarms },
	{ "there are 20 such alarms at most", test_bound },
	{ NULL, NULL },
};

const UnitSuite suite_delivery_trust = { "delivery-trust", tests };
