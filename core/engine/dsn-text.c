/* dsn-text.c - text in a form that every mail system takes. */
#include "engine/dsn-text.h"

#include <string.h>

#include "base/ip.h"
#include "proto/octets.h"
#include "proto/transfer.h"
#include "proto/xtext.h"

enum {
	DSN_FOLD_AT = 250,  /* octets of a field's line; one without blanks may have … */
	DSN_WORD_MOST = 900, /* … so many, and is broken there */
};

bool
dsn_has_long_line(const char *text, size_t size)
{
	OctetFacts facts = { 0 };

	octets_note(&facts, text, size);
	return facts.has_long;
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

static void
dsn_append(void *data, const char *octets, size_t size)
{
	g_string_append_len(data, octets, (gssize)size);
}

static void
dsn_quote(GString *out, const char *text, size_t size)
{
	Transfer transfer = { .kind = TRANSFER_QP, .sink = dsn_append, .data = out };

	while (size > 0) {
		const char *newline = memchr(text, '\n', size);
		const size_t line = newline != NULL ? (size_t)(newline - text) : size;
		const bool has_cr = newline != NULL && line > 0 && text[line - 1] == '\r';

		transfer_text(&transfer, text, line - has_cr);
		if (newline != NULL)
			transfer_line_end(&transfer);
		text += line + (newline != NULL);
		size -= line + (newline != NULL);
	}
	transfer_end(&transfer, false);
}

void
dsn_put_body(GString *out, const char *text, size_t size)
{
	if (octets_are_ascii(text, size) && !dsn_has_long_line(text, size)) {
		g_string_append(out, "\r\n");
		g_string_append_len(out, text, (gssize)size);
		return;
	}
	g_string_append(out, "Content-Transfer-Encoding: quoted-printable\r\n\r\n");
	dsn_quote(out, text, size);
}

/* ---- addresses ---- */

/* RFC 6533 3: QCHAR stands for itself, everything else is embedded. */
static void
dsn_embed(GString *out, const char *address)
{
	for (; *address != '\0'; address = g_utf8_next_char(address)) {
		const gunichar c = g_utf8_get_char(address);
		const bool is_plain = c > ' ' && c <= '~' && c != '+' && c != '=' && c != '\\';

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
		dsn_embed(text, address);
	return g_string_free(text, FALSE);
}

char *
dsn_original(bool is_global, const char *orcpt)
{
	const char *semicolon = strchr(orcpt, ';');
	const size_t type = semicolon != NULL ? (size_t)(semicolon - orcpt) : 0;
	g_autoptr(Region) region = region_new();
	const char *decoded;

	if (type == 0)
		return NULL;
	if (type == strlen("utf-8") && g_ascii_strncasecmp(orcpt, "utf-8", type) == 0)
		return g_strdup(is_global || !g_utf8_validate(orcpt, -1, NULL) ? orcpt : orcpt_to_ascii(region, orcpt));
	decoded = xtext_decode(region, semicolon + 1);
	return decoded != NULL ? g_strdup_printf("%.*s;%s", (int)type, orcpt, decoded) : NULL;
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
