/* header.c - the header section of a message as a list of fields. */
#include "proto/header.h"

#include <glib.h>
#include <string.h>

enum { HEADER_NAME_MAX = 77 };

static bool
header_is_ftext(char c)
{
	return c > ' ' && c <= '~' && c != ':';
}

static bool
header_is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Size of the line at `line` with its CRLF; `left` if none ends it. */
static size_t
header_line_size(const char *line, size_t left)
{
	const char *at = line;
	const char *end = line + left;

	while ((at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
		at++;
		if (at - line >= 2 && at[-2] == '\r')
			return (size_t)(at - line);
	}
	return left;
}

/* Size of the name and the blanks behind it, which a colon follows; 0: no field begins here. */
static size_t
header_colon(const char *line, size_t left, size_t *name_size)
{
	size_t at = 0;

	while (at < left && header_is_ftext(line[at]))
		at++;
	*name_size = at;
	while (at < left && header_is_blank(line[at]))
		at++;
	return *name_size > 0 && at < left && line[at] == ':' ? at : 0;
}

void
header_scan_start(HeaderScan *scan, const char *content, size_t size)
{
	*scan = (HeaderScan){ .content = content, .size = size };
}

bool
header_scan_next(HeaderScan *scan, HeaderField *field)
{
	const char *line = scan->content + scan->at;
	const size_t left = scan->size - scan->at;
	size_t name_size, colon, size, end;

	colon = header_colon(line, left, &name_size);
	scan->has_more = colon > 0 && scan->n_fields == HEADER_FIELDS_MAX;
	if (colon == 0 || scan->has_more)
		return false;
	size = header_line_size(line, left);
	while (size < left && header_is_blank(line[size]))
		size += header_line_size(line + size, left - size);
	end = size >= 2 && line[size - 1] == '\n' && line[size - 2] == '\r' ? size - 2 : size;
	*field = (HeaderField){ .name = line,
		.name_size = name_size,
		.value = line + colon + 1,
		.value_size = end - colon - 1,
		.offset = scan->at,
		.size = size };
	scan->at += size;
	scan->n_fields++;
	return true;
}

size_t
header_end(const char *content, size_t size)
{
	HeaderScan scan;
	HeaderField field;

	header_scan_start(&scan, content, size);
	while (header_scan_next(&scan, &field))
		;
	return scan.at;
}

bool
header_is_within(const char *content, size_t size, size_t *end)
{
	const size_t found = header_end(content, size);
	size_t at = found, name_size;

	/* Behind the last field: a line that can be no field has an octet that neither a name nor the blanks before a colon
	 * may have. */
	while (at < size && header_is_ftext(content[at]))
		at++;
	name_size = at - found;
	while (at < size && name_size > 0 && header_is_blank(content[at]))
		at++;
	if (at == size || (content[at] == '\r' && at + 1 == size))
		return false;
	*end = found;
	return true;
}

size_t
header_body(const char *content, size_t size)
{
	const size_t end = header_end(content, size);

	return size - end >= 2 && memcmp(content + end, "\r\n", 2) == 0 ? end + 2 : end;
}

bool
header_is(const HeaderField *field, const char *name)
{
	return strlen(name) == field->name_size && g_ascii_strncasecmp(field->name, name, field->name_size) == 0;
}

bool
header_name_is_valid(const char *name)
{
	size_t size = 0;

	while (header_is_ftext(name[size]))
		size++;
	return size > 0 && size <= HEADER_NAME_MAX && name[size] == '\0';
}
