/* control-mode.c - what a new mode of a domain takes away: settings of plugins that are not for domains of that mode. */
#include <string.h>

#include "daemon/control-directory.h"

/* True: the value was right under the mode before, and is not under the one that the entry has now.  `why` is set. */
static bool
mode_forbids(PluginSet *set, const char *name, const char *value, const OptionPlaces *before,
	const OptionPlaces *now, char **why)
{
	g_autoptr(GError) error = NULL;

	if (!host_check_value(set, name, before, value, NULL) || host_check_value(set, name, now, value, &error))
		return false;
	*why = g_strdup(error->message);
	return true;
}

/* They belong together: "PLUGIN." is the beginning of `name`. */
static void
mode_drop_options(DirectoryEntry *entry, const char *name)
{
	const size_t length = (size_t)(strchr(name, '.') + 1 - name);
	g_auto(GStrv) names = g_strdupv((char **)(uintptr_t)directory_entry_names(entry));

	for (char **each = names; *each != NULL; each++)
		if (strncmp(*each, name, length) == 0)
			directory_entry_set(entry, *each, NULL);
}

char *
control_drop_unfit_options(Directory *directory, PluginSet *set, DirectoryEntry *entry)
{
	g_autoptr(DirectoryEntry) before = NULL;
	g_auto(GStrv) names = g_strdupv((char **)(uintptr_t)directory_entry_names(entry));
	OptionPlaces were, are;
	char *why = NULL;

	if (directory_entry_kind(entry) != PTN_DOMAIN ||
		directory_find_now(directory, PTN_DOMAIN, directory_entry_name(entry), CLOCK_NEVER, &before) != PTN_OK ||
		g_strcmp0(directory_entry_get(before, "mode"), directory_entry_get(entry, "mode")) == 0)
		return NULL;
	control_find_places(directory, before, &were);
	control_find_places(directory, entry, &are);
	for (char **name = names; why == NULL && *name != NULL; name++) {
		const char *value = directory_entry_get(entry, *name);

		if (strchr(*name, '.') != NULL && value != NULL &&
			g_strcmp0(directory_entry_get(before, *name), value) == 0 &&
			mode_forbids(set, *name, value, &were, &are, &why))
			mode_drop_options(entry, *name);
	}
	control_clear_places(before, &were);
	control_clear_places(entry, &are);
	return why;
}
