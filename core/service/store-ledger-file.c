/* store-ledger-file.c - the ledger on disk: lines of fields between tabs, the last line of a key
 * holds:
 *
 *     KEY INSTANCE GENERATION UNSETTLED NAME WINDOW NUMBER TOTAL OWN ALONE DEBT NAME …
 *
 * WINDOW is a length in µs, UNSETTLED 0 or 1.  Lines are written, and not synced: they are for a
 * process that ends, not for a power cut.  A page that was settled when the process ended comes
 * back as another instance, because what it counted with the store later is in no line; one that
 * was not settled sent nothing later. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "service/store-ledger-private.h"

enum { FILE_PAGE_FIELDS = 4, FILE_COUNTER_FIELDS = 7, FILE_SPARE_LINES = 10000 };

/* Logged once until it succeeds again. */
static void
file_failed(StoreLedger *ledger, const char *why)
{
	if (why != NULL && !ledger->has_failed)
		log_event(LOG_LEVEL_WARNING, "ledger not kept", "path", ledger->path, "error", why, NULL);
	ledger->has_failed = why != NULL;
}

static void
file_print(GString *text, const LedgerPage *page)
{
	g_string_append_printf(text, "%s\t%" G_GUINT64_FORMAT "\t%" G_GUINT64_FORMAT "\t%d", page->key,
		(guint64)page->instance, (guint64)page->generation, page->is_unsettled);
	for (guint i = 0; i < page->counters->len; i++) {
		const LedgerCounter *counter = &g_array_index(page->counters, LedgerCounter, i);

		g_string_append_printf(text,
			"\t%s\t%" G_GINT64_FORMAT "\t%" G_GINT64_FORMAT "\t%" G_GINT64_FORMAT
			"\t%" G_GINT64_FORMAT "\t%" G_GINT64_FORMAT "\t%" G_GINT64_FORMAT,
			counter->name, (gint64)counter->window_us, (gint64)counter->number,
			(gint64)counter->total, (gint64)counter->own, (gint64)counter->alone,
			(gint64)counter->debt);
	}
	g_string_append_c(text, '\n');
}

/* ---- writing ---- */

void
ledger_file_write(StoreLedger *ledger)
{
	g_autoptr(GString) text = g_string_new(NULL);
	g_autoptr(GError) error = NULL;
	GHashTableIter each;
	void *page;

	if (ledger->path == NULL)
		return;
	g_hash_table_iter_init(&each, ledger->pages);
	while (g_hash_table_iter_next(&each, NULL, &page))
		file_print(text, page);
	ledger_file_close(ledger);
	if (!g_file_set_contents_full(ledger->path, text->str, (gssize)text->len,
			G_FILE_SET_CONTENTS_CONSISTENT, 0600, &error)) {
		file_failed(ledger, error->message);
		return;
	}
	ledger->lines = g_hash_table_size(ledger->pages);
	ledger->file = open(ledger->path, O_WRONLY | O_APPEND | O_CLOEXEC);
	file_failed(ledger, ledger->file < 0 ? g_strerror(errno) : NULL);
}

void
ledger_file_add(StoreLedger *ledger, const LedgerPage *page)
{
	g_autoptr(GString) text = g_string_new(NULL);

	if (ledger->path == NULL)
		return;
	if (ledger->file < 0 ||
		ledger->lines > 2 * (size_t)g_hash_table_size(ledger->pages) + FILE_SPARE_LINES) {
		ledger_file_write(ledger);
		return;
	}
	file_print(text, page);
	if (write(ledger->file, text->str, text->len) != (ssize_t)text->len) {
		file_failed(ledger,
			g_strerror(errno)); /* a line in part is not read; the next writing makes a new file */
		ledger_file_close(ledger);
	}
	ledger->lines++;
}

void
ledger_file_close(StoreLedger *ledger)
{
	if (ledger->file >= 0)
		(void)close(ledger->file);
	ledger->file = -1;
}

/* ---- reading ---- */

static bool
read_number(const char *text, int64_t *number)
{
	gint64 value;

	if (!g_ascii_string_to_signed(text, 10, G_MININT64, G_MAXINT64, &value, NULL))
		return false;
	*number = value;
	return true;
}

static bool
read_counter(char **fields, LedgerCounter *counter)
{
	if (strlen(fields[0]) >= sizeof counter->name)
		return false;
	(void)g_strlcpy(counter->name, fields[0], sizeof counter->name);
	return read_number(fields[1], &counter->window_us) && counter->window_us > 0 &&
		   read_number(fields[2], &counter->number) && read_number(fields[3], &counter->total) &&
		   read_number(fields[4], &counter->own) && read_number(fields[5], &counter->alone) &&
		   read_number(fields[6], &counter->debt);
}

/* What a settled page has to say: what was counted alone, and what the total was. */
static void
page_forget(LedgerPage *page, const LedgerPage *fresh)
{
	page->instance = fresh->instance;
	page->generation = fresh->generation;
	for (guint i = 0; i < page->counters->len; i++)
		g_array_index(page->counters, LedgerCounter, i).own = 0;
}

static bool
read_page(char **fields, size_t n, LedgerPage *page)
{
	int64_t instance, generation;

	if (n < FILE_PAGE_FIELDS || (n - FILE_PAGE_FIELDS) % FILE_COUNTER_FIELDS != 0 ||
		!read_number(fields[1], &instance) || !read_number(fields[2], &generation))
		return false;
	page->instance = (uint64_t)instance;
	page->generation = (uint64_t)generation;
	page->is_unsettled = strcmp(fields[3], "1") == 0;
	for (size_t i = FILE_PAGE_FIELDS; i < n; i += FILE_COUNTER_FIELDS) {
		LedgerCounter counter;

		if (!read_counter(fields + i, &counter))
			return false;
		g_array_append_val(page->counters, counter);
	}
	return true;
}

static void
file_read_line(StoreLedger *ledger, const char *line)
{
	g_auto(GStrv) fields = g_strsplit(line, "\t", -1);
	const size_t n = g_strv_length(fields);
	LedgerPage *page;

	if (n == 0)
		return;
	page = ledger_page_new(ledger, fields[0]);
	if (!read_page(fields, n, page)) {
		ledger_page_free(page);
		return;
	}
	g_hash_table_replace(ledger->pages, page->key, page);
}

static void
file_read(StoreLedger *ledger, const char *text)
{
	GHashTableIter each;
	void *value;

	while (strchr(text, '\n') != NULL) {
		g_autofree char *line = g_strndup(text, strcspn(text, "\n"));

		file_read_line(ledger, line);
		text += strlen(line) + 1;
	}
	g_hash_table_iter_init(&each, ledger->pages);
	while (g_hash_table_iter_next(&each, NULL, &value)) {
		LedgerPage *page = value, *fresh;

		if (page->is_unsettled)
			continue;
		fresh = ledger_page_new(ledger, page->key);
		page_forget(page, fresh);
		ledger_page_free(fresh);
	}
}

void
ledger_file_open(StoreLedger *ledger)
{
	g_autofree char *text = NULL;
	g_autoptr(GError) error = NULL;

	if (ledger->path == NULL)
		return;
	if (g_file_get_contents(ledger->path, &text, NULL, &error))
		file_read(ledger, text);
	else if (!g_error_matches(error, G_FILE_ERROR, G_FILE_ERROR_NOENT))
		file_failed(ledger, error->message);
}
