/* store-tally.c - counters that are one value. */
#include "service/store-tally.h"

#include <string.h>

/* A counter as it is written; `name` is not terminated. */
typedef struct {
	const char *name;
	size_t length;
	int64_t window, total, end_us;
} Written;

/* The next one of `text`, which moves behind it; false: there is none. */
static bool
tally_next(const char **text, int64_t old_end_us, Written *written)
{
	const char *start = *text + strspn(*text, " "), *colon = strchr(start, ':');
	char *end;

	if (colon == NULL)
		return false;
	*written = (Written){ .name = start, .length = (size_t)(colon - start), .end_us = old_end_us };
	written->window = g_ascii_strtoll(colon + 1, &end, 10);
	written->total = *end == ':' ? g_ascii_strtoll(end + 1, &end, 10) : 0;
	if (*end == ':')
		written->end_us = g_ascii_strtoll(end + 1, &end, 10);
	*text = end + strcspn(end, " ");
	return true;
}

static bool
tally_is(const StoreTally *tally, int64_t now_us, const Written *written)
{
	return strlen(tally->name) == written->length &&
		   memcmp(tally->name, written->name, written->length) == 0 &&
		   now_us / tally->window_us == written->window;
}

/* What `old` has of the counter in its present window; 0: nothing. */
static int64_t
tally_read(const char *old, const StoreTally *tally, int64_t now_us)
{
	Written written;

	while (old != NULL && tally_next(&old, 0, &written))
		if (tally_is(tally, now_us, &written))
			return written.total;
	return 0;
}

static void
tally_put(GString *text, const Written *written, int64_t *end_us)
{
	g_string_append_printf(text,
		"%s%.*s:%" G_GINT64_FORMAT ":%" G_GINT64_FORMAT ":%" G_GINT64_FORMAT,
		text->len > 0 ? " " : "", (int)written->length, written->name, (gint64)written->window,
		(gint64)written->total, (gint64)written->end_us);
	*end_us = MAX(*end_us, written->end_us);
}

/* Counters that the call does not name; nodes may be configured with other windows. */
static void
tally_carry(const char *old, int64_t old_end_us, int64_t now_us, const StoreTally *tallies,
	size_t n, GString *text, int64_t *end_us)
{
	Written written;

	while (old != NULL && tally_next(&old, old_end_us, &written)) {
		bool is_named = false;

		for (size_t i = 0; i < n; i++)
			is_named |= tally_is(&tallies[i], now_us, &written);
		if (!is_named && written.end_us > now_us)
			tally_put(text, &written, end_us);
	}
}

bool
store_tally_add(const char *old, int64_t old_end_us, int64_t now_us, StoreTally *tallies, size_t n,
	char **value, int64_t *end_us)
{
	g_autoptr(GString) text = g_string_new(NULL);
	bool is_within = true;

	*end_us = 0;
	for (size_t i = 0; i < n; i++) {
		StoreTally *tally = &tallies[i];

		tally->total = tally_read(old, tally, now_us);
		is_within &= tally->most == 0 || tally->n == 0 || tally->total + tally->n <= tally->most;
	}
	if (!is_within)
		return false;
	tally_carry(old, old_end_us, now_us, tallies, n, text, end_us);
	for (size_t i = 0; i < n; i++) {
		StoreTally *tally = &tallies[i];
		const int64_t window = now_us / tally->window_us;

		tally->total += tally->n;
		tally_put(text,
			&(Written){ tally->name, strlen(tally->name), window, tally->total,
				(window + 1) * tally->window_us },
			end_us);
	}
	*value = g_string_free(g_steal_pointer(&text), FALSE);
	return true;
}
