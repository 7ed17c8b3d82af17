/* test-refusals.c - what was refused is found again, damage around it or not. */
#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "service/refusals-line.h"
#include "unit/service/suites.h"

enum { REFUSALS_THREADS = 4, REFUSALS_ROUNDS = 500 };

#define DAY (86400 * CLOCK_SECOND)
#define NOON (INT64_C(20000) * DAY + DAY / 2) /* 2024-10-04 */

typedef struct {
	char *directory, *path;
	Refusals *refusals;
} Fixture;

static Refusals *
open_at(const char *directory, uint64_t most_per_day)
{
	return refusals_open(&(RefusalsSettings){
							 .directory = directory, .keep_us = 14 * DAY, .most_per_day = most_per_day, .most_waiting = 10000 },
		NULL);
}

static void
fixture_open(Fixture *f)
{
	f->directory = unit_new_directory();
	f->path = g_build_filename(f->directory, "refusals", NULL);
	f->refusals = open_at(f->path, 1 << 30);
	CU_ASSERT_PTR_NOT_NULL_FATAL(f->refusals);
}

static void
fixture_close(Fixture *f)
{
	refusals_close(f->refusals);
	unit_remove_directory(f->directory);
	g_free(f->directory);
	g_free(f->path);
}

static void
collect(void *data, const Refusal *refusal)
{
	g_string_append_printf(data, "%s;", refusal->session);
}

static void
assert_found(Fixture *f, const char *what, size_t limit, const char *sessions)
{
	g_autoptr(GString) found = g_string_new(NULL);

	CU_ASSERT_TRUE(refusals_find(f->refusals, what, limit, collect, found, NULL));
	ASSERT_TEXT(found->str, sessions);
}

static void
note(Fixture *f, int64_t time_us, const char *session, const char *login)
{
	const Refusal refusal = { .time_us = time_us, .session = session, .login = login, .client = "203.0.113.9",
		.recipient = "x@y.example", .stage = "message", .plugin = "uribl/grey", .reply = "550 5.7.1 no" };

	refusals_note(f->refusals, &refusal);
}

static void
test_found(void)
{
	Fixture f;

	fixture_open(&f);
	note(&f, NOON - 2 * DAY, "a", "boss@acme.example");
	note(&f, NOON, "b", "user@acme.example");
	note(&f, NOON + 1, "c", "Boss@ACME.example");
	note(&f, NOON + 2, "d", NULL);
	assert_found(&f, NULL, 100, "d;c;b;a;");
	assert_found(&f, NULL, 2, "d;c;");
	assert_found(&f, "boss@acme.example", 100, "c;a;");
	assert_found(&f, "b", 100, "b;");
	assert_found(&f, "203.0.113.9", 3, "d;c;b;");
	assert_found(&f, "X@Y.example", 1, "d;");
	assert_found(&f, "message", 100, "");
	fixture_close(&f);
}

static void
test_reopened(void)
{
	Fixture f;

	fixture_open(&f);
	note(&f, NOON, "a", NULL);
	refusals_close(f.refusals);
	f.refusals = open_at(f.path, 1 << 30);
	note(&f, NOON + 1, "b", NULL);
	assert_found(&f, NULL, 100, "b;a;");
	CU_ASSERT_EQUAL(refusals_lost(f.refusals), 0);
	fixture_close(&f);
}

static void
test_damaged(void)
{
	g_autofree char *day = NULL, *text = NULL, *more = NULL;
	Fixture f;

	fixture_open(&f);
	note(&f, NOON, "a", NULL);
	assert_found(&f, NULL, 100, "a;");
	day = g_build_filename(f.path, "2024-10-04.json", NULL);
	CU_ASSERT_TRUE(g_file_get_contents(day, &text, NULL, NULL));
	more = g_strconcat("junk\n{\"time\":1,\"session\":\"half", "\n\n", text, "{\"time\":5,\"session\":\"cut\",\"cl", NULL);
	CU_ASSERT_TRUE(g_file_set_contents(day, more, -1, NULL));
	assert_found(&f, NULL, 100, "a;");
	refusals_close(f.refusals);
	f.refusals = open_at(f.path, 1 << 30);
	note(&f, NOON, "b", NULL);
	assert_found(&f, NULL, 100, "b;a;");
	fixture_close(&f);
}

static void
test_expired(void)
{
	Fixture f;

	fixture_open(&f);
	note(&f, NOON - 15 * DAY, "old", NULL);
	note(&f, NOON - 14 * DAY, "oldest kept", NULL);
	note(&f, NOON, "new", NULL);
	assert_found(&f, NULL, 100, "new;oldest kept;old;");
	refusals_expire(f.refusals, NOON);
	assert_found(&f, NULL, 100, "new;oldest kept;");
	fixture_close(&f);
}

static void
test_lines(void)
{
	const Refusal refusal = { .time_us = 7, .session = "a\"b\\c\r\n\x01", .sender = "", .reply = "550 \xc3\xa4", .cause = "x\xff" };
	g_autofree char *line = refusal_format(&refusal);
	Refusal read;

	ASSERT_TEXT(line, "{\"time\":7,\"session\":\"a\\\"b\\\\c\\u000d\\u000a\\u0001\",\"from\":\"\",\"cause\":\"x\xef\xbf\xbd\","
		"\"reply\":\"550 \xc3\xa4\"}\n");
	line[strlen(line) - 1] = '\0';
	CU_ASSERT_TRUE_FATAL(refusal_parse(line, &read));
	CU_ASSERT_EQUAL(read.time_us, 7);
	ASSERT_TEXT(read.session, "a\"b\\c\r\n\x01");
	ASSERT_TEXT(read.sender, "");
	CU_ASSERT_PTR_NULL(read.login);
}

static void
test_bad_lines(void)
{
	static const char *const lines[] = { "", "{", "{}", "{\"time\":", "{\"time\":1", "{\"time\":1,}", "{\"time\":1,\"a\"}",
		"{\"time\":1,\"a\":}", "{\"time\":1,\"a\":\"b}", "{\"time\":1,\"a\":\"b\\", "{\"time\":1,\"a\":\"\\u00", "{\"time\":1,\"a\":\"\\x\"}",
		"{\"time\":1,\"a\":\"\\u0000\"}", "{\"time\":1,\"a\":\"\\ud834\"}", "{\"time\":1} x", "{\"time\":1,\"a\":\"b\",", "[1]" };

	for (size_t i = 0; i < G_N_ELEMENTS(lines); i++) {
		g_autofree char *line = g_strdup(lines[i]);
		Refusal read;

		if (refusal_parse(line, &read))
			ASSERT_TEXT(lines[i], "refused");
	}
}

static void
count(void *data, const Refusal *refusal)
{
	(void)refusal;
	(*(int *)data)++;
}

/* Lines that lie across the blocks in which a day is read, one that is longer than a block, and one that is no line. */
static void
test_blocks(void)
{
	g_autofree char *day = NULL, *all = NULL;
	g_autofree char *long_login = g_strnfill(200000, 'x'), *endless = g_strnfill(3 << 20, 'y');
	g_autoptr(GString) expected = g_string_new(NULL), text = g_string_new(NULL);
	gsize size;
	Fixture f;

	fixture_open(&f);
	for (int i = 0; i < 5000; i++) {
		g_autofree char *session = g_strdup_printf("s%d", i);

		note(&f, NOON + i, session, i == 2500 ? long_login : "user@acme.example");
		g_string_prepend(expected, ";");
		g_string_prepend(expected, session);
	}
	assert_found(&f, NULL, 100000, expected->str);
	assert_found(&f, "s4711", 10, "s4711;");
	assert_found(&f, long_login, 10, "s2500;");
	day = g_build_filename(f.path, "2024-10-04.json", NULL);
	CU_ASSERT_TRUE(g_file_get_contents(day, &all, &size, NULL));
	g_string_append_len(g_string_append_c(g_string_append(text, endless), '\n'), all, (gssize)size);
	g_string_append(text, endless);
	CU_ASSERT_TRUE(g_file_set_contents(day, text->str, (gssize)text->len, NULL));
	assert_found(&f, NULL, 100000, expected->str);
	fixture_close(&f);
}

static void
test_full_day(void)
{
	g_autofree char *day = NULL;
	GStatBuf status;
	int found = 0;
	Fixture f;

	fixture_open(&f);
	refusals_close(f.refusals);
	f.refusals = open_at(f.path, 10000);
	for (int i = 0; i < 1000; i++)
		note(&f, NOON + i, "s", NULL);
	CU_ASSERT_TRUE(refusals_find(f.refusals, "s", 100000, count, &found, NULL));
	day = g_build_filename(f.path, "2024-10-04.json", NULL);
	CU_ASSERT_EQUAL_FATAL(g_stat(day, &status), 0);
	CU_ASSERT(status.st_size <= 10000 && status.st_size > 9000);
	CU_ASSERT_EQUAL((uint64_t)found + refusals_lost(f.refusals), 1000);
	refusals_close(f.refusals);
	f.refusals = open_at(f.path, 10000); /* a restart gives no room */
	note(&f, NOON + 2000, "again", NULL);
	assert_found(&f, "again", 10, "");
	note(&f, NOON + DAY, "tomorrow", NULL);
	assert_found(&f, "tomorrow", 10, "tomorrow;");
	fixture_close(&f);
}

/* What was left out is noted of a network, and found by an address in it. */
static void
test_network(void)
{
	const Refusal refusal = { .time_us = NOON, .session = "n", .client = "2001:db8:1::/64", .reply = "412 more in 60 s" };
	Fixture f;

	fixture_open(&f);
	refusals_note(f.refusals, &refusal);
	assert_found(&f, "2001:db8:1::17", 10, "n;");
	assert_found(&f, "2001:db8:2::17", 10, "");
	fixture_close(&f);
}

static void *
note_many(void *data)
{
	for (int i = 0; i < REFUSALS_ROUNDS; i++)
		note(data, NOON + i, "s", NULL);
	return NULL;
}

static void
test_threads(void)
{
	GThread *threads[REFUSALS_THREADS];
	int found = 0;
	Fixture f;

	fixture_open(&f);
	for (int i = 0; i < REFUSALS_THREADS; i++)
		threads[i] = g_thread_new("note", note_many, &f);
	for (int i = 0; i < REFUSALS_THREADS; i++)
		(void)g_thread_join(threads[i]);
	CU_ASSERT_TRUE(refusals_find(f.refusals, "s", 100000, count, &found, NULL));
	CU_ASSERT_EQUAL(found, REFUSALS_THREADS * REFUSALS_ROUNDS);
	fixture_close(&f);
}

/* The file of the day is a pipe that nobody reads yet: so many wait behind the one that is being written. */
static void
test_most_waiting(void)
{
	enum { MOST = 20, NOTED = 100 };
	g_autofree char *directory = unit_new_directory(), *day = g_build_filename(directory, "2024-10-04.json", NULL);
	const Refusal refusal = { .time_us = NOON, .session = "s", .stage = "rcpt", .reply = "550 no" };
	Refusals *refusals;
	int fd;

	CU_ASSERT_EQUAL_FATAL(mkfifo(day, 0600), 0);
	refusals = refusals_open(&(RefusalsSettings){
								 .directory = directory, .keep_us = 14 * DAY, .most_per_day = 1 << 30, .most_waiting = MOST },
		NULL);
	for (int i = 0; i < NOTED; i++)
		refusals_note(refusals, &refusal);
	CU_ASSERT_TRUE(refusals_lost(refusals) >= NOTED - 2 * MOST && refusals_lost(refusals) <= NOTED - MOST);
	fd = open(day, O_RDONLY | O_NONBLOCK);
	refusals_close(refusals);
	(void)close(fd);
	unit_remove_directory(directory);
}

static void
test_no_directory(void)
{
	g_autoptr(GError) error = NULL;

	CU_ASSERT_PTR_NULL(refusals_open(&(RefusalsSettings){ .directory = "/proc/nonexistent", .keep_us = DAY }, &error));
	CU_ASSERT_PTR_NOT_NULL(error);
}

static const UnitTest refusals_tests[] = {
	{ "found by session, login, client, address, newest first", test_found },
	{ "found after a restart", test_reopened },
	{ "damaged and partial lines are skipped", test_damaged },
	{ "old days are removed", test_expired },
	{ "so many wait to be written", test_most_waiting },
	{ "a line holds any text and gives it back", test_lines },
	{ "bad lines are refused", test_bad_lines },
	{ "a day is read backwards in blocks", test_blocks },
	{ "a day that is full takes no more", test_full_day },
	{ "a network is found by its addresses", test_network },
	{ "nothing is lost under threads", test_threads },
	{ "a directory that cannot be made is named", test_no_directory },
	{ NULL, NULL },
};
const UnitSuite suite_refusals = { "refusals", refusals_tests };
