/* account-budget.c - the table of accounts at work, and their counters. */
#include "service/account-budget.h"

#include <string.h>

#include "base/keyed-hash.h"
#include "service/budget.h"

struct AccountBudget {
	AccountBudgets *budgets;
	char *login;
	BudgetReferences references;
	BudgetGauge used[ACCOUNT_USES];
};

struct AccountBudgets {
	GMutex lock;
	GHashTable *table; /* of their logins */
};

AccountLimits
account_limits_default(void)
{
	return (AccountLimits){
		{ [ACCOUNT_LOOKUPS] = 100000, [ACCOUNT_DELIVERIES] = 50, [ACCOUNT_DESTINATIONS] = 2000 }
	};
}

static void
account_budget_free(void *data)
{
	AccountBudget *budget = data;

	g_free(budget->login);
	g_free(budget);
}

AccountBudgets *
account_budgets_new(void)
{
	AccountBudgets *budgets = g_new0(AccountBudgets, 1);

	g_mutex_init(&budgets->lock);
	budgets->table =
		g_hash_table_new_full(keyed_hash_text_caseless, keyed_hash_equal_caseless, NULL, account_budget_free);
	return budgets;
}

void
account_budgets_free(AccountBudgets *budgets)
{
	if (budgets == NULL)
		return;
	g_hash_table_unref(budgets->table);
	g_mutex_clear(&budgets->lock);
	g_free(budgets);
}

AccountBudget *
account_budget_take(AccountBudgets *budgets, const char *login)
{
	AccountBudget *budget;

	if (budgets == NULL)
		return NULL;
	g_mutex_lock(&budgets->lock);
	budget = g_hash_table_lookup(budgets->table, login);
	if (budget == NULL) {
		budget = g_new0(AccountBudget, 1);
		budget->budgets = budgets;
		budget->login = g_strdup(login);
		g_hash_table_insert(budgets->table, budget->login, budget);
	}
	budget_ref(&budget->references);
	g_mutex_unlock(&budgets->lock);
	return budget;
}

AccountBudget *
account_budget_ref(AccountBudget *budget)
{
	if (budget != NULL)
		budget_ref(&budget->references);
	return budget;
}

void
account_budget_drop(AccountBudget *budget)
{
	AccountBudgets *budgets = budget != NULL ? budget->budgets : NULL;

	if (budget == NULL || !budget_unref_and_lock(&budget->references, &budgets->lock))
		return;
	g_hash_table_remove(budgets->table, budget->login);
	g_mutex_unlock(&budgets->lock);
}

bool
account_budget_begin(AccountBudget *budget, const AccountLimits *limits, AccountUse use)
{
	const uint64_t most = limits != NULL && limits->most[use] != 0 ? limits->most[use] : UINT64_MAX;

	return budget == NULL || budget_gauge_add(&budget->used[use], 1, most);
}

void
account_budget_add(AccountBudget *budget, AccountUse use)
{
	if (budget != NULL)
		(void)budget_gauge_add(&budget->used[use], 1, UINT64_MAX);
}

void
account_budget_end(AccountBudget *budget, AccountUse use)
{
	if (budget != NULL)
		budget_gauge_remove(&budget->used[use], 1);
}

uint64_t
account_budget_used(const AccountBudget *budget, AccountUse use)
{
	return budget != NULL ? atomic_load(&budget->used[use]) : 0;
}

size_t
account_budgets_count(AccountBudgets *budgets)
{
	size_t count;

	g_mutex_lock(&budgets->lock);
	count = g_hash_table_size(budgets->table);
	g_mutex_unlock(&budgets->lock);
	return count;
}

/* ---- who uses how much ---- */

static void
account_usage_free(void *data)
{
	AccountUsage *usage = data;

	g_free(usage->login);
	g_free(usage);
}

static int
account_usage_compare(const void *a, const void *b)
{
	const AccountUsage *left = *(const AccountUsage *const *)a, *right = *(const AccountUsage *const *)b;

	return strcmp(left->login, right->login);
}

static void
account_usage_add(GPtrArray *usages, const AccountBudget *budget)
{
	AccountUsage *usage = g_new0(AccountUsage, 1);

	usage->login = g_strdup(budget->login);
	for (AccountUse use = 0; use < ACCOUNT_USES; use++)
		usage->used[use] = account_budget_used(budget, use);
	g_ptr_array_add(usages, usage);
}

GPtrArray *
account_budgets_usage(AccountBudgets *budgets, const char *login)
{
	GPtrArray *usages = g_ptr_array_new_with_free_func(account_usage_free);
	GHashTableIter iter;
	void *value;

	g_mutex_lock(&budgets->lock);
	g_hash_table_iter_init(&iter, budgets->table);
	while (g_hash_table_iter_next(&iter, NULL, &value))
		if (login == NULL || g_ascii_strcasecmp(((const AccountBudget *)value)->login, login) == 0)
			account_usage_add(usages, value);
	g_mutex_unlock(&budgets->lock);
	g_ptr_array_sort(usages, account_usage_compare);
	return usages;
}
