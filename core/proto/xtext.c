/* xtext.c - xtext and the DSN values made of it.
 *
 *	xtext   = *( xchar / hexchar )
 *	xchar   = any ASCII CHAR between "!" (33) and "~" (126) inclusive, except for "+" and "="
 *	hexchar = ASCII "+" immediately followed by two upper case hexadecimal digits  */
#include "proto/xtext.h"

#include <glib.h>
#include <string.h>

static bool
xtext_is_plain(char c)
{
	return c >= '!' && c <= '~' && c != '+' && c != '=';
}

static int
xtext_hex(char c)
{
	return c >= 'a' && c <= 'f' ? -1 : g_ascii_xdigit_value(c);
}

/* The octet at *text, which moves behind it; -1 if there is none. */
static int
xtext_next(const char **text)
{
	const char *at = *text;
	int high, low;

	if (xtext_is_plain(*at)) {
		(*text)++;
		return *at;
	}
	if (*at != '+')
		return -1;
	high = xtext_hex(at[1]);
	low = high < 0 ? -1 : xtext_hex(at[2]);
	if (low < 0)
		return -1;
	*text += 3;
	return high << 4 | low;
}

const char *
xtext_decode(Region *region, const char *text)
{
	char *decoded = region_alloc(region, strlen(text) + 1);
	char *end = decoded;

	while (*text != '\0') {
		const int c = xtext_next(&text);

		if (c != '\t' && (c < ' ' || c > '~'))
			return NULL;
		*end++ = (char)c;
	}
	return decoded;
}

bool
xtext_is_valid(const char *text)
{
	while (*text != '\0') {
		const int c = xtext_next(&text);

		if (c != '\t' && (c < ' ' || c > '~'))
			return false;
	}
	return true;
}

const char *
xtext_encode(Region *region, const char *text)
{
	static const char digits[] = "0123456789ABCDEF";
	char *encoded = region_alloc(region, strlen(text) * 3 + 1);
	char *end = encoded;

	for (; *text != '\0'; text++) {
		if (xtext_is_plain(*text)) {
			*end++ = *text;
			continue;
		}
		*end++ = '+';
		*end++ = digits[(unsigned char)*text >> 4];
		*end++ = digits[*text & 15];
	}
	return encoded;
}

bool
envid_is_valid(const char *text)
{
	return *text != '\0' && strlen(text) <= ENVID_MAX && xtext_is_valid(text);
}

/* RFC 6533 3: EmbeddedUnicodeChar = "\x{" HEXPOINT "}", never for what could stand as itself. */
static const char *
xtext_skip_embedded(const char *text)
{
	guint32 point = 0;
	size_t digits = 0;

	if (strncmp(text, "\\x{", 3) != 0)
		return NULL;
	for (text += 3; xtext_hex(*text) >= 0 && digits < 6; text++, digits++)
		point = point << 4 | (guint32)xtext_hex(*text);
	if (digits < 2 || *text != '}' || !g_unichar_validate(point) || g_unichar_iscntrl(point))
		return NULL;
	return text + 1;
}

/* QCHAR: printable ASCII without blank, "\", "+" and "=". */
static bool
xtext_is_utf8_address(const char *text, bool is_utf8)
{
	if (!g_utf8_validate(text, -1, NULL))
		return false;
	while (*text != '\0') {
		if (*text == '\\') {
			text = xtext_skip_embedded(text);
			if (text == NULL)
				return false;
		} else if ((unsigned char)*text > '~') {
			if (!is_utf8 || g_unichar_iscntrl(g_utf8_get_char(text)))
				return false;
			text = g_utf8_next_char(text);
		} else if (!xtext_is_plain(*text++)) {
			return false;
		}
	}
	return true;
}

bool
orcpt_is_valid(const char *text, bool is_utf8)
{
	static const char atom[] = "!#$%&'*+-/0123456789=?ABCDEFGHIJKLMNOPQRSTUVWXYZ^_`abcdefghijklmnopqrstuvwxyz{|}~";
	const size_t type = strspn(text, atom);

	if (type == 0 || text[type] != ';' || text[type + 1] == '\0' || strlen(text) > ORCPT_MAX)
		return false;
	if (type == strlen("utf-8") && g_ascii_strncasecmp(text, "utf-8", type) == 0)
		return xtext_is_utf8_address(text + type + 1, is_utf8);
	return xtext_is_valid(text + type + 1);
}

const char *
orcpt_to_ascii(Region *region, const char *text)
{
	g_autoptr(GString) ascii = NULL;

	if (g_str_is_ascii(text))
		return text;
	ascii = g_string_new(NULL);
	for (; *text != '\0'; text = g_utf8_next_char(text)) {
		if ((unsigned char)*text < 0x80)
			g_string_append_c(ascii, *text);
		else
			g_string_append_printf(ascii, "\\x{%X}", g_utf8_get_char(text));
	}
	return region_strndup(region, ascii->str, ascii->len);
}
