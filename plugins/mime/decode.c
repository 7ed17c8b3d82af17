/* decode.c - what a part's octets are without transfer encoding and character set. */
#include "plugins/mime/mime.h"

#include <errno.h>
#include <iconv.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

void
mime_start(void)
{
	static gsize is_started;

	/* never ended: an instance that stops on one thread would take it from those that go on */
	if (g_once_init_enter(&is_started)) {
		g_mime_init();
		g_once_init_leave(&is_started, 1);
	}
}

/* GMime's own loses all but the first octets of a line (3.2.13).  Lines before "begin" do not count. */
static size_t
uudecode(const char *text, size_t size, char *out)
{
	const char *end = text + size;
	bool has_begun = false;
	size_t n = 0;

	for (const char *line = text, *stop; line < end; line = stop + 1) {
		const size_t octets = (size_t)((*line - ' ') & 63);

		stop = memchr(line, '\n', (size_t)(end - line));
		stop = stop != NULL ? stop : end;
		if (!has_begun || octets == 0) {
			has_begun = !has_begun && stop - line > 6 && memcmp(line, "begin ", 6) == 0;
			continue;
		}
		for (size_t i = 0; i < octets; i++) {
			const size_t at = 1 + i / 3 * 4 + i % 3, left = (size_t)(stop - line);
			const unsigned high = at < left ? (unsigned)(line[at] - ' ') & 63 : 0;
			const unsigned low = at + 1 < left ? (unsigned)(line[at + 1] - ' ') & 63 : 0;

			if (at >= left)
				break;
			out[n++] = (char)(high << (2 * (i % 3 + 1)) | low >> (4 - 2 * (i % 3)));
		}
	}
	return n;
}

char *
mime_decode(const MimePart *part, size_t most, size_t *size)
{
	GMimeEncoding state;
	size_t taken = part->size;
	char *out;

	if (part->encoding <= GMIME_CONTENT_ENCODING_BINARY) {
		*size = MIN(part->size, most);
		out = g_malloc(*size + 1);
		memcpy(out, part->data, *size);
		out[*size] = '\0';
		return out;
	}
	if (most < G_MAXSIZE / 4) /* no encoding makes it less than a quarter, but for line ends that were doubled */
		taken = MIN(taken, most * 4 + 1024);
	g_mime_encoding_init_decode(&state, part->encoding);
	out = g_malloc(MAX(g_mime_encoding_outlen(&state, taken), taken) + 1);
	*size = part->encoding == GMIME_CONTENT_ENCODING_UUENCODE
				? uudecode(part->data, taken, out)
				: g_mime_encoding_flush(&state, part->data, taken, out);
	*size = MIN(*size, most);
	out[*size] = '\0';
	return out;
}

/* ---- character sets ---- */

static bool
is_ascii(const char *text, size_t size)
{
	uint64_t seen = 0, word;

	for (; size >= sizeof word; text += sizeof word, size -= sizeof word) {
		memcpy(&word, text, sizeof word);
		seen |= word;
	}
	while (size > 0)
		seen |= (unsigned char)text[--size];
	return (seen & UINT64_C(0x8080808080808080)) == 0;
}

/* Sets whose ASCII octets may stand for something else. */
static bool
is_far_from_ascii(const char *charset)
{
	static const char *const starts[] = { "utf-16", "utf16", "utf-32", "utf32", "utf-7", "utf7", "unicode", "ucs",
		"iso-10646", "csunicode", "hz", "iso-2022", "csiso2022", "ebcdic", "ibm", "cp", "cs", "x-utf", "x-ibm",
		"cspc", "ks_c", "big5", "shift", "sjis", "ms_kanji", "gb", "iso-ir", "tcvn", "viscii", "johab",
		"windows-31j" };

	for (size_t i = 0; i < G_N_ELEMENTS(starts); i++)
		if (strncasecmp(charset, starts[i], strlen(starts[i])) == 0)
			return true;
	return false;
}

static const char *
charset_by_mark(const char *text, size_t size, const char *charset)
{
	if (size >= 2 && (memcmp(text, "\xff\xfe", 2) == 0 || memcmp(text, "\xfe\xff", 2) == 0))
		return "UTF-16";
	return charset;
}

/* Octets that make no sense in their set become blanks; behind too many of them the rest stays as it is. */
static char *
convert(iconv_t set, const char *text, size_t size, size_t *converted)
{
	const size_t room = size * 3 + 16; /* no set has characters that need more */
	char *out = g_malloc(room + 1), *to = out, *from = (char *)(uintptr_t)text;
	size_t left = size, free_octets = room;
	unsigned mistakes = 0;

	while (left > 0 && iconv(set, &from, &left, &to, &free_octets) == (size_t)-1) {
		if (errno == E2BIG || free_octets == 0 || left == 0 || ++mistakes > size / 64 + 100)
			break;
		from++;
		left--;
		*to++ = ' ';
		free_octets--;
	}
	memcpy(to, from, MIN(left, free_octets));
	to += MIN(left, free_octets);
	*converted = (size_t)(to - out);
	*to = '\0';
	return out;
}

char *
mime_to_utf8(char *text, size_t *size, const char *charset)
{
	char *converted;
	iconv_t set;

	charset = charset_by_mark(text, *size, charset);
	if (charset == NULL || g_ascii_strcasecmp(charset, "utf-8") == 0 ||
		g_ascii_strcasecmp(charset, "us-ascii") == 0 || (!is_far_from_ascii(charset) && is_ascii(text, *size)))
		return text;
	set = g_mime_iconv_open("UTF-8", charset);
	if (set == (iconv_t)-1)
		return text;
	converted = convert(set, text, *size, size);
	(void)g_mime_iconv_close(set);
	g_free(text);
	return converted;
}
