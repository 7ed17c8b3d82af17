/* transfer.h - transfer encodings in their usual form, in the daemon: base64 by GLib, quoted-printable here; of decode, mime and
 * pieces alone.  What is not in the usual form is left to GMime, in a parser. */
#pragma once

#include <gmime/gmime.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct {
	GMimeContentEncoding encoding;
	int state; /* of base64 */
	guint save;
} Transfer;

/* True: none; or base64 of its alphabet, line ends and padding at the end; or quoted-printable in which each "=" has two digits or
 * a line end behind it. */
bool transfer_is_usual(GMimeContentEncoding encoding, const char *data, size_t size);
/* Decodes what is in its usual form; returns how many octets were written, at most as many as were taken, and how many were
 * taken: fewer at the end of a piece that is not the last. */
size_t transfer_decode(Transfer *transfer, const char *data, size_t size, char *out, size_t *taken);
