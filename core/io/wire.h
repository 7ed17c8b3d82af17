/* wire.h - a connection to another server for straight-line code: waits: a reader until its deadline, a writer at most a second longer.
 *
 * Workers and delivery threads only, one thread at a time. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/ip.h"
#include "io/stream.h"
#include "io/tls.h"

typedef struct Wire Wire;

/* Connects until `deadline_us` (monotonic).  NULL on failure. */
Wire *wire_open(const IpAddress *address, uint16_t port, const IpAddress *from, int64_t deadline_us,
	GError **error);
/* The same to a Unix socket. */
Wire *wire_open_unix(const char *path, int64_t deadline_us, GError **error);
/* Takes a socket that is connected already. */
Wire *wire_adopt(int fd, int64_t deadline_us);
void wire_close(Wire *wire);
/* Every call from now on ends by then. */
void wire_set_deadline(Wire *wire, int64_t deadline_us);
/* What was read in clear and not yet taken is thrown away (RFC 3207 6).  POSTERN_ERROR_UNTRUSTED: under TLS_VERIFY the
 * certificate is not accepted. */
bool wire_start_tls(Wire *wire, const TlsClient *client, const char *name, TlsPolicy policy, GError **error);
bool wire_is_secured(const Wire *wire);

/* Gathers; sends when 64 KiB wait, and at wire_flush() and before a read.  After a failure all later ones fail, but the
 * last words of a server that takes no more can still be read. */
bool wire_write(Wire *wire, const void *data, size_t size, GError **error);
bool wire_flush(Wire *wire, GError **error);
/* A line without its CRLF or LF, NUL-terminated, valid until the next read; longer than `most`: an error. */
const char *wire_read_line(Wire *wire, size_t most, GError **error);
/* A line of which only the first `keep` octets are wanted: the rest of it is read and thrown away.  `left`: octets that may
 * be read yet, for this line and further ones; it is lowered.  False: it did not come to its end, as the connection
 * failed, time is over, or `left` is used up; `line` is what came of it. */
bool wire_read_cut(Wire *wire, size_t keep, size_t *left, const char **line, GError **error);
/* True if the peer is silent and still there: a connection kept for the next message. */
bool wire_is_alive(Wire *wire);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Wire, wire_close)
