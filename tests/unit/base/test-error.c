/* test-error.c - the one GError domain of the core. */
#include "base/error.h"

#include <errno.h>

#include "suites.h"

static void
names_the_thing(void)
{
	g_autoptr(GError) error = NULL;

	CU_ASSERT_FALSE(error_set(&error, POSTERN_ERROR_EXISTS, "%s is there", "x"));
	CU_ASSERT_TRUE(g_error_matches(error, POSTERN_ERROR, POSTERN_ERROR_EXISTS));
	ASSERT_TEXT(error->message, "x is there");
	CU_ASSERT_FALSE(error_set(NULL, POSTERN_ERROR_EXISTS, "nobody asks"));
}

static void
tells_full_from_broken(void)
{
	static const struct {
		int number;
		PosternError code;
	} cases[] = { { ENOSPC, POSTERN_ERROR_FULL }, { EDQUOT, POSTERN_ERROR_FULL }, { EIO, POSTERN_ERROR_IO },
		{ ENOENT, POSTERN_ERROR_IO } };

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		g_autofree char *expected = g_strdup_printf("cannot write 7: %s", g_strerror(cases[i].number));

		errno = cases[i].number;
		CU_ASSERT_FALSE(error_set_errno(&error, "cannot write %d", 7));
		CU_ASSERT_TRUE(g_error_matches(error, POSTERN_ERROR, (int)cases[i].code));
		ASSERT_TEXT(error->message, expected);
	}
}

static const UnitTest tests[] = {
	{ "an error names the thing", names_the_thing },
	{ "a full disk is told from a broken one", tells_full_from_broken },
	{ 0 },
};

const UnitSuite suite_error = { "error", tests };
