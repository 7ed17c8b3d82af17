/* client-budget-log.c - lines of the log that are left out, and who uses how much.
 *
 * A stranger decides how often something worth a line happens.  Each network gets so many lines a minute,
 * all together get so many, and what goes beyond becomes one line per network and reason a minute. */
#include <string.h>

#include "base/keyed-hash.h"
#include "service/client-budget-private.h"

typedef struct {
	IpNetwork network;
	bool is_others;
	char *reason;
	uint64_t lines;
} LeftOut;

static guint
client_left_out_hash(gconstpointer key)
{
	const LeftOut *left_out = key;

	return keyed_hash_octets(&left_out->network, sizeof left_out->network) ^ keyed_hash_text(left_out->reason);
}

static gboolean
client_left_out_equal(gconstpointer a, gconstpointer b)
{
	const LeftOut *left = a, *right = b;

	return left->is_others == right->is_others && strcmp(left->reason, right->reason) == 0 &&
		   memcmp(&left->network, &right->network, sizeof left->network) == 0;
}

static void
client_left_out_free(void *data)
{
	LeftOut *left_out = data;

	g_free(left_out->reason);
	g_free(left_out);
}

GHashTable *
client_left_out_new(void)
{
	return g_hash_table_new_full(client_left_out_hash, client_left_out_equal, NULL, client_left_out_free);
}

/* Lock held. */
static void
client_left_out_count_locked(ClientBudgets *budgets, const LeftOut *key, unsigned most)
{
	LeftOut *found = g_hash_table_lookup(budgets->left_out, key);

	if (found == NULL && g_hash_table_size(budgets->left_out) >= most) {
		budgets->left_out_of_many++;
		return;
	}
	if (found == NULL) {
		found = g_memdup2(key, sizeof *key);
		found->reason = g_strdup(key->reason);
		g_hash_table_add(budgets->left_out, found);
	}
	found->lines++;
}

static void
client_leave_out(ClientBudget *budget, const ClientLimits *limits, const char *reason)
{
	ClientBudgets *budgets = budget->budgets;
	LeftOut key = { 0 };

	key.network = budget->network;
	key.is_others = budget == &budgets->others;
	key.reason = (char *)(uintptr_t)reason;
	g_mutex_lock(&budgets->left_out_lock);
	client_left_out_count_locked(budgets, &key, limits->log_reasons);
	g_mutex_unlock(&budgets->left_out_lock);
}

bool
client_budget_log(ClientBudget *budget, const ClientLimits *limits, const char *reason)
{
	const int64_t now_us = budget != NULL ? clock_monotonic(budget->budgets->clock) : 0;

	if (budget == NULL || (budget_rate_count(&budget->log_lines, now_us) <= limits->log_lines &&
							  budget_rate_count(&budget->budgets->log_lines, now_us) <= limits->all_log_lines))
		return true;
	client_leave_out(budget, limits, reason);
	return false;
}

bool
client_budget_log_once(ClientBudget *budget, const ClientLimits *limits, const char *reason)
{
	if (budget == NULL ||
		budget_rate_count(&budget->repeats, clock_monotonic(budget->budgets->clock)) <= 1)
		return client_budget_log(budget, limits, reason);
	client_leave_out(budget, limits, reason);
	return false;
}

void
client_budgets_report(ClientBudgets *budgets, ClientLeftOut *each, void *data)
{
	g_autoptr(GHashTable) left_out = client_left_out_new();
	GHashTable *empty = left_out;
	GHashTableIter iter;
	void *value;
	uint64_t of_many;

	g_mutex_lock(&budgets->left_out_lock);
	left_out = budgets->left_out;
	of_many = budgets->left_out_of_many;
	budgets->left_out = empty;
	budgets->left_out_of_many = 0;
	g_mutex_unlock(&budgets->left_out_lock);
	g_hash_table_iter_init(&iter, left_out);
	while (g_hash_table_iter_next(&iter, &value, NULL)) {
		const LeftOut *of = value;
		g_autofree char *network = of->is_others ? NULL : ip_network_format(&of->network);

		each(data, network, of->reason, of->lines);
	}
	if (of_many > 0)
		each(data, NULL, "various", of_many);
}

/* ---- who uses how much ---- */

static void
client_usage_free(void *data)
{
	ClientUsage *usage = data;

	g_free(usage->network);
	g_free(usage);
}

char *
client_budget_name(const ClientBudget *budget)
{
	return budget == &budget->budgets->others ? g_strdup("others") : ip_network_format(&budget->network);
}

static ClientUsage *
client_usage_new(const ClientBudget *budget, int64_t now_us)
{
	ClientUsage *usage = g_new0(ClientUsage, 1);

	usage->network = client_budget_name(budget);
	usage->connections = atomic_load(&budget->connections);
	usage->unfinished = atomic_load(&budget->unfinished);
	usage->lookups = atomic_load(&budget->lookups);
	usage->work = atomic_load(&budget->work);
	usage->connection_rate = budget_rate_read(&budget->connection_rate, now_us);
	usage->commands = budget_rate_read(&budget->commands, now_us);
	usage->log_lines = budget_rate_read(&budget->log_lines, now_us);
	usage->refused = atomic_load(&budget->refused);
	return usage;
}

static void
client_usage_add(GPtrArray *usages, const ClientBudget *budget, int64_t now_us, bool is_asked_for)
{
	ClientUsage *usage = client_usage_new(budget, now_us);

	if (is_asked_for || usage->connections + usage->unfinished + usage->lookups + usage->work +
							usage->connection_rate + usage->commands + usage->log_lines > 0)
		g_ptr_array_add(usages, usage);
	else
		client_usage_free(usage);
}

GPtrArray *
client_budgets_usage(ClientBudgets *budgets, const IpAddress *client, unsigned ipv6_prefix)
{
	GPtrArray *usages = g_ptr_array_new_with_free_func(client_usage_free);
	const int64_t now_us = clock_monotonic(budgets->clock);
	GHashTableIter iter;
	void *value;

	g_mutex_lock(&budgets->lock);
	if (client != NULL) {
		const IpNetwork network = client_network(client, ipv6_prefix);
		const ClientBudget *budget = g_hash_table_lookup(budgets->table, &network);

		if (budget != NULL)
			client_usage_add(usages, budget, now_us, true);
	} else {
		g_hash_table_iter_init(&iter, budgets->table);
		while (g_hash_table_iter_next(&iter, NULL, &value))
			client_usage_add(usages, value, now_us, false);
		client_usage_add(usages, &budgets->others, now_us, false);
	}
	g_mutex_unlock(&budgets->lock);
	return usages;
}
