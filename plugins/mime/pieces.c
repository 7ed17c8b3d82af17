/* pieces.c - a part of any size without transfer encoding and character set, in memory that does
 * not grow with it. */
#include <string.h>

#include "plugins/mime/charset.h"
#include "plugins/mime/mime.h"
#include "plugins/mime/transfer.h"

enum {
	PIECE_SIZE = 2 << 20,
	PIECE_STEP = 64 * 1024, /* octets that are decoded at once */
	PIECE_MARK = 4,         /* octets that tell which set it is */
};

typedef struct {
	const char *charset;
	Charset set;
	bool is_open;       /* `set` is known */
	GByteArray *octets; /* decoded, not converted yet: less than a character */
	GString *text;      /* not shown yet; before it what the visitor wants to see again */
	size_t kept;        /* of these */
	MimePieceVisit *visit;
	void *data;
} Pieces;

static void
pieces_show(Pieces *pieces, bool is_last)
{
	const size_t size = pieces->text->len;
	const size_t wanted = pieces->visit(pieces->text->str, size, is_last, pieces->data);

	pieces->kept = MIN(wanted, size);
	(void)g_string_erase(pieces->text, 0, (gssize)(size - pieces->kept));
}

static void
pieces_convert(Pieces *pieces, bool is_last)
{
	const char *octets = (const char *)pieces->octets->data;
	const size_t size = pieces->octets->len;
	size_t taken;

	if (!pieces->is_open && (size == 0 || (size < PIECE_MARK && !is_last)))
		return;
	if (!pieces->is_open)
		charset_open(&pieces->set, octets, size, pieces->charset);
	pieces->is_open = true;
	taken = charset_add(&pieces->set, octets, size, is_last, pieces->text);
	if (taken > 0)
		g_byte_array_remove_range(pieces->octets, 0, (guint)taken);
}

static void
pieces_add(const char *octets, size_t size, void *data)
{
	Pieces *pieces = data;

	while (size > 0) {
		const size_t n = MIN(size, PIECE_STEP);

		g_byte_array_append(pieces->octets, (const guint8 *)octets, (guint)n);
		pieces_convert(pieces, false);
		if (pieces->text->len >= pieces->kept + MAX(PIECE_SIZE, pieces->kept))
			pieces_show(pieces, false);
		octets += n;
		size -= n;
	}
}

size_t
mime_octets_pieces(const MimePart *part, size_t most, MimeOctetsVisit *visit, void *data)
{
	g_autofree char *out = NULL;
	Transfer transfer;
	size_t taken = 1, size = 0, n;

	if (part->encoding == GMIME_CONTENT_ENCODING_UUENCODE)
		out = mime_decode(part, most, &size);
	if (out != NULL || part->encoding <= GMIME_CONTENT_ENCODING_BINARY) {
		size = out != NULL ? size : MIN(part->size, most);
		visit(out != NULL ? out : part->data, size, data);
		return size;
	}
	out = g_malloc(PIECE_STEP + TRANSFER_ROOM);
	transfer_begin(&transfer, part);
	for (size_t at = 0; at < part->size && size < most && taken > 0; at += taken) {
		n = transfer_decode(&transfer, part->data + at, MIN(part->size - at, PIECE_STEP), out, &taken);
		visit(out, MIN(n, most - size), data);
		size += MIN(n, most - size);
	}
	n = transfer_end(&transfer, out);
	n = MIN(n, most - size);
	visit(out, n, data);
	return size + n;
}

size_t
mime_text_pieces(const MimePart *part, size_t most, MimePieceVisit *visit, void *data)
{
	Pieces pieces = { .charset = part->charset,
		.octets = g_byte_array_new(),
		.text = g_string_new(NULL),
		.visit = visit,
		.data = data };
	const size_t size = mime_octets_pieces(part, most, pieces_add, &pieces);

	pieces_convert(&pieces, true);
	if (pieces.text->len > 0)
		pieces_show(&pieces, true);
	if (pieces.is_open)
		charset_close(&pieces.set);
	g_byte_array_unref(pieces.octets);
	g_string_free(pieces.text, TRUE);
	return size;
}
