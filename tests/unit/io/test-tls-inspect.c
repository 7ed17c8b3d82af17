/* test-tls-inspect.c - when a certificate's end is worth an alarm. */
#include <glib.h>
#include <string.h>

#include "base/clock.h"
#include "io/tls-inspect.h"
#include "suites.h"

#define DAY (86400 * CLOCK_SECOND)
#define BEGIN (INT64_C(20000) * DAY)

static void
test_expiry(void)
{
	static const struct {
		int life_days;
		double left_days;
		const char *says; /* NULL: nothing */
	} cases[] = {
		{ 90, 90, NULL }, { 90, 21.1, NULL }, { 90, 20.9, "was not renewed yet" }, { 90, 7.1, "was not renewed yet" },
		{ 90, 6.9, "renew it now" }, { 90, 0.01, "renew it now" }, { 90, 0, "expired on" }, { 90, -100, "expired on" },
		{ 825, 22, NULL }, { 825, 20, "was not renewed yet" }, /* at most 21 days before */
		{ 6, 2.1, NULL }, { 6, 1.9, "was not renewed yet" }, { 6, 0.5, "renew it now" }, /* of short life: shares of it */
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		const TlsFacts facts = { .begins_us = BEGIN, .ends_us = BEGIN + cases[i].life_days * DAY };
		g_autofree char *text =
			tls_expiry_complaint("/c.pem", &facts, facts.ends_us - (int64_t)(cases[i].left_days * (double)DAY));

		CU_ASSERT_EQUAL(text == NULL, cases[i].says == NULL);
		CU_ASSERT_TRUE(text == NULL || (strstr(text, cases[i].says) != NULL && strstr(text, "/c.pem") != NULL));
	}
}

static const UnitTest tests[] = { { "a certificate is told of at a third and a tenth of its life", test_expiry }, { 0 } };
const UnitSuite suite_tls_inspect = { "tls-inspect", tests };
