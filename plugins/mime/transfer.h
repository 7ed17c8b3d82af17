/* transfer.h - transfer encodings, piece by piece: in the daemon base64 by GLib and quoted-printable by code of our own, if all of
 * it has the usual form; in a parser whatever comes, as the part's reading takes it (reading.h).  For decode.c, mime.c and
 * pieces.c. */
#pragma once

#include <gmime/gmime.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "plugins/mime/mime.h"

enum { TRANSFER_ROOM = 3 }; /* octets that one step may write beyond those that it took */

/* base64 of any form. */
typedef struct {
	uint32_t group;
	unsigned n_octets, n_padding; /* of the group: of its alphabet, and "=" */
	bool is_over;
} Loose64;

typedef struct {
	MimeMeans means;
	unsigned reading;
	GMimeContentEncoding encoding;
	GMimeEncoding library; /* READING_BY_LIBRARY */
	int state;             /* of base64 by GLib */
	guint save;
	Loose64 loose;
	bool is_soft; /* quoted-printable: within the blanks of a soft line break */
} Transfer;

/* True: none; or base64 of its alphabet, line ends and padding at the end; or quoted-printable in which each "=" has two digits or
 * a line end behind it. */
bool mime_transfer_is_usual(GMimeContentEncoding encoding, const char *data, size_t size);
/* What readers may take in different ways (reading.h). */
unsigned mime_transfer_doubts(GMimeContentEncoding encoding, const char *data, size_t size);
/* Of a part in any encoding but uuencode. */
void mime_transfer_begin(Transfer *transfer, const MimePart *part);
/* Decodes the next `size` octets into `out`, which has room for `size` + TRANSFER_ROOM.  Returns how many were written, and sets
 * how many were taken: some at the end may be left for the next step, which must begin with them.  0 taken: it is the end. */
size_t mime_transfer_decode(Transfer *transfer, const char *data, size_t size, char *out, size_t *taken);
/* What the end without padding leaves over, TRANSFER_ROOM octets at most; how many were written. */
size_t mime_transfer_end(Transfer *transfer, char *out);
