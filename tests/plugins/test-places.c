/* test-places.c - options of plugins: where they may be set, which place wins, and what the configuration may say. */
#include "plugin-test.h"

#include <stdio.h>
#include <string.h>

#include "host/test-host.h"
#include "unit/unit.h"

#define EVERYWHERE (PTN_IN_SERVER | PTN_IN_LEVEL | PTN_IN_CUSTOMER | PTN_IN_DOMAIN | PTN_IN_ACCOUNT)

static const char *const colours[] = { "red", "green", "blue", NULL };

static PtnVerdict
identify(PtnHook *h)
{
	return ptn_identify(h, ptn_login(h));
}

/* Tells the value in a refusal where a recipient says so, else at MAIL. */
static PtnVerdict
tell(PtnHook *h)
{
	const char *recipient = ptn_recipient(h, PTN_THIS);

	ptn_permit(h);
	if (recipient != NULL && strncmp(recipient, "tell@", 5) != 0)
		return PTN_NEXT;
	return ptn_refuse(h, PTN_POLICY, 550, "5.7.1", "%s %s", ptn_option(h, "word"), ptn_option(h, "on-error"));
}

static const char *
check(PtnHook *h, const char *option, const char *value)
{
	PtnEntry *customer = ptn_customer(h);
	const char *level = customer != NULL ? ptn_get(customer, "level") : NULL;

	if (strcmp(option, "word") == 0 && strcmp(value, "bad") == 0)
		return "that is a bad word";
	if (level != NULL && strcmp(level, "low") == 0 && ptn_option_number(h, "colour") == 2)
		return ptn_format(h, "not at level %s", level);
	return NULL;
}

static const PtnOption options[] = {
	{ "word", PTN_TEXT, EVERYWHERE | PTN_IN_ITEM, "preset", "a word", 0, 0, NULL },
	{ "colour", PTN_CHOICE, PTN_IN_LEVEL | PTN_IN_ACCOUNT, "red", "a colour", 0, 0, colours },
	{ "only-here", PTN_BOOL, PTN_IN_SERVER, "no", "not elsewhere", 0, 0, NULL },
	{ 0 },
};
/* posternctl teller word ACCOUNT, or of nobody; "DOMAIN" tells of a domain. */
static PtnVerdict
show_word(PtnHook *h)
{
	const char *name = ptn_arguments(h)[0];
	PtnEntry *entry;

	if (name != NULL) {
		if (ptn_find(h, strchr(name, '@') != NULL ? PTN_ACCOUNT : PTN_DOMAIN, name, &entry) != PTN_OK)
			return ptn_fail(h, "there is no %s", name);
		ptn_options_of(h, entry);
	}
	ptn_row(h, "word", ptn_option(h, "word"), NULL);
	return PTN_NEXT;
}

static const PtnCommand commands[] = { { "word", "[NAME]", "the word", show_word, .reads_only = true }, { 0 } };
static const PtnHookRow at_rcpt[] = { { PTN_AUTH, identify, PTN_INLINE }, { PTN_RCPT, tell, PTN_INLINE }, { 0 } };
static const PtnHookRow at_mail[] = { { PTN_AUTH, identify, PTN_INLINE }, { PTN_MAIL, tell, PTN_INLINE }, { 0 } };
static const PtnPlugin teller = { PTN_HEAD("teller"), .version = "1", .summary = "tells", .options = options,
	.hooks = at_rcpt, .commands = commands, .check = check };
static const PtnPlugin early = { PTN_HEAD("early"), .version = "1", .summary = "tells", .options = options, .hooks = at_mail };

static PtnTest *
new_test(const char *config)
{
	PtnTest *test = ptn_test_new(&teller, config);

	ptn_test_entry(test, PTN_ACCOUNT, "user@example.net", "password", "unused", NULL);
	return test;
}

/* What holds for the account, told at RCPT. */
static void
check_word(PtnTest *test, const char *word)
{
	char expected[100];

	(void)snprintf(expected, sizeof expected, "550 5.7.1 %s defer\n", word);
	ptn_test_connect(test, "192.0.2.1");
	CU_ASSERT_EQUAL(strncmp(ptn_test_login(test, "user@example.net", "x"), "235", 3), 0);
	(void)ptn_test_say(test, "MAIL FROM:<user@example.net>");
	ASSERT_TEXT(ptn_test_say(test, "RCPT TO:<tell@elsewhere.example>"), expected);
}

static void
test_nearest_wins(void)
{
	PtnTest *test = new_test("[level low]\nteller.word = of-level\n[plugin teller]\nword = of-server\n");

	check_word(test, "of-server");
	ptn_test_entry(test, PTN_CUSTOMER, "acme", "level", "low", NULL);
	check_word(test, "of-level");
	ptn_test_entry(test, PTN_CUSTOMER, "acme", "teller.word", "of-customer", NULL);
	check_word(test, "of-customer");
	ptn_test_entry(test, PTN_DOMAIN, "example.net", "teller.word", "of-domain", NULL);
	check_word(test, "of-domain");
	ptn_test_entry(test, PTN_ACCOUNT, "user@example.net", "teller.word", "of-account", NULL);
	check_word(test, "of-account");
	ptn_test_free(test);
}

static void
test_command(void)
{
	PtnTest *test = new_test("[level low]\nteller.word = of-level\n[plugin teller]\nword = of-server\n");

	ASSERT_TEXT(ptn_test_command(test, "teller", "word", "user@example.net", NULL), "word=of-server\n");
	ptn_test_entry(test, PTN_CUSTOMER, "acme", "level", "low", NULL);
	ASSERT_TEXT(ptn_test_command(test, "teller", "word", NULL), "word=of-server\n");
	ASSERT_TEXT(ptn_test_command(test, "teller", "word", "user@example.net", NULL), "word=of-level\n");
	ASSERT_TEXT(ptn_test_command(test, "teller", "word", "example.net", NULL), "word=of-level\n");
	ptn_test_entry(test, PTN_DOMAIN, "example.net", "teller.word", "of-domain", NULL);
	ASSERT_TEXT(ptn_test_command(test, "teller", "word", "user@example.net", NULL), "word=of-domain\n");
	ptn_test_entry(test, PTN_ACCOUNT, "user@example.net", "teller.word", "of-account", NULL);
	ASSERT_TEXT(ptn_test_command(test, "teller", "word", "example.net", NULL), "word=of-domain\n");
	ASSERT_TEXT(ptn_test_command(test, "teller", "word", "user@example.net", NULL), "word=of-account\n");
	ptn_test_free(test);
}

static void
test_domain_at_mail(void)
{
	PtnTest *test = ptn_test_new(&early, NULL);

	ptn_test_entry(test, PTN_ACCOUNT, "user@example.net", "password", "unused", NULL);
	ptn_test_entry(test, PTN_DOMAIN, "example.net", "early.word", "of-domain", NULL);
	(void)ptn_test_login(test, "user@example.net", "x");
	ASSERT_TEXT(ptn_test_say(test, "MAIL FROM:<user@example.net>"), "550 5.7.1 of-domain defer\n");
	ptn_test_free(test);
}

static void
test_login_without_account(void)
{
	PtnTest *test = ptn_test_new(&teller, NULL);

	ptn_test_entry(test, PTN_DOMAIN, "example.net", "teller.word", "of-domain", NULL);
	check_word(test, "of-domain");
	ptn_test_entry(test, PTN_DOMAIN, "example.net", "teller.word", NULL, NULL);
	ptn_test_entry(test, PTN_CUSTOMER, "acme", "teller.word", "of-customer", NULL);
	check_word(test, "of-customer");
	ptn_test_free(test);
}

static void
test_another_domain(void)
{
	PtnTest *test = new_test(NULL);

	ptn_test_entry(test, PTN_DOMAIN, "other.example", "customer", "acme", "mode", "hold", "teller.word", "of-other", NULL);
	ptn_test_connect(test, "192.0.2.1");
	(void)ptn_test_login(test, "user@example.net", "x");
	(void)ptn_test_say(test, "MAIL FROM:<user@example.net>");
	ASSERT_TEXT(ptn_test_say(test, "RCPT TO:<tell@other.example>"), "550 5.7.1 preset defer\n");
	ptn_test_free(test);
}

static void
test_recipient_of_mail_from_outside(void)
{
	PtnTest *test = new_test("[level low]\nteller.word = of-level\n");

	test_host_listener(test)->takes_auth = false;
	ptn_test_entry(test, PTN_CUSTOMER, "acme", "level", "low", NULL);
	ptn_test_entry(test, PTN_DOMAIN, "other.example", "customer", "acme", "mode", "hold", "teller.word", "of-other", NULL);
	ptn_test_connect(test, "192.0.2.1");
	(void)ptn_test_say(test, "EHLO client.example.net");
	(void)ptn_test_say(test, "MAIL FROM:<x@elsewhere.example>");
	ASSERT_TEXT(ptn_test_say(test, "RCPT TO:<tell@other.example>"), "550 5.7.1 of-other defer\n");
	ASSERT_TEXT(ptn_test_say(test, "RCPT TO:<tell@example.net>"), "550 5.7.1 of-level defer\n");
	ASSERT_TEXT(ptn_test_say(test, "RCPT TO:<tell@elsewhere.example>"), "550 5.7.1 preset defer\n");
	ptn_test_free(test);
}

static void
test_values_of_levels(void)
{
	static const struct {
		const char *config, *mistake;
	} cases[] = {
		{ "[level x]\nteller.colour = green\n", NULL },
		{ "[level x]\n\nteller.colour = gren\n",
			"test.conf:3: [level x] teller.colour: \"gren\" is not known (did you mean \"green\"?)" },
		{ "[level x]\nteller.word = bad\n", "test.conf:2: [level x] teller.word: that is a bad word" },
		{ "[level x]\nteller.wrd = a\n", "test.conf:2: [level x] teller.wrd: no such option (did you mean \"teller.word\"?)" },
		{ "[level x]\nteller.only-here = yes\n", "test.conf:2: [level x] teller.only-here: cannot be set in a level" },
		{ "[level x]\nabsent.thing = yes\n",
			"test.conf:2: [level x] absent.thing: plugin absent is not loaded ([server] plugins)" },
		{ "[level x]\nlike = y\n", "test.conf:2: [level x] like: there is no [level y]" },
		{ "[level y]\n[level x]\nlike = y\n", NULL },
		{ "[plugin teller]\nword = bad\n", "test.conf:2: [plugin teller] word: that is a bad word" },
		{ "[plugin teller/a]\nword = good\n[plugin teller/b]\nword = bad\n",
			"test.conf:4: [plugin teller/b] word: that is a bad word" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		ASSERT_TEXT(ptn_test_mistake(&teller, cases[i].config), cases[i].mistake);
}

static void
test_check_knows_the_entry(void)
{
	PtnTest *test = new_test("[level low]\n");

	ASSERT_TEXT(ptn_test_set(test, PTN_ACCOUNT, "user@example.net", "teller.word", "bad"), "teller.word: that is a bad word");
	ASSERT_TEXT(ptn_test_set(test, PTN_ACCOUNT, "user@example.net", "teller.colour", "blue"), NULL);
	ptn_test_entry(test, PTN_CUSTOMER, "acme", "level", "low", NULL);
	ASSERT_TEXT(
		ptn_test_set(test, PTN_ACCOUNT, "user@example.net", "teller.colour", "blue"), "teller.colour: not at level low");
	ASSERT_TEXT(ptn_test_set(test, PTN_ACCOUNT, "user@example.net", "teller.colour", "green"), NULL);
	ptn_test_free(test);
}

static const UnitTest tests[] = {
	{ "P-09 the nearest place wins: account, domain, customer, level, server", test_nearest_wins },
	{ "a command reads them as they hold for an entry", test_command },
	{ "options of the account's domain hold at MAIL", test_domain_at_mail },
	{ "options of the domain hold for a login that has no account", test_login_without_account },
	{ "of two domains that of the account counts, not that of the recipient", test_another_domain },
	{ "without an account: those of the domain of the recipient at hand, and of its customer", test_recipient_of_mail_from_outside },
	{ "values of levels and what plugins say of values are checked, with their lines", test_values_of_levels },
	{ "check() sees the entry as it would be", test_check_knows_the_entry },
	{ NULL, NULL },
};

int
main(int argc, char **argv)
{
	static const UnitSuite suite = { "places", tests };
	static const UnitSuite *const suites[] = { &suite, NULL };

	return unit_main(argc, argv, suites);
}
