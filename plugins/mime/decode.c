/* decode.c - what a part's octets are without transfer encoding. */
#include "plugins/mime/mime.h"

#include <string.h>

#include "plugins/mime/charset.h"
#include "plugins/mime/transfer.h"

enum { DECODE_STEP = 4096, DECODE_STEP_LEAST = 64 };

void
mime_start_plain(void)
{
	charset_tables_make();
}

/* Never ended: it lasts as long as its process. */
void
mime_start(void)
{
	mime_start_plain();
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

/* What is between the octets (line ends, soft line ends, what is no base64) may be of any size: it ends when there are enough. */
static char *
decode_by_steps(const MimePart *part, size_t most, size_t *size)
{
	char octets[DECODE_STEP + TRANSFER_ROOM];
	size_t step = CLAMP(MIN(most, DECODE_STEP) * 2, DECODE_STEP_LEAST, DECODE_STEP);
	GString *out = g_string_new(NULL);
	Transfer transfer;
	size_t taken = 1, left;

	mime_transfer_begin(&transfer, part);
	for (size_t at = 0; at < part->size && out->len < most && taken > 0; at += taken) {
		const size_t n =
			mime_transfer_decode(&transfer, part->data + at, MIN(part->size - at, step), octets, &taken);

		g_string_append_len(out, octets, (gssize)MIN(n, most - out->len));
		step = MIN(step * 2, DECODE_STEP);
	}
	left = mime_transfer_end(&transfer, octets);
	g_string_append_len(out, octets, (gssize)MIN(left, most - out->len));
	*size = out->len;
	return g_string_free(out, FALSE);
}

static char *
decode_uuencoded(const MimePart *part, size_t most, size_t *size)
{
	char *out = g_malloc(part->size + 1);

	*size = MIN(uudecode(part->data, part->size, out), most);
	out[*size] = '\0';
	return out;
}

char *
mime_decode(const MimePart *part, size_t most, size_t *size)
{
	char *out;

	if (part->encoding == GMIME_CONTENT_ENCODING_UUENCODE)
		return decode_uuencoded(part, most, size);
	if (part->encoding > GMIME_CONTENT_ENCODING_BINARY)
		return decode_by_steps(part, most, size);
	*size = MIN(part->size, most);
	out = g_malloc(*size + 1);
	memcpy(out, part->data, *size);
	out[*size] = '\0';
	return out;
}
