/* sign.h - short signatures in letters that survive a change of case: for addresses and header fields that come back to us.
 *
 * Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

extern const char sign_letters[]; /* of base32 in lower case (RFC 4648 6): 5 bits each */

/* `size` (at most 48) letters and a NUL of an HMAC-SHA256 over `text`, whose case does not count. */
void sign_text(const char *secret, const char *text, char *letters, size_t size);
/* Takes the same time wherever they differ; both have `size` octets. */
bool sign_is_same(const char *a, const char *b, size_t size);
