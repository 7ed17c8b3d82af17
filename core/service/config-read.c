/* config-read.c - the INI reader, which keeps file and line of every value.
 *
 *   [SECTION]            a section; one given before is a mistake
 *   key = value          "#" behind a blank starts a comment; a value may stand in double quotes (with \" and \\)
 *     more of it         an indented line continues the value above
 *
 * A line that makes no sense is named, and reading goes on behind it. */
#include "service/config-read.h"

#include <stdbool.h>
#include <string.h>

#define CONFIG_KEY_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./"

typedef struct {
	const char *name;
	unsigned line;
	GPtrArray *sections, *mistakes;
	ConfigText *section; /* the one being filled; NULL: none, or one with a bad heading */
	ConfigKey *key;      /* the one that an indented line continues; NULL: none          */
	bool is_skipping;    /* keys of a section with a bad heading are not mistakes          */
	bool is_quoted;      /* the value of `key` was closed by its quote                     */
} Reader;

static void G_GNUC_PRINTF(2, 3) config_complain(Reader *reader, const char *format, ...)
{
	g_autofree char *text = NULL;
	va_list arguments;

	va_start(arguments, format);
	text = g_strdup_vprintf(format, arguments);
	va_end(arguments);
	g_ptr_array_add(reader->mistakes, g_strdup_printf("%s:%u: %s", reader->name, reader->line, text));
}

static void
config_key_free(void *data)
{
	ConfigKey *key = data;

	g_free(key->key);
	g_free(key->value);
	g_free(key->where);
	g_free(key);
}

static void
config_text_free(void *data)
{
	ConfigText *section = data;

	g_free(section->title);
	g_free(section->where);
	g_ptr_array_unref(section->keys);
	g_free(section);
}

GPtrArray *
config_text_new(void)
{
	return g_ptr_array_new_with_free_func(config_text_free);
}

static bool
config_is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Cuts a comment, and the blanks around what is left. */
static char *
config_cut_comment(char *text)
{
	for (char *c = text; *c != '\0'; c++) {
		if (*c == '#' && c > text && config_is_blank(c[-1])) {
			*c = '\0';
			break;
		}
	}
	return g_strstrip(text);
}

static bool
config_is_comment(const char *text)
{
	return *text == '\0' || *text == '#';
}

/* `text` starts with the opening quote.  Cuts quotes and escapes in place; false: the rest of the line makes no sense. */
static bool
config_unquote(Reader *reader, char *text)
{
	char *to = text;
	const char *from = text + 1;

	while (*from != '"' && *from != '\0') {
		if (*from == '\\' && (from[1] == '"' || from[1] == '\\'))
			from++;
		*to++ = *from++;
	}
	if (*from == '\0') {
		config_complain(reader, "the quote is not closed");
		return false;
	}
	from++;
	from += strspn(from, " \t");
	if (!config_is_comment(from)) {
		config_complain(reader, "text behind the closing quote");
		return false;
	}
	*to = '\0';
	return true;
}

/* New: the words of `text`, joined by one blank. */
static char *
config_join_words(const char *text)
{
	GString *joined = g_string_new(NULL);

	for (text += strspn(text, " \t"); *text != '\0'; text += strspn(text, " \t")) {
		const size_t length = strcspn(text, " \t");

		if (joined->len > 0)
			g_string_append_c(joined, ' ');
		g_string_append_len(joined, text, (gssize)length);
		text += length;
	}
	return g_string_free(joined, FALSE);
}

static void
config_add_section(Reader *reader, const char *title)
{
	ConfigText *section = g_new0(ConfigText, 1);

	for (guint i = 0; i < reader->sections->len; i++) {
		const ConfigText *other = g_ptr_array_index(reader->sections, i);

		if (strcmp(other->title, title) == 0) {
			config_complain(reader, "[%s] is given twice, first at %s", title, other->where);
			section->is_repeated = true;
			break;
		}
	}
	section->title = g_strdup(title);
	section->where = g_strdup_printf("%s:%u", reader->name, reader->line);
	section->keys = g_ptr_array_new_with_free_func(config_key_free);
	g_ptr_array_add(reader->sections, section);
	reader->section = section;
}

static void
config_read_heading(Reader *reader, char *line)
{
	char *end = strchr(line, ']');
	g_autofree char *title = NULL;

	reader->section = NULL;
	reader->key = NULL;
	reader->is_skipping = true;
	if (end == NULL || !config_is_comment(end + 1 + strspn(end + 1, " \t"))) {
		config_complain(reader, end == NULL ? "the heading has no \"]\"" : "text behind the heading");
		return;
	}
	*end = '\0';
	title = config_join_words(line + 1);
	if (*title == '\0') {
		config_complain(reader, "the heading is empty");
		return;
	}
	config_add_section(reader, title);
	reader->is_skipping = false;
}

static void
config_add_key(Reader *reader, const char *name, const char *value)
{
	ConfigKey *key = g_new0(ConfigKey, 1);

	for (guint i = 0; i < reader->section->keys->len; i++) {
		const ConfigKey *other = g_ptr_array_index(reader->section->keys, i);

		if (strcmp(other->key, name) == 0) {
			config_complain(
				reader, "[%s] %s: is given twice, first at %s", reader->section->title, name, other->where);
			break;
		}
	}
	key->key = g_strdup(name);
	key->value = g_strdup(value);
	key->where = g_strdup_printf("%s:%u", reader->name, reader->line);
	g_ptr_array_add(reader->section->keys, key);
	reader->key = key;
}

static void
config_read_pair(Reader *reader, char *line)
{
	char *equals = strchr(line, '=');
	char *value;

	reader->key = NULL;
	if (reader->is_skipping)
		return;
	if (equals == NULL) {
		config_complain(reader, "neither \"[SECTION]\" nor \"key = value\"");
		return;
	}
	*equals = '\0';
	value = equals + 1 + strspn(equals + 1, " \t");
	g_strchomp(line);
	if (*line == '\0' || line[strspn(line, CONFIG_KEY_CHARACTERS)] != '\0') {
		config_complain(reader, "\"%s\" cannot be the name of a key", line);
		return;
	}
	if (reader->section == NULL) {
		config_complain(reader, "%s: stands before the first [SECTION]", line);
		return;
	}
	reader->is_quoted = *value == '"';
	if (!reader->is_quoted)
		value = config_cut_comment(equals + 1);
	else if (!config_unquote(reader, value))
		return;
	config_add_key(reader, line, value);
}

/* An indented key is more often a key than a value with a "=" behind its first word: better asked than guessed. */
static bool
config_looks_like_key(const char *text)
{
	const size_t name = strspn(text, CONFIG_KEY_CHARACTERS);

	return name > 0 && text[name + strspn(text + name, " \t")] == '=';
}

static void
config_read_more(Reader *reader, char *line)
{
	char *text, *joined;

	if (reader->is_skipping)
		return;
	text = config_cut_comment(line);
	if (config_looks_like_key(text)) {
		config_complain(
			reader, "an indented line continues the value above; keys start at the line's first column");
		return;
	}
	if (reader->key == NULL || reader->is_quoted) {
		config_complain(reader, "an indented line, but no value above that it could continue");
		return;
	}
	joined = g_strdup_printf("%s%s%s", reader->key->value, *reader->key->value != '\0' ? " " : "", text);
	g_free(reader->key->value);
	reader->key->value = joined;
}

static void
config_read_line(Reader *reader, char *line)
{
	size_t indent;

	g_strchomp(line);
	indent = strspn(line, " \t");
	for (const char *c = line; *c != '\0'; c++) {
		if ((unsigned char)*c < ' ' && *c != '\t') {
			config_complain(reader, "the line has a control character");
			return;
		}
	}
	if (!g_utf8_validate(line, -1, NULL)) {
		config_complain(reader, "the line is not valid UTF-8");
		return;
	}
	if (*line == '\0')
		reader->key = NULL;
	else if (config_is_comment(line + indent))
		return;
	else if (*line == '[')
		config_read_heading(reader, line);
	else if (indent > 0)
		config_read_more(reader, line);
	else
		config_read_pair(reader, line);
}

void
config_read(const char *text, size_t size, const char *name, GPtrArray *sections, GPtrArray *mistakes)
{
	static const char bom[] = "\xef\xbb\xbf";
	Reader reader = { .name = name, .sections = sections, .mistakes = mistakes };
	const char *end = text + size;

	if (size >= 3 && memcmp(text, bom, 3) == 0)
		text += 3;
	while (text < end) {
		const char *stop = memchr(text, '\n', (size_t)(end - text));
		const size_t length = (size_t)((stop != NULL ? stop : end) - text);
		g_autofree char *line = g_strndup(text, length);

		reader.line++;
		if (strlen(line) < length)
			config_complain(&reader, "the line has a NUL octet");
		else
			config_read_line(&reader, line);
		text += length + (stop != NULL);
	}
}
