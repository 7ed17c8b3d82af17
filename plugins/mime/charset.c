/* charset.c - text of any character set in UTF-8, chunk by chunk. */
#include "plugins/mime/charset.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "plugins/mime/mime.h"

enum { ROOM = 64 }; /* for what one octet may become, and what a set held back */

#define NO_SET ((iconv_t)-1)

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

void
charsets_open(void)
{
	static GPtrArray *kept;
	g_auto(GStrv) names = g_strsplit(charset_names, " ", -1);

	kept = g_ptr_array_new();
	for (char **name = names; *name != NULL; name++) {
		const iconv_t set = iconv_open("UTF-8", *name);

		if (set != NO_SET) /* one that this system does not have stays unknown, as any other */
			g_ptr_array_add(kept, set);
	}
}

static const char *
charset_by_mark(const char *text, size_t size, const char *charset)
{
	if (size >= 2 && (memcmp(text, "\xff\xfe", 2) == 0 || memcmp(text, "\xfe\xff", 2) == 0))
		return "UTF-16";
	return charset;
}

void
charset_open(Charset *set, const char *text, size_t size, const char *charset)
{
	charset = charset_by_mark(text, size, charset);
	*set = (Charset){ .iconv = NO_SET };
	if (charset == NULL || g_ascii_strcasecmp(charset, "utf-8") == 0 ||
		g_ascii_strcasecmp(charset, "us-ascii") == 0)
		return;
	set->table = charset_table(charset);
	if (set->table != NULL)
		return;
	set->is_near = !is_far_from_ascii(charset);
	set->iconv = g_mime_iconv_open("UTF-8", charset);
}

void
charset_close(Charset *set)
{
	if (set->iconv != NO_SET)
		(void)g_mime_iconv_close(set->iconv);
}

/* Octets that make no sense in their set become blanks; behind too many of them the rest stays as it is. */
static size_t
charset_step(iconv_t set, const char *text, size_t size, bool is_last, GString *out)
{
	const size_t room = size * 3 + ROOM, before = out->len;
	char *from = (char *)(uintptr_t)text, *to;
	size_t left = size, free_octets = room;
	unsigned mistakes = 0;

	g_string_set_size(out, before + room);
	to = out->str + before;
	while (left > 0 && iconv(set, &from, &left, &to, &free_octets) == (size_t)-1) {
		const bool is_begun = errno == EINVAL && !is_last; /* a character whose rest is still to come */

		if (is_begun || errno == E2BIG || free_octets == 0 || left == 0)
			break;
		if (++mistakes > size / 64 + 100) {
			const size_t rest = MIN(left, free_octets);

			memcpy(to, from, rest);
			to += rest;
			left = 0;
			break;
		}
		from++;
		left--;
		*to++ = ' ';
		free_octets--;
	}
	g_string_truncate(out, (size_t)(to - out->str));
	return size - left;
}

/* Some sets (windows-1258) hold a letter back until they have seen that no accent follows. */
static void
charset_flush(iconv_t set, GString *out)
{
	const size_t before = out->len;
	size_t free_octets = ROOM;
	char *to;

	g_string_set_size(out, before + ROOM);
	to = out->str + before;
	(void)iconv(set, NULL, NULL, &to, &free_octets);
	g_string_truncate(out, (size_t)(to - out->str));
}

size_t
charset_add(Charset *set, const char *text, size_t size, bool is_last, GString *out)
{
	const bool is_plain = set->iconv == NO_SET || (set->is_near && is_ascii(text, size));
	size_t done = 0, n;

	if (set->table != NULL && !is_ascii(text, size)) {
		(void)charset_table_add(set->table, text, size, out);
		return size;
	}

	while (!is_plain && done < size && (n = charset_step(set->iconv, text + done, size - done, is_last, out)) > 0)
		done += n;
	if (set->iconv != NO_SET && (is_plain || is_last))
		charset_flush(set->iconv, out);
	if (!is_plain)
		return done;
	if (size > 0)
		g_string_append_len(out, text, (gssize)size);
	return size;
}

char *
mime_to_utf8(char *text, size_t *size, const char *charset)
{
	GString *out = g_string_sized_new(*size + 1);
	Charset set;

	charset_open(&set, text, *size, charset);
	(void)charset_add(&set, text, *size, true, out);
	charset_close(&set);
	g_free(text);
	*size = out->len;
	return g_string_free(out, FALSE);
}
