/* control-check.c - whose options hold for an entry, and whether plugins agree with what is about to be written. */
#include <string.h>

#include "base/error.h"
#include "daemon/control-directory.h"

static DirectoryEntry *
check_find(Directory *directory, PtnKind kind, const char *name)
{
	DirectoryEntry *found = NULL;

	if (name != NULL)
		(void)directory_find_now(directory, kind, name, CLOCK_NEVER, &found);
	return found;
}

void
control_find_places(Directory *directory, DirectoryEntry *entry, OptionPlaces *places)
{
	const PtnKind kind = directory_entry_kind(entry);
	const char *customer = directory_entry_get(entry, "customer"); /* a new account has none yet: its domain has */

	*places = (OptionPlaces){ 0 };
	if (kind == PTN_CUSTOMER) {
		places->customer = entry;
		return;
	}
	if (kind == PTN_DOMAIN) {
		places->domain = entry;
		places->customer = check_find(directory, PTN_CUSTOMER, directory_entry_get(entry, "customer"));
		return;
	}
	places->account = entry;
	places->domain = check_find(directory, PTN_DOMAIN, directory_domain_of(directory_entry_name(entry)));
	if (places->domain != NULL)
		customer = directory_entry_get(places->domain, "customer");
	places->customer = check_find(directory, PTN_CUSTOMER, customer);
}

void
control_clear_places(const DirectoryEntry *entry, OptionPlaces *places)
{
	if (places->customer != entry)
		g_clear_pointer(&places->customer, directory_entry_free);
	if (places->domain != entry)
		g_clear_pointer(&places->domain, directory_entry_free);
}

/* What was set long ago may be wrong by now (a lower level, say); it does not stand in the way of other changes. */
bool
control_check_changes(
	Directory *directory, PluginSet *set, DirectoryEntry *before, DirectoryEntry *entry, GError **error)
{
	OptionPlaces places;
	bool is_right = true;

	control_find_places(directory, entry, &places);
	for (const char *const *name = directory_entry_names(entry); is_right && *name != NULL; name++) {
		const char *value = directory_entry_get(entry, *name);
		const char *old = before != NULL ? directory_entry_get(before, *name) : NULL;

		if (strchr(*name, '.') != NULL && g_strcmp0(old, value) != 0)
			is_right = host_check_value(set, *name, &places, value, error);
	}
	control_clear_places(entry, &places);
	return is_right;
}
