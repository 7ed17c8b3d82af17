/* exempt.h - recipients whose mail is accepted whatever it contains: reports of abuse quote what would be refused.
 *
 * Pure functions.  A pattern is "local@" (at any domain), "user@domain", "domain", or ".domain" (it, and those below);
 * letter case does not matter. */
#pragma once

#include <stdbool.h>

#include "mail/envelope.h"

bool exempt_pattern_is_valid(const char *pattern);
/* True if there is a recipient, and each of them matches one of the patterns (NULL-ended; NULL: none). */
bool exempt_are_all(char *const *patterns, const Envelope *envelope);
