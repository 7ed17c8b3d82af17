/* test-golden.c - spools that earlier versions wrote are read as what they meant, field by field. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mail/spool-record.h"
#include "unit/mail/golden.h"

/* ---- spools as text ---- */

static char *
golden_read(unsigned version, const char *end)
{
	const char *top = g_getenv("TOP_SRCDIR");
	g_autofree char *path = g_strdup_printf(
		"%s/tests/unit/mail/golden/spool-%u.%s", top != NULL ? top : ".", version, end);
	char *text = NULL;

	if (!g_file_get_contents(path, &text, NULL, NULL))
		ASSERT_TEXT("cannot be read", path);
	CU_ASSERT_PTR_NOT_NULL_FATAL(text);
	return text;
}

static int
golden_create(const char *directory, const char *name, const char *size)
{
	g_autofree char *path = g_build_filename(directory, name, NULL);
	g_autofree char *folder = g_path_get_dirname(path);
	int fd;

	CU_ASSERT_EQUAL_FATAL(g_mkdir_with_parents(folder, 0700), 0);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT_EQUAL(ftruncate(fd, (off_t)strtoull(size, NULL, 10)), 0);
	return fd;
}

static void
golden_write_row(int fd, const char *at, const char *hex)
{
	uint8_t octets[64];
	const size_t n = strlen(hex) / 2;

	CU_ASSERT_FATAL(n <= sizeof octets);
	for (size_t i = 0; i < n; i++)
		octets[i] =
			(uint8_t)(g_ascii_xdigit_value(hex[2 * i]) << 4 | g_ascii_xdigit_value(hex[2 * i + 1]));
	CU_ASSERT_EQUAL(pwrite(fd, octets, n, (off_t)strtoull(at, NULL, 16)), (ssize_t)n);
}

/* "file NAME SIZE", then "OFFSET OCTETS" in hex for what is not zero. */
static void
golden_unpack(unsigned version, const char *directory)
{
	g_autofree char *text = golden_read(version, "hex");
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	int fd = -1;

	for (char **line = lines; *line != NULL && **line != '\0'; line++) {
		g_auto(GStrv) words = g_strsplit(*line, " ", -1);

		if (strcmp(words[0], "file") == 0) {
			if (fd >= 0)
				(void)close(fd);
			fd = golden_create(directory, words[1], words[2]);
		} else {
			golden_write_row(fd, words[0], words[1]);
		}
	}
	CU_ASSERT_FATAL(fd >= 0);
	(void)close(fd);
}

/* A fixture whose spool is that one. */
static Fixture *
golden_open(unsigned version)
{
	Fixture *fixture = fixture_new();
	char *fresh = fixture->directory;

	spool_close(fixture->spool);
	unit_remove_directory(fresh);
	g_free(fresh);
	fixture->directory = unit_new_directory();
	fixture->settings.directory = fixture->directory;
	fixture->settings.segment_size = GOLDEN_SEGMENT;
	golden_unpack(version, fixture->directory);
	fixture->spool = spool_open(&fixture->settings, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(fixture->spool);
	return fixture;
}

/* Line by line, so that a difference can be seen. */
static void
golden_compare(const char *got, const char *expected)
{
	g_auto(GStrv) a = g_strsplit(got, "\n", -1), b = g_strsplit(expected, "\n", -1);

	for (guint i = 0; a[i] != NULL || b[i] != NULL; i++) {
		ASSERT_TEXT(a[i], b[i]);
		if (a[i] == NULL || b[i] == NULL)
			return;
	}
}

/* For a new format: see README.md there. */
static void
golden_keep(Fixture *fixture, const char *text, const char *keep)
{
	g_autofree char *path = g_strconcat(keep, ".txt", NULL);
	char *words[] = { (char[]){ "cp" }, (char[]){ "-r" }, fixture->directory, g_strdup(keep),
		NULL };
	int status = -1;

	CU_ASSERT(g_file_set_contents(path, text, -1, NULL));
	spool_close(fixture->spool);
	CU_ASSERT(g_spawn_sync(
				  NULL, words, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, &status, NULL) &&
			  status == 0);
	fixture->spool = spool_open(&fixture->settings, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(fixture->spool);
	g_free(words[3]);
}

/* ---- tests ---- */

static void
test_versions(void)
{
	CU_ASSERT(NOTIFY_NEVER == 1 && NOTIFY_SUCCESS == 2 && NOTIFY_FAILURE == 4 && NOTIFY_DELAY == 8);
	for (unsigned version = SPOOL_OLDEST_VERSION; version <= SPOOL_VERSION; version++) {
		g_autofree char *expected = golden_read(version, "txt");
		g_autoptr(Fixture) fixture = golden_open(version);
		g_autofree char *first = golden_text(fixture->spool), *again = NULL;
		SpoolFigures figures;

		golden_compare(first, expected);
		spool_figures(fixture->spool, &figures);
		CU_ASSERT_FALSE(figures.has_damage);
		fixture_reopen(fixture); /* by now of the present format */
		again = golden_text(fixture->spool);
		golden_compare(again, expected);
	}
}

/* A spool of an earlier version takes mail, and has both afterwards. */
static void
test_goes_on(void)
{
	for (unsigned version = SPOOL_OLDEST_VERSION; version <= SPOOL_VERSION; version++) {
		g_autoptr(Fixture) fixture = golden_open(version);
		const size_t before = spool_count(fixture->spool);
		const QueueId id = spool_highest_id(fixture->spool) + 1;
		g_autofree char *shown = NULL;

		CU_ASSERT_EQUAL(fixture_commit(fixture, id, "Subject: new\r\n\r\n", 1), SPOOL_COMMITTED);
		fixture_reopen(fixture);
		CU_ASSERT_EQUAL(spool_count(fixture->spool), before + 1);
		shown = fixture_read(fixture->spool, id);
		ASSERT_TEXT(shown, "Subject: new\r\n\r\n");
	}
}

/* The same messages written now are read as those of the golden spool. */
static void
test_written_now(void)
{
	const char *keep = g_getenv("GOLDEN_KEEP");
	g_autoptr(Fixture) fixture = fixture_new();
	g_autofree char *text = NULL, *expected = NULL;

	golden_fill(fixture);
	fixture_reopen(fixture);
	text = golden_text(fixture->spool);
	if (keep != NULL)
		golden_keep(fixture, text, keep);
	expected = golden_read(SPOOL_VERSION, "txt");
	golden_compare(text, expected);
}

const UnitSuite golden_suite = { "golden",
	(const UnitTest[]){ { "the same messages written now", test_written_now },
		{ "Q-02 spools of each format are read, field by field", test_versions },
		{ "Q-02 spools of each format go on", test_goes_on }, { 0 } } };
