/* account-budget.h - what one account uses of the gateway at a time, over all its sessions and messages.
 *
 * The second object beside the client's: what follows authentication is the account's, from wherever it
 * comes.  An object lives as long as somebody refers to it, so there are as many as accounts at work.
 * Any thread; take and the last drop lock the table, the counters do not.  NULL permits everything. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct AccountBudgets AccountBudgets;
typedef struct AccountBudget AccountBudget;

typedef enum {
	ACCOUNT_LOOKUPS,      /* DNS lookups that its sessions hold     */
	ACCOUNT_DELIVERIES,   /* connections that bring its mail out    */
	ACCOUNT_DESTINATIONS, /* next hops that its active messages have jobs at, each message's counted */
	ACCOUNT_USES          /* how many there are */
} AccountUse;

typedef struct {
	uint64_t most[ACCOUNT_USES]; /* at a time; 0: no limit */
} AccountLimits;

AccountLimits account_limits_default(void);

AccountBudgets *account_budgets_new(void);
void account_budgets_free(AccountBudgets *budgets); /* when no reference is left; NULL is allowed */

/* New reference; the case of the login's ASCII letters does not count.  NULL if `budgets` is NULL. */
AccountBudget *account_budget_take(AccountBudgets *budgets, const char *login);
AccountBudget *account_budget_ref(AccountBudget *budget);
void account_budget_drop(AccountBudget *budget);

/* True: one more is in use.  False: the account has as many as it may.  `limits` NULL: there is no limit. */
bool account_budget_begin(AccountBudget *budget, const AccountLimits *limits, AccountUse use);
/* Counts one more, whatever the limit is. */
void account_budget_add(AccountBudget *budget, AccountUse use);
void account_budget_end(AccountBudget *budget, AccountUse use);
uint64_t account_budget_used(const AccountBudget *budget, AccountUse use);
typedef struct {
	char *login; /* in the case in which it was first used */
	uint64_t used[ACCOUNT_USES];
} AccountUsage;

/* New, of AccountUsage*, which it frees, by login: the accounts at work; with `login` that one alone, if it is. */
GPtrArray *account_budgets_usage(AccountBudgets *budgets, const char *login);
size_t account_budgets_count(AccountBudgets *budgets);
