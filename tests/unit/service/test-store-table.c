/* test-store-table.c - which items of a store go when there are too many. */
#include <glib.h>
#include <string.h>

#include "service/store-table.h"
#include "service/store.h"
#include "unit/service/fake-clock.h"
#include "unit/service/suites.h"

#define HOUR (3600 * CLOCK_SECOND)

/* A cache whose keys come from strangers, and live long, against counters that do not. */
static void
test_eviction(void)
{
	FakeClock clock = fake_clock();
	StoreTable *table = store_table_new(&clock.clock);
	const int64_t now_us = clock_wall(&clock.clock);
	size_t counters = 0, evicted = 0;
	char key[64], value[] = "1";

	for (int i = 0; i < 12000; i++) {
		const bool is_counter = i < 1000;
		const StoreRow row = { key, value, (uint64_t)i + 1, now_us + (is_counter ? HOUR : 30 * 24 * HOUR) };

		g_snprintf(key, sizeof key, is_counter ? "plugin/blocking/c/%d" : "plugin/senderverify/a/%d", i);
		store_table_apply(table, &row);
		if (store_table_size(table) > 3000) {
			g_autofree char *gone = store_table_evict(table);

			CU_ASSERT_TRUE(gone != NULL && g_str_has_prefix(gone, "plugin/senderverify/"));
			evicted++;
		}
	}
	for (int i = 0; i < 1000; i++) {
		g_snprintf(key, sizeof key, "plugin/blocking/c/%d", i);
		counters += store_table_find(table, key) != NULL;
	}
	CU_ASSERT_EQUAL(counters, 1000);
	CU_ASSERT_EQUAL(evicted, 9000);
	store_table_free(table);
	table = store_table_new(&clock.clock); /* what is kept for ever is not evicted, whoever has the most of it */
	for (int i = 0; i < 40; i++) {
		const StoreRow row = { key, value, (uint64_t)i + 1, i < 30 ? CLOCK_NEVER : now_us + HOUR };

		g_snprintf(key, sizeof key, i < 30 ? "block/%d" : i < 35 ? "plain%d" : "plugin/x/%d", i);
		store_table_apply(table, &row);
	}
	for (int i = 0; i < 40; i++) {
		g_autofree char *gone = store_table_evict(table);

		CU_ASSERT_TRUE(gone == NULL || !g_str_has_prefix(gone, "block/"));
	}
	CU_ASSERT_EQUAL(store_table_size(table), 30);
	store_table_free(table);
}

/* A store that was opened with fewer items than its file has comes down to them. */
static void
test_most_items(void)
{
	g_autofree char *directory = unit_new_directory();
	g_autofree char *url = g_strdup_printf("sqlite:%s/s.db", directory);
	FakeClock clock = fake_clock();
	StoreSettings settings = { .url = url, .clock = &clock.clock, .most_items = 200 };
	g_autoptr(GPtrArray) items = NULL;
	Store *store;

	for (int opened = 0; opened < 2; opened++) {
		store = store_open_with(&settings, NULL);
		for (int i = 0; i < 300; i++) {
			g_autofree char *key = g_strdup_printf("plugin/a/%d/%d", opened, i);

			CU_ASSERT_EQUAL(store_set(store, key, "v", HOUR, CLOCK_NEVER), PTN_OK);
		}
		g_clear_pointer(&items, g_ptr_array_unref);
		CU_ASSERT_EQUAL(store_list(store, "plugin/", NULL, 1000, CLOCK_NEVER, &items), PTN_OK);
		CU_ASSERT_EQUAL(items->len, settings.most_items);
		store_close(store);
		settings.most_items = 50;
	}
	unit_remove_directory(directory);
}

static void
table_put(StoreTable *table, const char *key, int64_t expires_us)
{
	char value[] = "1";
	g_autofree char *own = g_strdup(key);
	const StoreRow row = { own, value, 1, expires_us };

	store_table_apply(table, &row);
}

/* The sweep of an owner ends at the items of the next one, which may go at any time. */
static void
test_eviction_beside_another(void)
{
	FakeClock clock = fake_clock();
	StoreTable *table = store_table_new(&clock.clock);
	const int64_t then_us = clock_wall(&clock.clock) + HOUR;

	for (int i = 0; i < 16; i++) {
		g_autofree char *key = g_strdup_printf("plugin/a/%02d", i);

		table_put(table, key, then_us + i);
	}
	table_put(table, "plugin/b/1", then_us);
	table_put(table, "plugin/b/2", then_us);
	for (int i = 0; i < 2; i++) {
		const StoreRow gone = { .key = (char[]){ "plugin/b/1" } };
		g_autofree char *expected = g_strdup_printf("plugin/a/%02d", i);
		g_autofree char *evicted = store_table_evict(table);

		ASSERT_TEXT(evicted, expected);
		store_table_apply(table, &gone);
	}
	store_table_free(table);
}

static const UnitTest table_tests[] = {
	{ "as many items as there may be, also after a start with fewer", test_most_items },
	{ "who owns the most items gives when there are too many", test_eviction },
	{ "an item that goes leaves no owner's sweep at it", test_eviction_beside_another },
	{ NULL, NULL },
};

const UnitSuite suite_store_table = { "store-table", table_tests };
