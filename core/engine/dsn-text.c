/* dsn-text.c - text in a form that every mail system takes. */
#include "engine/dsn-text.h"

#include <string.h>

#include "base/ip.h"
#include "proto/xtext.h"

enum {
	DSN_FOLD_AT = 250,  /* octets of a field's line; one without blanks may have … */
	DSN_WORD_MOST = 900, /* … so many, and is broken there */
	DSN_QUOTED_MOST = 75, /* of a line of quoted-printable, before its "=" */
};

bool
dsn_has_long_line(const char *text, size_t size)
{
	const char *end = text + size;

	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		const char *line_end = newline != NULL ? newline : end;

		if (line_end - text > DSN_LINE_MOST + (newline != NULL ? 1 : 0)) /* before the LF stands a CR */
			return true;
		text = line_end + 1;
	}
	return false;
}

/* ---- fields ---- */

/* New: without what is not ASCII; each such character is one '?'. */
static char *
dsn_ascii(const char *text)
{
	GString *ascii = g_string_sized_new(strlen(text));

	for (; *text != '\0'; text++) {
		if (((unsigned char)*text & 0xc0) == 0x80)
			continue;
		g_string_append_c(ascii, (unsigned char)*text > '~' ? '?' : *text);
	}
	return g_string_free(ascii, FALSE);
}

void
dsn_put_field(GString *out, bool is_global, const char *name, const char *value)
{
	g_autofree char *text = is_global ? g_strdup(value) : dsn_ascii(value);
	g_auto(GStrv) words = g_strsplit(text, " ", -1);
	size_t length = strlen(name) + 1;

	g_string_append_printf(out, "%s:", name);
	for (char **word = words; *word != NULL; word++) {
		const char *rest = *word;
		size_t size = strlen(rest);

		if (length + 1 + size > DSN_FOLD_AT && word > words) {
			g_string_append(out, "\r\n");
			length = 0;
		}
		g_string_append_c(out, ' ');
		for (; size > DSN_WORD_MOST; rest += DSN_WORD_MOST, size -= DSN_WORD_MOST) {
			g_string_append_len(out, rest, DSN_WORD_MOST);
			g_string_append(out, "\r\n ");
			length = 0;
		}
		g_string_append_len(out, rest, (gssize)size);
		length += size + 1;
	}
	g_string_append(out, "\r\n");
}

/* ---- bodies ---- */

/* A blank at the end of a line would be lost on the way. */
static bool
dsn_is_plain(const char *at, const char *end)
{
	const unsigned char c = (unsigned char)*at;
	const bool is_last = at + 1 == end || at[1] == '\r' || at[1] == '\n';

	return (c > ' ' && c <= '~' && c != '=') || ((c == ' ' || c == '\t') && !is_last);
}

static void
dsn_quote(GString *out, const char *text, size_t size)
{
	const char *end = text + size;
	size_t length = 0;

	for (; text < end; text++) {
		const bool is_plain = dsn_is_plain(text, end);
		const size_t needs = is_plain ? 1 : 3;

		if (*text == '\n' || (*text == '\r' && text + 1 < end && text[1] == '\n')) {
			g_string_append_c(out, *text);
			length = 0;
			continue;
		}
		if (length + needs > DSN_QUOTED_MOST) {
			g_string_append(out, "=\r\n");
			length = 0;
		}
		if (is_plain)
			g_string_append_c(out, *text);
		else
			g_string_append_printf(out, "=%02X", (unsigned char)*text);
		length += needs;
	}
}

static bool
dsn_is_ascii(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if ((unsigned char)text[i] > 0x7f)
			return false;
	return true;
}

void
dsn_put_body(GString *out, const char *text, size_t size)
{
	if (dsn_is_ascii(text, size) && !dsn_has_long_line(text, size)) {
		g_string_append(out, "\r\n");
		g_string_append_len(out, text, (gssize)size);
		return;
	}
	g_string_append(out, "Content-Transfer-Encoding: quoted-printable\r\n\r\n");
	dsn_quote(out, text, size);
}

/* ---- addresses ---- */

/* QCHAR of RFC 6533 3 and what is embedded; `keeps_escapes`: a backslash begins such a thing already. */
static void
dsn_embed(GString *out, const char *address, bool keeps_escapes)
{
	for (; *address != '\0'; address = g_utf8_next_char(address)) {
		const gunichar c = g_utf8_get_char(address);
		const bool is_plain = c > ' ' && c <= '~' && c != '+' && c != '=' && (c != '\\' || keeps_escapes);

		if (is_plain)
			g_string_append_c(out, (char)c);
		else
			g_string_append_printf(out, "\\x{%02X}", c);
	}
}

char *
dsn_address(bool is_global, const char *address)
{
	GString *text;

	if (g_str_is_ascii(address))
		return g_strdup_printf("rfc822;%s", address);
	text = g_string_new("utf-8;");
	if (is_global || !g_utf8_validate(address, -1, NULL))
		g_string_append(text, address);
	else
		dsn_embed(text, address, false);
	return g_string_free(text, FALSE);
}

char *
dsn_original(bool is_global, const char *orcpt)
{
	const char *semicolon = strchr(orcpt, ';');
	const size_t type = semicolon != NULL ? (size_t)(semicolon - orcpt) : 0;
	g_autoptr(Region) region = NULL;
	const char *decoded;
	GString *text;

	if (type == 0)
		return NULL;
	text = g_string_new_len(orcpt, (gssize)type + 1);
	if (type == strlen("utf-8") && g_ascii_strncasecmp(orcpt, "utf-8", type) == 0) {
		if (is_global || !g_utf8_validate(orcpt, -1, NULL))
			g_string_append(text, semicolon + 1);
		else
			dsn_embed(text, semicolon + 1, true);
		return g_string_free(text, FALSE);
	}
	region = region_new();
	decoded = xtext_decode(region, semicolon + 1);
	if (decoded == NULL)
		return g_string_free(text, TRUE);
	g_string_append(text, decoded);
	return g_string_free(text, FALSE);
}

char *
dsn_host(const char *peer)
{
	g_autofree char *name = g_strndup(peer, strcspn(peer, "["));
	IpAddress address;

	if (ip_parse(name, &address) && !ip_is_v4(&address))
		return g_strdup_printf("dns; [IPv6:%s]", name);
	return g_strdup_printf("dns; %s", name);
}
