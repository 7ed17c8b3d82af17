/* test-golden.c - what the present version wrote is read by every later one: see tests/golden/README.md. */
#include <glib.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "service/audit.h"
#include "service/blocks.h"
#include "service/counts.h"
#include "service/directory.h"
#include "unit/service/fake-clock.h"
#include "unit/service/redis-server.h"
#include "unit/service/suites.h"

#define NOW INT64_C(1795970420000000) /* 2026-11-29 16:40:20 UTC, when the records were written */
#define HOUR (3600 * CLOCK_SECOND)
#define DAY (24 * HOUR)
#define LIMITS "plugin/limits/account/user@example.net"
#define SHARES "plugin/standing/shares/user@example.net/86400/1795910400/0"
#define COMPLAINTS "plugin/standing/complaints/user@example.net/604800/1795651200/0"
#define SHARES_END INT64_C(1796774400000000)
#define COMPLAINTS_END INT64_C(1798934400000000)

/* ---- files ---- */

static char *
golden_path(const char *name)
{
	return g_build_filename(TEST_SOURCES, "tests/golden", name, NULL);
}

static char *
golden_text(const char *name)
{
	g_autofree char *path = golden_path(name);
	char *text = NULL;

	CU_ASSERT_TRUE_FATAL(g_file_get_contents(path, &text, NULL, NULL));
	return text;
}

typedef struct {
	FakeClock clock;
	char *folder;
	Store *store;
} Golden;

/* A store of one node, made of the SQL in file `name`. */
static void
golden_open(Golden *golden, const char *name, bool is_durable)
{
	g_autofree char *folder = unit_new_directory();
	g_autofree char *path = g_build_filename(folder, "s.db", NULL), *url = g_strconcat("sqlite:", path, NULL);
	g_autofree char *sql = golden_text(name);
	g_autoptr(GError) error = NULL;
	sqlite3 *db = NULL;

	*golden = (Golden){ .clock = fake_clock() };
	golden->clock.now_us = NOW;
	golden->folder = g_steal_pointer(&folder);
	CU_ASSERT_EQUAL(sqlite3_open(path, &db), SQLITE_OK);
	CU_ASSERT_EQUAL(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	golden->store = store_open(url, is_durable, &golden->clock.clock, &error);
	CU_ASSERT_PTR_NOT_NULL_FATAL(golden->store);
}

static void
golden_close(Golden *golden)
{
	store_close(golden->store);
	unit_remove_directory(golden->folder);
	g_free(golden->folder);
}

/* ---- entries ---- */

/* The whole entry is `expected`, "NAME=VALUE" in each line, and its version. */
static void
assert_entry(Directory *directory, PtnKind kind, const char *name, uint64_t version, const char *expected)
{
	g_autoptr(DirectoryEntry) entry = NULL;
	g_autoptr(GString) text = g_string_new(NULL);

	CU_ASSERT_EQUAL_FATAL(directory_find_now(directory, kind, name, CLOCK_NEVER, &entry), PTN_OK);
	ASSERT_TEXT(directory_entry_name(entry), name);
	CU_ASSERT_EQUAL(directory_entry_version(entry), version);
	for (const char *const *each = directory_entry_names(entry); *each != NULL; each++)
		g_string_append_printf(text, "%s=%s\n", *each, directory_entry_get(entry, *each));
	ASSERT_TEXT(text->str, expected);
}

static size_t
count_entries(Directory *directory, PtnKind kind)
{
	g_autoptr(GPtrArray) entries = NULL;

	CU_ASSERT_EQUAL(directory_list(directory, kind, NULL, NULL, 100, CLOCK_NEVER, &entries), PTN_OK);
	return entries->len;
}

static void
test_directory(void)
{
	uint64_t before = 0, after = 0;
	g_autoptr(DirectoryEntry) entry = NULL;
	Directory *directory;
	Golden golden;

	golden_open(&golden, "directory.sql", true);
	directory = directory_new(golden.store);
	assert_entry(directory, PTN_CUSTOMER, "acme", 7,
		"alert=noc@acme.example\nlevel=standard\npostmaster=pm@acme.example\nprimary=it@acme.example\n");
	assert_entry(directory, PTN_DOMAIN, "example.net", 3, "customer=acme\nmode=outbound-only\n");
	assert_entry(directory, PTN_DOMAIN, "hosted.example", 9, "customer=acme\nmode=hosted\n");
	assert_entry(directory, PTN_DOMAIN, "moving.example", 13,
		"customer=acme\niphelper.host=host.dyn.example\niphelper.port=2525\nmode=hold\n");
	assert_entry(directory, PTN_DOMAIN, "shop.example", 11,
		"customer=acme\ndestination=192.0.2.7\nmode=redirect\non-missing-host=hold\nport=2525\n");
	assert_entry(directory, PTN_RECIPIENT, "box@hosted.example", 15, "customer=acme\ndomain=hosted.example\n");
	assert_entry(directory, PTN_ACCOUNT, "@example.net", 21,
		"customer=acme\ndomain=example.net\nenabled=no\n"
		"password=$y$j9T$eiKcBxH4is7eSBl7EVfOv/$bEISYiOHv.6xrZXyGp8cliV6mBVBgHRID7cXSyllOk5\nreason=ticket 812\ntype=any\n");
	assert_entry(directory, PTN_ACCOUNT, "user@example.net", 19,
		"bcc-mirror.bcc=archive@far.example second@far.example\ncustomer=acme\ndomain=example.net\n"
		"ipfilter.ipv4=127.0.0.0/8\nlimits.messages=200/1h 1000/1d\non-refusal=defer\n"
		"password=$y$j9T$tIp6XCiptwyguXJKCR6dF1$Oq4AXB4c9qPpYhQgzJHBk2pCPw7fg7IkFMXgVLlDou2\ntype=single\n");
	CU_ASSERT_EQUAL(count_entries(directory, PTN_ACCOUNT), 2);
	CU_ASSERT_EQUAL(count_entries(directory, PTN_DOMAIN), 4);
	/* what is written now is newer than all that was */
	CU_ASSERT_EQUAL(directory_find_now(directory, PTN_CUSTOMER, "acme", CLOCK_NEVER, &entry), PTN_OK);
	before = directory_entry_version(entry);
	directory_entry_set(entry, "alert", "new@acme.example");
	CU_ASSERT_EQUAL(directory_save(directory, entry, NULL, CLOCK_NEVER), PTN_OK);
	after = directory_entry_version(entry);
	CU_ASSERT_TRUE(after > before && after > 25);
	directory_free(directory);
	golden_close(&golden);
}

/* ---- the audit ---- */

static void
put_record(void *data, const AuditRecord *record)
{
	g_string_append_printf(data, "%" G_GINT64_FORMAT " %s@%s %s: %s %s of %s/%s [%s] %s -> %s\n",
		(gint64)(record->time_us / CLOCK_SECOND), record->who, record->node, record->command, record->kind, record->name,
		record->customer != NULL ? record->customer : "-", record->domain != NULL ? record->domain : "-",
		record->options != NULL ? record->options : "-", record->before != NULL ? record->before : "-",
		record->after != NULL ? record->after : "-");
}

static void
test_audit(void)
{
	const AuditFilter all = { 0 };
	g_autoptr(GString) text = g_string_new(NULL);
	Golden golden;
	Audit *audit;

	golden_open(&golden, "directory.sql", true);
	audit = audit_new(golden.store, &golden.clock.clock, "0", 400 * DAY);
	CU_ASSERT_EQUAL(audit_each(audit, &all, put_record, text), PTN_OK);
	ASSERT_TEXT(text->str,
		"1795970359 root@0 block lift:  203.0.113.7 of -/- [-] - -> 203.0.113.7 may connect again.\n"
		"1795970359 root@0 account set: account @example.net of acme/example.net [enabled reason]  -> enabled=no "
		"reason=ticket 812\n");
	audit_free(audit);
	golden_close(&golden);
}

/* ---- blocks ---- */

static void
assert_blocks(Store *store, const Clock *clock, const char *expected)
{
	Blocks *blocks = blocks_new(store, clock);
	g_autoptr(GPtrArray) list = NULL;
	g_autoptr(GString) text = g_string_new(NULL);

	blocks_look(blocks);
	list = blocks_list(blocks, NULL);
	for (guint i = 0; i < list->len; i++) {
		const Block *block = g_ptr_array_index(list, i);
		g_autofree char *network = ip_network_format(&block->network);

		g_string_append_printf(text, "%s %" G_GINT64_FORMAT " %" G_GINT64_FORMAT " %s: %s\n", network,
			(gint64)(block->since_us / CLOCK_SECOND), (gint64)(block->until_us / CLOCK_SECOND), block->by, block->reason);
	}
	ASSERT_TEXT(text->str, expected);
	blocks_free(blocks);
}

static void
test_blocks(void)
{
	Golden golden;

	golden_open(&golden, "store.sql", false);
	assert_blocks(golden.store, &golden.clock.clock,
		"192.0.2.0/24 1795970408 1798562408 operator: seen spamming\n"
		"198.51.100.9 1795970408 0 blocking: too many errors\n");
	golden_close(&golden);
}

/* ---- counters ---- */

static void
assert_total(Store *store, const char *key, const char *name, int64_t window_us, int64_t expected)
{
	StoreTally tally = { .name = name, .window_us = window_us, .total = -1 };

	CU_ASSERT_EQUAL(store_tally(store, key, &tally, 1, CLOCK_NEVER), PTN_OK);
	if (tally.total != expected)
		fprintf(stderr, "\n%s %s: %" G_GINT64_FORMAT " instead of %" G_GINT64_FORMAT "\n", key, name, (gint64)tally.total,
			(gint64)expected);
	CU_ASSERT_EQUAL(tally.total, expected);
}

static void
assert_limits(Store *store, int64_t octets)
{
	assert_total(store, LIMITS, "messages/1h", HOUR, 1);
	assert_total(store, LIMITS, "messages/1d", DAY, 1);
	assert_total(store, LIMITS, "recipients/1h", HOUR, 2);
	assert_total(store, LIMITS, "recipients/1d", DAY, 2);
	assert_total(store, LIMITS, "bytes/1d", DAY, octets);
}

static void
test_counters(void)
{
	Golden golden;

	golden_open(&golden, "store.sql", false);
	assert_limits(golden.store, 75);
	assert_total(golden.store, SHARES, "messages", SHARES_END, 1);
	assert_total(golden.store, SHARES, "recipients", SHARES_END, 2);
	assert_total(golden.store, COMPLAINTS, "complained-of", COMPLAINTS_END, 2);
	golden.clock.now_us += HOUR; /* their windows end as they would have */
	assert_total(golden.store, LIMITS, "messages/1h", HOUR, 0);
	assert_total(golden.store, LIMITS, "messages/1d", DAY, 1);
	golden_close(&golden);
}

/* What a daemon kept at its stop is added by the next one, once. */
static void
test_counts(void)
{
	g_autofree char *text = golden_text("counts"), *path = NULL;
	g_autoptr(Metrics) metrics = metrics_new();
	Golden golden;
	Counts *counts;

	golden_open(&golden, "store.sql", false);
	path = g_build_filename(golden.folder, "counts", NULL);
	counts = counts_new(&(CountsSettings){ .store = golden.store, .metrics = metrics });
	CU_ASSERT_TRUE(g_file_set_contents(path, text, -1, NULL));
	CU_ASSERT_TRUE(counts_load(counts, path, NULL));
	CU_ASSERT_FALSE(g_file_test(path, G_FILE_TEST_EXISTS));
	CU_ASSERT_TRUE(counts_flush(counts, CLOCK_NEVER));
	assert_total(golden.store, SHARES, "messages", SHARES_END, 1 + 4);
	assert_total(golden.store, SHARES, "recipients", SHARES_END, 2 + 9);
	counts_free(counts);
	golden_close(&golden);
}

/* ---- what plugins remember: their own tests know the fields ---- */

static void
test_items(void)
{
	static const struct {
		const char *key, *value;
	} items[] = { { "plugin/bcc-mirror/account/ciltql7pk37z", "user@example.net" },
		{ "plugin/iphelper/state/moving.example", "1795970362159331 1795970662159331 2 host.dyn.example:2525" } };
	Golden golden;

	golden_open(&golden, "store.sql", false);
	for (size_t i = 0; i < G_N_ELEMENTS(items); i++) {
		g_autofree char *value = NULL;

		CU_ASSERT_EQUAL(store_get(golden.store, items[i].key, CLOCK_NEVER, &value, NULL), PTN_OK);
		ASSERT_TEXT(value, items[i].value);
	}
	golden_close(&golden);
}

/* ---- Redis ---- */

static void
fill_server(const RedisServer *server)
{
	g_autofree char *path = golden_path("redis.txt"), *said = NULL;
	g_autofree char *line = g_strdup_printf("sh -c \"redis-cli -p %u <'%s'\"", server->port, path);

	CU_ASSERT_TRUE(g_spawn_command_line_sync(line, &said, NULL, NULL, NULL));
	CU_ASSERT_PTR_NULL(strstr(said, "ERR"));
}

static void
test_redis(void)
{
	RedisServer *server = redis_server_new(NULL, true);
	g_autofree char *url = NULL;
	FakeClock clock = fake_clock();
	Directory *directory;
	Store *store;

	if (server == NULL)
		return;
	*server->clock = clock.now_us = NOW;
	fill_server(server);
	url = redis_server_url(server);
	store = store_open_with(
		&(StoreSettings){ .url = url, .clock = &clock.clock, .node = 1, .deadline_us = 5 * CLOCK_SECOND }, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(store);
	directory = directory_new(store);
	assert_entry(directory, PTN_CUSTOMER, "acme", UINT64_C(1795970408328212),
		"alert=noc@acme.example\npostmaster=pm@acme.example\n");
	assert_entry(directory, PTN_DOMAIN, "shop.example", UINT64_C(1795970408362296),
		"customer=acme\ndestination=192.0.2.7\nmode=redirect\nport=2525\n");
	assert_entry(directory, PTN_ACCOUNT, "user@example.net", UINT64_C(1795970408317170),
		"customer=acme\ndomain=example.net\n"
		"password=$y$j9T$B21N0VIxPepDYiIQXCK.z/$YSzQf8.L0d8.5TmKNB63CgEH8kgUv8v3n0hiICn79BC\ntype=single\n");
	CU_ASSERT_EQUAL(count_entries(directory, PTN_DOMAIN), 2);
	assert_blocks(
		store, &clock.clock, "192.0.2.0/24 1795970408 1798562408 operator: seen spamming\n");
	assert_limits(store, 25);
	directory_free(directory);
	store_close(store);
	redis_server_free(server);
}

static const UnitTest tests[] = {
	{ "entries of the directory, in SQLite", test_directory },
	{ "records of the audit", test_audit },
	{ "blocks", test_blocks },
	{ "counters, and when their windows end", test_counters },
	{ "what was kept at a stop", test_counts },
	{ "what plugins remember", test_items },
	{ "entries, blocks and counters in Redis", test_redis },
	{ NULL, NULL },
};

const UnitSuite suite_golden = { "golden", tests };
