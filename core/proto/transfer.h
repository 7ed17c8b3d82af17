/* transfer.h - quoted-printable and base64, piece by piece, and mending of both (RFC 2045 6.7, 6.8).  Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum {
	TRANSFER_NONE,
	TRANSFER_QP,
	TRANSFER_BASE64,
	TRANSFER_MEND_QP,     /* it is quoted-printable, but has octets above 127 or long lines */
	TRANSFER_MEND_BASE64, /* the same of base64: other octets mean nothing there            */
} TransferKind;

typedef void TransferSink(void *data, const char *octets, size_t size);

/* Zero it but for the first three; one for each body. */
typedef struct {
	TransferKind kind;
	TransferSink *sink;
	void *data;
	unsigned column;
	char blank;         /* quoted-printable: one that may be the last of its line; 0: none */
	bool owes_line_end; /* base64: of the line before; not encoded if a delimiter follows */
	uint8_t group[3];
	unsigned n_group;
	unsigned token; /* mending: octets of a "=XX" that are still to come */
} Transfer;

/* A piece of a line, without its end. */
void transfer_text(Transfer *transfer, const char *text, size_t size);
/* The line ended. */
void transfer_line_end(Transfer *transfer);
/* The body ended; `is_at_delimiter`: the line end before belongs to the delimiter that follows (RFC 2046 5.1.1). */
void transfer_end(Transfer *transfer, bool is_at_delimiter);
