/* field.c - Content-Type, Content-Disposition and Content-Transfer-Encoding, as GMime reads them (RFC 2045, 2183,
 * 2231, and 2047 where it should not be). */
#include "plugins/mime/field.h"
#include "plugins/mime/mime.h"

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
		if (field->text != NULL)
			return NULL; /* the first one holds */
		field->text = g_string_new(NULL);
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
	field->is_cut |= end - start > FIELD_MOST - (gssize)field->text->len;
	if (field->text->len < FIELD_MOST)
		g_string_append_len(field->text, start, MIN(end - start, FIELD_MOST - (gssize)field->text->len));
}

const char *
field_value(const Fields *fields, size_t kind)
{
	return fields->raw[kind].text != NULL ? fields->raw[kind].text->str : NULL;
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

static void
fields_parse_type(Fields *fields, const char *value)
{
	GMimeContentType *type = g_mime_content_type_parse(NULL, value);
	GMimeParamList *list = g_mime_content_type_get_parameters(type);
	g_autofree char *mime_type = g_mime_content_type_get_mime_type(type);

	fields->own_type = g_ascii_strdown(mime_type, -1);
	fields->type = fields->own_type;
	fields->charset = field_parameter(list, "charset");
	fields->names[1] = field_parameter(list, "name");
	if (g_str_has_prefix(fields->own_type, "multipart/"))
		fields->boundary = field_parameter(list, "boundary");
	g_object_unref(type);
}

static void
fields_parse_disposition(Fields *fields, const char *value)
{
	GMimeContentDisposition *disposition = g_mime_content_disposition_parse(NULL, value);

	if (disposition == NULL)
		return;
	fields->names[0] = field_parameter(g_mime_content_disposition_get_parameters(disposition), "filename");
	g_object_unref(disposition);
}

/* Counts it as parsed; false: too much was already. */
bool
fields_may_parse(Fields *fields, const char *value)
{
	const size_t size = value != NULL ? strlen(value) : 0;

	if (size > *fields->octets) {
		fields->is_cut = true;
		return false;
	}
	*fields->octets -= size;
	return size > 0;
}

void
fields_begin_parse(Fields *fields)
{
	fields->type = fields->default_type != NULL ? fields->default_type : "text/plain";
	for (size_t i = 0; i < FIELD_KINDS; i++)
		fields->is_cut |= fields->raw[i].is_cut;
}

void
fields_parse(Fields *fields)
{
	const char *type = field_value(fields, 0), *disposition = field_value(fields, 1),
			   *encoding = field_value(fields, 2);

	fields_begin_parse(fields);
	if (encoding != NULL)
		fields->encoding = g_mime_content_encoding_from_string(encoding + strspn(encoding, " \t"));
	if (type != NULL && strchr(type, '/') == NULL) /* no type: the one that stands for none */
		type = NULL;
	if (fields_may_parse(fields, type))
		fields_parse_type(fields, type);
	if (fields_may_parse(fields, disposition))
		fields_parse_disposition(fields, disposition);
	for (size_t i = 0; i < G_N_ELEMENTS(fields->names); i++)
		if (fields->names[i] != NULL && !g_utf8_validate(fields->names[i], -1, NULL)) {
			char *valid = g_utf8_make_valid(fields->names[i], -1);

			g_free(fields->names[i]);
			fields->names[i] = valid;
		}
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
	g_free(fields->own_type);
	g_free(fields->boundary);
	g_free(fields->charset);
	g_free(fields->names[0]);
	g_free(fields->names[1]);
}
