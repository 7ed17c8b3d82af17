/* test-option.c - values by their types, and the sentences about wrong ones. */
#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>

#include "base/clock.h"
#include "service/option.h"
#include "unit/service/suites.h"

static const char *const option_modes[] = { "enforce", "warn", "off", NULL };

typedef struct {
	unsigned type;
	int64_t least, most;
	const char *text;
	const char *result; /* the text kept, or "!" and a part of the complaint */
	int64_t number;
} Case;

static void
option_run(const Case *c)
{
	const PtnOption option = { .name = "x", .type = c->type, .least = c->least, .most = c->most, .choices = option_modes };
	g_autoptr(GError) error = NULL;
	g_autoptr(OptionValue) value = option_parse(&option, c->text, &error);

	if (*c->result == '!') {
		CU_ASSERT_PTR_NULL(value);
		CU_ASSERT_PTR_NOT_NULL_FATAL(error);
		if (strstr(error->message, c->result + 1) == NULL)
			ASSERT_TEXT(error->message, c->result + 1);
		return;
	}
	if (value == NULL) {
		ASSERT_TEXT(error->message, c->result);
		return;
	}
	ASSERT_TEXT(value->text, c->result);
	CU_ASSERT_EQUAL(value->number, c->number);
}

static void
test_numbers(void)
{
	static const Case cases[] = {
		{ PTN_NUMBER, 0, 0, "17", "17", 17 },
		{ PTN_NUMBER, 0, 0, "-3", "-3", -3 },
		{ PTN_NUMBER, 0, 0, "", "!there is no value", 0 },
		{ PTN_NUMBER, 0, 0, "4 4", "!not a number", 0 },
		{ PTN_NUMBER, 1, 9, "10", "!out of range (number, 1 to 9)", 0 },
		{ PTN_NUMBER, 0, 9, "-1", "!out of range", 0 },
		{ PTN_NUMBER, 1, 0, "0", "!at least 1", 0 },
		{ PTN_NUMBER, 1, 0, "1000", "1000", 1000 },
		{ PTN_NUMBER, 0, 0, "99999999999999999999", "!not a number", 0 },
		{ PTN_SIZE, 0, 0, "64K", "64K", 65536 },
		{ PTN_SIZE, 0, 0, "2g", "2g", INT64_C(2) << 30 },
		{ PTN_SIZE, 0, 0, "209715200", "209715200", 209715200 },
		{ PTN_SIZE, 0, 0, "9999999999T", "!not a size", 0 },
		{ PTN_SIZE, 0, 0, "-1K", "!negative", 0 },
		{ PTN_TIME, 0, 0, "300ms", "300ms", 300000 },
		{ PTN_TIME, 0, 0, "30", "30", 30 * CLOCK_SECOND },
		{ PTN_TIME, 0, 0, "31d", "31d", 31 * 86400 * CLOCK_SECOND },
		{ PTN_TIME, 0, 0, "5x", "!\"5x\" is not a time (as 300ms", 0 },
		{ PTN_TIME, CLOCK_SECOND, 60 * CLOCK_SECOND, "2m", "!(time, 1s to 1m)", 0 },
		{ PTN_BOOL, 0, 0, "yes", "yes", 1 },
		{ PTN_BOOL, 0, 0, "Off", "Off", 0 },
		{ PTN_BOOL, 0, 0, "maybe", "!neither yes nor no", 0 },
		{ PTN_CHOICE, 0, 0, "warn", "warn", 1 },
		{ PTN_CHOICE, 0, 0, "enforc", "!did you mean \"enforce\"", 0 },
		{ PTN_CHOICE, 0, 0, "x", "!none of: enforce, warn, off", 0 },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
		option_run(&cases[i]);
}

static void
test_names(void)
{
	static const Case cases[] = {
		{ PTN_TEXT, 0, 0, "", "", 0 },
		{ PTN_TEXT, 0, 0, "abuse@ .spamcop.net", "abuse@ .spamcop.net", 0 },
		{ PTN_TEXT, 0, 0, "@example.net", "@example.net", 0 },
		{ PTN_FILE, 0, 0, "/etc/x.pem", "/etc/x.pem", 0 },
		{ PTN_FILE, 0, 0, "x.pem", "!not an absolute path", 0 },
		{ PTN_HOST, 0, 0, "192.0.2.1", "192.0.2.1", 0 },
		{ PTN_HOST, 0, 0, "2001:db8::1", "2001:db8::1", 0 },
		{ PTN_HOST, 0, 0, "mx.example.net", "mx.example.net", 0 },
		{ PTN_HOST, 0, 0, "mx example", "!neither a host name nor", 0 },
		{ PTN_DOMAIN_NAME, 0, 0, "example.net", "example.net", 0 },
		{ PTN_DOMAIN_NAME, 0, 0, "192.0.2.1", "!not a domain name", 0 },
		{ PTN_NETWORK, 0, 0, "192.0.2.0/24", "192.0.2.0/24", 0 },
		{ PTN_NETWORK, 0, 0, "192.0.2.1/24", "!did you mean \"192.0.2.0/24\"", 0 },
		{ PTN_MAILBOX, 0, 0, "postmaster@example.net", "postmaster@example.net", 0 },
		{ PTN_MAILBOX, 0, 0, "postmaster", "!not a mail address", 0 },
		{ PTN_URL, 0, 0, "lmtp:unix:/run/dovecot/lmtp", "lmtp:unix:/run/dovecot/lmtp", 0 },
		{ PTN_URL, 0, 0, "smtp://relay@relay.example.org:587", "smtp://relay@relay.example.org:587", 0 },
		{ PTN_URL, 0, 0, "relay.example.org", "!not a URL", 0 },
		{ PTN_URL, 0, 0, "25:x", "!not a URL", 0 },
		{ PTN_LIST | PTN_NETWORK, 0, 0, "10.0.0.0/8, 192.0.2.0/24", "10.0.0.0/8 192.0.2.0/24", 0 },
		{ PTN_LIST | PTN_NETWORK, 0, 0, "10.0.0.0/8 x", "!\"x\" is not an IP address", 0 },
		{ PTN_LIST | PTN_NUMBER, 0, 0, "", "", 0 },
		{ PTN_LIST | PTN_NUMBER, 0, 2, "1 2 3", "!at most 2", 0 },
		{ PTN_LIST | PTN_NUMBER, 1, 0, " , ", "!at least 1", 0 },
		{ PTN_LIST | PTN_NUMBER, 1, 2, "587", "587", 0 },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
		option_run(&cases[i]);
}

static void
test_list(void)
{
	const PtnOption option = { .name = "ports", .type = PTN_LIST | PTN_NUMBER };
	g_autoptr(OptionValue) value = option_parse(&option, "25,2525\t 587", NULL);

	CU_ASSERT_PTR_NOT_NULL_FATAL(value);
	CU_ASSERT_EQUAL_FATAL(g_strv_length(value->list), 3);
	ASSERT_TEXT(value->list[2], "587");
}

static void
test_range(void)
{
	const PtnOption option = { .name = "retry", .type = PTN_TIME_RANGE };
	g_autoptr(OptionValue) both = option_parse(&option, "300s .. 4000s", NULL);
	g_autoptr(OptionValue) one = option_parse(&option, "5m", NULL);
	g_autoptr(OptionValue) tight = option_parse(&option, "1h..24h", NULL);

	CU_ASSERT_PTR_NOT_NULL_FATAL(both);
	CU_ASSERT_EQUAL(both->number, 300 * CLOCK_SECOND);
	CU_ASSERT_EQUAL(both->number_most, 4000 * CLOCK_SECOND);
	CU_ASSERT_PTR_NOT_NULL_FATAL(one);
	CU_ASSERT_EQUAL(one->number_most, 300 * CLOCK_SECOND);
	CU_ASSERT_PTR_NOT_NULL_FATAL(tight);
	CU_ASSERT_EQUAL(tight->number_most, 86400 * CLOCK_SECOND);
	CU_ASSERT_PTR_NULL(option_parse(&option, "5m .. 1m", NULL));
	CU_ASSERT_PTR_NULL(option_parse(&option, "..", NULL));
	CU_ASSERT_PTR_NULL(option_parse(&option, "5m .. 6m .. 7m", NULL));
}

static void
test_file(void)
{
	const PtnOption text = { .name = "text", .type = PTN_TEXT }, number = { .name = "n", .type = PTN_NUMBER };
	g_autofree char *directory = unit_new_directory();
	g_autofree char *path = g_build_filename(directory, "secret", NULL);
	g_autofree char *reference = g_strconcat("@", path, NULL);
	g_autoptr(GError) error = NULL;
	g_autoptr(OptionValue) value = NULL;

	CU_ASSERT_PTR_NULL(option_expand(reference, &error));
	CU_ASSERT_PTR_NOT_NULL_FATAL(error);
	CU_ASSERT_PTR_NOT_NULL(strstr(error->message, path));
	CU_ASSERT_TRUE(g_file_set_contents(path, " 42 \r\nmore\n", -1, NULL));
	{
		g_autofree char *expanded = option_expand(reference, NULL);
		g_autofree char *same = option_expand("@example.net", NULL);

		ASSERT_TEXT(expanded, "42");
		ASSERT_TEXT(same, "@example.net");
	}
	value = option_parse(&text, reference, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(value);
	ASSERT_TEXT(value->text, reference); /* who parses a value reads no file */
	CU_ASSERT_PTR_NULL(option_parse(&number, reference, NULL));
	CU_ASSERT_TRUE(g_file_set_contents(path, "\n", -1, NULL));
	CU_ASSERT_PTR_NULL(option_expand(reference, NULL));
	unit_remove_directory(directory);
}

static void
test_nearest(void)
{
	static const char *const known[] = { "zone", "codes", "bits", "text", NULL };

	ASSERT_TEXT(option_nearest("code", known), "codes");
	ASSERT_TEXT(option_nearest("Zone", known), "zone");
	CU_ASSERT_PTR_NULL(option_nearest("deadline", known));
	CU_ASSERT_PTR_NULL(option_nearest("", known));
}

static void
test_formats(void)
{
	static const struct {
		int64_t us;
		const char *text;
	} times[] = { { 0, "0s" }, { 300000, "300ms" }, { 90 * CLOCK_SECOND, "90s" }, { 300 * CLOCK_SECOND, "5m" },
		{ 86400 * CLOCK_SECOND, "1d" }, { 7, "7us" } };
	g_autofree char *size = option_format_size(65536);
	g_autofree char *odd = option_format_size(65537);

	for (size_t i = 0; i < G_N_ELEMENTS(times); i++) {
		g_autofree char *text = option_format_time(times[i].us);

		ASSERT_TEXT(text, times[i].text);
	}
	ASSERT_TEXT(size, "64K");
	ASSERT_TEXT(odd, "65537");
}

static void
test_described(void)
{
	const PtnOption time = { .type = PTN_TIME, .least = CLOCK_SECOND, .most = 86400 * CLOCK_SECOND };
	const PtnOption choice = { .type = PTN_CHOICE, .choices = option_modes };
	const PtnOption list = { .type = PTN_LIST | PTN_NETWORK, .least = 1, .most = 8 };
	g_autofree char *of_time = option_describe_type(&time);
	g_autofree char *of_choice = option_describe_type(&choice);
	g_autofree char *of_list = option_describe_type(&list);

	ASSERT_TEXT(of_time, "time, 1s to 1d");
	ASSERT_TEXT(of_choice, "enforce, warn or off");
	ASSERT_TEXT(of_list, "list of: IP address or network, 1 to 8 of them");
}

static const UnitTest option_tests[] = {
	{ "numbers, sizes, times, booleans, choices", test_numbers },
	{ "names, addresses, lists", test_names },
	{ "a list is split at blanks and commas", test_list },
	{ "a range of times", test_range },
	{ "@FILE is read by the reader of the configuration alone, a missing one named", test_file },
	{ "the nearest word", test_nearest },
	{ "times and sizes as people write them", test_formats },
	{ "types in words", test_described },
	{ NULL, NULL },
};
const UnitSuite suite_option = { "option", option_tests };
