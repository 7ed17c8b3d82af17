/* test-lookups.c - whose budget a lookup is on, and until when. */
#include <glib.h>

#include "engine/lookups.h"
#include "service/dns-private.h"
#include "unit/engine/suites.h"
#include "unit/service/fake-clock.h"

static DnsLookup *under_way;

static bool
keep(void *data, const char *name, PtnRecord type, bool is_fresh, DnsLookup *lookup)
{
	(void)data, (void)name, (void)type, (void)is_fresh;
	under_way = lookup;
	return true;
}

static void
nothing(void *data)
{
	(void)data;
}

static Dns *
silent_dns(const Clock *clock, size_t most_lookups)
{
	static const DnsTransport transport = { keep, nothing, nothing };
	const DnsSettings settings = {
		.timeout_us = 10 * CLOCK_SECOND, .cache_size = 1 << 20, .most_lookups = most_lookups, .limits = dns_limits_default(), .clock = clock
	};

	return dns_new_over(&transport, NULL, &settings);
}

static uint64_t
used(ClientBudgets *budgets, const IpAddress *client)
{
	g_autoptr(GPtrArray) usages = client_budgets_usage(budgets, client, 64);

	return ((const ClientUsage *)usages->pdata[0])->lookups;
}

/* A client that leaves at once, or an account whose message is over, has not ended what it began. */
static void
test_until_servers_end(void)
{
	FakeClock clock = fake_clock();
	ClientBudgets *clients = client_budgets_new(&clock.clock, 10);
	AccountBudgets *accounts = account_budgets_new();
	AccountBudget *account = account_budget_take(accounts, "user@example.net");
	ClientLimits client_limits = client_limits_default();
	const AccountLimits account_limits = account_limits_default();
	Dns *dns = silent_dns(&clock.clock, 10);
	IpAddress client;
	Lookups *lookups;
	LookupsSettings settings = {
		.most = 10, .client_limits = &client_limits, .account_limits = &account_limits
	};

	CU_ASSERT_FATAL(ip_parse("192.0.2.1", &client));
	client_limits.lookups = 1;
	settings.client = client_budget_take(clients, &client, 64);
	lookups = lookups_new(&settings);
	CU_ASSERT_PTR_NOT_NULL(lookups_start(lookups, dns, "a.example", PTN_A, false, PTN_CONNECT, NULL));
	CU_ASSERT_PTR_NOT_NULL(lookups_start(lookups, dns, "a.example", PTN_A, false, PTN_CONNECT, account));
	lookups_free(lookups);
	lookups = lookups_new(&settings);
	CU_ASSERT_EQUAL(used(clients, &client), 1);
	CU_ASSERT_EQUAL(account_budget_used(account, ACCOUNT_LOOKUPS), 1);
	CU_ASSERT_PTR_NULL(lookups_start(lookups, dns, "b.example", PTN_A, false, PTN_CONNECT, NULL));
	dns_deliver(dns, under_way, dns_answer_make(PTN_NONE, NULL, 0));
	CU_ASSERT_EQUAL(used(clients, &client), 0);
	CU_ASSERT_EQUAL(account_budget_used(account, ACCOUNT_LOOKUPS), 0);
	CU_ASSERT_PTR_NOT_NULL(lookups_start(lookups, dns, "b.example", PTN_A, false, PTN_CONNECT, NULL));
	lookups_free(lookups);
	client_budget_drop(settings.client);
	dns_free(dns); /* what it had under way ends here */
	CU_ASSERT_EQUAL(used(clients, &client), 0);
	account_budget_drop(account);
	account_budgets_free(accounts);
	client_budgets_free(clients);
}

/* The limit of the service is a limit of ours, not an answer, and costs no budget. */
static void
test_limit_of_the_service(void)
{
	FakeClock clock = fake_clock();
	ClientBudgets *clients = client_budgets_new(&clock.clock, 10);
	const ClientLimits client_limits = client_limits_default();
	Dns *dns = silent_dns(&clock.clock, 1);
	IpAddress client;
	Lookups *lookups;
	LookupsSettings settings = { .most = 10, .client_limits = &client_limits };

	CU_ASSERT_FATAL(ip_parse("192.0.2.1", &client));
	settings.client = client_budget_take(clients, &client, 64);
	lookups = lookups_new(&settings);
	CU_ASSERT_PTR_NOT_NULL(lookups_start(lookups, dns, "a.example", PTN_A, false, PTN_CONNECT, NULL));
	CU_ASSERT_PTR_NULL(lookups_start(lookups, dns, "b.example", PTN_A, false, PTN_CONNECT, NULL));
	CU_ASSERT_EQUAL(lookups_held(lookups), 1);
	CU_ASSERT_EQUAL(used(clients, &client), 1);
	lookups_free(lookups);
	client_budget_drop(settings.client);
	dns_free(dns);
	client_budgets_free(clients);
}

static const UnitTest tests[] = {
	{ "a lookup is on its budget until the servers are not asked any more", test_until_servers_end },
	{ "one beyond the limit of the service is not started", test_limit_of_the_service },
	{ NULL, NULL },
};

const UnitSuite suite_lookups = { "lookups", tests };
