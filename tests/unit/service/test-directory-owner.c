/* test-directory-owner.c - whose an entry is, and the form of its values, whoever wrote them. */
#include <glib.h>
#include <string.h>

#include "unit/service/directory-fixture.h"

static void
assert_get(Fixture *f, PtnKind kind, const char *name, const char *option, const char *value)
{
	g_autoptr(DirectoryEntry) entry = find(f, kind, name);

	ASSERT_TEXT(directory_entry_get(entry, option), value);
}

static void
put_record(Fixture *f, const char *key, const char *record)
{
	CU_ASSERT_EQUAL(store_set(f->store, key, record, 0, CLOCK_NEVER), PTN_OK);
}

/* A domain changes hands: whoever reads one of its accounts or recipients, by whatever way, sees the new customer. */
static void
test_owner_follows(void)
{
	static const PtnKind kinds[] = { PTN_ACCOUNT, PTN_RECIPIENT };
	g_autoptr(DirectoryEntry) domain = NULL;
	Fixture f;

	fixture_open(&f);
	assert_added(&f, ENTRY(PTN_ACCOUNT, "user@example.net"));
	assert_added(&f, ENTRY(PTN_RECIPIENT, "user@example.net"));
	domain = find(&f, PTN_DOMAIN, "example.net");
	directory_entry_set(domain, "customer", "other");
	assert_added(&f, g_steal_pointer(&domain));
	for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
		g_autoptr(DirectoryEntry) now = NULL;
		g_autoptr(GPtrArray) listed = NULL;

		assert_get(&f, kinds[i], "user@example.net", "customer", "other");
		CU_ASSERT_EQUAL(directory_find_now(f.directory, kinds[i], "user@example.net", CLOCK_NEVER, &now), PTN_OK);
		ASSERT_TEXT(directory_entry_get(now, "customer"), "other");
		CU_ASSERT_EQUAL(directory_list(f.directory, kinds[i], "customer", NULL, 9, CLOCK_NEVER, &listed), PTN_OK);
		CU_ASSERT_EQUAL_FATAL(listed->len, 1);
		ASSERT_TEXT(directory_entry_get(g_ptr_array_index(listed, 0), "customer"), "other");
		directory_entry_set(now, "enabled", kinds[i] == PTN_ACCOUNT ? "no" : NULL);
		assert_added(&f, g_steal_pointer(&now));
	}
	assert_get(&f, PTN_ACCOUNT, "user@example.net", "enabled", "no");
	assert_refused(&f, ENTRY(PTN_RECIPIENT, "new@example.net", "customer", "acme"), "of customer other, not of acme");
	fixture_close(&f);
}

/* An entry that was read before the domain changed hands can be saved: its customer is a copy, not a statement. */
static void
test_owner_is_no_statement(void)
{
	g_autoptr(DirectoryEntry) account = NULL;
	DirectoryEntry *domain;
	Fixture f;

	fixture_open(&f);
	assert_added(&f, ENTRY(PTN_ACCOUNT, "user@example.net"));
	account = find(&f, PTN_ACCOUNT, "user@example.net");
	domain = find(&f, PTN_DOMAIN, "example.net");
	directory_entry_set(domain, "customer", "other");
	assert_added(&f, domain);
	directory_entry_set(account, "enabled", "no");
	assert_added(&f, g_steal_pointer(&account));
	account = find(&f, PTN_ACCOUNT, "user@example.net");
	directory_entry_set(account, "customer", "acme");
	assert_refused(&f, g_steal_pointer(&account), "example.net is a domain of customer other, not of acme");
	fixture_close(&f);
}

/* Written by an older version, or with a copy that is missing. */
static void
test_old_owners(void)
{
	g_autoptr(GPtrArray) listed = NULL;
	Fixture f;

	fixture_open(&f);
	put_record(&f, "directory/customer/bell", "");
	put_record(&f, "directory/domain/bell.example", "customer=Bell\nmode=hold\n");
	put_record(&f, "directory/account/u@bell.example", "customer=Acme\ndomain=BELL.example\ntype=single\n");
	put_record(&f, "directory/account/v@bell.example", "type=single\n");
	assert_get(&f, PTN_DOMAIN, "bell.example", "customer", "bell");
	assert_get(&f, PTN_ACCOUNT, "u@bell.example", "customer", "bell");
	assert_get(&f, PTN_ACCOUNT, "u@bell.example", "domain", "bell.example");
	assert_get(&f, PTN_ACCOUNT, "v@bell.example", "customer", "bell");
	CU_ASSERT_EQUAL(directory_list(f.directory, PTN_ACCOUNT, "domain", NULL, 9, CLOCK_NEVER, &listed), PTN_OK);
	CU_ASSERT_EQUAL(listed->len, 2);
	put_record(&f, "directory/account/u@gone.example", "customer=Acme\ntype=single\n");
	assert_get(&f, PTN_ACCOUNT, "u@gone.example", "customer", "acme");
	assert_added(&f, ENTRY(PTN_DOMAIN, "Ring.EXAMPLE", "customer", "BELL", "mode", "hold"));
	assert_get(&f, PTN_DOMAIN, "ring.example", "customer", "bell");
	assert_added(&f, ENTRY(PTN_ACCOUNT, "u@ring.example", "customer", "Bell", "domain", "RING.example"));
	assert_get(&f, PTN_ACCOUNT, "u@ring.example", "customer", "bell");
	fixture_close(&f);
}

static void
test_values(void)
{
	g_autofree char *longest = g_strnfill(DIRECTORY_REASON_MAX, 'x'), *longer = g_strnfill(1000, 'x');
	g_autofree char *endless = g_strnfill(DIRECTORY_VALUE_MAX + 1, 'x');
	static const char *const bad[] = { "two\nlines", "two\r\nlines", "x\n[account a@b.example]", "tab\there", "\x1b[2J", "\x7f",
		"not \xff UTF-8", "\xc2\x85next", "\xe2\x80\xaereversed", "\xe2\x80\xa8line" };
	static const char *const names[] = { "reason", "level", "standing.hold" };
	Fixture f;

	fixture_open(&f);
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
		for (size_t k = 0; k < G_N_ELEMENTS(names); k++)
			assert_refused(&f, ENTRY(PTN_CUSTOMER, "acme", names[k], bad[i]), "one line of UTF-8");
	assert_added(&f, ENTRY(PTN_CUSTOMER, "long", "reason", longest, "standing.hold", longer));
	assert_refused(&f, ENTRY(PTN_CUSTOMER, "acme", "reason", longer), "reason: the value has 1000 octets, at most 200");
	assert_refused(&f, ENTRY(PTN_CUSTOMER, "acme", "level", endless), "at most 65536");
	fixture_close(&f);
}

/* What other writers of the store left is one line, of the allowed length, when it is read. */
static void
test_read_values(void)
{
	g_autofree char *record = NULL, *cut = NULL;
	GString *text = g_string_new(NULL);
	Fixture f;

	fixture_open(&f);
	put_record(&f, "directory/customer/old", "reason=first\\n[account x@y.example]\x1b\xff\nnote=a\tb\nenabled=0\noutbound=ON\n");
	assert_get(&f, PTN_CUSTOMER, "old", "reason", "first [account x@y.example] \xef\xbf\xbd");
	assert_get(&f, PTN_CUSTOMER, "old", "note", "a b");
	assert_get(&f, PTN_CUSTOMER, "old", "enabled", "no");
	assert_get(&f, PTN_CUSTOMER, "old", "outbound", "yes");
	g_string_append(text, "x");
	for (int i = 0; i < 150; i++)
		g_string_append(text, "\xc3\xa4");
	record = g_strdup_printf("reason=%s\n", text->str);
	cut = g_strndup(text->str, DIRECTORY_REASON_MAX - 1);
	put_record(&f, "directory/customer/long", record);
	assert_get(&f, PTN_CUSTOMER, "long", "reason", cut);
	g_string_free(text, TRUE);
	fixture_close(&f);
}

static void
test_booleans(void)
{
	static const char *const yes[] = { "yes", "YES", "true", "on", "1" }, *const no[] = { "no", "false", "Off", "0" };
	Fixture f;

	fixture_open(&f);
	for (size_t i = 0; i < G_N_ELEMENTS(yes) + G_N_ELEMENTS(no); i++) {
		const bool is_yes = i < G_N_ELEMENTS(yes);
		g_autoptr(DirectoryEntry) entry = find(&f, PTN_CUSTOMER, "acme");

		directory_entry_set(entry, "enabled", is_yes ? yes[i] : no[i - G_N_ELEMENTS(yes)]);
		assert_added(&f, g_steal_pointer(&entry));
		assert_get(&f, PTN_CUSTOMER, "acme", "enabled", is_yes ? "yes" : "no");
	}
	assert_refused(&f, ENTRY(PTN_CUSTOMER, "acme", "enabled", "2"), "enabled is yes or no, not \"2\"");
	fixture_close(&f);
}

/* A domain into whose mailboxes others forward stays, with all that is in it. */
static void
test_targets(void)
{
	g_autoptr(GPtrArray) removed = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GPtrArray) all = NULL, into = NULL;
	g_autoptr(GError) error = NULL;
	Fixture f;

	fixture_open(&f);
	assert_added(&f, ENTRY(PTN_DOMAIN, "boxes.example", "customer", "acme", "mode", "hosted"));
	assert_added(&f, ENTRY(PTN_ACCOUNT, "user@boxes.example"));
	assert_added(&f, ENTRY(PTN_DOMAIN, "a.example", "customer", "acme", "mode", "forward-mailbox",
		"forward-to", "it@BOXES.example"));
	assert_added(&f, ENTRY(PTN_DOMAIN, "b.example", "customer", "other", "mode", "forward", "forward-to", "it@boxes.example"));
	assert_added(&f, ENTRY(PTN_DOMAIN, "c.example", "customer", "acme", "mode", "hold", "forward-to", "it@boxes.example"));
	all = directory_forwarders(f.directory, "Boxes.example", false, NULL);
	CU_ASSERT_EQUAL(all->len, 2);
	into = directory_forwarders(f.directory, "boxes.example", true, NULL);
	CU_ASSERT_EQUAL_FATAL(into->len, 1);
	ASSERT_TEXT(g_ptr_array_index(into, 0), "a.example");
	CU_ASSERT_FALSE(directory_remove_checked(f.directory, PTN_DOMAIN, "boxes.example", NULL, removed, &error));
	ASSERT_TEXT(error->message, "mail of a.example goes into mailboxes of boxes.example; set their forward-to or mode first");
	CU_ASSERT_EQUAL(removed->len, 0);
	directory_entry_free(find(&f, PTN_ACCOUNT, "user@boxes.example"));
	CU_ASSERT_TRUE(directory_remove_checked(f.directory, PTN_DOMAIN, "a.example", NULL, removed, NULL));
	CU_ASSERT_TRUE(directory_remove_checked(f.directory, PTN_DOMAIN, "boxes.example", NULL, removed, NULL));
	fixture_close(&f);
}

static const UnitTest directory_owner_tests[] = {
	{ "P-19 a domain into whose mailboxes others forward stays", test_targets },
	{ "P-13 the customer of accounts and recipients is that of their domain", test_owner_follows },
	{ "P-13 an entry read before its domain changed hands can be saved", test_owner_is_no_statement },
	{ "P-13 P-14 owners of old entries are in the form that names have", test_old_owners },
	{ "P-15 a value is one line, and not endless", test_values },
	{ "P-15 what others wrote is one line when it is read", test_read_values },
	{ "P-16 yes and no in all their words", test_booleans },
	{ NULL, NULL },
};
const UnitSuite suite_directory_owner = { "directory-owner", directory_owner_tests };
