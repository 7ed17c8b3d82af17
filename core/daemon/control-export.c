/* control-export.c - posternctl export: the directory as text that import reads. */
#include <string.h>

#include "daemon/control.h"

enum { EXPORT_PAGE = 1000 };

static bool
export_needs_quotes(const char *value)
{
	const size_t size = strlen(value);

	return size == 0 || value[0] == '"' || value[0] == '#' || strstr(value, " #") != NULL ||
		   strstr(value, "\t#") != NULL || g_ascii_isspace(value[0]) || g_ascii_isspace(value[size - 1]);
}

static void
export_put_value(GString *out, const char *name, const char *value)
{
	const bool is_quoted = export_needs_quotes(value);

	g_string_append_printf(out, "%s = %s", name, is_quoted ? "\"" : "");
	for (const char *c = value; *c != '\0'; c++) {
		if (is_quoted && (*c == '"' || *c == '\\'))
			g_string_append_c(out, '\\');
		g_string_append_c(out, *c);
	}
	g_string_append(out, is_quoted ? "\"\n" : "\n");
}

/* A heading ends at its first "]", and its words are joined by one blank: a quoted local part may not fit. */
static bool
export_fits_heading(const char *name)
{
	return strpbrk(name, "]\t") == NULL && strstr(name, "  ") == NULL && name[0] != ' ' &&
		   name[strlen(name) - 1] != ' ';
}

static void
export_put_entry(DirectoryEntry *entry, Answer *answer)
{
	const char *kind = directory_kind_name(directory_entry_kind(entry));
	const char *name = directory_entry_name(entry);
	g_autoptr(GString) out = g_string_new(NULL);

	if (!export_fits_heading(name)) {
		answer_fail(answer, "%s %s is left out: its name cannot stand in a heading", kind, name);
		return;
	}
	g_string_printf(out, "[%s %s]\n", kind, name);
	for (const char *const *option = directory_entry_names(entry); *option != NULL; option++)
		export_put_value(out, *option, directory_entry_get(entry, *option));
	g_string_append_c(out, '\n');
	answer_octets(answer, out->str, out->len);
}

static bool
export_put_kind(Daemon *daemon, PtnKind kind, Answer *answer)
{
	g_autofree char *after = NULL;

	for (;;) {
		g_autoptr(GPtrArray) page = NULL;

		if (directory_list(daemon->engine.directory, kind, NULL, after, EXPORT_PAGE, CLOCK_NEVER, &page) != PTN_OK)
			return false;
		if (page->len == 0)
			return true;
		for (guint i = 0; i < page->len; i++)
			export_put_entry(g_ptr_array_index(page, i), answer);
		g_free(after);
		after = g_strdup(directory_entry_name(g_ptr_array_index(page, page->len - 1)));
	}
}

void
control_export(Daemon *daemon, const Request *request, Answer *answer)
{
	static const PtnKind kinds[] = { PTN_CUSTOMER, PTN_DOMAIN, PTN_ACCOUNT, PTN_RECIPIENT };

	if (request->words[1] != NULL) {
		answer_fail(answer, "export takes no arguments");
		return;
	}
	for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
		if (!export_put_kind(daemon, kinds[i], answer)) {
			answer_fail(answer, "the directory cannot be read now: what was written is not all");
			return;
		}
	}
}
