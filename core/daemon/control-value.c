/* control-value.c - "NAME=VALUE", "NAME+=WORD" and "NAME-=WORD" for entries of the directory. */
#include <string.h>

#include "base/error.h"
#include "daemon/control-directory.h"
#include "proto/idn.h"

/* ---- lists ---- */

bool
control_is_same_word(unsigned type, const char *a, const char *b)
{
	const PtnOption option = { .name = "word", .type = type };
	g_autoptr(OptionValue) one = NULL, two = NULL;

	switch (type) {
	case PTN_NUMBER:
	case PTN_SIZE:
	case PTN_TIME:
	case PTN_TIME_RANGE:
	case PTN_PER_TIME:
		one = option_parse(&option, a, NULL);
		two = option_parse(&option, b, NULL);
		return one != NULL && two != NULL ? one->number == two->number && one->number_most == two->number_most
										  : strcmp(a, b) == 0;
	case PTN_TEXT:
	case PTN_SECRET:
	case PTN_FILE:
	case PTN_URL:
		return strcmp(a, b) == 0;
	default:
		return g_ascii_strcasecmp(a, b) == 0;
	}
}

/* The place of the word in the list; `words->len`: it is not there. */
static guint
value_find_word(const GPtrArray *words, unsigned type, const char *word)
{
	guint i = 0;

	while (i < words->len && !control_is_same_word(type, g_ptr_array_index(words, i), word))
		i++;
	return i;
}

static void
value_add_words(GPtrArray *words, const char *text)
{
	g_auto(GStrv) split = g_strsplit_set(text, " \t,", -1);

	for (char **word = split; *word != NULL; word++)
		if (**word != '\0')
			g_ptr_array_add(words, g_strdup(*word));
}

/* The list that holds for the entry now, its own or an inherited one; `from` says whose.
 * False: it may not be shown, and so not be copied into an entry. */
static bool
value_read_list(Directory *directory, PluginSet *set, DirectoryEntry *entry, const char *name, GPtrArray *words,
	char **from, GError **error)
{
	g_autofree char *value = NULL, *shown = NULL, *same = NULL;
	OptionPlaces places;
	bool is_open;

	control_find_places(directory, entry, &places);
	(void)host_option_of(set, name, &places, &value, from);
	(void)host_show_option(set, name, &places, &shown, &same);
	control_clear_places(entry, &places);
	is_open = g_strcmp0(value, shown) == 0;
	if (value != NULL && is_open)
		value_add_words(words, value);
	return is_open ||
		   error_set(error, POSTERN_ERROR_INVALID,
			   "%s: the inherited list is from a file and not shown; give the whole list: %s=…", name, name);
}

static bool
value_take_words(
	GPtrArray *words, const GPtrArray *taken, unsigned type, const char *name, const char *from, GError **error)
{
	for (guint i = 0; i < taken->len; i++) {
		const char *word = g_ptr_array_index(taken, i);
		const guint at = value_find_word(words, type, word);

		if (at == words->len)
			return error_set(error, POSTERN_ERROR_INVALID, "%s: \"%s\" is not in the list (%s)", name, word,
				from != NULL ? from : "preset");
		g_ptr_array_remove_index(words, at);
	}
	return true;
}

static char *
value_join(const GPtrArray *words)
{
	GString *text = g_string_new(NULL);

	for (guint i = 0; i < words->len; i++)
		g_string_append_printf(text, "%s%s", i > 0 ? " " : "", (const char *)g_ptr_array_index(words, i));
	return g_string_free(text, FALSE);
}

/* An empty value of an entry means what is inherited, so a list that loses its last word may gain others. */
static bool
value_may_be_empty(
	Directory *directory, PluginSet *set, DirectoryEntry *entry, const char *name, const char *from,
	GError **error)
{
	g_autofree char *own = g_strdup(directory_entry_get(entry, name));
	g_autoptr(GPtrArray) inherited = g_ptr_array_new_with_free_func(g_free);
	g_autofree char *source = NULL;
	bool is_read;

	directory_entry_set(entry, name, NULL);
	is_read = value_read_list(directory, set, entry, name, inherited, &source, error);
	directory_entry_set(entry, name, own);
	if (!is_read || inherited->len == 0)
		return is_read;
	return error_set(error, POSTERN_ERROR_INVALID,
		"%s: no word of the list (%s) would be left, and without one the inherited list holds (%s); "
		"give the words that are to hold: %s=…",
		name, from != NULL ? from : "preset", source != NULL ? source : "preset", name);
}

/* "name+=words" and "name-=words": the new list; NULL: an error. */
static char *
value_combine(Directory *directory, PluginSet *set, DirectoryEntry *entry, const char *name, char how,
	const char *given, GError **error)
{
	const unsigned option = host_option_type(set, name), type = option & ~(unsigned)PTN_LIST;
	g_autoptr(GPtrArray) words = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GPtrArray) changed = g_ptr_array_new_with_free_func(g_free);
	g_autofree char *from = NULL, *canonical = NULL, *joined = NULL;

	if ((option & PTN_LIST) == 0) {
		(void)error_set(error, POSTERN_ERROR_INVALID, "%s is not a list; give %s=VALUE", name, name);
		return NULL;
	}
	canonical = host_canonical_value(set, name, directory_entry_kind(entry), given, error);
	if (canonical == NULL || !value_read_list(directory, set, entry, name, words, &from, error))
		return NULL;
	value_add_words(changed, canonical);
	for (guint i = 0; how == '+' && i < changed->len; i++)
		if (value_find_word(words, type, g_ptr_array_index(changed, i)) == words->len)
			g_ptr_array_add(words, g_strdup(g_ptr_array_index(changed, i)));
	if (how == '-' && (!value_take_words(words, changed, type, name, from, error) ||
						  (words->len == 0 && !value_may_be_empty(directory, set, entry, name, from, error))))
		return NULL;
	joined = value_join(words);
	/* the words that came are checked, but together with the others they may be too many */
	return how == '-' ? g_steal_pointer(&joined)
					  : host_canonical_value(set, name, directory_entry_kind(entry), joined, error);
}

/* ---- one value ---- */

/* Of the core: its value is a domain, a host or an address. */
static bool
value_has_domain(const char *name)
{
	static const char *const names[] = { "domain", "destination", "forward-to", "primary", "postmaster", "alert" };

	for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

/* As it is stored; NULL: an error. */
static char *
value_canonical(PluginSet *set, PtnKind kind, const char *name, const char *value, GError **error)
{
	char *canonical;

	if (control_is_core_name(kind, name))
		return value_has_domain(name) ? idn_address_to_ascii(value) : g_strdup(value);
	if (strchr(name, '.') == NULL) {
		(void)control_unknown_option(set, kind, name, error);
		return NULL;
	}
	canonical = value[0] != '\0' ? host_canonical_value(set, name, kind, value, error) : g_strdup("");
	if (canonical == NULL && g_error_matches(*error, POSTERN_ERROR, POSTERN_ERROR_NOT_FOUND)) {
		g_clear_error(error);
		(void)control_unknown_option(set, kind, name, error);
	}
	return canonical;
}

bool
control_set_value(
	Directory *directory, PluginSet *set, DirectoryEntry *entry, const char *assignment, GError **error)
{
	const PtnKind kind = directory_entry_kind(entry);
	const char *equals = strchr(assignment, '=');
	g_autofree char *given = NULL, *name = NULL, *value = NULL, *canonical = NULL;
	char how = '=';

	if (equals == NULL || equals == assignment)
		return error_set(error, POSTERN_ERROR_INVALID, "\"%s\" is not NAME=VALUE", assignment);
	if (equals[-1] == '+' || equals[-1] == '-')
		how = equals[-1];
	given = g_strndup(assignment, (size_t)(equals - assignment) - (how != '=' ? 1 : 0));
	if (strcmp(given, "password") == 0)
		return error_set(error, POSTERN_ERROR_INVALID,
			"a password is not given as a word, which others may see: posternctl account passwd");
	name = control_full_name(set, kind, given);
	if (!directory_check_value(name, equals + 1, error))
		return false;
	canonical = value_canonical(set, kind, name, equals + 1, error);
	if (canonical == NULL)
		return false;
	value = how == '=' ? g_steal_pointer(&canonical)
					   : value_combine(directory, set, entry, name, how, equals + 1, error);
	if (value == NULL)
		return false;
	directory_entry_set(entry, name, value[0] != '\0' ? value : NULL);
	return true;
}
