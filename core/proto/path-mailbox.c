/* path-mailbox.c - mailboxes and domains (RFC 5321 4.1.2, RFC 6531 3.3).
 *
 *	Mailbox       = Local-part "@" ( Domain / address-literal )
 *	Local-part    = Dot-string / Quoted-string
 *	Dot-string    = Atom *("." Atom)
 *	Quoted-string = DQUOTE *( qtextSMTP / quoted-pairSMTP ) DQUOTE
 *	qtextSMTP     = %d32-33 / %d35-91 / %d93-126        quoted-pairSMTP = "\" %d32-126
 *	Domain        = sub-domain *("." sub-domain)        sub-domain = Let-dig [Ldh-str]
 *
 * with UTF8-non-ascii added to atext, qtextSMTP and sub-domain (as U-label). */
#include "proto/path.h"

#include <glib.h>
#include <string.h>

#include "proto/idn.h"
#include "proto/path-private.h"

enum { DOMAIN_OCTETS_MAX = 1000 }; /* in U-labels; in A-labels it is DOMAIN_MAX */

bool
mailbox_text_is_valid(const char *text, size_t size)
{
	if (!g_utf8_validate(text, (gssize)size, NULL))
		return false;
	for (const char *at = text; at < text + size; at = g_utf8_next_char(at)) {
		const gunichar c = g_utf8_get_char(at);

		if (g_unichar_iscntrl(c) || c == 0x2028 || c == 0x2029)
			return false;
	}
	return true;
}

static bool
mailbox_is_atext(char c)
{
	return g_ascii_isalnum(c) || (c & 0x80) != 0 || (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

/* Size of the dot-string that `text` begins with. */
static size_t
mailbox_dot_string(const char *text, size_t size)
{
	size_t end = 0, at = 0;

	while (at < size && mailbox_is_atext(text[at])) {
		while (at < size && mailbox_is_atext(text[at]))
			at++;
		end = at;
		if (at == size || text[at++] != '.')
			break;
	}
	return end;
}

/* Undoes the quoted string that `text` begins with; returns its size with the quotes, 0 if it does not end. */
static size_t
mailbox_unquote(const char *text, size_t size, GString *raw)
{
	for (size_t at = 1; at < size; at++) {
		if (text[at] == '"')
			return at + 1;
		if (text[at] == '\\' && ++at == size)
			return 0;
		g_string_append_c(raw, text[at]);
	}
	return 0;
}

/* Size of the characters of a dot-string, and dots anywhere, that `text` begins with; 0: there are only dots. */
static size_t
mailbox_loose_string(const char *text, size_t size)
{
	size_t end = 0;
	bool has_atom = false;

	for (; end < size && (text[end] == '.' || mailbox_is_atext(text[end])); end++)
		has_atom |= text[end] != '.';
	return has_atom ? end : 0;
}

static void
mailbox_put_local(GString *address, const GString *raw, bool is_loose)
{
	if (is_loose || (raw->len > 0 && mailbox_dot_string(raw->str, raw->len) == raw->len)) {
		g_string_append_len(address, raw->str, (gssize)raw->len);
		return;
	}
	g_string_append_c(address, '"');
	for (size_t i = 0; i < raw->len; i++) {
		if (raw->str[i] == '"' || raw->str[i] == '\\')
			g_string_append_c(address, '\\');
		g_string_append_c(address, raw->str[i]);
	}
	g_string_append_c(address, '"');
}

static PathResult
mailbox_put_domain(GString *address, const char *domain, size_t size, bool takes_dot)
{
	g_autofree char *ascii = NULL;

	if (size > 0 && domain[0] == '[')
		return domain[size - 1] == ']' ? PATH_LITERAL : PATH_BAD_ADDRESS;
	if (size > DOMAIN_OCTETS_MAX)
		return PATH_TOO_LONG;
	ascii = idn_to_ascii(domain, size);
	if (ascii == NULL || (!takes_dot && domain[size - 1] == '.'))
		return PATH_BAD_ADDRESS;
	g_string_append_printf(address, "@%s", ascii);
	return strchr(ascii, '.') != NULL ? PATH_OK : PATH_NOT_QUALIFIED;
}

/* The local part that `text` begins with, without quotes, in `raw`; 0: there is none. */
static size_t
mailbox_take_local(const char *text, size_t size, bool is_loose, GString *raw)
{
	size_t local;

	if (text[0] == '"')
		return mailbox_unquote(text, size, raw);
	local = is_loose ? mailbox_loose_string(text, size) : mailbox_dot_string(text, size);
	g_string_append_len(raw, text, (gssize)local);
	return local;
}

PathResult
mailbox_canonical(Region *region, const char *text, size_t size, unsigned flags, const char **address)
{
	const bool is_loose = (flags & MAILBOX_DOTS) != 0 && size > 0 && text[0] != '"';
	g_autoptr(GString) raw = g_string_new(NULL);
	g_autoptr(GString) canonical = g_string_new(NULL);
	PathResult result = PATH_NOT_QUALIFIED;
	size_t local;

	if (size == 0 || !mailbox_text_is_valid(text, size))
		return PATH_BAD_ADDRESS;
	local = mailbox_take_local(text, size, is_loose, raw);
	if (local == 0 || (local < size && text[local] != '@'))
		return PATH_BAD_ADDRESS;
	mailbox_put_local(canonical, raw, is_loose);
	if (canonical->len > LOCAL_PART_MAX && !(flags & MAILBOX_LONG))
		return PATH_TOO_LONG;
	if (local < size)
		result = mailbox_put_domain(
			canonical, text + local + 1, size - local - 1, (flags & MAILBOX_FINAL_DOT) != 0);
	if (result != PATH_OK && result != PATH_NOT_QUALIFIED)
		return result;
	if (canonical->len + strlen("<>") > PATH_MAX_OCTETS)
		return PATH_TOO_LONG;
	*address = region_strndup(region, canonical->str, canonical->len);
	return result;
}

const char *
mailbox_parse(Region *region, const char *text, bool is_utf8)
{
	const char *address;

	for (const char *c = text; *c != '\0' && !is_utf8; c++)
		if ((*c & 0x80) != 0)
			return NULL;
	return mailbox_canonical(region, text, strlen(text), 0, &address) == PATH_OK ? address : NULL;
}

const char *
mailbox_domain(const char *address)
{
	const char *at = strrchr(address, '@');

	return at != NULL ? at + 1 : address + strlen(address);
}

static bool
domain_label_is_valid(const char *label, size_t size)
{
	if (size == 0 || size > DOMAIN_LABEL_MAX || label[0] == '-' || label[size - 1] == '-')
		return false;
	for (size_t i = 0; i < size; i++)
		if (!g_ascii_isalnum(label[i]) && label[i] != '-' && label[i] != '_' && (label[i] & 0x80) == 0)
			return false;
	return true;
}

/* U-labels are letters, digits and marks, and the few that RFC 5892 allows in context. */
static bool
domain_characters_are_valid(const char *text, size_t size, bool is_utf8)
{
	static const gunichar in_context[] = { 0xb7, 0x375, 0x5f3, 0x5f4, 0x200c, 0x200d, 0x30fb };

	if (!g_utf8_validate(text, (gssize)size, NULL))
		return false;
	for (const char *at = text; at < text + size; at = g_utf8_next_char(at)) {
		const gunichar c = g_utf8_get_char(at);
		bool is_allowed = c < 0x80 || (is_utf8 && (g_unichar_isalnum(c) || g_unichar_ismark(c)));

		for (size_t i = 0; i < G_N_ELEMENTS(in_context) && is_utf8; i++)
			is_allowed = is_allowed || c == in_context[i];
		if (!is_allowed)
			return false;
	}
	return true;
}

bool
domain_text_is_valid(const char *text, size_t size, bool is_utf8)
{
	const char *label = text;
	size_t label_size = 0;

	if (size == 0 || size > DOMAIN_MAX || !domain_characters_are_valid(text, size, is_utf8))
		return false;
	for (; label <= text + size; label += label_size + 1) {
		const size_t left = size - (size_t)(label - text);
		const char *dot = memchr(label, '.', left);

		label_size = dot != NULL ? (size_t)(dot - label) : left;
		if (!domain_label_is_valid(label, label_size))
			return false;
	}
	/* An address is not a name: no top-level domain is a number. */
	for (label -= label_size + 1; label < text + size; label++)
		if (!g_ascii_isdigit(*label))
			return true;
	return false;
}

bool
domain_is_valid(const char *text)
{
	return domain_text_is_valid(text, strlen(text), false);
}

bool
helo_is_valid(const char *text)
{
	const size_t size = strlen(text);

	for (const char *c = text; *c != '\0'; c++)
		if ((unsigned char)*c <= ' ' || *c == 0x7f)
			return false;
	return size > 0 && size <= HELO_MAX;
}
