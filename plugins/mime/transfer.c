/* transfer.c - one pass to check the form, one to decode. */
#include "plugins/mime/transfer.h"

#include <stdint.h>
#include <string.h>

/* ---- the usual form ---- */

/* 1: an octet of the alphabet; 2: of a line end. */
static const uint8_t base64_kinds[256] = {
	['A' ... 'Z'] = 1, ['a' ... 'z'] = 1, ['0' ... '9'] = 1, ['+'] = 1, ['/'] = 1, ['\r'] = 2, ['\n'] = 2
};

static bool
base64_is_usual(const char *data, size_t size)
{
	size_t n = 0, padding = 0;
	bool is_known = true;

	for (; size > 0 && padding <= 2 && base64_kinds[(unsigned char)data[size - 1]] != 1; size--)
		if (data[size - 1] == '=')
			padding++;
		else if (base64_kinds[(unsigned char)data[size - 1]] == 0)
			return false;
	for (size_t i = 0; i < size; i++) { /* no branch: this is most of what a message is */
		const uint8_t kind = base64_kinds[(unsigned char)data[i]];

		is_known &= kind != 0;
		n += kind & 1;
	}
	return is_known && padding <= 2 && (n + padding) % 4 == 0;
}

/* The line end behind `at`: its size, or 0. */
static size_t
line_end_size(const char *at, const char *end)
{
	if (at < end && *at == '\n')
		return 1;
	return end - at >= 2 && memcmp(at, "\r\n", 2) == 0 ? 2 : 0;
}

static bool
quoted_is_usual(const char *data, size_t size)
{
	const char *end = data + size;

	for (const char *at = data; (at = memchr(at, '=', (size_t)(end - at))) != NULL; at++)
		if (line_end_size(at + 1, end) == 0 &&
			(end - at < 3 || !g_ascii_isxdigit(at[1]) || !g_ascii_isxdigit(at[2])))
			return false;
	return true;
}

bool
transfer_is_usual(GMimeContentEncoding encoding, const char *data, size_t size)
{
	switch (encoding) {
	case GMIME_CONTENT_ENCODING_BASE64:
		return base64_is_usual(data, size);
	case GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE:
		return quoted_is_usual(data, size);
	default:
		return encoding <= GMIME_CONTENT_ENCODING_BINARY;
	}
}

/* ---- decoding ---- */

static size_t
quoted_decode(const char *data, size_t size, char *out, size_t *taken)
{
	const char *at = data, *end = data + size;
	size_t n = 0;

	while (at < end) {
		const char *sign = memchr(at, '=', (size_t)(end - at));
		const size_t plain = (size_t)((sign != NULL ? sign : end) - at);

		memcpy(out + n, at, plain);
		n += plain;
		at += plain;
		if (sign == NULL || end - at < 3) /* "=\n" at the very end leaves nothing to write */
			break;
		if (line_end_size(at + 1, end) > 0) {
			at += 1 + line_end_size(at + 1, end);
			continue;
		}
		out[n++] = (char)(g_ascii_xdigit_value(at[1]) << 4 | g_ascii_xdigit_value(at[2]));
		at += 3;
	}
	*taken = (size_t)(at - data);
	return n;
}

void
transfer_begin(Transfer *transfer, GMimeContentEncoding encoding, MimeMeans means)
{
	*transfer = (Transfer){ .encoding = encoding, .means = means };
	if (means == MIME_LIBRARY)
		g_mime_encoding_init_decode(&transfer->library, encoding);
}

size_t
transfer_decode(Transfer *transfer, const char *data, size_t size, char *out, size_t *taken)
{
	*taken = size;
	if (transfer->means == MIME_LIBRARY)
		return g_mime_encoding_step(&transfer->library, data, size, out);
	switch (transfer->encoding) {
	case GMIME_CONTENT_ENCODING_BASE64:
		return g_base64_decode_step(data, size, (guchar *)out, &transfer->state, &transfer->save);
	case GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE:
		return quoted_decode(data, size, out, taken);
	default:
		memcpy(out, data, size);
		return size;
	}
}
