/* parts.c - one pass over lines, as RFC 2046 and RFC 5322 have them; what is too long is cut, nothing is refused. */
#include "plugins/mime/parts.h"

#include <string.h>

/* ---- lines and fields ---- */

bool
part_line(PartReader *reader, const char **line, size_t *size)
{
	const char *newline;

	if (reader->at == reader->end)
		return false;
	newline = memchr(reader->at, '\n', (size_t)(reader->end - reader->at));
	*line = reader->at;
	*size = (size_t)((newline != NULL ? newline : reader->end) - reader->at);
	reader->at = newline != NULL ? newline + 1 : reader->end;
	if (*size > 0 && (*line)[*size - 1] == '\r')
		--*size;
	return true;
}

static bool
part_goes_on(const PartReader *reader)
{
	return reader->at < reader->end && (reader->at[0] == ' ' || reader->at[0] == '\t');
}

bool
part_field(PartReader *reader, GString *text)
{
	const char *line;
	size_t size;

	g_string_truncate(text, 0);
	if (!part_line(reader, &line, &size) || size == 0)
		return false;
	g_string_append_len(text, line, (gssize)MIN(size, PART_VALUE_MOST));
	while (part_goes_on(reader) && part_line(reader, &line, &size))
		if (text->len < PART_VALUE_MOST)
			g_string_append_len(text, line, (gssize)MIN(size, PART_VALUE_MOST - text->len));
	return true;
}

const char *
part_value(const char *field, const char *name)
{
	const size_t size = strlen(name);

	if (g_ascii_strncasecmp(field, name, size) != 0 || field[size] != ':')
		return NULL;
	field += size + 1;
	return field + strspn(field, " \t");
}

/* boundary := 0*69<bchars> bcharsnospace, quoted or not (RFC 2046 5.1.1) */
static void
part_take_boundary(const char *value, PartHeader *header)
{
	for (const char *at = strchr(value, ';'); at != NULL; at = strchr(at + 1, ';')) {
		const char *name = at + 1 + strspn(at + 1, " \t");
		size_t size;

		if (g_ascii_strncasecmp(name, "boundary=", strlen("boundary=")) != 0)
			continue;
		name += strlen("boundary=");
		size = name[0] == '"' ? strcspn(name + 1, "\"") : strcspn(name, "; \t");
		name += name[0] == '"';
		if (size <= PART_BOUNDARY_MOST)
			(void)g_strlcpy(header->boundary, name, size + 1);
		return;
	}
}

static void
part_take_type(const char *value, PartHeader *header)
{
	g_autofree char *type = g_ascii_strdown(value, (gssize)strcspn(value, "; \t"));

	if (header->type[0] != '\0')
		return;
	(void)g_strlcpy(header->type, type, sizeof header->type);
	part_take_boundary(value, header);
}

void
part_header(PartReader *reader, PartHeader *header)
{
	g_autoptr(GString) field = g_string_new(NULL);

	*header = (PartHeader){ 0 };
	while (part_field(reader, field)) {
		const char *type = part_value(field->str, "Content-Type");
		const char *encoding = part_value(field->str, "Content-Transfer-Encoding");

		if (type != NULL)
			part_take_type(type, header);
		if (encoding != NULL)
			header->is_base64 = g_ascii_strncasecmp(encoding, "base64", strlen("base64")) == 0;
		header->has_failed_recipients |= part_value(field->str, "X-Failed-Recipients") != NULL;
	}
}

/* ---- parts ---- */

/* True for "--BOUNDARY" and "--BOUNDARY--". */
static bool
part_is_boundary(const char *line, size_t size, const char *boundary, bool *is_last)
{
	const size_t length = strlen(boundary);

	while (size > 0 && g_ascii_isspace(line[size - 1]))
		size--;
	if (size < length + 2 || strncmp(line, "--", 2) != 0 || memcmp(line + 2, boundary, length) != 0)
		return false;
	*is_last = size == length + 4 && memcmp(line + 2 + length, "--", 2) == 0;
	return *is_last || size == length + 2;
}

bool
part_next(PartReader *reader, const char *boundary, PartReader *part)
{
	bool is_last = true;
	const char *line;
	size_t size;

	part->at = part->end = reader->at;
	while (part_line(reader, &line, &size)) {
		if (part_is_boundary(line, size, boundary, &is_last))
			return !is_last;
		part->end = reader->at;
	}
	return false;
}
