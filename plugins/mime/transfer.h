/* transfer.h - transfer encodings, piece by piece: in the daemon base64 by GLib and quoted-printable by code of our own, if all of
 * it has the usual form; in a parser by GMime.  For decode.c, mime.c and pieces.c. */
#pragma once

#include <gmime/gmime.h>
#include <stdbool.h>
#include <stddef.h>

#include "plugins/mime/mime.h"

enum { TRANSFER_ROOM = 3 }; /* octets that one step may write beyond those that it took */

typedef struct {
	MimeMeans means;
	GMimeEncoding library; /* MIME_LIBRARY */
	int state;             /* of base64 by GLib */
	guint save;
	GMimeContentEncoding encoding;
} Transfer;

/* True: none; or base64 of its alphabet, line ends and padding at the end; or quoted-printable in which each "=" has two digits or
 * a line end behind it. */
bool transfer_is_usual(GMimeContentEncoding encoding, const char *data, size_t size);
/* `encoding`: all but uuencode. */
void transfer_begin(Transfer *transfer, GMimeContentEncoding encoding, MimeMeans means);
/* Decodes the next `size` octets into `out`, which has room for `size` + TRANSFER_ROOM.  Returns how many were written, and sets
 * how many were taken: some at the end may be left for the next step, which must begin with them.  0 taken: it is the end. */
size_t transfer_decode(Transfer *transfer, const char *data, size_t size, char *out, size_t *taken);
