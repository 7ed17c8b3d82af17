/* directory-remove.c - what goes with an entry that is removed, and what stands in the way. */
#include <string.h>

#include "base/error.h"
#include "service/directory-private.h"

enum { CHECK_PAGE = 200, CHECK_SHOWN = 3 };

typedef bool DirectoryWants(const void *data, const DirectoryEntry *entry);

/* Names of the entries of `kind` with `option` that `wants`; NULL: the directory cannot tell. */
static GPtrArray *
directory_collect(Directory *directory, PtnKind kind, const char *option, DirectoryWants *wants, const void *data,
	GError **error)
{
	g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
	g_autofree char *after = NULL;

	for (;;) {
		g_autoptr(GPtrArray) page = NULL;

		if (directory_list(directory, kind, option, after, CHECK_PAGE, directory_deadline(), &page) != PTN_OK) {
			(void)error_set(error, POSTERN_ERROR_UNAVAILABLE, "the directory cannot be listed now");
			return NULL;
		}
		if (page->len == 0)
			return g_steal_pointer(&names);
		for (guint i = 0; i < page->len; i++)
			if (wants(data, g_ptr_array_index(page, i)))
				g_ptr_array_add(names, g_strdup(directory_entry_name(g_ptr_array_index(page, i))));
		g_free(after);
		after = g_strdup(directory_entry_name(g_ptr_array_index(page, page->len - 1)));
	}
}

typedef struct {
	const char *option, *value;
} OptionIs;

static bool
directory_option_is(const void *data, const DirectoryEntry *entry)
{
	const OptionIs *wanted = data;

	return g_ascii_strcasecmp(directory_entry_get(entry, wanted->option), wanted->value) == 0;
}

static GPtrArray *
directory_names_with(Directory *directory, PtnKind kind, const char *option, const char *value, GError **error)
{
	const OptionIs wanted = { option, value };

	return directory_collect(directory, kind, option, directory_option_is, &wanted, error);
}

static bool
directory_remove_one(Directory *directory, PtnKind kind, const char *name, Actor *actor, GPtrArray *removed,
	GError **error)
{
	const char *word = directory_kind_name(kind);

	switch (directory_remove(directory, kind, name, actor, directory_deadline())) {
	case PTN_OK:
		g_ptr_array_add(removed, g_strdup_printf("%s %s", word, name));
		return true;
	case PTN_NONE:
		return error_set(error, POSTERN_ERROR_NOT_FOUND, "there is no %s \"%s\"", word, name);
	default:
		return error_set(error, POSTERN_ERROR_UNAVAILABLE, "%s %s cannot be removed now", word, name);
	}
}

char *
directory_show_names(const GPtrArray *names)
{
	GString *text = g_string_new(NULL);

	for (guint i = 0; i < MIN(names->len, CHECK_SHOWN); i++)
		g_string_append_printf(text, "%s%s", i > 0 ? ", " : "", (const char *)g_ptr_array_index(names, i));
	if (names->len > CHECK_SHOWN)
		g_string_append_printf(text, " and %u more", names->len - CHECK_SHOWN);
	return g_string_free(text, FALSE);
}

typedef struct {
	const char *domain;
	bool mailbox; /* into a mailbox of it */
} ForwardsTo;

static bool
directory_forwards_to(const void *data, const DirectoryEntry *entry)
{
	const ForwardsTo *wanted = data;
	const char *mode = directory_entry_get(entry, "mode"), *to = directory_entry_get(entry, "forward-to");

	if (g_strcmp0(mode, directory_modes[MODE_FORWARD_MAILBOX]) != 0 &&
		(wanted->mailbox || g_strcmp0(mode, directory_modes[MODE_FORWARD]) != 0))
		return false;
	return to != NULL && g_ascii_strcasecmp(directory_domain_of(to), wanted->domain) == 0 &&
		   strcmp(directory_entry_name(entry), wanted->domain) != 0;
}

GPtrArray *
directory_forwarders(Directory *directory, const char *domain, bool mailbox, GError **error)
{
	g_autoptr(DirectoryEntry) canonical = directory_entry_new(PTN_DOMAIN, domain);
	const ForwardsTo wanted = { directory_entry_name(canonical), mailbox };

	return directory_collect(directory, PTN_DOMAIN, "forward-to", directory_forwards_to, &wanted, error);
}

static bool
directory_refuse_target(Directory *directory, const char *domain, GError **error)
{
	g_autoptr(GPtrArray) names = directory_forwarders(directory, domain, true, error);
	g_autofree char *shown = names != NULL ? directory_show_names(names) : NULL;

	if (names == NULL || names->len == 0)
		return names != NULL;
	return error_set(error, POSTERN_ERROR_EXISTS,
		"mail of %s goes into mailboxes of %s; set their forward-to or mode first", shown, domain);
}

static bool
directory_refuse_in_use(Directory *directory, const char *customer, GError **error)
{
	g_autoptr(GPtrArray) domains = directory_names_with(directory, PTN_DOMAIN, "customer", customer, error);
	g_autofree char *shown = domains != NULL ? directory_show_names(domains) : NULL;

	if (domains == NULL || domains->len == 0)
		return domains != NULL;
	return error_set(
		error, POSTERN_ERROR_EXISTS, "customer %s has domains (%s); remove them first", customer, shown);
}

static bool
directory_remove_those_of(
	Directory *directory, PtnKind kind, const char *domain, Actor *actor, GPtrArray *removed, GError **error)
{
	g_autoptr(GPtrArray) names = directory_names_with(directory, kind, "domain", domain, error);

	for (guint i = 0; names != NULL && i < names->len; i++) {
		g_autoptr(GError) why = NULL;

		/* Gone in between is as good as removed. */
		if (!directory_remove_one(directory, kind, g_ptr_array_index(names, i), actor, removed, &why) &&
			why->code != POSTERN_ERROR_NOT_FOUND) {
			g_propagate_error(error, g_steal_pointer(&why));
			return false;
		}
	}
	return names != NULL;
}

bool
directory_remove_checked(Directory *directory, PtnKind kind, const char *given, Actor *actor, GPtrArray *removed,
	GError **error)
{
	g_autoptr(DirectoryEntry) canonical = directory_entry_new(kind, given);
	const char *name = directory_entry_name(canonical);

	if (kind == PTN_CUSTOMER && !directory_refuse_in_use(directory, name, error))
		return false;
	if (kind == PTN_DOMAIN && !directory_refuse_target(directory, name, error))
		return false;
	if (kind == PTN_DOMAIN &&
		(!directory_remove_those_of(directory, PTN_ACCOUNT, name, actor, removed, error) ||
			!directory_remove_those_of(directory, PTN_RECIPIENT, name, actor, removed, error)))
		return false;
	return directory_remove_one(directory, kind, name, actor, removed, error);
}
