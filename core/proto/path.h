/* path.h - the arguments of MAIL and RCPT: paths, mailboxes, domains, ESMTP parameters
 * (RFC 5321 4.1.2, RFC 6531 3.3).
 *
 * Pure: what is returned lives in `region`. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/region.h"

enum {
	PATH_MAX_OCTETS = 256, /* with brackets, without a source route (RFC 5321 4.5.3.1.3)            */
	LOCAL_PART_MAX = 64,
	DOMAIN_MAX = 253,      /* 255 on the wire of the DNS (RFC 1035 2.3.4) are 253 in writing        */
	DOMAIN_LABEL_MAX = 63,
	HELO_MAX = 255,
	PARAMETERS_MAX = 20,
};

typedef enum {
	PATH_OK,
	PATH_SYNTAX,        /* no "FROM:<…>" at all, or parameters that are none, or one twice: 501 5.5.4    */
	PATH_BAD_ADDRESS,   /* brackets, but no address: 501 5.1.7 / 5.1.3                                   */
	PATH_LITERAL,       /* a domain literal: refused 5xx (E-18)                                         */
	PATH_TOO_LONG,
	PATH_NEEDS_UTF8,    /* non-ASCII without SMTPUTF8: 553 5.6.7                                         */
	PATH_NOT_QUALIFIED, /* syntactically fine, but without "@domain" or with a one-label domain: 504 5.5.2;
	                     * `address` and the parameters are set */
} PathResult;

/* One "NAME" or "NAME=VALUE" behind the path. */
typedef struct {
	char *name;  /* upper case            */
	char *value; /* NULL: none; never "" */
} Parameter;

typedef struct {
	const char *address; /* "" for "<>".  Canonical: the domain in lower case, a source route
	                      * dropped, a local part quoted only if it needs quotes, U-labels made A-labels (idn.h). */
	Parameter parameters[PARAMETERS_MAX]; /* no name twice */
	size_t n_parameters; /* PARAMETERS_MAX + 1: there were too many (501) */
} Path;

/* What path_parse() takes beyond the grammar; none of it lets two addresses be taken for each other. */
typedef enum {
	PATH_UTF8 = 1,  /* non-ASCII: SMTPUTF8 was said */
	PATH_LOOSE = 2, /* an address without brackets, a final dot in its domain, a local part of more than 64 octets, and, with
	                 * "TO:", dots in a local part where none belong ("a..b", "a.", ".a": they exist, and stay as they are) */
} PathFlags;

/* "FROM:<path> params" with keyword "FROM:", "TO:<path> params" with "TO:".  Blanks between ':' and '<' are
 * tolerated (many clients), other departures only with `flags`, a set of PathFlags.  Non-ASCII must be valid UTF-8.
 * "<>" is an address with "FROM:" only, "<postmaster>" is PATH_OK with "TO:" only (RFC 5321 4.1.1.3).
 * `path` is set with PATH_OK and PATH_NOT_QUALIFIED only. */
PathResult path_parse(Region *region, const char *argument, const char *keyword, unsigned flags, Path *path);
/* True if the parameters contain SMTPUTF8, looked for before the path can be parsed. */
bool path_wants_utf8(const char *argument);

/* A single mailbox "local@domain" without brackets, qualified, canonical as above (for configuration and
 * plugins).  New in region, or NULL. */
const char *mailbox_parse(Region *region, const char *text, bool is_utf8);
/* The part behind the last '@', or "".  Points into `address`. */
const char *mailbox_domain(const char *address);
/* A host name as domains and options use it: 1 … 253 octets; labels of 1 … 63 letters, digits, hyphens (not
 * at an end) and underscores; the last one not all digits; no final dot; U-labels not. */
bool domain_is_valid(const char *text);
/* The argument of EHLO/HELO: a domain or an address literal; clients send much else, so only what is
 * dangerous or empty is refused: controls, blanks, over 255 octets.  Octets above 127 may be there, as well
 * as parentheses and quotes: who writes it into a header minds that. */
bool helo_is_valid(const char *text);
