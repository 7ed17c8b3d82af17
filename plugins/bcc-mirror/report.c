/* report.c - reading bounces: the delivery status part of a multipart (RFC 3462, RFC 3464), line by line. */
#include "plugins/bcc-mirror/report.h"

#include <glib.h>
#include <stdbool.h>
#include <string.h>

enum { REPORT_MOST = 256 * 1024, BOUNDARY_MOST = 200, VALUE_MOST = 1000 };

/* Octets that are read once, a line or a field at a time. */
typedef struct {
	const char *at, *end;
} Reader;

/* ---- lines and fields ---- */

/* Without its end; false: there is none. */
static bool
report_line(Reader *reader, const char **line, size_t *size)
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
report_goes_on(const Reader *reader)
{
	return reader->at < reader->end && (reader->at[0] == ' ' || reader->at[0] == '\t');
}

/* The next field, unfolded, as "Name: value"; false at an empty line or the end.  `text` is not longer than VALUE_MOST. */
static bool
report_field(Reader *reader, GString *text)
{
	const char *line;
	size_t size;

	g_string_truncate(text, 0);
	if (!report_line(reader, &line, &size) || size == 0)
		return false;
	g_string_append_len(text, line, (gssize)MIN(size, VALUE_MOST));
	while (report_goes_on(reader) && report_line(reader, &line, &size))
		if (text->len < VALUE_MOST)
			g_string_append_len(text, line, (gssize)MIN(size, VALUE_MOST - text->len));
	return true;
}

/* Its value, if the field is named so; else NULL. */
static const char *
report_value(const char *field, const char *name)
{
	const size_t size = strlen(name);

	if (g_ascii_strncasecmp(field, name, size) != 0 || field[size] != ':')
		return NULL;
	field += size + 1;
	return field + strspn(field, " \t");
}

/* ---- headers ---- */

typedef struct {
	char type[100]; /* "multipart/report", lower case */
	char boundary[BOUNDARY_MOST + 1];
	bool has_failed_recipients; /* X-Failed-Recipients, as Exim writes it */
} PartHeader;

/* boundary := 0*69<bchars> bcharsnospace, quoted or not (RFC 2046 5.1.1) */
static void
report_take_boundary(const char *value, PartHeader *header)
{
	for (const char *at = strchr(value, ';'); at != NULL; at = strchr(at + 1, ';')) {
		const char *name = at + 1 + strspn(at + 1, " \t");
		size_t size;

		if (g_ascii_strncasecmp(name, "boundary=", strlen("boundary=")) != 0)
			continue;
		name += strlen("boundary=");
		size = name[0] == '"' ? strcspn(name + 1, "\"") : strcspn(name, "; \t");
		name += name[0] == '"';
		if (size <= BOUNDARY_MOST)
			(void)g_strlcpy(header->boundary, name, size + 1);
		return;
	}
}

static void
report_take_type(const char *value, PartHeader *header)
{
	g_autofree char *type = g_ascii_strdown(value, (gssize)strcspn(value, "; \t"));

	if (header->type[0] != '\0')
		return;
	(void)g_strlcpy(header->type, type, sizeof header->type);
	report_take_boundary(value, header);
}

/* Reads to behind the empty line. */
static void
report_header(Reader *reader, PartHeader *header)
{
	g_autoptr(GString) field = g_string_new(NULL);

	*header = (PartHeader){ 0 };
	while (report_field(reader, field)) {
		const char *type = report_value(field->str, "Content-Type");

		if (type != NULL)
			report_take_type(type, header);
		header->has_failed_recipients |= report_value(field->str, "X-Failed-Recipients") != NULL;
	}
}

/* ---- the delivery status ---- */

/* status-code = DIGIT "." 1*3DIGIT "." 1*3DIGIT (RFC 3464 2.3.4) */
static void
report_take_status(const char *value, Report *report)
{
	const size_t size = strspn(value, "0123456789.");

	if (size < sizeof report->status)
		(void)g_strlcpy(report->status, value, size + 1);
}

/* "smtp; 550 no such user": what a person may be shown. */
static void
report_take_text(const char *value, Report *report)
{
	const char *semicolon = strchr(value, ';');

	value = semicolon != NULL ? semicolon + 1 : value;
	value += strspn(value, " \t");
	(void)g_strlcpy(report->text, value, sizeof report->text);
	for (char *c = report->text; *c != '\0'; c++)
		if (!g_ascii_isprint(*c))
			*c = ' ';
}

static bool
report_is_word(const char *value, const char *word)
{
	return g_ascii_strncasecmp(value, word, strlen(word)) == 0 && !g_ascii_isalpha(value[strlen(word)]);
}

/* The fields of one recipient, or of the message; `actions`: how many failed, how many did anything else but wait. */
static void
report_group(Reader *reader, Report *report, unsigned actions[2])
{
	g_autoptr(GString) field = g_string_new(NULL);
	Report group = { 0 };
	bool is_failed = false;

	while (report_field(reader, field)) {
		const char *value;

		if ((value = report_value(field->str, "Action")) != NULL) {
			is_failed = report_is_word(value, "failed");
			actions[0] += is_failed;
			actions[1] += report_is_word(value, "delivered") || report_is_word(value, "relayed") ||
						  report_is_word(value, "expanded");
		} else if ((value = report_value(field->str, "Status")) != NULL) {
			report_take_status(value, &group);
		} else if ((value = report_value(field->str, "Diagnostic-Code")) != NULL) {
			report_take_text(value, &group);
		}
	}
	if (is_failed && report->status[0] == '\0') {
		memcpy(report->status, group.status, sizeof report->status);
		memcpy(report->text, group.text, sizeof report->text);
	}
}

/* An address that stands for several has failed when none of them got it. */
static void
report_status_part(Reader part, Report *report)
{
	unsigned actions[2] = { 0, 0 };

	while (part.at < part.end)
		report_group(&part, report, actions);
	report->result = actions[0] > 0 && actions[1] == 0 ? REPORT_FAILED : REPORT_OTHER;
}

/* ---- parts ---- */

/* True for "--BOUNDARY" and "--BOUNDARY--". */
static bool
report_is_boundary(const char *line, size_t size, const char *boundary, bool *is_last)
{
	const size_t length = strlen(boundary);

	if (size < length + 2 || strncmp(line, "--", 2) != 0 || memcmp(line + 2, boundary, length) != 0)
		return false;
	*is_last = size >= length + 4 && memcmp(line + 2 + length, "--", 2) == 0;
	return true;
}

/* To behind the next boundary; the part is what lay before it.  False: it was the last one. */
static bool
report_next_part(Reader *reader, const char *boundary, Reader *part)
{
	bool is_last = true;
	const char *line;
	size_t size;

	part->at = part->end = reader->at;
	while (report_line(reader, &line, &size)) {
		if (report_is_boundary(line, size, boundary, &is_last))
			return !is_last;
		part->end = reader->at;
	}
	return false;
}

static void
report_multipart(Reader reader, const char *boundary, Report *report)
{
	Reader part;
	bool is_more = report_next_part(&reader, boundary, &part); /* what is before the first is for people */

	while (is_more) {
		PartHeader header;

		is_more = report_next_part(&reader, boundary, &part);
		report_header(&part, &header);
		if (strcmp(header.type, "message/delivery-status") == 0 ||
			strcmp(header.type, "message/global-delivery-status") == 0) {
			report_status_part(part, report);
			return;
		}
	}
}

/* qmail's form says "Hi. This is the" and is never sent for a delay; Exim names the recipients only when it gives them up. */
static bool
report_is_plain_failure(Reader reader, const PartHeader *header)
{
	static const char qmail[] = "Hi. This is the ";
	const char *line = "";
	size_t size = 0;

	if (header->has_failed_recipients)
		return true;
	while (report_line(&reader, &line, &size) && size == 0)
		;
	return size >= sizeof qmail - 1 && memcmp(line, qmail, sizeof qmail - 1) == 0;
}

void
report_read(const char *content, size_t size, size_t body, Report *report)
{
	Reader head = { content, content + MIN(body, size) };
	const Reader rest = { content + MIN(body, size), content + MIN(size, MIN(body, size) + REPORT_MOST) };
	PartHeader header;

	*report = (Report){ .result = REPORT_NONE };
	report_header(&head, &header);
	if (g_str_has_prefix(header.type, "multipart/") && header.boundary[0] != '\0')
		report_multipart(rest, header.boundary, report);
	if (report->result == REPORT_NONE && report_is_plain_failure(rest, &header))
		report->result = REPORT_FAILED;
}
