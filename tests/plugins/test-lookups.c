/* test-lookups.c - DNS lookups of hooks: how long they live, and how many a session, a client and an account may hold. */
#include <glib.h>
#include <string.h>

#include "host/test-host-private.h"
#include "host/test-host.h"

#include "engine/session-private.h"
#include "unit/unit.h"

extern const PtnPlugin ptn_plugin_restrictions;

#define LOGIN "user@example.net"

static PtnHookRow rows[6];
static const PtnPlugin asker = { PTN_HEAD("asker"), .version = "1", .summary = "asks", .hooks = rows };
static unsigned asked, unsure;

static PtnVerdict
ask(PtnHook *h)
{
	asked++;
	if (ptn_dns_wait(h, ptn_dns_start(h, "cached.example", PTN_A))->status == PTN_UNSURE)
		unsure++;
	return PTN_NEXT;
}

static PtnVerdict
ask_at_once(PtnHook *h)
{
	(void)ptn_dns(h, "cached.example", PTN_A);
	return PTN_NEXT;
}

static PtnTest *
new_test(const char *client)
{
	const PtnPlugin *const plugins[] = { &ptn_test_door, &asker, NULL };
	PtnTest *test = ptn_test_new_chain(plugins, NULL);

	asked = unsure = 0;
	ptn_test_dns(test, "cached.example", PTN_A, PTN_OK, "192.0.2.7", NULL);
	ptn_test_entry(test, PTN_ACCOUNT, LOGIN, "customer", "acme", NULL);
	test->settings->max_junk = 100000;
	ptn_test_connect(test, client);
	return test;
}

static void
set_row(PtnStage stage, PtnFunction *function)
{
	memset(rows, 0, sizeof rows);
	rows[0] = (PtnHookRow){ stage, function, 0 };
}

static void
check_says(PtnTest *test, const char *line, const char *start)
{
	CU_ASSERT_EQUAL(strncmp(ptn_test_say(test, line), start, strlen(start)), 0);
}

static void
test_end_with_message(void)
{
	PtnTest *test;

	set_row(PTN_MAIL, ask);
	test = new_test("192.0.2.1");
	(void)ptn_test_login(test, LOGIN, "x");
	for (int i = 0; i < 200; i++) {
		check_says(test, "MAIL FROM:<" LOGIN ">", "250");
		CU_ASSERT_EQUAL(lookups_held(test->session->lookups), 1);
		check_says(test, "RSET", "250");
		CU_ASSERT_EQUAL(lookups_held(test->session->lookups), 0);
	}
	ptn_test_free(test);
}

static void
test_end_with_stage(void)
{
	PtnTest *test;

	set_row(PTN_HELO, ask);
	test = new_test("192.0.2.1");
	for (int i = 0; i < 50; i++)
		check_says(test, "EHLO a.example", "250");
	CU_ASSERT_EQUAL(lookups_held(test->session->lookups), 1);
	ptn_test_free(test);
}

/* A thousand recipients ask a thousand times, and hold nothing. */
static void
test_end_with_hook(void)
{
	PtnTest *test;

	set_row(PTN_RCPT, ask_at_once);
	test = new_test("192.0.2.1");
	(void)ptn_test_login(test, LOGIN, "x");
	check_says(test, "MAIL FROM:<" LOGIN ">", "250");
	for (int i = 0; i < 50; i++)
		check_says(test, "RCPT TO:<x@example.org>", "250");
	CU_ASSERT_EQUAL(lookups_held(test->session->lookups), 0);
	ptn_test_free(test);
}

static void
test_session_limit(void)
{
	PtnTest *test;

	set_row(PTN_RCPT, ask);
	test = new_test("192.0.2.1");
	test->settings->max_lookups = 10;
	ptn_test_connect(test, "192.0.2.1"); /* a session takes its limit when it begins */
	(void)ptn_test_login(test, LOGIN, "x");
	check_says(test, "MAIL FROM:<" LOGIN ">", "250");
	for (int i = 0; i < 15; i++)
		check_says(test, "RCPT TO:<x@example.org>", "250");
	CU_ASSERT_EQUAL(lookups_held(test->session->lookups), 10);
	CU_ASSERT_EQUAL(unsure, 5);
	CU_ASSERT_EQUAL(ptn_test_count(test, "limit.lookups"), 5);
	ptn_test_free(test);
}

static uint64_t
held_by_client(PtnTest *test, const char *ip)
{
	IpAddress address;
	g_autoptr(GPtrArray) usages = NULL;

	(void)ip_parse(ip, &address);
	usages = client_budgets_usage(test->engine.clients, &address, 64);
	return usages->len > 0 ? ((const ClientUsage *)usages->pdata[0])->lookups : UINT64_MAX;
}

/* Before authentication they are the client's, afterwards the account's; what was counted is given back. */
static void
test_budgets(void)
{
	PtnTest *test;
	AccountBudget *account;

	set_row(PTN_RCPT, ask);
	rows[1] = (PtnHookRow){ PTN_HELO, ask, 0 };
	test = new_test("192.0.2.1");
	test->settings->clients.lookups = 1;
	test->settings->accounts.most[ACCOUNT_LOOKUPS] = 3;
	account = account_budget_take(test->engine.accounts, LOGIN);
	check_says(test, "EHLO a.example", "250");
	CU_ASSERT_EQUAL(held_by_client(test, "192.0.2.1"), 1);
	(void)ptn_test_login(test, LOGIN, "x");
	check_says(test, "MAIL FROM:<" LOGIN ">", "250");
	for (int i = 0; i < 5; i++)
		check_says(test, "RCPT TO:<x@example.org>", "250");
	CU_ASSERT_EQUAL(account_budget_used(account, ACCOUNT_LOOKUPS), 3);
	CU_ASSERT_EQUAL(unsure, 2);
	check_says(test, "RSET", "250");
	CU_ASSERT_EQUAL(account_budget_used(account, ACCOUNT_LOOKUPS), 0);
	ptn_test_connect(test, "192.0.2.2"); /* the session before it ends */
	CU_ASSERT_EQUAL(held_by_client(test, "192.0.2.1"), 0);
	account_budget_drop(account);
	ptn_test_free(test);
}

/* It comes later, on another thread, and is on nobody's budget, though the session had an account. */
static void
test_observer(void)
{
	PtnTest *test;
	AccountBudget *account;

	set_row(PTN_REPLY, ask);
	test = new_test("192.0.2.1");
	test->settings->accounts.most[ACCOUNT_LOOKUPS] = 1;
	account = account_budget_take(test->engine.accounts, LOGIN);
	(void)ptn_test_login(test, LOGIN, "x");
	for (int i = 0; i < 3; i++)
		check_says(test, "MAIL FROM:<", "501");
	ptn_test_connect(test, "192.0.2.2"); /* the session before it ends, and with it what its observers do */
	CU_ASSERT(asked >= 3);
	CU_ASSERT_EQUAL(unsure, 0);
	CU_ASSERT_EQUAL(account_budget_used(account, ACCOUNT_LOOKUPS), 0);
	account_budget_drop(account);
	ptn_test_free(test);
}

/* The reverse name of a client is looked up on its budget; beyond it the client has no name. */
static void
test_name(void)
{
	PtnTest *test;

	set_row(PTN_MAIL, ask);
	test = new_test("192.0.2.1");
	ptn_test_dns(test, "8.8.8.8.in-addr.arpa", PTN_PTR, PTN_OK, "mail.example.org", NULL);
	ptn_test_dns(test, "mail.example.org", PTN_A, PTN_OK, "8.8.8.8", NULL);
	for (unsigned most = 0; most < 2; most++) {
		test->settings->clients.lookups = most;
		ptn_test_connect(test, "8.8.8.8");
		check_says(test, "EHLO a.example", "250");
		check_says(test, "NOOP", "250");
		CU_ASSERT_EQUAL(g_strcmp0(test->session->facts.client_name, most > 0 ? "mail.example.org" : NULL), 0);
		CU_ASSERT_EQUAL(ptn_test_count(test, "limit.lookups"), 1);
		CU_ASSERT_EQUAL(held_by_client(test, "8.8.8.8"), 0);
	}
	ptn_test_free(test);
}

/* that there is an address says nothing of the MX record that could not be asked for. */
static void
test_require_mx(void)
{
	static const PtnPlugin *const plugins[] = { &ptn_test_door, &ptn_plugin_restrictions, NULL };
	PtnTest *test = ptn_test_new_chain(plugins, "[plugin restrictions]\nrequire-mx = yes\n");

	ptn_test_dns(test, "example.net", PTN_MX, PTN_OK, "10 mail.example.net", NULL);
	ptn_test_dns(test, "address.example", PTN_A, PTN_OK, "192.0.2.80", NULL);
	ptn_test_entry(test, PTN_ACCOUNT, LOGIN, "customer", "acme", NULL);
	for (unsigned most = 1; most <= 2; most++) {
		test->settings->max_lookups = most;
		ptn_test_connect(test, "192.0.2.1");
		(void)ptn_test_login(test, LOGIN, "x");
		check_says(test, "MAIL FROM:<x@address.example>",
			most == 1 ? "450 4.1.8 <x@address.example>: Sender address rejected: Domain lookup failed, try again later"
					  : "450 4.1.8 <x@address.example>: Sender address rejected: Domain address.example has no MX record");
		check_says(test, "MAIL FROM:<x@example.net>", most == 1 ? "450 4.1.8" : "250");
	}
	ptn_test_free(test);
}

static const UnitTest tests[] = {
	{ "lookups of MAIL end with the message", test_end_with_message },
	{ "lookups of EHLO end with the next EHLO", test_end_with_stage },
	{ "an answer that was waited for at once ends with the hook", test_end_with_hook },
	{ "a session holds so many, then the answer is unsure", test_session_limit },
	{ "client and account hold so many", test_budgets },
	{ "an observer asks on nobody's budget", test_observer },
	{ "the name of a client is on its budget", test_name },
	{ "R-07 an MX record that cannot be asked for is neither there nor missing", test_require_mx },
	{ NULL, NULL },
};

static const UnitSuite suite = { "lookups", tests };

int
main(int argc, char **argv)
{
	const UnitSuite *const suites[] = { &suite, NULL };

	return unit_main(argc, argv, suites);
}
