/* unit.h - tables of CUnit tests: a suite per file, a program per floor. */
#pragma once

#include <CUnit/CUnit.h>
#include <stdbool.h>

typedef struct {
	const char *name; /* names the behaviour it covers: "Q-02 survives a crash" */
	void (*run)(void);
} UnitTest;

typedef struct {
	const char *name;
	const UnitTest *tests; /* ends with an empty row */
} UnitSuite;

/* Runs all suites (ends with NULL), or those named by the arguments; the program's exit code. */
int unit_main(int argc, char **argv, const UnitSuite *const *suites);

/* Says that the running test cannot run here, and why: the program ends with 77, which automake counts as skipped,
 * unless another test failed.  The test returns afterwards. */
void unit_skip(const char *why);

/* Prints both on failure. */
void unit_assert_text(const char *file, unsigned line, const char *actual, const char *expected);
#define ASSERT_TEXT(actual, expected) unit_assert_text(__FILE__, __LINE__, (actual), (expected))

/* A new empty directory under $TMPDIR, removed by unit_remove_directory().  New. */
char *unit_new_directory(void);
void unit_remove_directory(const char *path);
