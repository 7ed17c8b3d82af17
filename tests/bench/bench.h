/* bench.h - what the load generator and the sink share: time, addresses, limits, and a socket with or
 * without TLS. */
#pragma once

#include <glib.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

typedef struct {
	struct sockaddr_storage address;
	socklen_t size;
} BenchAddress;

/* A socket that does not block; `ssl` NULL: plain. */
typedef struct {
	int fd;
	SSL *ssl;
} BenchLink;

/* Beside counts of octets. */
enum { BENCH_CLOSED = 0, BENCH_AGAIN = -1, BENCH_BROKEN = -2 };

int64_t bench_now_ns(void); /* monotonic: the same for all processes of the machine */
void bench_fail(const char *format, ...) G_GNUC_PRINTF(1, 2) G_GNUC_NORETURN; /* exit code 2 */
void bench_raise_limits(void); /* files as many as the hard limit allows; no SIGPIPE */
/* Ends the program if it is no loopback address: these programs must never reach another machine. */
BenchAddress bench_loopback(const char *host, int port);

SSL_CTX *bench_client_tls(void); /* new */
SSL_CTX *bench_server_tls(const char *certificate, const char *key); /* new */
void bench_start_tls(BenchLink *link, SSL_CTX *tls, bool is_server);
/* 1: done; BENCH_AGAIN, BENCH_BROKEN.  `wants_write` is set with AGAIN. */
int bench_handshake(BenchLink *link, bool *wants_write);

ssize_t bench_read(BenchLink *link, void *data, size_t size);
/* The beginning of `first` followed by `second`, as one TLS record or one system call where it fits. */
ssize_t bench_write(BenchLink *link, const char *first, size_t first_size, const char *second, size_t second_size);
void bench_close(BenchLink *link);
