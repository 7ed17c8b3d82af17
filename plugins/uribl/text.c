/* text.c - a pass over words: what stands before "://", what begins with "www.", what ends with a
 * top-level domain. */
#include "plugins/uribl/text.h"

#include <string.h>
#include <strings.h>

enum {
	MOST_DECODED = 2, /* times: redirectors in redirectors */
	BARE_MOST = 255,
};

/* Beside those of text.h: what stood in a link behind percent signs, where only hosts with a
 * scheme or "www." count. */
enum { IN_LINK = 1 << 8 };

enum { C_WORD = 1, C_SLASH = 2, C_ENDS = 4, C_HIGH = 8 };

/* Letters, digits, ".-_" and all beyond ASCII make words; blanks, controls, quotes and angles end
 * a link. */
static const unsigned char classes[256] = {
	[0 ... ' '] = C_ENDS,
	['"'] = C_ENDS,
	['<'] = C_ENDS,
	['>'] = C_ENDS,
	[0x7f] = C_ENDS,
	['0' ... '9'] = C_WORD,
	['A' ... 'Z'] = C_WORD,
	['a' ... 'z'] = C_WORD,
	['.'] = C_WORD,
	['-'] = C_WORD,
	['_'] = C_WORD,
	['/'] = C_SLASH,
	['\\'] = C_SLASH,
	[0x80 ... 0xff] = C_WORD | C_HIGH,
};

typedef struct {
	const LinkFinder *finder;
	unsigned flags;
	const char *plain_until; /* no percent sign before it */
	const char *mail_until;  /* the addresses before it are known */
} Scan;

static unsigned
class_of(char c)
{
	return classes[(unsigned char)c];
}

static void scan_text(Scan *scan, const char *text, size_t size);

static void
scan_decoded(const Scan *scan, const char *text, size_t size)
{
	Scan inner = { .finder = scan->finder, .flags = IN_LINK };

	scan_text(&inner, text, size);
}

/* ---- octets ---- */

/* Quotes, dashes, brackets and blanks beyond ASCII end a host; what joins or cannot be seen does
 * not.  Octets, or 0. */
static size_t
high_end(const char *at, const char *end)
{
	const unsigned char *c = (const unsigned char *)at;

	if (end - at >= 2 && c[0] == 0xc2 && (c[1] == 0xa0 || c[1] == 0xab || c[1] == 0xbb))
		return 2;
	if (end - at < 3)
		return 0;
	if (c[0] == 0xe2 && c[1] == 0x80) /* U+2000 to U+203F, but for U+200B to U+200F */
		return c[2] >= 0x8b && c[2] <= 0x8f ? 0 : 3;
	if (c[0] == 0xe3 && c[1] == 0x80) /* U+3000 to U+301F, but for the ideographic full stop */
		return c[2] != 0x82 && c[2] <= 0x9f ? 3 : 0;
	if (c[0] == 0xef && c[1] == 0xbc) /* full-width brackets, comma, colon, semicolon, quotes */
		return c[2] == 0x88 || c[2] == 0x89 || c[2] == 0x8c || c[2] == 0x9a || c[2] == 0x9b || c[2] == 0x82 ? 3
																											: 0;
	return 0;
}

static size_t
percent_decode(const char *text, size_t size, char *out)
{
	size_t n = 0;

	for (size_t i = 0; i < size; i++) {
		const int high = text[i] == '%' && i + 2 < size ? g_ascii_xdigit_value(text[i + 1]) : -1;
		const int low = high >= 0 ? g_ascii_xdigit_value(text[i + 2]) : -1;

		out[n++] = (char)(low >= 0 ? high * 16 + low : text[i]);
		i += low >= 0 ? 2 : 0;
	}
	return n;
}

/* ---- hosts ---- */

/* How much of it is a host: a word, or "[…]". */
static size_t
host_size(const char *at, const char *end)
{
	const char *c = at;

	if (at < end && *at == '[') {
		const char *close = memchr(at, ']', (size_t)MIN(end - at, 64));

		return close != NULL ? (size_t)(close - at) + 1 : 0;
	}
	while (c < end && (class_of(*c) & C_WORD) != 0 && ((class_of(*c) & C_HIGH) == 0 || high_end(c, end) == 0))
		c++;
	return (size_t)(c - at);
}

static void
add_host(const Scan *scan, const char *at, const char *end, LinkKind kind)
{
	hosts_add(scan->finder->hosts, at, host_size(at, end), kind);
}

/* "user:password@host:port": a browser goes to the host behind the last "@", but text may follow a
 * link ("a.example,b@c"), so what stands first counts, too, and what is behind each "@".  It may
 * be of any length.  `ends`: the classes that end it.  Returns where to go on: where it ends, or
 * before the scheme of another link in it ("http:http://…"). */
static const char *
scan_authority(const Scan *scan, const char *at, const char *end, unsigned ends)
{
	const char *stop = at, *decoded_end;
	g_autofree char *decoded = NULL;

	while (stop < end && (class_of(*stop) & ends) == 0 && *stop != '?' && *stop != '#' &&
		   (*stop != ':' || end - stop < 2 || (class_of(stop[1]) & C_SLASH) == 0))
		stop++;
	decoded = g_malloc((size_t)(stop - at) + 1);
	decoded_end = decoded + percent_decode(at, (size_t)(stop - at), decoded);
	for (const char *host = decoded; host != NULL;) {
		add_host(scan, host, decoded_end, LINK_EXPLICIT);
		host = memchr(host, '@', (size_t)(decoded_end - host));
		if (host != NULL)
			host++;
	}
	if (stop < end && *stop == ':')
		while (stop > at && (class_of(stop[-1]) & C_WORD) != 0)
			stop--;
	return stop;
}

/* ---- links ---- */

/* The end of the link that goes on at `at`, if there are percent signs in it; else NULL. */
static const char *
encoded_end(Scan *scan, const char *at, const char *end)
{
	const char *token = at;
	bool is_encoded = false;

	if (at < scan->plain_until)
		return NULL;
	for (; token < end && (class_of(*token) & C_ENDS) == 0; token++)
		is_encoded |= *token == '%';
	if (is_encoded)
		return token;
	scan->plain_until = token;
	return NULL;
}

/* Redirectors carry another link inside, encoded: it is looked for in the whole of the link.
 * Returns where to go on. */
static const char *
scan_link(Scan *scan, const char *at, const char *end, unsigned ends)
{
	const char *stop = scan_authority(scan, at, end, ends);
	const char *token = (scan->flags & IN_LINK) == 0 ? encoded_end(scan, stop, end) : NULL;
	g_autofree char *decoded = NULL;
	size_t size = 0;

	if (token == NULL)
		return stop;
	decoded = g_malloc((size_t)(token - stop));
	for (unsigned i = 0; i < MOST_DECODED && (i == 0 || memchr(decoded, '%', size) != NULL); i++) {
		size = i == 0 ? percent_decode(stop, (size_t)(token - stop), decoded)
					  : percent_decode(decoded, size, decoded);
		scan_decoded(scan, decoded, size);
	}
	return token;
}

/* Those that browsers take for links however the slashes are. */
static bool
is_known_scheme(const char *at, size_t size)
{
	switch (size) {
	case 2:
		return strncasecmp(at, "ws", 2) == 0;
	case 3:
		return strncasecmp(at, "ftp", 3) == 0 || strncasecmp(at, "wss", 3) == 0;
	case 4:
		return strncasecmp(at, "http", 4) == 0;
	case 5:
		return strncasecmp(at, "https", 5) == 0;
	default:
		return false;
	}
}

/* Letters right before a colon, of a word that may begin with anything ("看http:"). */
static size_t
scheme_size(const char *word, const char *end)
{
	const char *at = end;

	while (at > word && end - at < 20 && (g_ascii_isalnum(at[-1]) || at[-1] == '-' || at[-1] == '.'))
		at--;
	while (at < end && !g_ascii_isalpha(*at))
		at++;
	return (size_t)(end - at);
}

/* Behind "word:" at `colon`: where the authority begins, or NULL if this is no link. */
static const char *
link_start(const char *word, const char *colon, const char *end)
{
	size_t size = scheme_size(word, colon);
	unsigned slashes = 0;
	const char *at = colon + 1;

	while (at < end && (class_of(*at) & C_SLASH) != 0) {
		at++;
		slashes++;
	}
	if (size == 0)
		return NULL;
	if (slashes >= 2)
		return size != 4 || strncasecmp(colon - size, "file", 4) != 0 ? at : NULL;
	return is_known_scheme(colon - size, size) ? at : NULL;
}

/* "mailto:a@x.example,b@y.example?cc=c%40z.example": each domain behind an "@".  `colon` is behind
 * the scheme.  False: this is none. */
static bool
scan_mailto(Scan *scan, const char *word, const char *colon, const char *end)
{
	const size_t scheme = scheme_size(word, colon);
	const char *token = colon + 1;
	g_autofree char *decoded = NULL;
	size_t size;

	if (colon < scan->mail_until || scheme != 6 || strncasecmp(colon - scheme, "mailto", 6) != 0)
		return false;
	while (token < end && (class_of(*token) & C_ENDS) == 0)
		token++;
	decoded = g_malloc((size_t)(token - colon));
	size = percent_decode(colon + 1, (size_t)(token - colon - 1), decoded);
	for (const char *at = decoded; (at = memchr(at, '@', (size_t)(decoded + size - at))) != NULL;) {
		at++;
		add_host(scan, at, decoded + size, LINK_EXPLICIT);
	}
	if ((scan->flags & IN_LINK) == 0 && memchr(colon, '%', (size_t)(token - colon)) != NULL)
		scan_decoded(scan, decoded, size); /* "?body=http%3a//…" */
	scan->mail_until = token;
	return true;
}

/* ---- words ---- */

/* Before a name without "www.": then it is part of a link, or of the path of a file.  A colon ends
 * the word before it ("Web:shop.example"). */
static bool
is_in_link(char c)
{
	return c == '/' || c == '\\' || c == '=' || c == '&' || c == '?' || c == '%' || c == '#' || c == '~' ||
		   c == '+' || c == '@' || c == '$';
}

/* U+3002, U+FF0E, U+FF61: dots of an IDN (UTS #46 4).  Octets, or 0. */
static size_t
wide_dot(const char *at, const char *end)
{
	return (unsigned char)*at >= 0xe3 && end - at >= 3 &&
				   (memcmp(at, "\xe3\x80\x82", 3) == 0 || memcmp(at, "\xef\xbc\x8e", 3) == 0 ||
					   memcmp(at, "\xef\xbd\xa1", 3) == 0)
			   ? 3
			   : 0;
}

/* Full width, too. */
static bool
begins_with_www(const char *word, const char *end)
{
	for (unsigned i = 0; i < 3; i++)
		if (word < end && (*word == 'w' || *word == 'W'))
			word++;
		else if (end - word >= 3 && (memcmp(word, "\xef\xbd\x97", 3) == 0 || memcmp(word, "\xef\xbc\xb7", 3) == 0))
			word += 3;
		else
			return false;
	return word < end && (*word == '.' || wide_dot(word, end) > 0);
}

/* Where "www." begins in a word, after nothing or something that is no letter
 * ("Hello.www.shop.example"); or NULL. */
static const char *
find_www(const char *word, const char *end)
{
	for (const char *at = word; at < end; at++)
		if ((at == word || !g_ascii_isalnum(at[-1])) && begins_with_www(at, end))
			return at;
	return NULL;
}

/* `is_linked`: it may be a link without "www.", too. */
static void
scan_bare_word(const Scan *scan, const char *word, size_t size, bool is_linked)
{
	const char *www;

	while (size > 0 && (word[0] == '.' || word[0] == '-' || word[0] == '_')) {
		word++;
		size--;
	}
	while (size > 0 && (word[size - 1] == '.' || word[size - 1] == '-' || word[size - 1] == '_'))
		size--;
	www = find_www(word, word + size);
	if (www != NULL)
		hosts_add(scan->finder->hosts, www, (size_t)(word + size - www), LINK_WWW);
	if (!is_linked || www == word || size > BARE_MOST || memchr(word, '.', size) == NULL)
		return;
	if (scan->finder->takes_bare &&
		((unsigned char)word[size - 1] >= 0x80 || hosts_ends_with_tld(scan->finder->hosts, word, size)))
		hosts_add(scan->finder->hosts, word, size, LINK_BARE);
}

/* A word with other letters in it: as a whole it may be an IDN, and its ASCII pieces may stand in
 * text without blanks. */
static void
scan_high_word(const Scan *scan, const char *word, const char *end, bool is_linked)
{
	for (const char *at = word; at < end;) {
		const char *piece = at;
		bool is_high = false;

		while (piece < end && high_end(piece, end) == 0) {
			is_high |= (class_of(*piece) & C_HIGH) != 0;
			piece++;
		}
		scan_bare_word(scan, at, (size_t)(piece - at), is_linked);
		while (is_high && at < piece) {
			const char *ascii = at;

			while (ascii < piece && (class_of(*ascii) & C_HIGH) == 0)
				ascii++;
			scan_bare_word(scan, at, (size_t)(ascii - at), is_linked);
			for (at = ascii; at < piece && (class_of(*at) & C_HIGH) != 0; at++)
				;
		}
		at = piece < end ? piece + high_end(piece, end) : end;
	}
}

static void
scan_word(const Scan *scan, const char *start, const char *word, const char *stop, const char *end)
{
	const char before = word > start ? word[-1] : ' ';
	const bool is_linked = !is_in_link(before) && (scan->flags & IN_LINK) == 0;
	bool is_high = false;

	if (before == '@' && scan->finder->takes_addresses && memchr(word, '.', (size_t)(stop - word)) != NULL)
		add_host(scan, word, stop, LINK_BARE);
	if (before == '@' || (stop < end && *stop == '@'))
		return; /* of a mail address */
	for (const char *at = word; at < stop; at++)
		is_high |= (class_of(*at) & C_HIGH) != 0;
	if (is_high)
		scan_high_word(scan, word, stop, is_linked);
	else
		scan_bare_word(scan, word, (size_t)(stop - word), is_linked);
}

static void
scan_text(Scan *scan, const char *text, size_t size)
{
	const char *end = text + size;

	for (const char *at = text; at < end;) {
		const char *word = at, *link = NULL;
		bool has_dot = false;

		if ((class_of(*at) & C_WORD) == 0) {
			at++;
			continue;
		}
		for (; at < end && (class_of(*at) & C_WORD) != 0; at++)
			has_dot |= *at == '.' || wide_dot(at, end) > 0;
		if (at < end && *at == ':' && scan_mailto(scan, word, at, end))
			continue;
		if (at < end && *at == ':')
			link = link_start(word, at, end);
		if (link != NULL)
			at = scan_link(scan, link, end, C_ENDS | C_SLASH);
		else if (has_dot && (scan->flags & TEXT_SCHEMES_ONLY) == 0)
			scan_word(scan, text, word, at, end);
	}
}

void
text_find(const LinkFinder *finder, const char *text, size_t size, unsigned flags)
{
	Scan scan = { .finder = finder, .flags = flags };

	scan_text(&scan, text, size);
}

/* ---- attributes ---- */

static size_t
url_strip(char *url, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < size; i++)
		if (url[i] != '\t' && url[i] != '\r' && url[i] != '\n' && (n > 0 || (unsigned char)url[i] > ' '))
			url[n++] = url[i];
	return n;
}

void
text_find_in_url(const LinkFinder *finder, char *url, size_t size)
{
	Scan scan = { .finder = finder };
	const char *end, *at = url;

	end = url + url_strip(url, size);
	while (at < end && (g_ascii_isalnum(*at) || *at == '+' || *at == '-' || *at == '.'))
		at++;
	if (at < end && *at == ':' && is_known_scheme(url, (size_t)(at - url)))
		for (at++; at < end && (class_of(*at) & C_SLASH) != 0;)
			at++;
	else if (end - url > 2 && (class_of(url[0]) & C_SLASH) != 0 && (class_of(url[1]) & C_SLASH) != 0)
		for (at = url; at < end && (class_of(*at) & C_SLASH) != 0;)
			at++;
	else
		at = NULL;
	if (at != NULL)
		at = scan_link(&scan, at, end, C_SLASH); /* browsers encode blanks and quotes */
	else
		at = url;
	scan_text(&scan, at, (size_t)(end - at));
}
