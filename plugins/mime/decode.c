/* decode.c - what a part's octets are without transfer encoding. */
#include "plugins/mime/mime.h"

#include <string.h>

#include "plugins/mime/charset.h"
#include "plugins/mime/transfer.h"

/* Never ended: it lasts as long as its process. */
void
mime_start(void)
{
	g_mime_init();
	charsets_open();
}

/* GMime's own loses all but the first octets of a line (3.2.13).  Lines before "begin" do not count. */
static size_t
uudecode(const char *text, size_t size, char *out)
{
	const char *end = text + size;
	bool has_begun = false;
	size_t n = 0;

	for (const char *line = text, *stop; line < end; line = stop + 1) {
		const size_t octets = (size_t)((*line - ' ') & 63);

		stop = memchr(line, '\n', (size_t)(end - line));
		stop = stop != NULL ? stop : end;
		if (!has_begun || octets == 0) {
			has_begun = !has_begun && stop - line > 6 && memcmp(line, "begin ", 6) == 0;
			continue;
		}
		for (size_t i = 0; i < octets; i++) {
			const size_t at = 1 + i / 3 * 4 + i % 3, left = (size_t)(stop - line);
			const unsigned high = at < left ? (unsigned)(line[at] - ' ') & 63 : 0;
			const unsigned low = at + 1 < left ? (unsigned)(line[at + 1] - ' ') & 63 : 0;

			if (at >= left)
				break;
			out[n++] = (char)(high << (2 * (i % 3 + 1)) | low >> (4 - 2 * (i % 3)));
		}
	}
	return n;
}

/* Line ends make more than the four octets of base64, and a digit of quoted-printable more than the three. */
static char *
decode_usual(const MimePart *part, size_t most, size_t *size)
{
	Transfer transfer = { .encoding = part->encoding };
	const size_t asked = most < G_MAXSIZE / 8 ? MIN(part->size, most * 4 + 1024) : part->size;
	char *out = g_malloc(asked + 1);
	size_t taken;

	*size = transfer_decode(&transfer, part->data, asked, out, &taken);
	*size = MIN(*size, most);
	out[*size] = '\0';
	return out;
}

char *
mime_decode(const MimePart *part, size_t most, size_t *size)
{
	GMimeEncoding state;
	size_t taken = part->size;
	char *out;

	if (part->encoding <= GMIME_CONTENT_ENCODING_BINARY) {
		*size = MIN(part->size, most);
		out = g_malloc(*size + 1);
		memcpy(out, part->data, *size);
		out[*size] = '\0';
		return out;
	}
	if (part->means == MIME_PLAIN)
		return decode_usual(part, most, size);
	if (most < G_MAXSIZE / 4) /* no encoding makes it less than a quarter, but for line ends that were doubled */
		taken = MIN(taken, most * 4 + 1024);
	g_mime_encoding_init_decode(&state, part->encoding);
	out = g_malloc(MAX(g_mime_encoding_outlen(&state, taken), taken) + 1);
	*size = part->encoding == GMIME_CONTENT_ENCODING_UUENCODE
				? uudecode(part->data, taken, out)
				: g_mime_encoding_flush(&state, part->data, taken, out);
	*size = MIN(*size, most);
	out[*size] = '\0';
	return out;
}
