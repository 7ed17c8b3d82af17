/* option.c - checked values, by table: a row of PtnOption says what its text may be.
 *
 * Every complaint is a sentence behind which "file:line: [section] key: " makes sense. */
#include "service/option.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/ip.h"
#include "base/wipe.h"
#include "proto/command.h"
#include "proto/idn.h"
#include "service/option-private.h"

enum { OPTION_FILE_MAX = 64 * 1024 };

/* Checks one word; may set value->number. */
typedef bool OptionCheck(const PtnOption *option, const char *text, OptionValue *value, GError **error);

static bool
option_check_text(const PtnOption *option, const char *text, OptionValue *value, GError **error)
{
	(void)value;
	if (!g_utf8_validate(text, -1, NULL))
		return error_set(error, POSTERN_ERROR_INVALID, "the value is not valid UTF-8");
	for (const char *c = text; *c != '\0'; c++)
		if (((unsigned char)*c < ' ' && *c != '\t') || *c == 0x7f)
			return error_set(error, POSTERN_ERROR_INVALID, "the value has control characters");
	if (option->type == PTN_TEXT && option->most != 0 && (int64_t)strlen(text) > option->most)
		return error_set(error, POSTERN_ERROR_INVALID, "the value has %zu octets, at most %d are allowed",
			strlen(text), (int)option->most);
	return true;
}

static bool
option_check_bool(const PtnOption *option, const char *text, OptionValue *value, GError **error)
{
	static const char *const words[] = { "no", "yes", "false", "true", "off", "on", "0", "1" };

	(void)option;
	for (size_t i = 0; i < G_N_ELEMENTS(words); i++) {
		if (g_ascii_strcasecmp(text, words[i]) == 0) {
			value->number = i & 1;
			return true;
		}
	}
	return error_set(error, POSTERN_ERROR_INVALID, "\"%s\" is neither yes nor no", text);
}

static bool
option_check_number(const PtnOption *option, const char *text, OptionValue *value, GError **error)
{
	return option_parse_number(option, text, &value->number, error);
}

static bool
option_check_time_range(const PtnOption *option, const char *text, OptionValue *value, GError **error)
{
	return option_parse_time_range(option, text, &value->number, &value->number_most, error);
}

static bool
option_check_choice(const PtnOption *option, const char *text, OptionValue *value, GError **error)
{
	g_autofree char *all = NULL;
	const char *nearest;

	for (int64_t i = 0; option->choices[i] != NULL; i++) {
		if (g_ascii_strcasecmp(text, option->choices[i]) == 0) {
			value->number = i;
			return true;
		}
	}
	nearest = option_nearest(text, option->choices);
	if (nearest != NULL)
		return error_set(
			error, POSTERN_ERROR_INVALID, "\"%s\" is not known (did you mean \"%s\"?)", text, nearest);
	all = g_strjoinv(", ", (char **)(uintptr_t)option->choices);
	return error_set(error, POSTERN_ERROR_INVALID, "\"%s\" is none of: %s", text, all);
}

static bool
option_check_file(const PtnOption *option, const char *text, OptionValue *value, GError **error)
{
	(void)option, (void)value;
	if (!g_path_is_absolute(text))
		return error_set(error, POSTERN_ERROR_INVALID, "\"%s\" is not an absolute path", text);
	return true;
}

static bool
option_check_host(const PtnOption *option, const char *text, OptionValue *value, GError **error)
{
	IpAddress address;

	(void)option, (void)value;
	if (!ip_parse(text, &address) && !domain_is_valid(text))
		return error_set(error, POSTERN_ERROR_INVALID, "\"%s\" is neither a host name nor an IP address", text);
	return true;
}

static bool
option_check_domain(const PtnOption *option, const char *text, OptionValue *value, GError **error)
{
	IpAddress address;

	(void)option, (void)value;
	if (ip_parse(text, &address) || !domain_is_valid(text))
		return error_set(error, POSTERN_ERROR_INVALID, "\"%s\" is not a domain name", text);
	return true;
}

static bool
option_check_network(const PtnOption *option, const char *text, OptionValue *value, GError **error)
{
	IpNetwork network;

	(void)option, (void)value;
	return ip_network_parse(text, &network, error);
}

static bool
option_check_mailbox(const PtnOption *option, const char *text, OptionValue *value, GError **error)
{
	g_autoptr(Region) region = region_new();

	(void)option, (void)value;
	if (mailbox_parse(region, text, true) == NULL)
		return error_set(error, POSTERN_ERROR_INVALID, "\"%s\" is not a mail address (local-part@domain)", text);
	return true;
}

static bool
option_check_url(const PtnOption *option, const char *text, OptionValue *value, GError **error)
{
	const char *colon = strchr(text, ':');
	const size_t scheme = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.");

	(void)option, (void)value;
	if (colon == NULL || !g_ascii_isalpha(*text) || colon != text + scheme || strpbrk(text, " \t") != NULL)
		return error_set(error, POSTERN_ERROR_INVALID, "\"%s\" is not a URL (scheme:…)", text);
	return true;
}

static bool
option_check_rate(const PtnOption *option, const char *text, OptionValue *value, GError **error)
{
	(void)option;
	return option_parse_rate(text, &value->number, &value->number_most, error);
}

static const struct {
	OptionCheck *check;
	const char *described;
	bool takes_empty;
} option_types[] = {
	[PTN_TEXT] = { option_check_text, "text", true },
	[PTN_BOOL] = { option_check_bool, "yes or no", false },
	[PTN_NUMBER] = { option_check_number, "number", false },
	[PTN_SIZE] = { option_check_number, "size", false },
	[PTN_TIME] = { option_check_number, "time", false },
	[PTN_CHOICE] = { option_check_choice, NULL, false },
	[PTN_SECRET] = { option_check_text, "secret text", true },
	[PTN_FILE] = { option_check_file, "absolute path of a file", false },
	[PTN_HOST] = { option_check_host, "host name or IP address", false },
	[PTN_DOMAIN_NAME] = { option_check_domain, "domain name", false },
	[PTN_NETWORK] = { option_check_network, "IP address or network", false },
	[PTN_MAILBOX] = { option_check_mailbox, "mail address", false },
	[PTN_URL] = { option_check_url, "URL", false },
	[PTN_TIME_RANGE] = { option_check_time_range, "time or range of times", false },
	[PTN_PER_TIME] = { option_check_rate, "NUMBER/TIME or off", false },
};

static unsigned
option_base_type(const PtnOption *option)
{
	const unsigned type = option->type & ~(unsigned)PTN_LIST;

	return type >= PTN_TEXT && type < G_N_ELEMENTS(option_types) ? type : PTN_TEXT;
}

char *
option_expand(const char *text, GError **error)
{
	const char *path = text + 1;
	g_autofree char *content = NULL;
	g_autoptr(GError) why = NULL;
	size_t size;

	if (!option_is_reference(text))
		return g_strdup(text);
	if (!g_file_get_contents(path, &content, &size, &why)) {
		(void)error_set(error, POSTERN_ERROR_IO, "cannot read the value: %s", why->message);
		return NULL;
	}
	if (size > OPTION_FILE_MAX) {
		(void)error_set(error, POSTERN_ERROR_INVALID, "the file %s is too large for a value", path);
		return NULL;
	}
	content[strcspn(content, "\r\n")] = '\0';
	g_strstrip(content);
	if (*content == '\0') {
		(void)error_set(error, POSTERN_ERROR_INVALID, "the first line of %s is empty", path);
		return NULL;
	}
	return g_steal_pointer(&content);
}

bool
option_is_reference(const char *text)
{
	return text[0] == '@' && text[1] == '/';
}

static char **
option_split_list(const char *text)
{
	g_autoptr(GPtrArray) words = g_ptr_array_new_with_free_func(g_free);

	while (*text != '\0') {
		const size_t length = strcspn(text, " \t,");

		if (length > 0)
			g_ptr_array_add(words, g_strndup(text, length));
		text += length + (text[length] != '\0');
	}
	g_ptr_array_add(words, NULL);
	return (char **)g_ptr_array_free(g_steal_pointer(&words), FALSE);
}

/* Names of hosts and domains are kept in A-labels.  New. */
static char *
option_canonical(unsigned type, const char *text)
{
	const bool has_domain = type == PTN_HOST || type == PTN_DOMAIN_NAME || type == PTN_MAILBOX;

	return has_domain ? idn_address_to_ascii(text) : g_strdup(text);
}

static bool
option_check_list(const PtnOption *option, const char *text, OptionValue *value, GError **error)
{
	const unsigned type = option_base_type(option);
	OptionValue word = { 0 };
	int64_t length;

	value->list = option_split_list(text);
	length = g_strv_length(value->list);
	for (char **w = value->list; *w != NULL; w++) {
		char *given = *w;

		*w = option_canonical(type, given);
		g_free(given);
		if (!option_types[type].check(option, *w, &word, error))
			return false;
	}
	if (length < option->least)
		return error_set(error, POSTERN_ERROR_INVALID, "the list has %d values, at least %d are needed",
			(int)length, (int)option->least);
	if (option->most != 0 && length > option->most)
		return error_set(error, POSTERN_ERROR_INVALID, "the list has %d values, at most %d are allowed",
			(int)length, (int)option->most);
	value->text = g_strjoinv(" ", value->list);
	return true;
}

OptionValue *
option_parse(const PtnOption *option, const char *text, GError **error)
{
	const unsigned type = option_base_type(option);
	g_autoptr(OptionValue) value = g_new0(OptionValue, 1);
	g_autofree char *given = g_strstrip(g_strdup(text));
	g_autofree char *plain = option_canonical((option->type & PTN_LIST) != 0 ? PTN_TEXT : type, given);

	if ((option->type & PTN_LIST) != 0)
		return option_check_list(option, plain, value, error) ? g_steal_pointer(&value) : NULL;
	if (*plain == '\0' && !option_types[type].takes_empty) {
		g_autofree char *wanted = option_describe_type(option);

		(void)error_set(error, POSTERN_ERROR_INVALID, "there is no value (%s)", wanted);
		return NULL;
	}
	if (!option_types[type].check(option, plain, value, error))
		return NULL;
	value->text = g_steal_pointer(&plain);
	return g_steal_pointer(&value);
}

const char *
option_boolean(const char *text)
{
	const PtnOption option = { .name = "boolean", .type = PTN_BOOL };
	g_autoptr(OptionValue) parsed = option_parse(&option, text, NULL);

	if (parsed == NULL)
		return NULL;
	return parsed->number != 0 ? "yes" : "no";
}

void
option_value_free(OptionValue *value)
{
	if (value == NULL)
		return;
	wipe_free_text(value->text); /* of secrets, too */
	g_strfreev(value->list);
	g_free(value);
}

const PtnOption *
option_find(const PtnOption *table, const char *name)
{
	for (; table != NULL && table->name != NULL; table++)
		if (strcmp(table->name, name) == 0)
			return table;
	return NULL;
}

/* Levenshtein's distance, by one row. */
static size_t
option_distance(const char *a, const char *b)
{
	const size_t width = strlen(b);
	g_autofree size_t *row = g_new(size_t, width + 1);

	for (size_t j = 0; j <= width; j++)
		row[j] = j;
	for (size_t i = 1; a[i - 1] != '\0'; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= width; j++) {
			const size_t change = diagonal + (g_ascii_tolower(a[i - 1]) != g_ascii_tolower(b[j - 1]));

			diagonal = row[j];
			row[j] = MIN(change, MIN(row[j], row[j - 1]) + 1);
		}
	}
	return row[width];
}

const char *
option_nearest(const char *word, const char *const *known)
{
	enum { LONGEST = 100 }; /* nobody mistypes a name of that length */
	const char *nearest = NULL;
	size_t least = SIZE_MAX;

	if (strlen(word) > LONGEST)
		return NULL;
	for (; *known != NULL; known++) {
		const size_t distance = option_distance(word, *known);

		if (distance < least && distance <= MAX(MAX(strlen(word), strlen(*known)) / 3, 1)) {
			least = distance;
			nearest = *known;
		}
	}
	return nearest;
}

static void
option_describe_range(const PtnOption *option, unsigned type, GString *text)
{
	g_autofree char *least = option_format_number(type, option->least);
	g_autofree char *most = option_format_number(type, option->most);

	if (option->most != 0)
		g_string_append_printf(text, ", %s to %s", least, most);
	else if (option->least != 0)
		g_string_append_printf(text, ", at least %s", least);
	if ((option->type & PTN_LIST) != 0 && (option->least != 0 || option->most != 0))
		g_string_append(text, " of them");
}

char *
option_describe_type(const PtnOption *option)
{
	const unsigned type = option_base_type(option);
	GString *text = g_string_new((option->type & PTN_LIST) != 0 ? "list of: " : NULL);

	if (type == PTN_CHOICE)
		for (const char *const *choice = option->choices; *choice != NULL; choice++)
			g_string_append_printf(text, "%s%s",
				choice == option->choices ? ""
				: choice[1] == NULL       ? " or "
										  : ", ",
				*choice);
	else
		g_string_append(text, option_types[type].described);
	option_describe_range(option, (option->type & PTN_LIST) != 0 ? PTN_NUMBER : type, text);
	return g_string_free(text, FALSE);
}
