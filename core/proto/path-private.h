/* path-private.h - what path.c takes from path-mailbox.c. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "proto/path.h"

/* What mailbox_canonical() takes beyond the grammar. */
typedef enum { MAILBOX_LONG = 1, MAILBOX_FINAL_DOT = 2, MAILBOX_DOTS = 4 } MailboxFlags;

/* Local-part [ "@" Domain ], canonical.  `text` may hold non-ASCII.  `flags`: a set of MailboxFlags.  `address` (new in
 * region) is set with PATH_OK and PATH_NOT_QUALIFIED. */
PathResult mailbox_canonical(Region *region, const char *text, size_t size, unsigned flags, const char **address);
/* Valid UTF-8 without control characters or line separators. */
bool mailbox_text_is_valid(const char *text, size_t size);
/* As domain_is_valid(); `is_utf8`: U-labels may be there. */
bool domain_text_is_valid(const char *text, size_t size, bool is_utf8);
