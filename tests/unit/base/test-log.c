/* test-log.c - one line per event. */
#include "base/log.h"

#include <glib/gstdio.h>
#include <string.h>

#include "base/error.h"
#include "suites.h"

typedef struct {
	char *directory, *path;
} LogFixture;

static LogFixture
log_fixture(LogFormat format, LogLevel least)
{
	LogFixture fixture = { .directory = unit_new_directory() };

	fixture.path = g_build_filename(fixture.directory, "log", NULL);
	CU_ASSERT_TRUE_FATAL(log_open(fixture.path, format, least, NULL));
	return fixture;
}

static char *
log_content(const LogFixture *fixture)
{
	char *content = NULL;

	CU_ASSERT_TRUE_FATAL(g_file_get_contents(fixture->path, &content, NULL, NULL));
	return content;
}

static void
log_fixture_end(LogFixture *fixture)
{
	CU_ASSERT_TRUE(log_open("stderr", LOG_TEXT, LOG_LEVEL_INFO, NULL));
	unit_remove_directory(fixture->directory);
	g_free(fixture->directory);
	g_free(fixture->path);
}

/* Behind the time, which is "2026-11-22T08:00:00.000Z". */
static const char *
behind_time(const char *line)
{
	const bool is_time = strlen(line) > 25 && line[4] == '-' && line[10] == 'T' && line[19] == '.' &&
		line[23] == 'Z';

	return is_time ? line + 25 : line;
}

static void
writes_text(void)
{
	LogFixture fixture = log_fixture(LOG_TEXT, LOG_LEVEL_INFO);
	g_autofree char *content = NULL;
	g_auto(GStrv) lines = NULL;

	log_event(LOG_LEVEL_INFO, "message accepted", "queue", "3F9A", "from", "<a@b.example>", NULL);
	log_event(LOG_LEVEL_WARNING, "odd", "login", "a b", "empty", "", "none", NULL, "quote", "a\"b\\c", NULL);
	log_event(LOG_LEVEL_DEBUG, "not shown", NULL);
	log_event(LOG_LEVEL_ERROR, "bare", NULL);
	content = log_content(&fixture);
	lines = g_strsplit(content, "\n", -1);
	CU_ASSERT_EQUAL_FATAL(g_strv_length(lines), 4);
	ASSERT_TEXT(behind_time(lines[0]), "info: message accepted queue=3F9A from=<a@b.example>");
	ASSERT_TEXT(behind_time(lines[1]), "warning: odd login=\"a b\" empty=\"\" quote=\"a\\\"b\\\\c\"");
	ASSERT_TEXT(behind_time(lines[2]), "error: bare");
	log_fixture_end(&fixture);
}

static void
keeps_controls_out(void)
{
	LogFixture fixture = log_fixture(LOG_TEXT, LOG_LEVEL_INFO);
	g_autofree char *content = NULL;
	g_auto(GStrv) lines = NULL;

	log_event(LOG_LEVEL_INFO, "x", "helo", "a\r\ninfo: forged\x1b[2J\x7f", NULL);
	log_event(LOG_LEVEL_INFO, "x", "helo", "b\xff\xc3\xbc", NULL);
	content = log_content(&fixture);
	lines = g_strsplit(content, "\n", -1);
	CU_ASSERT_EQUAL_FATAL(g_strv_length(lines), 3);
	ASSERT_TEXT(behind_time(lines[0]), "info: x helo=\"a\\u000d\\u000ainfo: forged\\u001b[2J\\u007f\"");
	ASSERT_TEXT(behind_time(lines[1]), "info: x helo=\"b\xef\xbf\xbd\xc3\xbc\"");
	log_fixture_end(&fixture);
}

static void
writes_json(void)
{
	LogFixture fixture = log_fixture(LOG_JSON, LOG_LEVEL_DEBUG);
	g_autofree char *content = NULL;

	log_event(LOG_LEVEL_DEBUG, "message accepted", "queue", "3F9A", "none", NULL, "reply", "250 \"Ok\"\n",
		NULL);
	content = log_content(&fixture);
	CU_ASSERT_TRUE(g_str_has_prefix(content, "{\"time\":\""));
	ASSERT_TEXT(content + strlen("{\"time\":\"2026-11-22T08:00:00.000Z"),
		"\",\"level\":\"debug\",\"event\":\"message accepted\","
		"\"queue\":\"3F9A\",\"reply\":\"250 \\\"Ok\\\"\\u000a\"}\n");
	log_fixture_end(&fixture);
}

static void
opens_anew(void)
{
	LogFixture fixture = log_fixture(LOG_TEXT, LOG_LEVEL_INFO);
	g_autofree char *moved = g_strconcat(fixture.path, ".1", NULL);
	g_autofree char *content = NULL;

	log_event(LOG_LEVEL_INFO, "before", NULL);
	CU_ASSERT_EQUAL(g_rename(fixture.path, moved), 0);
	CU_ASSERT_TRUE(log_open(fixture.path, LOG_TEXT, LOG_LEVEL_INFO, NULL));
	log_event(LOG_LEVEL_INFO, "after", NULL);
	content = log_content(&fixture);
	ASSERT_TEXT(behind_time(content), "info: after\n");
	log_fixture_end(&fixture);
}

static void
stays_if_it_cannot_open(void)
{
	LogFixture fixture = log_fixture(LOG_TEXT, LOG_LEVEL_INFO);
	g_autofree char *missing = g_build_filename(fixture.directory, "no", "log", NULL);
	g_autofree char *content = NULL;
	g_autoptr(GError) error = NULL;

	CU_ASSERT_FALSE(log_open(missing, LOG_TEXT, LOG_LEVEL_INFO, &error));
	CU_ASSERT_TRUE(g_error_matches(error, POSTERN_ERROR, POSTERN_ERROR_IO));
	g_clear_error(&error);
	CU_ASSERT_FALSE(log_open("syslog:nowhere", LOG_TEXT, LOG_LEVEL_INFO, &error));
	CU_ASSERT_TRUE(g_error_matches(error, POSTERN_ERROR, POSTERN_ERROR_INVALID));
	log_event(LOG_LEVEL_INFO, "still here", NULL);
	content = log_content(&fixture);
	ASSERT_TEXT(behind_time(content), "info: still here\n");
	log_fixture_end(&fixture);
}

static const UnitTest tests[] = {
	{ "Q-06 an event is a line of text", writes_text },
	{ "control characters never reach the log raw", keeps_controls_out },
	{ "an event is a line of JSON", writes_json },
	{ "after a rotation the file is opened anew", opens_anew },
	{ "the log in use stays if the new one cannot be opened", stays_if_it_cannot_open },
	{ 0 },
};

const UnitSuite suite_log = { "log", tests };
