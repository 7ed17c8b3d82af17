/* test-ldap-auth.c - what ldap-auth does without a server, and how it writes logins.  A real slapd: Postern's tests. */
#include "plugin-test.h"

#include <stdio.h>
#include <string.h>

#include "escape.h"

extern const PtnPlugin ptn_plugin_ldap_auth;

static int failures;

static void
expect(const char *what, const char *got, const char *start)
{
	if (strncmp(got, start, strlen(start)) == 0)
		return;
	failures++;
	fprintf(stderr, "%s: got \"%s\" instead of \"%s\"\n", what, got, start);
}

static void
test_escape(void)
{
	static const struct {
		const char *text, *escaped;
	} cases[] = { { "user@example.net", "user@example.net" }, { "*", "\\2a" },
		{ "a)(uid=*", "a\\29\\28uid\\3d\\2a" }, { "x,ou=admins", "x\\2cou\\3dadmins" }, { "a+b\\", "a\\2bb\\5c" },
		{ " #\"<>;", "\\20\\23\\22\\3c\\3e\\3b" }, { "\xc3\xa4", "\\c3\\a4" }, { "\r\n", "\\0d\\0a" },
		{ "", "" } };

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char out[100];

		escape(out, cases[i].text, strlen(cases[i].text));
		if (strcmp(out, cases[i].escaped) != 0)
			expect("escaped", out, cases[i].escaped);
	}
}

/* Port 1 of the loopback: nobody is there. */
static void
test_no_server(void)
{
	PtnTest *test = ptn_test_new(&ptn_plugin_ldap_auth,
		"[plugin ldap-auth]\nurl = ldap://127.0.0.1:1\nstarttls = no\nbind-dn = uid=%u,dc=example,dc=net\n");

	ptn_test_connect(test, "192.0.2.1");
	expect("a dead server", ptn_test_login(test, "user@example.net", "secret"), "454 4.7.0");
	expect("no password", ptn_test_login(test, "user@example.net", ""), "535 5.7.8");
	ptn_test_free(test);
}

static void
test_configuration(void)
{
	expect(
		"no url", ptn_test_mistake(&ptn_plugin_ldap_auth, "[plugin ldap-auth]\nbase = dc=net\n"), "test.conf:1:");
}

int
main(void)
{
	test_escape();
	test_no_server();
	test_configuration();
	if (failures == 0)
		printf("all is well\n");
	return failures > 0;
}
