/* store-ledger-page.c - what this node knows of the counters of a key, and what it may count
 * without the store. */
#include <string.h>

#include "base/random.h"
#include "service/store-ledger-private.h"

enum { LEDGER_PAGES = 20000, LEDGER_INSTANCE_BITS = 52 };

LedgerPage *
ledger_page_new(const StoreLedger *ledger, const char *key)
{
	LedgerPage *page = g_new0(LedgerPage, 1);

	page->key = g_strdup(key);
	random_fill(&page->instance, sizeof page->instance);
	page->instance &= (UINT64_C(1) << LEDGER_INSTANCE_BITS) - 1;
	page->generation = (uint64_t)MAX(clock_wall(ledger->clock), 1);
	page->counters = g_array_new(FALSE, TRUE, sizeof(LedgerCounter));
	return page;
}

void
ledger_page_free(void *data)
{
	LedgerPage *page = data;

	g_array_unref(page->counters);
	g_free(page->key);
	g_free(page);
}

int64_t
ledger_now(const StoreLedger *ledger)
{
	return MAX(clock_wall(ledger->clock) + ledger->skew_us, 0);
}

/* ---- pages ---- */

static bool
page_has_counted_alone(const LedgerPage *page, int64_t now_us)
{
	for (guint i = 0; i < page->counters->len; i++) {
		const LedgerCounter *counter = &g_array_index(page->counters, LedgerCounter, i);

		if (counter->alone != 0 && counter->number >= now_us / counter->window_us)
			return true;
	}
	return false;
}

/* What is lost is the last total; a share begins anew only where nothing of it was used. */
static gboolean
page_can_be_forgotten(void *key, void *value, void *data)
{
	const LedgerPage *page = value;

	(void)key;
	return page->users == 0 && !page->is_unsettled &&
		   !page_has_counted_alone(page, ledger_now(data));
}

LedgerPage *
ledger_page_of(StoreLedger *ledger, const char *key)
{
	LedgerPage *page = g_hash_table_lookup(ledger->pages, key);

	if (page != NULL)
		return page;
	if (g_hash_table_size(ledger->pages) >= LEDGER_PAGES)
		(void)g_hash_table_foreach_remove(ledger->pages, page_can_be_forgotten, ledger);
	if (g_hash_table_size(ledger->pages) >= LEDGER_PAGES)
		return NULL;
	page = ledger_page_new(ledger, key);
	g_hash_table_insert(ledger->pages, page->key, page);
	return page;
}

/* ---- counters ---- */

/* One of a window that ended is of no use: other windows may be configured by now. */
static LedgerCounter *
counter_new(LedgerPage *page, const char *name, int64_t window_us, int64_t now_us)
{
	LedgerCounter *counter = NULL;

	for (guint i = 0; i < page->counters->len && counter == NULL; i++) {
		LedgerCounter *each = &g_array_index(page->counters, LedgerCounter, i);

		if (each->number < now_us / each->window_us)
			counter = each;
	}
	if (counter == NULL) {
		g_array_set_size(page->counters, page->counters->len + 1);
		counter = &g_array_index(page->counters, LedgerCounter, page->counters->len - 1);
	}
	*counter = (LedgerCounter){ .window_us = window_us, .number = now_us / window_us };
	(void)g_strlcpy(counter->name, name, sizeof counter->name);
	return counter;
}

/* The store's clock is known to some tenths of a second only: a window that just began does not
 * end again for that. */
LedgerCounter *
ledger_counter(LedgerPage *page, const char *name, int64_t window_us, int64_t now_us)
{
	const int64_t number = now_us / window_us;

	for (guint i = 0; i < page->counters->len; i++) {
		LedgerCounter *counter = &g_array_index(page->counters, LedgerCounter, i);

		if (counter->window_us != window_us || strcmp(counter->name, name) != 0)
			continue;
		if (counter->number < number || counter->number > number + 1) {
			counter->number = number;
			counter->total = counter->own = counter->alone = counter->debt = 0;
		}
		return counter;
	}
	return counter_new(page, name, window_us, now_us);
}

/* ---- alone ---- */

/* How much this node may count in the window without the store: its part of what the others, and
 * it with the store, left. */
static int64_t
counter_part(const LedgerCounter *counter, const StoreTally *tally)
{
	const int64_t others = counter->total - (counter->alone - counter->debt);
	const int64_t left = tally->most - others, nodes = MAX(tally->nodes, 1);

	if (left <= 0)
		return 0;
	if (others == 0 && left < nodes)
		return 1;
	return left / nodes;
}

static bool
counter_is_over(const LedgerCounter *counter, const StoreTally *tally)
{
	return tally->most > 0 && tally->n > 0 &&
		   counter->alone + tally->n > counter_part(counter, tally);
}

PtnStatus
ledger_count_alone(StoreLedger *ledger, LedgerPage *page, StoreTally *tallies, size_t n)
{
	const int64_t now_us = ledger_now(ledger);
	bool is_over = false, is_write = false;

	for (size_t i = 0; i < n; i++) {
		StoreTally *tally = &tallies[i];
		const LedgerCounter *counter = ledger_counter(page, tally->name, tally->window_us, now_us);

		if (tally->nodes == STORE_NOT_ALONE && tally->n > 0 && tally->most > 0)
			return PTN_UNSURE;
		tally->is_alone = true;
		tally->total = counter->total + counter->debt;
		if (tally->most > 0)
			tally->most_now = tally->total + counter_part(counter, tally) - counter->alone;
		is_over |= counter_is_over(counter, tally);
		is_write |= tally->n != 0;
	}
	if (is_over)
		return PTN_TAKEN;
	if (!is_write)
		return PTN_OK;
	for (size_t i = 0; i < n; i++) {
		LedgerCounter *counter =
			ledger_counter(page, tallies[i].name, tallies[i].window_us, now_us);

		counter->own += tallies[i].n;
		counter->debt += tallies[i].n;
		counter->alone += tallies[i].n;
		tallies[i].total += tallies[i].n;
	}
	page->changes++;
	page->is_unsettled = true;
	ledger_file_add(ledger, page);
	return PTN_OK;
}
