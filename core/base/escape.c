/* escape.c - foreign text for people's eyes. */
#include "base/escape.h"

static bool
escape_is_unsafe(gunichar c)
{
	return c < ' ' || (c >= 0x7f && c <= 0x9f) ||               /* C0, DEL, C1                                */
		   c == 0x2028 || c == 0x2029 ||                        /* line and paragraph separators              */
		   c == 0x061c || c == 0x200e || c == 0x200f ||         /* marks of direction                         */
		   (c >= 0x202a && c <= 0x202e) ||                      /* embeddings and overrides                   */
		   (c >= 0x2066 && c <= 0x206f) ||                      /* isolates, and what they replaced           */
		   c == 0xfeff || (c >= 0xfff9 && c <= 0xfffb);         /* byte order mark, interlinear annotations   */
}

static bool
escape_keeps(gunichar c, EscapeForm form)
{
	return form == ESCAPE_LINES && (c == '\n' || c == '\t');
}

void
escape_append(GString *out, const char *text, EscapeForm form)
{
	g_autofree char *valid = g_utf8_make_valid(text, -1);

	for (const char *c = valid; *c != '\0'; c = g_utf8_next_char(c)) {
		const gunichar one = g_utf8_get_char(c);

		if (escape_is_unsafe(one) && !escape_keeps(one, form))
			g_string_append_printf(out, "\\u%04x", one);
		else if (form == ESCAPE_JSON && (*c == '"' || *c == '\\'))
			g_string_append_printf(out, "\\%c", *c);
		else
			g_string_append_unichar(out, one);
	}
}

char *
escape_text(const char *text, EscapeForm form)
{
	GString *out = g_string_new(NULL);

	escape_append(out, text, form);
	return g_string_free(out, FALSE);
}

bool
escape_is_plain(const char *text)
{
	if (!g_utf8_validate(text, -1, NULL))
		return false;
	for (; *text != '\0'; text = g_utf8_next_char(text))
		if (escape_is_unsafe(g_utf8_get_char(text)))
			return false;
	return true;
}
