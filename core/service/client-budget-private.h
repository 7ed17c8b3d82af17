/* client-budget-private.h - the inside of the budgets of clients, for client-budget*.c only. */
#pragma once

#include "service/client-budget.h"

struct ClientBudget {
	ClientBudgets *budgets;
	IpNetwork network;
	GList link;             /* in `idle` while nobody refers to it; of the table's lock */
	BudgetReferences references;
	BudgetGauge connections, unfinished, lookups, work;
	BudgetRate connection_rate, commands, log_lines;
	BudgetRate repeats; /* of client_budget_log_once() */
	atomic_ullong refused;
	atomic_llong worked_us; /* see client_budget_note_work(); 0: never */
};

struct ClientBudgets {
	const Clock *clock;
	size_t most;
	ClientBudget others;    /* of networks that came while the table was full of others in use */
	BudgetGauge unfinished; /* of all */
	BudgetRate log_lines;
	GMutex lock;            /* guards table and idle */
	GHashTable *table;      /* of their networks */
	GQueue idle;            /* of ClientBudget*, the one used least recently first */
	GMutex left_out_lock;   /* guards what follows; only where lines are left out */
	GHashTable *left_out;   /* see client-budget-log.c */
	uint64_t left_out_of_many;
};

/* The network that counts as one client. */
IpNetwork client_network(const IpAddress *client, unsigned ipv6_prefix);
/* "192.0.2.1"; "others" of the object that many share.  New. */
char *client_budget_name(const ClientBudget *budget);
/* ---- client-budget-log.c ---- */
GHashTable *client_left_out_new(void);
