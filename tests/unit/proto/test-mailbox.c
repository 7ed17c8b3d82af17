/* test-mailbox.c - mailboxes, domains and names in HELO. */
#include "proto/path.h"

#include <glib.h>
#include <string.h>

#include "suites.h"

static void
parses_mailboxes(void)
{
	static const struct {
		const char *text;
		bool is_utf8;
		const char *address;
	} cases[] = {
		{ "user@EXAMPLE.net", false, "user@example.net" },
		{ "\"user\"@example.net", false, "user@example.net" },
		{ "\"a b\"@example.net", false, "\"a b\"@example.net" },
		{ "b\xc3\xbc@example.net", true, "b\xc3\xbc@example.net" },
		{ "b\xc3\xbc@example.net", false, NULL },
		{ "user", false, NULL },
		{ "postmaster", false, NULL },
		{ "user@host", false, NULL },
		{ "user@[192.0.2.1]", false, NULL },
		{ "<user@example.net>", false, NULL },
		{ "@one.example:user@example.net", false, NULL },
		{ "user@example.net ", false, NULL },
		{ "@example.net", false, NULL },
		{ "", false, NULL },
	};
	g_autoptr(Region) region = region_new();

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
		ASSERT_TEXT(mailbox_parse(region, cases[i].text, cases[i].is_utf8), cases[i].address);
}

static void
finds_domains(void)
{
	ASSERT_TEXT(mailbox_domain("user@example.net"), "example.net");
	ASSERT_TEXT(mailbox_domain("\"a@b\"@example.net"), "example.net");
	ASSERT_TEXT(mailbox_domain("postmaster"), "");
	ASSERT_TEXT(mailbox_domain(""), "");
}

static void
judges_domains(void)
{
	static const char *const good[] = { "example.net", "a.b", "localhost", "EXAMPLE.NET",
		"_dmarc.example.net", "1.example",
		"a--b.example", "4.3.2.1.xbl.example", "x1", "a.1a" };
	static const char *const bad[] = { "", ".", "a.", ".a", "a..b", "-a.b", "a-.b", "a b", "a/b",
		"192.0.2.1", "1", "a.1",
		"b\xc3\xbc" "cher.example", "a:b", "[1.2.3.4]", "a\n.b", "a@b", "*.example" };
	g_autofree char *label63 = g_strnfill(63, 'a');
	g_autofree char *label64 = g_strnfill(64, 'a');
	g_autofree char *size253 = g_strdup_printf("%s.%s.%s.%.61s", label63, label63, label63, label63);
	g_autofree char *size254 = g_strdup_printf("%sb", size253);

	for (size_t i = 0; i < G_N_ELEMENTS(good); i++)
		ASSERT_TEXT(domain_is_valid(good[i]) ? good[i] : NULL, good[i]);
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
		ASSERT_TEXT(domain_is_valid(bad[i]) ? bad[i] : NULL, NULL);
	CU_ASSERT_TRUE(domain_is_valid(label63));
	CU_ASSERT_FALSE(domain_is_valid(label64));
	CU_ASSERT_EQUAL(strlen(size253), DOMAIN_MAX);
	CU_ASSERT_TRUE(domain_is_valid(size253));
	CU_ASSERT_FALSE(domain_is_valid(size254));
}

static void
judges_helo(void)
{
	static const char *const good[] = { "example.net", "[192.0.2.1]", "[IPv6:2001:db8::1]", "MY_PC",
		"192.0.2.1", "x", "b\xc3\xbc" };
	static const char *const bad[] = { "", "a b", "a\tb", "a\x01", "a\x7f", "a\r", "\n" };
	g_autofree char *size255 = g_strnfill(255, 'a');
	g_autofree char *size256 = g_strnfill(256, 'a');

	for (size_t i = 0; i < G_N_ELEMENTS(good); i++)
		ASSERT_TEXT(helo_is_valid(good[i]) ? good[i] : NULL, good[i]);
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
		ASSERT_TEXT(helo_is_valid(bad[i]) ? bad[i] : NULL, NULL);
	CU_ASSERT_TRUE(helo_is_valid(size255));
	CU_ASSERT_FALSE(helo_is_valid(size256));
}

static const UnitTest tests[] = {
	{ "mailboxes of configuration are qualified and canonical", parses_mailboxes },
	{ "the domain stands behind the last @", finds_domains },
	{ "I-03 a host name is no address, no URL and no list", judges_domains },
	{ "HELO: only the dangerous is refused", judges_helo },
	{ 0 },
};

const UnitSuite suite_mailbox = { "mailbox", tests };
