/* field-loose.c - fields as forgiving readers take them: a semicolon that is missing, a quote that is
 * not closed, a blank in a value without quotes, names in the wrong field or twice.  Names are
 * collected; of what can be but one, `reading` decides (reading.h). */
#include <string.h>

#include "plugins/mime/field.h"
#include "plugins/mime/mime.h"
#include "plugins/mime/reading.h"

enum {
	SECTIONS_MOST = 64,
	NAMES_OCTETS_MOST = 2 * FIELD_MOST, /* that may be looked at for names, in the fields of a part */
};

/* A parameter as it stands: "name*1*=value". */
typedef struct {
	const char *name;
	size_t name_size;
	/* RFC 2231: a section of a value; %XX, in the first one behind a character set. */
	bool has_number, is_extended;
	bool has_semicolon; /* in front */
	unsigned number;
	const char *value, *end; /* to the semicolon, trimmed; a quoted one to its quote */
	const char *more;        /* the end of what stands behind this quote */
	bool is_quoted;          /* `value` is behind the quote, `end` is the closing one */
} Loose;

typedef struct {
	unsigned number;
	bool is_extended;
	char *text;
} Section;

/* Of a value, from its beginning to its end; each octet is looked at once, whatever is in it. */
typedef struct {
	const char *at;
	const char *semicolon, *end; /* the next one, and where the blanks before it begin; NULL: not sought */
	bool has_open_quote;         /* a quote that nothing closes was seen */
} Scan;

static bool
is_name_octet(char c)
{
	return g_ascii_isalnum(c) || c == '-' || c == '_' || c == '.' || c == '+';
}

static const char *
skip_blanks(const char *at)
{
	return at + strspn(at, " \t\r\n");
}

/* If `at` is at a quote, the one that closes it; else, or if none does, NULL.  Then none closes a
 * later one either: all that follow are behind backslashes. */
static const char *
scan_quote(Scan *scan, const char *at)
{
	if (*at != '"' || scan->has_open_quote)
		return NULL;
	for (at++; *at != '\0' && *at != '"'; at++)
		if (*at == '\\' && at[1] != '\0')
			at++;
	scan->has_open_quote = *at == '\0';
	return *at == '"' ? at : NULL;
}

/* The next semicolon from `at` on, without the blanks before it. */
static const char *
scan_end(Scan *scan, const char *at)
{
	if (scan->semicolon == NULL || scan->semicolon < at) {
		scan->semicolon = scan->end = at + strcspn(at, ";");
		while (scan->end > at && g_ascii_isspace(scan->end[-1]))
			scan->end--;
	}
	return MAX(scan->end, at);
}

/* Sets the value that begins at `scan->at`, and goes behind it. */
static void
loose_value(Loose *loose, Scan *scan)
{
	const char *at = scan->at, *close = scan_quote(scan, at);

	loose->is_quoted = close != NULL;
	if (close != NULL) {
		loose->value = at + 1;
		loose->end = close;
		loose->more = scan_end(scan, close + 1);
		scan->at = close + 1;
		return;
	}
	loose->value = at;
	loose->end = loose->more = scan_end(scan, at);
	scan->at = at + strcspn(at, "; \t");
}

static bool
is_behind_semicolon(const char *begin, const char *at)
{
	while (at > begin && g_ascii_isspace(at[-1]))
		at--;
	return at > begin && at[-1] == ';';
}

/* The next "name=" outside of quotes, with or without a semicolon in front.  False: there is none. */
static bool
loose_next(Loose *loose, Scan *scan)
{
	const char *begin = scan->at, *at = begin;

	while (*at != '\0') {
		const char *close = scan_quote(scan, at), *end = at;

		*loose = (Loose){ .name = at };
		while (is_name_octet(*end))
			end++;
		loose->name_size = (size_t)(end - at);
		if (loose->name_size == 0) {
			at = close != NULL ? close + 1 : at + 1;
			continue;
		}
		loose->has_semicolon = is_behind_semicolon(begin, at);
		at = end;
		if (*at == '*') {
			loose->has_number = g_ascii_isdigit(at[1]);
			loose->number = (unsigned)g_ascii_strtoull(at + 1, NULL, 10);
			at += 1 + strspn(at + 1, "0123456789");
			loose->is_extended = !loose->has_number || *at == '*';
			at += *at == '*';
		}
		if (*skip_blanks(at) == '=') {
			scan->at = skip_blanks(skip_blanks(at) + 1);
			loose_value(loose, scan);
			return true;
		}
	}
	return false;
}

static bool
loose_is(const Loose *loose, const char *name)
{
	return loose->name_size == strlen(name) && g_ascii_strncasecmp(loose->name, name, loose->name_size) == 0;
}

/* ---- values ---- */

/* Without quotes, and without backslashes where it was quoted; to the first blank where it was not.
 * New. */
static char *
loose_text(const Loose *loose)
{
	GString *text = g_string_new(NULL);
	const char *at = loose->value + (!loose->is_quoted && *loose->value == '"');

	for (; at < loose->end; at++) {
		if (!loose->is_quoted && *loose->value != '"' && g_ascii_isspace(*at))
			break;
		if (loose->is_quoted && *at == '\\' && at + 1 < loose->end)
			at++;
		g_string_append_c(text, *at);
	}
	return g_string_free(text, FALSE);
}

/* To the semicolon, without the quotes around it. */
static char *
loose_verbatim(const Loose *loose)
{
	const char *begin = loose->value - loose->is_quoted, *end = loose->more;
	const bool has_quotes = end - begin > 1 && *begin == '"' && end[-1] == '"';

	return g_strndup(begin + has_quotes, (size_t)(end - begin - 2 * has_quotes));
}

/* "utf-8'en'%C3%A9" in UTF-8; takes `text`. */
static char *
extended_text(char *text)
{
	char *language = strchr(text, '\''), *out = text;
	const char *value = language != NULL ? strchr(language + 1, '\'') : NULL;
	g_autofree char *charset = value != NULL ? g_strndup(text, (size_t)(language - text)) : NULL;
	size_t size;

	for (const char *at = value != NULL ? value + 1 : text; *at != '\0'; at++) {
		const bool is_coded = *at == '%' && g_ascii_isxdigit(at[1]) && g_ascii_isxdigit(at[2]);

		*out++ = is_coded ? (char)(g_ascii_xdigit_value(at[1]) << 4 | g_ascii_xdigit_value(at[2])) : *at;
		at += is_coded ? 2 : 0;
	}
	*out = '\0';
	size = strlen(text);
	return mime_to_utf8(text, &size, charset);
}

/* ---- names ---- */

static void
loose_add_decoded(Fields *fields, char *name)
{
	if (strstr(name, "=?") != NULL)
		fields_add_name(fields, mime_words(name, MIME_LIBRARY));
	fields_add_name(fields, name);
}

/* Returns `text`. */
static char *
without_quotes(char *text)
{
	char *out = text;

	for (const char *at = text; *at != '\0'; at++)
		if (*at != '"')
			*out++ = *at;
	*out = '\0';
	return text;
}

/* Without semicolons between them each name goes to the end of the field. */
static bool
loose_takes_name(Fields *fields, const Loose *loose)
{
	fields->name_octets += (size_t)(loose->more - loose->value);
	fields->is_cut |= fields->name_octets > NAMES_OCTETS_MOST;
	return fields->name_octets <= NAMES_OCTETS_MOST;
}

static void
loose_add_name(Fields *fields, const Loose *loose)
{
	char *verbatim = g_strndup(loose->value, (size_t)(loose->more - loose->value));

	if (loose->is_extended)
		fields_add_name(fields, extended_text(loose_text(loose)));
	loose_add_decoded(fields, loose_text(loose));
	loose_add_decoded(fields, g_strstrip(without_quotes(verbatim)));
}

static int
section_compare(const void *a, const void *b)
{
	const Section *one = a, *other = b;

	return (one->number > other->number) - (one->number < other->number);
}

/* What the sections make, in the order of their numbers; they need not be all there. */
static void
sections_join(Fields *fields, GArray *sections)
{
	GString *text = g_string_new(NULL);
	bool is_extended = false;

	g_array_sort(sections, section_compare);
	for (guint i = 0; i < sections->len; i++) {
		Section *section = &g_array_index(sections, Section, i);

		is_extended |= section->is_extended;
		g_string_append(text, section->text);
		g_free(section->text);
	}
	if (sections->len > 0)
		loose_add_decoded(fields, is_extended ? extended_text(g_strdup(text->str)) : g_strdup(text->str));
	g_string_free(text, TRUE);
}

/* ---- the fields ---- */

/* Takes `value`. */
static void
loose_set(Fields *fields, char **which, char *value)
{
	if (*which != NULL && strcmp(*which, value) != 0)
		fields->doubts |= READING_LAST_PARAMETER;
	if (*which != NULL && (fields->reading & READING_LAST_PARAMETER) == 0) {
		g_free(value);
		return;
	}
	g_free(*which);
	*which = value;
}

/* Blanks at its end belong to no boundary (RFC 2046 5.1.1). */
static void
loose_set_boundary(Fields *fields, const Loose *loose)
{
	const bool has_quotes = loose->is_quoted || *loose->value == '"';
	const unsigned habit = has_quotes ? READING_VERBATIM : READING_WITH_BLANKS;
	g_autofree char *text = loose_text(loose), *verbatim = loose_verbatim(loose);
	char *boundary = g_strdup((fields->reading & habit) != 0 ? verbatim : text);

	if (strcmp(text, verbatim) != 0)
		fields->doubts |= habit;
	if (g_str_has_suffix(boundary, " "))
		fields->doubts |= READING_FINAL_BLANKS;
	if ((fields->reading & READING_FINAL_BLANKS) == 0)
		boundary = g_strchomp(boundary);
	loose_set(fields, &fields->boundary, boundary);
}

/* Of parameters of which but one holds. */
static bool
loose_is_skipped(Fields *fields, const Loose *loose)
{
	if (loose->has_semicolon)
		return false;
	fields->doubts |= READING_SEMICOLONS;
	return (fields->reading & READING_SEMICOLONS) != 0;
}

static void
loose_parameters(Fields *fields, const char *value)
{
	g_autoptr(GArray) sections = g_array_new(FALSE, FALSE, sizeof(Section));
	Scan scan = { .at = value };
	Loose loose;

	while (loose_next(&loose, &scan)) {
		const bool is_name = loose_is(&loose, "name") || loose_is(&loose, "filename");

		if (is_name && !loose_takes_name(fields, &loose))
			continue;
		if (is_name && loose.has_number && sections->len < SECTIONS_MOST) {
			const Section section = { loose.number, loose.is_extended, loose_verbatim(&loose) };

			g_array_append_val(sections, section);
		} else if (is_name) {
			loose_add_name(fields, &loose);
		} else if (loose_is_skipped(fields, &loose)) {
			continue;
		} else if (loose_is(&loose, "charset")) {
			loose_set(fields, &fields->charset, loose_text(&loose));
		} else if (loose_is(&loose, "boundary") && !loose.has_number && !loose.is_extended) {
			loose_set_boundary(fields, &loose);
		}
	}
	sections_join(fields, sections);
}

/* `at` behind it; new, in lower case; NULL: there is none. */
static char *
loose_token(const char **at)
{
	const char *begin = *at + strspn(*at, " \t\r\n\"'"), *end = begin;

	while (*end > ' ' && strchr("/;,\"()<>@=", *end) == NULL)
		end++;
	*at = skip_blanks(end);
	return end > begin ? g_ascii_strdown(begin, end - begin) : NULL;
}

/* "text/html", or nothing that says so. */
static void
loose_type(Fields *fields, const char *value)
{
	const char *at = value;
	g_autofree char *type = loose_token(&at), *subtype = NULL;

	if (type == NULL || *at != '/')
		return;
	at++;
	subtype = loose_token(&at);
	if (subtype == NULL)
		return;
	fields->own_type = g_strconcat(type, "/", subtype, NULL);
	fields->type = fields->own_type;
}

void
fields_parse_loose(Fields *fields)
{
	const char *type = fields->values[0], *disposition = fields->values[1];
	const char *encoding = fields->values[2];
	g_autofree char *token = encoding != NULL ? loose_token(&encoding) : NULL;

	if (token != NULL)
		fields->encoding = g_mime_content_encoding_from_string(token);
	if (disposition != NULL)
		loose_parameters(fields, disposition);
	g_clear_pointer(&fields->boundary, g_free); /* only a type has one */
	if (type == NULL)
		return;
	loose_type(fields, type);
	loose_parameters(fields, type);
	if (!g_str_has_prefix(fields->type, "multipart/"))
		g_clear_pointer(&fields->boundary, g_free);
	if (fields->boundary != NULL && *fields->boundary == '\0')
		g_clear_pointer(&fields->boundary, g_free);
}
