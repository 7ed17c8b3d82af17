/* ledger.c - what this node knows of counters that all nodes share.
 *
 * While the store is away a node goes on from the totals that it saw last, so that a limit that is nearly used up is not given
 * anew; and what it counted alone is added to the shared counters when the store is back.  Totals only rise within a window. */
#include <string.h>

#include "plugins/limits/limits.h"

enum { LEDGER_MOST = 20000, NAME_SIZE = 40 };

typedef struct {
	char name[NAME_SIZE];
	int64_t window, number; /* the number of the window since 1970 that the two below are of */
	int64_t total, alone;
} Counter;

typedef struct {
	Counter counters[LIMITS_MOST];
	size_t n;
	bool has_debts;
} Page;

void
ledger_start(Limits *limits)
{
	limits->pages = g_hash_table_new_full(ptn_hash, g_str_equal, g_free, g_free);
}

void
ledger_stop(Limits *limits)
{
	g_hash_table_unref(limits->pages);
}

/* ---- with the lock held ---- */

static gboolean
is_settled(void *key, void *value, void *data)
{
	(void)key;
	(void)data;
	return !((const Page *)value)->has_debts;
}

static Page *
page_of(Limits *limits, const char *key)
{
	Page *page = g_hash_table_lookup(limits->pages, key);

	if (page != NULL)
		return page;
	if (g_hash_table_size(limits->pages) >= LEDGER_MOST)
		(void)g_hash_table_foreach_remove(limits->pages, is_settled, NULL);
	if (g_hash_table_size(limits->pages) >= LEDGER_MOST)
		return NULL;
	page = g_new0(Page, 1);
	g_hash_table_insert(limits->pages, g_strdup(key), page);
	return page;
}

/* In its present window; NULL: there is no room. */
static Counter *
counter_of(Page *page, const char *name, int64_t window, int64_t now)
{
	Counter *counter = NULL;

	for (size_t i = 0; i < page->n && counter == NULL; i++)
		if (strcmp(page->counters[i].name, name) == 0)
			counter = &page->counters[i];
	if (counter == NULL && page->n < LIMITS_MOST) {
		counter = &page->counters[page->n++];
		(void)g_strlcpy(counter->name, name, NAME_SIZE);
		counter->window = window;
	}
	if (counter != NULL && counter->number != now / window) {
		counter->number = now / window;
		counter->total = counter->alone = 0;
	}
	return counter;
}

/* ---- looking and noting ---- */

int64_t
ledger_total(PtnHook *h, const char *key, const char *name, int64_t window)
{
	Limits *limits = ptn_instance(h);
	int64_t total = 0;
	Page *page;

	g_mutex_lock(&limits->lock);
	page = g_hash_table_lookup(limits->pages, key);
	if (page != NULL) {
		const Counter *counter = counter_of(page, name, window, ptn_now(h));

		total = counter != NULL ? counter->total : 0;
	}
	g_mutex_unlock(&limits->lock);
	return total;
}

void
ledger_note(PtnHook *h, const char *key, const PtnTally *tallies, size_t n, bool is_alone)
{
	Limits *limits = ptn_instance(h);
	Page *page;

	if (ptn_fact(h, "rehearsal") != NULL)
		return;
	g_mutex_lock(&limits->lock);
	page = page_of(limits, key);
	for (size_t i = 0; page != NULL && i < n; i++) {
		Counter *counter = counter_of(page, tallies[i].name, tallies[i].window, ptn_now(h));

		if (counter == NULL)
			continue;
		if (is_alone)
			counter->alone += tallies[i].n;
		else
			counter->total = MAX(counter->total, tallies[i].total);
		page->has_debts |= counter->alone != 0;
	}
	g_mutex_unlock(&limits->lock);
}

/* ---- settling ---- */

/* The debts of `key` as tallies; how many.  All of its counters: those that are left out would be forgotten by the store. */
static size_t
take_debts(PtnHook *h, const char *key, PtnTally *tallies)
{
	Limits *limits = ptn_instance(h);
	size_t n = 0;
	Page *page;

	g_mutex_lock(&limits->lock);
	page = g_hash_table_lookup(limits->pages, key);
	if (page != NULL && page->has_debts) {
		for (; n < page->n; n++) {
			Counter *counter = counter_of(page, page->counters[n].name, page->counters[n].window, ptn_now(h));

			tallies[n] = (PtnTally){
				.name = ptn_format(h, "%s", counter->name), .n = counter->alone, .window = counter->window
			};
			counter->alone = 0;
		}
		page->has_debts = false;
	}
	g_mutex_unlock(&limits->lock);
	return n;
}

bool
ledger_settle(PtnHook *h, const char *key)
{
	PtnTally tallies[LIMITS_MOST];
	bool is_settled_now;
	size_t n;

	if (ptn_fact(h, "rehearsal") != NULL) /* which writes nothing, and so must not take them */
		return true;
	n = take_debts(h, key, tallies);
	if (n == 0)
		return true;
	is_settled_now = ptn_store_tally(h, key, tallies, n) == PTN_OK;
	ledger_note(h, key, tallies, n, !is_settled_now);
	return is_settled_now;
}

PtnVerdict
ledger_settle_all(PtnHook *h)
{
	Limits *limits = ptn_instance(h);
	g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func(g_free);
	GHashTableIter each;
	void *key, *page;

	if (ptn_fact(h, "store.away") != NULL)
		return PTN_NEXT;
	g_mutex_lock(&limits->lock);
	g_hash_table_iter_init(&each, limits->pages);
	while (g_hash_table_iter_next(&each, &key, &page))
		if (((const Page *)page)->has_debts)
			g_ptr_array_add(keys, g_strdup(key));
	g_mutex_unlock(&limits->lock);
	for (guint i = 0; i < keys->len && ledger_settle(h, g_ptr_array_index(keys, i)); i++)
		;
	return PTN_NEXT;
}
