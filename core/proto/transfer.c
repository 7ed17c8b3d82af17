/* transfer.c - quoted-printable and base64, piece by piece. */
#include "proto/transfer.h"

#include <string.h>

enum { TRANSFER_LINE = 76 };

static const char transfer_hex[] = "0123456789ABCDEF";
static const char transfer_base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void
transfer_put(Transfer *transfer, const char *octets, size_t size)
{
	transfer->sink(transfer->data, octets, size);
	transfer->column += (unsigned)size;
}

static void
transfer_put_line_end(Transfer *transfer)
{
	transfer->sink(transfer->data, "\r\n", 2);
	transfer->column = 0;
}

/* ---- quoted-printable ---- */

/* The "=" of a soft line break has room behind it. */
static void
transfer_make_room(Transfer *transfer, unsigned size)
{
	if (transfer->column + size < TRANSFER_LINE)
		return;
	transfer_put(transfer, "=", 1);
	transfer_put_line_end(transfer);
}

static void
transfer_put_quoted(Transfer *transfer, char c)
{
	const char quoted[] = { '=', transfer_hex[(unsigned char)c >> 4], transfer_hex[c & 15] };

	transfer_make_room(transfer, sizeof quoted);
	transfer_put(transfer, quoted, sizeof quoted);
}

/* A "-" behind a soft line break would stand at the start of a line, where it may begin a delimiter (RFC 2046 5.1.1). */
static void
transfer_put_plain(Transfer *transfer, char c)
{
	if (c == '-' && transfer->column + 1 >= TRANSFER_LINE) {
		transfer_put_quoted(transfer, c);
		return;
	}
	transfer_make_room(transfer, 1);
	transfer_put(transfer, &c, 1);
}

static void
transfer_qp(Transfer *transfer, char c)
{
	if (transfer->blank != '\0')
		transfer_put_plain(transfer, transfer->blank);
	transfer->blank = '\0';
	if (c == ' ' || c == '\t')
		transfer->blank = c;
	else if (c > ' ' && c <= '~' && c != '=')
		transfer_put_plain(transfer, c);
	else
		transfer_put_quoted(transfer, c);
}

/* What is encoded stays as it is; "=" and what belongs to it are not parted. */
static void
transfer_mend_qp(Transfer *transfer, char c)
{
	if (transfer->token > 0 && (unsigned char)c < 0x80) {
		transfer->token--;
		transfer_put(transfer, &c, 1);
		return;
	}
	transfer->token = c == '=' ? 2 : 0;
	if ((unsigned char)c >= 0x80) {
		transfer_put_quoted(transfer, c);
	} else if (c == '=') {
		transfer_make_room(transfer, 3);
		transfer_put(transfer, &c, 1);
	} else {
		transfer_put_plain(transfer, c);
	}
}

/* ---- base64 ---- */

static void
transfer_put_group(Transfer *transfer)
{
	const uint8_t *in = transfer->group;
	const char out[] = { transfer_base64[in[0] >> 2], transfer_base64[(in[0] & 3) << 4 | in[1] >> 4],
		transfer->n_group > 1 ? transfer_base64[(in[1] & 15) << 2 | in[2] >> 6] : '=',
		transfer->n_group > 2 ? transfer_base64[in[2] & 63] : '=' };

	transfer_put(transfer, out, sizeof out);
	if (transfer->column >= TRANSFER_LINE)
		transfer_put_line_end(transfer);
	memset(transfer->group, 0, sizeof transfer->group);
	transfer->n_group = 0;
}

static void
transfer_octet(Transfer *transfer, char c)
{
	transfer->group[transfer->n_group++] = (uint8_t)c;
	if (transfer->n_group == sizeof transfer->group)
		transfer_put_group(transfer);
}

static void
transfer_pay_line_end(Transfer *transfer)
{
	if (!transfer->owes_line_end)
		return;
	transfer->owes_line_end = false;
	transfer_octet(transfer, '\r');
	transfer_octet(transfer, '\n');
}

static void
transfer_mend_base64(Transfer *transfer, char c)
{
	if (c == '\0' || (c != '=' && strchr(transfer_base64, c) == NULL))
		return;
	transfer_put(transfer, &c, 1);
	if (transfer->column >= TRANSFER_LINE)
		transfer_put_line_end(transfer);
}

/* ---- a body ---- */

void
transfer_text(Transfer *transfer, const char *text, size_t size)
{
	if (transfer->kind == TRANSFER_NONE) {
		transfer->sink(transfer->data, text, size);
		return;
	}
	if (transfer->kind == TRANSFER_BASE64)
		transfer_pay_line_end(transfer);
	for (size_t i = 0; i < size; i++) {
		if (transfer->kind == TRANSFER_QP)
			transfer_qp(transfer, text[i]);
		else if (transfer->kind == TRANSFER_MEND_QP)
			transfer_mend_qp(transfer, text[i]);
		else if (transfer->kind == TRANSFER_BASE64)
			transfer_octet(transfer, text[i]);
		else
			transfer_mend_base64(transfer, text[i]);
	}
}

void
transfer_line_end(Transfer *transfer)
{
	if (transfer->kind == TRANSFER_BASE64) {
		transfer_pay_line_end(transfer);
		transfer->owes_line_end = true;
		return;
	}
	if (transfer->blank != '\0')
		transfer_put_quoted(transfer, transfer->blank);
	transfer->blank = '\0';
	transfer->token = 0;
	if (transfer->kind != TRANSFER_MEND_BASE64 || transfer->column > 0)
		transfer_put_line_end(transfer);
}

void
transfer_end(Transfer *transfer, bool is_at_delimiter)
{
	if (transfer->blank != '\0')
		transfer_put_quoted(transfer, transfer->blank);
	transfer->blank = '\0';
	if (transfer->kind != TRANSFER_BASE64)
		return;
	if (!is_at_delimiter)
		transfer_pay_line_end(transfer);
	if (transfer->n_group > 0)
		transfer_put_group(transfer);
	if (transfer->column > 0)
		transfer_put_line_end(transfer);
}
