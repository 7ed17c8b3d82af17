/* field-plain.c - the fields of a plain message, as most programs write them; what GMime makes of them is the same. */
#include <string.h>

#include "plugins/mime/field.h"
#include "plugins/mime/mime.h"

typedef struct {
	const char *at;
} Reader;

static bool
is_token(char c)
{
	return g_ascii_isalnum(c) || c == '-' || c == '_' || c == '.' || c == '+';
}

static void
reader_skip_blanks(Reader *reader)
{
	reader->at += strspn(reader->at, " \t");
}

/* In lower case; new; NULL: there is none. */
static char *
reader_token(Reader *reader)
{
	const char *begin = reader->at;

	while (is_token(*reader->at))
		reader->at++;
	return reader->at > begin ? g_ascii_strdown(begin, reader->at - begin) : NULL;
}

/* A value of printable ASCII, without quotes; new; NULL: it has another form. */
static char *
reader_value(Reader *reader)
{
	const bool is_quoted = *reader->at == '"';
	const char *begin = reader->at += is_quoted;
	char *value;

	while (is_quoted ? *reader->at >= ' ' && *reader->at <= '~' && *reader->at != '"' && *reader->at != '\\'
					 : is_token(*reader->at))
		reader->at++;
	if (reader->at == begin || (is_quoted && *reader->at != '"'))
		return NULL;
	value = g_strndup(begin, (size_t)(reader->at - begin));
	reader->at += is_quoted;
	return value;
}

typedef struct {
	const char *name;
	char **value;
	bool may_be_encoded; /* words of it, against the rules */
} Parameter;

/* Takes `value`.  New; NULL: only the library decodes it. */
static char *
parameter_decode(const Parameter *parameter, char *value)
{
	char *decoded;

	if (strstr(value, "=?") == NULL)
		return value;
	decoded = parameter->may_be_encoded ? mime_words(value, MIME_PLAIN) : NULL;
	g_free(value);
	return decoded;
}

/* Each name once. */
static bool
reader_parameter(Reader *reader, const Parameter *wanted, size_t n)
{
	g_autofree char *name = reader_token(reader), *value = NULL;

	if (name == NULL || *reader->at != '=')
		return false;
	reader->at++;
	value = reader_value(reader);
	for (size_t i = 0; value != NULL && i < n; i++) {
		if (strcmp(name, wanted[i].name) != 0)
			continue;
		if (*wanted[i].value != NULL)
			return false;
		*wanted[i].value = parameter_decode(&wanted[i], g_steal_pointer(&value));
		return *wanted[i].value != NULL;
	}
	return value != NULL;
}

/* "; name=value; …" to the end. */
static bool
reader_parameters(Reader *reader, const Parameter *wanted, size_t n)
{
	for (;;) {
		reader_skip_blanks(reader);
		if (*reader->at == '\0')
			return true;
		if (*reader->at != ';')
			return false;
		reader->at++;
		reader_skip_blanks(reader);
		if (*reader->at == '\0')
			return true;
		if (!reader_parameter(reader, wanted, n))
			return false;
	}
}

static bool
fields_plain_type(Fields *fields, const char *value)
{
	g_autofree char *type = NULL, *subtype = NULL, *name = NULL, *file = NULL;
	const Parameter wanted[] = { { "charset", &fields->charset }, { "name", &name, true },
		{ "filename", &file, true }, { "boundary", &fields->boundary } };
	Reader reader = { value };

	reader_skip_blanks(&reader);
	type = reader_token(&reader);
	if (type == NULL || *reader.at != '/')
		return false;
	reader.at++;
	subtype = reader_token(&reader);
	if (subtype == NULL || !reader_parameters(&reader, wanted, G_N_ELEMENTS(wanted)))
		return false;
	if (fields->boundary != NULL && g_str_has_suffix(fields->boundary, " "))
		return false;
	fields_add_name(fields, g_steal_pointer(&name));
	fields_add_name(fields, g_steal_pointer(&file));
	fields->own_type = g_strconcat(type, "/", subtype, NULL);
	fields->type = fields->own_type;
	if (strcmp(type, "multipart") != 0)
		g_clear_pointer(&fields->boundary, g_free);
	return true;
}

static bool
fields_plain_disposition(Fields *fields, const char *value)
{
	g_autofree char *disposition = NULL, *file = NULL, *name = NULL;
	const Parameter wanted[] = { { "filename", &file, true }, { "name", &name, true } };
	Reader reader = { value };

	reader_skip_blanks(&reader);
	disposition = reader_token(&reader);
	if (disposition == NULL || !reader_parameters(&reader, wanted, G_N_ELEMENTS(wanted)))
		return false;
	fields_add_name(fields, g_steal_pointer(&file));
	fields_add_name(fields, g_steal_pointer(&name));
	return true;
}

bool
fields_parse_plain_encoding(Fields *fields)
{
	static const struct {
		const char *name;
		GMimeContentEncoding encoding;
	} encodings[] = { { "7bit", GMIME_CONTENT_ENCODING_7BIT }, { "8bit", GMIME_CONTENT_ENCODING_8BIT },
		{ "binary", GMIME_CONTENT_ENCODING_BINARY }, { "base64", GMIME_CONTENT_ENCODING_BASE64 },
		{ "quoted-printable", GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE } };
	Reader reader = { fields->values[2] };
	g_autofree char *name = NULL;

	if (fields->values[2] == NULL)
		return true;
	if (fields->raw[2].is_late)
		return false;
	reader_skip_blanks(&reader);
	name = reader_token(&reader);
	reader_skip_blanks(&reader);
	for (size_t i = 0; name != NULL && *reader.at == '\0' && i < G_N_ELEMENTS(encodings); i++)
		if (strcmp(name, encodings[i].name) == 0) {
			fields->encoding = encodings[i].encoding;
			return true;
		}
	return false;
}

bool
fields_parse_plain(Fields *fields)
{
	const char *type = fields->values[0], *disposition = fields->values[1];

	return fields_parse_plain_encoding(fields) &&
		   (disposition == NULL || fields_plain_disposition(fields, disposition)) &&
		   (type == NULL || fields_plain_type(fields, type));
}
