/* test-others.c - of the plugin iphelper: what people do to its domains, also at the same moment, and many of them. */
#include "test-iphelper.h"

/* ---- what others do to the domain ---- */

static void
test_unsupported(void)
{
	static const char *const modes[] = { "secondary", "hosted", "forward", "outbound-only" };

	for (size_t i = 0; i < G_N_ELEMENTS(modes); i++) {
		PtnTest *test = new_helper(NULL);
		const char *to = "mx.example.com";

		ptn_test_dns(test, HOST, PTN_A, PTN_OK, "1.2.3.4", NULL);
		pass(test, PTN_SECOND);
		ptn_test_entry(
			test, PTN_DOMAIN, DOMAIN, "mode", modes[i], "destination", to, "forward-to", "box@example.org", NULL);
		ptn_test_dns(test, HOST, PTN_A, PTN_OK, "5.6.7.8", NULL);
		pass(test, MINUTE);
		ASSERT_TEXT(mode(test), modes[i]);
		ASSERT_TEXT(destination(test), to);
		CU_ASSERT_PTR_NULL(ptn_test_get(test, PTN_DOMAIN, DOMAIN, "iphelper.host"));
		CU_ASSERT_PTR_NULL(ptn_test_get(test, PTN_DOMAIN, DOMAIN, "iphelper.port"));
		CU_ASSERT_PTR_NULL(ptn_test_get(test, PTN_DOMAIN, DOMAIN, "iphelper.alert"));
		CU_ASSERT_EQUAL(ptn_test_queued(test), 1);
		ASSERT_TEXT(ptn_test_command(test, "iphelper", "list", NULL), "");
		pass(test, 10 * MINUTE);
		ASSERT_TEXT(destination(test), to);
		ptn_test_free(test);
	}
}

static void
test_by_hand(void)
{
	PtnTest *test = new_helper(NULL);

	ptn_test_dns(test, HOST, PTN_A, PTN_OK, "1.2.3.4", NULL);
	ptn_test_dns_ttl(test, HOST, PTN_A, 300 * PTN_SECOND);
	pass(test, PTN_SECOND);
	ptn_test_entry(test, PTN_DOMAIN, DOMAIN, "mode", "hold", NULL);
	pass(test, MINUTE);
	ASSERT_TEXT(mode(test), "hold");
	pass(test, 4 * MINUTE);
	ASSERT_TEXT(mode(test), "redirect");
	ASSERT_TEXT(destination(test), "1.2.3.4");
	CU_ASSERT_TRUE(says(ptn_test_command(test, "iphelper", "list", NULL), "address=1.2.3.4"));
	ptn_test_entry(test, PTN_DOMAIN, DOMAIN, "destination", "9.9.9.9", "port", "26", NULL);
	pass(test, 5 * MINUTE);
	ASSERT_TEXT(destination(test), "1.2.3.4");
	ASSERT_TEXT(ptn_test_get(test, PTN_DOMAIN, DOMAIN, "port"), "2525");
	ptn_test_free(test);
}

static void
test_domain_removed(void)
{
	PtnTest *test = new_helper(NULL);

	ptn_test_dns(test, HOST, PTN_A, PTN_OK, "1.2.3.4", NULL);
	pass(test, PTN_SECOND);
	ptn_test_remove(test, PTN_DOMAIN, DOMAIN);
	pass(test, 5 * MINUTE);
	CU_ASSERT_EQUAL(checks(test), 1);
	ASSERT_TEXT(ptn_test_command(test, "iphelper", "list", NULL), "");
	ptn_test_entry(test, PTN_DOMAIN, DOMAIN, "customer", "example", "mode", "hold", NULL);
	pass(test, 5 * MINUTE);
	ASSERT_TEXT(mode(test), "hold");
	CU_ASSERT_EQUAL(checks(test), 1);
	ptn_test_free(test);
}

static void
test_helper_removed(void)
{
	PtnTest *test = new_helper(NULL);

	ptn_test_dns(test, HOST, PTN_A, PTN_OK, "1.2.3.4", NULL);
	pass(test, PTN_SECOND);
	CU_ASSERT_TRUE(
		says(ptn_test_command(test, "iphelper", "remove", DOMAIN, NULL), "helper=removed mode=redirect"));
	ptn_test_dns(test, HOST, PTN_A, PTN_NONE, NULL);
	pass(test, 10 * MINUTE);
	ASSERT_TEXT(mode(test), "redirect");
	ASSERT_TEXT(destination(test), "1.2.3.4");
	CU_ASSERT_TRUE(says(ptn_test_command(test, "iphelper", "show", DOMAIN, NULL), "example.com has no helper"));
	CU_ASSERT_TRUE(says(add(test, "host=" HOST, "port=2525"), "last= next=next scan"));
	pass(test, MINUTE);
	ASSERT_TEXT(mode(test), "hold");
	ptn_test_free(test);
}

static void
test_edited(void)
{
	PtnTest *test = new_helper(NULL);

	ptn_test_dns(test, HOST, PTN_A, PTN_OK, "1.2.3.4", NULL);
	ptn_test_dns(test, "new.dyn.example", PTN_A, PTN_OK, "5.6.7.8", NULL);
	pass(test, PTN_SECOND);
	CU_ASSERT_TRUE(says(ptn_test_command(test, "iphelper", "set", DOMAIN, "port=26", NULL), "port=26"));
	ASSERT_TEXT(ptn_test_get(test, PTN_DOMAIN, DOMAIN, "port"), "2525");
	pass(test, MINUTE);
	ASSERT_TEXT(ptn_test_get(test, PTN_DOMAIN, DOMAIN, "port"), "26");
	CU_ASSERT_PTR_NULL(ptn_test_set(test, PTN_DOMAIN, DOMAIN, "iphelper.host", "new.dyn.example"));
	pass(test, MINUTE);
	ASSERT_TEXT(destination(test), "5.6.7.8");
	CU_ASSERT_TRUE(says(ptn_test_command(test, "iphelper", "set", DOMAIN, "host=192.0.2.1", NULL), "error: "));
	CU_ASSERT_TRUE(says(ptn_test_command(test, "iphelper", "set", DOMAIN, "alert=maybe", NULL), "error: "));
	CU_ASSERT_TRUE(says(ptn_test_command(test, "iphelper", "set", DOMAIN, "color=red", NULL), "error: "));
	pass(test, MINUTE);
	CU_ASSERT_EQUAL(checks(test), 3);
	ptn_test_free(test);
}

/* ---- somebody else at the same moment ---- */

static void (*before_save)(PtnTest *test);
static PtnTest *at_hand;

PtnStatus __real_ptn_save(PtnHook *h, PtnEntry *entry);
PtnStatus __wrap_ptn_save(PtnHook *h, PtnEntry *entry);

PtnStatus
__wrap_ptn_save(PtnHook *h, PtnEntry *entry)
{
	void (*change)(PtnTest *) = before_save;

	before_save = NULL;
	if (change != NULL)
		change(at_hand);
	return __real_ptn_save(h, entry);
}

static void (*behind_walk)(PtnTest *test); /* once, when all domains were read */

PtnStatus __real_ptn_each(PtnHook *h, PtnKind kind, const char *with_option, PtnEntry **entry);
PtnStatus __wrap_ptn_each(PtnHook *h, PtnKind kind, const char *with_option, PtnEntry **entry);

PtnStatus
__wrap_ptn_each(PtnHook *h, PtnKind kind, const char *with_option, PtnEntry **entry)
{
	const PtnStatus status = __real_ptn_each(h, kind, with_option, entry);
	void (*change)(PtnTest *) = status == PTN_NONE ? behind_walk : NULL;

	if (change == NULL)
		return status;
	behind_walk = NULL;
	change(at_hand);
	return status;
}

static void
redirect_elsewhere(PtnTest *test)
{
	ptn_test_entry(test, PTN_DOMAIN, DOMAIN, "mode", "redirect", "destination", "9.9.9.9", "port", "26", NULL);
}

static void
make_hosted(PtnTest *test)
{
	ptn_test_entry(test, PTN_DOMAIN, DOMAIN, "mode", "hosted", NULL);
}

static void
change_something_else(PtnTest *test)
{
	ptn_test_entry(test, PTN_DOMAIN, DOMAIN, "on-missing-host", "hold", NULL);
}

static PtnTest *
new_race(void (*change)(PtnTest *test))
{
	PtnTest *test = new_helper(NULL);

	ptn_test_dns(test, HOST, PTN_A, PTN_OK, "1.2.3.4", NULL);
	before_save = change;
	at_hand = test;
	pass(test, PTN_SECOND);
	CU_ASSERT_PTR_NULL(before_save);
	return test;
}

static void
test_race(void)
{
	PtnTest *test = new_race(redirect_elsewhere);

	ASSERT_TEXT(destination(test), "9.9.9.9");
	CU_ASSERT_EQUAL(ptn_test_queued(test), 0);
	pass(test, MINUTE);
	ASSERT_TEXT(destination(test), "1.2.3.4");
	CU_ASSERT_EQUAL(ptn_test_queued(test), 0);
	ptn_test_free(test);
	test = new_race(make_hosted);
	ASSERT_TEXT(mode(test), "hosted");
	pass(test, MINUTE);
	ASSERT_TEXT(mode(test), "hosted");
	CU_ASSERT_PTR_NULL(ptn_test_get(test, PTN_DOMAIN, DOMAIN, "iphelper.host"));
	CU_ASSERT_EQUAL(ptn_test_queued(test), 0);
	ptn_test_free(test);
	test = new_race(change_something_else);
	ASSERT_TEXT(destination(test), "1.2.3.4");
	ASSERT_TEXT(ptn_test_get(test, PTN_DOMAIN, DOMAIN, "on-missing-host"), "hold");
	CU_ASSERT_EQUAL(ptn_test_queued(test), 1);
	ptn_test_free(test);
}

static void
test_many(void)
{
	enum { MANY = 1200 };
	PtnTest *test = new_domain(NULL);

	for (int i = 0; i < MANY; i++) {
		g_autofree char *domain = g_strdup_printf("d%d.example", i);
		g_autofree char *host = g_strdup_printf("h%d.dyn.example", i % 7);

		ptn_test_entry(test, PTN_DOMAIN, domain, "customer", "example", "mode", "hold", "iphelper.host", host,
			"iphelper.port", "25", NULL);
		ptn_test_dns(test, host, PTN_A, PTN_OK, "1.2.3.4", NULL);
	}
	pass(test, PTN_SECOND);
	CU_ASSERT_EQUAL(checks(test), MANY);
	for (int i = 0; i < MANY; i++) {
		g_autofree char *domain = g_strdup_printf("d%d.example", i);

		ASSERT_TEXT(ptn_test_get(test, PTN_DOMAIN, domain, "mode"), "redirect");
	}
	ASSERT_TEXT(mode(test), "hold");
	ptn_test_free(test);
}

static void
change_host(PtnTest *test)
{
	ptn_test_entry(test, PTN_DOMAIN, DOMAIN, "iphelper.host", "new.dyn.example", NULL);
}

/* A helper that is changed while all are read is read anew by the next scan. */
static void
test_changed_behind_the_walk(void)
{
	PtnTest *test = new_helper(NULL);

	ptn_test_dns(test, HOST, PTN_A, PTN_OK, "1.2.3.4", NULL);
	ptn_test_dns(test, "new.dyn.example", PTN_A, PTN_OK, "5.6.7.8", NULL);
	at_hand = test;
	behind_walk = change_host;
	pass(test, PTN_SECOND);
	CU_ASSERT_PTR_NULL(behind_walk);
	pass(test, MINUTE);
	ASSERT_TEXT(destination(test), "5.6.7.8");
	ptn_test_free(test);
}

static const UnitTest tests[] = {
	{ "I-28 I-37 I-39 a mode that has no helper removes it, and nobody is told", test_unsupported },
	{ "I-29 what is changed by hand between the two modes holds until the next check", test_by_hand },
	{ "I-30 with a domain its helper goes", test_domain_removed },
	{ "I-31 without its helper a domain stays as it is", test_helper_removed },
	{ "I-38 a helper that is edited is checked at the next scan", test_edited },
	{ "a change of the same moment by somebody else is not overwritten", test_race },
	{ "I-16 all helpers are checked, also where the directory has many pages of them", test_many },
	{ "I-38 a helper that is changed while all are read", test_changed_behind_the_walk },
	{ NULL, NULL },
};

const UnitSuite suite_others = { "iphelper-others", tests };
