/* socket.c - making sockets. */
#include "io/socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"

enum { SOCKET_BACKLOG = 4096 };

static socklen_t
socket_address(const IpAddress *address, uint16_t port, struct sockaddr_storage *storage)
{
	struct sockaddr_in *four = (struct sockaddr_in *)storage;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)storage;

	memset(storage, 0, sizeof *storage);
	if (ip_is_v4(address)) {
		four->sin_family = AF_INET;
		four->sin_port = htons(port);
		memcpy(&four->sin_addr, address->bytes + 12, 4);
		return sizeof *four;
	}
	six->sin6_family = AF_INET6;
	six->sin6_port = htons(port);
	memcpy(&six->sin6_addr, address->bytes, 16);
	return sizeof *six;
}

static void
socket_address_read(const struct sockaddr_storage *storage, IpAddress *address, uint16_t *port)
{
	const struct sockaddr_in *four = (const struct sockaddr_in *)storage;
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)storage;

	if (storage->ss_family == AF_INET) {
		memset(address->bytes, 0, 10);
		memset(address->bytes + 10, 0xff, 2);
		memcpy(address->bytes + 12, &four->sin_addr, 4);
		*port = ntohs(four->sin_port);
	} else {
		memcpy(address->bytes, &six->sin6_addr, 16);
		*port = ntohs(six->sin6_port);
	}
}

static bool
socket_bind(int fd, const IpAddress *address, uint16_t port, bool is_free)
{
	const int one = 1;
	struct sockaddr_storage storage;
	const socklen_t size = socket_address(address, port, &storage);

	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (storage.ss_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
	if (is_free) /* of both families */
		(void)setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &one, sizeof one);
	return bind(fd, (const struct sockaddr *)&storage, size) == 0;
}

int
socket_listen(const IpAddress *address, uint16_t port, bool is_free, GError **error)
{
	const int family = ip_is_v4(address) ? AF_INET : AF_INET6;
	const int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	char text[IP_TEXT_SIZE];
	int why;

	if (fd >= 0 && socket_bind(fd, address, port, is_free) && listen(fd, SOCKET_BACKLOG) == 0)
		return fd;
	why = errno;
	error_set_errno(error, "cannot listen on %s port %u", ip_format(address, text), port);
	if (fd >= 0)
		(void)close(fd);
	errno = why;
	return -1;
}

int
socket_accept(int listener, IpAddress *client, uint16_t *port)
{
	const int one = 1;
	struct sockaddr_storage storage;
	socklen_t size = sizeof storage;
	const int fd = accept4(listener, (struct sockaddr *)&storage, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0)
		return -1;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	socket_address_read(&storage, client, port);
	return fd;
}

bool
socket_local(int fd, IpAddress *address, uint16_t *port)
{
	struct sockaddr_storage storage;
	socklen_t size = sizeof storage;

	if (getsockname(fd, (struct sockaddr *)&storage, &size) < 0)
		return false;
	socket_address_read(&storage, address, port);
	return true;
}

ssize_t
socket_peek(int fd, void *data, size_t size)
{
	return recv(fd, data, size, MSG_PEEK | MSG_DONTWAIT);
}

void
socket_wait_for_more(int fd, size_t size)
{
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &(int){ (int)size }, sizeof(int));
}

bool
socket_has_input(int fd)
{
	char octet;

	return socket_peek(fd, &octet, 1) > 0;
}

bool
socket_wait(int fd, bool to_write, int64_t timeout_us)
{
	struct pollfd poll_one = { .fd = fd, .events = to_write ? POLLOUT : POLLIN };
	const int64_t until_us = g_get_monotonic_time() + timeout_us;

	for (;;) {
		const int64_t left_us = MAX(until_us - g_get_monotonic_time(), 0);
		const int n = poll(&poll_one, 1, (int)MIN((left_us + 999) / 1000, 3600 * 1000));

		if (n > 0)
			return true;
		if (n == 0 || errno != EINTR)
			return false;
	}
}

static bool
socket_finish_connect(int fd, int64_t timeout_us)
{
	int failure = 0;
	socklen_t size = sizeof failure;

	if (!socket_wait(fd, true, timeout_us)) {
		errno = ETIMEDOUT;
		return false;
	}
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &size) < 0)
		return false;
	errno = failure;
	return failure == 0;
}

int
socket_connect(const IpAddress *address, uint16_t port, const IpAddress *from, int64_t timeout_us, GError **error)
{
	const int one = 1;
	struct sockaddr_storage storage;
	const socklen_t size = socket_address(address, port, &storage);
	const int fd = socket(storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	char text[IP_TEXT_SIZE];

	if (fd >= 0 && (from == NULL || socket_bind(fd, from, 0, false))) {
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
		if (connect(fd, (const struct sockaddr *)&storage, size) == 0)
			return fd;
		if (errno == EINPROGRESS && socket_finish_connect(fd, timeout_us))
			return fd;
	}
	error_set_errno(error, "connect to %s[%u]", ip_format(address, text), port);
	if (fd >= 0)
		(void)close(fd);
	return -1;
}

/* Where the listener's queue is full the kernel waits, and says EAGAIN after the time-out: there is nothing to poll for. */
int
socket_connect_unix(const char *path, int64_t timeout_us, GError **error)
{
	const struct timeval timeout = { .tv_sec = timeout_us / CLOCK_SECOND,
		.tv_usec = MAX(timeout_us % CLOCK_SECOND, 1) };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) >= sizeof address.sun_path) {
		error_set(error, POSTERN_ERROR_INVALID, "connect to %s: longer than the path of a socket can be", path);
		return -1;
	}
	memcpy(address.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout) == 0 &&
		connect(fd, (const struct sockaddr *)&address, sizeof address) == 0)
		return fd;
	error_set_errno(error, "connect to %s", path);
	if (fd >= 0)
		(void)close(fd);
	return -1;
}
