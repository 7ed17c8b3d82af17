/* test-xtext.c - xtext and the values of DSN parameters. */
#include "proto/xtext.h"

#include <glib.h>
#include <string.h>

#include "suites.h"

static void
decodes(void)
{
	static const struct {
		const char *text, *decoded;
	} cases[] = {
		{ "", "" }, { "abc", "abc" }, { "a+2Bb", "a+b" }, { "a+3Db+20c", "a=b c" }, { "+09", "\t" },
		{ "!~", "!~" },
		{ "+7E", "~" }, { "+", NULL }, { "+2", NULL }, { "+2G", NULL }, { "+2b", NULL }, { "+b2", NULL },
		{ "a=b", NULL },
		{ "a b", NULL }, { "+00", NULL }, { "+0D+0A", NULL }, { "+7F", NULL }, { "+C3+BC", NULL },
		{ "\xc3\xbc", NULL },
		{ "a\x01", NULL }, { "++", NULL },
	};
	g_autoptr(Region) region = region_new();

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		ASSERT_TEXT(xtext_decode(region, cases[i].text), cases[i].decoded);
		CU_ASSERT_EQUAL(xtext_is_valid(cases[i].text), cases[i].decoded != NULL);
	}
}

static void
encodes(void)
{
	g_autoptr(Region) region = region_new();

	ASSERT_TEXT(xtext_encode(region, "user+tag@example.net"), "user+2Btag@example.net");
	ASSERT_TEXT(xtext_encode(region, "a=b c\r\xff"), "a+3Db+20c+0D+FF");
	ASSERT_TEXT(xtext_encode(region, ""), "");
	ASSERT_TEXT(xtext_decode(region, xtext_encode(region, "+ =\t~!+2B")), "+ =\t~!+2B");
}

static void
judges_dsn_values(void)
{
	static const struct {
		const char *text;
		bool is_utf8, is_valid;
	} orcpt[] = {
		{ "rfc822;user@example.net", false, true }, { "rfc822;user+2Btag@example.net", false, true },
		{ "x400;a", false, true }, { "rfc822;", false, false }, { ";a", false, false },
		{ "rfc822", false, false },
		{ "rfc822;a+b", false, false }, { "rfc 822;a", false, false }, { "rfc822;b\xc3\xbc", true, false },
		{ "utf-8;b\xc3\xbc@example.net", true, true }, { "utf-8;b\xc3\xbc@example.net", false, false },
		{ "UTF-8;b\\x{FC}@example.net", false, true }, { "utf-8;b\\x{fc}", false, false },
		{ "utf-8;b\\x{D800}", false, false },
		{ "utf-8;b\\x{0A}", false, false }, { "utf-8;b\\x{110000}", false, false },
		{ "utf-8;b\\x{FC", false, false },
		{ "utf-8;b\\y", false, false }, { "utf-8;a+2B", false, false }, { "utf-8;\xff", true, false },
		{ "utf-8;\xc2\x85", true, false },
	};
	g_autofree char *size100 = g_strnfill(ENVID_MAX, 'e');
	g_autofree char *size101 = g_strnfill(ENVID_MAX + 1, 'e');
	g_autofree char *size501 = g_strnfill(ORCPT_MAX + 1, 'o');

	for (size_t i = 0; i < G_N_ELEMENTS(orcpt); i++)
		ASSERT_TEXT(orcpt_is_valid(orcpt[i].text, orcpt[i].is_utf8) ? orcpt[i].text : NULL,
			orcpt[i].is_valid ? orcpt[i].text : NULL);
	memcpy(size501, "rfc822;", 7);
	CU_ASSERT_FALSE(orcpt_is_valid(size501, false));
	CU_ASSERT_TRUE(orcpt_is_valid(size501 + 1, false));
	CU_ASSERT_TRUE(envid_is_valid(size100));
	CU_ASSERT_FALSE(envid_is_valid(size101));
	CU_ASSERT_FALSE(envid_is_valid(""));
	CU_ASSERT_FALSE(envid_is_valid("a+0Ab"));
}

static void
makes_ascii_of_it(void)
{
	g_autoptr(Region) region = region_new();
	const char *made = orcpt_to_ascii(region, "utf-8;b\xc3\xbc\\x{2B}\xf0\x9f\x98\x80@example.net");

	ASSERT_TEXT(made, "utf-8;b\\x{FC}\\x{2B}\\x{1F600}@example.net");
	CU_ASSERT_TRUE(orcpt_is_valid(made, false));
	ASSERT_TEXT(orcpt_to_ascii(region, "rfc822;a+2Bb@example.net"), "rfc822;a+2Bb@example.net");
}

static const UnitTest tests[] = {
	{ "xtext hides nothing but printable ASCII and blanks", decodes },
	{ "what is encoded is decoded again", encodes },
	{ "E-08 bad values of ENVID and ORCPT are refused", judges_dsn_values },
	{ "E-25 an original recipient for those without SMTPUTF8", makes_ascii_of_it },
	{ 0 },
};

const UnitSuite suite_xtext = { "xtext", tests };
