/* budget.c - gauges and rates. */
#include "service/budget.h"

#define BUDGET_MINUTE_US (60 * CLOCK_SECOND)

void
budget_ref(BudgetReferences *references)
{
	atomic_fetch_add(references, 1);
}

bool
budget_unref_and_lock(BudgetReferences *references, GMutex *lock)
{
	unsigned now = atomic_load(references);

	while (now > 1)
		if (atomic_compare_exchange_weak(references, &now, now - 1))
			return false;
	g_mutex_lock(lock);
	if (atomic_fetch_sub(references, 1) == 1)
		return true;
	g_mutex_unlock(lock);
	return false;
}

bool
budget_gauge_add(BudgetGauge *gauge, uint64_t n, uint64_t most)
{
	unsigned long long now = atomic_load_explicit(gauge, memory_order_relaxed);

	do {
		if (n > most || now > most - n)
			return false;
	} while (!atomic_compare_exchange_weak(gauge, &now, now + n));
	return true;
}

void
budget_gauge_remove(BudgetGauge *gauge, uint64_t n)
{
	atomic_fetch_sub(gauge, n);
}

static uint64_t
budget_minute(int64_t now_us)
{
	return (uint64_t)(now_us / BUDGET_MINUTE_US) & UINT32_MAX;
}

unsigned
budget_rate_count(BudgetRate *rate, int64_t now_us)
{
	const uint64_t minute = budget_minute(now_us);
	unsigned long long before = atomic_load_explicit(rate, memory_order_relaxed), after;

	do {
		if (before >> 32 != minute)
			after = minute << 32 | 1;
		else
			after = (before & UINT32_MAX) < UINT32_MAX ? before + 1 : before;
	} while (!atomic_compare_exchange_weak(rate, &before, after));
	return (unsigned)(after & UINT32_MAX);
}

unsigned
budget_rate_read(const BudgetRate *rate, int64_t now_us)
{
	const unsigned long long now = atomic_load(rate);

	return now >> 32 == budget_minute(now_us) ? (unsigned)(now & UINT32_MAX) : 0;
}

void
budget_count_refusal(const BudgetRefusal *refusal, Metrics *metrics)
{
	g_autofree char *metric = g_strdup_printf("limit.%s", refusal->name);

	metrics_add(metrics, metric, 1);
}
