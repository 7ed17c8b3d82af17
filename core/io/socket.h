/* socket.h - making sockets: listening ones, and connections to other servers. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/ip.h"

/* A socket that listens when the daemon begins: opened as root, or passed by systemd, which keeps it: then it must not be shut
 * down, and a loop is not rid of it by close(). */
typedef struct {
	int fd;
	bool is_passed;
} ListenSocket;

/* A non-blocking listening socket.  An IPv6 socket takes IPv6 only.  `is_free`: the address need not be of this machine yet.
 * -1 with errno, and the error names address and port. */
int socket_listen(const IpAddress *address, uint16_t port, bool is_free, GError **error);
/* A waiting connection, non-blocking, TCP_NODELAY; -1: none waits. */
int socket_accept(int listener, IpAddress *client, uint16_t *port);
/* Our own address of a connection. */
bool socket_local(int fd, IpAddress *address, uint16_t *port);
/* True if octets wait to be read, without reading them. */
bool socket_has_input(int fd);
/* Looks at the first octets without taking them; the count, 0 at the end, -1 if none are there yet. */
ssize_t socket_peek(int fd, void *data, size_t size);

/* Connects within `timeout_us`; non-blocking afterwards.  `from` may be NULL.  -1 on failure (IO). */
int socket_connect(const IpAddress *address, uint16_t port, const IpAddress *from, int64_t timeout_us,
	GError **error);
/* The same to a Unix socket; blocking afterwards. */
int socket_connect_unix(const char *path, int64_t timeout_us, GError **error);
/* Waits until `fd` can be read (or written); false: the time is over. */
bool socket_wait(int fd, bool to_write, int64_t timeout_us);
