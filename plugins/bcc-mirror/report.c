/* report.c - reading bounces: the delivery status part of a multipart (RFC 3462, RFC 3464), line by line. */
#include "plugins/bcc-mirror/report.h"

#include <glib.h>
#include <stdbool.h>
#include <string.h>

#include "plugins/mime/parts.h"

enum { REPORT_MOST = 256 * 1024 };

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
report_group(PartReader *reader, Report *report, unsigned actions[2])
{
	g_autoptr(GString) field = g_string_new(NULL);
	Report group = { 0 };
	bool is_failed = false;

	while (part_field(reader, field)) {
		const char *value;

		if ((value = part_value(field->str, "Action")) != NULL) {
			is_failed = report_is_word(value, "failed");
			actions[0] += is_failed;
			actions[1] += report_is_word(value, "delivered") || report_is_word(value, "relayed") ||
						  report_is_word(value, "expanded");
		} else if ((value = part_value(field->str, "Status")) != NULL) {
			report_take_status(value, &group);
		} else if ((value = part_value(field->str, "Diagnostic-Code")) != NULL) {
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
report_status_part(PartReader part, Report *report)
{
	unsigned actions[2] = { 0, 0 };

	while (part.at < part.end)
		report_group(&part, report, actions);
	report->result = actions[0] > 0 && actions[1] == 0 ? REPORT_FAILED : REPORT_OTHER;
}

/* ---- parts ---- */

static void
report_multipart(PartReader reader, const char *boundary, Report *report)
{
	PartReader part;
	bool is_more = part_next(&reader, boundary, &part); /* what is before the first is for people */

	while (is_more) {
		PartHeader header;

		is_more = part_next(&reader, boundary, &part);
		part_header(&part, &header);
		if (strcmp(header.type, "message/delivery-status") == 0 ||
			strcmp(header.type, "message/global-delivery-status") == 0) {
			report_status_part(part, report);
			return;
		}
	}
}

/* qmail's form says "Hi. This is the" and is never sent for a delay; Exim names the recipients only when it gives them up. */
static bool
report_is_plain_failure(PartReader reader, const PartHeader *header)
{
	static const char qmail[] = "Hi. This is the ";
	const char *line = "";
	size_t size = 0;

	if (header->has_failed_recipients)
		return true;
	while (part_line(&reader, &line, &size) && size == 0)
		;
	return size >= sizeof qmail - 1 && memcmp(line, qmail, sizeof qmail - 1) == 0;
}

void
report_read(const char *content, size_t size, size_t body, Report *report)
{
	PartReader head = { content, content + MIN(body, size) };
	const PartReader rest = { content + MIN(body, size), content + MIN(size, MIN(body, size) + REPORT_MOST) };
	PartHeader header;

	*report = (Report){ .result = REPORT_NONE };
	part_header(&head, &header);
	if (g_str_has_prefix(header.type, "multipart/") && header.boundary[0] != '\0')
		report_multipart(rest, header.boundary, report);
	if (report->result == REPORT_NONE && report_is_plain_failure(rest, &header))
		report->result = REPORT_FAILED;
}
