/* stream.c - octets to and from a peer. */
#include "io/stream.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

static ssize_t
stream_tls_result(const Stream *stream, int result)
{
	switch (SSL_get_error(stream->tls, result)) {
	case SSL_ERROR_WANT_READ:
		return STREAM_AGAIN;
	case SSL_ERROR_WANT_WRITE:
		return STREAM_WANTS_WRITE;
	case SSL_ERROR_ZERO_RETURN:
		return STREAM_END;
	default:
		return STREAM_FAILED;
	}
}

ssize_t
stream_read(Stream *stream, void *data, size_t size)
{
	size_t taken;
	ssize_t n;
	int result;

	if (stream->tls != NULL) {
		ERR_clear_error();
		result = SSL_read_ex(stream->tls, data, size, &taken);
		return result == 1 ? (ssize_t)taken : stream_tls_result(stream, result);
	}
	n = recv(stream->fd, data, size, 0);
	if (n >= 0)
		return n;
	return errno == EAGAIN || errno == EINTR ? STREAM_AGAIN : STREAM_FAILED;
}

ssize_t
stream_write(Stream *stream, const void *data, size_t size)
{
	size_t taken;
	ssize_t n;
	int result;

	if (stream->tls != NULL) {
		ERR_clear_error();
		result = SSL_write_ex(stream->tls, data, size, &taken);
		return result == 1 ? (ssize_t)taken : stream_tls_result(stream, result);
	}
	n = send(stream->fd, data, size, MSG_NOSIGNAL);
	if (n >= 0)
		return n;
	return errno == EAGAIN || errno == EINTR ? STREAM_WANTS_WRITE : STREAM_FAILED;
}

int
stream_handshake(Stream *stream)
{
	int result;

	ERR_clear_error();
	result = SSL_do_handshake(stream->tls);
	if (result != 1) {
		const ssize_t what = stream_tls_result(stream, result);

		return what == STREAM_AGAIN || what == STREAM_WANTS_WRITE ? (int)what : STREAM_FAILED;
	}
	stream->is_secured = true;
	return 1;
}

void
stream_close(Stream *stream)
{
	if (stream->tls != NULL) {
		ERR_clear_error();
		if (stream->is_secured)
			(void)SSL_shutdown(stream->tls);
		SSL_free(stream->tls);
		stream->tls = NULL;
	}
	if (stream->fd >= 0)
		(void)close(stream->fd);
	stream->fd = -1;
	stream->is_secured = false;
}
