/* control-list.c - posternctl customer, domain, account, recipient list: filters and columns. */
#include <string.h>

#include "base/error.h"
#include "daemon/control-directory.h"
#include "engine/stay.h"
#include "proto/idn.h"
#include "proto/path.h"

enum { LIST_PAGE = 1000 };

typedef struct {
	char *name;        /* in full */
	char *value;       /* in the form that is stored; NULL: a column */
	unsigned type;     /* of a filter: a PtnType, without PTN_LIST */
} ListOption;

typedef struct {
	Daemon *daemon;
	PluginSet *set;
	PtnKind kind;
	GArray *filters, *columns; /* of ListOption; no columns: the usual ones */
	Answer *answer;
} Listing;

static void
list_option_clear(void *data)
{
	ListOption *option = data;

	g_free(option->name);
	g_free(option->value);
}

/* ---- the words ---- */

/* The type of an option, without PTN_LIST. */
static unsigned
list_type(PluginSet *set, const char *name)
{
	const CellType cell = control_option_type(set, name);

	if (strchr(name, '.') != NULL)
		return host_option_type(set, name) & ~(unsigned)PTN_LIST;
	if (cell == CELL_BOOLEAN || cell == CELL_NUMBER)
		return cell == CELL_BOOLEAN ? PTN_BOOL : PTN_NUMBER;
	return directory_choices(name) != NULL ? PTN_CHOICE : PTN_TEXT;
}

/* Names, addresses and networks are looked for as they are given; nothing has a number, a choice or a boolean that the option does not
 * take.  An empty value finds what is not set. */
static bool
list_check_value(const Listing *list, const ListOption *filter, const char *value, GError **error)
{
	const PtnOption core = {
		.name = filter->name, .type = filter->type, .choices = directory_choices(filter->name)
	};
	g_autoptr(OptionValue) parsed = NULL;
	g_autofree char *canonical = NULL;
	g_autoptr(GError) why = NULL;

	switch (filter->type) {
	case PTN_BOOL:
	case PTN_CHOICE:
	case PTN_NUMBER:
	case PTN_SIZE:
	case PTN_TIME:
	case PTN_TIME_RANGE:
	case PTN_PER_TIME:
		break;
	default:
		return true;
	}
	if (value[0] == '\0')
		return true;
	if (strchr(filter->name, '.') != NULL)
		canonical = host_canonical_value(list->set, filter->name, list->kind, value, &why);
	else if ((parsed = option_parse(&core, value, &why)) == NULL)
		g_prefix_error(&why, "%s: ", filter->name);
	if (why == NULL || why->code == POSTERN_ERROR_NOT_FOUND) /* an option that entries of this kind have not themselves */
		return true;
	g_propagate_error(error, g_steal_pointer(&why));
	return false;
}

/* What a value is compared with: "1" finds "yes", and a domain is found in letters.  New. */
static char *
list_filter_value(const ListOption *filter, const char *value)
{
	const char *boolean = filter->type == PTN_BOOL ? option_boolean(value) : NULL;

	return boolean != NULL ? g_strdup(boolean) : idn_address_to_ascii(value);
}

static bool
list_add_option(Listing *list, GArray *options, const char *name, const char *value, GError **error)
{
	ListOption option = { control_full_name(list->set, list->kind, name), NULL, 0 };
	const OptionPlaces nobody = { 0 };
	g_autofree char *text = NULL;
	g_autofree char *from = NULL;
	const bool is_level = strcmp(name, "level") == 0 && list->kind != PTN_RECIPIENT; /* that of the customer */

	if (!is_level && !control_is_core_name(list->kind, option.name) &&
		!host_show_option(list->set, option.name, &nobody, &text, &from)) {
		g_free(option.name);
		return control_unknown_option(list->set, list->kind, name, error);
	}
	option.type = list_type(list->set, option.name);
	if (value != NULL && !list_check_value(list, &option, value, error)) {
		g_free(option.name);
		return false;
	}
	option.value = value != NULL ? list_filter_value(&option, value) : NULL;
	g_array_append_val(options, option);
	return true;
}

static bool
list_read_word(Listing *list, const char *word, GError **error)
{
	const char *equals = strchr(word, '=');
	g_autofree char *name = equals != NULL ? g_strndup(word, (size_t)(equals - word)) : NULL;
	g_autofree char *ascii = idn_to_ascii(word, strlen(word));
	g_auto(GStrv) names = NULL;

	if (name == NULL && list->kind == PTN_RECIPIENT && ascii != NULL && domain_is_valid(ascii))
		return list_add_option(list, list->filters, "domain", ascii, error);
	if (name == NULL)
		return error_set(
			error, POSTERN_ERROR_INVALID, "\"%s\" is neither OPTION=VALUE nor columns=OPTION,…", word);
	if (strcmp(name, "columns") != 0)
		return list_add_option(list, list->filters, name, equals + 1, error);
	names = g_strsplit(equals + 1, ",", -1);
	for (char **column = names; *column != NULL; column++)
		if (!list_add_option(list, list->columns, *column, NULL, error))
			return false;
	return true;
}

/* ---- the rows ---- */

/* What holds for the entry, as `show` has it.  New. */
static char *
list_value(const Listing *list, DirectoryEntry *entry, const char *name)
{
	const char *value = directory_entry_get(entry, name);
	OptionPlaces places;
	char *text = NULL;
	g_autofree char *from = NULL;

	if (value == NULL)
		value = directory_preset(name);
	if (value != NULL)
		return g_strdup(value);
	if (strchr(name, '.') == NULL && (strcmp(name, "level") != 0 || list->kind == PTN_CUSTOMER))
		return g_strdup("");
	control_find_places(list->daemon->engine.directory, entry, &places);
	if (strcmp(name, "level") == 0)
		text = g_strdup(places.customer != NULL ? directory_entry_get(places.customer, "level") : NULL);
	else
		(void)host_show_option(list->set, name, &places, &text, &from);
	control_clear_places(entry, &places);
	if (text == NULL)
		return g_strdup("");
	if (control_option_type(list->set, name) == CELL_BOOLEAN && option_boolean(text) != NULL) { /* it may be "on" */
		const char *boolean = option_boolean(text);

		g_free(text);
		text = g_strdup(boolean);
	}
	return text;
}

/* A list has the value if one of its words is it. */
static bool
list_has(const ListOption *filter, const char *value)
{
	g_auto(GStrv) words = NULL;

	if (g_ascii_strcasecmp(value, filter->value) == 0)
		return true;
	words = g_strsplit_set(value, " ,", -1);
	for (char **word = words; *word != NULL; word++)
		if (**word != '\0' && (g_ascii_strcasecmp(*word, filter->value) == 0 ||
								 control_is_same_word(filter->type, *word, filter->value)))
			return true;
	return false;
}

static bool
list_wants(const Listing *list, DirectoryEntry *entry)
{
	for (guint i = 0; i < list->filters->len; i++) {
		const ListOption *filter = &g_array_index(list->filters, ListOption, i);
		g_autofree char *value = list_value(list, entry, filter->name);

		if (!list_has(filter, value))
			return false;
	}
	return true;
}

static void
list_add_usual_columns(Listing *list)
{
	static const char *const usual[][5] = {
		[PTN_CUSTOMER] = { "level", "primary", "enabled", NULL },
		[PTN_DOMAIN] = { "customer", "mode", "destination", "held", NULL },
		[PTN_ACCOUNT] = { "type", "customer", "enabled", NULL },
		[PTN_RECIPIENT] = { "domain", NULL },
	};

	for (const char *const *name = usual[list->kind]; *name != NULL; name++) {
		const ListOption column = { g_strdup(*name), NULL };

		g_array_append_val(list->columns, column);
	}
}

/* "destination" is where a domain's mail goes, whatever its mode; "held" is no option, but the number of
 * messages that are held for it. */
static char *
list_cell(const Listing *list, DirectoryEntry *entry, const char *name)
{
	StayFigures figures;

	if (list->kind == PTN_DOMAIN && strcmp(name, "held") == 0) {
		stay_figures(list->daemon->engine.stay, directory_entry_name(entry), &figures);
		return g_strdup_printf("%" G_GUINT64_FORMAT, figures.messages);
	}
	if (list->kind == PTN_DOMAIN && strcmp(name, "destination") == 0) {
		const char *mode = directory_entry_get(entry, "mode");

		if (mode != NULL && g_str_has_prefix(mode, "forward"))
			name = "forward-to";
	}
	return list_value(list, entry, name);
}

static void
list_put_row(const Listing *list, DirectoryEntry *entry)
{
	g_autoptr(GPtrArray) cells = g_ptr_array_new_with_free_func(g_free);

	g_ptr_array_add(cells, g_strdup(directory_entry_name(entry)));
	for (guint i = 0; i < list->columns->len; i++)
		g_ptr_array_add(cells, list_cell(list, entry, g_array_index(list->columns, ListOption, i).name));
	g_ptr_array_add(cells, NULL);
	answer_row_v(list->answer, (const char *const *)cells->pdata);
}

static void
list_put_columns(const Listing *list)
{
	g_autoptr(GPtrArray) columns = g_ptr_array_new_with_free_func(g_free);

	g_ptr_array_add(columns, g_strdup(directory_kind_name(list->kind)));
	for (guint i = 0; i < list->columns->len; i++) {
		const char *name = g_array_index(list->columns, ListOption, i).name;
		const bool is_held = list->kind == PTN_DOMAIN && strcmp(name, "held") == 0;

		g_ptr_array_add(columns, cell_column(name, is_held ? CELL_NUMBER : control_option_type(list->set, name)));
	}
	g_ptr_array_add(columns, NULL);
	answer_columns_v(list->answer, (const char *const *)columns->pdata);
}

static bool
list_put_all(const Listing *list, GError **error)
{
	Directory *directory = list->daemon->engine.directory;
	g_autofree char *after = NULL;

	for (;;) {
		g_autoptr(GPtrArray) page = NULL;

		if (directory_list(directory, list->kind, NULL, after, LIST_PAGE, CLOCK_NEVER, &page) == PTN_UNSURE)
			return error_set(error, POSTERN_ERROR_UNAVAILABLE, "the directory cannot be read now");
		if (page == NULL || page->len == 0)
			return true;
		for (guint i = 0; i < page->len; i++)
			if (list_wants(list, g_ptr_array_index(page, i)))
				list_put_row(list, g_ptr_array_index(page, i));
		g_free(after);
		after = g_strdup(directory_entry_name(g_ptr_array_index(page, page->len - 1)));
	}
}

bool
control_list(
	Daemon *daemon, PluginSet *set, PtnKind kind, const Request *request, Answer *answer, GError **error)
{
	char *const *word = request->words + (request->words[1] != NULL ? 2 : 1);
	g_autoptr(GArray) filters = g_array_new(FALSE, FALSE, sizeof(ListOption));
	g_autoptr(GArray) columns = g_array_new(FALSE, FALSE, sizeof(ListOption));
	Listing list = { daemon, set, kind, filters, columns, answer };

	g_array_set_clear_func(filters, list_option_clear);
	g_array_set_clear_func(columns, list_option_clear);
	for (; *word != NULL; word++)
		if (!list_read_word(&list, *word, error))
			return false;
	if (columns->len == 0)
		list_add_usual_columns(&list);
	list_put_columns(&list);
	return list_put_all(&list, error);
}
