/* test-audit.c - records of changes: what they say, what they hide, how long they are kept, how they are found. */
#include <glib.h>
#include <stdio.h>
#include <string.h>

#include "service/directory.h"
#include "unit/service/fake-clock.h"
#include "unit/service/suites.h"

typedef struct {
	FakeClock clock;
	Store *store;
	Directory *directory;
	Audit *audit;
} Fixture;

#define DAY (24 * 3600 * CLOCK_SECOND)

static char *
hide_secrets(void *data, PtnKind kind, const char *name, const char *value)
{
	(void)data, (void)kind;
	return g_strdup(strcmp(name, "plugin.key") == 0 ? "(hidden)" : value);
}

static void
fixture_open(Fixture *f)
{
	f->clock = fake_clock();
	f->store = store_open("memory:", true, &f->clock.clock, NULL);
	f->directory = directory_new(f->store);
	f->audit = audit_new(f->store, &f->clock.clock, "7", 400 * DAY);
	directory_set_audit(f->directory, f->audit, hide_secrets, NULL);
}

static void
fixture_close(Fixture *f)
{
	directory_free(f->directory);
	audit_free(f->audit);
	store_close(f->store);
}

static void
put_line(void *data, const AuditRecord *record)
{
	g_string_append_printf(data, "%s/%s %s: %s %s [%s] of %s %s: %s -> %s\n", record->who,
		record->login != NULL ? record->login : "-", record->command, record->kind, record->name,
		record->options != NULL ? record->options : "-", record->customer != NULL ? record->customer : "-",
		record->domain != NULL ? record->domain : "-", record->before != NULL ? record->before : "nothing",
		record->after != NULL ? record->after : "nothing");
}

/* New. */
static char *
records(Fixture *f, AuditFilter filter)
{
	GString *text = g_string_new(NULL);

	CU_ASSERT_EQUAL(audit_each(f->audit, &filter, put_line, text), PTN_OK);
	return g_string_free(text, FALSE);
}

static void
assert_records(Fixture *f, AuditFilter filter, const char *expected)
{
	g_autofree char *text = records(f, filter);

	ASSERT_TEXT(text, expected);
}

static size_t
count_records(Fixture *f, AuditFilter filter)
{
	g_autofree char *text = records(f, filter);
	size_t n = 0;

	for (const char *c = text; *c != '\0'; c++)
		n += *c == '\n';
	return n;
}

static void
save(Fixture *f, DirectoryEntry *entry, Actor *actor)
{
	f->clock.now_us += CLOCK_SECOND;
	CU_ASSERT_EQUAL(directory_save(f->directory, entry, actor, CLOCK_NEVER), PTN_OK);
}

static void
test_changes(void)
{
	Fixture f;
	Actor alice = { .who = "root", .login = "alice", .command = "account set" };
	g_autoptr(DirectoryEntry) entry = directory_entry_new(PTN_ACCOUNT, "u@example.net");

	fixture_open(&f);
	directory_entry_set(entry, "customer", "acme");
	directory_entry_set(entry, "domain", "example.net");
	directory_entry_set(entry, "password", "$6$secret");
	directory_entry_set(entry, "plugin.key", "very secret");
	save(&f, entry, &alice);
	directory_entry_set(entry, "customer", "other");
	directory_entry_set(entry, "password", "$6$another");
	directory_entry_set(entry, "plugin.key", NULL);
	directory_entry_set(entry, "reason", "two lines = \\1");
	save(&f, entry, &alice);
	save(&f, entry, &alice); /* as it was: no record */
	f.clock.now_us += CLOCK_SECOND;
	CU_ASSERT_EQUAL(directory_remove(f.directory, PTN_ACCOUNT, "U@example.net", NULL, CLOCK_NEVER), PTN_OK);
	CU_ASSERT_EQUAL(directory_remove(f.directory, PTN_ACCOUNT, "u@example.net", NULL, CLOCK_NEVER), PTN_NONE);
	CU_ASSERT_EQUAL(alice.records, 2);
	assert_records(&f, (AuditFilter){ 0 },
		"daemon/- (null): account u@example.net [customer domain password reason] of other example.net: "
		"customer=other domain=example.net password=(hidden) reason=two lines = \\1 -> nothing\n"
		"root/alice account set: account u@example.net [customer password reason plugin.key] of other acme "
		"example.net: "
		"customer=acme password=(hidden) plugin.key=(hidden) -> "
		"customer=other password=(hidden) reason=two lines = \\1\n"
		"root/alice account set: account u@example.net [customer domain password plugin.key] of acme example.net: "
		"nothing -> customer=acme domain=example.net password=(hidden) plugin.key=(hidden)\n");
	fixture_close(&f);
}

/* A save that somebody else's came before is no change. */
static void
test_taken(void)
{
	Fixture f;
	Actor actor = { .who = "alice", .command = "customer set" };
	g_autoptr(DirectoryEntry) one = directory_entry_new(PTN_CUSTOMER, "acme");
	g_autoptr(DirectoryEntry) two = NULL;

	fixture_open(&f);
	save(&f, one, &actor);
	CU_ASSERT_EQUAL_FATAL(directory_find(f.directory, PTN_CUSTOMER, "acme", CLOCK_NEVER, &two), PTN_OK);
	directory_entry_set(one, "level", "one");
	save(&f, one, &actor);
	directory_entry_set(two, "level", "two");
	CU_ASSERT_EQUAL(directory_save(f.directory, two, &actor, CLOCK_NEVER), PTN_TAKEN);
	CU_ASSERT_EQUAL(count_records(&f, (AuditFilter){ 0 }), 2);
	fixture_close(&f);
}

static void
test_filters(void)
{
	Fixture f;
	Actor alice = { .who = "alice", .command = "x" }, root = { .who = "root", .login = "bob", .command = "queue hold" };
	g_autoptr(DirectoryEntry) domain = directory_entry_new(PTN_DOMAIN, "example.net");
	const AuditRecord hold = { .kind = "", .name = "account=u@example.net age>1h", .after = "1 message: 1 held." };
	int64_t half_us;

	fixture_open(&f);
	directory_entry_set(domain, "customer", "acme");
	save(&f, domain, &alice);
	half_us = f.clock.now_us;
	f.clock.now_us += CLOCK_SECOND;
	audit_write(f.audit, &root, &hold);
	CU_ASSERT_EQUAL(count_records(&f, (AuditFilter){ 0 }), 2);
	CU_ASSERT_EQUAL(count_records(&f, (AuditFilter){ .limit = 1 }), 1);
	CU_ASSERT_EQUAL(count_records(&f, (AuditFilter){ .since_us = half_us + 1 }), 1);
	CU_ASSERT_EQUAL(count_records(&f, (AuditFilter){ .since_us = half_us }), 2);
	CU_ASSERT_EQUAL(count_records(&f, (AuditFilter){ .customer = "ACME" }), 1);
	CU_ASSERT_EQUAL(count_records(&f, (AuditFilter){ .domain = "example.net" }), 1);
	CU_ASSERT_EQUAL(count_records(&f, (AuditFilter){ .account = "u@example.net" }), 1);
	CU_ASSERT_EQUAL(count_records(&f, (AuditFilter){ .account = "v@example.net" }), 0);
	CU_ASSERT_EQUAL(count_records(&f, (AuditFilter){ .who = "bob" }), 1);
	CU_ASSERT_EQUAL(count_records(&f, (AuditFilter){ .who = "root" }), 1);
	CU_ASSERT_EQUAL(count_records(&f, (AuditFilter){ .who = "alice", .customer = "other" }), 0);
	fixture_close(&f);
}

/* More than a page, newest first, and gone when their time is over. */
static void
test_kept(void)
{
	Fixture f;
	Actor actor = { .who = "alice", .command = "queue retry" };
	g_autofree char *first = NULL;

	fixture_open(&f);
	for (int i = 0; i < 450; i++) {
		g_autofree char *name = g_strdup_printf("n%d", i);
		const AuditRecord record = { .kind = "", .name = name };

		if (i % 3 == 0) /* several within one microsecond, too */
			f.clock.now_us += 1;
		audit_write(f.audit, &actor, &record);
	}
	CU_ASSERT_EQUAL(count_records(&f, (AuditFilter){ 0 }), 450);
	first = records(&f, (AuditFilter){ .limit = 1 });
	CU_ASSERT_TRUE(strstr(first, " n449 ") != NULL || strstr(first, " n448 ") != NULL || strstr(first, " n447 ") != NULL);
	f.clock.now_us += 400 * DAY - CLOCK_SECOND;
	CU_ASSERT_EQUAL(count_records(&f, (AuditFilter){ 0 }), 450);
	f.clock.now_us += 2 * CLOCK_SECOND;
	CU_ASSERT_EQUAL(count_records(&f, (AuditFilter){ 0 }), 0);
	fixture_close(&f);
}

static void
put_sizes(void *data, const AuditRecord *record)
{
	size_t *sizes = data;

	sizes[0] = strlen(record->name);
	sizes[1] = strlen(record->after);
	CU_ASSERT_TRUE(g_utf8_validate(record->name, -1, NULL));
	CU_ASSERT_TRUE(g_utf8_validate(record->after, -1, NULL));
	CU_ASSERT_TRUE(g_str_has_suffix(record->after, "…"));
}

static void
test_bounded(void)
{
	Fixture f;
	g_autofree char *long_text = g_strnfill(100000, 'x');
	g_autoptr(GString) accents = g_string_new(NULL);
	AuditRecord record = { .kind = "", .after = long_text };
	const AuditFilter all = { 0 };
	size_t sizes[2] = { 0 };

	for (int i = 0; i < 1000; i++)
		g_string_append(accents, "é");
	record.name = accents->str;
	fixture_open(&f);
	audit_write(f.audit, NULL, &record);
	CU_ASSERT_EQUAL(audit_each(f.audit, &all, put_sizes, sizes), PTN_OK);
	CU_ASSERT_TRUE(sizes[0] <= AUDIT_WORD && sizes[0] >= AUDIT_WORD - 4);
	CU_ASSERT_TRUE(sizes[1] <= AUDIT_TEXT && sizes[1] >= AUDIT_TEXT - 4);
	fixture_close(&f);
}

static const UnitTest tests[] = {
	{ "a record per change, secrets hidden", test_changes },
	{ "no record of what was not saved", test_taken },
	{ "filters", test_filters },
	{ "kept for its time, newest first", test_kept },
	{ "bounded", test_bounded },
	{ 0 },
};
const UnitSuite suite_audit = { "audit", tests };
