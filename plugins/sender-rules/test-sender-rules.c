/* test-sender-rules.c - the plugin sender-rules in the test host, behind auth: letter S. */
#include "plugin-test.h"

#include <stdio.h>
#include <string.h>

#include "unit/unit.h"

extern const PtnPlugin ptn_plugin_auth, ptn_plugin_sender_rules;

#define SINGLE "user@example.net"
#define ANY "@example.net"
#define SERVER "example.net"
#define PASSWORD "mypassword"
#define CONTENT "From: Boss <boss@elsewhere.example>\r\nSubject: a\r\n\r\nb\r\n"

typedef struct {
	const char *sender, *reply;
} Case;

/* `options`: one option of sender-rules that is set to "yes", and another; NULL: none. */
static PtnTest *
new_session(const char *login, const char *option, const char *other)
{
	static const PtnPlugin *const plugins[] = { &ptn_plugin_auth, &ptn_plugin_sender_rules, NULL };
	PtnTest *test = ptn_test_new_chain(plugins, NULL);

	ptn_test_open_server_accounts(test);
	ptn_test_entry(test, PTN_CUSTOMER, "acme", "postmaster", "postmaster@acme.example", NULL);
	ptn_test_entry(test, PTN_ACCOUNT, login, "password", PASSWORD, strcmp(login, SERVER) == 0 ? "type" : NULL, "server", NULL);
	if (option != NULL)
		ptn_test_entry(test, PTN_ACCOUNT, login, option, "yes", other, "yes", NULL);
	ptn_test_dns(test, "sub.example.net", PTN_A, PTN_OK, "192.0.2.80", NULL);
	ptn_test_dns(test, "a.b.example.net", PTN_MX, PTN_OK, "10 mx.example.net", NULL);
	ptn_test_dns(test, "slow.example.net", PTN_MX, PTN_UNSURE, NULL);
	ptn_test_connect(test, "192.0.2.1");
	CU_ASSERT_EQUAL(strncmp(ptn_test_login(test, login, PASSWORD), "235", 3), 0);
	return test;
}

/* Each is asked in the same session: a refusal leaves it usable. */
static void
check(PtnTest *test, const Case *cases)
{
	for (; cases->sender != NULL; cases++) {
		char line[200], shown[250];
		const char *reply;

		(void)snprintf(line, sizeof line, "MAIL FROM:<%s>", cases->sender);
		reply = ptn_test_say(test, line);
		(void)snprintf(shown, sizeof shown, "%s: %s", cases->sender,
			strncmp(reply, cases->reply, strlen(cases->reply)) == 0 ? cases->reply : reply);
		(void)snprintf(line, sizeof line, "%s: %s", cases->sender, cases->reply);
		ASSERT_TEXT(shown, line);
		(void)ptn_test_say(test, "RSET");
	}
}

static void
check_all(const char *login, const char *option, const char *other, const Case *cases)
{
	PtnTest *test = new_session(login, option, other);

	check(test, cases);
	ptn_test_free(test);
}

static void
test_single(void)
{
	static const Case cases[] = { { SINGLE, "250 2.1.0" }, { "other@example.net", "553 5.7.1" },
		{ "use@example.net", "553 5.7.1" }, { "userx@example.net", "553 5.7.1" },
		{ "user@elsewhere.example", "553 5.7.1" }, { "user@sub.example.net", "553 5.7.1" }, { "", "250" }, { NULL, NULL } };

	check_all(SINGLE, NULL, NULL, cases);
}

/* What one message was answered has no part in the next one: the same cases backwards. */
static void
check_backwards(PtnTest *test, const Case *cases)
{
	size_t n = 0;

	while (cases[n].sender != NULL)
		n++;
	while (n-- > 0)
		check(test, (const Case[]){ cases[n], { NULL, NULL } });
}

static void
test_order_of_senders(void)
{
	static const Case cases[] = { { "user@sub.example.net", "250" }, { "x@missing.example.net", "450 4.1.8" },
		{ "other@elsewhere.example", "553 5.7.1" }, { "x@slow.example.net", "450 4.1.8" }, { "x@example.net", "250" },
		{ "postmaster@acme.example", "250" }, { "x@evilexample.net", "553 5.7.1" }, { "", "250" }, { NULL, NULL } };
	PtnTest *test = new_session(ANY, "sender-rules.subdomains", NULL);

	check(test, cases);
	check_backwards(test, cases);
	check(test, cases);
	ptn_test_free(test);
}

static void
test_mismatch_words(void)
{
	PtnTest *test = new_session(SINGLE, NULL, NULL);

	CU_ASSERT_PTR_NOT_NULL(strstr(ptn_test_say(test, "MAIL FROM:<other@example.net>"), "address mismatch"));
	ptn_test_free(test);
}

static void
test_identities(void)
{
	static const Case cases[] = { { "other@example.net", "250" }, { SINGLE, "250" }, { "user@elsewhere.example", "553 5.7.1" },
		{ "user@sub.example.net", "553 5.7.1" }, { NULL, NULL } };

	check_all(SINGLE, "sender-rules.identities", NULL, cases);
}

static void
test_identities_elsewhere(void)
{
	static const Case any[] = { { "x@example.net", "250" }, { "x@elsewhere.example", "553 5.7.1" },
		{ "x@sub.example.net", "553 5.7.1" }, { NULL, NULL } };
	static const Case server[] = { { "x@elsewhere.example", "250" }, { NULL, NULL } };

	check_all(ANY, "sender-rules.identities", NULL, any);
	check_all(SERVER, "sender-rules.identities", NULL, server);
}

static void
test_any(void)
{
	static const Case cases[] = { { "x@example.net", "250" }, { "y.z@example.net", "250" },
		{ "x@elsewhere.example", "553 5.7.1" }, { "x@sub.example.net", "553 5.7.1" }, { NULL, NULL } };

	check_all(ANY, NULL, NULL, cases);
}

static void
test_any_subdomains(void)
{
	static const Case cases[] = { { "x@sub.example.net", "250" }, { "x@example.net", "250" },
		{ "x@missing.example.net", "450 4.1.8" },
		{ "x@slow.example.net",
			"450 4.1.8 <x@slow.example.net>: Sender address rejected: Domain lookup failed, try again later" },
		{ "x@a.b.example.net", "250" }, { "x@evilexample.net", "553 5.7.1" },
		{ "x@example.net.evil.example", "553 5.7.1" }, { NULL, NULL } };

	check_all(ANY, "sender-rules.subdomains", NULL, cases);
}

static void
test_single_subdomains(void)
{
	static const Case cases[] = { { "user@sub.example.net", "250" }, { "other@sub.example.net", "553 5.7.1" },
		{ "other@example.net", "553 5.7.1" }, { "user@example.net", "250" }, { NULL, NULL } };

	check_all(SINGLE, "sender-rules.subdomains", NULL, cases);
}

/* The nearest mail domain at or above the sender's says whose it is. */
static void
test_other_owner(void)
{
	static const Case cases[] = { { "x@sub.example.net", "553 5.7.1" }, { "x@deep.sub.example.net", "553 5.7.1" },
		{ "x@a.b.example.net", "250" }, { "x@own.example.net", "250" }, { NULL, NULL } };
	PtnTest *test = new_session(ANY, "sender-rules.subdomains", NULL);

	ptn_test_entry(test, PTN_CUSTOMER, "other", "postmaster", "postmaster@other.example", NULL);
	ptn_test_entry(test, PTN_DOMAIN, "example.net", "customer", "acme", "mode", "outbound-only", NULL);
	ptn_test_entry(test, PTN_DOMAIN, "sub.example.net", "customer", "other", "mode", "outbound-only", NULL);
	ptn_test_entry(test, PTN_DOMAIN, "own.example.net", "customer", "acme", "mode", "outbound-only", NULL);
	ptn_test_dns(test, "own.example.net", PTN_A, PTN_OK, "192.0.2.81", NULL);
	ptn_test_dns(test, "deep.sub.example.net", PTN_A, PTN_OK, "192.0.2.82", NULL);
	check(test, cases);
	ptn_test_free(test);
}

static void
test_single_both(void)
{
	static const Case cases[] = { { "other@sub.example.net", "250" }, { "other@example.net", "250" },
		{ "other@elsewhere.example", "553 5.7.1" }, { NULL, NULL } };

	check_all(SINGLE, "sender-rules.identities", "sender-rules.subdomains", cases);
}

static void
test_server(void)
{
	static const Case cases[] = { { "x@example.net", "250" }, { "x@deep.sub.example.net", "250" },
		{ "x@elsewhere.example", "250" }, { "", "250" }, { NULL, NULL } };

	check_all(SERVER, NULL, NULL, cases);
	check_all(SERVER, "sender-rules.subdomains", NULL, cases); /* a name that is not in the DNS: not even looked up */
}

static void
test_server_closed(void)
{
	static const PtnPlugin *const plugins[] = { &ptn_plugin_auth, &ptn_plugin_sender_rules, NULL };
	PtnTest *test = ptn_test_new_chain(plugins, NULL);

	ptn_test_entry(test, PTN_ACCOUNT, SERVER, "password", PASSWORD, "type", "server", NULL);
	ptn_test_connect(test, "192.0.2.1");
	(void)ptn_test_login(test, SERVER, PASSWORD);
	(void)ptn_test_submit(test, "x@example.net", "y@example.org", CONTENT);
	CU_ASSERT_EQUAL(ptn_test_reply(test)[0], '5');
	CU_ASSERT_EQUAL(ptn_test_queued(test), 0);
	ptn_test_free(test);
}

static void
test_letter_case(void)
{
	static const Case cases[] = { { "User@Example.NET", "250" }, { "USER@example.net", "250" }, { NULL, NULL } };

	check_all(SINGLE, NULL, NULL, cases);
}

static void
test_header_from(void)
{
	PtnTest *test = new_session(SINGLE, NULL, NULL);

	CU_ASSERT_EQUAL(strncmp(ptn_test_submit(test, SINGLE, "x@example.org", CONTENT), "250", 3), 0);
	CU_ASSERT_EQUAL(ptn_test_queued(test), 1);
	CU_ASSERT_PTR_NOT_NULL(strstr(ptn_test_queued_text(test, 0), "From: Boss <boss@elsewhere.example>\r\n"));
	ptn_test_free(test);
}

static void
test_refused_before_data(void)
{
	PtnTest *test = new_session(SINGLE, NULL, NULL);

	CU_ASSERT_EQUAL(strncmp(ptn_test_say(test, "MAIL FROM:<other@example.net>"), "553", 3), 0);
	CU_ASSERT_EQUAL(strncmp(ptn_test_say(test, "MAIL FROM:<user@example.net>"), "250", 3), 0); /* without RSET, too */
	CU_ASSERT_EQUAL(strncmp(ptn_test_say(test, "RSET"), "250", 3), 0);
	CU_ASSERT_EQUAL(strncmp(ptn_test_submit(test, SINGLE, "x@example.org", CONTENT), "250", 3), 0);
	CU_ASSERT_EQUAL(ptn_test_queued(test), 1);
	ptn_test_free(test);
}

static void
test_each_is_checked(void)
{
	PtnTest *test = new_session(SINGLE, NULL, NULL);

	CU_ASSERT_EQUAL(ptn_test_submit(test, SINGLE, "x@example.org", CONTENT)[0], '2');
	CU_ASSERT_EQUAL(strncmp(ptn_test_submit(test, "other@example.net", "x@example.org", CONTENT), "553", 3), 0);
	CU_ASSERT_EQUAL(ptn_test_submit(test, SINGLE, "x@example.org", CONTENT)[0], '2');
	CU_ASSERT_EQUAL(ptn_test_queued(test), 2);
	ptn_test_free(test);
}

static void
test_postmaster(void)
{
	static const Case postmaster[] = { { "postmaster@acme.example", "250" }, { "Postmaster@ACME.example", "250" },
		{ "it@acme.example", "553 5.7.1" }, { NULL, NULL } };
	static const Case primary[] = { { "it@acme.example", "250" }, { "postmaster@acme.example", "553 5.7.1" }, { NULL, NULL } };
	PtnTest *test = new_session(SINGLE, NULL, NULL);

	check(test, postmaster);
	ptn_test_entry(test, PTN_CUSTOMER, "acme", "postmaster", NULL, NULL);
	check(test, primary);
	ptn_test_free(test);
}

static const UnitTest tests[] = {
	{ "S-01, S-02, S-03 a single-address account sends as itself only", test_single },
	{ "S-02 the refusal names the mismatch", test_mismatch_words },
	{ "S-04, S-05 with identities: any local part, the same domain", test_identities },
	{ "S-06 identities have no effect on other types", test_identities_elsewhere },
	{ "S-07, S-08, S-09 any address: any local part at exactly the domain", test_any },
	{ "S-10, S-11, S-14 any address with subdomains", test_any_subdomains },
	{ "S-12 single address with subdomains: only the domain is relaxed", test_single_subdomains },
	{ "a subdomain that is another customer's is not ours", test_other_owner },
	{ "S-13 single address with both options", test_single_both },
	{ "S-15, S-16, S-17 a mail server may use any sender", test_server },
	{ "a mail server whose sources nobody filters may not submit", test_server_closed },
	{ "S-18 letter case does not matter", test_letter_case },
	{ "S-19 header From is not compared", test_header_from },
	{ "S-20 a mismatch is refused before DATA and leaves the session usable", test_refused_before_data },
	{ "S-21 each message of a session is checked", test_each_is_checked },
	{ "S-21 in whatever order they come", test_order_of_senders },
	{ "N-05 the customer's postmaster may always send; where it is blank, the primary address", test_postmaster },
	{ NULL, NULL },
};

int
main(int argc, char **argv)
{
	static const UnitSuite suite = { "sender-rules", tests };
	static const UnitSuite *const suites[] = { &suite, NULL };

	return unit_main(argc, argv, suites);
}
