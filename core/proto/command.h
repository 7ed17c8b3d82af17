/* command.h - SMTP command lines and their arguments (RFC 5321 4.1.1, 4.1.2).
 *
 * Pure: bytes in, values out.  Values point into the given line or into `region`. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/region.h"

enum {
	COMMAND_LINE_MAX = 4096,     /* a command line with CRLF; RFC 5321 asks for 512, extensions add     */
	COMMAND_AUTH_LINE_MAX = 12290, /* an AUTH line and SASL responses (RFC 4954 4)                       */
	PATH_MAX_OCTETS = 256, LOCAL_PART_MAX = 64, DOMAIN_MAX = 255, /* RFC 5321 4.5.3.1                    */
	PARAMETERS_MAX = 20,
};

typedef struct {
	char verb[12];        /* upper case, "" if the first word is no verb (longer, or odd characters)   */
	const char *argument; /* behind the blanks, trailing blanks cut; "" if none; NUL-terminated         */
} Command;

/* Splits a line (without its end; NUL-terminated, NULs inside it make `verb` ""). Changes `line`. */
void command_split(char *line, size_t size, Command *command);

typedef enum {
	PATH_OK,
	PATH_SYNTAX,        /* no "FROM:<…>" at all: 501 5.5.4                                              */
	PATH_BAD_ADDRESS,   /* brackets, but no address: 501 5.1.7 / 5.1.3                                  */
	PATH_LITERAL,       /* a domain literal: refused 5xx (E-18)                                        */
	PATH_TOO_LONG,
	PATH_NEEDS_UTF8,    /* non-ASCII without SMTPUTF8: 553 5.6.7                                        */
	PATH_NOT_QUALIFIED, /* syntactically fine, but without "@domain" or with a one-label domain: 504 5.5.2; `address` is set */
} PathResult;

/* One "NAME" or "NAME=VALUE" behind the path. */
typedef struct {
	char *name;  /* upper case */
	char *value; /* NULL: none */
} Parameter;

typedef struct {
	const char *address;  /* "" for "<>"; domain in lower case as A-labels untouched; a source route is dropped; quoted local parts that
	                       * need no quotes lose them */
	Parameter parameters[PARAMETERS_MAX];
	size_t n_parameters;  /* PARAMETERS_MAX + 1: there were too many (501) */
} Path;

/* "FROM:<path> params" with keyword "FROM:", "TO:<path> params" with "TO:".  Blanks between ':' and '<' are
 * tolerated (many clients), other departures are not.  `is_utf8`: non-ASCII is allowed; must be valid UTF-8.
 * "postmaster" without domain is PATH_OK with "TO:" (RFC 5321 4.5.1). */
PathResult path_parse(Region *region, const char *argument, const char *keyword, bool is_utf8, Path *path);
/* True if the parameters contain SMTPUTF8, looked for before the path can be parsed. */
bool path_wants_utf8(const char *argument);

/* A single mailbox "local@domain" without brackets, as above (for configuration and plugins).  New in region, or NULL. */
const char *mailbox_parse(Region *region, const char *text, bool is_utf8);
/* The part behind the last '@', or "". */
const char *mailbox_domain(const char *address);
/* A host name as HELO, domains and options use it: letters, digits, hyphens, dots, underscores; U-labels not. */
bool domain_is_valid(const char *text);
/* The argument of EHLO/HELO: a domain or an address literal; clients send much else, so only what is
 * dangerous or empty is refused: controls, blanks, over 255 octets. */
bool helo_is_valid(const char *text);

/* RFC 3461 4: xtext.  decode: new in region or NULL. */
bool xtext_is_valid(const char *text);
const char *xtext_decode(Region *region, const char *text);
const char *xtext_encode(Region *region, const char *text);
