/* cell.c - see cell.h. */
#include "daemon/cell.h"

#include <string.h>

#include "base/clock.h"
#include "base/escape.h"
#include "service/option.h"

static const char *const cell_types[] = {
	[CELL_TEXT] = "text",
	[CELL_NUMBER] = "number",
	[CELL_PERCENT] = "percent",
	[CELL_BOOLEAN] = "boolean",
	[CELL_TIME] = "time",
	[CELL_OCTETS] = "octets",
	[CELL_DURATION] = "duration",
	[CELL_LIST] = "list",
	[CELL_VALUE] = "value",
};

static CellType
cell_find_type(const char *name, size_t length)
{
	for (size_t i = 0; i < G_N_ELEMENTS(cell_types); i++)
		if (strlen(cell_types[i]) == length && strncmp(cell_types[i], name, length) == 0)
			return (CellType)i;
	return CELL_TEXT;
}

CellType
cell_column_type(const char *column, size_t *length)
{
	const char *colon = strchr(column, ':');

	*length = colon != NULL ? (size_t)(colon - column) : strlen(column);
	return colon != NULL ? cell_find_type(colon + 1, strlen(colon + 1)) : CELL_TEXT;
}

/* "number:12" into its type and its text. */
static CellType
cell_split(const char *cell, const char **text)
{
	const char *colon = strchr(cell, ':');

	*text = colon != NULL ? colon + 1 : cell;
	return colon != NULL ? cell_find_type(cell, (size_t)(colon - cell)) : CELL_TEXT;
}

/* ---- values ---- */

/* As JSON has it: no sign "+", no digit missing, no exponent. */
static bool
cell_is_number(const char *text)
{
	const char *digits = text + (*text == '-');
	const size_t whole = strspn(digits, "0123456789");
	const size_t part = digits[whole] == '.' ? strspn(digits + whole + 1, "0123456789") : 0;

	return whole > 0 && (whole == 1 || *digits != '0') &&
		   (digits[whole] == '\0' || (part > 0 && digits[whole + 1 + part] == '\0'));
}

static GDateTime *
cell_read_time(const char *text)
{
	g_autoptr(GTimeZone) zone = g_time_zone_new_local();
	gint64 seconds;

	if (g_ascii_string_to_signed(text, 10, 0, G_MAXINT64, &seconds, NULL))
		return g_date_time_new_from_unix_local(seconds);
	return g_date_time_new_from_iso8601(text, zone);
}

/* A size, a time or a boolean as in the configuration. */
static bool
cell_read_option(PtnType type, const char *text, int64_t *number)
{
	const PtnOption option = { .name = "cell", .type = type };
	g_autoptr(OptionValue) value = *text != '\0' ? option_parse(&option, text, NULL) : NULL;

	if (value == NULL)
		return false;
	*number = value->number;
	return true;
}

/* ---- JSON ---- */

static char *
cell_quote(const char *text)
{
	g_autofree char *shown = escape_text(text, ESCAPE_JSON);

	return g_strconcat("\"", shown, "\"", NULL);
}

static char *
cell_json_time(const char *text)
{
	g_autoptr(GDateTime) time = cell_read_time(text);

	return time != NULL ? g_date_time_format(time, "\"%Y-%m-%dT%H:%M:%S%:z\"") : NULL;
}

static char *
cell_json_duration(const char *text)
{
	int64_t us;
	char number[G_ASCII_DTOSTR_BUF_SIZE];

	if (cell_is_number(text))
		return g_strdup(text);
	if (!cell_read_option(PTN_TIME, text, &us))
		return NULL;
	return us % CLOCK_SECOND == 0
			   ? g_strdup_printf("%" G_GINT64_FORMAT, us / CLOCK_SECOND)
			   : g_strdup(g_ascii_formatd(number, sizeof number, "%.6f", (double)us / CLOCK_SECOND));
}

static char *
cell_json_list(const char *text)
{
	g_auto(GStrv) words = g_strsplit_set(text, " ,", -1);
	GString *list = g_string_new("[");

	for (char **word = words; *word != NULL; word++) {
		g_autofree char *quoted = cell_quote(*word);

		if (**word != '\0')
			g_string_append_printf(list, "%s%s", list->len > 1 ? ", " : "", quoted);
	}
	g_string_append_c(list, ']');
	return g_string_free(list, FALSE);
}

/* NULL: no value of the type. */
static char *
cell_json_value(CellType type, const char *text)
{
	int64_t number;

	switch (type) {
	case CELL_NUMBER:
	case CELL_PERCENT:
		return cell_is_number(text) ? g_strdup(text) : NULL;
	case CELL_BOOLEAN:
		return cell_read_option(PTN_BOOL, text, &number) ? g_strdup(number != 0 ? "true" : "false") : NULL;
	case CELL_TIME:
		return cell_json_time(text);
	case CELL_OCTETS:
		return cell_read_option(PTN_SIZE, text, &number) ? g_strdup_printf("%" G_GINT64_FORMAT, number) : NULL;
	case CELL_DURATION:
		return cell_json_duration(text);
	case CELL_LIST:
		return cell_json_list(text);
	default:
		return cell_quote(text);
	}
}

char *
cell_json(CellType type, const char *cell)
{
	const char *text = cell;
	char *json;

	if (type == CELL_VALUE)
		type = cell_split(cell, &text);
	json = *text != '\0' ? cell_json_value(type, text) : NULL;
	return json != NULL ? json : g_strdup("null");
}

/* ---- for people ---- */

char *
cell_show(CellType type, const char *cell)
{
	const char *text = cell;
	g_autoptr(GDateTime) time = NULL;

	if (type == CELL_VALUE)
		type = cell_split(cell, &text);
	if (type == CELL_TIME && (time = cell_read_time(text)) != NULL)
		return g_date_time_format(time, "%F %T");
	if (type == CELL_PERCENT && cell_is_number(text))
		return g_strconcat(text, "%", NULL);
	return g_strdup(text);
}

/* ---- what the daemon writes ---- */

char *
cell_of(CellType type, const char *text)
{
	return text != NULL ? g_strdup_printf("%s:%s", cell_types[type], text) : g_strdup("");
}

char *
cell_time(int64_t us)
{
	return us != CLOCK_NEVER && us != 0 ? g_strdup_printf("%" G_GINT64_FORMAT, us / CLOCK_SECOND) : g_strdup("");
}

CellType
cell_option_type(unsigned option_type)
{
	if ((option_type & PTN_LIST) != 0)
		return CELL_LIST;
	switch (option_type) {
	case PTN_BOOL:
		return CELL_BOOLEAN;
	case PTN_NUMBER:
		return CELL_NUMBER;
	case PTN_SIZE:
		return CELL_OCTETS;
	case PTN_TIME:
		return CELL_DURATION;
	default:
		return CELL_TEXT;
	}
}

char *
cell_column(const char *name, CellType type)
{
	return type == CELL_TEXT ? g_strdup(name) : g_strdup_printf("%s:%s", name, cell_types[type]);
}
