/* test-content.c - octets that arrive, in memory and in a file. */
#include <string.h>

#include "mail/spool-file.h"
#include "unit/mail/mail.h"

static void
content_append_many(Content *content, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		g_autofree char *line = g_strdup_printf("line %u\r\n", i);

		content_append(content, line, strlen(line));
	}
}

static bool
content_is_many(Content *content, unsigned n)
{
	g_autoptr(Content) wanted = content_new(NULL);
	size_t size, wanted_size;
	const char *data = content_data(content, &size), *wanted_data;

	content_append_many(wanted, n);
	wanted_data = content_data(wanted, &wanted_size);
	return data != NULL && size == wanted_size && memcmp(data, wanted_data, size) == 0;
}

static void
test_memory(void)
{
	g_autoptr(Fixture) fixture = fixture_new();
	g_autoptr(Content) content = content_new(fixture->spool);
	size_t size;

	CU_ASSERT_EQUAL(content_size(content), 0);
	CU_ASSERT_PTR_NOT_NULL(content_data(content, &size));
	content_append_many(content, 100);
	CU_ASSERT_FALSE(content_wants_flush(content));
	CU_ASSERT_FALSE(content_has_file(content));
	CU_ASSERT(content_is_many(content, 100));
	CU_ASSERT(content_finish(content, NULL));
}

static void
test_file(void)
{
	g_autoptr(Fixture) fixture = fixture_new();
	g_autoptr(Content) content = content_new(fixture->spool);
	SpoolFigures figures;

	content_append_many(content, 3000);
	CU_ASSERT(content_wants_flush(content));
	CU_ASSERT(content_flush(content, NULL));
	CU_ASSERT(content_has_file(content));
	CU_ASSERT(content_is_many(content, 3000));
	CU_ASSERT(content_finish(content, NULL));
	CU_ASSERT(content_is_many(content, 3000));
	spool_figures(fixture->spool, &figures);
	CU_ASSERT_EQUAL(figures.files, 1);
}

/* Appending goes on after the first flush, and the mapping follows. */
static void
test_file_grows(void)
{
	g_autoptr(Fixture) fixture = fixture_new();
	g_autoptr(Content) content = content_new(fixture->spool);
	ContentPlace place;

	for (unsigned i = 0; i < 3000; i++) {
		g_autofree char *line = g_strdup_printf("line %u\r\n", i);

		content_append(content, line, strlen(line));
		if (i % 700 == 0)
			CU_ASSERT(content_flush(content, NULL));
		if (i == 1000) {
			CU_ASSERT(content_is_many(content, 1001));
		}
	}
	content_place(content, &place);
	CU_ASSERT_FALSE(place.is_ready);
	CU_ASSERT(content_finish(content, NULL));
	content_place(content, &place);
	CU_ASSERT(place.is_ready && place.is_file);
	CU_ASSERT(content_is_many(content, 3000));
}

/* All sessions together hold too much: even a small one wants a file. */
static void
test_bound(void)
{
	g_autoptr(Fixture) fixture = fixture_new();
	Content *contents[5];

	spool_close(fixture->spool);
	fixture->settings.memory = 20000;
	fixture->spool = spool_open(&fixture->settings, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(contents); i++) {
		contents[i] = content_new(fixture->spool);
		content_append_many(contents[i], 500);
	}
	CU_ASSERT(content_wants_flush(contents[0]));
	for (size_t i = 1; i < G_N_ELEMENTS(contents); i++)
		content_free(contents[i]);
	CU_ASSERT_FALSE(content_wants_flush(contents[0]));
	content_free(contents[0]);
	CU_ASSERT_FALSE(spool_memory_is_full(fixture->spool));
}

static void
test_abandoned(void)
{
	g_autoptr(Fixture) fixture = fixture_new();
	Content *content = content_new(fixture->spool);
	SpoolFigures figures;

	content_append_many(content, 3000);
	CU_ASSERT(content_finish(content, NULL));
	CU_ASSERT(content_flush(content, NULL));
	content_free(content);
	fixture_reopen(fixture);
	spool_figures(fixture->spool, &figures);
	CU_ASSERT_EQUAL(figures.files, 0);
}

/* What was not finished is not committed, and nothing of it stays. */
static void
test_unfinished(void)
{
	g_autoptr(Fixture) fixture = fixture_new();
	Content *content = content_new(fixture->spool);
	SpoolTransaction *transaction = spool_transaction_new();

	content_append_many(content, 3000);
	CU_ASSERT(content_flush(content, NULL));
	spool_transaction_set_content(transaction, content);
	spool_transaction_add(transaction, fixture_envelope(1, 1), NULL);
	CU_ASSERT_EQUAL(spool_commit_wait(fixture->spool, transaction), SPOOL_FAILED);
	CU_ASSERT_EQUAL(spool_count(fixture->spool), 0);
}

/* The header, or all of it, is read into memory that is accounted; a full account makes it fail, and is no end. */
static void
test_read_back(void)
{
	g_autoptr(Fixture) fixture = fixture_new();
	Content *content = content_new(fixture->spool);
	size_t size;

	content_append(content, "Subject: x\r\n\r\n", 14);
	content_append_many(content, 30000);
	CU_ASSERT(content_flush(content, NULL) && content_finish(content, NULL));
	CU_ASSERT_PTR_NOT_NULL_FATAL(content_head(content, &size));
	CU_ASSERT(size >= 14 && size < content_size(content));
	spool_memory_add(fixture->spool, INT64_C(1) << 40);
	CU_ASSERT_PTR_NULL(content_data(content, &size));
	CU_ASSERT_PTR_NOT_NULL(content_head(content, &size)); /* what was read stays */
	spool_memory_add(fixture->spool, -(INT64_C(1) << 40));
	CU_ASSERT_PTR_NOT_NULL(content_data(content, &size));
	CU_ASSERT_EQUAL(size, content_size(content));
	content_free(content);
	CU_ASSERT(spool_memory_take(fixture->spool, UINT64_C(256) << 20)); /* all of it is there again */
	CU_ASSERT(spool_memory_take(fixture->spool, 1));
	CU_ASSERT_FALSE(spool_memory_take(fixture->spool, 1));
}

/* A header longer than what is read first is found whole. */
static void
test_long_header(void)
{
	g_autoptr(Fixture) fixture = fixture_new();
	g_autoptr(Content) content = content_new(fixture->spool);
	g_autofree char *value = g_strnfill(900, 'v');
	size_t size;

	for (int i = 0; i < 400; i++) {
		g_autofree char *field = g_strdup_printf("X-Field-%d: %s\r\n", i, value);

		content_append(content, field, strlen(field));
	}
	content_append(content, "\r\n", 2);
	content_append_many(content, 100000);
	CU_ASSERT(content_flush(content, NULL) && content_finish(content, NULL));
	CU_ASSERT_PTR_NOT_NULL_FATAL(content_head(content, &size));
	CU_ASSERT(size > 400 * 900 && size < content_size(content));
}

const UnitSuite content_suite = { "content", (const UnitTest[]){
	{ "small content stays in memory", test_memory },
	{ "large content has a file", test_file },
	{ "a file grows while content arrives", test_file_grows },
	{ "content in memory is bounded over all sessions", test_bound },
	{ "content that is not committed leaves nothing", test_abandoned },
	{ "content that was not synced is not committed", test_unfinished },
	{ "what is in a file is read back, accounted", test_read_back },
	{ "a long header is found whole", test_long_header },
	{ 0 } } };
