/* store-tally.c - counters that are one value. */
#include "service/store-tally.h"

#include <string.h>

/* What `old` has of the counter in its present window; 0: nothing. */
static int64_t
tally_read(const char *old, const StoreTally *tally, int64_t window)
{
	const size_t length = strlen(tally->name);

	while (old != NULL && *old != '\0') {
		const char *colon = strchr(old, ':');
		char *end;

		if (colon == NULL)
			return 0;
		if ((size_t)(colon - old) == length && memcmp(old, tally->name, length) == 0 &&
			g_ascii_strtoll(colon + 1, &end, 10) == window && *end == ':')
			return g_ascii_strtoll(end + 1, NULL, 10);
		old += strcspn(old, " ");
		old += *old == ' ';
	}
	return 0;
}

bool
store_tally_add(const char *old, int64_t now_us, StoreTally *tallies, size_t n, char **value, int64_t *end_us)
{
	g_autoptr(GString) text = g_string_new(NULL);
	bool is_within = true;

	*end_us = 0;
	for (size_t i = 0; i < n; i++) {
		StoreTally *tally = &tallies[i];

		tally->total = tally_read(old, tally, now_us / tally->window_us);
		is_within &= tally->most == 0 || tally->n == 0 || tally->total + tally->n <= tally->most;
	}
	if (!is_within)
		return false;
	for (size_t i = 0; i < n; i++) {
		StoreTally *tally = &tallies[i];
		const int64_t window = now_us / tally->window_us;

		tally->total += tally->n;
		*end_us = MAX(*end_us, (window + 1) * tally->window_us);
		g_string_append_printf(text, "%s%s:%" G_GINT64_FORMAT ":%" G_GINT64_FORMAT, i > 0 ? " " : "", tally->name,
			(gint64)window, (gint64)tally->total);
	}
	*value = g_string_free(g_steal_pointer(&text), FALSE);
	return true;
}
