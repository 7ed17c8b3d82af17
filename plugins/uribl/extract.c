/* extract.c - each part that is read: without transfer encoding, in UTF-8, as text or as HTML; and the subject. */
#include "plugins/uribl/extract.h"

#include <string.h>
#include <strings.h>

#include "plugins/uribl/html.h"

enum {
	SNIFF_SIZE = 1024,   /* octets that tell whether a part without a type of text is HTML */
	SUBJECT_MOST = 8192, /* octets of subjects */
	WHOLE_MOST =
		4 << 20,       /* a word, a tag with its values, a comment, a script: so much no border of pieces parts */
	WORD_TAIL = 65536, /* the end of a longer word that is looked at twice */
};

typedef struct {
	LinkFinder finder;
	size_t left; /* octets of text that may still be looked at */
	bool is_cut;
	/* of this part */
	bool is_first, is_html;
} Extract;

static bool
is_html(const char *type)
{
	return strcmp(type, "text/html") == 0 || strcmp(type, "application/xhtml+xml") == 0 ||
		   strcmp(type, "text/xml") == 0 || strcmp(type, "image/svg+xml") == 0;
}

/* "multipart/…" and "message/…" come here only if they are none: readers show them as text. */
static bool
is_read(const char *type)
{
	return g_str_has_prefix(type, "text/") || g_str_has_prefix(type, "multipart/") ||
		   g_str_has_prefix(type, "message/") || is_html(type);
}

/* ---- HTML that is called something else ---- */

/* What has no type, or says it is plain, may be HTML all the same: some readers look. */
static bool
looks_like_html(const char *text, size_t size)
{
	const size_t looked = MIN(size, SNIFF_SIZE);

	for (const char *at = text; (at = memchr(at, '<', (size_t)(text + looked - at))) != NULL; at++)
		if (g_ascii_strncasecmp(at, "<html", 5) == 0 || g_ascii_strncasecmp(at, "<!doctype html", 14) == 0 ||
			g_ascii_strncasecmp(at, "<body", 5) == 0)
			return true;
	return false;
}

/* What browsers take for HTML by its first octets where no type helps (MIME Sniffing Standard 7.1). */
static bool
begins_like_html(const char *text, size_t size)
{
	static const char *const tags[] = { "head", "script", "iframe", "h1", "div", "font", "table", "a", "style",
		"title", "b", "br", "p", "!--", "meta", "base", "form", "img", "svg" };
	const char *at = text, *end = text + size;

	if (size >= 3 && memcmp(at, "\xef\xbb\xbf", 3) == 0)
		at += 3;
	while (at < end && g_ascii_isspace(*at))
		at++;
	for (size_t i = 0; at < end && *at == '<' && i < G_N_ELEMENTS(tags); i++) {
		const size_t length = strlen(tags[i]);

		if ((size_t)(end - at) > length + 1 && strncasecmp(at + 1, tags[i], length) == 0 &&
			!g_ascii_isalnum(at[1 + length]))
			return true;
	}
	return false;
}

/* A file is opened by its name, whatever its type is. */
static bool
is_named_html(const MimePart *part)
{
	static const char *const ends[] = { ".htm", ".html", ".shtml", ".xhtml", ".xht", ".svg", ".mht", ".mhtml" };

	for (const char *const *name = part->names; *name != NULL; name++)
		for (size_t i = 0; i < G_N_ELEMENTS(ends); i++) {
			const size_t size = strlen(*name), length = strlen(ends[i]);

			if (size > length && g_ascii_strcasecmp(*name + size - length, ends[i]) == 0)
				return true;
		}
	return false;
}

static bool
is_disguised_html(const MimePart *part)
{
	g_autofree char *text = NULL;
	size_t size;

	if (is_named_html(part))
		return true;
	text = mime_decode(part, SNIFF_SIZE, &size);
	text = mime_to_utf8(text, &size, part->charset);
	return looks_like_html(text, size) || begins_like_html(text, size);
}

/* ---- parts ---- */

/* A word that a border parts would be another host ("shop.example.co"): it is left to the next piece.  How many octets
 * come before it. */
static size_t
whole_words(const char *text, size_t size)
{
	size_t stop = size;

	while (stop > 0 && size - stop <= WHOLE_MOST && !g_ascii_isspace(text[stop - 1]))
		stop--;
	return size - stop <= WHOLE_MOST ? stop : size;
}

/* The same of HTML: markup that a border parts would be read as something else, and hide what is behind it. */
static size_t
extract_html(Extract *extract, const char *text, size_t size, bool is_last)
{
	const size_t done = html_find(&extract->finder, text, size, is_last);

	if (is_last || size - done <= WHOLE_MOST)
		return done;
	extract->is_cut = true;
	return done + html_find(&extract->finder, text + done, size - done, true);
}

static size_t
extract_piece(const char *text, size_t size, bool is_last, void *data)
{
	Extract *extract = data;
	size_t done;

	if (extract->is_first)
		extract->is_html |= looks_like_html(text, size);
	extract->is_first = false;
	if (extract->is_html)
		return size - extract_html(extract, text, size, is_last);
	done = is_last ? size : whole_words(text, size);
	text_find(&extract->finder, text, done, 0);
	return !is_last && done == size ? MIN(size, WORD_TAIL) : size - done;
}

static void
extract_part(const MimePart *part, void *data)
{
	Extract *extract = data;
	size_t size;

	if (part->size == 0)
		return;
	extract->is_html = is_html(part->type);
	if (!is_read(part->type)) {
		extract->is_html = is_disguised_html(part);
		if (!extract->is_html)
			return;
	}
	if (extract->left == 0) {
		extract->is_cut = true;
		return;
	}
	extract->is_first = true;
	size = mime_text_pieces(part, extract->left, extract_piece, extract);
	extract->is_cut |= size == extract->left;
	extract->left -= size;
}

/* ---- the subject ---- */

static bool
is_subject(const char *line, const char *end)
{
	const char *colon = memchr(line, ':', (size_t)MIN(end - line, 64));
	size_t size = colon != NULL ? (size_t)(colon - line) : 0;

	while (size > 0 && (line[size - 1] == ' ' || line[size - 1] == '\t'))
		size--;
	return size == 7 && strncasecmp(line, "Subject", 7) == 0;
}

/* All fields of that name, unfolded, without the name; a NUL, which would end the text, is a blank. */
static GString *
subjects_of(const char *content, size_t size, bool *is_cut)
{
	GString *text = g_string_new(NULL);
	const char *end = content + size;
	bool is_open = false;

	for (const char *line = content; line < end && *line != '\r' && *line != '\n';) {
		const char *newline = memchr(line, '\n', (size_t)(end - line));
		const char *stop = newline != NULL ? newline : end, *start = line;

		if (*line != ' ' && *line != '\t') {
			is_open = is_subject(line, stop);
			start = is_open ? (const char *)memchr(line, ':', (size_t)(stop - line)) + 1 : line;
			if (is_open)
				g_string_append_c(text, ' ');
		}
		if (is_open) {
			const size_t room = SUBJECT_MOST - MIN(text->len, SUBJECT_MOST);
			const size_t length = (size_t)(stop - start) - (stop > start && stop[-1] == '\r');

			*is_cut |= length > room;
			g_string_append_len(text, start, (gssize)MIN(length, room));
		}
		line = newline != NULL ? newline + 1 : end;
	}
	for (char *at = text->str; (at = memchr(at, '\0', (size_t)(text->str + text->len - at))) != NULL;)
		*at = ' ';
	return text;
}

/* False: it is encoded so that only the library reads it. */
static bool
extract_subject(Extract *extract, const char *content, size_t size, MimeMeans means)
{
	g_autoptr(GString) raw = subjects_of(content, size, &extract->is_cut);
	g_autofree char *text = NULL;

	if (raw->len == 0)
		return true;
	if (!mime_text_is_encoded(raw->str, raw->len)) {
		text_find(&extract->finder, raw->str, strlen(raw->str), 0);
		return true;
	}
	text = mime_words(raw->str, means);
	if (text == NULL)
		return false;
	text_find(&extract->finder, text, strlen(text), 0);
	return true;
}

MimeResult
extract_hosts(Hosts *hosts, const char *content, size_t size, const ExtractLimits *limits, MimeMeans means)
{
	const MimeLimits mime = { .most_parts = limits->most_parts, .most_depth = limits->most_depth };
	Extract extract = { .finder = { hosts, limits->takes_bare, limits->takes_addresses },
		.left = limits->most_octets };
	MimeResult result;

	if (!extract_subject(&extract, content, size, means))
		return MIME_NOT_PLAIN;
	result = mime_walk(content, size, &mime, means, extract_part, &extract);
	return result == MIME_WHOLE && (extract.is_cut || hosts_are_cut(hosts)) ? MIME_CUT : result;
}
