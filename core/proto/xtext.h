/* xtext.h - xtext and the DSN values made of it (RFC 3461 4).
 *
 * Pure.  Only printable ASCII, space and tab may be hidden in xtext (RFC 3461 4.2, 4.4): what is decoded
 * may be written into a header field. */
#pragma once

#include <stdbool.h>

#include "base/region.h"

enum { ENVID_MAX = 100, ORCPT_MAX = 500 };

bool xtext_is_valid(const char *text);
/* New in region; NULL: not xtext. */
const char *xtext_decode(Region *region, const char *text);
/* New in region.  Takes any octets; those of RFC 3461's list of the printable stay as they are. */
const char *xtext_encode(Region *region, const char *text);

/* The value of ENVID=. */
bool envid_is_valid(const char *text);
/* The value of ORCPT=: "type;xtext"; type "utf-8" may hold its address in the forms of RFC 6533 3:
 * "\x{XX}", and, if `is_utf8`, plain UTF-8. */
bool orcpt_is_valid(const char *text, bool is_utf8);
/* A valid value of ORCPT= without octets above 127, which become "\x{XX}": for hosts without SMTPUTF8, and for reports of
 * type message/delivery-status (RFC 6533 3).  New in region, or `text` itself. */
const char *orcpt_to_ascii(Region *region, const char *text);
