/* test-iphelper.h - a domain and its helper in the test host, for test-*.c of this folder. */
#pragma once

#include <glib.h>
#include <stdio.h>
#include <string.h>

#include "plugin-test.h"
#include "unit/unit.h"

extern const PtnPlugin ptn_plugin_iphelper;

#define DOMAIN "example.com"
#define HOST "home.dyn.example"
#define MINUTE (60 * PTN_SECOND)

static inline const char *
mode(PtnTest *test)
{
	return ptn_test_get(test, PTN_DOMAIN, DOMAIN, "mode");
}

static inline const char *
destination(PtnTest *test)
{
	return ptn_test_get(test, PTN_DOMAIN, DOMAIN, "destination");
}

/* Time passes; what is due is checked. */
static inline void
pass(PtnTest *test, int64_t time)
{
	ptn_test_advance(test, time);
	ptn_test_finish_work(test);
}

static inline int64_t
checks(PtnTest *test)
{
	return ptn_test_count(test, "plugin.iphelper.checks");
}

/* The domain waits with its mail; it has no helper yet. */
static inline PtnTest *
new_domain(const char *config)
{
	PtnTest *test = ptn_test_new(&ptn_plugin_iphelper, config);

	ptn_test_entry(test, PTN_CUSTOMER, "example", "alert", "alert@example.net", NULL);
	ptn_test_entry(test, PTN_DOMAIN, DOMAIN, "customer", "example", "mode", "hold", NULL);
	return test;
}

static inline PtnTest *
new_helper(const char *config)
{
	PtnTest *test = new_domain(config);

	ptn_test_entry(
		test, PTN_DOMAIN, DOMAIN, "iphelper.host", HOST, "iphelper.port", "2525", "iphelper.alert", "yes", NULL);
	return test;
}

static inline const char *
add(PtnTest *test, const char *host, const char *port)
{
	return ptn_test_command(test, "iphelper", "add", DOMAIN, host, port, NULL);
}

static inline bool
says(const char *text, const char *part)
{
	if (strstr(text, part) == NULL)
		fprintf(stderr, "\"%s\" is not in: %s\n", part, text);
	return strstr(text, part) != NULL;
}

extern const UnitSuite suite_others;
