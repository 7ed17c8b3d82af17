/* path.c - the arguments of MAIL and RCPT.
 *
 *	Path     = "<" [ A-d-l ":" ] Mailbox ">"        A-d-l = "@" Domain *( "," "@" Domain )
 *	argument = "FROM:" Path [ SP esmtp-param *( SP esmtp-param ) ]
 *
 * The mailbox itself: path-mailbox.c. */
#include "proto/path.h"

#include <glib.h>
#include <string.h>

#include "proto/path-private.h"

static bool
path_is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static const char *
path_skip_blanks(const char *text)
{
	while (path_is_blank(*text))
		text++;
	return text;
}

/* The bracket that ends the path which begins at `open`; one within quotes does not. */
static const char *
path_find_close(const char *open)
{
	bool is_quoted = false;

	for (const char *at = open + 1; *at != '\0'; at++) {
		if (*at == '"')
			is_quoted = !is_quoted;
		else if (is_quoted && *at == '\\' && at[1] != '\0')
			at++;
		else if (*at == '>' && !is_quoted)
			return at;
	}
	return NULL;
}

/* esmtp-keyword = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-") */
static size_t
path_keyword_size(const char *text)
{
	size_t size = 0;

	while (g_ascii_isalnum(text[size]) || (text[size] == '-' && size > 0))
		size++;
	return size;
}

/* esmtp-value = 1*(%d33-60 / %d62-126), with SMTPUTF8 UTF8-non-ascii, too */
static size_t
path_value_size(const char *text, bool is_utf8)
{
	size_t size = 0;

	while ((text[size] >= '!' && text[size] <= '~' && text[size] != '=') || (is_utf8 && (text[size] & 0x80) != 0))
		size++;
	return mailbox_text_is_valid(text, size) ? size : 0;
}

static bool
path_has_parameter(const Path *path, const char *name)
{
	for (size_t i = 0; i < path->n_parameters; i++)
		if (strcmp(path->parameters[i].name, name) == 0)
			return true;
	return false;
}

static bool
path_add_parameter(Region *region, Path *path, const char *name, size_t name_size, Parameter **added)
{
	char *upper = region_strndup(region, name, name_size);

	for (char *c = upper; *c != '\0'; c++)
		*c = g_ascii_toupper(*c);
	if (path_has_parameter(path, upper))
		return false;
	*added = &path->parameters[path->n_parameters++];
	(*added)->name = upper;
	(*added)->value = NULL;
	return true;
}

/* False: a parameter that is none. */
static bool
path_parse_parameters(Region *region, const char *text, bool is_utf8, Path *path)
{
	while (*text != '\0') {
		const char *name = path_skip_blanks(text);
		const size_t name_size = path_keyword_size(name);
		const size_t value_size = name[name_size] == '=' ? path_value_size(name + name_size + 1, is_utf8) : 0;
		Parameter *parameter;

		if (*name == '\0')
			break;
		if (name == text || name_size == 0 || (name[name_size] == '=' && value_size == 0))
			return false;
		text = name + name_size + (value_size > 0 ? value_size + 1 : 0);
		if (*text != '\0' && !path_is_blank(*text))
			return false;
		if (path->n_parameters == PARAMETERS_MAX) {
			path->n_parameters++;
			return true;
		}
		if (!path_add_parameter(region, path, name, name_size, &parameter))
			return false;
		if (value_size > 0)
			parameter->value = region_strndup(region, name + name_size + 1, value_size);
	}
	return true;
}

/* What stands behind the source route; NULL if that is none (RFC 5321 4.1.2: accepted and ignored). */
static const char *
path_skip_route(const char *text, const char *end)
{
	while (text < end && *text == '@') {
		const char *domain = ++text;

		while (text < end && *text != ',' && *text != ':')
			text++;
		if (text == end || !domain_text_is_valid(domain, (size_t)(text - domain), false))
			return NULL;
		if (*text++ == ':')
			return text;
		if (text == end || *text != '@')
			return NULL;
	}
	return text;
}

static unsigned
path_mailbox_flags(unsigned flags, bool is_sender)
{
	if (!(flags & PATH_LOOSE))
		return 0;
	return MAILBOX_LONG | MAILBOX_FINAL_DOT | (is_sender ? 0 : MAILBOX_DOTS);
}

static PathResult
path_parse_address(
	Region *region, const char *text, const char *end, unsigned flags, bool is_sender, const char **address)
{
	for (const char *c = text; c < end && !(flags & PATH_UTF8); c++)
		if ((*c & 0x80) != 0)
			return PATH_NEEDS_UTF8;
	text = path_skip_route(text, end);
	if (text == NULL)
		return PATH_BAD_ADDRESS;
	return mailbox_canonical(region, text, (size_t)(end - text), path_mailbox_flags(flags, is_sender), address);
}

/* Where the path is: within brackets, or up to the next blank. */
typedef struct {
	const char *begin, *end; /* without brackets */
	const char *rest;
} PathPlace;

/* An address without brackets has no source route, no quotes, and is not empty. */
static bool
path_place_bare(const char *text, PathPlace *place)
{
	const size_t size = strcspn(text, " \t");

	*place = (PathPlace){ text, text + size, text + size };
	return size > 0 && text[0] != '@' && strcspn(text, "<>\"") >= size && memchr(text, '@', size) != NULL;
}

static PathResult
path_find_place(const char *argument, const char *keyword, unsigned flags, PathPlace *place)
{
	const char *open;

	if (g_ascii_strncasecmp(argument, keyword, strlen(keyword)) != 0)
		return PATH_SYNTAX;
	open = path_skip_blanks(argument + strlen(keyword));
	if (*open != '<' && (flags & PATH_LOOSE) && path_place_bare(open, place))
		return PATH_OK;
	if (*open != '<' || strchr(open, '>') == NULL)
		return PATH_SYNTAX;
	place->begin = open + 1;
	place->end = path_find_close(open);
	if (place->end == NULL)
		return PATH_BAD_ADDRESS;
	place->rest = place->end + 1;
	return PATH_OK;
}

PathResult
path_parse(Region *region, const char *argument, const char *keyword, unsigned flags, Path *path)
{
	const bool is_sender = keyword[0] == 'F';
	Path parsed = { .address = "" };
	PathPlace place;
	PathResult result = path_find_place(argument, keyword, flags, &place);

	if (result != PATH_OK)
		return result;
	if (!path_parse_parameters(region, place.rest, (flags & PATH_UTF8) != 0, &parsed))
		return PATH_SYNTAX;
	if (place.end > place.begin)
		result = path_parse_address(region, place.begin, place.end, flags, is_sender, &parsed.address);
	else if (!is_sender)
		return PATH_BAD_ADDRESS;
	if (result == PATH_NOT_QUALIFIED && !is_sender && g_ascii_strcasecmp(parsed.address, "postmaster") == 0)
		result = PATH_OK;
	if (result == PATH_OK || result == PATH_NOT_QUALIFIED)
		*path = parsed;
	return result;
}

bool
path_wants_utf8(const char *argument)
{
	const char *colon = strchr(argument, ':');
	const char *at = colon != NULL ? path_skip_blanks(colon + 1) : "";

	if (*at == '<') {
		at = path_find_close(at);
		at = at != NULL ? at + 1 : "";
	} else {
		at += strcspn(at, " \t");
	}
	for (; *at != '\0'; at += strcspn(at, " \t")) {
		at = path_skip_blanks(at);
		if (path_keyword_size(at) == strlen("SMTPUTF8") && strcspn(at, " \t") == strlen("SMTPUTF8") &&
			g_ascii_strncasecmp(at, "SMTPUTF8", strlen("SMTPUTF8")) == 0)
			return true;
	}
	return false;
}
