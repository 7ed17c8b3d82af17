/* test-srs.c - signed senders of forwarded mail. */
#include "proto/srs.h"

#include <glib.h>
#include <string.h>

#include "proto/path.h"
#include "suites.h"

#define SECRET "a secret of the cluster"
#define DAY 20779

static SrsResult
open_at(int64_t day, const char *address, char **text)
{
	return srs_open(SECRET, day, 21, address, text);
}

/* What is sealed is an address, and comes back; also where a server on the way has changed its case. */
static void
round_trip(void)
{
	static const char *const texts[] = { "example.org=joe", "a.b.example=Joe.Doe+tag", "=abcdefghijklmnop" };

	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
		g_autoptr(Region) region = region_new();
		g_autofree char *address = srs_seal(SECRET, DAY, texts[i], "shop.example");
		g_autofree char *upper = g_ascii_strup(address, -1);
		g_autofree char *text = NULL, *again = NULL;

		CU_ASSERT_TRUE(srs_is(address));
		ASSERT_TEXT(mailbox_parse(region, address, false), address);
		CU_ASSERT_EQUAL(open_at(DAY, address, &text), SRS_OK);
		ASSERT_TEXT(text, texts[i]);
		CU_ASSERT_EQUAL(open_at(DAY, upper, &again), SRS_OK);
	}
}

/* Any octet changed, another domain, another secret: forged. */
static void
forged(void)
{
	g_autofree char *address = srs_seal(SECRET, DAY, "example.org=joe", "shop.example");
	g_autofree char *text = NULL;

	for (size_t i = 0; i < strlen(address); i++) {
		g_autofree char *other = g_strdup(address);

		other[i] = other[i] == 'x' ? 'y' : 'x';
		CU_ASSERT_EQUAL(open_at(DAY, other, &text), SRS_FORGED);
		other[i] = '\0';
		CU_ASSERT_EQUAL(open_at(DAY, other, &text), SRS_FORGED);
	}
	CU_ASSERT_EQUAL(srs_open("another", DAY, 21, address, &text), SRS_FORGED);
	CU_ASSERT_EQUAL(open_at(DAY, "joe@example.org", &text), SRS_FORGED);
}

static void
expires(void)
{
	g_autofree char *address = srs_seal(SECRET, DAY, "example.org=joe", "shop.example");
	static const struct {
		int64_t day;
		SrsResult result;
	} cases[] = { { DAY - 1, SRS_OK }, { DAY + 21, SRS_OK }, { DAY + 22, SRS_EXPIRED }, { DAY + 1000, SRS_EXPIRED },
		{ DAY - 2, SRS_EXPIRED } };

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *text = NULL;

		CU_ASSERT_EQUAL(open_at(cases[i].day, address, &text), cases[i].result);
	}
}

/* A local part has 64 octets, and no blanks or quotes without quotes around it. */
static void
room(void)
{
	g_autofree char *tag = srs_tag(SECRET, "a very long sender");
	g_autofree char *other = srs_tag(SECRET, "another very long sender");
	g_autofree char *longest = NULL;
	char text[64];

	memset(text, 'a', sizeof text);
	text[LOCAL_PART_MAX - 17] = '\0';
	longest = srs_seal(SECRET, DAY, text, "shop.example");
	CU_ASSERT_PTR_NOT_NULL(longest);
	text[LOCAL_PART_MAX - 17] = 'a';
	text[LOCAL_PART_MAX - 16] = '\0';
	CU_ASSERT_PTR_NULL(srs_seal(SECRET, DAY, text, "shop.example"));
	CU_ASSERT_PTR_NULL(srs_seal(SECRET, DAY, "example.org=\"a b\"", "shop.example"));
	CU_ASSERT_PTR_NULL(srs_seal(SECRET, DAY, "example.org=j\xc3\xb6", "shop.example"));
	CU_ASSERT_PTR_NULL(srs_seal(SECRET, DAY, "example.org=a..b", "shop.example"));
	CU_ASSERT_PTR_NULL(srs_seal(SECRET, DAY, "example.org=a.", "shop.example"));
	CU_ASSERT_EQUAL(strlen(tag), 16);
	CU_ASSERT(strcmp(tag, other) != 0);
}

/* What is on its way while a version is replaced by the next: made by Python's hmac, hashlib and base64, and never to be
 * changed. */
static void
golden(void)
{
	static const struct {
		int64_t day;
		const char *text, *address;
	} cases[] = {
		{ 0, "example.org=joe", "SRS0=zytgiy7a=aa=example.org=joe@shop.example" },
		{ 31, "example.org=joe", "SRS0=7iiqotoc=a7=example.org=joe@shop.example" },
		{ 32, "example.org=joe", "SRS0=ejg5qqpm=ba=example.org=joe@shop.example" },
		{ 1023, "example.org=joe", "SRS0=mwl7xq7y=77=example.org=joe@shop.example" },
		{ 1024, "example.org=joe", "SRS0=zytgiy7a=aa=example.org=joe@shop.example" },
		{ DAY, "example.org=joe", "SRS0=zljkv5ix=jl=example.org=joe@shop.example" },
		{ DAY, "a.b.example=Joe.Doe+tag", "SRS0=yukaxzht=jl=a.b.example=Joe.Doe+tag@shop.example" },
		{ DAY, "=abcdefghijklmnop", "SRS0=nyg7ileb=jl==abcdefghijklmnop@shop.example" },
	};
	g_autofree char *tag = srs_tag(SECRET, "a very long sender"), *upper = srs_tag(SECRET, "A Very Long Sender");

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *address = srs_seal(SECRET, cases[i].day, cases[i].text, "shop.example");
		g_autofree char *text = NULL;

		ASSERT_TEXT(address, cases[i].address);
		CU_ASSERT_EQUAL(open_at(cases[i].day, cases[i].address, &text), SRS_OK);
		ASSERT_TEXT(text, cases[i].text);
	}
	ASSERT_TEXT(tag, "rmqf4p5k5j5u4hdw");
	ASSERT_TEXT(upper, tag);
}

static const UnitTest srs_tests[] = {
	{ "addresses are the same in every version", golden },
	{ "what is sealed comes back", round_trip },
	{ "what was changed is forged", forged },
	{ "after its days it has expired", expires },
	{ "what does not fit is told", room },
	{ NULL, NULL },
};
const UnitSuite suite_srs = { "srs", srs_tests };
