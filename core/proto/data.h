/* data.h - the octets after DATA or BDAT: dots undone, end found, line ends judged (RFC 5321 4.5.2, RFC 3030).
 *
 * Only CRLF.CRLF ends the message.  Bare CR and bare LF are noticed (strict) or made CRLF (lenient:
 * LF ends a line, never the message; "LF.LF", "CRLF.LF" and the like stay content).  NULs are kept. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
	uint8_t state;      /* 0 at the start of a message: zero it */
	bool is_lenient;    /* what comes out has no bare CR or LF; CRs right before a CRLF are dropped */
	bool is_chunk;      /* BDAT: no dots, no end; only line ends are judged */
	bool has_bare;      /* a bare CR or LF was seen (strict mode): the message is to be refused, 550 5.5.2 */
} DataDecoder;

typedef enum { DATA_MORE, DATA_END } DataResult;

/* Hands the decoded octets to `sink` in runs as long as may be (CRLF line ends).  `used`: how much of the
 * input was taken; after DATA_END the rest is the next command.  Never ends with `is_chunk`. */
DataResult data_decode(DataDecoder *decoder, const char *input, size_t size, size_t *used,
	void (*sink)(void *data, const char *octets, size_t size), void *data);
/* After the last chunk: a CR that still waited for its LF was bare. */
void data_decode_finish(DataDecoder *decoder,
	void (*sink)(void *data, const char *octets, size_t size), void *data);

/* The other way: stuffs dots for sending; `state` 0 at the start, kept between calls.  Bare CRs and LFs
 * become CRLF, as what we send must not mean two things.  data_encode_end() gives what ends the message:
 * "\r\n.\r\n" or ".\r\n". */
void data_encode(uint8_t *state, const char *input, size_t size,
	void (*sink)(void *data, const char *octets, size_t size), void *data);
const char *data_encode_end(uint8_t state);
