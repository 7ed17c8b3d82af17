/* parts.h - reports by mail, part by part: lines, fields and delimiters of octets that others wrote.  For plugins that read
 * reports of machines; who looks into content for people uses mime.h.  Needs GLib only. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

enum { PART_BOUNDARY_MOST = 200, PART_VALUE_MOST = 1000 };

/* Octets that are read once, a line or a field at a time. */
typedef struct {
	const char *at, *end;
} PartReader;

typedef struct {
	char type[100]; /* "multipart/report", lower case; "" where it was not said */
	char boundary[PART_BOUNDARY_MOST + 1];
	bool is_base64;
	bool has_failed_recipients; /* X-Failed-Recipients, as Exim writes it */
} PartHeader;

/* Without its end; false: there is none. */
bool part_line(PartReader *reader, const char **line, size_t *size);
/* The next field, unfolded, as "Name: value"; false at an empty line or the end.  `text` is not longer than PART_VALUE_MOST. */
bool part_field(PartReader *reader, GString *text);
/* Its value, if the field is named so; else NULL. */
const char *part_value(const char *field, const char *name);
/* Reads to behind the empty line.  Sets all of `header`. */
void part_header(PartReader *reader, PartHeader *header);
/* To behind the next delimiter line; `part` is what lay before it.  False: it was the last one. */
bool part_next(PartReader *reader, const char *boundary, PartReader *part);
