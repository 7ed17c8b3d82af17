/* stream.h - octets to and from a peer, in clear or over TLS, never waiting. */
#pragma once

#include <openssl/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* A plain value inside the connection it serves; one thread at a time. */
typedef struct {
	int fd;
	SSL *tls; /* NULL: in clear */
	bool is_secured; /* the handshake is done */
} Stream;

enum { STREAM_END = 0, STREAM_AGAIN = -1, STREAM_WANTS_WRITE = -2, STREAM_FAILED = -3 };

/* > 0: octets; else one of the above.  WANTS_WRITE: TLS has to send before it can go on. */
ssize_t stream_read(Stream *stream, void *data, size_t size);
ssize_t stream_write(Stream *stream, const void *data, size_t size);
/* 1 when done, else AGAIN, WANTS_WRITE or FAILED.  `stream->tls` was set by the caller. */
int stream_handshake(Stream *stream);
/* Says good-bye in TLS without waiting, frees, closes. */
void stream_close(Stream *stream);
