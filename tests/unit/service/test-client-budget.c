/* test-client-budget.c - budgets of client networks and of accounts. */
#include <glib.h>
#include <stdio.h>
#include <string.h>

#include "service/account-budget.h"
#include "service/client-budget.h"
#include "unit/service/fake-clock.h"
#include "unit/service/suites.h"

#define MINUTE (60 * CLOCK_SECOND)

static ClientBudget *
take(ClientBudgets *budgets, const char *client)
{
	IpAddress address;

	CU_ASSERT_FATAL(ip_parse(client, &address));
	return client_budget_take(budgets, &address, 64);
}

static uint64_t
used_by(ClientBudgets *budgets, const char *client, const char **name)
{
	static char kept[64];
	IpAddress address;
	g_autoptr(GPtrArray) usages = NULL;
	const ClientUsage *usage;

	CU_ASSERT_FATAL(ip_parse(client, &address));
	usages = client_budgets_usage(budgets, &address, 64);
	if (usages->len == 0)
		return UINT64_MAX;
	usage = g_ptr_array_index(usages, 0);
	g_strlcpy(kept, usage->network, sizeof kept);
	if (name != NULL)
		*name = kept;
	return usage->connections;
}

static void
test_network(void)
{
	FakeClock clock = fake_clock();
	ClientBudgets *budgets = client_budgets_new(&clock.clock, 100);
	ClientBudget *a = take(budgets, "192.0.2.1"), *b = take(budgets, "192.0.2.2"), *c = take(budgets, "::ffff:192.0.2.1");
	ClientBudget *d = take(budgets, "2001:db8:1:2::5"), *e = take(budgets, "2001:db8:1:2:ffff::9"), *f = take(budgets, "2001:db8:1:3::5");
	const char *name = NULL;

	CU_ASSERT_PTR_NOT_EQUAL(a, b);
	CU_ASSERT_PTR_EQUAL(a, c);
	CU_ASSERT_PTR_EQUAL(d, e);
	CU_ASSERT_PTR_NOT_EQUAL(d, f);
	(void)used_by(budgets, "2001:db8:1:2::77", &name);
	ASSERT_TEXT(name, "2001:db8:1:2::/64");
	client_budget_drop(a), client_budget_drop(b), client_budget_drop(c);
	client_budget_drop(d), client_budget_drop(e), client_budget_drop(f);
	client_budgets_free(budgets);
}

static void
test_connections(void)
{
	FakeClock clock = fake_clock();
	ClientBudgets *budgets = client_budgets_new(&clock.clock, 100);
	ClientLimits limits = client_limits_default();
	ClientBudget *budget = take(budgets, "192.0.2.1");

	limits.connections = 2;
	CU_ASSERT_PTR_NULL(client_budget_connect(budget, &limits));
	CU_ASSERT_PTR_NULL(client_budget_connect(budget, &limits));
	CU_ASSERT_EQUAL(client_budget_connect(budget, &limits)->code, 421);
	CU_ASSERT_EQUAL(used_by(budgets, "192.0.2.1", NULL), 2);
	client_budget_disconnect(budget);
	CU_ASSERT_PTR_NULL(client_budget_connect(budget, &limits));
	client_budget_disconnect(budget), client_budget_disconnect(budget);
	client_budget_drop(budget);
	client_budgets_free(budgets);
}

/* What was done in this minute stays known when the client is gone. */
static void
test_rates(void)
{
	FakeClock clock = fake_clock();
	ClientBudgets *budgets = client_budgets_new(&clock.clock, 100);
	ClientLimits limits = client_limits_default();

	limits.connection_rate = 3;
	for (int i = 0; i < 4; i++) {
		ClientBudget *budget = take(budgets, "192.0.2.1");
		const BudgetRefusal *refusal = client_budget_connect(budget, &limits);

		CU_ASSERT_EQUAL(refusal != NULL, i == 3);
		if (refusal != NULL)
			ASSERT_TEXT(refusal->name, "connection-rate");
		else
			client_budget_disconnect(budget);
		client_budget_drop(budget);
	}
	clock.now_us += MINUTE;
	limits.commands = 2;
	for (int i = 0; i < 3; i++) {
		ClientBudget *budget = take(budgets, "192.0.2.1");

		CU_ASSERT_PTR_NULL(client_budget_connect(budget, &limits));
		CU_ASSERT_EQUAL(client_budget_command(budget, &limits) != NULL, i == 2);
		client_budget_disconnect(budget);
		client_budget_drop(budget);
	}
	client_budgets_free(budgets);
}

static void
test_unfinished(void)
{
	FakeClock clock = fake_clock();
	ClientBudgets *budgets = client_budgets_new(&clock.clock, 100);
	ClientLimits limits = client_limits_default();
	ClientBudget *a = take(budgets, "192.0.2.1"), *b = take(budgets, "192.0.2.2");

	limits.unfinished = 100;
	limits.all_unfinished = 150;
	CU_ASSERT_PTR_NULL(client_budget_grow(a, &limits, 100));
	ASSERT_TEXT(client_budget_grow(a, &limits, 1)->name, "unfinished");
	ASSERT_TEXT(client_budget_grow(b, &limits, 51)->name, "all-unfinished");
	CU_ASSERT_PTR_NULL(client_budget_grow(b, &limits, 50));
	client_budget_shrink(a, 100);
	CU_ASSERT_PTR_NULL(client_budget_grow(b, &limits, 50));
	client_budget_shrink(b, 100);
	client_budget_drop(a), client_budget_drop(b);
	client_budgets_free(budgets);
}

/* Those without use go, the one used least recently first; then new ones share one object. */
static void
test_full_table(void)
{
	FakeClock clock = fake_clock();
	ClientBudgets *budgets = client_budgets_new(&clock.clock, 3);
	ClientBudget *a = take(budgets, "192.0.2.1"), *b = take(budgets, "192.0.2.2"), *c = take(budgets, "192.0.2.3");
	ClientBudget *d = take(budgets, "192.0.2.4"), *e = take(budgets, "192.0.2.5"), *f;

	CU_ASSERT_EQUAL(client_budgets_count(budgets), 3);
	CU_ASSERT_PTR_EQUAL(d, e);
	CU_ASSERT_PTR_NOT_EQUAL(d, a);
	client_budget_drop(b), client_budget_drop(a);
	f = take(budgets, "192.0.2.6"); /* 192.0.2.2 was used least recently */
	CU_ASSERT_PTR_NOT_EQUAL(f, d);
	CU_ASSERT_EQUAL(used_by(budgets, "192.0.2.2", NULL), UINT64_MAX);
	CU_ASSERT_EQUAL(used_by(budgets, "192.0.2.1", NULL), 0);
	CU_ASSERT_EQUAL(client_budgets_count(budgets), 3);
	client_budget_drop(c), client_budget_drop(d), client_budget_drop(e), client_budget_drop(f);
	client_budgets_free(budgets);
}

static void
put_left_out(void *data, const char *network, const char *reason, uint64_t lines)
{
	g_string_append_printf(data, "%s %s %u;", network != NULL ? network : "-", reason, (unsigned)lines);
}

static void
test_log_lines(void)
{
	FakeClock clock = fake_clock();
	ClientBudgets *budgets = client_budgets_new(&clock.clock, 100);
	ClientLimits limits = client_limits_default();
	ClientBudget *a = take(budgets, "192.0.2.1"), *b = take(budgets, "192.0.2.2");
	g_autoptr(GString) told = g_string_new(NULL);
	unsigned written = 0;

	limits.log_lines = 5;
	limits.all_log_lines = 7;
	for (int i = 0; i < 10; i++)
		written += client_budget_log(a, &limits, "refused");
	CU_ASSERT_EQUAL(written, 5);
	for (int i = 0; i < 4; i++)
		written += client_budget_log(b, &limits, "event");
	CU_ASSERT_EQUAL(written, 7); /* of all */
	client_budgets_report(budgets, put_left_out, told);
	CU_ASSERT_PTR_NOT_NULL(strstr(told->str, "192.0.2.1 refused 5;"));
	CU_ASSERT_PTR_NOT_NULL(strstr(told->str, "192.0.2.2 event 2;"));
	g_string_truncate(told, 0);
	client_budgets_report(budgets, put_left_out, told);
	ASSERT_TEXT(told->str, "");
	clock.now_us += MINUTE;
	CU_ASSERT_TRUE(client_budget_log(a, &limits, "refused"));
	client_budget_drop(a), client_budget_drop(b);
	client_budgets_free(budgets);
}

static void
test_log_once(void)
{
	FakeClock clock = fake_clock();
	ClientBudgets *budgets = client_budgets_new(&clock.clock, 100);
	ClientLimits limits = client_limits_default();
	ClientBudget *a = take(budgets, "192.0.2.1"), *b = take(budgets, "192.0.2.2");
	g_autoptr(GString) told = g_string_new(NULL);
	unsigned written = 0;

	for (int i = 0; i < 10; i++)
		written += client_budget_log_once(a, &limits, "blocked");
	CU_ASSERT_EQUAL(written, 1);
	CU_ASSERT_TRUE(client_budget_log_once(b, &limits, "blocked"));
	CU_ASSERT_TRUE(client_budget_log(a, &limits, "refused")); /* other lines have their own number */
	client_budgets_report(budgets, put_left_out, told);
	ASSERT_TEXT(told->str, "192.0.2.1 blocked 9;");
	clock.now_us += MINUTE;
	CU_ASSERT_TRUE(client_budget_log_once(a, &limits, "blocked"));
	CU_ASSERT_FALSE(client_budget_log_once(a, &limits, "blocked"));
	limits.log_lines = 0;
	CU_ASSERT_FALSE(client_budget_log_once(b, &limits, "blocked"));
	CU_ASSERT_TRUE(client_budget_log_once(NULL, &limits, "blocked"));
	client_budget_drop(a), client_budget_drop(b);
	client_budgets_free(budgets);
}

static void
test_work(void)
{
	FakeClock clock = fake_clock();
	ClientBudgets *budgets = client_budgets_new(&clock.clock, 1);
	ClientBudget *a = take(budgets, "192.0.2.1"), *others = take(budgets, "192.0.2.2");

	CU_ASSERT_FALSE(client_budget_is_at_work(NULL));
	client_budget_note_work(NULL);
	CU_ASSERT_FALSE(client_budget_is_at_work(a));
	client_budget_note_work(a);
	client_budget_note_work(others); /* which is of many networks */
	CU_ASSERT_TRUE(client_budget_is_at_work(a));
	CU_ASSERT_FALSE(client_budget_is_at_work(others));
	clock.now_us += 599 * CLOCK_SECOND;
	CU_ASSERT_TRUE(client_budget_is_at_work(a));
	clock.now_us += CLOCK_SECOND;
	CU_ASSERT_FALSE(client_budget_is_at_work(a));
	client_budget_drop(a), client_budget_drop(others);
	client_budgets_free(budgets);
}

/* However many networks there are, the report is short. */
static void
test_report_is_bounded(void)
{
	FakeClock clock = fake_clock();
	ClientBudgets *budgets = client_budgets_new(&clock.clock, 100000);
	ClientLimits limits = client_limits_default();
	g_autoptr(GString) told = g_string_new(NULL);
	unsigned rows = 0;

	limits.log_lines = limits.all_log_lines = 0;
	limits.log_reasons = 30;
	for (unsigned i = 0; i < 5000; i++) {
		char client[20];
		ClientBudget *budget;

		(void)snprintf(client, sizeof client, "10.0.%u.%u", i / 250, i % 250);
		budget = take(budgets, client);
		CU_ASSERT_FALSE(client_budget_log(budget, &limits, "refused"));
		client_budget_drop(budget);
	}
	client_budgets_report(budgets, put_left_out, told);
	for (const char *c = told->str; *c != '\0'; c++)
		rows += *c == ';';
	CU_ASSERT_EQUAL(rows, 31);
	CU_ASSERT_PTR_NOT_NULL(strstr(told->str, "- various 4970;"));
	client_budgets_free(budgets);
}

enum { RACERS = 4, ROUNDS = 20000 };

static void *
race(void *data)
{
	const ClientLimits limits = client_limits_default();

	for (int i = 0; i < ROUNDS; i++) {
		ClientBudget *budget = take(data, i % 2 == 0 ? "192.0.2.1" : "192.0.2.2");
		ClientBudget *other = client_budget_ref(budget);

		CU_ASSERT_PTR_NULL(client_budget_work(budget, &limits));
		client_budget_drop(budget);
		client_budget_end_work(other);
		client_budget_drop(other);
	}
	return NULL;
}

static void
test_threads(void)
{
	FakeClock clock = fake_clock();
	ClientBudgets *budgets = client_budgets_new(&clock.clock, 1); /* each take pushes the other out */
	GThread *threads[RACERS];

	for (int i = 0; i < RACERS; i++)
		threads[i] = g_thread_new("racer", race, budgets);
	for (int i = 0; i < RACERS; i++)
		(void)g_thread_join(threads[i]);
	CU_ASSERT_EQUAL(client_budgets_count(budgets), 1);
	client_budgets_free(budgets);
}

static void
test_accounts(void)
{
	AccountBudgets *budgets = account_budgets_new();
	AccountLimits limits = { { [ACCOUNT_LOOKUPS] = 2 } };
	AccountBudget *a = account_budget_take(budgets, "it@example.net"), *b = account_budget_take(budgets, "IT@Example.net");

	CU_ASSERT_PTR_EQUAL(a, b);
	CU_ASSERT_TRUE(account_budget_begin(a, &limits, ACCOUNT_LOOKUPS));
	CU_ASSERT_TRUE(account_budget_begin(b, &limits, ACCOUNT_LOOKUPS));
	CU_ASSERT_FALSE(account_budget_begin(b, &limits, ACCOUNT_LOOKUPS));
	CU_ASSERT_TRUE(account_budget_begin(b, &limits, ACCOUNT_DELIVERIES)); /* no limit */
	account_budget_end(a, ACCOUNT_LOOKUPS);
	CU_ASSERT_EQUAL(account_budget_used(b, ACCOUNT_LOOKUPS), 1);
	account_budget_drop(a);
	CU_ASSERT_EQUAL(account_budgets_count(budgets), 1);
	account_budget_drop(b);
	CU_ASSERT_EQUAL(account_budgets_count(budgets), 0);
	CU_ASSERT_TRUE(account_budget_begin(NULL, &limits, ACCOUNT_LOOKUPS));
	account_budgets_free(budgets);
}

static const UnitTest tests[] = {
	{ "an IPv4 address, an IPv6 network is a client", test_network },
	{ "K-12 connections at a time", test_connections },
	{ "connections and commands a minute", test_rates },
	{ "octets of unfinished messages, of one and of all", test_unfinished },
	{ "a full table: the unused go, then new ones share", test_full_table },
	{ "lines of the log are counted, and reported", test_log_lines },
	{ "K-17 what one line a minute says is said once for each client, and the rest is counted", test_log_once },
	{ "K-14 work counts for ten minutes", test_work },
	{ "the report has a bound, too", test_report_is_bounded },
	{ "several threads", test_threads },
	{ "accounts", test_accounts },
	{ NULL, NULL },
};

const UnitSuite suite_client_budget = { "client-budget", tests };
