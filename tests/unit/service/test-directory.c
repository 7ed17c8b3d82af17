/* test-directory.c - entries, and the rules for them. */
#include <glib.h>
#include <string.h>

#include "unit/service/directory-fixture.h"
#include "unit/service/suites.h"

static void
test_types(void)
{
	static const char *const cases[][2] = { { "user@example.net", "single" }, { "@example.net", "any" } };
	Fixture f;

	fixture_open(&f);
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(DirectoryEntry) entry = NULL;

		assert_added(&f, ENTRY(PTN_ACCOUNT, cases[i][0]));
		entry = find(&f, PTN_ACCOUNT, cases[i][0]);
		ASSERT_TEXT(directory_entry_get(entry, "type"), cases[i][1]);
		ASSERT_TEXT(directory_entry_get(entry, "domain"), "example.net");
		ASSERT_TEXT(directory_entry_get(entry, "customer"), "acme");
	}
	assert_added(&f, ENTRY(PTN_ACCOUNT, "example.net", "type", "server"));
	fixture_close(&f);
}

static void
test_forms(void)
{
	Fixture f;

	fixture_open(&f);
	assert_refused(&f, ENTRY(PTN_ACCOUNT, "example.net"), "needs type=server; any address of the domain: \"@example.net\"");
	assert_refused(&f, ENTRY(PTN_ACCOUNT, "@example.net", "type", "server"), "has the form of type any");
	assert_refused(&f, ENTRY(PTN_ACCOUNT, "user@example.net", "type", "any"), "the login of type any is @DOMAIN");
	assert_refused(&f, ENTRY(PTN_ACCOUNT, "example.net", "type", "any"), "has the form of type server");
	assert_refused(&f, ENTRY(PTN_ACCOUNT, "example.net", "type", "sever"), "did you mean \"server\"");
	assert_refused(&f, ENTRY(PTN_ACCOUNT, "user"), "not a domain name");
	assert_refused(&f, ENTRY(PTN_ACCOUNT, "a b@example.net"), "not a mail address");
	assert_refused(&f, ENTRY(PTN_ACCOUNT, "user@192.0.2.1"), "not a domain name");
	assert_refused(&f, ENTRY(PTN_ACCOUNT, "user@example.net", "enabled", "perhaps"), "enabled is yes or no");
	assert_refused(&f, ENTRY(PTN_ACCOUNT, "user@example.net", "password", "mypassword"), "not a crypt(3) hash");
	fixture_close(&f);
}

static void
test_own_domains(void)
{
	Fixture f;

	fixture_open(&f);
	assert_refused(&f, ENTRY(PTN_ACCOUNT, "user@nowhere.example"), "there is no domain \"nowhere.example\"");
	assert_refused(&f, ENTRY(PTN_ACCOUNT, "user@other.example", "customer", "acme"),
		"other.example is a domain of customer other, not of acme");
	assert_refused(&f, ENTRY(PTN_ACCOUNT, "user@sub.example.net"), "there is no domain");
	assert_refused(&f, ENTRY(PTN_ACCOUNT, "user@example.net", "domain", "other.example"), "not the domain of login");
	fixture_close(&f);
}

static void
test_duplicates(void)
{
	g_autoptr(DirectoryEntry) second = directory_entry_new(PTN_ACCOUNT, "USER@Example.NET");
	Fixture f;

	fixture_open(&f);
	assert_added(&f, ENTRY(PTN_ACCOUNT, "user@example.net"));
	CU_ASSERT_TRUE(directory_check(f.directory, second, NULL));
	CU_ASSERT_EQUAL(directory_save(f.directory, second, NULL, CLOCK_NEVER), PTN_TAKEN);
	fixture_close(&f);
}

static void
test_case(void)
{
	g_autoptr(DirectoryEntry) entry = NULL;
	Fixture f;

	fixture_open(&f);
	assert_added(&f, ENTRY(PTN_ACCOUNT, "User@EXAMPLE.net"));
	entry = find(&f, PTN_ACCOUNT, "uSER@example.NET");
	ASSERT_TEXT(directory_entry_name(entry), "user@example.net");
	CU_ASSERT_EQUAL(directory_entry_kind(entry), PTN_ACCOUNT);
	CU_ASSERT_EQUAL(directory_remove(f.directory, PTN_ACCOUNT, "USER@example.net", NULL, CLOCK_NEVER), PTN_OK);
	fixture_close(&f);
}

static void
test_domains(void)
{
	static const struct {
		const char *mode, *destination, *port, *kept, *kept_port;
	} good[] = { { "redirect", "mx.acme.example:2525", NULL, "mx.acme.example", "2525" },
		{ "redirect", "192.0.2.1", "25", "192.0.2.1", "25" }, { "redirect", "192.0.2.1:26", NULL, "192.0.2.1", "26" },
		{ "redirect", "2001:db8::1", NULL, "2001:db8::1", NULL }, { "redirect", "[2001:db8::1]:25", NULL, "2001:db8::1", "25" },
		{ "hold", NULL, NULL, NULL, NULL }, { "hold", "mx.acme.example:2525", NULL, "mx.acme.example", "2525" },
		{ "secondary", NULL, NULL, NULL, NULL } };
	Fixture f;

	fixture_open(&f);
	for (size_t i = 0; i < G_N_ELEMENTS(good); i++) {
		g_autoptr(DirectoryEntry) entry = ENTRY(PTN_DOMAIN, "shop.example", "customer", "acme", "mode", good[i].mode);
		g_autoptr(GError) error = NULL;

		directory_entry_set(entry, "destination", good[i].destination);
		directory_entry_set(entry, "port", good[i].port);
		if (!directory_check(f.directory, entry, &error))
			ASSERT_TEXT(error->message, NULL);
		ASSERT_TEXT(directory_entry_get(entry, "destination"), good[i].kept);
		ASSERT_TEXT(directory_entry_get(entry, "port"), good[i].kept_port);
	}
	assert_refused(&f, ENTRY(PTN_DOMAIN, "a.example", "customer", "acme", "mode", "redirect"), "needs a destination");
	assert_refused(&f, ENTRY(PTN_DOMAIN, "a.example", "customer", "acme", "mode", "redirct"), "did you mean \"redirect\"");
	assert_refused(&f, ENTRY(PTN_DOMAIN, "a.example", "customer", "acme", "mode", "redirect", "destination", "x:0"), "port: \"0\"");
	assert_refused(&f, ENTRY(PTN_DOMAIN, "a.example", "customer", "acme", "mode", "redirect", "destination", "x:70000"), "70000");
	assert_refused(&f, ENTRY(PTN_DOMAIN, "a.example", "customer", "acme", "mode", "redirect", "destination", "a b"), "neither");
	assert_refused(&f, ENTRY(PTN_DOMAIN, "a.example", "mode", "hold"), "whose is a.example");
	assert_refused(&f, ENTRY(PTN_DOMAIN, "a.example", "customer", "nobody", "mode", "hold"), "there is no customer \"nobody\"");
	assert_refused(&f, ENTRY(PTN_DOMAIN, "example", "customer", "acme", "mode", "hold"), "not a domain name");
	assert_refused(&f, ENTRY(PTN_CUSTOMER, "a/b"), "cannot name a customer");
	assert_refused(&f, ENTRY(PTN_CUSTOMER, "a", "postmaster", "x"), "postmaster: \"x\" is not a mail address");
	fixture_close(&f);
}

static void
test_forwards(void)
{
	Fixture f;

	fixture_open(&f);
	assert_added(&f, ENTRY(PTN_DOMAIN, "boxes.example", "customer", "acme", "mode", "hosted"));
	assert_added(&f, ENTRY(PTN_DOMAIN, "a.example", "customer", "acme", "mode", "forward",
		"forward-to", "it@elsewhere.example"));
	assert_added(&f, ENTRY(PTN_DOMAIN, "b.example", "customer", "acme", "mode", "forward-mailbox",
		"forward-to", "it@boxes.example"));
	assert_refused(&f, ENTRY(PTN_DOMAIN, "c.example", "customer", "acme", "mode", "forward"), "needs forward-to");
	assert_refused(&f, ENTRY(PTN_DOMAIN, "c.example", "customer", "acme", "mode", "forward",
		"forward-to", "it"), "not a mail address");
	assert_refused(&f, ENTRY(PTN_DOMAIN, "c.example", "customer", "acme", "mode", "forward",
		"forward-to", "it@C.example"), "forwarded to itself");
	assert_refused(&f, ENTRY(PTN_DOMAIN, "c.example", "customer", "acme", "mode", "forward-mailbox",
		"forward-to", "it@example.net"), "no hosted domain");
	assert_refused(&f, ENTRY(PTN_DOMAIN, "c.example", "customer", "acme", "mode", "forward-mailbox",
		"forward-to", "it@other.example"), "not a domain of customer acme");
	assert_refused(&f, ENTRY(PTN_DOMAIN, "c.example", "customer", "acme", "mode", "hold", "on-missing-host", "drop"), "on-missing-host");
	fixture_close(&f);
}

static void
test_recipients(void)
{
	g_autoptr(DirectoryEntry) entry = NULL;
	g_autoptr(GPtrArray) removed = g_ptr_array_new_with_free_func(g_free);
	Fixture f;

	fixture_open(&f);
	assert_added(&f, ENTRY(PTN_RECIPIENT, "Jane@Example.NET"));
	CU_ASSERT_EQUAL(directory_find(f.directory, PTN_RECIPIENT, "jane@example.net", CLOCK_NEVER, &entry), PTN_OK);
	ASSERT_TEXT(directory_entry_get(entry, "customer"), "acme");
	assert_refused(&f, ENTRY(PTN_RECIPIENT, "jane@nowhere.example"), "there is no domain");
	assert_refused(&f, ENTRY(PTN_RECIPIENT, "@example.net"), "not a mail address");
	CU_ASSERT_TRUE(directory_remove_checked(f.directory, PTN_DOMAIN, "example.net", NULL, removed, NULL));
	CU_ASSERT_TRUE(g_ptr_array_find_with_equal_func(removed, "recipient jane@example.net", g_str_equal, NULL));
	fixture_close(&f);
}

/* What all nodes share is made once. */
static void
test_secret(void)
{
	g_autofree char *one = NULL, *same = NULL, *other = NULL, *elsewhere = NULL, *kept = NULL;
	Directory *second;
	Fixture f;

	fixture_open(&f);
	second = directory_new(f.store);
	one = directory_secret(f.directory, "a");
	same = directory_secret(f.directory, "a");
	elsewhere = directory_secret(second, "a");
	other = directory_secret(f.directory, "b");
	CU_ASSERT(one != NULL && strlen(one) >= 40);
	ASSERT_TEXT(same, one);
	ASSERT_TEXT(elsewhere, one);
	CU_ASSERT(g_strcmp0(other, one) != 0);
	CU_ASSERT_TRUE(directory_remember(f.directory, "tag", "Joe@example.org", CLOCK_SECOND));
	CU_ASSERT_EQUAL(directory_recall(second, "TAG", &kept), PTN_OK);
	ASSERT_TEXT(kept, "Joe@example.org");
	f.clock.now_us += 2 * CLOCK_SECOND;
	CU_ASSERT_EQUAL(directory_recall(second, "tag", &kept), PTN_NONE);
	directory_free(second);
	fixture_close(&f);
}

static void
test_removal(void)
{
	g_autoptr(GPtrArray) removed = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GError) error = NULL;
	Fixture f;

	fixture_open(&f);
	for (int i = 0; i < 250; i++) {
		g_autofree char *login = g_strdup_printf("user%d@example.net", i);

		assert_added(&f, ENTRY(PTN_ACCOUNT, login));
	}
	assert_added(&f, ENTRY(PTN_ACCOUNT, "user@other.example"));
	CU_ASSERT_FALSE(directory_remove_checked(f.directory, PTN_CUSTOMER, "acme", NULL, removed, &error));
	CU_ASSERT_PTR_NOT_NULL_FATAL(error);
	ASSERT_TEXT(error->message, "customer acme has domains (example.net); remove them first");
	CU_ASSERT_EQUAL(removed->len, 0);
	CU_ASSERT_TRUE(directory_remove_checked(f.directory, PTN_DOMAIN, "Example.net", NULL, removed, NULL));
	CU_ASSERT_EQUAL(removed->len, 251);
	ASSERT_TEXT(g_ptr_array_index(removed, 0), "account user0@example.net");
	CU_ASSERT_TRUE(directory_remove_checked(f.directory, PTN_CUSTOMER, "acme", NULL, removed, NULL));
	CU_ASSERT_FALSE(directory_remove_checked(f.directory, PTN_CUSTOMER, "acme", NULL, removed, NULL));
	directory_entry_free(find(&f, PTN_ACCOUNT, "user@other.example"));
	fixture_close(&f);
}

/* In letters or in A-labels, it is the same domain, and none of its accounts stays. */
static void
test_removal_in_letters(void)
{
	g_autoptr(GPtrArray) removed = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(DirectoryEntry) left = NULL;
	Fixture f;

	fixture_open(&f);
	assert_added(&f, ENTRY(PTN_DOMAIN, "b\303\274cher.example", "customer", "acme", "mode", "hosted"));
	assert_added(&f, ENTRY(PTN_ACCOUNT, "user@xn--bcher-kva.example"));
	assert_added(&f, ENTRY(PTN_RECIPIENT, "jane@xn--bcher-kva.example"));
	CU_ASSERT_TRUE(
		directory_remove_checked(f.directory, PTN_DOMAIN, "B\303\234CHER.example", NULL, removed, NULL));
	CU_ASSERT_EQUAL(removed->len, 3);
	CU_ASSERT_EQUAL(
		directory_find(f.directory, PTN_ACCOUNT, "user@xn--bcher-kva.example", CLOCK_NEVER, &left), PTN_NONE);
	fixture_close(&f);
}

static void
test_barred(void)
{
	g_autoptr(DirectoryEntry) account = directory_entry_new(PTN_ACCOUNT, "user@example.net");
	g_autoptr(DirectoryEntry) customer = directory_entry_new(PTN_CUSTOMER, "acme");

	CU_ASSERT_PTR_NULL(directory_account_barred(account, NULL));
	CU_ASSERT_PTR_NULL(directory_account_barred(account, customer));
	directory_entry_set(customer, "reason", "listed on XBL");
	CU_ASSERT_PTR_NULL(directory_account_barred(account, customer));
	directory_entry_set(customer, "outbound", "no");
	ASSERT_TEXT(directory_account_barred(account, customer), "listed on XBL");
	directory_entry_set(customer, "reason", NULL);
	ASSERT_TEXT(directory_account_barred(account, customer), "disabled");
	directory_entry_set(customer, "outbound", "yes");
	directory_entry_set(customer, "enabled", "no");
	ASSERT_TEXT(directory_account_barred(account, customer), "disabled");
	directory_entry_set(account, "enabled", "no");
	directory_entry_set(account, "reason", "stolen password");
	ASSERT_TEXT(directory_account_barred(account, customer), "stolen password");
	ASSERT_TEXT(directory_account_barred(account, NULL), "stolen password");
}

static void
test_records(void)
{
	static const char odd[] = "a=b\\c\\nd\\n = e\xc3\xa4";
	g_autoptr(DirectoryEntry) entry = NULL;
	Fixture f;

	fixture_open(&f);
	assert_added(&f, ENTRY(PTN_ACCOUNT, "user@example.net", "bcc-mirror.bcc", "a@x.example, b@x.example", "note", odd, "empty", ""));
	entry = find(&f, PTN_ACCOUNT, "user@example.net");
	ASSERT_TEXT(directory_entry_get(entry, "note"), odd);
	ASSERT_TEXT(directory_entry_get(entry, "empty"), "");
	CU_ASSERT_PTR_NULL(directory_entry_get(entry, "other"));
	ASSERT_TEXT(directory_entry_get_list(entry, "bcc-mirror.bcc")[1], "b@x.example");
	CU_ASSERT_PTR_NULL(directory_entry_get_list(entry, "other")[0]);
	ASSERT_TEXT(directory_entry_names(entry)[0], "bcc-mirror.bcc");
	directory_entry_set(entry, "bcc-mirror.bcc", NULL);
	CU_ASSERT_PTR_NULL(directory_entry_get_list(entry, "bcc-mirror.bcc")[0]);
	ASSERT_TEXT(directory_entry_names(entry)[0], "customer");
	fixture_close(&f);
}

static void
test_versions(void)
{
	g_autoptr(DirectoryEntry) a = NULL;
	g_autoptr(DirectoryEntry) b = NULL;
	uint64_t before, after, accounts;
	Fixture f;

	fixture_open(&f);
	CU_ASSERT_EQUAL(directory_changes(f.directory, PTN_ACCOUNT, CLOCK_NEVER, &accounts), PTN_OK);
	CU_ASSERT_EQUAL(directory_changes(f.directory, PTN_CUSTOMER, CLOCK_NEVER, &before), PTN_OK);
	a = find(&f, PTN_CUSTOMER, "acme");
	b = find(&f, PTN_CUSTOMER, "acme");
	directory_entry_set(a, "level", "personal");
	CU_ASSERT_EQUAL(directory_save(f.directory, a, NULL, CLOCK_NEVER), PTN_OK);
	CU_ASSERT_EQUAL(directory_save(f.directory, b, NULL, CLOCK_NEVER), PTN_TAKEN);
	CU_ASSERT_TRUE(directory_entry_version(a) > directory_entry_version(b));
	CU_ASSERT_EQUAL(directory_save(f.directory, a, NULL, CLOCK_NEVER), PTN_OK);
	CU_ASSERT_EQUAL(directory_changes(f.directory, PTN_CUSTOMER, CLOCK_NEVER, &after), PTN_OK);
	CU_ASSERT_TRUE(after > before);
	CU_ASSERT_EQUAL(directory_changes(f.directory, PTN_ACCOUNT, CLOCK_NEVER, &after), PTN_OK);
	CU_ASSERT_EQUAL(after, accounts);
	fixture_close(&f);
}

static void
test_lists(void)
{
	g_autoptr(GPtrArray) page = NULL;
	g_autoptr(GPtrArray) rest = NULL;
	g_autoptr(GPtrArray) with = NULL;
	Fixture f;

	fixture_open(&f);
	for (int i = 0; i < 450; i++) {
		g_autofree char *login = g_strdup_printf("u%03d@example.net", i);

		assert_added(&f, i == 440 ? ENTRY(PTN_ACCOUNT, login, "iphelper.host", "x") : ENTRY(PTN_ACCOUNT, login));
	}
	CU_ASSERT_EQUAL(directory_list(f.directory, PTN_ACCOUNT, NULL, NULL, 430, CLOCK_NEVER, &page), PTN_OK);
	CU_ASSERT_EQUAL(page->len, 430);
	CU_ASSERT_EQUAL(directory_list(f.directory, PTN_ACCOUNT, NULL, "U429@example.net", 430, CLOCK_NEVER, &rest), PTN_OK);
	CU_ASSERT_EQUAL_FATAL(rest->len, 20);
	ASSERT_TEXT(directory_entry_name(g_ptr_array_index(rest, 0)), "u430@example.net");
	CU_ASSERT_EQUAL(directory_list(f.directory, PTN_ACCOUNT, "iphelper.host", NULL, 10, CLOCK_NEVER, &with), PTN_OK);
	CU_ASSERT_EQUAL_FATAL(with->len, 1);
	ASSERT_TEXT(directory_entry_name(g_ptr_array_index(with, 0)), "u440@example.net");
	fixture_close(&f);
}

static void
test_odd_names(void)
{
	g_autofree char *endless = g_strnfill(5000, 'x');
	DirectoryEntry *entry = NULL;
	Fixture f;

	fixture_open(&f);
	CU_ASSERT_EQUAL(directory_find(f.directory, PTN_ACCOUNT, endless, CLOCK_NEVER, &entry), PTN_NONE);
	CU_ASSERT_EQUAL(directory_find(f.directory, PTN_ACCOUNT, "", CLOCK_NEVER, &entry), PTN_NONE);
	CU_ASSERT_EQUAL(directory_find(f.directory, PTN_ACCOUNT, "a\nb", CLOCK_NEVER, &entry), PTN_NONE);
	CU_ASSERT_EQUAL(store_set(f.store, "directory/account/bad", "no record", 0, CLOCK_NEVER), PTN_OK);
	CU_ASSERT_EQUAL(directory_find(f.directory, PTN_ACCOUNT, "bad", CLOCK_NEVER, &entry), PTN_UNSURE);
	fixture_close(&f);
}

static const UnitTest directory_tests[] = {
	{ "P-01 P-02 three types of accounts, by the form of the login", test_types },
	{ "P-01 a login whose form does not fit its type is refused, a forgotten @ noticed", test_forms },
	{ "P-03 the domain must be one of the customer's", test_own_domains },
	{ "P-12 a duplicate account is refused", test_duplicates },
	{ "A-12 S-18 names compare without case", test_case },
	{ "M-01 M-02 domains: modes, destinations, customers", test_domains },
	{ "M-01 domains that forward, and into which mailboxes", test_forwards },
	{ "recipients of a domain are entries, and go with it", test_recipients },
	{ "secrets and kept values are the same for all nodes", test_secret },
	{ "P-10 a domain takes its accounts with it, a customer in use stays", test_removal },
	{ "P-19 a domain in letters is removed with its accounts", test_removal_in_letters },
	{ "P-11 A-09 who is barred, and why", test_barred },
	{ "values of any text come back", test_records },
	{ "saving compares versions; changes are seen", test_versions },
	{ "lists in pages, by option", test_lists },
	{ "impossible names are not there, damaged records unsure", test_odd_names },
	{ NULL, NULL },
};
const UnitSuite suite_directory = { "directory", directory_tests };
