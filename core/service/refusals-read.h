/* refusals-read.h - the lines of a file from its end to its start, in blocks. */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* Calls `each` for each line, without its "\n", until it returns false; it may change the line.  Memory is one block and the
 * longest line; lines above a megabyte are no lines of ours, and are passed over.  A file that does not exist has no lines.
 * False: it cannot be read.  Blocks. */
bool refusals_read_backwards(const char *path, bool (*each)(void *data, char *line), void *data, GError **error);
