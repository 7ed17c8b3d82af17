/* content-type.c - the value of Content-Type.
 *
 *	content := type "/" subtype *(";" parameter)      parameter := attribute "=" (token / quoted-string)
 *
 * with comments and blanks between its words (RFC 822 3.1.4). */
#include "proto/content-type.h"

#include <glib.h>
#include <string.h>

static const char *
content_type_skip(const char *at)
{
	unsigned depth = 0;

	for (; *at != '\0'; at++) {
		if (*at == '(')
			depth++;
		else if (*at == ')' && depth > 0)
			depth--;
		else if (*at == '\\' && depth > 0 && at[1] != '\0')
			at++;
		else if (depth == 0 && !g_ascii_isspace(*at))
			break;
	}
	return at;
}

static size_t
content_type_word(const char *at)
{
	return strcspn(at, " \t\r\n;=\"()");
}

/* Takes the quoted string at `*at`, which moves behind it. */
static char *
content_type_unquote(const char **at)
{
	GString *text = g_string_new(NULL);
	const char *c = *at + 1;

	for (; *c != '\0' && *c != '"'; c++) {
		if (*c == '\\' && c[1] != '\0')
			c++;
		g_string_append_c(text, *c);
	}
	*at = *c == '"' ? c + 1 : c;
	return g_string_free(text, FALSE);
}

static char *
content_type_value(const char **at)
{
	size_t size;
	char *word;

	if (**at == '"')
		return content_type_unquote(at);
	size = strcspn(*at, " \t\r\n;\"(");
	word = g_strndup(*at, size);
	*at += size;
	return word;
}

char *
content_type_token(const char *value)
{
	const char *at = content_type_skip(value);

	return g_strndup(at, content_type_word(at));
}

char *
content_type_parameter(const char *value, const char *name)
{
	const char *at = content_type_skip(value);
	g_autofree char *found = NULL;

	at += strcspn(at, ";\"");
	while (*at == ';') {
		const char *attribute = content_type_skip(at + 1);
		const size_t size = content_type_word(attribute);
		g_autofree char *word = NULL;

		at = content_type_skip(attribute + size);
		if (*at == '=') {
			at = content_type_skip(at + 1);
			word = content_type_value(&at);
		}
		at = content_type_skip(at);
		at += strcspn(at, ";");
		if (word == NULL || size != strlen(name) || g_ascii_strncasecmp(attribute, name, size) != 0)
			continue;
		if (found != NULL)
			return NULL;
		found = g_steal_pointer(&word);
	}
	return found != NULL && found[0] != '\0' ? g_steal_pointer(&found) : NULL;
}
