/* test-@name@.c - the plugin @name@ in the test host: real engine, scripted DNS, no daemon. */
#include "plugin-test.h"

#include <stdio.h>
#include <string.h>

extern const PtnPlugin ptn_plugin_@symbol@;

static int failures;

/* Says so if `reply` does not begin with `start`. */
static void
expect(const char *what, const char *reply, const char *start)
{
	if (strncmp(reply, start, strlen(start)) == 0)
		return;
	failures++;
	fprintf(stderr, "%s: got \"%s\" instead of \"%s\"\n", what, reply, start);
}

int
main(void)
{
	const PtnPlugin *const plugins[] = { &ptn_test_door, &ptn_plugin_@symbol@, NULL };
	PtnTest *test = ptn_test_new_chain(plugins, "[plugin @name@]\nsenders = spammer@example.net\n");

	ptn_test_entry(test, PTN_ACCOUNT, "user@example.net", "password", "mypassword", NULL);
	ptn_test_connect(test, "192.0.2.1");
	expect("login", ptn_test_login(test, "user@example.net", "mypassword"), "235 2.7.0");
	expect("a listed sender", ptn_test_say(test, "MAIL FROM:<spammer@example.net>"), "550 5.7.1");
	expect("letter case", ptn_test_say(test, "MAIL FROM:<Spammer@EXAMPLE.net>"), "550 5.7.1");
	expect("any other sender", ptn_test_say(test, "MAIL FROM:<user@example.net>"), "250 2.1.0");
	ptn_test_free(test);
	return failures > 0;
}
