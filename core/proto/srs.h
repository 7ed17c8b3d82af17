/* srs.h - senders of ours for mail that is forwarded: signed, expiring, in the manner of the Sender Rewriting Scheme.
 *
 *   SRS0=HASH=DAY=TEXT@DOMAIN      HASH: 8 letters, an HMAC of the rest; DAY: 2 letters, the day modulo 1024
 *
 * Pure.  Case does not count in what is compared, as some servers change it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

typedef enum {
	SRS_OK,
	SRS_FORGED,
	SRS_EXPIRED,
} SrsResult;

/* `text` (printable ASCII) is what is to be known when mail comes back; `day`: days since 1970.  New; NULL: it does not fit into a
 * local part, or cannot stand in one unquoted. */
char *srs_seal(const char *secret, int64_t day, const char *text, const char *domain);
/* Has it the form of such an address?  Says nothing of its signature. */
bool srs_is(const char *address);
/* The text of one that was sealed no more than `valid_days` (below 1000) ago; new. */
SrsResult srs_open(const char *secret, int64_t day, int valid_days, const char *address, char **text);
/* A short name for what does not fit, 16 letters; new. */
char *srs_tag(const char *secret, const char *text);
