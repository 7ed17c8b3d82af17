/* backup-items.h - the items of a store as lines of text: KEY, expiry and VALUE between tabs, then "end COUNT".
 *
 * Backslash, tab, newline and carriage return are escaped; all else stands as it is.  The expiry is in µs since 1970, "-" for
 * none.  The daemon writes this text for `posternctl backup`, and `posternctl restore` reads it. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

#include "service/store.h"

/* Appends the line of an item.  Pure. */
void backup_put_item(GString *out, const StoreItem *item);
/* Appends the last line, without which the text counts as truncated.  Pure. */
void backup_put_end(GString *out, size_t n);
/* Loads every item of `text` (`size` octets; changed on the way, and it ends with a NUL) into `into`; `n` gets their number.
 * False: `text` is not whole; the sentence names the line.  Does not block if `into` is in memory. */
bool backup_read_items(char *text, size_t size, Store *into, size_t *n, GError **error);
