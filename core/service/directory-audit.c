/* directory-audit.c - the record of each entry that was added, changed or removed. */
#include <string.h>

#include "service/directory-private.h"

enum { DIFFERENCE_VALUE = 1000 }; /* octets of one value that a record shows */

void
directory_set_audit(Directory *directory, Audit *audit, DirectoryHide *hide, void *data)
{
	directory->audit = audit;
	directory->hide = hide;
	directory->hide_data = data;
}

DirectoryEntry *
directory_before(Directory *directory, PtnKind kind, const char *name, int64_t deadline_us)
{
	DirectoryEntry *before = NULL;

	return directory_find_now(directory, kind, name, deadline_us, &before) == PTN_OK ? before : NULL;
}

/* ---- differences ---- */

static const char *
audit_value(DirectoryEntry *entry, const char *name)
{
	return entry != NULL ? directory_entry_get(entry, name) : NULL;
}

static void
audit_put_value(Directory *directory, PtnKind kind, const char *name, const char *value, GString *text)
{
	g_autofree char *shown = NULL;

	if (value == NULL)
		return;
	if (strcmp(name, "password") == 0)
		shown = g_strdup("(hidden)");
	else
		shown = directory->hide != NULL ? directory->hide(directory->hide_data, kind, name, value)
										: g_strdup(value);
	g_string_append_printf(text, "%s%s=", text->len > 0 ? " " : "", name);
	if (strlen(shown) > DIFFERENCE_VALUE)
		g_string_append_printf(text, "%.*s…", DIFFERENCE_VALUE, shown);
	else
		g_string_append(text, shown);
}

typedef struct {
	Directory *directory;
	PtnKind kind;
	DirectoryEntry *from, *to; /* NULL: there is none */
	GString *names, *before, *after;
} Difference;

static void
audit_compare(Difference *difference, const char *name)
{
	const char *before = audit_value(difference->from, name), *after = audit_value(difference->to, name);

	if (g_strcmp0(before, after) == 0)
		return;
	g_string_append_printf(difference->names, "%s%s", difference->names->len > 0 ? " " : "", name);
	audit_put_value(difference->directory, difference->kind, name, before, difference->before);
	audit_put_value(difference->directory, difference->kind, name, after, difference->after);
}

static void
audit_compare_all(Difference *difference)
{
	if (difference->to != NULL)
		for (const char *const *name = directory_entry_names(difference->to); *name != NULL; name++)
			audit_compare(difference, *name);
	if (difference->from != NULL)
		for (const char *const *name = directory_entry_names(difference->from); *name != NULL; name++)
			if (audit_value(difference->to, *name) == NULL)
				audit_compare(difference, *name);
}

/* The customer or domain of both, as words; new. */
static char *
audit_owner(const Difference *difference, PtnKind owner, const char *name)
{
	const char *option = directory_kind_name(owner);
	const char *before = audit_value(difference->from, option), *after = audit_value(difference->to, option);

	if (difference->kind == owner)
		return g_strdup(name);
	if (before == NULL || after == NULL || g_ascii_strcasecmp(before, after) == 0)
		return g_strdup(after != NULL ? after : before);
	return g_strconcat(after, " ", before, NULL);
}

void
directory_audit(Directory *directory, Actor *actor, PtnKind kind, const char *name, DirectoryEntry *before,
	DirectoryEntry *after)
{
	g_autoptr(GString) names = g_string_new(NULL);
	g_autoptr(GString) was = g_string_new(NULL);
	g_autoptr(GString) is = g_string_new(NULL);
	Difference difference = { directory, kind, before, after, names, was, is };
	g_autofree char *customer = NULL;
	g_autofree char *domain = NULL;
	AuditRecord record = { .kind = directory_kind_name(kind), .name = name };

	if (directory->audit == NULL)
		return;
	audit_compare_all(&difference);
	if (names->len == 0 && before != NULL && after != NULL)
		return; /* saved as it was */
	record.customer = customer = audit_owner(&difference, PTN_CUSTOMER, name);
	record.domain = domain = audit_owner(&difference, PTN_DOMAIN, name);
	record.options = names->str;
	record.before = before != NULL ? was->str : NULL;
	record.after = after != NULL ? is->str : NULL;
	audit_write(directory->audit, actor, &record);
}
