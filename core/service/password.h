/* password.h - crypt(3) hashes of passwords, made and compared (libxcrypt). */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* New: a yescrypt hash with a random salt; NULL if crypt(3) fails. */
char *password_hash(const char *password, GError **error);
/* Takes as long as the hash asks for (some 24 ms for yescrypt): never on a loop. */
bool password_matches(const char *password, const char *hash);
/* NULL, or why it may not be set.  `least`: code points. */
const char *password_complaint(const char *password, int64_t least);
