/* control-depend.c - what depends on a domain that is to be removed, or to be another than it was. */
#include "base/error.h"
#include "daemon/control-directory.h"
#include "engine/stay.h"

/* Mail that waits for the domain here, and domains that forward to it.  New; NULL: nothing, or an error. */
static char *
depend_describe(Daemon *daemon, const char *domain, GError **error)
{
	g_autoptr(GPtrArray) names = directory_forwarders(daemon->engine.directory, domain, false, error);
	g_autofree char *shown = names != NULL ? directory_show_names(names) : NULL;
	g_autoptr(DirectoryEntry) canonical = directory_entry_new(PTN_DOMAIN, domain);
	g_autoptr(GString) text = g_string_new(NULL);
	StayFigures held;

	if (names == NULL)
		return NULL;
	stay_figures(daemon->engine.stay, directory_entry_name(canonical), &held);
	if (held.messages > 0)
		g_string_append_printf(text, "%" G_GUINT64_FORMAT " held message%s for it would be bounced",
			held.messages, held.messages == 1 ? "" : "s");
	if (names->len > 0)
		g_string_append_printf(text, "%smail of %s is forwarded to it", text->len > 0 ? "; " : "", shown);
	return text->len > 0 ? g_strdup(text->str) : NULL;
}

bool
control_may_remove(Daemon *daemon, const char *domain, GError **error)
{
	g_autoptr(GError) failure = NULL;
	g_autofree char *dependents = depend_describe(daemon, domain, &failure);

	if (failure != NULL) {
		g_propagate_error(error, g_steal_pointer(&failure));
		return false;
	}
	if (dependents == NULL)
		return true;
	return error_set(error, POSTERN_ERROR_EXISTS, "would remove domain %s; %s; nothing was done: say --yes",
		domain, dependents);
}

/* Whether `entry` was a hosted domain, and is no hosted domain of the same customer any more. */
static bool
depend_leaves(Directory *directory, DirectoryEntry *entry)
{
	const char *hosted = directory_modes[MODE_HOSTED];
	g_autoptr(DirectoryEntry) before = NULL;

	if (directory_entry_kind(entry) != PTN_DOMAIN ||
		directory_find_now(directory, PTN_DOMAIN, directory_entry_name(entry), CLOCK_NEVER, &before) != PTN_OK ||
		g_strcmp0(directory_entry_get(before, "mode"), hosted) != 0)
		return false;
	return g_strcmp0(directory_entry_get(entry, "mode"), hosted) != 0 ||
		   g_strcmp0(directory_entry_get(before, "customer"), directory_entry_get(entry, "customer")) != 0;
}

bool
control_may_leave(Directory *directory, DirectoryEntry *entry, GError **error)
{
	const char *name = directory_entry_name(entry);
	g_autoptr(GPtrArray) names = NULL;
	g_autofree char *shown = NULL;

	if (!depend_leaves(directory, entry))
		return true;
	names = directory_forwarders(directory, name, true, error);
	shown = names != NULL ? directory_show_names(names) : NULL;
	if (names == NULL || names->len == 0)
		return names != NULL;
	return error_set(error, POSTERN_ERROR_EXISTS,
		"mail of %s goes into mailboxes of %s; set their forward-to or mode first, or import all of them together",
		shown, name);
}
