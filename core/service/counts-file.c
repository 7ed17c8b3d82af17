/* counts-file.c - what is kept at a stop while the store does not answer goes into a file, and is kept again by the next process.
 *
 * A line for each key: its name, mark, number of batches and state, then name, window and numbers of each counter, with tabs
 * between them, which no key has.  The mark goes along, so that a batch in doubt is still counted once. */
#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>

#include "base/error.h"
#include "service/counts-private.h"

enum { FILE_OF_KEY = 4, FILE_OF_COUNTER = 6 };

static void
file_put_key(GString *text, const Key *key)
{
	g_string_append_printf(text, "%s\t%s\t%" G_GINT64_FORMAT "\t%s%s%s", key->key, key->mark, (gint64)key->batches,
		key->is_doubtful ? "d" : "", key->is_restarting ? "r" : "", key->is_kept ? "k" : "");
	for (guint i = 0; i < key->counters->len; i++) {
		const Counter *counter = &g_array_index(key->counters, Counter, i);
		const int64_t numbers[] = { counter->window_us, counter->kept, counter->kept_window, counter->doubtful,
			counter->doubtful_window };

		g_string_append_printf(text, "\t%s", counter->name);
		for (size_t k = 0; k < G_N_ELEMENTS(numbers); k++)
			g_string_append_printf(text, "\t%" G_GINT64_FORMAT, (gint64)numbers[k]);
	}
	g_string_append_c(text, '\n');
}

bool
counts_save(Counts *counts, const char *path, GError **error)
{
	g_autoptr(GString) text = g_string_new(NULL);
	GHashTableIter iter;
	void *key;

	g_mutex_lock(&counts->lock);
	g_hash_table_iter_init(&iter, counts->keys);
	while (g_hash_table_iter_next(&iter, NULL, &key))
		if (key_is_left(key))
			file_put_key(text, key);
	g_mutex_unlock(&counts->lock);
	if (text->len > 0)
		return g_file_set_contents_full(
			path, text->str, (gssize)text->len, G_FILE_SET_CONTENTS_CONSISTENT, 0600, error);
	return g_unlink(path) == 0 || errno == ENOENT || error_set_errno(error, "%s", path);
}

/* Lock held.  What makes no sense is left out. */
static void
file_take_key(Counts *counts, char **words)
{
	const guint n = g_strv_length(words);
	Key *key;

	if (n <= FILE_OF_KEY || (n - FILE_OF_KEY) % FILE_OF_COUNTER != 0)
		return;
	key = counts_find_locked(counts, words[0]);
	if (key == NULL)
		return;
	(void)g_strlcpy(key->mark, words[1], sizeof key->mark);
	key->batches = g_ascii_strtoll(words[2], NULL, 10);
	key->is_doubtful = key->was_sent = strchr(words[3], 'd') != NULL;
	key->is_restarting = strchr(words[3], 'r') != NULL;
	key->is_kept = strchr(words[3], 'k') != NULL;
	for (char **word = words + FILE_OF_KEY; *word != NULL; word += FILE_OF_COUNTER) {
		const int64_t window_us = g_ascii_strtoll(word[1], NULL, 10);
		Counter *counter;

		if (window_us <= 0)
			continue;
		counter = key_take_counter(key, word[0]);
		counter->window_us = window_us;
		counter->kept = g_ascii_strtoll(word[2], NULL, 10);
		counter->kept_window = g_ascii_strtoll(word[3], NULL, 10);
		counter->doubtful = g_ascii_strtoll(word[4], NULL, 10);
		counter->doubtful_window = g_ascii_strtoll(word[5], NULL, 10);
	}
}

bool
counts_load(Counts *counts, const char *path, GError **error)
{
	g_autofree char *text = NULL;
	g_auto(GStrv) lines = NULL;

	if (!g_file_test(path, G_FILE_TEST_EXISTS))
		return true;
	if (!g_file_get_contents(path, &text, NULL, error))
		return false;
	lines = g_strsplit(text, "\n", -1);
	g_mutex_lock(&counts->lock);
	for (char **line = lines; *line != NULL; line++) {
		g_auto(GStrv) words = g_strsplit(*line, "\t", -1);

		file_take_key(counts, words);
	}
	g_mutex_unlock(&counts->lock);
	return g_unlink(path) == 0 || error_set_errno(error, "%s", path);
}
