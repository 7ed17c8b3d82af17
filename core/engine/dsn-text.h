/* dsn-text.h - text in a form that every mail system takes: 7 bit, and no line of more than 998 octets (RFC 5322 2.1.1).
 *
 * Pure; everything is appended to `out`. */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* True: a line of it, which CRLF ends, is longer. */
bool dsn_has_long_line(const char *text, size_t size);
/* A header field and its CRLF, folded where it is long (RFC 5322 2.2.3).  Unless `is_global`, what is not ASCII becomes '?'. */
void dsn_put_field(GString *out, bool is_global, const char *name, const char *value);
/* The last fields of a part's header, the empty line, and the text: as it is, or quoted-printable if it has long lines or is
 * not ASCII (RFC 2045 6.7). */
void dsn_put_body(GString *out, const char *text, size_t size);
/* "rfc822;ADDRESS", or "utf-8;ADDRESS" for one that is not ASCII; there, unless `is_global`, in the form of RFC 6533 3 for
 * 7 bit: "\x{FC}".  New. */
char *dsn_address(bool is_global, const char *address);
/* The value of ORCPT= as a field of a report has it: xtext of the client is decoded, an address of type utf-8 as above.  New;
 * NULL: it cannot be. */
char *dsn_original(bool is_global, const char *orcpt);
/* "dns; NAME" of "NAME[ADDRESS]:PORT", or "dns; [IPv6:ADDRESS]" if the name is such an address.  New. */
char *dsn_host(const char *peer);
