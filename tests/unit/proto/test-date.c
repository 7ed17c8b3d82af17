/* test-date.c - dates as header fields write them. */
#include "proto/date.h"

#include <glib.h>

#include "suites.h"

static void
formats_dates(void)
{
	static const struct {
		int64_t us;
		const char *text;
	} cases[] = {
		{ 0, "Thu, 01 Jan 1970 00:00:00 +0000" },
		{ INT64_C(1795334400) * 1000000, "Sun, 22 Nov 2026 08:00:00 +0000" },
		{ INT64_C(1709210096) * 1000000 + 999999, "Thu, 29 Feb 2024 12:34:56 +0000" },
		{ INT64_C(253402300799) * 1000000, "Fri, 31 Dec 9999 23:59:59 +0000" },
		{ INT64_MAX, "Fri, 31 Dec 9999 23:59:59 +0000" },
		{ -1, "Thu, 01 Jan 1970 00:00:00 +0000" },
		{ INT64_MIN, "Thu, 01 Jan 1970 00:00:00 +0000" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		char text[DATE_SIZE];

		ASSERT_TEXT(date_format(cases[i].us, text), cases[i].text);
	}
}

static const UnitTest tests[] = {
	{ "dates are of RFC 5322, in UTC, whatever the time", formats_dates },
	{ 0 },
};

const UnitSuite suite_date = { "date", tests };
