/* idn.h - internationalised domains: A-labels within, U-labels for people (RFC 5890, RFC 5891).
 *
 * Whatever comes in from clients, configuration or people passes here once, at the border: everything behind it compares A-labels
 * in lower case and need not know that others exist.  Pure. */
#pragma once

#include <stddef.h>

/* "BÜCHER.example" -> "xn--bcher-kva.example": mapped as UTS 46 has it (nontransitional), in lower case.  What is ASCII is
 * only made lower case, whatever its labels decode to: such names exist in the DNS.  One final dot goes.  New; NULL: it can be no
 * domain, or one that is too long in A-labels. */
char *idn_to_ascii(const char *domain, size_t size);
/* The same of the domain in "local@domain", "@domain", "domain", ".domain", "*.domain" or "host:port"; the rest stays, ASCII case
 * included.  What cannot be converted stays as it is, for a check to complain of.  New. */
char *idn_address_to_ascii(const char *address);
/* For eyes: each word of a text that has A-labels, "u@xn--bcher-kva.example", in U-labels, where they lead back to the same
 * A-labels and have nothing in them that moves a cursor.  New. */
char *idn_to_shown(const char *text);
