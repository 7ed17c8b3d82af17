/* bench.c - what the load generator and the sink share. */
#include "bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { BENCH_RECORD = 16384 }; /* payload of a TLS record */

int64_t
bench_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void
bench_fail(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fprintf(stderr, "%s: ", g_get_prgname());
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	va_end(arguments);
	exit(2);
}

void
bench_raise_limits(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	signal(SIGPIPE, SIG_IGN);
}

BenchAddress
bench_loopback(const char *host, int port)
{
	BenchAddress result = { 0 };
	struct sockaddr_in *v4 = (struct sockaddr_in *)&result.address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&result.address;

	if (port < 1 || port > 65535)
		bench_fail("a port is wanted, 1 to 65535");
	if (inet_pton(AF_INET, host, &v4->sin_addr) == 1 && ntohl(v4->sin_addr.s_addr) >> 24 == 127) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons((uint16_t)port);
		result.size = sizeof *v4;
	} else if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1 && IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr)) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons((uint16_t)port);
		result.size = sizeof *v6;
	} else {
		bench_fail("%s is not a loopback address", host);
	}
	return result;
}

static SSL_CTX *
bench_tls_new(const SSL_METHOD *method)
{
	SSL_CTX *tls = SSL_CTX_new(method);

	if (tls == NULL)
		bench_fail("no TLS context");
	SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
		SSL_MODE_RELEASE_BUFFERS);
	return tls;
}

/* The certificate is made for the occasion and never leaves the loopback: nothing to verify. */
SSL_CTX *
bench_client_tls(void)
{
	SSL_CTX *tls = bench_tls_new(TLS_client_method());

	SSL_CTX_set_verify(tls, SSL_VERIFY_NONE, NULL);
	return tls;
}

SSL_CTX *
bench_server_tls(const char *certificate, const char *key)
{
	SSL_CTX *tls = bench_tls_new(TLS_server_method());

	if (SSL_CTX_use_certificate_chain_file(tls, certificate) != 1)
		bench_fail("%s: no certificate", certificate);
	if (SSL_CTX_use_PrivateKey_file(tls, key, SSL_FILETYPE_PEM) != 1)
		bench_fail("%s: no key", key);
	return tls;
}

void
bench_start_tls(BenchLink *link, SSL_CTX *tls, bool is_server)
{
	link->ssl = SSL_new(tls);
	if (link->ssl == NULL || SSL_set_fd(link->ssl, link->fd) != 1)
		bench_fail("cannot start TLS");
	if (is_server)
		SSL_set_accept_state(link->ssl);
	else
		SSL_set_connect_state(link->ssl);
}

static int
bench_tls_result(const BenchLink *link, int result)
{
	switch (SSL_get_error(link->ssl, result)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		return BENCH_AGAIN;
	case SSL_ERROR_ZERO_RETURN:
		return BENCH_CLOSED;
	default:
		return BENCH_BROKEN;
	}
}

int
bench_handshake(BenchLink *link, bool *wants_write)
{
	int result;

	ERR_clear_error();
	result = SSL_do_handshake(link->ssl);
	if (result == 1)
		return 1;
	*wants_write = SSL_get_error(link->ssl, result) == SSL_ERROR_WANT_WRITE;
	return bench_tls_result(link, result) == BENCH_AGAIN ? BENCH_AGAIN : BENCH_BROKEN;
}

ssize_t
bench_read(BenchLink *link, void *data, size_t size)
{
	ssize_t result;

	if (link->ssl == NULL) {
		result = read(link->fd, data, size);
		return result >= 0 ? result : errno == EAGAIN || errno == EINTR ? BENCH_AGAIN : BENCH_BROKEN;
	}
	ERR_clear_error();
	result = SSL_read(link->ssl, data, (int)MIN(size, G_MAXINT));
	return result > 0 ? result : bench_tls_result(link, (int)result);
}

static ssize_t
bench_write_tls(BenchLink *link, const char *first, size_t first_size, const char *second, size_t second_size)
{
	char record[BENCH_RECORD];
	const size_t taken = MIN(first_size, sizeof record);
	const size_t added = MIN(second_size, sizeof record - taken);
	int result;

	if (taken > 0)
		memcpy(record, first, taken);
	if (taken > 0 && added > 0)
		memcpy(record + taken, second, added);
	ERR_clear_error();
	result = SSL_write(link->ssl, taken > 0 ? record : second, (int)(taken + added));
	return result > 0 ? result : bench_tls_result(link, result);
}

ssize_t
bench_write(BenchLink *link, const char *first, size_t first_size, const char *second, size_t second_size)
{
	struct iovec parts[2] = { { (void *)(uintptr_t)first, first_size },
		{ (void *)(uintptr_t)second, second_size } };
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };
	ssize_t result;

	if (link->ssl != NULL)
		return bench_write_tls(link, first, first_size, second, second_size);
	result = sendmsg(link->fd, &message, MSG_NOSIGNAL);
	return result >= 0 ? result : errno == EAGAIN || errno == EINTR ? BENCH_AGAIN : BENCH_BROKEN;
}

void
bench_close(BenchLink *link)
{
	if (link->ssl != NULL) {
		(void)SSL_shutdown(link->ssl);
		SSL_free(link->ssl);
	}
	if (link->fd >= 0)
		(void)close(link->fd);
	link->ssl = NULL;
	link->fd = -1;
}
