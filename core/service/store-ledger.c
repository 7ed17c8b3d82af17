/* store-ledger.c - calls of counters that all nodes share: sent, settled, or counted without the
 * store. */
#include "service/store-ledger.h"

#include <string.h>

#include "base/keyed-hash.h"
#include "io/loop.h"
#include "service/store-ledger-private.h"

enum { LEDGER_ATTEMPTS = 3 };

/* One call, with what it needs of the store. */
typedef struct {
	StoreLedger *ledger;
	const StoreBackend *backend;
	void *data;
	int64_t deadline_us;
} Call;

static bool
call_is_away(const Call *call)
{
	return call->backend->is_away != NULL && call->backend->is_away(call->data);
}

/* Without the lock, which the caller has. */
static PtnStatus
call_store(const Call *call, const LedgerPage *page, StoreTally *tallies, size_t n, StoreBook *book)
{
	StoreLedger *ledger = call->ledger;
	PtnStatus status;

	book->node = ledger->node;
	book->instance = page->instance;
	book->generation = page->generation;
	g_mutex_unlock(&ledger->lock);
	status = call->backend->tally(call->data, page->key, tallies, n, book, call->deadline_us);
	g_mutex_lock(&ledger->lock);
	return status;
}

/* ---- settling ---- */

/* All counters of the page, as tallies that add nothing. */
static void
page_tallies(const LedgerPage *page, StoreTally *tallies, StoreOwn *owns, LedgerCounter *counters)
{
	memcpy(counters, page->counters->data, page->counters->len * sizeof *counters);
	for (guint i = 0; i < page->counters->len; i++) {
		tallies[i] = (StoreTally){ .name = counters[i].name, .window_us = counters[i].window_us };
		owns[i] = (StoreOwn){ counters[i].number, counters[i].own, counters[i].debt };
	}
}

/* `counters`: as they were when the store was asked. */
static void
page_is_settled(LedgerPage *page, const LedgerCounter *counters, const StoreTally *tallies,
	size_t n, int64_t now_us)
{
	for (size_t i = 0; i < n; i++) {
		LedgerCounter *counter =
			ledger_counter(page, counters[i].name, counters[i].window_us, now_us);

		if (counter->number != counters[i].number)
			continue;
		counter->debt -= counters[i].debt;
		if (counter->number == now_us / counter->window_us)
			counter->total = tallies[i].total;
	}
}

/* No other call of the page is under way. */
static PtnStatus
settle_now(const Call *call, LedgerPage *page)
{
	const size_t n = page->counters->len;
	g_autofree StoreTally *tallies = g_new0(StoreTally, n + 1);
	g_autofree StoreOwn *owns = g_new0(StoreOwn, n + 1);
	g_autofree LedgerCounter *counters = g_new0(LedgerCounter, n + 1);
	StoreBook book = { .is_settling = true, .owns = owns };
	const uint64_t changes = page->changes;
	PtnStatus status;

	page_tallies(page, tallies, owns, counters);
	page->generation = MAX(page->generation + 1, (uint64_t)MAX(clock_wall(call->ledger->clock), 1));
	page->is_settling = true;
	if (n > 0) /* the file has the generation before the store */
		ledger_file_add(call->ledger, page);
	status = call_store(call, page, tallies, n, &book);
	page->is_settling = false;
	g_cond_broadcast(&call->ledger->changed);
	if (status == PTN_NONE)
		page->generation = MAX(page->generation, book.known);
	if (status != PTN_OK)
		return status;
	page_is_settled(page, counters, tallies, n, book.now_us);
	page->is_unsettled = page->changes != changes;
	if (n > 0)
		ledger_file_add(call->ledger, page);
	return PTN_OK;
}

/* False: it could not be found out in time whether it is settled. */
static bool
settle_page(const Call *call, LedgerPage *page)
{
	while (page->is_unsettled && (page->is_settling || page->under_way > 0))
		if (call_is_away(call) ||
			!g_cond_wait_until(&call->ledger->changed, &call->ledger->lock, call->deadline_us))
			return false;
	return !page->is_unsettled || settle_now(call, page) != PTN_UNSURE;
}

void
store_ledger_settle(
	StoreLedger *ledger, const StoreBackend *backend, void *data, int64_t deadline_us)
{
	const Call call = { ledger, backend, data, deadline_us };
	g_autoptr(GPtrArray) pages = g_ptr_array_new();
	GHashTableIter each;
	void *value;

	g_mutex_lock(&ledger->lock);
	g_hash_table_iter_init(&each, ledger->pages);
	while (g_hash_table_iter_next(&each, NULL, &value)) {
		LedgerPage *page = value;

		if (!page->is_unsettled)
			continue;
		page->users++;
		g_ptr_array_add(pages, page);
	}
	for (guint i = 0; i < pages->len; i++)
		if (call_is_away(&call) || g_get_monotonic_time() >= deadline_us ||
			!settle_page(&call, pages->pdata[i]))
			break;
	for (guint i = 0; i < pages->len; i++)
		((LedgerPage *)pages->pdata[i])->users--;
	g_mutex_unlock(&ledger->lock);
}

/* ---- counting ---- */

static void
page_note(LedgerPage *page, const StoreTally *tallies, size_t n, bool is_added, int64_t now_us)
{
	for (size_t i = 0; i < n; i++) {
		LedgerCounter *counter =
			ledger_counter(page, tallies[i].name, tallies[i].window_us, now_us);

		if (counter->number != now_us / counter->window_us)
			continue;
		counter->total = MAX(counter->total, tallies[i].total);
		if (is_added)
			counter->own += tallies[i].n;
	}
}

static void
page_is_in_doubt(StoreLedger *ledger, LedgerPage *page)
{
	page->is_unsettled = true;
	page->changes++;
	ledger_file_add(ledger, page);
}

/* NONE: the page is to be settled first. */
static PtnStatus
count_with_store(const Call *call, LedgerPage *page, StoreTally *tallies, size_t n)
{
	const int64_t now_us = ledger_now(call->ledger);
	g_autofree StoreOwn *owns = g_new0(StoreOwn, n);
	StoreBook book = { .owns = owns };
	PtnStatus status;

	for (size_t i = 0; i < n; i++) {
		const LedgerCounter *counter =
			ledger_counter(page, tallies[i].name, tallies[i].window_us, now_us);

		owns[i] = (StoreOwn){ counter->number, counter->own, counter->debt };
	}
	page->under_way++;
	status = call_store(call, page, tallies, n, &book);
	page->under_way--;
	g_cond_broadcast(&call->ledger->changed);
	if (status == PTN_OK || status == PTN_TAKEN)
		page_note(page, tallies, n, status == PTN_OK, book.now_us);
	else
		page_is_in_doubt(call->ledger, page);
	if (page->is_unsettled && status == PTN_OK) /* because of another call */
		ledger_file_add(call->ledger, page);
	if (status == PTN_NONE)
		page->generation = MAX(page->generation, book.known);
	return status;
}

/* What nobody can refuse: it limits nothing, or only takes back. */
static bool
is_kept(const StoreTally *tallies, size_t n)
{
	bool limits = false, adds = false, is_write = false;

	for (size_t i = 0; i < n; i++) {
		limits |= tallies[i].most > 0;
		adds |= tallies[i].n > 0;
		is_write |= tallies[i].n != 0;
	}
	return is_write && (!limits || !adds);
}

static PtnStatus
count_on_page(const Call *call, LedgerPage *page, StoreTally *tallies, size_t n)
{
	for (int attempt = 0; attempt < LEDGER_ATTEMPTS && !call_is_away(call); attempt++) {
		PtnStatus status = PTN_NONE;

		if (!page->is_unsettled)
			status = count_with_store(call, page, tallies, n);
		else if (!settle_page(call, page))
			status = PTN_UNSURE;
		if (status == PTN_UNSURE)
			break;
		if (status != PTN_NONE)
			return status;
	}
	if (!call->ledger->is_durable && (call_is_away(call) || is_kept(tallies, n)))
		return ledger_count_alone(call->ledger, page, tallies, n);
	return PTN_UNSURE;
}

PtnStatus
store_ledger_tally(StoreLedger *ledger, const StoreBackend *backend, void *data, const char *key,
	StoreTally *tallies, size_t n, int64_t deadline_us)
{
	const Call call = { ledger, backend, data, deadline_us };
	PtnStatus status = PTN_UNSURE;
	LedgerPage *page;

	if (loop_is_here())
		return PTN_UNSURE;
	g_mutex_lock(&ledger->lock);
	ledger->skew_us = backend->wall(data) - clock_wall(ledger->clock);
	page = ledger_page_of(ledger, key);
	if (page != NULL) {
		page->users++;
		status = count_on_page(&call, page, tallies, n);
		page->users--;
	}
	g_mutex_unlock(&ledger->lock);
	if (page == NULL) /* no room to remember what is counted: with the store only */
		status = backend->tally(data, key, tallies, n, NULL, deadline_us);
	return status;
}

/* ---- the ledger ---- */

StoreLedger *
store_ledger_new(const StoreSettings *settings)
{
	StoreLedger *ledger = g_new0(StoreLedger, 1);

	ledger->clock = settings->clock;
	ledger->is_durable = settings->is_durable;
	ledger->node = g_strdup_printf("%u", settings->node);
	ledger->path = g_strdup(settings->ledger);
	ledger->file = -1;
	g_mutex_init(&ledger->lock);
	g_cond_init(&ledger->changed);
	ledger->pages = g_hash_table_new_full(keyed_hash_text, g_str_equal, NULL, ledger_page_free);
	ledger_file_open(ledger);
	return ledger;
}

void
store_ledger_save(StoreLedger *ledger)
{
	g_mutex_lock(&ledger->lock);
	ledger_file_write(ledger);
	g_mutex_unlock(&ledger->lock);
}

void
store_ledger_free(StoreLedger *ledger)
{
	if (ledger == NULL)
		return;
	ledger_file_close(ledger);
	g_hash_table_unref(ledger->pages);
	g_cond_clear(&ledger->changed);
	g_mutex_clear(&ledger->lock);
	g_free(ledger->path);
	g_free(ledger->node);
	g_free(ledger);
}
