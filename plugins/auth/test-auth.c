/* test-auth.c - the plugin auth in the test host: who gets in, who does not, and what it costs. */
#include "plugin-test.h"

#include <crypt.h>
#include <stdio.h>
#include <string.h>

#include "unit/unit.h"

extern const PtnPlugin ptn_plugin_auth;

#define LOGIN "user@example.net"
#define PASSWORD "mypassword"
#define PLAIN_OK "AUTH PLAIN AHVzZXJAZXhhbXBsZS5uZXQAbXlwYXNzd29yZA=="

/* ---- what the linker puts between: hashes are counted, and the directory may be away ---- */

static unsigned hashes;
static char last_method[4]; /* "$y$", "$6$" */
static void (*after_find)(PtnTest *test); /* once, behind the next find of an account; NULL: nothing */
static bool is_directory_away;
static bool is_cut_off; /* the directory is elsewhere and away, but what was read of late is remembered */

static void (*while_computing)(PtnTest *test); /* once, while a hash is computed; NULL: nothing */
static PtnTest *computing;

char *__real_crypt_r(const char *password, const char *setting, struct crypt_data *data);
char *__wrap_crypt_r(const char *password, const char *setting, struct crypt_data *data);
PtnStatus __real_directory_find(void *directory, PtnKind kind, const char *name, int64_t deadline_us, void **entry);
PtnStatus __wrap_directory_find(void *directory, PtnKind kind, const char *name, int64_t deadline_us, void **entry);
PtnStatus __real_directory_find_now(void *directory, PtnKind kind, const char *name, int64_t deadline_us, void **entry);
PtnStatus __wrap_directory_find_now(void *directory, PtnKind kind, const char *name, int64_t deadline_us, void **entry);

char *
__wrap_crypt_r(const char *password, const char *setting, struct crypt_data *data)
{
	void (*then)(PtnTest *test) = while_computing;

	hashes++;
	while_computing = NULL;
	if (then != NULL)
		then(computing);
	(void)snprintf(last_method, sizeof last_method, "%.3s", setting);
	return __real_crypt_r(password, setting, data);
}

PtnStatus
__wrap_directory_find(void *directory, PtnKind kind, const char *name, int64_t deadline_us, void **entry)
{
	const PtnStatus status =
		is_directory_away ? PTN_UNSURE : __real_directory_find(directory, kind, name, deadline_us, entry);
	void (*then)(PtnTest *test) = kind == PTN_ACCOUNT ? after_find : NULL;

	if (then != NULL) {
		after_find = NULL;
		then(computing);
	}
	return status;
}

/* What it remembers of entries is there all the same: see is_cut_off. */
PtnStatus
__wrap_directory_find_now(void *directory, PtnKind kind, const char *name, int64_t deadline_us, void **entry)
{
	return is_directory_away || is_cut_off ? PTN_UNSURE
										   : __real_directory_find_now(directory, kind, name, deadline_us, entry);
}

/* ---- fixture ---- */

static PtnTest *
new_test(const char *config)
{
	PtnTest *test = ptn_test_new(&ptn_plugin_auth, config);

	ptn_test_entry(test, PTN_ACCOUNT, LOGIN, "password", PASSWORD, NULL);
	return test;
}

static bool
begins(const char *text, const char *start)
{
	if (strncmp(text, start, strlen(start)) == 0)
		return true;
	fprintf(stderr, "\n\"%s\" does not begin with \"%s\"\n", text, start);
	return false;
}

/* A fresh session each: failures add up in one. */
static bool
login_says(PtnTest *test, const char *login, const char *password, const char *start)
{
	ptn_test_connect(test, "192.0.2.1");
	return begins(ptn_test_login(test, login, password), start);
}

static void
hello(PtnTest *test)
{
	ptn_test_connect(test, "192.0.2.1");
	CU_ASSERT_TRUE(begins(ptn_test_say(test, "EHLO client.example.net"), "250-"));
}

/* ---- mechanisms ---- */

static void
test_plain(void)
{
	PtnTest *test = new_test(NULL);

	hello(test);
	ASSERT_TEXT(ptn_test_say(test, PLAIN_OK), "235 2.7.0 Authentication successful\n");
	ptn_test_free(test);
}

static void
test_plain_without_initial(void)
{
	PtnTest *test = new_test(NULL);

	hello(test);
	ASSERT_TEXT(ptn_test_say(test, "AUTH PLAIN"), "334 \n");
	CU_ASSERT_TRUE(begins(ptn_test_say(test, PLAIN_OK + strlen("AUTH PLAIN ")), "235 2.7.0"));
	ptn_test_free(test);
}

static void
test_login(void)
{
	PtnTest *test = new_test(NULL);

	hello(test);
	ASSERT_TEXT(ptn_test_say(test, "AUTH LOGIN"), "334 VXNlcm5hbWU6\n");
	ASSERT_TEXT(ptn_test_say(test, "dXNlckBleGFtcGxlLm5ldA=="), "334 UGFzc3dvcmQ6\n");
	CU_ASSERT_TRUE(begins(ptn_test_say(test, "bXlwYXNzd29yZA=="), "235 2.7.0"));
	ptn_test_free(test);
}

static void
test_login_with_initial(void)
{
	PtnTest *test = new_test(NULL);

	hello(test);
	ASSERT_TEXT(ptn_test_say(test, "AUTH LOGIN dXNlckBleGFtcGxlLm5ldA=="), "334 UGFzc3dvcmQ6\n");
	CU_ASSERT_TRUE(begins(ptn_test_say(test, "bXlwYXNzd29yZA=="), "235 2.7.0"));
	ptn_test_free(test);
}

static void
test_bad_responses(void)
{
	PtnTest *test = new_test(NULL);

	hello(test);
	(void)ptn_test_say(test, "AUTH PLAIN");
	CU_ASSERT_TRUE(begins(ptn_test_say(test, "*"), "501 5.7.0"));
	CU_ASSERT_TRUE(begins(ptn_test_say(test, "AUTH PLAIN !!!!"), "535 5.7.8"));
	CU_ASSERT_TRUE(begins(ptn_test_say(test, "AUTH CRAM-MD5"), "504 5.5.4"));
	CU_ASSERT_TRUE(begins(ptn_test_say(test, PLAIN_OK), "235"));
	ptn_test_free(test);
}

static void
test_order(void)
{
	PtnTest *test = new_test(NULL);

	ptn_test_connect(test, "192.0.2.1");
	CU_ASSERT_TRUE(begins(ptn_test_say(test, PLAIN_OK), "503 5.5.1"));
	hello(test);
	CU_ASSERT_TRUE(begins(ptn_test_say(test, PLAIN_OK), "235"));
	CU_ASSERT_TRUE(begins(ptn_test_say(test, PLAIN_OK), "503 5.5.1"));
	CU_ASSERT_TRUE(begins(ptn_test_say(test, "MAIL FROM:<user@example.net>"), "250"));
	CU_ASSERT_TRUE(begins(ptn_test_say(test, PLAIN_OK), "503 5.5.1"));
	ptn_test_free(test);
}

static void
test_authzid(void)
{
	PtnTest *test = new_test(NULL);

	hello(test); /* user@example.net NUL user@example.net NUL mypassword */
	CU_ASSERT_TRUE(begins(ptn_test_say(test, "AUTH PLAIN dXNlckBleGFtcGxlLm5ldAB1c2VyQGV4YW1wbGUubmV0AG15cGFzc3dvcmQ="),
		"235 2.7.0"));
	hello(test); /* boss@example.net NUL user@example.net NUL mypassword */
	CU_ASSERT_TRUE(begins(ptn_test_say(test, "AUTH PLAIN Ym9zc0BleGFtcGxlLm5ldAB1c2VyQGV4YW1wbGUubmV0AG15cGFzc3dvcmQ="),
		"535 5.7.8"));
	ptn_test_free(test);
}

/* ---- who does not get in ---- */

static void
test_wrong_password(void)
{
	PtnTest *test = new_test(NULL);

	CU_ASSERT_TRUE(login_says(test, LOGIN, "wrong", "535 5.7.8"));
	CU_ASSERT_EQUAL(ptn_test_count(test, "event.auth-failure"), 1);
	CU_ASSERT_TRUE(login_says(test, LOGIN, "", "535 5.7.8"));
	CU_ASSERT_EQUAL(ptn_test_count(test, "event.auth-failure"), 2);
	CU_ASSERT_TRUE(begins(ptn_test_say(test, "MAIL FROM:<user@example.net>"), "530 5.7.0"));
	ptn_test_free(test);
}

static void
test_guessing_ends(void)
{
	PtnTest *test = new_test(NULL);

	ptn_test_connect(test, "192.0.2.1");
	for (int i = 0; i < 4; i++)
		CU_ASSERT_TRUE(begins(ptn_test_login(test, LOGIN, "wrong"), "535 5.7.8"));
	CU_ASSERT_FALSE(ptn_test_is_closed(test));
	(void)ptn_test_login(test, LOGIN, "wrong");
	CU_ASSERT_TRUE(ptn_test_is_closed(test));
	CU_ASSERT_PTR_NOT_NULL(strstr(ptn_test_reply(test), "421 4.7.0"));
	ptn_test_free(test);
}

static void
test_unknown_login(void)
{
	PtnTest *test = new_test(NULL);
	char wrong[500];
	unsigned before;

	ptn_test_connect(test, "192.0.2.1");
	before = hashes;
	(void)snprintf(wrong, sizeof wrong, "%s", ptn_test_login(test, LOGIN, "wrong"));
	CU_ASSERT_EQUAL(hashes - before, 1);
	ptn_test_connect(test, "192.0.2.1");
	before = hashes;
	ASSERT_TEXT(ptn_test_login(test, "nobody@example.net", "wrong"), wrong);
	CU_ASSERT_EQUAL(hashes - before, 1);
	ptn_test_connect(test, "192.0.2.1");
	before = hashes;
	ASSERT_TEXT(ptn_test_login(test, "nobody@elsewhere.example", PASSWORD), wrong);
	CU_ASSERT_EQUAL(hashes - before, 1);
	ptn_test_free(test);
}

static void
test_account_forms(void)
{
	PtnTest *test = new_test(NULL);

	ptn_test_entry(test, PTN_ACCOUNT, "@example.net", "password", "anybody", NULL);
	CU_ASSERT_TRUE(login_says(test, "@example.net", "anybody", "235 2.7.0"));
	CU_ASSERT_TRUE(login_says(test, "example.net", "anybody", "535 5.7.8"));
	CU_ASSERT_TRUE(login_says(test, "user", PASSWORD, "535 5.7.8"));
	ptn_test_free(test);
}

/* Logins that do not exist are computed by the methods of those that do, each always by the same. */
static void
test_imported_methods(void)
{
	PtnTest *test = new_test(NULL);
	struct crypt_data work = { 0 };
	unsigned by_old = 0;

	for (int i = 0; i < 3; i++)
		CU_ASSERT_TRUE(login_says(test, "nobody@example.net", "x", "535 5.7.8") && strcmp(last_method, "$y$") == 0);
	ptn_test_entry(test, PTN_ACCOUNT, "old@example.net", "password", __real_crypt_r(PASSWORD, "$6$saltsalt", &work), NULL);
	CU_ASSERT_TRUE(login_says(test, "old@example.net", "wrong", "535 5.7.8"));
	for (int i = 0; i < 32; i++) {
		char login[40], first[4];

		(void)snprintf(login, sizeof login, "nobody%d@example.net", i);
		CU_ASSERT_TRUE(login_says(test, login, "x", "535 5.7.8"));
		memcpy(first, last_method, sizeof first);
		by_old += strcmp(first, "$6$") == 0;
		CU_ASSERT_TRUE(login_says(test, login, "y", "535 5.7.8"));
		CU_ASSERT_STRING_EQUAL(last_method, first);
	}
	CU_ASSERT_TRUE(by_old > 0 && by_old < 32);
	ptn_test_free(test);
}

static void
test_letter_case(void)
{
	PtnTest *test = new_test(NULL);

	CU_ASSERT_TRUE(login_says(test, "user@EXAMPLE.net", PASSWORD, "235 2.7.0"));
	CU_ASSERT_TRUE(login_says(test, "USER@example.net", PASSWORD, "235 2.7.0"));
	CU_ASSERT_TRUE(login_says(test, LOGIN, "MyPassword", "535 5.7.8"));
	ptn_test_free(test);
}

static void
test_deleted(void)
{
	PtnTest *test = new_test(NULL);

	CU_ASSERT_TRUE(login_says(test, LOGIN, PASSWORD, "235 2.7.0"));
	ptn_test_remove(test, PTN_ACCOUNT, LOGIN);
	CU_ASSERT_TRUE(login_says(test, LOGIN, PASSWORD, "535 5.7.8"));
	ptn_test_free(test);
}

static void
test_disabled(void)
{
	PtnTest *test = new_test(NULL);

	ptn_test_entry(test, PTN_ACCOUNT, LOGIN, "enabled", "no", "reason", "ticket 812", NULL);
	CU_ASSERT_TRUE(login_says(test, LOGIN, "wrong", "535 5.7.8"));
	CU_ASSERT_TRUE(login_says(test, LOGIN, PASSWORD, "535 5.7.13"));
	CU_ASSERT_PTR_NOT_NULL(strstr(ptn_test_reply(test), "ticket 812"));
	CU_ASSERT_TRUE(login_says(test, LOGIN, PASSWORD, "535 5.7.13")); /* remembered, and still barred */
	ptn_test_entry(test, PTN_ACCOUNT, LOGIN, "enabled", "yes", NULL);
	CU_ASSERT_TRUE(login_says(test, LOGIN, PASSWORD, "235 2.7.0"));
	ptn_test_free(test);
}

/* A reply is ASCII, whatever language the reason is in. */
static void
test_reason_of_any_language(void)
{
	PtnTest *test = new_test(NULL);

	ptn_test_entry(test, PTN_ACCOUNT, LOGIN, "enabled", "no", "reason", "Konto \xc3\xbc berzogen", NULL);
	CU_ASSERT_TRUE(login_says(test, LOGIN, PASSWORD, "535 5.7.13"));
	CU_ASSERT_PTR_NOT_NULL(strstr(ptn_test_reply(test), "this account may not send: Konto ?? berzogen\n"));
	ptn_test_free(test);
}

static void
test_disabled_hidden(void)
{
	PtnTest *test = new_test("[plugin auth]\nhide-disabled = yes\n");
	char wrong[500];

	ptn_test_entry(test, PTN_ACCOUNT, LOGIN, "enabled", "no", "reason", "ticket 812", NULL);
	ptn_test_connect(test, "192.0.2.1");
	(void)snprintf(wrong, sizeof wrong, "%s", ptn_test_login(test, LOGIN, "wrong"));
	ptn_test_connect(test, "192.0.2.1");
	ASSERT_TEXT(ptn_test_login(test, LOGIN, PASSWORD), wrong);
	ptn_test_free(test);
}

static void
test_customer_barred(void)
{
	PtnTest *test = new_test(NULL);

	ptn_test_entry(test, PTN_CUSTOMER, "acme", "enabled", "no", "reason", "listed on XBL", NULL);
	CU_ASSERT_TRUE(login_says(test, LOGIN, PASSWORD, "535 5.7.13"));
	CU_ASSERT_PTR_NOT_NULL(strstr(ptn_test_reply(test), "listed on XBL"));
	ptn_test_entry(test, PTN_CUSTOMER, "acme", "enabled", "yes", "outbound", "no", NULL);
	CU_ASSERT_TRUE(login_says(test, LOGIN, PASSWORD, "535 5.7.13"));
	ptn_test_entry(test, PTN_CUSTOMER, "acme", "outbound", "yes", NULL);
	CU_ASSERT_TRUE(login_says(test, LOGIN, PASSWORD, "235 2.7.0"));
	ptn_test_free(test);
}

static void
test_customer_barred_meanwhile(void)
{
	PtnTest *test = new_test(NULL);

	CU_ASSERT_TRUE(login_says(test, LOGIN, PASSWORD, "235 2.7.0"));
	CU_ASSERT_TRUE(begins(ptn_test_submit(test, LOGIN, "x@example.org", "Subject: a\r\n\r\nb\r\n"), "250"));
	ptn_test_entry(test, PTN_CUSTOMER, "acme", "outbound", "no", "reason", "listed on XBL", NULL);
	(void)ptn_test_submit(test, LOGIN, "x@example.org", "Subject: a\r\n\r\nb\r\n");
	CU_ASSERT_TRUE(begins(ptn_test_reply(test), "421"));
	CU_ASSERT_TRUE(ptn_test_is_closed(test));
	CU_ASSERT_EQUAL(ptn_test_queued(test), 1);
	ptn_test_free(test);
}

static void
test_directory_away(void)
{
	PtnTest *test = new_test(NULL);

	is_directory_away = true;
	CU_ASSERT_TRUE(login_says(test, LOGIN, PASSWORD, "454 4.7.0"));
	is_directory_away = false;
	CU_ASSERT_TRUE(login_says(test, LOGIN, PASSWORD, "235 2.7.0"));
	ptn_test_free(test);
}

/* DESIGN 6: who was verified of late gets in; no password is judged by what may be old. */
static void
test_cut_off(void)
{
	PtnTest *test = new_test(NULL);

	ptn_test_entry(test, PTN_ACCOUNT, "other@example.net", "password", PASSWORD, NULL);
	CU_ASSERT_TRUE(login_says(test, LOGIN, PASSWORD, "235 2.7.0"));
	is_cut_off = true;
	CU_ASSERT_TRUE(login_says(test, LOGIN, PASSWORD, "235 2.7.0"));
	CU_ASSERT_TRUE(begins(ptn_test_submit(test, LOGIN, "x@example.org", "Subject: a\r\n\r\nb\r\n"), "250 2.0.0"));
	CU_ASSERT_TRUE(login_says(test, LOGIN, "wrong", "454 4.7.0"));
	CU_ASSERT_TRUE(login_says(test, "other@example.net", PASSWORD, "454 4.7.0"));
	CU_ASSERT_TRUE(login_says(test, "nobody@example.net", PASSWORD, "454 4.7.0"));
	ptn_test_advance(test, 11 * 60 * PTN_SECOND);
	CU_ASSERT_TRUE(login_says(test, LOGIN, PASSWORD, "454 4.7.0"));
	is_cut_off = false;
	CU_ASSERT_TRUE(login_says(test, "other@example.net", PASSWORD, "235 2.7.0"));
	ptn_test_free(test);
}

/* ---- what is remembered ---- */

static void
test_remembered(void)
{
	PtnTest *test = new_test(NULL);
	unsigned before;

	CU_ASSERT_TRUE(login_says(test, LOGIN, PASSWORD, "235 2.7.0"));
	before = hashes;
	CU_ASSERT_TRUE(login_says(test, LOGIN, PASSWORD, "235 2.7.0"));
	CU_ASSERT_EQUAL(hashes, before);
	CU_ASSERT_TRUE(login_says(test, LOGIN, "wrong", "535 5.7.8"));
	CU_ASSERT_EQUAL(hashes, before + 1);
	ptn_test_free(test);
}

static void
change_password(PtnTest *test)
{
	ptn_test_entry(test, PTN_ACCOUNT, LOGIN, "password", "another one", NULL);
}

static void
disable_account(PtnTest *test)
{
	ptn_test_entry(test, PTN_ACCOUNT, LOGIN, "enabled", "no", "reason", "ticket 812", NULL);
}

/* A change between the look into the directory and the end of the computing: a session of the old password would go on, since the
 * core reads the account behind it. */
static void
test_changed_while_computing(void)
{
	PtnTest *test = computing = new_test(NULL);

	while_computing = change_password;
	CU_ASSERT_TRUE(login_says(test, LOGIN, PASSWORD, "454 4.7.0"));
	CU_ASSERT_PTR_NULL(while_computing);
	CU_ASSERT_TRUE(login_says(test, LOGIN, PASSWORD, "535 5.7.8"));
	CU_ASSERT_TRUE(login_says(test, LOGIN, "another one", "235 2.7.0"));
	ptn_test_free(test);
	test = computing = new_test(NULL);
	while_computing = disable_account;
	CU_ASSERT_TRUE(login_says(test, LOGIN, PASSWORD, "535 5.7.13"));
	ptn_test_free(test);
}

/* The same between the session's look at the changes and at the entry: the next message sees it. */
static void
test_changed_while_reading(void)
{
	PtnTest *test = computing = new_test(NULL);

	CU_ASSERT_TRUE(login_says(test, LOGIN, PASSWORD, "235 2.7.0"));
	ptn_test_entry(test, PTN_ACCOUNT, LOGIN, "reason", "some change", NULL);
	after_find = disable_account;
	CU_ASSERT_TRUE(begins(ptn_test_say(test, "MAIL FROM:<user@example.net>"), "250"));
	CU_ASSERT_PTR_NULL(after_find);
	(void)ptn_test_say(test, "RSET");
	CU_ASSERT_TRUE(begins(ptn_test_say(test, "MAIL FROM:<user@example.net>"), "421 4.7.0"));
	ptn_test_free(test);
}

/* Two accounts may have the same hash, copied by an import: what was remembered of one says nothing of the other. */
static void
test_remembered_of_one_login(void)
{
	PtnTest *test = new_test(NULL);
	struct crypt_data work = { 0 };
	const char *hash = __real_crypt_r(PASSWORD, "$6$saltsalt", &work);
	unsigned before;

	ptn_test_entry(test, PTN_ACCOUNT, "one@example.net", "password", hash, NULL);
	ptn_test_entry(test, PTN_ACCOUNT, "two@example.net", "password", hash, NULL);
	CU_ASSERT_TRUE(login_says(test, "one@example.net", PASSWORD, "235 2.7.0"));
	before = hashes;
	CU_ASSERT_TRUE(login_says(test, "two@example.net", PASSWORD, "235 2.7.0"));
	CU_ASSERT_EQUAL(hashes, before + 1);
	ptn_test_free(test);
}

static void
test_changed_password(void)
{
	PtnTest *test = new_test(NULL);

	CU_ASSERT_TRUE(login_says(test, LOGIN, PASSWORD, "235 2.7.0"));
	ptn_test_entry(test, PTN_ACCOUNT, LOGIN, "password", "another one", NULL);
	CU_ASSERT_TRUE(login_says(test, LOGIN, PASSWORD, "535 5.7.8"));
	CU_ASSERT_TRUE(login_says(test, LOGIN, "another one", "235 2.7.0"));
	ptn_test_free(test);
}

static void
test_forgotten(void)
{
	PtnTest *test = new_test("[plugin auth]\nremember = 5m\n");
	unsigned before;

	CU_ASSERT_TRUE(login_says(test, LOGIN, PASSWORD, "235 2.7.0"));
	ptn_test_advance(test, 299 * PTN_SECOND);
	before = hashes;
	CU_ASSERT_TRUE(login_says(test, LOGIN, PASSWORD, "235 2.7.0"));
	CU_ASSERT_EQUAL(hashes, before);
	ptn_test_advance(test, 2 * PTN_SECOND);
	CU_ASSERT_TRUE(login_says(test, LOGIN, PASSWORD, "235 2.7.0"));
	CU_ASSERT_EQUAL(hashes, before + 1);
	ptn_test_advance(test, -7200 * PTN_SECOND); /* the clock is set back: not remembered for hours */
	CU_ASSERT_TRUE(login_says(test, LOGIN, PASSWORD, "235 2.7.0"));
	CU_ASSERT_EQUAL(hashes, before + 2);
	ptn_test_free(test);
}

/* ---- relay ---- */

static void
test_relay(void)
{
	PtnTest *test = new_test(NULL);

	CU_ASSERT_TRUE(begins(ptn_test_submit(test, LOGIN, "x@example.org", "Subject: a\r\n\r\nb\r\n"), "5"));
	CU_ASSERT_EQUAL(ptn_test_queued(test), 0);
	CU_ASSERT_TRUE(login_says(test, LOGIN, PASSWORD, "235 2.7.0"));
	CU_ASSERT_TRUE(begins(ptn_test_submit(test, LOGIN, "x@example.org", "Subject: a\r\n\r\nb\r\n"), "250 2.0.0"));
	CU_ASSERT_EQUAL(ptn_test_queued(test), 1);
	ptn_test_free(test);
}

static const UnitTest tests[] = {
	{ "logins that do not exist take as long as those with imported hashes", test_imported_methods },
	{ "A-01 AUTH PLAIN with an initial response", test_plain },
	{ "A-02 AUTH PLAIN without one", test_plain_without_initial },
	{ "A-03 AUTH LOGIN", test_login },
	{ "A-04 AUTH LOGIN with the user name as initial response", test_login_with_initial },
	{ "A-05 a wrong password is refused and counted", test_wrong_password },
	{ "A-05 five failures end the session", test_guessing_ends },
	{ "A-06 an unknown login gets the same words, and a hash is computed, too", test_unknown_login },
	{ "A-07, A-08 a login is the whole name of the account", test_account_forms },
	{ "A-09 a disabled account: 5.7.13 with the reason, once the password was right", test_disabled },
	{ "A-09 the reason is one of ASCII in the reply", test_reason_of_any_language },
	{ "A-09 with hide-disabled it cannot be told from a wrong password", test_disabled_hidden },
	{ "A-10 a deleted account is refused at once", test_deleted },
	{ "A-11 a changed password takes effect at once", test_changed_password },
	{ "A-12 letter case counts in the password only", test_letter_case },
	{ "A-13 *, bad base64, unknown mechanism", test_bad_responses },
	{ "A-14 AUTH before EHLO, twice, in a transaction", test_order },
	{ "A-15 without AUTH nothing is relayed; after it, it is", test_relay },
	{ "A-17 an authzid must equal the authcid", test_authzid },
	{ "A-18 the directory is away: 454", test_directory_away },
	{ "A-18 the directory is cut off: logins verified of late, all else 454", test_cut_off },
	{ "P-11 a customer that may not send: its accounts are refused", test_customer_barred },
	{ "P-11 its open session ends before the next message", test_customer_barred_meanwhile },
	{ "a password that was right is not computed again", test_remembered },
	{ "a password that was right for one login is computed for another one with the same hash", test_remembered_of_one_login },
	{ "A-11 A-09 a password or an account that is changed while a hash is computed", test_changed_while_computing },
	{ "A-09 an account that is changed while the session reads it", test_changed_while_reading },
	{ "after `remember` it is", test_forgotten },
	{ NULL, NULL },
};

int
main(int argc, char **argv)
{
	static const UnitSuite suite = { "auth", tests };
	static const UnitSuite *const suites[] = { &suite, NULL };

	return unit_main(argc, argv, suites);
}
