/* content.h - the octets of one message while they arrive: in memory, or, when large, in a file.
 *
 * Belongs to one session; one thread at a time.  Appending beyond the threshold needs content_flush(),
 * which writes and may wait: never on a loop. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct Spool Spool;
typedef struct Content Content;

Content *content_new(Spool *spool);
void content_free(Content *content); /* removes its file unless it was committed */
/* Takes a copy.  Never waits; memory grows until content_flush(). */
void content_append(Content *content, const void *data, size_t size);
/* More than 256 KiB (setting) wait in memory, or all sessions together hold too much: flush before going on. */
bool content_wants_flush(const Content *content);
bool content_flush(Content *content, GError **error);
/* It has a file: content_finish() must be called, on a worker, before it is committed. */
bool content_has_file(const Content *content);
/* Writes the rest, syncs file and directory. */
bool content_finish(Content *content, GError **error);
uint64_t content_size(const Content *content);
/* The whole, contiguous and read-only, behind which a NUL may stand; lives until the next call of content_append(),
 * content_data() or content_head().  What is in a file is read into memory, accounted with the content of all sessions
 * ([spool] memory), and may wait for the disk: on a worker only.  NULL, and logged: the disk cannot read it, or that
 * memory is used up. */
const char *content_data(Content *content, size_t *size);
/* The same, but only the first octets: at least the header section and the line behind it. */
const char *content_head(Content *content, size_t *size);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Content, content_free)
