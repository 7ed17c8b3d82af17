/* test-escape.c - foreign text for people's eyes. */
#include "base/escape.h"

#include "suites.h"

static void
escapes_controls(void)
{
	static const struct {
		const char *text, *cell, *json;
	} cases[] = {
		{ "plain text, Größe, \xf0\x9f\x93\xa7", "plain text, Größe, \xf0\x9f\x93\xa7", "plain text, Größe, \xf0\x9f\x93\xa7" },
		{ "a\x1b]0;x\x07", "a\\u001b]0;x\\u0007", "a\\u001b]0;x\\u0007" },
		{ "a\xc2\x9b"
		  "31m",
			"a\\u009b31m", "a\\u009b31m" },
		{ "row\nforged\r\trow", "row\\u000aforged\\u000d\\u0009row", "row\\u000aforged\\u000d\\u0009row" },
		{ "\x7f", "\\u007f", "\\u007f" },
		{ "\xe2\x80\xae\xe2\x81\xa6\xd8\x9c\xe2\x80\x8f", "\\u202e\\u2066\\u061c\\u200f", "\\u202e\\u2066\\u061c\\u200f" },
		{ "\xe2\x80\xa8\xe2\x80\xa9\xc2\x85", "\\u2028\\u2029\\u0085", "\\u2028\\u2029\\u0085" },
		{ "\x9b\xff", "\xef\xbf\xbd\xef\xbf\xbd", "\xef\xbf\xbd\xef\xbf\xbd" },
		{ "\"\\", "\"\\", "\\\"\\\\" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *cell = escape_text(cases[i].text, ESCAPE_CELL);
		g_autofree char *json = escape_text(cases[i].text, ESCAPE_JSON);

		ASSERT_TEXT(cell, cases[i].cell);
		ASSERT_TEXT(json, cases[i].json);
		CU_ASSERT_EQUAL(escape_is_plain(cases[i].text), i == 0 || i + 1 == G_N_ELEMENTS(cases));
	}
}

static void
keeps_lines(void)
{
	g_autofree char *text = escape_text("one\n\ttwo\x1b[2J\n", ESCAPE_LINES);

	ASSERT_TEXT(text, "one\n\ttwo\\u001b[2J\n");
}

static const UnitTest tests[] = {
	{ "controls, separators, directions, and what is no text", escapes_controls },
	{ "lines stay lines where they may", keeps_lines },
	{ NULL, NULL },
};

const UnitSuite suite_escape = { "escape", tests };
