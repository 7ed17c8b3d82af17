/* client-budget.c - the table of client networks, and the questions. */
#include "service/client-budget.h"

#include <string.h>

#include "base/keyed-hash.h"
#include "service/client-budget-private.h"

#define CLIENT_WORK_US (10 * 60 * CLOCK_SECOND)

ClientLimits
client_limits_default(void)
{
	return (ClientLimits){ .ipv6_prefix = 64,
		.connections = 500,
		.connection_rate = 6000,
		.commands = 60000,
		.lookups = 10000,
		.work = 500,
		.log_lines = 120,
		.all_log_lines = 6000,
		.log_reasons = 1000,
		.unfinished = UINT64_C(2) << 30,
		.all_unfinished = UINT64_C(10) << 30 };
}

/* ---- the table ---- */

static guint
client_budget_hash(gconstpointer key)
{
	return keyed_hash_octets(key, sizeof(IpNetwork));
}

static gboolean
client_budget_equal(gconstpointer a, gconstpointer b)
{
	return memcmp(a, b, sizeof(IpNetwork)) == 0;
}

ClientBudgets *
client_budgets_new(const Clock *clock, size_t most)
{
	ClientBudgets *budgets = g_new0(ClientBudgets, 1);

	budgets->clock = clock;
	budgets->most = most;
	g_mutex_init(&budgets->lock);
	budgets->table = g_hash_table_new_full(client_budget_hash, client_budget_equal, NULL, g_free);
	g_queue_init(&budgets->idle);
	budgets->others.budgets = budgets;
	g_mutex_init(&budgets->left_out_lock);
	budgets->left_out = client_left_out_new();
	return budgets;
}

void
client_budgets_free(ClientBudgets *budgets)
{
	if (budgets == NULL)
		return;
	g_hash_table_unref(budgets->table);
	g_hash_table_unref(budgets->left_out);
	g_mutex_clear(&budgets->lock);
	g_mutex_clear(&budgets->left_out_lock);
	g_free(budgets);
}

IpNetwork
client_network(const IpAddress *client, unsigned ipv6_prefix)
{
	return ip_network_of(client, ip_is_v4(client) ? 128 : ipv6_prefix);
}

/* Lock held.  NULL: all networks of the table are in use. */
static ClientBudget *
client_budget_new_locked(ClientBudgets *budgets, const IpNetwork *network)
{
	ClientBudget *budget;

	if (g_hash_table_size(budgets->table) >= budgets->most) {
		GList *oldest = g_queue_pop_head_link(&budgets->idle);

		if (oldest == NULL)
			return NULL;
		budget = oldest->data;
		g_hash_table_remove(budgets->table, &budget->network);
	}
	budget = g_new0(ClientBudget, 1);
	budget->budgets = budgets;
	budget->network = *network;
	budget->link.data = budget;
	g_hash_table_insert(budgets->table, &budget->network, budget);
	return budget;
}

/* Lock held. */
static ClientBudget *
client_budget_find_locked(ClientBudgets *budgets, const IpNetwork *network)
{
	ClientBudget *budget = g_hash_table_lookup(budgets->table, network);

	if (budget != NULL && atomic_load(&budget->references) == 0)
		g_queue_unlink(&budgets->idle, &budget->link);
	if (budget == NULL)
		budget = client_budget_new_locked(budgets, network);
	return budget != NULL ? budget : &budgets->others;
}

ClientBudget *
client_budget_take(ClientBudgets *budgets, const IpAddress *client, unsigned ipv6_prefix)
{
	const IpNetwork network = client_network(client, ipv6_prefix);
	ClientBudget *budget;

	if (budgets == NULL)
		return NULL;
	g_mutex_lock(&budgets->lock);
	budget = client_budget_find_locked(budgets, &network);
	budget_ref(&budget->references);
	g_mutex_unlock(&budgets->lock);
	return budget;
}

ClientBudget *
client_budget_ref(ClientBudget *budget)
{
	if (budget != NULL)
		budget_ref(&budget->references);
	return budget;
}

/* One that nobody refers to may go. */
void
client_budget_drop(ClientBudget *budget)
{
	ClientBudgets *budgets = budget != NULL ? budget->budgets : NULL;

	if (budget == NULL || !budget_unref_and_lock(&budget->references, &budgets->lock))
		return;
	if (budget != &budgets->others)
		g_queue_push_tail_link(&budgets->idle, &budget->link);
	g_mutex_unlock(&budgets->lock);
}

size_t
client_budgets_count(ClientBudgets *budgets)
{
	size_t count;

	g_mutex_lock(&budgets->lock);
	count = g_hash_table_size(budgets->table);
	g_mutex_unlock(&budgets->lock);
	return count;
}

/* ---- the questions ---- */

static const BudgetRefusal *
client_budget_refuse(ClientBudget *budget, const BudgetRefusal *refusal)
{
	atomic_fetch_add(&budget->refused, 1);
	return refusal;
}

static int64_t
client_budget_now(const ClientBudget *budget)
{
	return clock_monotonic(budget->budgets->clock);
}

const BudgetRefusal *
client_budget_connect(ClientBudget *budget, const ClientLimits *limits)
{
	static const BudgetRefusal many = { "connections", 421, "4.7.0", "Error: too many connections" };
	static const BudgetRefusal fast = { "connection-rate", 421, "4.7.0", "Error: too many connections" };

	if (budget == NULL)
		return NULL;
	if (budget_rate_count(&budget->connection_rate, client_budget_now(budget)) > limits->connection_rate)
		return client_budget_refuse(budget, &fast);
	if (!budget_gauge_add(&budget->connections, 1, limits->connections))
		return client_budget_refuse(budget, &many);
	return NULL;
}

void
client_budget_disconnect(ClientBudget *budget)
{
	if (budget != NULL)
		budget_gauge_remove(&budget->connections, 1);
}

const BudgetRefusal *
client_budget_command(ClientBudget *budget, const ClientLimits *limits)
{
	static const BudgetRefusal fast = { "commands", 421, "4.7.0",
		"Error: too many commands from your network, try again later" };

	if (budget == NULL ||
		budget_rate_count(&budget->commands, client_budget_now(budget)) <= limits->commands)
		return NULL;
	return client_budget_refuse(budget, &fast);
}

const BudgetRefusal *
client_budget_grow(ClientBudget *budget, const ClientLimits *limits, uint64_t octets)
{
	static const BudgetRefusal much = { "unfinished", 452, "4.3.1",
		"Error: too much unfinished mail from your network, try again later" };
	static const BudgetRefusal all = { "all-unfinished", 452, "4.3.1",
		"Error: too much unfinished mail, try again later" };

	if (budget == NULL)
		return NULL;
	if (!budget_gauge_add(&budget->unfinished, octets, limits->unfinished))
		return client_budget_refuse(budget, &much);
	if (budget_gauge_add(&budget->budgets->unfinished, octets, limits->all_unfinished))
		return NULL;
	budget_gauge_remove(&budget->unfinished, octets);
	return client_budget_refuse(budget, &all);
}

void
client_budget_shrink(ClientBudget *budget, uint64_t octets)
{
	if (budget == NULL)
		return;
	budget_gauge_remove(&budget->unfinished, octets);
	budget_gauge_remove(&budget->budgets->unfinished, octets);
}

const BudgetRefusal *
client_budget_work(ClientBudget *budget, const ClientLimits *limits)
{
	static const BudgetRefusal many = { "work", 451, "4.7.0",
		"Error: too much work in progress for your network, try again later" };

	if (budget == NULL || budget_gauge_add(&budget->work, 1, limits->work))
		return NULL;
	return client_budget_refuse(budget, &many);
}

void
client_budget_end_work(ClientBudget *budget)
{
	if (budget != NULL)
		budget_gauge_remove(&budget->work, 1);
}

void
client_budget_note_work(ClientBudget *budget)
{
	if (budget != NULL && budget != &budget->budgets->others)
		atomic_store(&budget->worked_us, client_budget_now(budget));
}

bool
client_budget_is_at_work(const ClientBudget *budget)
{
	const int64_t worked_us = budget != NULL ? atomic_load(&budget->worked_us) : 0;

	return worked_us != 0 && client_budget_now(budget) - worked_us < CLIENT_WORK_US;
}

bool
client_budget_lookup(ClientBudget *budget, const ClientLimits *limits)
{
	return budget == NULL || budget_gauge_add(&budget->lookups, 1, limits->lookups);
}

void
client_budget_end_lookup(ClientBudget *budget)
{
	if (budget != NULL)
		budget_gauge_remove(&budget->lookups, 1);
}
