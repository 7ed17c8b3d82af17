/* entity.c - "&#46;", "&#x2e", "&period;": numbers with or without their semicolon, and the names that can stand in a
 * host or a link: punctuation, what cannot be seen, and the letters of Latin-1. */
#include "plugins/uribl/entity.h"

#include <glib.h>
#include <string.h>

enum { NAME_MOST = 24 };

typedef struct {
	const char *name;
	gunichar value;
} Entity;

/* In the order of strcmp(). */
static const Entity entities[] = {
	{ "AElig", 0xc6 },
	{ "AMP", '&' },
	{ "Aacute", 0xc1 },
	{ "Acirc", 0xc2 },
	{ "Agrave", 0xc0 },
	{ "Aring", 0xc5 },
	{ "Atilde", 0xc3 },
	{ "Auml", 0xc4 },
	{ "Ccedil", 0xc7 },
	{ "ETH", 0xd0 },
	{ "Eacute", 0xc9 },
	{ "Ecirc", 0xca },
	{ "Egrave", 0xc8 },
	{ "Euml", 0xcb },
	{ "GT", '>' },
	{ "Iacute", 0xcd },
	{ "Icirc", 0xce },
	{ "Igrave", 0xcc },
	{ "InvisibleComma", 0x2063 },
	{ "InvisibleTimes", 0x2062 },
	{ "Iuml", 0xcf },
	{ "LT", '<' },
	{ "NegativeMediumSpace", 0x200b },
	{ "NegativeThickSpace", 0x200b },
	{ "NegativeThinSpace", 0x200b },
	{ "NegativeVeryThinSpace", 0x200b },
	{ "NewLine", '\n' },
	{ "NoBreak", 0x2060 },
	{ "NonBreakingSpace", 0xa0 },
	{ "Ntilde", 0xd1 },
	{ "Oacute", 0xd3 },
	{ "Ocirc", 0xd4 },
	{ "Ograve", 0xd2 },
	{ "Oslash", 0xd8 },
	{ "Otilde", 0xd5 },
	{ "Ouml", 0xd6 },
	{ "QUOT", '"' },
	{ "THORN", 0xde },
	{ "Tab", '\t' },
	{ "UnderBar", '_' },
	{ "Uacute", 0xda },
	{ "Ucirc", 0xdb },
	{ "Ugrave", 0xd9 },
	{ "Uuml", 0xdc },
	{ "VerticalLine", '|' },
	{ "Yacute", 0xdd },
	{ "ZeroWidthSpace", 0x200b },
	{ "aacute", 0xe1 },
	{ "acirc", 0xe2 },
	{ "aelig", 0xe6 },
	{ "agrave", 0xe0 },
	{ "amp", '&' },
	{ "apos", '\'' },
	{ "aring", 0xe5 },
	{ "ast", '*' },
	{ "atilde", 0xe3 },
	{ "auml", 0xe4 },
	{ "bsol", '\\' },
	{ "ccedil", 0xe7 },
	{ "colon", ':' },
	{ "comma", ',' },
	{ "commat", '@' },
	{ "dash", 0x2010 },
	{ "dollar", '$' },
	{ "eacute", 0xe9 },
	{ "ecirc", 0xea },
	{ "egrave", 0xe8 },
	{ "emsp", 0x2003 },
	{ "ensp", 0x2002 },
	{ "equals", '=' },
	{ "eth", 0xf0 },
	{ "euml", 0xeb },
	{ "excl", '!' },
	{ "gt", '>' },
	{ "hyphen", 0x2010 },
	{ "iacute", 0xed },
	{ "icirc", 0xee },
	{ "igrave", 0xec },
	{ "iuml", 0xef },
	{ "laquo", 0xab },
	{ "lbrack", '[' },
	{ "ldquo", 0x201c },
	{ "lowbar", '_' },
	{ "lpar", '(' },
	{ "lsqb", '[' },
	{ "lsquo", 0x2018 },
	{ "lt", '<' },
	{ "mdash", 0x2014 },
	{ "nbsp", 0xa0 },
	{ "ndash", 0x2013 },
	{ "ntilde", 0xf1 },
	{ "num", '#' },
	{ "oacute", 0xf3 },
	{ "ocirc", 0xf4 },
	{ "ograve", 0xf2 },
	{ "oslash", 0xf8 },
	{ "otilde", 0xf5 },
	{ "ouml", 0xf6 },
	{ "percnt", '%' },
	{ "period", '.' },
	{ "plus", '+' },
	{ "quest", '?' },
	{ "quot", '"' },
	{ "raquo", 0xbb },
	{ "rbrack", ']' },
	{ "rdquo", 0x201d },
	{ "rpar", ')' },
	{ "rsqb", ']' },
	{ "rsquo", 0x2019 },
	{ "semi", ';' },
	{ "shy", 0xad },
	{ "sol", '/' },
	{ "szlig", 0xdf },
	{ "thinsp", 0x2009 },
	{ "thorn", 0xfe },
	{ "uacute", 0xfa },
	{ "ucirc", 0xfb },
	{ "ugrave", 0xf9 },
	{ "uuml", 0xfc },
	{ "vert", '|' },
	{ "yacute", 0xfd },
	{ "yuml", 0xff },
	{ "zwj", 0x200d },
	{ "zwnj", 0x200c },
};

/* What browsers show for a code that is no character: the number may not stop a link from being seen. */
static size_t
write_character(gunichar value, size_t room, char *out)
{
	char text[6];
	int size;

	if (value == 0 || value > 0x10ffff || (value >= 0xd800 && value < 0xe000))
		value = '?';
	size = g_unichar_to_utf8(value, text);
	if ((size_t)size > room)
		return 0;
	memcpy(out, text, (size_t)size);
	return (size_t)size;
}

/* "&#46;" at `at`; octets taken, 0 if it is none. */
static size_t
decode_number(const char *at, const char *end, gunichar *value)
{
	const char *c = at + 2;
	unsigned base = 10;

	if (c < end && (*c == 'x' || *c == 'X')) {
		base = 16;
		c++;
	}
	at = c;
	for (*value = 0; c < end; c++) {
		const int digit = g_ascii_xdigit_value(*c);

		if (digit < 0 || (unsigned)digit >= base)
			break;
		*value = MIN(*value * base + (unsigned)digit, 0x110000);
	}
	if (c == at)
		return 0;
	return (size_t)(c - at) + (base == 16 ? 3 : 2) + (c < end && *c == ';');
}

static const Entity *
entity_find(const char *name)
{
	size_t low = 0, high = G_N_ELEMENTS(entities);

	while (low < high) {
		const size_t middle = (low + high) / 2;
		int difference = name[0] - entities[middle].name[0];

		if (difference == 0)
			difference = name[1] - entities[middle].name[1];
		if (difference == 0)
			difference = strcmp(name, entities[middle].name);
		if (difference == 0)
			return &entities[middle];
		if (difference < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

/* "&period;": without its semicolon only as old browsers take it, a name of Latin-1. */
static size_t
decode_name(const char *at, const char *end, gunichar *value)
{
	char name[NAME_MOST];
	const Entity *found;
	size_t size = 0;

	while (at + 1 + size < end && size < sizeof name && g_ascii_isalpha(at[1 + size]))
		size++;
	if (size < 2 || size == sizeof name)
		return 0;
	memcpy(name, at + 1, size);
	name[size] = '\0';
	found = entity_find(name);
	if (found == NULL)
		return 0;
	if (at + 1 + size < end && at[1 + size] == ';')
		size++;
	else if (found->value > 0xff || strcmp(name, "period") == 0)
		return 0;
	*value = found->value;
	return size + 1;
}

size_t
entity_decode(const char *text, size_t size, char *out)
{
	const char *at = text, *end = text + size;
	size_t n = 0;

	while (at < end) {
		size_t taken = 0;
		gunichar value;

		if (*at != '&') {
			out[n++] = *at++;
			continue;
		}
		if (end - at > 2)
			taken = at[1] == '#' ? decode_number(at, end, &value) : decode_name(at, end, &value);
		if (taken > 0)
			n += write_character(value, taken, out + n);
		else
			out[n++] = '&';
		at += MAX(taken, 1);
	}
	return n;
}
