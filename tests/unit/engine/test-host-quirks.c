/* test-host-quirks.c - what servers offer and cannot do. */
#include "engine/host-quirks.h"

#include <glib.h>

#include "suites.h"
#include "unit/service/fake-clock.h"

static void
test_time(void)
{
	FakeClock clock = fake_clock();
	HostQuirks *quirks = host_quirks_new(&clock.clock);

	CU_ASSERT_EQUAL(host_quirks_of(quirks, "192.0.2.1 25"), 0);
	CU_ASSERT_TRUE(host_quirks_note(quirks, "192.0.2.1 25", QUIRK_TLS));
	CU_ASSERT_FALSE(host_quirks_note(quirks, "192.0.2.1 25", QUIRK_TLS));
	CU_ASSERT_TRUE(host_quirks_note(quirks, "192.0.2.1 25", QUIRK_PIPELINING));
	CU_ASSERT_EQUAL(host_quirks_of(quirks, "192.0.2.1 25"), QUIRK_TLS | QUIRK_PIPELINING);
	CU_ASSERT_EQUAL(host_quirks_of(quirks, "192.0.2.1 26"), 0);
	clock.now_us += (HOST_QUIRKS_US - 1);
	CU_ASSERT_EQUAL(host_quirks_of(quirks, "192.0.2.1 25"), QUIRK_TLS | QUIRK_PIPELINING);
	clock.now_us += (1);
	CU_ASSERT_EQUAL(host_quirks_of(quirks, "192.0.2.1 25"), 0);
	CU_ASSERT_EQUAL(host_quirks_of(NULL, "192.0.2.1 25"), 0);
	host_quirks_free(quirks);
}

static void
test_limit(void)
{
	FakeClock clock = fake_clock();
	HostQuirks *quirks = host_quirks_new(&clock.clock);

	for (unsigned i = 0; i <= HOST_QUIRKS_MOST; i++) {
		g_autofree char *place = g_strdup_printf("192.0.2.1 %u", i + 1);

		CU_ASSERT_TRUE(host_quirks_note(quirks, place, QUIRK_TLS));
	}
	CU_ASSERT_EQUAL(host_quirks_of(quirks, "192.0.2.1 1"), 0);
	CU_ASSERT_EQUAL(host_quirks_of(quirks, "192.0.2.1 2"), QUIRK_TLS);
	CU_ASSERT_EQUAL(host_quirks_of(quirks, "192.0.2.1 1001"), QUIRK_TLS);
	host_quirks_free(quirks);
}

static const UnitTest tests[] = {
	{ "a quirk counts for an hour", test_time },
	{ "of too many hosts the oldest is forgotten", test_limit },
	{ NULL, NULL },
};

const UnitSuite suite_host_quirks = { "host-quirks", tests };
