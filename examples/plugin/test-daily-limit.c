/* test-daily-limit.c - the plugin in the test host: real engine, scripted DNS, no daemon. */
#include "plugin-test.h"

#include <stdio.h>
#include <string.h>

extern const PtnPlugin ptn_plugin_daily_limit;

#define LOGIN "user@example.net"

static int failures;

/* Says so if `got` does not begin with `start`. */
static void
expect(const char *what, const char *got, const char *start)
{
	if (strncmp(got, start, strlen(start)) == 0)
		return;
	failures++;
	fprintf(stderr, "%s: got \"%s\" instead of \"%s\"\n", what, got, start);
}

static const char *
send_one(PtnTest *test)
{
	return ptn_test_submit(test, LOGIN, "x@example.org", "Subject: hello\r\n\r\nHello.\r\n");
}

static PtnTest *
new_test(const char *config)
{
	const PtnPlugin *const plugins[] = { &ptn_test_door, &ptn_plugin_daily_limit, NULL };
	PtnTest *test = ptn_test_new_chain(plugins, config);

	ptn_test_entry(test, PTN_ACCOUNT, LOGIN, "password", "mypassword", NULL);
	ptn_test_connect(test, "192.0.2.1");
	expect("login", ptn_test_login(test, LOGIN, "mypassword"), "235 2.7.0");
	return test;
}

static void
test_a_day(void)
{
	PtnTest *test = new_test("[plugin daily-limit]\nmost = 2\n");

	expect("the first", send_one(test), "250 2.0.0");
	expect("the second", send_one(test), "250 2.0.0");
	expect("the third", send_one(test), "450 4.7.1 user@example.net: more than 2 messages today");
	expect("what is told", ptn_test_command(test, "daily-limit", "show", LOGIN, NULL),
		"login=user@example.net today=3\n");
	ptn_test_advance(test, 25 * 3600 * PTN_SECOND);
	ptn_test_connect(test, "192.0.2.1");
	expect("login", ptn_test_login(test, LOGIN, "mypassword"), "235 2.7.0");
	expect("the next day", send_one(test), "250 2.0.0");
	ptn_test_free(test);
}

static void
test_places(void)
{
	PtnTest *test = new_test("[plugin daily-limit]\nmost = 1\n");
	const char *why_not = ptn_test_set(test, PTN_CUSTOMER, "acme", "daily-limit.most", "2");

	expect("of a customer", why_not != NULL ? why_not : "it is set", "it is set");
	why_not = ptn_test_set(test, PTN_CUSTOMER, "acme", "daily-limit.most", "many");
	expect("no number", why_not != NULL ? why_not : "it is set", "daily-limit.most: ");
	expect("the first", send_one(test), "250 2.0.0");
	expect("the customer's limit", send_one(test), "250 2.0.0");
	expect("beyond it", send_one(test), "450 4.7.1");
	ptn_test_free(test);
}

int
main(void)
{
	test_a_day();
	test_places();
	if (failures == 0)
		printf("all is well\n");
	return failures > 0;
}
