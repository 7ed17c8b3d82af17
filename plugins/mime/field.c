/* field.c - Content-Type, Content-Disposition and Content-Transfer-Encoding (RFC 2045, 2183, 2231,
 * and 2047 where it should not be): which of them hold, and how GMime reads them. */
#include "plugins/mime/field.h"
#include "plugins/mime/mime.h"
#include "plugins/mime/reading.h"

#include <string.h>
#include <strings.h>

static const char *const field_names[FIELD_KINDS] = { "Content-Type", "Content-Disposition",
	"Content-Transfer-Encoding" };

FieldText *
fields_begin(Fields *fields, const char *line, const char *end)
{
	const char *colon = *line == 'C' || *line == 'c' ? memchr(line, ':', (size_t)(end - line)) : NULL;
	size_t size = colon != NULL ? (size_t)(colon - line) : 0;

	while (size > 0 && (line[size - 1] == ' ' || line[size - 1] == '\t'))
		size--;
	for (size_t i = 0; size > 0 && i < FIELD_KINDS; i++) {
		FieldText *field = &fields->raw[i];

		if (size != strlen(field_names[i]) || strncasecmp(line, field_names[i], size) != 0)
			continue;
		if (field->text == NULL) {
			field->text = g_string_new(NULL);
			return field;
		}
		fields->doubts |= READING_LAST_FIELD;
		if ((fields->reading & READING_LAST_FIELD) == 0)
			return NULL;
		g_string_truncate(field->text, 0);
		field->is_cut = field->is_late = false;
		return field;
	}
	return NULL;
}

void
field_text_add(FieldText *field, const char *line, const char *end)
{
	const char *start = line;

	if (field->text->len == 0 && *line != ' ' && *line != '\t')
		start = (const char *)memchr(line, ':', (size_t)(end - line)) + 1;
	while (end > start && (end[-1] == '\r' || end[-1] == '\0'))
		end--;
	field->is_late |= field->text->len == 0 && (*line == ' ' || *line == '\t');
	field->is_cut |= end - start > FIELD_MOST - (gssize)field->text->len;
	if (field->text->len < FIELD_MOST)
		g_string_append_len(field->text, start, MIN(end - start, FIELD_MOST - (gssize)field->text->len));
}

static char *
field_parameter(GMimeParamList *list, const char *name)
{
	GMimeParam *parameter = list != NULL ? g_mime_param_list_get_parameter(list, name) : NULL;
	const char *value = parameter != NULL ? g_mime_param_get_value(parameter) : NULL;

	if (value == NULL || *value == '\0')
		return NULL;
	/* against the rules, and usual: an encoded word as the name of a file */
	return strstr(value, "=?") != NULL ? mime_words(value, MIME_LIBRARY) : g_strdup(value);
}

void
fields_add_name(Fields *fields, char *name)
{
	if (name == NULL)
		return;
	if (!g_utf8_validate(name, -1, NULL)) {
		char *valid = g_utf8_make_valid(name, -1);

		g_free(name);
		name = valid;
	}
	for (unsigned i = 0; i < fields->n_names; i++)
		if (strcmp(fields->names[i], name) == 0) {
			g_free(name);
			return;
		}
	if (*name == '\0' || fields->n_names == FIELD_NAMES_MOST) {
		fields->is_cut |= *name != '\0';
		g_free(name);
		return;
	}
	fields->names[fields->n_names++] = name;
}

static void
fields_library_type(Fields *fields, const char *value)
{
	GMimeContentType *type = g_mime_content_type_parse(NULL, value);
	GMimeParamList *list = g_mime_content_type_get_parameters(type);
	g_autofree char *mime_type = g_mime_content_type_get_mime_type(type);

	fields->own_type = g_ascii_strdown(mime_type, -1);
	fields->type = fields->own_type;
	fields->charset = field_parameter(list, "charset");
	fields_add_name(fields, field_parameter(list, "name"));
	fields_add_name(fields, field_parameter(list, "filename"));
	if (g_str_has_prefix(fields->own_type, "multipart/"))
		fields->boundary = field_parameter(list, "boundary");
	g_object_unref(type);
}

static void
fields_library_disposition(Fields *fields, const char *value)
{
	GMimeContentDisposition *disposition = g_mime_content_disposition_parse(NULL, value);
	GMimeParamList *list = disposition != NULL ? g_mime_content_disposition_get_parameters(disposition) : NULL;

	if (disposition == NULL)
		return;
	fields_add_name(fields, field_parameter(list, "filename"));
	fields_add_name(fields, field_parameter(list, "name"));
	g_object_unref(disposition);
}

static void
fields_parse_library(Fields *fields)
{
	const char *type = fields->values[0], *disposition = fields->values[1];
	const char *encoding = fields->values[2];

	if (encoding != NULL)
		fields->encoding = g_mime_content_encoding_from_string(encoding + strspn(encoding, " \t"));
	if (disposition != NULL)
		fields_library_disposition(fields, disposition);
	if (type != NULL && strchr(type, '/') != NULL) /* no type: the one that stands for none */
		fields_library_type(fields, type);
}

void
fields_begin_parse(Fields *fields)
{
	fields->type = fields->default_type != NULL ? fields->default_type : "text/plain";
	for (size_t i = 0; i < FIELD_KINDS; i++) {
		const size_t size = fields->raw[i].text != NULL ? strlen(fields->raw[i].text->str) : 0;

		fields->is_cut |= fields->raw[i].is_cut || size > *fields->octets;
		if (size == 0 || size > *fields->octets)
			continue;
		*fields->octets -= size;
		fields->values[i] = fields->raw[i].text->str;
	}
}

/* What was parsed. */
static void
fields_forget(Fields *fields)
{
	g_clear_pointer(&fields->own_type, g_free);
	g_clear_pointer(&fields->boundary, g_free);
	g_clear_pointer(&fields->charset, g_free);
	while (fields->n_names > 0)
		g_clear_pointer(&fields->names[--fields->n_names], g_free);
	fields->encoding = GMIME_CONTENT_ENCODING_DEFAULT;
	fields->type = fields->default_type != NULL ? fields->default_type : "text/plain";
}

void
fields_parse(Fields *fields)
{
	const bool is_plain = fields_parse_plain(fields);
	const bool has_odd_encoding = !is_plain && !fields_parse_plain_encoding(fields);

	if (is_plain && (fields->reading & READING_BY_LIBRARY) == 0)
		return;
	fields_forget(fields);
	if (!is_plain)
		fields->doubts |= READING_BY_LIBRARY;
	if (has_odd_encoding)
		fields->doubts |= READING_RAW;
	if ((fields->reading & READING_BY_LIBRARY) != 0)
		fields_parse_library(fields);
	else
		fields_parse_loose(fields);
	if (has_odd_encoding && (fields->reading & READING_RAW) != 0)
		fields->encoding = GMIME_CONTENT_ENCODING_DEFAULT;
}

bool
fields_are_message(const Fields *fields)
{
	return strcmp(fields->type, "message/rfc822") == 0 || strcmp(fields->type, "message/global") == 0 ||
		   strcmp(fields->type, "message/news") == 0;
}

void
fields_clear(Fields *fields)
{
	for (size_t i = 0; i < FIELD_KINDS; i++)
		if (fields->raw[i].text != NULL)
			g_string_free(fields->raw[i].text, TRUE);
	fields_forget(fields);
}
