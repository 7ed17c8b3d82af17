/* test-password.c - hashes, and what may be a password. */
#include <glib.h>
#include <string.h>

#include "service/password.h"
#include "unit/service/suites.h"

static void
test_hash(void)
{
	g_autofree char *hash = password_hash("mypassword", NULL);
	g_autofree char *other = password_hash("mypassword", NULL);

	CU_ASSERT_PTR_NOT_NULL_FATAL(hash);
	CU_ASSERT_TRUE(g_str_has_prefix(hash, "$y$"));
	CU_ASSERT_STRING_NOT_EQUAL(hash, other);
	CU_ASSERT_TRUE(password_matches("mypassword", hash));
	CU_ASSERT_TRUE(password_matches("mypassword", other));
	CU_ASSERT_FALSE(password_matches("Mypassword", hash));
	CU_ASSERT_FALSE(password_matches("", hash));
}

static void
test_no_hash(void)
{
	static const char *const hashes[] = { "", "*", "!", "*0", "*1", "plain", "$y$", "$nonesuch$x$y" };

	for (size_t i = 0; i < G_N_ELEMENTS(hashes); i++) {
		CU_ASSERT_FALSE(password_matches(hashes[i], hashes[i]));
		CU_ASSERT_FALSE(password_matches("", hashes[i]));
	}
}

static void
test_other_hashes(void)
{
	/* Made by openssl passwd -6. */
	CU_ASSERT_TRUE(password_matches("Hello world!",
		"$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1"));
}

static void
test_complaints(void)
{
	CU_ASSERT_PTR_NOT_NULL(password_complaint("pass", 5));
	CU_ASSERT_PTR_NULL(password_complaint("passw", 5));
	/* Four code points in eight octets, five in ten. */
	CU_ASSERT_PTR_NOT_NULL(password_complaint("\u00e4\u00f6\u00fc\u00df", 5));
	CU_ASSERT_PTR_NULL(password_complaint("\u00e4\u00f6\u00fc\u00df\u00e9", 5));
}

static void
test_odd_passwords(void)
{
	g_autofree char *endless = g_strnfill(600, 'x');

	CU_ASSERT_PTR_NOT_NULL(password_complaint("\xff\xfe\xfd\xfc\xfb", 5));
	CU_ASSERT_PTR_NOT_NULL(password_complaint("pass\nword", 5));
	CU_ASSERT_PTR_NOT_NULL(password_complaint(endless, 5));
	CU_ASSERT_PTR_NULL(password_complaint("five words with some blanks", 5));
}

static const UnitTest password_tests[] = {
	{ "a hash matches its password only", test_hash },
	{ "what is no hash matches nothing", test_no_hash },
	{ "other hashes of crypt(5) match, too", test_other_hashes },
	{ "P-04 four code points are refused, five accepted", test_complaints },
	{ "controls, invalid UTF-8 and endless ones are refused", test_odd_passwords },
	{ NULL, NULL },
};
const UnitSuite suite_password = { "password", password_tests };
