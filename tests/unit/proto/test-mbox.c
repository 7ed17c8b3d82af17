/* test-mbox.c - "From " lines at the start of a message. */
#include "proto/mbox.h"

#include <glib.h>
#include <string.h>

#include "suites.h"

static void
collect(void *data, const char *octets, size_t size)
{
	CU_ASSERT_TRUE(size > 0);
	g_string_append_len(data, octets, (gssize)size);
}

static char *
filtered(const char *content, size_t piece)
{
	GString *out = g_string_new(NULL);
	const size_t size = strlen(content);
	MboxFilter filter = { 0 };

	for (size_t at = 0; at < size; at += piece)
		mbox_filter(&filter, content + at, MIN(piece, size - at), collect, out);
	mbox_finish(&filter, collect, out);
	return g_string_free(out, FALSE);
}

static void
leaves_lines_out(void)
{
	static const struct {
		const char *content, *expected;
	} cases[] = {
		{ "From a@example.net Mon Jan  1 00:00:00 2024\r\nBcc: b\r\n\r\n", "Bcc: b\r\n\r\n" },
		{ ">From a@example.net Mon\r\nBcc: b\r\n", "Bcc: b\r\n" },
		{ ">>>From a\r\n>From b\r\nFrom c\r\nTo: d\r\n", "To: d\r\n" },
		{ "From a\r\n folded\r\n\tagain\r\nTo: d\r\n", "To: d\r\n" },
		{ "From \r\nTo: d\r\n", "To: d\r\n" },
		{ "From a\r\r\nTo: d\r\n", "To: d\r\n" },
		{ "From a\r\n\r\nbody\r\n", "\r\nbody\r\n" },
		{ "From a\r\nbody\r\nFrom b\r\n", "body\r\nFrom b\r\n" },
		{ "From a", "" },
		{ "From a\r\n", "" },
		/* these are fields, or text */
		{ "From: a\r\nTo: b\r\n", "From: a\r\nTo: b\r\n" },
		{ "From : a\r\n", "From : a\r\n" },
		{ "From \t : a\r\n", "From \t : a\r\n" },
		{ "from a\r\n", "from a\r\n" },
		{ "Fromage: a\r\n", "Fromage: a\r\n" },
		{ ">From: a\r\n", ">From: a\r\n" },
		{ " From a\r\n", " From a\r\n" },
		{ "To: a\r\nFrom a\r\n", "To: a\r\nFrom a\r\n" },
		{ "\r\nFrom a\r\n", "\r\nFrom a\r\n" },
		{ "", "" },
		{ "Fro", "Fro" },
		{ ">>>>", ">>>>" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
		for (size_t piece = 1; piece < 80; piece++) {
			g_autofree char *out = filtered(cases[i].content, piece);

			ASSERT_TEXT(out, cases[i].expected);
		}
}

static void
keeps_little_back(void)
{
	g_autofree char *marks = g_strnfill(3 * MBOX_START_MAX, '>'), *blanks = g_strnfill(3 * MBOX_START_MAX, ' ');
	g_autofree char *text = g_strdup_printf("%sFrom a\r\n", marks),
					*line = g_strdup_printf("From %sa\r\nTo: b\r\n", blanks);
	g_autofree char *kept = filtered(text, 7), *left = filtered(line, 7);

	ASSERT_TEXT(kept, text);
	ASSERT_TEXT(left, "To: b\r\n");
}

static const UnitTest tests[] = {
	{ "left out before the header, however they come", leaves_lines_out },
	{ "little is kept back", keeps_little_back },
	{ NULL, NULL },
};

const UnitSuite suite_mbox = { "mbox", tests };
