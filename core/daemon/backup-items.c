/* backup-items.c - the items of a store as lines of text. */
#include "daemon/backup-items.h"

#include <string.h>

#include "base/error.h"

/* ---- writing ---- */

static void
items_put_escaped(GString *out, const char *text)
{
	for (const char *c = text; *c != '\0'; c++) {
		switch (*c) {
		case '\\':
			g_string_append(out, "\\\\");
			break;
		case '\t':
			g_string_append(out, "\\t");
			break;
		case '\n':
			g_string_append(out, "\\n");
			break;
		case '\r':
			g_string_append(out, "\\r");
			break;
		default:
			g_string_append_c(out, *c);
		}
	}
}

void
backup_put_item(GString *out, const StoreItem *item)
{
	items_put_escaped(out, item->key);
	if (item->expires_us == CLOCK_NEVER)
		g_string_append(out, "\t-\t");
	else
		g_string_append_printf(out, "\t%" G_GINT64_FORMAT "\t", item->expires_us);
	items_put_escaped(out, item->value);
	g_string_append_c(out, '\n');
}

void
backup_put_end(GString *out, size_t n)
{
	g_string_append_printf(out, "end %zu\n", n);
}

/* ---- reading ---- */

/* In place; false: an escape that backup_put_item() does not write. */
static bool
items_unescape(char *text)
{
	static const char letters[] = "\\tnr", meant[] = "\\\t\n\r";
	char *to = text;

	for (const char *from = text; *from != '\0'; from++) {
		const char *letter;

		if (*from != '\\') {
			*to++ = *from;
			continue;
		}
		from++;
		letter = *from != '\0' ? strchr(letters, *from) : NULL;
		if (letter == NULL)
			return false;
		*to++ = meant[letter - letters];
	}
	*to = '\0';
	return true;
}

static bool
items_read_expiry(const char *text, int64_t *expires_us)
{
	gint64 read;

	*expires_us = CLOCK_NEVER;
	if (strcmp(text, "-") == 0)
		return true;
	if (!g_ascii_string_to_signed(text, 10, 0, G_MAXINT64, &read, NULL))
		return false;
	*expires_us = read;
	return true;
}

static bool
items_load_line(char *line, Store *into)
{
	char *expiry = strchr(line, '\t');
	char *value = expiry != NULL ? strchr(expiry + 1, '\t') : NULL;
	StoreItem item = { .key = line };

	if (value == NULL)
		return false;
	*expiry = *value = '\0';
	item.value = value + 1;
	return items_read_expiry(expiry + 1, &item.expires_us) && items_unescape(item.key) &&
		   items_unescape(item.value) && store_load(into, &item, CLOCK_NEVER) == PTN_OK;
}

/* The line behind `line`, which gets its NUL; NULL: there is no newline. */
static char *
items_end_line(char *line, const char *end)
{
	char *newline = memchr(line, '\n', (size_t)(end - line));

	if (newline == NULL)
		return NULL;
	*newline = '\0';
	return newline + 1;
}

bool
backup_read_items(char *text, size_t size, Store *into, size_t *n, GError **error)
{
	const char *end = text + size;
	char *line = text, *next;

	if (strlen(text) != size)
		return error_set(error, POSTERN_ERROR_DAMAGED, "it holds a NUL");
	for (*n = 0; (next = items_end_line(line, end)) != NULL; line = next, (*n)++) {
		guint64 expected;

		if (g_str_has_prefix(line, "end ") && strchr(line, '\t') == NULL) {
			if (next != end || !g_ascii_string_to_unsigned(line + 4, 10, 0, G_MAXUINT64, &expected, NULL) ||
				expected != *n)
				return error_set(error, POSTERN_ERROR_DAMAGED, "its last line does not count its %zu items", *n);
			return true;
		}
		if (!items_load_line(line, into))
			return error_set(error, POSTERN_ERROR_DAMAGED, "line %zu is no item of a store", *n + 1);
	}
	return error_set(error, POSTERN_ERROR_DAMAGED, "it ends after %zu items, without its last line", *n);
}
