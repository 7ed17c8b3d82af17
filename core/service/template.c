/* template.c - the texts of notices, filled in. */
#include "service/template.h"

#include <string.h>

#include "base/error.h"
#include "proto/header.h"

enum {
	TEMPLATE_FILE_MAX = 64 * 1024,
	TEMPLATE_FIELD_MAX = 900, /* octets of a header line's value, and of a line of the body (RFC 5322 2.1.1) */
	TEMPLATE_WORD = 42        /* octets that become an encoded word of at most 75 (RFC 2047 2) */
};

/* What is filled in at the moment. */
typedef struct {
	const char *where;
	unsigned line;
	const char *const *values; /* NULL: it is only looked at */
	const char *names_of;      /* then: a text that has all names that are known; NULL: any */
	GString *header, *body;
	bool has_subject;
	GError **error;
} Filling;

const char *
template_builtin(const char *name)
{
	for (const TemplateText *row = template_texts; row->name != NULL; row++)
		if (strcmp(row->name, name) == 0)
			return row->text;
	return NULL;
}

static bool template_complain(const Filling *filling, const char *format, ...) G_GNUC_PRINTF(2, 3);

static bool
template_complain(const Filling *filling, const char *format, ...)
{
	g_autofree char *text = NULL;
	va_list arguments;

	va_start(arguments, format);
	text = g_strdup_vprintf(format, arguments);
	va_end(arguments);
	return error_set(filling->error, POSTERN_ERROR_INVALID, "%s:%u: %s", filling->where, filling->line, text);
}

/* ---- values ---- */

/* Names that the core itself fills in, in every notice. */
static bool
template_is_common(const char *name)
{
	static const char *const common[] = { "service-name", "hostname", "postmaster", "recipient" };

	for (size_t i = 0; i < G_N_ELEMENTS(common); i++)
		if (strcmp(common[i], name) == 0)
			return true;
	return false;
}

/* NULL: there is no such name. */
static const char *
template_value(const Filling *filling, const char *name)
{
	g_autofree char *written = g_strdup_printf("%%{%s}", name);

	if (filling->values == NULL)
		return filling->names_of == NULL || template_is_common(name) || strstr(filling->names_of, written) != NULL
				   ? ""
				   : NULL;
	for (const char *const *pair = filling->values; pair[0] != NULL; pair += 2)
		if (strcmp(pair[0], name) == 0)
			return pair[1] != NULL ? pair[1] : "";
	return NULL;
}

/* In a header line nothing ends the line; in the body LF does. */
static void
template_put_value(GString *out, const char *value, bool is_body)
{
	g_autofree char *valid = g_utf8_make_valid(value, -1);

	for (const char *c = valid; *c != '\0'; c++) {
		if (is_body && *c == '\n')
			g_string_append(out, "\r\n");
		else if (is_body && c[0] == '\r' && c[1] == '\n')
			continue;
		else
			g_string_append_c(out, (unsigned char)*c < ' ' || *c == 0x7f ? ' ' : *c);
	}
}

/* A line of the template with its names filled in; new, or NULL. */
static GString *
template_fill_line(const Filling *filling, const char *line, bool is_body)
{
	GString *out = g_string_new(NULL);

	for (const char *c = line; *c != '\0';) {
		const char *end = c[0] == '%' && c[1] == '{' ? strchr(c, '}') : NULL;
		g_autofree char *name = NULL;
		const char *value;

		if (c[0] != '%' || c[1] != '{') {
			g_string_append_c(out, *c++);
			continue;
		}
		name = end != NULL ? g_strndup(c + 2, (size_t)(end - c - 2)) : NULL;
		value = name != NULL ? template_value(filling, name) : NULL;
		if (value == NULL) {
			if (name == NULL)
				(void)template_complain(filling, "\"%%{\" without \"}\"");
			else
				(void)template_complain(filling, "there is no \"%%{%s}\" in this notice", name);
			g_string_free(out, TRUE);
			return NULL;
		}
		template_put_value(out, value, is_body);
		c = end + 1;
	}
	return out;
}

/* ---- lines ---- */

/* The most octets, at least one character, that fit. */
static size_t
template_clip(const char *text, size_t length, size_t most)
{
	if (length <= most)
		return length;
	while (most > 1 && ((unsigned char)text[most] & 0xc0) == 0x80)
		most--;
	return most;
}

/* RFC 2047: other characters than ASCII as encoded words. */
static void
template_put_field(GString *out, const char *name, const char *value)
{
	const size_t length = template_clip(value, strlen(value), TEMPLATE_FIELD_MAX);

	g_string_append_printf(out, "%s:", name);
	if (g_str_is_ascii(value)) {
		g_string_append_printf(out, " %.*s\r\n", (int)length, value);
		return;
	}
	for (size_t at = 0; at < length;) {
		const size_t size = template_clip(value + at, length - at, TEMPLATE_WORD);
		g_autofree char *word = g_base64_encode((const guchar *)value + at, size);

		g_string_append_printf(out, "%s =?utf-8?B?%s?=", at > 0 ? "\r\n" : "", word);
		at += size;
	}
	g_string_append(out, "\r\n");
}

static bool
template_is_of_core(const char *name)
{
	static const char *const fields[] = { "From", "Sender", "To", "Cc", "Bcc", "Date", "Message-ID",
		"Auto-Submitted", "MIME-Version", "Content-Type", "Content-Transfer-Encoding", "Return-Path", "Received" };

	for (size_t i = 0; i < G_N_ELEMENTS(fields); i++)
		if (g_ascii_strcasecmp(fields[i], name) == 0)
			return true;
	return false;
}

static bool
template_take_field(Filling *filling, const char *line)
{
	const char *colon = strchr(line, ':');
	g_autofree char *name = colon != NULL ? g_strndup(line, (size_t)(colon - line)) : NULL;
	GString *value;

	if (name == NULL || !header_name_is_valid(name))
		return template_complain(filling, "\"%.40s\" is no header line, and no empty line came before it", line);
	if (template_is_of_core(name))
		return template_complain(filling, "the field %s is written by Postern", name);
	value = template_fill_line(filling, colon + 1, false);
	if (value == NULL)
		return false;
	template_put_field(filling->header, name, g_strstrip(value->str));
	filling->has_subject = filling->has_subject || g_ascii_strcasecmp(name, "Subject") == 0;
	g_string_free(value, TRUE);
	return true;
}

/* Values may make a line longer than mail allows. */
static void
template_put_body(GString *body, const char *text)
{
	g_auto(GStrv) lines = g_strsplit(text, "\r\n", -1);

	if (*lines == NULL)
		g_string_append(body, "\r\n"); /* the lines of "" are none */
	for (char **line = lines; *line != NULL; line++) {
		const char *rest = *line;

		do {
			const size_t size = template_clip(rest, strlen(rest), TEMPLATE_FIELD_MAX);

			g_string_append_len(body, rest, (gssize)size);
			g_string_append(body, "\r\n");
			rest += size;
		} while (*rest != '\0');
	}
}

static bool
template_take_line(Filling *filling, const char *line)
{
	GString *filled = template_fill_line(filling, line, true);

	if (filled == NULL)
		return false;
	template_put_body(filling->body, filled->str);
	g_string_free(filled, TRUE);
	return true;
}

static bool
template_take_text(Filling *filling, const char *text)
{
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	bool is_body = false, is_right = true;

	for (char **line = lines; is_right && *line != NULL; line++) {
		filling->line++;
		(*line)[strcspn(*line, "\r")] = '\0';
		if (line[1] == NULL && **line == '\0')
			break; /* behind the last line's end */
		if (is_body)
			is_right = template_take_line(filling, *line);
		else if (!is_body && **line == '\0')
			is_body = true;
		else if (!is_body && (**line != '#' || filling->header->len > 0))
			is_right = template_take_field(filling, *line);
	}
	filling->line = MAX(filling->line, 1);
	if (is_right && !is_body)
		return template_complain(filling, "there is no empty line between header lines and body");
	filling->line = 1;
	return is_right && (filling->has_subject || template_complain(filling, "there is no Subject"));
}

static void
template_begin(Filling *filling)
{
	filling->header = g_string_new(NULL);
	filling->body = g_string_new(NULL);
}

bool
template_fill(
	const char *text, const char *where, const char *const *values, char **header, char **body, GError **error)
{
	Filling filling = { .where = where, .values = values, .error = error };
	bool is_filled;

	template_begin(&filling);
	is_filled = template_take_text(&filling, text);
	if (is_filled) {
		*header = g_strdup(filling.header->str);
		*body = g_strdup(filling.body->str);
	}
	g_string_free(filling.header, TRUE);
	g_string_free(filling.body, TRUE);
	return is_filled;
}

/* ---- files ---- */

/* New, or NULL: there is none (no error), or it cannot be one. */
static char *
template_read(const char *path, GError **error)
{
	g_autofree char *text = NULL;
	gsize size;

	if (!g_file_test(path, G_FILE_TEST_EXISTS) || !g_file_get_contents(path, &text, &size, error))
		return NULL;
	if (size > TEMPLATE_FILE_MAX || strlen(text) != size || !g_utf8_validate(text, (gssize)size, NULL)) {
		(void)error_set(
			error, POSTERN_ERROR_INVALID, "%s:1: no text of at most %d octets in UTF-8", path, TEMPLATE_FILE_MAX);
		return NULL;
	}
	return g_steal_pointer(&text);
}

bool
template_render(const char *directory, const char *name, const char *const *values, char **header, char **body,
	char **mistake, GError **error)
{
	g_autofree char *path = directory != NULL ? g_build_filename(directory, name, NULL) : NULL;
	g_autoptr(GError) failure = NULL;
	g_autofree char *text = path != NULL ? template_read(path, &failure) : NULL;
	const char *builtin = template_builtin(name);

	*mistake = NULL;
	if (text != NULL && template_fill(text, path, values, header, body, &failure))
		return true;
	if (failure != NULL)
		*mistake = g_strdup(failure->message);
	if (builtin != NULL)
		return template_fill(builtin, name, values, header, body, error);
	return error_set(error, POSTERN_ERROR_NOT_FOUND, "there is no template \"%s\"", name);
}

static void
template_check_file(const char *directory, const char *name, GPtrArray *mistakes)
{
	g_autofree char *path = g_build_filename(directory, name, NULL);
	g_autoptr(GError) error = NULL;
	g_autofree char *text = template_read(path, &error);
	Filling filling = { .where = path, .names_of = template_builtin(name), .error = &error };

	template_begin(&filling);
	if (text != NULL)
		(void)template_take_text(&filling, text);
	if (error != NULL)
		g_ptr_array_add(mistakes, g_strdup(error->message));
	g_string_free(filling.header, TRUE);
	g_string_free(filling.body, TRUE);
}

static int
template_compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Editors leave files behind that are no templates: "iphelper~", ".iphelper.swp", "iphelper.dpkg-old". */
static bool
template_is_name(const char *name)
{
	return name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-")] == '\0';
}

void
template_check(const char *directory, GPtrArray *mistakes)
{
	g_autoptr(GDir) dir = g_dir_open(directory, 0, NULL);
	g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
	const char *name;

	while (dir != NULL && (name = g_dir_read_name(dir)) != NULL)
		if (template_is_name(name))
			g_ptr_array_add(names, g_strdup(name));
	g_ptr_array_sort(names, template_compare);
	for (guint i = 0; i < names->len; i++)
		template_check_file(directory, g_ptr_array_index(names, i), mistakes);
}
