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

/* Whether `before` is a hosted domain, and `entry` no hosted domain of the same customer any more. */
static bool
depend_leaves(const DirectoryEntry *before, const DirectoryEntry *entry)
{
	const char *hosted = directory_modes[MODE_HOSTED];

	if (directory_entry_kind(entry) != PTN_DOMAIN || g_strcmp0(directory_entry_get(before, "mode"), hosted) != 0)
		return false;
	return g_strcmp0(directory_entry_get(entry, "mode"), hosted) != 0 ||
		   g_strcmp0(directory_entry_get(before, "customer"), directory_entry_get(entry, "customer")) != 0;
}

/* A forwarder into the mailboxes of `hosted` is right if it is of the same customer. */
static bool
depend_fits(Directory *directory, const char *forwarder, const DirectoryEntry *hosted)
{
	g_autoptr(DirectoryEntry) entry = NULL;

	return g_strcmp0(directory_entry_get(hosted, "mode"), directory_modes[MODE_HOSTED]) == 0 &&
		   directory_find_now(directory, PTN_DOMAIN, forwarder, CLOCK_NEVER, &entry) == PTN_OK &&
		   g_strcmp0(directory_entry_get(entry, "customer"), directory_entry_get(hosted, "customer")) == 0;
}

bool
control_may_leave(Directory *directory, const DirectoryEntry *before, const DirectoryEntry *entry, GError **error)
{
	const char *name = directory_entry_name(entry);
	g_autoptr(GPtrArray) names = NULL;
	g_autofree char *shown = NULL;

	if (!depend_leaves(before, entry))
		return true;
	names = directory_forwarders(directory, name, true, error);
	for (guint i = names != NULL ? names->len : 0; i-- > 0;)
		if (depend_fits(directory, g_ptr_array_index(names, i), entry))
			g_ptr_array_remove_index(names, i);
	shown = names != NULL ? directory_show_names(names) : NULL;
	if (names == NULL || names->len == 0)
		return names != NULL;
	return error_set(error, POSTERN_ERROR_EXISTS,
		"mail of %s goes into mailboxes of %s; set their forward-to or mode first, or import all of them together",
		shown, name);
}
