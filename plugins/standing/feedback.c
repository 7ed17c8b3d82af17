/* feedback.c - reading reports: all parts, also those of messages within messages, for two things: the fields of
 * message/feedback-report, and the header of the message that the report is about, whole or header alone. */
#include "plugins/standing/feedback.h"

#include <string.h>

#include "plugins/mime/parts.h"

enum { CONTENT_MOST = 1 << 20, PARTS_MOST = 100, DEPTH_MOST = 8 };

typedef struct {
	const char *submit, *account; /* names of headers */
	Feedback *feedback;
	unsigned parts;
} Reading;

/* What people are shown, and store and log keep. */
static void
put_text(char *text, size_t room, const char *value)
{
	(void)g_strlcpy(text, value, room);
	for (char *c = text; *c != '\0'; c++)
		if (!g_ascii_isprint(*c))
			*c = ' ';
	g_strchomp(text);
}

/* "rfc822; <user@example.org>", "user@example.org" */
static void
put_address(char *text, size_t room, const char *value)
{
	const char *semicolon = strchr(value, ';');

	value = semicolon != NULL ? semicolon + 1 : value;
	put_text(text, room, value + strspn(value, " \t<"));
	text[strcspn(text, "> ")] = '\0';
}

/* The first report counts, and within it the first field of a name. */
static void
read_report(Reading *reading, PartReader part)
{
	g_autoptr(GString) field = g_string_new(NULL);
	Feedback *feedback = reading->feedback;

	if (feedback->is_report)
		return;
	feedback->is_report = true;
	while (part_field(&part, field)) {
		const char *value;

		if ((value = part_value(field->str, "Feedback-Type")) != NULL && feedback->type[0] == '\0') {
			put_address(feedback->type, sizeof feedback->type, value);
			for (char *c = feedback->type; *c != '\0'; c++)
				*c = g_ascii_tolower(*c);
		} else if ((value = part_value(field->str, "Original-Rcpt-To")) != NULL &&
				   feedback->recipient[0] == '\0') {
			put_address(feedback->recipient, sizeof feedback->recipient, value);
		} else if ((value = part_value(field->str, "Source-IP")) != NULL && feedback->source[0] == '\0') {
			put_text(feedback->source, sizeof feedback->source, value);
		}
	}
}

/* Ours stand below those that the submitter wrote: the last of a name counts. */
static void
read_original(Reading *reading, PartReader header)
{
	g_autoptr(GString) field = g_string_new(NULL);
	char submit[sizeof reading->feedback->submit] = "", tag[sizeof reading->feedback->tag] = "";

	if (reading->feedback->submit[0] != '\0')
		return;
	while (part_field(&header, field)) {
		const char *value = part_value(field->str, reading->submit);

		if (value != NULL) {
			value +=
				g_ascii_strncasecmp(value, "Submit ID ", strlen("Submit ID ")) == 0 ? strlen("Submit ID ") : 0;
			put_text(submit, sizeof submit, value);
		} else if ((value = part_value(field->str, reading->account)) != NULL) {
			put_text(tag, sizeof tag, value);
		}
	}
	if (submit[0] == '\0' || strspn(submit, "0123456789abcdef.") != strlen(submit))
		return;
	memcpy(reading->feedback->submit, submit, sizeof submit);
	memcpy(reading->feedback->tag, tag, sizeof tag);
}

static bool
is_one_of(const char *type, const char *const *types)
{
	while (*types != NULL && strcmp(type, *types) != 0)
		types++;
	return *types != NULL;
}

static void read_entity(Reading *reading, PartReader entity, unsigned depth);

static void
read_multipart(Reading *reading, PartReader reader, const char *boundary, unsigned depth)
{
	PartReader part;
	bool is_more = part_next(&reader, boundary, &part); /* what is before the first is for people */

	while (is_more) {
		is_more = part_next(&reader, boundary, &part);
		read_entity(reading, part, depth + 1);
	}
}

static void
read_body(Reading *reading, PartReader body, const PartHeader *header, unsigned depth)
{
	static const char *const messages[] = { "message/rfc822", "message/global", NULL };
	static const char *const headers[] = { "text/rfc822-headers", "text/rfc822-header", "message/rfc822-headers",
		"message/global-headers", NULL };

	if (g_str_has_prefix(header->type, "multipart/") && header->boundary[0] != '\0') {
		read_multipart(reading, body, header->boundary, depth);
	} else if (strcmp(header->type, "message/feedback-report") == 0) {
		read_report(reading, body);
	} else if (is_one_of(header->type, headers)) {
		read_original(reading, body);
	} else if (is_one_of(header->type, messages)) {
		read_original(reading, body);
		read_entity(reading, body, depth + 1);
	}
}

static void
read_entity(Reading *reading, PartReader entity, unsigned depth)
{
	g_autofree char *encoded = NULL;
	g_autofree guchar *decoded = NULL;
	PartHeader header;
	gsize size;

	if (depth > DEPTH_MOST || ++reading->parts > PARTS_MOST)
		return;
	part_header(&entity, &header);
	if (header.is_base64 && !g_str_has_prefix(header.type, "multipart/")) {
		encoded = g_strndup(entity.at, (gsize)(entity.end - entity.at));
		decoded = g_base64_decode(encoded, &size);
		entity = (PartReader){ (const char *)decoded, (const char *)decoded + size };
	}
	read_body(reading, entity, &header, depth);
}

void
feedback_read(const char *prefix, const char *content, size_t size, Feedback *feedback)
{
	g_autofree char *submit = g_strconcat(prefix, "-Submit", NULL);
	g_autofree char *account = g_strconcat(prefix, "-Account", NULL);
	Reading reading = { .submit = submit, .account = account, .feedback = feedback };

	*feedback = (Feedback){ 0 };
	read_entity(&reading, (PartReader){ content, content + MIN(size, CONTENT_MOST) }, 0);
}
