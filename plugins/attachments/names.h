/* names.h - names of files, made comparable, and the patterns that they are compared with. */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* The last part of a path in one way to write it: lower case, compatibility forms and full width made plain, without
 * what cannot be seen, trailing dots and blanks, and streams ("a.exe::$DATA").  New. */
char *name_fold(const char *name);
/* As it may stand in a reply: printable ASCII, not too long.  New. */
char *name_shown(const char *name);

/* Patterns as of shells, their case folded as that of names is.  New. */
GPtrArray *patterns_new(const char *const *texts);
bool patterns_match(const GPtrArray *patterns, const char *folded);
