/* wire.c - a connection to another server for straight-line code. */
#include "io/wire.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>
#include <sys/time.h>

#include "base/clock.h"
#include "base/error.h"
#include "io/socket.h"

enum { WIRE_GATHERS = 64 * 1024, WIRE_READ = 4096 };

struct Wire {
	Stream stream;
	int64_t deadline_us;
	GByteArray *out;
	GByteArray *in;
	size_t in_taken; /* of `in` */
	int64_t slice_us;
	bool takes_no_more;
};

/* Straight-line code waits in the kernel, in slices, so that it notices its deadline: one call per reply where
 * asking first, waiting and reading would be three. */
static void
wire_let_wait(int fd)
{
	const struct timeval slice = { .tv_sec = 1 };

	(void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &slice, sizeof slice);
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &slice, sizeof slice);
}

/* Whoever reads from a silent server learns of the deadline in time to answer for it: the last slice is shorter. */
static void
wire_trim_slice(Wire *wire)
{
	const int64_t left_us = wire->deadline_us - g_get_monotonic_time();
	const int64_t slice_us = CLAMP(left_us, CLOCK_SECOND / 1000, CLOCK_SECOND);
	const struct timeval slice = { .tv_sec = slice_us / CLOCK_SECOND, .tv_usec = slice_us % CLOCK_SECOND };

	if (slice_us != wire->slice_us)
		(void)setsockopt(wire->stream.fd, SOL_SOCKET, SO_RCVTIMEO, &slice, sizeof slice);
	wire->slice_us = slice_us;
}

static Wire *
wire_new(int fd, int64_t deadline_us)
{
	Wire *wire = g_new0(Wire, 1);

	wire_let_wait(fd);
	wire->slice_us = CLOCK_SECOND;
	wire->stream.fd = fd;
	wire->deadline_us = deadline_us;
	wire->out = g_byte_array_sized_new(WIRE_READ); /* a login fits: it leaves no copy by growing */
	wire->in = g_byte_array_new();
	return wire;
}

Wire *
wire_open(const IpAddress *address, uint16_t port, const IpAddress *from, int64_t deadline_us, GError **error)
{
	const int64_t left_us = MAX(deadline_us - g_get_monotonic_time(), 0);
	const int fd = socket_connect(address, port, from, left_us, error);

	return fd < 0 ? NULL : wire_new(fd, deadline_us);
}

Wire *
wire_open_unix(const char *path, int64_t deadline_us, GError **error)
{
	const int fd = socket_connect_unix(path, MAX(deadline_us - g_get_monotonic_time(), 0), error);

	return fd < 0 ? NULL : wire_new(fd, deadline_us);
}

Wire *
wire_adopt(int fd, int64_t deadline_us)
{
	return wire_new(fd, deadline_us);
}

void
wire_close(Wire *wire)
{
	if (wire == NULL)
		return;
	stream_close(&wire->stream);
	g_byte_array_unref(wire->out);
	g_byte_array_unref(wire->in);
	g_free(wire);
}

void
wire_set_deadline(Wire *wire, int64_t deadline_us)
{
	wire->deadline_us = deadline_us;
}

static bool
wire_has_time(const Wire *wire, GError **error)
{
	return g_get_monotonic_time() < wire->deadline_us || error_set(error, POSTERN_ERROR_UNAVAILABLE, "timed out");
}

/* After a slice without octets, or under TLS after any that was not enough: is there time for another?  A writer is
 * asked only when the peer took nothing for a whole slice: long content may take longer than one deadline. */
static bool
wire_wait(Wire *wire, ssize_t result, GError **error)
{
	const int64_t left_us = MAX(wire->deadline_us - g_get_monotonic_time(), 0);
	const bool is_write = result == STREAM_WANTS_WRITE;

	if (result == STREAM_END)
		return error_set(error, POSTERN_ERROR_UNAVAILABLE, "the server closed the connection");
	if (result == STREAM_FAILED && wire->stream.tls != NULL && ERR_peek_last_error() != 0)
		return error_set(error, POSTERN_ERROR_UNAVAILABLE, "the connection was lost: TLS: %s", tls_failure());
	if (result == STREAM_FAILED)
		return error_set(error, POSTERN_ERROR_UNAVAILABLE, "the connection was lost");
	if (wire->stream.tls != NULL && socket_wait(wire->stream.fd, is_write, MIN(left_us, CLOCK_SECOND)) && is_write)
		return true;
	return wire_has_time(wire, error);
}

/* OpenSSL's reason of the handshake is "certificate verify failed" whatever is wrong with it. */
static bool
wire_fail_tls(const Wire *wire, TlsPolicy policy, GError **error)
{
	const long result = SSL_get_verify_result(wire->stream.tls);

	if (policy == TLS_VERIFY && result != X509_V_OK)
		return error_set(error, POSTERN_ERROR_UNTRUSTED, "TLS: certificate verify failed: %s",
			X509_verify_cert_error_string(result));
	return error_set(error, POSTERN_ERROR_UNAVAILABLE, "TLS: %s", tls_failure());
}

bool
wire_start_tls(Wire *wire, const TlsClient *client, const char *name, TlsPolicy policy, GError **error)
{
	int result;

	g_byte_array_set_size(wire->in, 0);
	wire->in_taken = 0;
	/* OpenSSL waits for whole records: in the kernel it would wait for a peer that drips them, for hours */
	(void)fcntl(wire->stream.fd, F_SETFL, fcntl(wire->stream.fd, F_GETFL) | O_NONBLOCK);
	wire->stream.tls = tls_client_session(client, wire->stream.fd, name, policy);
	while ((result = stream_handshake(&wire->stream)) != 1) {
		if (result == STREAM_FAILED)
			return wire_fail_tls(wire, policy, error);
		if (!wire_wait(wire, result, error))
			return false;
	}
	return true;
}

bool
wire_is_secured(const Wire *wire)
{
	return wire->stream.is_secured;
}

/* What is left could only stand in the midst of something. */
static bool
wire_give_up(Wire *wire)
{
	wire->takes_no_more = true;
	if (wire->out->len > 0)
		explicit_bzero(wire->out->data, wire->out->len);
	g_byte_array_set_size(wire->out, 0);
	return false;
}

bool
wire_flush(Wire *wire, GError **error)
{
	size_t sent = 0;

	while (sent < wire->out->len) {
		const ssize_t n = stream_write(&wire->stream, wire->out->data + sent, wire->out->len - sent);

		if (n > 0)
			sent += (size_t)n;
		else if (!wire_wait(wire, n == STREAM_END ? STREAM_FAILED : n, error))
			return wire_give_up(wire);
	}
	if (wire->out->len > 0)
		explicit_bzero(wire->out->data, wire->out->len); /* AUTH goes out here, too */
	g_byte_array_set_size(wire->out, 0);
	return true;
}

bool
wire_write(Wire *wire, const void *data, size_t size, GError **error)
{
	const uint8_t *octets = data;

	if (wire->takes_no_more)
		return error_set(error, POSTERN_ERROR_UNAVAILABLE, "the connection was lost");
	while (size > 0) { /* in steps: a large message is not held here as a whole */
		const size_t step = MIN(size, WIRE_GATHERS);

		g_byte_array_append(wire->out, octets, (guint)step);
		octets += step;
		size -= step;
		if (wire->out->len >= WIRE_GATHERS && !wire_flush(wire, error))
			return false;
	}
	return true;
}

static bool
wire_fill(Wire *wire, GError **error)
{
	const guint length = wire->in->len;

	if (wire->out->len > 0 && !wire_flush(wire, error))
		return false;
	if (!wire_has_time(wire, error)) /* a peer that drips is never silent for a whole slice */
		return false;
	g_byte_array_set_size(wire->in, length + WIRE_READ);
	for (;;) {
		ssize_t n;

		wire_trim_slice(wire);
		n = stream_read(&wire->stream, wire->in->data + length, WIRE_READ);

		g_byte_array_set_size(wire->in, length + (n > 0 ? (guint)n : 0));
		if (n > 0)
			return true;
		if (!wire_wait(wire, n, error))
			return false;
		g_byte_array_set_size(wire->in, length + WIRE_READ);
	}
}

static void
wire_drop_taken(Wire *wire)
{
	if (wire->in_taken > 0)
		g_byte_array_remove_range(wire->in, 0, (guint)wire->in_taken);
	wire->in_taken = 0;
}

const char *
wire_read_line(Wire *wire, size_t most, GError **error)
{
	size_t looked = 0;

	wire_drop_taken(wire);
	for (;;) {
		uint8_t *end =
			wire->in->len > looked ? memchr(wire->in->data + looked, '\n', wire->in->len - looked) : NULL;

		if (end != NULL) {
			wire->in_taken = (size_t)(end - wire->in->data) + 1;
			*end = '\0';
			if (end > wire->in->data && end[-1] == '\r')
				end[-1] = '\0';
			return (const char *)wire->in->data;
		}
		looked = wire->in->len;
		if (looked > most) {
			error_set(error, POSTERN_ERROR_INVALID, "the server sent a line of more than %zu octets", most);
			return NULL;
		}
		if (!wire_fill(wire, error))
			return NULL;
	}
}

/* The first `size` octets, without a CR at their end, as text of at most `keep`; they and their LF count as taken. */
static const char *
wire_cut(Wire *wire, size_t size, size_t keep)
{
	char *line;

	if (wire->in->len == size)
		g_byte_array_append(wire->in, (const guint8 *)"", 1);
	wire->in_taken = MIN(size + 1, wire->in->len);
	line = (char *)wire->in->data;
	line[size] = '\0';
	if (size > 0 && line[size - 1] == '\r')
		line[size - 1] = '\0';
	if (size > keep)
		line[keep] = '\0';
	return line;
}

bool
wire_read_cut(Wire *wire, size_t keep, size_t *left, const char **line, GError **error)
{
	size_t looked = 0;
	bool is_filled = true;

	wire_drop_taken(wire);
	while (is_filled && wire->in->len <= *left) {
		const uint8_t *end =
			wire->in->len > looked ? memchr(wire->in->data + looked, '\n', wire->in->len - looked) : NULL;

		if (end != NULL) {
			*left -= (size_t)(end - wire->in->data) + 1;
			*line = wire_cut(wire, (size_t)(end - wire->in->data), keep);
			return true;
		}
		if (wire->in->len > keep) {
			*left -= wire->in->len - keep;
			g_byte_array_set_size(wire->in, (guint)keep);
		}
		looked = wire->in->len;
		is_filled = wire_fill(wire, error);
	}
	if (is_filled)
		error_set(error, POSTERN_ERROR_INVALID, "the server sent a reply that does not end");
	*line = wire_cut(wire, wire->in->len, keep);
	return false;
}

bool
wire_is_alive(Wire *wire)
{
	wire_drop_taken(wire);
	return wire->in->len == 0 &&
		   !socket_wait(wire->stream.fd, false, 0); /* a server that speaks unasked says 421 */
}
