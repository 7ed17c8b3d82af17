/* transfer.c - one pass to check the form, one to decode. */
#include "plugins/mime/transfer.h"

#include <string.h>

#include "plugins/mime/reading.h"

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
mime_transfer_is_usual(GMimeContentEncoding encoding, const char *data, size_t size)
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

static bool
is_base64(char c)
{
	return base64_kinds[(unsigned char)c] == 1;
}

/* ---- base64 of any form ---- */

static uint32_t
base64_value(char c)
{
	if (c >= 'a')
		return (uint32_t)(c - 'a') + 26;
	if (c >= 'A')
		return (uint32_t)(c - 'A');
	if (c >= '0')
		return (uint32_t)(c - '0') + 52;
	return c == '+' ? 62 : 63;
}

/* What a group that has fewer than four octets stands for, and begins a new one. */
static size_t
loose64_flush(Loose64 *loose, char *out)
{
	const size_t n = loose->n_octets > 1 ? loose->n_octets - 1 : 0;
	const uint32_t group = loose->group << 6 * (4 - loose->n_octets);

	for (size_t i = 0; i < n; i++)
		out[i] = (char)(group >> (16 - 8 * i));
	loose->group = loose->n_octets = loose->n_padding = 0;
	return n;
}

static size_t
loose64_pad(Loose64 *loose, unsigned reading, char *out)
{
	if ((reading & READING_IGNORES_PADDING) != 0 || loose->n_octets < 2)
		return 0;
	if ((reading & READING_GOES_ON) == 0) {
		if (loose->n_octets + ++loose->n_padding < 4)
			return 0;
		loose->is_over = true;
	}
	return loose64_flush(loose, out);
}

static size_t
loose64_decode(Loose64 *loose, unsigned reading, const char *data, size_t size, char *out, size_t *taken)
{
	size_t n = 0, i;

	for (i = 0; i < size && !loose->is_over; i++) {
		if (data[i] == '=')
			n += loose64_pad(loose, reading, out + n);
		if (!is_base64(data[i]))
			continue;
		loose->n_padding = 0;
		loose->group = loose->group << 6 | base64_value(data[i]);
		if (++loose->n_octets == 4)
			n += loose64_flush(loose, out + n);
	}
	*taken = i;
	return n;
}

/* ---- quoted-printable of any form ---- */

/* "=" and what is behind it: how many octets are taken; 0: more must be seen. */
static size_t
loose_quoted_sign(Transfer *transfer, const char *at, const char *end, char *out, size_t *n)
{
	if (end - at < 3)
		return 0;
	if (line_end_size(at + 1, end) > 0)
		return 1 + line_end_size(at + 1, end);
	if (g_ascii_isxdigit(at[1]) && g_ascii_isxdigit(at[2])) {
		out[(*n)++] = (char)(g_ascii_xdigit_value(at[1]) << 4 | g_ascii_xdigit_value(at[2]));
		return 3;
	}
	transfer->is_soft =
		(transfer->reading & READING_SOFT_BLANKS) != 0 && (at[1] == ' ' || at[1] == '\t' || at[1] == '\r');
	if (!transfer->is_soft)
		out[(*n)++] = '=';
	return 1;
}

static size_t
loose_quoted_decode(Transfer *transfer, const char *data, size_t size, char *out, size_t *taken)
{
	const char *at = data, *end = data + size;
	size_t n = 0, step = 1;

	for (; at < end && step > 0; at += step) {
		step = 1;
		if (transfer->is_soft) {
			transfer->is_soft = *at == ' ' || *at == '\t' || *at == '\r';
			if (transfer->is_soft || *at == '\n')
				continue;
			out[n++] = '='; /* it was none */
		}
		if (*at == '=')
			step = loose_quoted_sign(transfer, at, end, out, &n);
		else
			out[n++] = *at;
	}
	*taken = (size_t)(at - data);
	return n;
}

/* ---- one for all ---- */

/* Octets of the alphabet behind padding. */
static bool
base64_goes_on(const char *data, size_t size)
{
	const char *padding = memchr(data, '=', size);

	for (const char *at = padding; at != NULL && at < data + size; at++)
		if (is_base64(*at))
			return true;
	return false;
}

/* "= " and a line end. */
static bool
quoted_has_soft_blanks(const char *data, size_t size)
{
	const char *end = data + size;

	for (const char *at = data; (at = memchr(at, '=', (size_t)(end - at))) != NULL; at++) {
		const char *behind = at + 1;

		while (behind < end && (*behind == ' ' || *behind == '\t' || *behind == '\r'))
			behind++;
		if (behind > at + 1 && behind < end && *behind == '\n' && line_end_size(at + 1, end) == 0)
			return true;
		at = behind - 1;
	}
	return false;
}

unsigned
mime_transfer_doubts(GMimeContentEncoding encoding, const char *data, size_t size)
{
	if (encoding == GMIME_CONTENT_ENCODING_BASE64 && !base64_is_usual(data, size))
		return READING_RAW | (base64_goes_on(data, size) ? READING_OF_PADDING : 0);
	if (encoding == GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE && quoted_has_soft_blanks(data, size))
		return READING_SOFT_BLANKS;
	return 0;
}

void
mime_transfer_begin(Transfer *transfer, const MimePart *part)
{
	*transfer = (Transfer){ .encoding = part->encoding, .means = part->means, .reading = part->reading };
	if ((part->reading & READING_BY_LIBRARY) != 0)
		g_mime_encoding_init_decode(&transfer->library, part->encoding);
}

size_t
mime_transfer_decode(Transfer *transfer, const char *data, size_t size, char *out, size_t *taken)
{
	const bool is_loose = transfer->means == MIME_LIBRARY;

	*taken = size;
	if ((transfer->reading & READING_BY_LIBRARY) != 0)
		return g_mime_encoding_step(&transfer->library, data, size, out);
	switch (transfer->encoding) {
	case GMIME_CONTENT_ENCODING_BASE64:
		return is_loose ? loose64_decode(&transfer->loose, transfer->reading, data, size, out, taken)
						: g_base64_decode_step(data, size, (guchar *)out, &transfer->state, &transfer->save);
	case GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE:
		return is_loose ? loose_quoted_decode(transfer, data, size, out, taken)
						: quoted_decode(data, size, out, taken);
	default:
		memcpy(out, data, size);
		return size;
	}
}

size_t
mime_transfer_end(Transfer *transfer, char *out)
{
	return loose64_flush(&transfer->loose, out);
}
