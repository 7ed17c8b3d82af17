/* refusals-line.c - flat JSON objects of strings and one number: all that a refusal needs, so all that is read.
 *
 *   {"time":1700000000000000,"session":"a91f-07","client":"203.0.113.9","reply":"550 5.7.1 no"} */
#include "service/refusals-line.h"

#include <string.h>

#include "base/escape.h"

static const struct {
	const char *name;
	size_t offset;
} refusal_fields[] = {
	{ "session", offsetof(Refusal, session) },
	{ "queue", offsetof(Refusal, queue_id) },
	{ "client", offsetof(Refusal, client) },
	{ "login", offsetof(Refusal, login) },
	{ "from", offsetof(Refusal, sender) },
	{ "to", offsetof(Refusal, recipient) },
	{ "stage", offsetof(Refusal, stage) },
	{ "plugin", offsetof(Refusal, plugin) },
	{ "cause", offsetof(Refusal, cause) },
	{ "reply", offsetof(Refusal, reply) },
};

static const char **
refusal_field(const Refusal *refusal, size_t i)
{
	return (const char **)((uintptr_t)refusal + refusal_fields[i].offset);
}

static void
refusal_put_text(GString *line, const char *text)
{
	g_string_append_c(line, '"');
	escape_append(line, text, ESCAPE_JSON);
	g_string_append_c(line, '"');
}

char *
refusal_format(const Refusal *refusal)
{
	GString *line = g_string_new(NULL);

	g_string_append_printf(line, "{\"time\":%" G_GINT64_FORMAT, (gint64)refusal->time_us);
	for (size_t i = 0; i < G_N_ELEMENTS(refusal_fields); i++) {
		const char *text = *refusal_field(refusal, i);

		if (text == NULL)
			continue;
		g_string_append_printf(line, ",\"%s\":", refusal_fields[i].name);
		refusal_put_text(line, text);
	}
	g_string_append(line, "}\n");
	return g_string_free(line, FALSE);
}

/* Of "\uXXXX", "\"" and "\\": nothing else is written.  The character takes less room than its escape.  Returns what is
 * behind it, or NULL. */
static const char *
refusal_read_escape(const char *from, char **to)
{
	gunichar one = 0;

	if (*from != 'u') {
		*(*to)++ = *from;
		return *from == '"' || *from == '\\' ? from + 1 : NULL;
	}
	for (int i = 1; i <= 4; i++) {
		const int digit = g_ascii_xdigit_value(from[i]);

		if (digit < 0)
			return NULL;
		one = one << 4 | (gunichar)digit;
	}
	if (one == 0 || !g_unichar_validate(one))
		return NULL;
	*to += g_unichar_to_utf8(one, *to);
	return from + 5;
}

/* A string in quotes at `*at`, unescaped in place; NULL: there is none. */
static char *
refusal_read_text(char **at)
{
	char *text = *at + 1, *to = text;
	const char *from = text;

	if (**at != '"')
		return NULL;
	while (*from != '"' && *from != '\0') {
		if (*from != '\\') {
			*to++ = *from++;
			continue;
		}
		from = refusal_read_escape(from + 1, &to);
		if (from == NULL)
			return NULL;
	}
	if (*from != '"')
		return NULL;
	*at = (char *)(uintptr_t)from + 1;
	*to = '\0';
	return text;
}

static void
refusal_set(Refusal *refusal, const char *name, const char *text)
{
	for (size_t i = 0; i < G_N_ELEMENTS(refusal_fields); i++)
		if (strcmp(refusal_fields[i].name, name) == 0)
			*refusal_field(refusal, i) = text;
}

bool
refusal_parse(char *line, Refusal *refusal)
{
	static const char start[] = "{\"time\":";
	Refusal read = { 0 };
	char *at = line;

	if (strncmp(at, start, strlen(start)) != 0)
		return false;
	read.time_us = g_ascii_strtoll(at + strlen(start), &at, 10);
	while (*at == ',') {
		const char *name, *text;

		at++;
		name = refusal_read_text(&at);
		if (name == NULL || *at++ != ':' || (text = refusal_read_text(&at)) == NULL)
			return false;
		refusal_set(&read, name, text);
	}
	if (strcmp(at, "}") != 0)
		return false;
	*refusal = read;
	return true;
}
