/* words.c - encoded words (RFC 2047): as most programs write them by code of our own, all others by GMime. */
#include <string.h>

#include "plugins/mime/charset.h"
#include "plugins/mime/mime.h"
#include "plugins/mime/transfer.h"

enum { WORD_MOST = 1000 };

/* Printable ASCII, and no blank. */
static bool
is_visible(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (text[i] <= ' ' || text[i] > '~')
			return false;
	return true;
}

static bool
has_controls(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == '\x7f')
			return true;
	return false;
}

/* False: in a set that only iconv knows, or not of that set. */
static bool
word_convert(const char *charset, const char *octets, size_t size, GString *out)
{
	const CharsetTable *table = charset_table(charset);

	if (has_controls(octets, size))
		return false;
	if (table != NULL)
		return charset_table_add(table, octets, size, out);
	if (g_ascii_strcasecmp(charset, "utf-8") != 0 || !g_utf8_validate_len(octets, size, NULL))
		return false;
	g_string_append_len(out, octets, (gssize)size);
	return true;
}

/* `word`: "=?utf-8?Q?caf=C3=A9?=", whole. */
static bool
word_decode(const char *word, size_t size, GString *out)
{
	g_auto(GStrv) fields = NULL;
	g_autofree char *copy = NULL, *octets = NULL;
	MimePart part = { .means = MIME_PLAIN };

	if (size < 4 || size > WORD_MOST || !is_visible(word, size) || memcmp(word + size - 2, "?=", 2) != 0)
		return false;
	copy = g_strndup(word + 2, size - 4);
	fields = g_strsplit(copy, "?", 4);
	if (g_strv_length(fields) != 3 || strlen(fields[1]) != 1 || *fields[2] == '\0')
		return false;
	if (g_ascii_tolower(*fields[1]) == 'q')
		part.encoding = GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE;
	else if (g_ascii_tolower(*fields[1]) == 'b')
		part.encoding = GMIME_CONTENT_ENCODING_BASE64;
	else
		return false;
	if (part.encoding == GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE)
		g_strdelimit(fields[2], "_", ' ');
	part.data = fields[2];
	part.size = strlen(fields[2]);
	if (!mime_transfer_is_usual(part.encoding, part.data, part.size))
		return false;
	octets = mime_decode(&part, part.size, &size);
	return size > 0 && word_convert(fields[0], octets, size, out);
}

static bool
word_is_plain(const char *word, size_t size)
{
	return is_visible(word, size) && memmem(word, size, "=?", 2) == NULL;
}

/* NULL: they have another form. */
static char *
words_plain(const char *text)
{
	g_autoptr(GString) out = g_string_new(NULL);
	bool is_word = false;

	for (const char *at = text; *at != '\0';) {
		const size_t blanks = strspn(at, " \t"), size = strcspn(at + blanks, " \t");
		const char *token = at + blanks;
		const bool was_word = is_word;

		is_word = g_str_has_prefix(token, "=?");
		if (!was_word || !is_word) /* a blank between two of them belongs to their form */
			g_string_append_len(out, at, (gssize)blanks);
		at = token + size;
		if (is_word ? !word_decode(token, size, out) : !word_is_plain(token, size))
			return NULL;
		if (!is_word)
			g_string_append_len(out, token, (gssize)size);
	}
	return g_strdup(out->str);
}

/* GMime takes two words in base64 for one, and loses the second where the first has padding (3.2.13); readers show both. */
char *
mime_words(const char *text, MimeMeans means)
{
	char *decoded = words_plain(text);

	return decoded == NULL && means == MIME_LIBRARY ? g_mime_utils_header_decode_text(NULL, text) : decoded;
}
