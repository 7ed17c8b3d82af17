/* pieces.c - a part of any size without its transfer encoding, in memory that does not grow with it. */
#include <string.h>

#include "plugins/mime/mime.h"

enum {
	PIECE_SIZE = 2 << 20,   /* multiples of 4, so that no character of two or four octets is parted */
	PIECE_OVERLAP = 8192,   /* the longest link that is looked at, twice */
	PIECE_STEP = 64 * 1024, /* octets that are decoded at once */
};

typedef struct {
	GByteArray *octets; /* decoded, not shown yet; before them what the pieces have in common */
	size_t left;        /* that may still be decoded */
	MimePieceVisit *visit;
	void *data;
} Pieces;

static void
pieces_show(Pieces *pieces, size_t size, bool is_last)
{
	char *text = g_malloc(size + 1);

	memcpy(text, pieces->octets->data, size);
	text[size] = '\0';
	pieces->visit(text, size, is_last, pieces->data);
}

static void
pieces_add(Pieces *pieces, const char *octets, size_t size)
{
	size = MIN(size, pieces->left);
	pieces->left -= size;
	g_byte_array_append(pieces->octets, (const guint8 *)octets, (guint)size);
	while (pieces->octets->len > PIECE_SIZE) {
		pieces_show(pieces, PIECE_SIZE, false);
		g_byte_array_remove_range(pieces->octets, 0, PIECE_SIZE - PIECE_OVERLAP);
	}
}

static void
pieces_decode(Pieces *pieces, const MimePart *part)
{
	GMimeEncoding state;
	g_autofree char *out = NULL;

	g_mime_encoding_init_decode(&state, part->encoding);
	out = g_malloc(MAX(g_mime_encoding_outlen(&state, PIECE_STEP), PIECE_STEP) + 1);
	for (size_t at = 0; at < part->size && pieces->left > 0; at += PIECE_STEP) {
		const size_t n = MIN(part->size - at, PIECE_STEP);
		const bool is_last = at + n == part->size;

		pieces_add(pieces, out,
			is_last ? g_mime_encoding_flush(&state, part->data + at, n, out)
					: g_mime_encoding_step(&state, part->data + at, n, out));
	}
}

size_t
mime_decode_pieces(const MimePart *part, size_t most, MimePieceVisit *visit, void *data)
{
	Pieces pieces = { .octets = g_byte_array_new(), .left = most, .visit = visit, .data = data };
	size_t size;

	if (part->encoding == GMIME_CONTENT_ENCODING_UUENCODE) {
		g_autofree char *text = mime_decode(part, most, &size);

		pieces_add(&pieces, text, size);
	} else if (part->encoding <= GMIME_CONTENT_ENCODING_BINARY) {
		for (size_t at = 0; at < part->size && pieces.left > 0; at += PIECE_STEP)
			pieces_add(&pieces, part->data + at, MIN(part->size - at, PIECE_STEP));
	} else {
		pieces_decode(&pieces, part);
	}
	if (pieces.octets->len > 0)
		pieces_show(&pieces, pieces.octets->len, true);
	g_byte_array_unref(pieces.octets);
	return most - pieces.left;
}
