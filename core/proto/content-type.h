/* content-type.h - the value of Content-Type and Content-Transfer-Encoding as the structure of a message needs it (RFC 2045 5, 6).
 *
 * Pure.  Line ends are taken out already. */
#pragma once

/* The first word, comments left out: "text/plain", "base64"; "": none.  New. */
char *content_type_token(const char *value);
/* The parameter of that name, unquoted; NULL: it is not there, is there twice, or is empty.  New. */
char *content_type_parameter(const char *value, const char *name);
