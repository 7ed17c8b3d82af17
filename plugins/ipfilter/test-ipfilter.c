/* test-ipfilter.c - the plugin ipfilter in the test host, behind auth: letter F. */
#include "plugin-test.h"

#include <stdio.h>
#include <string.h>

#include "unit/unit.h"

extern const PtnPlugin ptn_plugin_auth, ptn_plugin_ipfilter;

#define SINGLE "user@example.net"
#define ANY "@example.net"
#define SERVER "example.net"
#define PASSWORD "mypassword"
#define HOST "home.dyn.example"
#define OK "235 2.7.0"
#define DENIED "554 5.7.1 Client host rejected: Access denied"
#define LATER "454 4.7.0"

/* A client, and what its login is answered. */
typedef struct {
	const char *client, *reply;
} Case;

#define ALTERNATES "[plugin ipfilter]\nalternates = yes\n"

static PtnTest *
new_test(const char *config, const char *login)
{
	static const PtnPlugin *const plugins[] = { &ptn_plugin_auth, &ptn_plugin_ipfilter, NULL };
	PtnTest *test = ptn_test_new_chain(plugins, config);

	ptn_test_open_server_accounts(test);
	ptn_test_entry(
		test, PTN_ACCOUNT, login, "password", PASSWORD, strcmp(login, SERVER) == 0 ? "type" : NULL, "server", NULL);
	ptn_test_dns(test, HOST, PTN_A, PTN_OK, "192.0.2.10", "192.0.2.11", NULL);
	ptn_test_dns(test, HOST, PTN_AAAA, PTN_OK, "2001:db8::a", NULL);
	return test;
}

static void
set(PtnTest *test, const char *login, const char *option, const char *value)
{
	ASSERT_TEXT(ptn_test_set(test, PTN_ACCOUNT, login, option, value), NULL);
}

static const char *
login_from(PtnTest *test, const char *client, const char *login)
{
	ptn_test_connect(test, client);
	return ptn_test_login(test, login, PASSWORD);
}

static void
check(PtnTest *test, const char *login, const Case *cases)
{
	for (; cases->client != NULL; cases++) {
		const char *reply = login_from(test, cases->client, login);
		char shown[400], expected[400];

		(void)snprintf(expected, sizeof expected, "%s: %s", cases->client, cases->reply);
		(void)snprintf(shown, sizeof shown, "%s: %.*s", cases->client, (int)strlen(cases->reply), reply);
		ASSERT_TEXT(shown, expected);
	}
}

/* With one option, or two. */
static void
check_with(const char *login, const char *const *options, const Case *cases)
{
	PtnTest *test = new_test(ALTERNATES, login);

	for (; *options != NULL; options += 2)
		set(test, login, options[0], options[1]);
	check(test, login, cases);
	ptn_test_free(test);
}

#define CHECK(LOGIN, CASES, ...) check_with(LOGIN, (const char *const[]){ __VA_ARGS__, NULL, NULL }, CASES)

/* ---- who gets in ---- */

static void
test_no_filter(void)
{
	static const Case all[] = { { "192.0.2.1", OK }, { "203.0.113.9", OK }, { "2001:db8::1", OK }, { "127.0.0.1", OK }, { NULL, NULL } };
	const char *const logins[] = { SINGLE, ANY };

	for (size_t i = 0; i < 2; i++) {
		PtnTest *test = new_test(NULL, logins[i]);

		check(test, logins[i], all);
		ptn_test_free(test);
	}
}

static void
test_server(void)
{
	static const Case none[] = { { "192.0.2.1", DENIED }, { "2001:db8::1", DENIED }, { "127.0.0.1", DENIED }, { NULL, NULL } };
	static const Case ipv4[] = { { "192.0.2.1", OK }, { "192.0.3.1", DENIED }, { "2001:db8::1", DENIED }, { NULL, NULL } };
	static const Case ipv6[] = { { "192.0.2.1", DENIED }, { "2001:db8::1", OK }, { NULL, NULL } };
	PtnTest *test = new_test(NULL, SERVER);

	check(test, SERVER, none);
	ptn_test_free(test);
	CHECK(SERVER, ipv4, "ipfilter.ipv4", "192.0.2.0/24");
	CHECK(SERVER, ipv6, "ipfilter.ipv6", "2001:db8::/32");
}

static void
test_server_submits(void)
{
	PtnTest *test = new_test(NULL, SERVER);

	set(test, SERVER, "ipfilter.ipv4", "192.0.2.1");
	(void)login_from(test, "192.0.2.1", SERVER);
	CU_ASSERT_EQUAL(strncmp(ptn_test_submit(test, "x@elsewhere.example", "y@example.org", "Subject: a\r\n\r\nb\r\n"), "250", 3), 0);
	CU_ASSERT_EQUAL(ptn_test_queued(test), 1);
	(void)login_from(test, "192.0.2.2", SERVER);
	CU_ASSERT_EQUAL(strncmp(ptn_test_say(test, "MAIL FROM:<x@elsewhere.example>"), "530", 3), 0);
	ptn_test_free(test);
}

static void
test_single_address(void)
{
	static const Case ipv4[] = { { "192.0.2.1", OK }, { "192.0.2.2", DENIED }, { "203.0.113.1", DENIED }, { NULL, NULL } };
	static const Case ipv6[] = { { "2001:db8::1", OK }, { "2001:db8::2", DENIED }, { NULL, NULL } };

	CHECK(SINGLE, ipv4, "ipfilter.ipv4", "192.0.2.1");
	CHECK(SINGLE, ipv6, "ipfilter.ipv6", "2001:DB8:0::1");
}

static void
test_network(void)
{
	static const Case ipv4[] = { { "192.0.2.0", OK }, { "192.0.2.255", OK },
		{ "192.0.3.0", DENIED }, { "192.0.1.255", DENIED }, { NULL, NULL } };
	static const Case odd[] = { { "198.51.100.64", OK }, { "198.51.100.95", OK }, { "198.51.100.63", DENIED },
		{ "198.51.100.96", DENIED }, { NULL, NULL } };
	static const Case ipv6[] = { { "2001:db8:1::ffff", OK }, { "2001:db8:2::1", DENIED }, { NULL, NULL } };

	CHECK(ANY, ipv4, "ipfilter.ipv4", "192.0.2.0/24");
	CHECK(SINGLE, odd, "ipfilter.ipv4", "198.51.100.64/27");
	CHECK(ANY, ipv6, "ipfilter.ipv6", "2001:db8:1::/48");
}

static void
test_families_are_independent(void)
{
	static const Case ipv4[] = { { "192.0.2.2", DENIED }, { "2001:db8::1", OK }, { NULL, NULL } };
	static const Case ipv6[] = { { "192.0.2.2", OK }, { "2001:db8::2", DENIED }, { NULL, NULL } };

	CHECK(SINGLE, ipv4, "ipfilter.ipv4", "192.0.2.1");
	CHECK(ANY, ipv6, "ipfilter.ipv6", "2001:db8::1");
}

static void
test_loopback_disables(void)
{
	static const Case ipv4[] = { { "192.0.2.1", DENIED }, { "203.0.113.1", DENIED }, { "2001:db8::1", OK }, { NULL, NULL } };
	static const Case ipv6[] = { { "2001:db8::1", DENIED }, { "192.0.2.1", OK }, { NULL, NULL } };

	CHECK(SINGLE, ipv4, "ipfilter.ipv4", "127.0.0.1");
	CHECK(SINGLE, ipv6, "ipfilter.ipv6", "::1");
}

static void
test_mapped(void)
{
	static const Case cases[] = { { "::ffff:192.0.2.1", OK }, { "::ffff:192.0.2.2", DENIED }, { NULL, NULL } };

	CHECK(SINGLE, cases, "ipfilter.ipv4", "192.0.2.1", "ipfilter.ipv6", "::1");
}

/* ---- hosts ---- */

static void
test_host(void)
{
	static const Case ipv4[] = { { "192.0.2.10", OK }, { "192.0.2.11", OK }, { "192.0.2.12", DENIED }, { "2001:db8::b", OK }, { NULL, NULL } };
	static const Case ipv6[] = { { "2001:db8::a", OK }, { "2001:db8::b", DENIED }, { "192.0.2.12", OK }, { NULL, NULL } };

	CHECK(SINGLE, ipv4, "ipfilter.ipv4", HOST);
	CHECK(SERVER, ((const Case[]){ { "192.0.2.10", OK }, { "2001:db8::a", DENIED }, { NULL, NULL } }), "ipfilter.ipv4", HOST);
	CHECK(SINGLE, ipv6, "ipfilter.ipv6", HOST ".");
}

/* It is there, and will not get an address of this family by waiting. */
static void
test_host_of_one_family(void)
{
	static const Case ipv6[] = { { "2001:db8::a", DENIED }, { "192.0.2.99", OK }, { NULL, NULL } };
	static const Case ipv4[] = { { "192.0.2.10", DENIED }, { "2001:db8::a", OK }, { NULL, NULL } };
	PtnTest *test = new_test(NULL, SINGLE);

	ptn_test_dns(test, "four.dyn.example", PTN_A, PTN_OK, "192.0.2.10", NULL);
	ptn_test_dns(test, "six.dyn.example", PTN_AAAA, PTN_OK, "2001:db8::a", NULL);
	set(test, SINGLE, "ipfilter.ipv6", "four.dyn.example");
	check(test, SINGLE, ipv6);
	set(test, SINGLE, "ipfilter.ipv6", "::/0");
	set(test, SINGLE, "ipfilter.ipv4", "six.dyn.example");
	check(test, SINGLE, ipv4);
	ptn_test_free(test);
}

static void
test_host_is_not_found(void)
{
	static const Case cases[] = { { "192.0.2.10", LATER }, { NULL, NULL } };
	PtnTest *test = new_test(ALTERNATES, SINGLE);

	set(test, SINGLE, "ipfilter.ipv4", "absent.dyn.example");
	check(test, SINGLE, cases);
	set(test, SINGLE, "ipfilter.ipv4", "slow.dyn.example");
	ptn_test_dns(test, "slow.dyn.example", PTN_A, PTN_UNSURE, NULL);
	check(test, SINGLE, cases);
	ptn_test_dns(test, "slow.dyn.example", PTN_A, PTN_OK, NULL); /* without an address */
	check(test, SINGLE, cases);
	CU_ASSERT_EQUAL(ptn_test_count(test, "plugin.ipfilter.unresolved"), 3);
	CU_ASSERT_EQUAL(ptn_test_count(test, "plugin.ipfilter.mismatch"), 0);
	CU_ASSERT_EQUAL(ptn_test_count(test, "event.auth-failure"), 0);
	set(test, SINGLE, "ipfilter.ipv4-alternate", "192.0.2.10");
	check(test, SINGLE, (const Case[]){ { "192.0.2.10", OK }, { "192.0.2.12", LATER }, { NULL, NULL } });
	ptn_test_free(test);
}

static void
test_host_in_reject_mode(void)
{
	PtnTest *test = new_test(NULL, SINGLE);

	ptn_test_entry(test, PTN_ACCOUNT, SINGLE, "on-refusal", "reject", NULL);
	set(test, SINGLE, "ipfilter.ipv4", "absent.dyn.example");
	check(test, SINGLE,
		(const Case[]){ { "192.0.2.10", "550 5.7.0 Client host rejected: the host of the source filter cannot be resolved" },
			{ "2001:db8::1", OK }, { NULL, NULL } });
	ptn_test_free(test);
}

static void
test_host_changes(void)
{
	PtnTest *test = new_test(NULL, SINGLE);

	set(test, SINGLE, "ipfilter.ipv4", HOST);
	check(test, SINGLE, (const Case[]){ { "192.0.2.99", DENIED }, { NULL, NULL } });
	(void)login_from(test, "192.0.2.10", SINGLE);
	ptn_test_dns(test, HOST, PTN_A, PTN_OK, "192.0.2.99", NULL);
	CU_ASSERT_EQUAL(strncmp(ptn_test_say(test, "MAIL FROM:<user@example.net>"), "250", 3), 0); /* the session goes on */
	check(test, SINGLE, (const Case[]){ { "192.0.2.99", OK }, { "192.0.2.10", DENIED }, { NULL, NULL } });
	ptn_test_free(test);
}

/* A name server answers in random order: neither the first nor the last address decides. */
static void
test_host_order(void)
{
	static const char *const addresses[] = { "192.0.2.21", "192.0.2.22", "192.0.2.23" };
	static const Case cases[] = { { "192.0.2.21", OK }, { "192.0.2.22", OK }, { "192.0.2.23", OK }, { "192.0.2.24", DENIED },
		{ NULL, NULL } };

	for (size_t i = 0; i < 3; i++)
		for (size_t k = 1; k < 3; k++) {
			PtnTest *test = new_test(NULL, SINGLE);

			ptn_test_dns(test, "three.dyn.example", PTN_A, PTN_OK, addresses[i], addresses[(i + k) % 3],
				addresses[(i + 3 - k) % 3], NULL);
			set(test, SINGLE, "ipfilter.ipv4", "three.dyn.example");
			check(test, SINGLE, cases);
			ptn_test_free(test);
		}
}

/* ---- alternates ---- */

static void
test_alternate(void)
{
	static const Case ipv4[] = { { "192.0.2.1", OK }, { "203.0.113.7", OK }, { "203.0.113.8", DENIED }, { NULL, NULL } };
	static const Case ipv6[] = { { "2001:db8:1::1", OK }, { "2001:db8:2::1", OK }, { "2001:db8:3::1", DENIED }, { NULL, NULL } };
	static const Case alone[] = { { "203.0.113.7", OK }, { "203.0.113.8", DENIED }, { NULL, NULL } };

	CHECK(SERVER, ipv4, "ipfilter.ipv4", "192.0.2.0/24", "ipfilter.ipv4-alternate", "203.0.113.7");
	CHECK(ANY, ipv6, "ipfilter.ipv6", "2001:db8:1::/48", "ipfilter.ipv6-alternate", "2001:db8:2::/48");
	CHECK(SERVER, ipv4, "ipfilter.ipv4-alternate", "203.0.113.7", "ipfilter.ipv4", "192.0.2.0/24"); /* set the other way round */
	CHECK(SINGLE, alone, "ipfilter.ipv4-alternate", "203.0.113.7");
}

static void
test_alternate_of_level(void)
{
	static const char config[] = "[level personal]\nipfilter.alternates = no\n[level personal-plus]\nlike = personal\n"
								 "[level standard]\nipfilter.alternates = yes\n";
	static const Case higher[] = { { "192.0.2.1", OK }, { "203.0.113.7", OK }, { NULL, NULL } };
	static const Case lower[] = { { "192.0.2.1", OK }, { "203.0.113.7", DENIED }, { NULL, NULL } };
	PtnTest *test = new_test(config, SINGLE);

	set(test, SINGLE, "ipfilter.ipv4", "192.0.2.1");
	ptn_test_entry(test, PTN_CUSTOMER, "acme", "level", "personal", NULL);
	ASSERT_TEXT(ptn_test_set(test, PTN_ACCOUNT, SINGLE, "ipfilter.ipv4-alternate", "203.0.113.7"),
		"ipfilter.ipv4-alternate: level personal has no alternate filters");
	ptn_test_entry(test, PTN_CUSTOMER, "acme", "level", "standard", NULL);
	set(test, SINGLE, "ipfilter.ipv4-alternate", "203.0.113.7");
	check(test, SINGLE, higher);
	ptn_test_entry(test, PTN_CUSTOMER, "acme", "level", "personal-plus", NULL);
	check(test, SINGLE, lower);
	set(test, SINGLE, "ipfilter.ipv4", "192.0.2.1"); /* what is left of a higher level is not in the way */
	ptn_test_free(test);
}

static void
test_alternates_without_a_level(void)
{
	static const char *const configs[] = { NULL, "[plugin ipfilter]\nalternates = no\n",
		"[level standard]\nipfilter.alternates = yes\n" };
	static const Case all[] = { { "192.0.2.1", OK }, { "203.0.113.7", OK }, { NULL, NULL } };
	PtnTest *test;

	for (size_t i = 0; i < sizeof configs / sizeof configs[0]; i++) {
		test = new_test(configs[i], SINGLE);
		ASSERT_TEXT(ptn_test_set(test, PTN_ACCOUNT, SINGLE, "ipfilter.ipv6-alternate", "2001:db8::1"),
			"ipfilter.ipv6-alternate: alternate filters need a level that has them (ipfilter.alternates = yes)");
		ptn_test_free(test);
	}
	test = new_test(ALTERNATES, SINGLE);
	set(test, SINGLE, "ipfilter.ipv4", "192.0.2.1");
	set(test, SINGLE, "ipfilter.ipv4-alternate", "203.0.113.7");
	check(test, SINGLE, all);
	ptn_test_free(test);
}

/* ---- bad values ---- */

static void
test_values(void)
{
	static const struct {
		const char *option, *value, *complaint; /* NULL: it is taken */
	} cases[] = {
		{ "ipv4", "192.0.2.1", NULL },
		{ "ipv4", "192.0.2.0/24", NULL },
		{ "ipv4", "192.0.2.1/32", NULL },
		{ "ipv4", "home.dyn.example", NULL },
		{ "ipv4", "198.51.100.7/24", "198.51.100.7/24 has host bits; did you mean 198.51.100.0/24?" },
		{ "ipv4", "198.51.100.7/31", "198.51.100.7/31 has host bits; did you mean 198.51.100.6/31?" },
		{ "ipv4", "192.0.2.0/33", "\"192.0.2.0/33\": what follows the \"/\" is the length of the prefix, 0 to 32" },
		{ "ipv4", "192.0.2.0/", "\"192.0.2.0/\": what follows the \"/\" is the length of the prefix, 0 to 32" },
		{ "ipv4", "192.0.2.0/-1", "\"192.0.2.0/-1\": what follows the \"/\" is the length of the prefix, 0 to 32" },
		{ "ipv4", "192.0.2.256", "\"192.0.2.256\" is not an IPv4 address or network" },
		{ "ipv4", "192.0.2", "\"192.0.2\" is not an IPv4 address or network" },
		{ "ipv4", "2001:db8::1", "2001:db8::1 is of IPv6; this is the filter of IPv4: set ipv6" },
		{ "ipv4", "home.dyn.example/24", "\"home.dyn.example/24\" is not an IPv4 address or network" },
		{ "ipv4", "192.0.2.", "\"192.0.2.\" is not an IPv4 address or network" },
		{ "ipv4", "home.dyn.example7", NULL },
		{ "ipv4", "home.dyn.7", "\"home.dyn.7\" is not an IPv4 address or network" },
		{ "ipv4", "gateway", "\"gateway\" is not a full host name (gateway.example.net)" },
		{ "ipv4", "-x.example", "\"-x.example\" is neither an address or network nor a host name" },
		{ "ipv4", "a..example", "\"a..example\" is neither an address or network nor a host name" },
		{ "ipv4", "192.0.2.1 192.0.2.2", "\"192.0.2.1 192.0.2.2\" is not an IPv4 address or network" },
		{ "ipv6", "2001:db8::/32", NULL },
		{ "ipv6", "::1", NULL },
		{ "ipv6", "2001:db8::1/64", "2001:db8::1/64 has host bits; did you mean 2001:db8::/64?" },
		{ "ipv6", "2001:db8::/129", "\"2001:db8::/129\": what follows the \"/\" is the length of the prefix, 0 to 128" },
		{ "ipv6", "192.0.2.1", "192.0.2.1 is of IPv4; this is the filter of IPv6: set ipv4" },
		{ "ipv6", "::ffff:192.0.2.1", "::ffff:192.0.2.1 stands for an IPv4 address, which counts as such: set ipv4" },
		{ "ipv4-alternate", "203.0.113.0/24", NULL },
		{ "ipv4-alternate", "203.0.113.9/24", "203.0.113.9/24 has host bits; did you mean 203.0.113.0/24?" },
		{ "ipv4-alternate", "home.dyn.example",
			"\"home.dyn.example\": an alternate filter is an address or a network, not a host name" },
		{ "ipv6-alternate", "203.0.113.9", "203.0.113.9 is of IPv4; this is the filter of IPv6: set ipv4" },
	};
	PtnTest *test = new_test(ALTERNATES, SINGLE);

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char option[50], expected[300], shown[300];
		const char *complaint;

		(void)snprintf(option, sizeof option, "ipfilter.%s", cases[i].option);
		(void)snprintf(expected, sizeof expected, "%s: %s", option, cases[i].complaint);
		complaint = ptn_test_set(test, PTN_ACCOUNT, SINGLE, option, cases[i].value);
		(void)snprintf(shown, sizeof shown, "%s: %s", cases[i].value, complaint != NULL ? complaint : "taken");
		if (cases[i].complaint == NULL) {
			CU_ASSERT_PTR_NULL(complaint);
		} else if (complaint == NULL || strcmp(complaint, expected) != 0) {
			ASSERT_TEXT(shown, expected);
		}
	}
	ptn_test_free(test);
}

static void
test_selector(void)
{
	PtnTest *test = new_test(NULL, SINGLE);

	set(test, SINGLE, "ipfilter.ipv4-type", "ip");
	ASSERT_TEXT(ptn_test_set(test, PTN_ACCOUNT, SINGLE, "ipfilter.ipv4", HOST),
		"ipfilter.ipv4: \"" HOST "\" is not an address or network, and ipv4-type is ip; for a host name set ipv4-type=host");
	set(test, SINGLE, "ipfilter.ipv4", "192.0.2.1");
	ASSERT_TEXT(ptn_test_set(test, PTN_ACCOUNT, SINGLE, "ipfilter.ipv4-type", "host"),
		"ipfilter.ipv4-type: \"192.0.2.1\" is not a host name, and ipv4-type is host; for an address or network set ipv4-type=ip");
	set(test, SINGLE, "ipfilter.ipv6-type", "host");
	ASSERT_TEXT(ptn_test_set(test, PTN_ACCOUNT, SINGLE, "ipfilter.ipv6", "2001:db8::/32"),
		"ipfilter.ipv6: \"2001:db8::/32\" is not a host name, and ipv6-type is host; for an address or network set ipv6-type=ip");
	set(test, SINGLE, "ipfilter.ipv6", HOST);
	ptn_test_free(test);
}

static void
test_nonsense_is_not_open(void)
{
	static const char *const values[] = { "192.0.2.1/24", "192.0.2.0/33", "nonsense", "192.0.2.1,192.0.2.2" };
	PtnTest *test = new_test("[plugin ipfilter]\non-error = pass\n", SINGLE);

	for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
		ptn_test_entry(test, PTN_ACCOUNT, SINGLE, "ipfilter.ipv4", values[i], NULL); /* past all checks */
		check(test, SINGLE, (const Case[]){ { "192.0.2.1", LATER }, { NULL, NULL } });
	}
	ptn_test_free(test);
}

/* ---- how it is told ---- */

static void
test_mismatch_counts(void)
{
	PtnTest *test = new_test(NULL, SINGLE);

	set(test, SINGLE, "ipfilter.ipv4", "192.0.2.1");
	ASSERT_TEXT(login_from(test, "192.0.2.2", SINGLE), DENIED "\n");
	CU_ASSERT_EQUAL(ptn_test_count(test, "plugin.ipfilter.mismatch"), 1);
	CU_ASSERT_EQUAL(ptn_test_count(test, "event.auth-failure"), 1);
	(void)login_from(test, "192.0.2.1", SINGLE);
	CU_ASSERT_EQUAL(ptn_test_count(test, "plugin.ipfilter.mismatch"), 1);
	ptn_test_free(test);
}

static void
test_hidden(void)
{
	PtnTest *test = new_test("[plugin ipfilter]\nhide-mismatch = yes\n", SINGLE);
	char wrong[200];

	set(test, SINGLE, "ipfilter.ipv4", "192.0.2.1");
	ptn_test_connect(test, "192.0.2.2");
	(void)snprintf(wrong, sizeof wrong, "%s", ptn_test_login(test, SINGLE, "wrong"));
	CU_ASSERT_EQUAL(strncmp(wrong, "535 5.7.8", 9), 0);
	ASSERT_TEXT(login_from(test, "192.0.2.2", SINGLE), wrong);
	CU_ASSERT_EQUAL(ptn_test_count(test, "plugin.ipfilter.mismatch"), 1);
	set(test, SINGLE, "ipfilter.ipv4", "absent.dyn.example");
	ASSERT_TEXT(login_from(test, "192.0.2.2", SINGLE), "454 4.7.0 Temporary authentication failure\n");
	ptn_test_free(test);
}

static void
test_changed_between_messages(void)
{
	PtnTest *test = new_test(NULL, SINGLE);

	set(test, SINGLE, "ipfilter.ipv4", "192.0.2.0/24");
	(void)login_from(test, "192.0.2.2", SINGLE);
	CU_ASSERT_EQUAL(ptn_test_submit(test, SINGLE, "y@example.org", "a\r\n")[0], '2');
	set(test, SINGLE, "ipfilter.ipv4", "192.0.2.1");
	ASSERT_TEXT(ptn_test_say(test, "MAIL FROM:<user@example.net>"), DENIED "\n");
	ASSERT_TEXT(ptn_test_say(test, "MAIL FROM:<user@example.net>"), DENIED "\n");
	set(test, SINGLE, "ipfilter.ipv4", "absent.dyn.example");
	CU_ASSERT_EQUAL(strncmp(ptn_test_say(test, "MAIL FROM:<user@example.net>"), "450 4.7.1", 9), 0);
	set(test, SINGLE, "ipfilter.ipv4", "192.0.2.2");
	CU_ASSERT_EQUAL(ptn_test_submit(test, SINGLE, "y@example.org", "a\r\n")[0], '2');
	CU_ASSERT_EQUAL(ptn_test_queued(test), 2);
	ptn_test_free(test);
}

/* Of everything that the verdict was made of. */
static void
test_changed_alternate(void)
{
	PtnTest *test = new_test(ALTERNATES, SINGLE);

	set(test, SINGLE, "ipfilter.ipv4", "192.0.2.1");
	set(test, SINGLE, "ipfilter.ipv4-alternate", "203.0.113.7");
	CU_ASSERT_EQUAL(strncmp(login_from(test, "203.0.113.7", SINGLE), OK, strlen(OK)), 0);
	CU_ASSERT_EQUAL(strncmp(ptn_test_say(test, "MAIL FROM:<" SINGLE ">"), "250", 3), 0);
	(void)ptn_test_say(test, "RSET");
	set(test, SINGLE, "ipfilter.ipv4-alternate", "203.0.113.8");
	ASSERT_TEXT(ptn_test_say(test, "MAIL FROM:<" SINGLE ">"), DENIED "\n");
	set(test, SINGLE, "ipfilter.ipv4-alternate", "203.0.113.0/24");
	CU_ASSERT_EQUAL(strncmp(ptn_test_say(test, "MAIL FROM:<" SINGLE ">"), "250", 3), 0);
	ptn_test_free(test);
}

static const UnitTest tests[] = {
	{ "F-01 without a filter single and any types submit from anywhere", test_no_filter },
	{ "F-02 a mail server's family without a filter is closed", test_server },
	{ "F-02 a mail server submits from where it may, and nothing from elsewhere", test_server_submits },
	{ "F-03, F-05 a single address", test_single_address },
	{ "F-04, F-05 a network", test_network },
	{ "F-06 a filter of one family does not restrict the other", test_families_are_independent },
	{ "F-07 the loopback address disables a family", test_loopback_disables },
	{ "F-08, F-14 a host: any of its addresses, of the family", test_host },
	{ "F-14 whatever the order of its addresses", test_host_order },
	{ "F-09 the alternate is tested where the filter does not match", test_alternate },
	{ "F-09 a lower level cannot set alternates, and has them ignored", test_alternate_of_level },
	{ "F-09 without a level there are none, unless they are switched on for all", test_alternates_without_a_level },
	{ "F-10 a host with addresses of the other family alone is refused for good", test_host_of_one_family },
	{ "F-10 a host that is not found, or without an answer, is never open", test_host_is_not_found },
	{ "F-10 the same for good where the account wants that", test_host_in_reject_mode },
	{ "F-11 a changed host holds as the DNS tells it; a session goes on", test_host_changes },
	{ "F-12 bad values are refused, the corrected network is offered", test_values },
	{ "F-12 the selector and the value must agree, whichever is set last", test_selector },
	{ "F-12 a value that nobody checked is not an open filter", test_nonsense_is_not_open },
	{ "F-13 a mapped address is judged by the IPv4 filter", test_mapped },
	{ "F-15 a mismatch is counted", test_mismatch_counts },
	{ "F-03 a mismatch may be told as a wrong password", test_hidden },
	{ "a filter that was changed holds from the next message on", test_changed_between_messages },
	{ "F-09 and an alternate", test_changed_alternate },
	{ NULL, NULL },
};

int
main(int argc, char **argv)
{
	static const UnitSuite suite = { "ipfilter", tests };
	static const UnitSuite *const suites[] = { &suite, NULL };

	return unit_main(argc, argv, suites);
}
