/* directory-enabled.c - since when a customer or an account may send again.
 *
 * Whoever counts against an account begins anew there: what it did before was dealt with.  The time stands in the entry, written
 * with the change itself, so that each node, and a restored backup, has it. */
#include <string.h>

#include "service/directory-private.h"

enum { ENABLED_US_DIGITS = 6 };

/* New. */
static char *
enabled_format(int64_t us)
{
	g_autoptr(GDateTime) time = g_date_time_new_from_unix_utc(us / CLOCK_SECOND);
	g_autofree char *seconds = time != NULL ? g_date_time_format(time, "%Y-%m-%dT%H:%M:%S") : g_strdup("");

	return g_strdup_printf("%s.%0*dZ", seconds, ENABLED_US_DIGITS, (int)(us % CLOCK_SECOND));
}

bool
directory_enabled_since(const DirectoryEntry *entry, int64_t *us)
{
	const char *text = directory_entry_get(entry, "enabled-since");
	g_autoptr(GDateTime) time = text != NULL ? g_date_time_new_from_iso8601(text, NULL) : NULL;

	if (time == NULL)
		return false;
	*us = g_date_time_to_unix(time) * CLOCK_SECOND + g_date_time_get_microsecond(time);
	return true;
}

static bool
enabled_is_barred(const DirectoryEntry *entry)
{
	static const char *const switches[] = { "enabled", "outbound" };

	for (size_t i = 0; i < G_N_ELEMENTS(switches); i++)
		if (g_strcmp0(directory_entry_get(entry, switches[i]), "no") == 0)
			return true;
	return false;
}

/* The times of one entry rise, whatever the clock does: each names another beginning. */
void
directory_note_enabled(Directory *directory, const DirectoryEntry *before, DirectoryEntry *entry)
{
	const PtnKind kind = directory_entry_kind(entry);
	g_autofree char *text = NULL;
	int64_t now_us, last_us;

	if (before == NULL || (kind != PTN_CUSTOMER && kind != PTN_ACCOUNT) || !enabled_is_barred(before) ||
		enabled_is_barred(entry))
		return;
	now_us = clock_wall(directory->clock);
	if (directory_enabled_since(before, &last_us) && now_us <= last_us)
		now_us = last_us + 1;
	text = enabled_format(now_us);
	directory_entry_set(entry, "enabled-since", text);
}
