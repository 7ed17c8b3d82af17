/* idn.c - internationalised domains. */
#include "proto/idn.h"

#include <glib.h>
#include <idn2.h>
#include <string.h>

#include "base/escape.h"
#include "proto/path.h"

static const char idn_prefix[] = "xn--";

static char *
idn_convert(const char *text)
{
	uint8_t *made = NULL;
	char *ascii;

	if (!g_utf8_validate(text, -1, NULL) ||
		idn2_lookup_u8((const uint8_t *)text, &made, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) != IDN2_OK)
		return NULL;
	ascii = g_ascii_strdown((const char *)made, -1);
	idn2_free(made);
	return ascii;
}

char *
idn_to_ascii(const char *domain, size_t size)
{
	g_autofree char *text = g_strndup(domain, size);
	g_autofree char *ascii = g_str_is_ascii(text) ? g_ascii_strdown(text, -1) : idn_convert(text);
	const size_t length = ascii != NULL ? strlen(ascii) : 0;

	if (length > 1 && ascii[length - 1] == '.')
		ascii[length - 1] = '\0';
	return ascii != NULL && domain_is_valid(ascii) ? g_steal_pointer(&ascii) : NULL;
}

char *
idn_address_to_ascii(const char *address)
{
	const char *at = strrchr(address, '@');
	const char *domain = at != NULL ? at + 1 : address;
	g_autofree char *ascii = NULL;
	size_t size;

	if (g_str_is_ascii(domain))
		return g_strdup(address);
	domain += strncmp(domain, "*.", 2) == 0 ? 2 : domain[0] == '.';
	size = strcspn(domain, ":");
	ascii = idn_to_ascii(domain, size);
	if (ascii == NULL)
		return g_strdup(address);
	return g_strdup_printf("%.*s%s%s", (int)(domain - address), address, ascii, domain + size);
}

/* ---- for eyes ---- */

/* New; NULL: it is better shown as it is. */
static char *
idn_to_unicode(const char *domain)
{
	char *unicode = NULL;
	g_autofree char *shown = NULL, *back = NULL;

	if (idn2_to_unicode_8z8z(domain, &unicode, 0) != IDN2_OK)
		return NULL;
	shown = g_strdup(unicode);
	idn2_free(unicode);
	back = idn_to_ascii(shown, strlen(shown));
	return back != NULL && g_ascii_strcasecmp(back, domain) == 0 && escape_is_plain(shown)
			   ? g_steal_pointer(&shown)
			   : NULL;
}

static size_t
idn_word(const char *text)
{
	size_t size = 0;

	while (g_ascii_isalnum(text[size]) || text[size] == '-' || text[size] == '.' || text[size] == '_')
		size++;
	return size;
}

static void
idn_put_word(GString *out, const char *text, size_t size)
{
	g_autofree char *word = g_strndup(text, size);
	g_autofree char *shown = strstr(word, idn_prefix) != NULL ? idn_to_unicode(word) : NULL;

	g_string_append(out, shown != NULL ? shown : word);
}

char *
idn_to_shown(const char *text)
{
	GString *out;

	if (strstr(text, idn_prefix) == NULL)
		return g_strdup(text);
	out = g_string_new(NULL);
	while (*text != '\0') {
		const size_t size = idn_word(text);

		if (size > 0)
			idn_put_word(out, text, size);
		else
			g_string_append_c(out, *text);
		text += size > 0 ? size : 1;
	}
	return g_string_free(out, FALSE);
}
