/* test-header.c - the header section as a list of fields. */
#include "proto/header.h"

#include <glib.h>
#include <string.h>

#include "suites.h"

/* "name|value|offset+size; …" and where the scan ended. */
static char *
describe(const char *content, size_t size)
{
	g_autoptr(GString) text = g_string_new(NULL);
	HeaderScan scan;
	HeaderField field;

	header_scan_start(&scan, content, size);
	while (header_scan_next(&scan, &field))
		g_string_append_printf(text, "%.*s|%.*s|%zu+%zu; ", (int)field.name_size, field.name,
			(int)field.value_size,
			field.value, field.offset, field.size);
	g_string_append_printf(text, "%zu %zu", scan.at, header_body(content, size));
	return g_strdup(text->str);
}

static void
lists_fields(void)
{
	static const struct {
		const char *content, *description;
	} cases[] = {
		{ "A: b\r\nC-D:e\r\n\r\nbody", "A| b|0+6; C-D|e|6+7; 13 15" },
		{ "A: b\r\n c\r\n\td\r\nE:\r\n\r\n", "A| b\r\n c\r\n\td|0+14; E||14+4; 18 20" },
		{ "A : b\r\n\r\n", "A| b|0+7; 7 9" },
		{ "A\t \t: b\r\n\r\n", "A| b|0+9; 9 11" },
		{ "A: b\r\n \r\nC: d\r\n\r\n", "A| b\r\n |0+9; C| d|9+6; 15 17" },
		{ "\r\nA: b\r\n", "0 2" },
		{ "A: b\r\n", "A| b|0+6; 6 6" },
		{ "A: b", "A| b|0+4; 4 4" },
		{ "A:", "A||0+2; 2 2" },
		{ "A: b\r\n c", "A| b\r\n c|0+8; 8 8" },
		{ "A: b\r", "A| b\r|0+5; 5 5" },
		{ "A", "0 0" },
		{ "", "0 0" },
		{ "\r\n", "0 2" },
		{ "A: b\r\nno field\r\n\r\nbody", "A| b|0+6; 6 6" },
		{ "From a@b Sun\r\nA: b\r\n", "0 0" },
		{ " folded\r\nA: b\r\n", "0 0" },
		{ ": b\r\n", "0 0" },
		{ " : b\r\n", "0 0" },
		{ "A\x01: b\r\n", "0 0" },
		{ "\xc3\xbc: b\r\n", "0 0" },
		{ "A: b\nC: d\r\n\r\n", "A| b\nC: d|0+11; 11 13" }, /* a bare LF ends nothing */
		{ "A: b\n\nx\r\n\r\n", "A| b\n\nx|0+9; 9 11" },
		{ "A: b\rC: d\r\n", "A| b\rC: d|0+11; 11 11" },
		{ "A: b\r\n\n", "A| b|0+6; 6 6" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *description = describe(cases[i].content, strlen(cases[i].content));

		ASSERT_TEXT(description, cases[i].description);
	}
}

static void
stops_at_the_limit(void)
{
	g_autoptr(GString) content = g_string_new(NULL);
	HeaderScan scan;
	HeaderField field;
	size_t n = 0;

	for (int i = 0; i < HEADER_FIELDS_MAX + 5; i++)
		g_string_append(content, "A: b\r\n");
	header_scan_start(&scan, content->str, content->len);
	while (header_scan_next(&scan, &field))
		n++;
	CU_ASSERT_EQUAL(n, HEADER_FIELDS_MAX);
	CU_ASSERT_EQUAL(header_body(content->str, content->len), HEADER_FIELDS_MAX * 6);
	CU_ASSERT_FALSE(header_scan_next(&scan, &field));
}

static void
keeps_nuls(void)
{
	g_autofree char *description = describe("A: \0b\r\n\r\n", 9);

	ASSERT_TEXT(description, "A| |0+7; 7 9"); /* printf stops at the NUL, the sizes do not */
}

static void
compares_names(void)
{
	HeaderScan scan;
	HeaderField field;
	g_autofree char *size77 = g_strnfill(77, 'n');
	g_autofree char *size78 = g_strnfill(78, 'n');

	header_scan_start(&scan, "X-Bcc: a\r\n", 10);
	CU_ASSERT_TRUE(header_scan_next(&scan, &field));
	CU_ASSERT_TRUE(header_is(&field, "x-bCC"));
	CU_ASSERT_FALSE(header_is(&field, "X-Bc"));
	CU_ASSERT_FALSE(header_is(&field, "X-Bccc"));
	CU_ASSERT_TRUE(header_name_is_valid("X-Postern-Abuse"));
	CU_ASSERT_TRUE(header_name_is_valid(size77));
	CU_ASSERT_FALSE(header_name_is_valid(size78));
	CU_ASSERT_FALSE(header_name_is_valid(""));
	CU_ASSERT_FALSE(header_name_is_valid("A:"));
	CU_ASSERT_FALSE(header_name_is_valid("A B"));
	CU_ASSERT_FALSE(header_name_is_valid("A\r\nB"));
	CU_ASSERT_FALSE(header_name_is_valid("\xc3\xbc"));
}

/* Of every beginning of a message: if the header is said to end in it, it ends there in the whole, too. */
static void
knows_what_is_certain(void)
{
	static const char *const messages[] = { "A: 1\r\nB: 2\r\n more\r\n\r\nbody\r\n", "A: 1\r\nno field\r\nB: 2\r\n",
		"\r\nbody", "A: 1\r\nB  : 2\r\n", "A: 1\r\n: x\r\n", "body only", "A: 1\r\n\tfold\r\nB\r\n\r\n" };
	size_t end = 0;

	for (size_t i = 0; i < G_N_ELEMENTS(messages); i++) {
		const size_t whole = strlen(messages[i]), expected = header_end(messages[i], whole);

		for (size_t size = 0; size <= whole; size++)
			CU_ASSERT_TRUE(!header_is_within(messages[i], size, &end) || end == expected);
	}
	CU_ASSERT_TRUE(header_is_within("A: 1\r\n\r\nb", 9, &end));
	CU_ASSERT_EQUAL(end, 6);
	CU_ASSERT_FALSE(header_is_within("A: 1\r\n", 6, &end));
}

static const UnitTest tests[] = {
	{ "fields, folds, and the end of the header", lists_fields },
	{ "beyond 10000 fields the rest is body", stops_at_the_limit },
	{ "a NUL is content", keeps_nuls },
	{ "a beginning says when the header is certain to end in it", knows_what_is_certain },
	{ "names are compared without case, and judged", compares_names },
	{ 0 },
};

const UnitSuite suite_header = { "header", tests };
