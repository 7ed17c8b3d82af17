/* test-line.c - cutting a stream into lines. */
#include "proto/line.h"

#include <glib.h>
#include <string.h>

#include "suites.h"

enum { LIMIT = 16 };

typedef struct {
	const char *data;
	bool is_lenient;
	LineResult result;
	size_t size, used;
} LineCase;

static void
check_cases(const LineCase *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t size = 99, used = 99;
		const LineResult result = line_find(cases[i].data, strlen(cases[i].data), LIMIT,
			cases[i].is_lenient, &size, &used);
		const bool is_more = cases[i].result == LINE_MORE;
		g_autofree char *got = g_strdup_printf("%zu: %d %zu %zu", i, result, size, used);
		g_autofree char *expected = g_strdup_printf("%zu: %d %zu %zu", i, cases[i].result,
			is_more ? 99 : cases[i].size,
			is_more ? 99 : cases[i].used);

		ASSERT_TEXT(got, expected);
	}
}

static void
finds_lines(void)
{
	static const LineCase cases[] = {
		{ "NOOP\r\nQUIT\r\n", false, LINE_OK, 4, 6 },
		{ "\r\n", false, LINE_OK, 0, 2 },
		{ "NOOP\r\nQU\nIT", false, LINE_OK, 4, 6 },
		{ "", false, LINE_MORE, 0, 0 },
		{ "NOOP", false, LINE_MORE, 0, 0 },
		{ "NOOP\r", false, LINE_MORE, 0, 0 },
		{ "NOOP\r", true, LINE_MORE, 0, 0 },
	};

	check_cases(cases, G_N_ELEMENTS(cases));
}

static void
tells_bare_ends(void)
{
	static const LineCase strict[] = {
		{ "NOOP\nQUIT\r\n", false, LINE_BARE, 4, 5 },
		{ "\n", false, LINE_BARE, 0, 1 },
		{ "NO\rOP\r\n", false, LINE_BARE, 2, 3 },
		{ "NOOP\r\r\n", false, LINE_BARE, 4, 5 },
		{ "\rx", false, LINE_BARE, 0, 1 },
	};
	static const LineCase lenient[] = {
		{ "NOOP\nQUIT\r\n", true, LINE_OK, 4, 5 },
		{ "\n", true, LINE_OK, 0, 1 },
		{ "NO\rOP\r\n", true, LINE_OK, 5, 7 },
		{ "NOOP\r\r\n", true, LINE_OK, 5, 7 },
		{ "NO\rOP\n", true, LINE_OK, 5, 6 },
	};

	check_cases(strict, G_N_ELEMENTS(strict));
	check_cases(lenient, G_N_ELEMENTS(lenient));
}

static void
keeps_limit(void)
{
	static const LineCase cases[] = {
		{ "12345678901234\r\n", false, LINE_OK, 14, 16 },
		{ "123456789012345\r\n", false, LINE_TOO_LONG, 0, 15 },
		{ "1234567890123456\r\n", false, LINE_TOO_LONG, 0, 16 },
		{ "123456789012345", false, LINE_MORE, 0, 0 },
		{ "1234567890123456", false, LINE_TOO_LONG, 0, 16 },
		{ "123456789012345\r", false, LINE_TOO_LONG, 0, 15 },
		{ "123456789012345\n", true, LINE_OK, 15, 16 },
		{ "1234567890123456\n", true, LINE_TOO_LONG, 0, 16 },
		{ "12345678901234\n6789", false, LINE_BARE, 14, 15 },
	};

	check_cases(cases, G_N_ELEMENTS(cases));
}

/* The end of a line that was too long is found wherever the reads cut it. */
static void
finds_end_after_too_long(void)
{
	static const char data[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\nNOOP\r\n";

	for (size_t junk = LIMIT; junk <= 50; junk++) {
		const char *at = data + 50 - junk;
		size_t left = strlen(at), size, used;
		LineResult result;

		while ((result = line_find(at, left, LIMIT, false, &size, &used)) == LINE_TOO_LONG) {
			CU_ASSERT_FATAL(used > 0);
			at += used;
			left -= used;
		}
		CU_ASSERT_EQUAL_FATAL(result, LINE_OK);
		at += used;
		left -= used;
		CU_ASSERT_EQUAL(line_find(at, left, LIMIT, false, &size, &used), LINE_OK);
		CU_ASSERT(size == 4 && used == left && memcmp(at, "NOOP", 4) == 0);
	}
}

static const UnitTest tests[] = {
	{ "only CRLF ends a line", finds_lines },
	{ "E-12 a bare CR or LF ends no line, or LF does where it is asked for", tells_bare_ends },
	{ "a line has a limit", keeps_limit },
	{ "a line that was too long ends where it ends", finds_end_after_too_long },
	{ 0 },
};

const UnitSuite suite_line = { "line", tests };
