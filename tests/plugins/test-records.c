/* test-records.c - records that plugins of the first version left in the store are read by every later one.
 *
 * The clock of the test begins at 1790000000. */
#include <glib.h>
#include <stdio.h>
#include <string.h>

#include "host/test-host.h"
#include "plugin-test.h"
#include "unit/unit.h"

extern const PtnPlugin ptn_plugin_iphelper, ptn_plugin_senderverify;

#define LOGIN "user@example.net"
#define MX "192.0.2.25"
#define SAID "mx.example.net mx.example.net said: "

/* ---- senderverify: "VERDICT SINCE ASKED BY TEXT" ---- */

static void
keep(PtnTest *test, const char *name, const char *value)
{
	g_autofree char *key = g_strdup_printf("plugin/senderverify/%s", name);

	test_host_store(test, key, value);
}

static void
expect_mail(PtnTest *test, const char *sender, const char *start)
{
	g_autofree char *line = g_strdup_printf("MAIL FROM:<%s>", sender);
	const char *reply;

	(void)ptn_test_say(test, "RSET");
	reply = ptn_test_say(test, line);
	if (!g_str_has_prefix(reply, start))
		ASSERT_TEXT(reply, start);
}

static void
expect_probes(PtnTest *test, size_t n)
{
	ptn_test_finish_work(test);
	CU_ASSERT_EQUAL(ptn_test_connections(test, MX, 25), n);
}

static PtnTest *
new_verifying(void)
{
	static const PtnPlugin *const plugins[] = { &ptn_test_door, &ptn_plugin_senderverify, NULL };
	static const char *const domains[] = { "example.net", "all.example", "closed.example", "other.example" };
	PtnTest *test = ptn_test_new_chain(
		plugins, "[plugin senderverify]\nprobe-sender = probe@example.net\nquote-remote = yes\nlearn-domains = yes\n");

	for (size_t i = 0; i < G_N_ELEMENTS(domains); i++)
		ptn_test_dns(test, domains[i], PTN_MX, PTN_OK, "10 mx.example.net", NULL);
	ptn_test_dns(test, "mx.example.net", PTN_A, PTN_OK, MX, NULL);
	ptn_test_dialog(test, MX, 25, "", "220 mx ESMTP", NULL);
	ptn_test_entry(test, PTN_ACCOUNT, LOGIN, "customer", "acme", NULL);
	ptn_test_connect(test, "192.0.2.1");
	(void)ptn_test_login(test, LOGIN, "x");
	return test;
}

static void
test_senders(void)
{
	PtnTest *test = new_verifying();

	keep(test, "address/good@example.net", "good 1789990000 1789990000 " SAID "250 2.1.5 Ok");
	keep(test, "address/bad@example.net", "bad 1789999000 1789999000 " SAID "550 5.1.1 no such user");
	keep(test, "address/unsure@example.net", "unsure 1789999900 1789999900 - there was no time to ask");
	keep(test, "domain/all.example", "accepts-all 1789990000 1789990000 " SAID "250 Ok");
	keep(test, "domain/closed.example", "refuses-all 1789999000 1789999000 " SAID "550 5.7.1 listed");
	expect_mail(test, "good@example.net", "250");
	expect_mail(test, "bad@example.net",
		"550 5.1.7 <bad@example.net>: Sender address rejected: undeliverable address: mx.example.net said: 550 5.1.1 no such "
		"user");
	expect_mail(test, "unsure@example.net", "450 4.1.7");
	expect_mail(test, "x@all.example", "250");
	expect_mail(test, "x@closed.example",
		"550 5.1.7 <x@closed.example>: Sender address rejected: undeliverable address: mx.example.net said: 550 5.7.1 listed");
	expect_probes(test, 0);
	ptn_test_free(test);
}

/* SINCE says how long a record holds, ASKED when it is asked again; neither is of a clock that was set back. */
static void
test_times_of_senders(void)
{
	PtnTest *test = new_verifying();

	keep(test, "address/old@example.net", "bad 1780000000 1789999000 " SAID "550 no");
	keep(test, "address/future@other.example", "bad 1790000301 1790000301 " SAID "550 no");
	keep(test, "address/near@example.net", "bad 1790000299 1790000299 " SAID "550 no");
	expect_mail(test, "near@example.net", "550"); /* clocks differ by so much */
	expect_probes(test, 0);
	expect_mail(test, "old@example.net", "250");
	expect_probes(test, 1);
	expect_mail(test, "future@other.example", "250");
	expect_probes(test, 2);
	ptn_test_free(test);
}

/* ---- iphelper: "LAST NEXT FINDING HOST:PORT" ---- */

static void
test_helpers(void)
{
	PtnTest *test = ptn_test_new(&ptn_plugin_iphelper, NULL);
	const char *shown;

	ptn_test_entry(test, PTN_CUSTOMER, "acme", "primary", "it@acme.example", NULL);
	test_host_store(test, "plugin/iphelper/state/moving.example", "1789999900000000 1790086400000000 2 host.dyn.example:2525");
	ptn_test_entry(test, PTN_DOMAIN, "moving.example", "customer", "acme", "mode", "hold", "iphelper.host",
		"host.dyn.example", "iphelper.port", "2525", NULL);
	shown = ptn_test_command(test, "iphelper", "list", NULL);
	if (strstr(shown, "domain=moving.example host=host.dyn.example port=2525 mode=hold address= last=1789999900 "
					  "next=1790086400 ") == NULL)
		ASSERT_TEXT(shown, "last=1789999900 next=1790086400");
	shown = ptn_test_command(test, "iphelper", "show", "moving.example", NULL);
	if (strstr(shown, "found=no answer") == NULL)
		ASSERT_TEXT(shown, "found=no answer");
	ptn_test_free(test);
}

static const UnitTest tests[] = {
	{ "V-15 what senderverify knew of addresses and domains", test_senders },
	{ "V-15 how long it holds", test_times_of_senders },
	{ "I-22 what iphelper knew of a helper", test_helpers },
	{ 0 },
};

int
main(int argc, char **argv)
{
	static const UnitSuite suite = { "records", tests };
	static const UnitSuite *const suites[] = { &suite, NULL };

	return unit_main(argc, argv, suites);
}
