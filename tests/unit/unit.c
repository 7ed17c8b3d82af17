/* unit.c - tables of CUnit tests. */
#include "unit/unit.h"

#include <CUnit/Basic.h>
#include <ftw.h>
#include <glib.h>
#include <stdio.h>
#include <string.h>

enum { UNIT_SKIPPED = 77 }; /* automake's */

static unsigned skipped;

static bool
unit_is_wanted(int argc, char **argv, const char *name)
{
	if (argc < 2)
		return true;
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], name) == 0)
			return true;
	return false;
}

int
unit_main(int argc, char **argv, const UnitSuite *const *suites)
{
	const char *only = g_getenv("UNIT_ONLY"); /* part of the names of the tests to run */
	unsigned failures;

	setvbuf(stdout, NULL, _IONBF, 0);
	if (CU_initialize_registry() != CUE_SUCCESS)
		return 2;
	for (; *suites != NULL; suites++) {
		CU_pSuite suite;

		if (!unit_is_wanted(argc, argv, (*suites)->name))
			continue;
		suite = CU_add_suite((*suites)->name, NULL, NULL);
		for (const UnitTest *test = (*suites)->tests; test->name != NULL; test++)
			if (only == NULL || strstr(test->name, only) != NULL)
				CU_add_test(suite, test->name, test->run);
	}
	CU_basic_set_mode(CU_BRM_NORMAL);
	CU_basic_run_tests();
	failures = CU_get_number_of_failures() + CU_get_number_of_suites_failed();
	if (CU_get_number_of_tests_run() == 0)
		failures++;
	CU_cleanup_registry();
	if (failures > 0)
		return 1;
	return skipped > 0 ? UNIT_SKIPPED : 0;
}

void
unit_skip(const char *why)
{
	skipped++;
	fprintf(stderr, " [skipped: %s] ", why);
}

void
unit_assert_text(const char *file, unsigned line, const char *actual, const char *expected)
{
	const bool is_equal = g_strcmp0(actual, expected) == 0;

	if (!is_equal)
		fprintf(stderr, "\n%s:%u: got \"%s\", expected \"%s\"\n", file, line, actual != NULL ? actual : "(null)",
			expected != NULL ? expected : "(null)");
	CU_assertImplementation(is_equal, line, "texts are equal", file, "", CU_FALSE);
}

char *
unit_new_directory(void)
{
	return g_dir_make_tmp("postern-test-XXXXXX", NULL);
}

static int
unit_remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
	(void)status, (void)type, (void)walk;
	return remove(path);
}

void
unit_remove_directory(const char *path)
{
	(void)nftw(path, unit_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
