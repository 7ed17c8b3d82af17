/* test-idn.c - internationalised domains. */
#include "proto/idn.h"

#include <glib.h>
#include <string.h>

#include "proto/path.h"
#include "suites.h"

#define BUECHER \
	"b\xc3\xbc" \
	"cher"

static void
converts_domains(void)
{
	g_autofree char *label63 = g_strnfill(63, 'a'), *label64 = g_strnfill(64, 'a');
	const struct {
		const char *domain, *ascii;
	} cases[] = {
		{ BUECHER ".example", "xn--bcher-kva.example" },
		{ "B\xc3\x9c"
		  "CHER.Example",
			"xn--bcher-kva.example" },
		{ "bu\xcc\x88"
		  "cher.example",
			"xn--bcher-kva.example" }, /* decomposed */
		{ "XN--BCHER-KVA.example", "xn--bcher-kva.example" }, { "Example.NET", "example.net" },
		{ "example.net.", "example.net" }, { BUECHER ".example.", "xn--bcher-kva.example" },
		{ "stra\xc3\x9f"
		  "e.example",
			"xn--strae-oqa.example" }, /* nontransitional */
		{ "\xe4\xbe\x8b\xe3\x81\x88.\xe3\x83\x86\xe3\x82\xb9\xe3\x83\x88", "xn--r8jz45g.xn--zckzah" },
		{ "a\xe3\x80\x82" BUECHER, "a.xn--bcher-kva" }, /* an ideographic full stop parts labels */
		{ "\xef\xbd\x85xample.net", "example.net" },    /* full width */
		{ "xn--.example", NULL }, { "xn--zzzzzzzz99.example", "xn--zzzzzzzz99.example" },
		{ "a_b.example", "a_b.example" }, { label63, label63 }, { label64, NULL }, { "", NULL }, { ".", NULL },
		{ "a..b", NULL }, { BUECHER "..example", NULL }, { "-a.example", NULL }, { "a b.example", NULL },
		{ BUECHER "\xef\xbc\xa0x.example", NULL }, /* a full-width at sign is none in a domain */
		{ BUECHER "\xe2\x80\xae.example", NULL }, { "\xff.example", NULL }, { "\xc3\xbc\n.example", NULL },
		{ "\xf0\x9f\x98\x80.example", NULL }, /* no letter */
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *ascii = idn_to_ascii(cases[i].domain, strlen(cases[i].domain));

		ASSERT_TEXT(ascii, cases[i].ascii);
	}
}

/* The limits hold for A-labels. */
static void
keeps_limits(void)
{
	g_autoptr(GString) label = g_string_new(NULL);
	g_autoptr(GString) domain = g_string_new(NULL);
	size_t longest = 0;

	for (int i = 0; i < 63; i++) {
		g_autofree char *ascii = NULL;

		g_string_append(label, "\xc3\xbc");
		ascii = idn_to_ascii(label->str, label->len);
		CU_ASSERT_TRUE(ascii == NULL || strlen(ascii) <= DOMAIN_LABEL_MAX);
		longest = ascii != NULL ? label->len / 2 : longest;
	}
	CU_ASSERT_TRUE(longest >= 30 && longest < 63);
	while (domain->len < 2 * DOMAIN_MAX) {
		g_autofree char *ascii = NULL;

		g_string_append(domain, domain->len > 0 ? "." BUECHER : BUECHER);
		ascii = idn_to_ascii(domain->str, domain->len);
		CU_ASSERT_EQUAL(ascii != NULL, domain->len / 8 * 14 + 13 <= DOMAIN_MAX);
	}
}

static void
converts_addresses(void)
{
	static const struct {
		const char *given, *ascii;
	} cases[] = {
		{ "U@" BUECHER ".example", "U@xn--bcher-kva.example" },
		{ "@" BUECHER ".example", "@xn--bcher-kva.example" },
		{ BUECHER ".example", "xn--bcher-kva.example" },
		{ "." BUECHER ".example", ".xn--bcher-kva.example" },
		{ "*." BUECHER ".example", "*.xn--bcher-kva.example" },
		{ BUECHER ".example:2525", "xn--bcher-kva.example:2525" },
		{ "\xc3\xbc@Example.net", "\xc3\xbc@Example.net" },
		{ "*", "*" },
		{ "abuse@", "abuse@" },
		{ "\"a@\xc3\xbc\"@" BUECHER ".example", "\"a@\xc3\xbc\"@xn--bcher-kva.example" },
		{ "a@\xc3\xbc b", "a@\xc3\xbc b" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *ascii = idn_address_to_ascii(cases[i].given);

		ASSERT_TEXT(ascii, cases[i].ascii);
	}
}

static void
shows_unicode(void)
{
	static const struct {
		const char *text, *shown;
	} cases[] = {
		{ "u@xn--bcher-kva.example", "u@" BUECHER ".example" },
		{ "no such label", "no such label" },
		{ "<a@xn--bcher-kva.example>, <b@xn--bcher-kva.example>: 550",
			"<a@" BUECHER ".example>, <b@" BUECHER ".example>: 550" },
		{ "xn--zzzzzzzz99.example", "xn--zzzzzzzz99.example" },
		{ "xn--", "xn--" },
		{ "mx:xn--bcher-kva.example", "mx:" BUECHER ".example" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *shown = idn_to_shown(cases[i].text);

		ASSERT_TEXT(shown, cases[i].shown);
	}
}

static const UnitTest tests[] = {
	{ "E-27 U-labels become A-labels", converts_domains },
	{ "E-27 the limits hold for A-labels", keeps_limits },
	{ "E-27 in addresses and patterns", converts_addresses },
	{ "E-27 and U-labels for eyes", shows_unicode },
	{ 0 },
};

const UnitSuite suite_idn = { "idn", tests };
