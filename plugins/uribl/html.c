/* html.c - tags, attributes, comments, scripts; as forgiving as browsers, one pass. */
#include "plugins/uribl/html.h"

#include <string.h>
#include <strings.h>

#include "plugins/uribl/entity.h"

typedef struct {
	const LinkFinder *finder;
	const char *end;
	char *text; /* what is read, without tags */
	size_t text_size;
	char *code; /* scripts and styles */
	size_t code_size;
	char *scratch; /* of the size of the whole */
	bool is_last, is_open; /* nothing comes behind `end`; markup does not end before it */
	bool has_no[256]; /* this quote does not come again; '-': the end of a comment; a letter: of that raw element */
} Html;

static void
html_add_text(Html *html, const char *at, size_t size)
{
	html->text_size += entity_decode(at, size, html->text + html->text_size);
}

static void
html_add_code(Html *html, const char *at, size_t size)
{
	memcpy(html->code + html->code_size, at, size);
	html->code_size += size;
	html->code[html->code_size++] = ' ';
}

/* A tag parts words, but for the one that says where a word may be broken. */
static void
html_part_words(Html *html, const char *name, size_t size)
{
	if (size == 3 && strncasecmp(name, "wbr", 3) == 0)
		return;
	html->text[html->text_size++] = ' ';
}

/* ---- attributes ---- */

static bool
is_url_attribute(const char *name, size_t size)
{
	static const struct {
		const char *name;
		size_t size;
	} names[] = { { "href", 4 }, { "src", 3 }, { "action", 6 }, { "background", 10 }, { "formaction", 10 },
		{ "cite", 4 }, { "data", 4 }, { "poster", 6 }, { "longdesc", 8 }, { "ping", 4 }, { "lowsrc", 6 },
		{ "dynsrc", 6 }, { "codebase", 8 }, { "classid", 7 }, { "profile", 7 }, { "icon", 4 }, { "manifest", 8 },
		{ "xlink:href", 10 }, { "originalsrc", 11 } };

	for (size_t i = 0; size > 2 && i < G_N_ELEMENTS(names); i++)
		if (size == names[i].size && strncasecmp(name, names[i].name, size) == 0)
			return true;
	return false;
}

static void
html_attribute(Html *html, const char *name, size_t name_size, const char *value, size_t size)
{
	const bool is_url = is_url_attribute(name, name_size);
	size_t decoded;

	if (!is_url && memchr(value, ':', size) == NULL && memchr(value, '&', size) == NULL)
		return;
	decoded = entity_decode(value, size, html->scratch);
	if (is_url)
		text_find_in_url(html->finder, html->scratch, decoded);
	else
		text_find(html->finder, html->scratch, decoded, TEXT_SCHEMES_ONLY);
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

static const char *
skip_blanks(const char *at, const char *end)
{
	while (at < end && is_blank(*at))
		at++;
	return at;
}

/* The end of a value that begins at `at` with this quote, or NULL: it never ends. */
static const char *
html_find_quote(Html *html, const char *at, char quote)
{
	const char *found = html->has_no[(unsigned char)quote] ? NULL : memchr(at, quote, (size_t)(html->end - at));

	if (found == NULL)
		html->has_no[(unsigned char)quote] = true;
	return found;
}

/* Behind "=".  Returns where to go on; NULL: the quote that begins here never ends. */
static const char *
html_value(Html *html, const char *name, size_t name_size, const char *at)
{
	const char *stop;

	at = skip_blanks(at, html->end);
	if (at < html->end && (*at == '"' || *at == '\'')) {
		stop = html_find_quote(html, at + 1, *at);
		if (stop == NULL)
			return NULL;
		html_attribute(html, name, name_size, at + 1, (size_t)(stop - at - 1));
		return stop + 1;
	}
	for (stop = at; stop < html->end && !is_blank(*stop) && *stop != '>';)
		stop++;
	if (stop < html->end || html->is_last)
		html_attribute(html, name, name_size, at, (size_t)(stop - at));
	return stop;
}

/* Up to and with ">". */
static const char *
html_attributes(Html *html, const char *at)
{
	while (at < html->end && *at != '>') {
		const char *name;

		while (at < html->end && (is_blank(*at) || *at == '/' || *at == '"' || *at == '\''))
			at++;
		name = at;
		while (at < html->end && !is_blank(*at) && *at != '/' && *at != '>' && *at != '=')
			at++;
		if (at > name || (at < html->end && *at == '=')) {
			const size_t size = (size_t)(at - name);

			at = skip_blanks(at, html->end);
			if (at < html->end && *at == '=') {
				const char *behind = html_value(html, name, size, at + 1);

				if (behind == NULL) { /* the rest is read as text */
					html->is_open = true;
					return at + 1;
				}
				at = behind;
			}
		}
	}
	html->is_open |= at >= html->end;
	return at < html->end ? at + 1 : at;
}

/* ---- tags ---- */

/* Elements in which nothing is markup but their own end (HTML 13.1.2): a "<!--" there begins no comment. */
typedef struct {
	const char *name;
	size_t size;
	bool is_code; /* else text */
} Raw;

static const Raw raws[] = { { "script", 6, true }, { "style", 5, true }, { "title", 5, false },
	{ "textarea", 8, false }, { "xmp", 3, false }, { "iframe", 6, false }, { "noembed", 7, false },
	{ "noframes", 8, false } };

static const Raw *
raw_of(const char *name, size_t size)
{
	for (size_t i = 0; i < G_N_ELEMENTS(raws); i++)
		if (size == raws[i].size && strncasecmp(name, raws[i].name, size) == 0)
			return &raws[i];
	return NULL;
}

/* Where the end tag begins; NULL: there is none, and browsers would show nothing more. */
static const char *
html_find_raw_end(Html *html, const Raw *raw, const char *at)
{
	bool *has_no = &html->has_no['a' + (raw - raws)];

	while (!*has_no && (at = memmem(at, (size_t)(html->end - at), "</", 2)) != NULL) {
		const char *behind = at + 2 + raw->size;

		if (behind < html->end && strncasecmp(at + 2, raw->name, raw->size) == 0 &&
			(is_blank(*behind) || *behind == '/' || *behind == '>'))
			return at;
		at += 2;
	}
	*has_no = true;
	return NULL;
}

/* Behind the start tag.  Returns where to go on. */
static const char *
html_raw(Html *html, const Raw *raw, const char *at)
{
	const char *stop = html_find_raw_end(html, raw, at);

	html->is_open |= stop == NULL;
	if (stop == NULL)
		return at;
	if (raw->is_code)
		html_add_code(html, at, (size_t)(stop - at));
	else
		html_add_text(html, at, (size_t)(stop - at));
	return stop;
}

/* Behind "<" or "</". */
static const char *
html_tag(Html *html, const char *at, bool is_end)
{
	const char *name = at;
	const Raw *raw;
	size_t size;

	while (at < html->end && !is_blank(*at) && *at != '>' && *at != '/')
		at++;
	size = (size_t)(at - name);
	html_part_words(html, name, size);
	raw = is_end ? NULL : raw_of(name, size);
	at = html_attributes(html, at);
	return raw != NULL ? html_raw(html, raw, at) : at;
}

/* A comment ends with "-->" or "--!>"; `at` is behind its "<!--".  NULL: it does not end. */
static const char *
html_comment_end(Html *html, const char *at)
{
	if (html->end - at >= 1 && at[0] == '>') /* "<!-->" is a whole one, and so is "<!--->" */
		return at + 1;
	if (html->end - at >= 2 && at[0] == '-' && at[1] == '>')
		return at + 2;
	while (!html->has_no['-'] && (at = memmem(at, (size_t)(html->end - at), "--", 2)) != NULL) {
		if (html->end - at > 2 && at[2] == '>')
			return at + 3;
		if (html->end - at > 3 && at[2] == '!' && at[3] == '>')
			return at + 4;
		at++;
	}
	html->has_no['-'] = true;
	return NULL;
}

/* Behind "<!": comments are not read, but for those that one reader takes for HTML ("<!--[if mso]>"). */
static const char *
html_declaration(Html *html, const char *at)
{
	const char *close;

	if (html->end - at < 2 || at[0] != '-' || at[1] != '-' || (html->end - at > 4 && at[2] == '[')) {
		close = html->has_no['>'] ? NULL : memchr(at, '>', (size_t)(html->end - at));
		html->has_no['>'] |= close == NULL;
		html->is_open |= close == NULL;
		return close != NULL ? close + 1 : at;
	}
	close = html_comment_end(html, at + 2);
	html->is_open |= close == NULL;
	return close != NULL ? close : at + 2;
}

static const char *
html_markup(Html *html, const char *at)
{
	const char *next = at + 1;

	if (next < html->end && *next == '!')
		return html_declaration(html, next + 1);
	if (next < html->end && (g_ascii_isalpha(*next) || *next == '?'))
		return html_tag(html, next, false);
	if (html->end - next > 1 && *next == '/' && g_ascii_isalpha(next[1]))
		return html_tag(html, next + 1, true);
	html->is_open |= html->end - next < 2;
	html_add_text(html, at, 1);
	return next;
}

/* Where a word of the text begins, outside of markup: all before is done. */
typedef struct {
	const char *at;
	size_t text_size;
} Border;

/* A run without markup. */
static void
html_run(Html *html, const char *at, const char *stop, Border *border)
{
	const char *word = stop;

	while (word > at && !is_blank(word[-1]))
		word--;
	html_add_text(html, at, (size_t)(word - at));
	if (word > at)
		*border = (Border){ word, html->text_size };
	html_add_text(html, word, (size_t)(stop - word));
}

size_t
html_find(const LinkFinder *finder, const char *text, size_t size, bool is_last)
{
	g_autofree char *read = g_malloc(size + 1), *code = g_malloc(size + 1), *scratch = g_malloc(size + 1);
	Html html = { .finder = finder,
		.end = text + size,
		.text = read,
		.code = code,
		.scratch = scratch,
		.is_last = is_last };
	Border border = { text, 0 };

	for (const char *at = text; at < html.end && (is_last || !html.is_open);) {
		const char *sign = memchr(at, '<', (size_t)(html.end - at));

		html_run(&html, at, sign != NULL ? sign : html.end, &border);
		at = sign != NULL ? html_markup(&html, sign) : html.end;
		if (sign != NULL && !html.is_open && html.text_size > 0 && html.text[html.text_size - 1] == ' ')
			border = (Border){ at, html.text_size };
	}
	if (is_last)
		border = (Border){ html.end, html.text_size };
	text_find(finder, read, border.text_size, 0);
	text_find(finder, code, html.code_size, TEXT_SCHEMES_ONLY);
	return (size_t)(border.at - text);
}
