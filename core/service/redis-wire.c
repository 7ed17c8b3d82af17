/* redis-wire.c - a connection to a Redis or a Sentinel for one thread, which waits. */
#include "service/redis-wire.h"

#include <netdb.h>
#include <stdarg.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "io/socket.h"

enum { REDIS_READ = 16 * 1024 };

/* A page of the largest items that a directory has is far smaller. */
#define REDIS_REPLY_MOST (256u << 20)

/* ---- commands ---- */

void
redis_format(GByteArray *out, size_t n, const char *const *words)
{
	char head[32];

	g_snprintf(head, sizeof head, "*%zu\r\n", n);
	g_byte_array_append(out, (const guint8 *)head, (guint)strlen(head));
	for (size_t i = 0; i < n; i++) {
		const size_t size = strlen(words[i]);

		g_snprintf(head, sizeof head, "$%zu\r\n", size);
		g_byte_array_append(out, (const guint8 *)head, (guint)strlen(head));
		g_byte_array_append(out, (const guint8 *)words[i], (guint)size);
		g_byte_array_append(out, (const guint8 *)"\r\n", 2);
	}
}

/* ---- connecting ---- */

static int
redis_wire_connect(const RedisPlace *place, int64_t deadline_us, bool *is_local, GError **error)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *found = NULL;
	char port[8];
	int fd = -1, code;

	g_snprintf(port, sizeof port, "%u", place->port);
	code = getaddrinfo(place->host, port, &hints, &found);
	if (code != 0) {
		(void)error_set(error, POSTERN_ERROR_UNAVAILABLE, "%s: %s", place->host, gai_strerror(code));
		return -1;
	}
	for (const struct addrinfo *one = found; one != NULL && fd < 0; one = one->ai_next) {
		const int64_t left_us = MAX(deadline_us - g_get_monotonic_time(), 0);
		char text[NI_MAXHOST];
		IpAddress address;

		if (getnameinfo(one->ai_addr, one->ai_addrlen, text, sizeof text, NULL, 0, NI_NUMERICHOST) != 0 ||
			!ip_parse(text, &address))
			continue;
		g_clear_error(error);
		fd = socket_connect(&address, place->port, NULL, left_us, error);
		*is_local = ip_is_loopback(&address);
	}
	freeaddrinfo(found);
	if (fd < 0 && *error == NULL)
		(void)error_set(error, POSTERN_ERROR_UNAVAILABLE, "%s has no address", place->host);
	return fd;
}

static bool
redis_wire_wait(RedisWire *wire, bool to_write, int64_t deadline_us, GError **error)
{
	const int64_t left_us = deadline_us - g_get_monotonic_time();

	return (left_us > 0 && socket_wait(wire->stream.fd, to_write, left_us)) ||
		   error_set(error, POSTERN_ERROR_UNAVAILABLE, "it does not answer");
}

static bool
redis_wire_secure(RedisWire *wire, const TlsClient *tls, const char *host, int64_t deadline_us, GError **error)
{
	int result;

	wire->stream.tls = tls_client_session(tls, wire->stream.fd, host, TLS_VERIFY);
	while ((result = stream_handshake(&wire->stream)) != 1) {
		if (result == STREAM_FAILED)
			return error_set(error, POSTERN_ERROR_UNAVAILABLE, "TLS: %s", tls_failure());
		if (!redis_wire_wait(wire, result == STREAM_WANTS_WRITE, deadline_us, error))
			return false;
	}
	return true;
}

RedisWire *
redis_wire_open(const RedisPlace *place, const TlsClient *tls, int64_t deadline_us, GError **error)
{
	g_autoptr(RedisWire) wire = g_new0(RedisWire, 1);
	g_autoptr(GError) failure = NULL;

	wire->parser = redis_parser_new(REDIS_REPLY_MOST);
	wire->stream.fd = redis_wire_connect(place, deadline_us, &wire->is_local, &failure);
	if (wire->stream.fd < 0) {
		(void)error_set(error, POSTERN_ERROR_UNAVAILABLE, "%s", failure->message);
		return NULL;
	}
	if (tls != NULL && !redis_wire_secure(wire, tls, place->host, deadline_us, error))
		return NULL;
	return g_steal_pointer(&wire);
}

bool
redis_wire_is_private(const RedisWire *wire)
{
	return wire->is_local || wire->stream.tls != NULL;
}

void
redis_wire_close(RedisWire *wire)
{
	if (wire == NULL)
		return;
	if (wire->stream.fd >= 0)
		stream_close(&wire->stream);
	redis_parser_free(wire->parser);
	g_free(wire);
}

/* ---- asking ---- */

static bool
redis_wire_send(RedisWire *wire, const GByteArray *out, int64_t deadline_us, GError **error)
{
	size_t sent = 0;

	while (sent < out->len) {
		const ssize_t n = stream_write(&wire->stream, out->data + sent, out->len - sent);

		if (n > 0)
			sent += (size_t)n;
		else if (n == STREAM_FAILED || n == STREAM_END)
			return error_set(error, POSTERN_ERROR_UNAVAILABLE, "the connection broke");
		else if (!redis_wire_wait(wire, true, deadline_us, error))
			return false;
	}
	return true;
}

static redisReply *
redis_wire_receive(RedisWire *wire, int64_t deadline_us, GError **error)
{
	char buffer[REDIS_READ];
	redisReply *reply = NULL;

	for (;;) {
		const ssize_t n = stream_read(&wire->stream, buffer, sizeof buffer);

		if (n == STREAM_FAILED || n == STREAM_END) {
			(void)error_set(error, POSTERN_ERROR_UNAVAILABLE, "it closed the connection");
			return NULL;
		}
		if (n < 0 && !redis_wire_wait(wire, n == STREAM_WANTS_WRITE, deadline_us, error))
			return NULL;
		if (n < 0)
			continue;
		if (!redis_parser_feed(wire->parser, buffer, (size_t)n) || !redis_parser_next(wire->parser, &reply)) {
			(void)error_set(error, POSTERN_ERROR_INVALID, "it does not speak the protocol of Redis");
			return NULL;
		}
		if (reply != NULL)
			return reply;
	}
}

redisReply *
redis_wire_ask_words(RedisWire *wire, int64_t deadline_us, RedisKind shape, GPtrArray *words, GError **error)
{
	g_autoptr(GByteArray) out = g_byte_array_sized_new(1024);
	g_autoptr(redisReply) reply = NULL;
	bool is_sent;

	if (wire->is_out_of_step) {
		(void)error_set(error, POSTERN_ERROR_UNAVAILABLE, "it does not answer in time");
		return NULL;
	}
	redis_format(out, words->len, (const char *const *)words->pdata);
	is_sent = redis_wire_send(wire, out, deadline_us, error);
	explicit_bzero(out->data, out->len); /* AUTH is asked here, too */
	if (is_sent)
		reply = redis_wire_receive(wire, deadline_us, error);
	wire->is_out_of_step = !redis_reply_fits(reply, (RedisShape){ shape, 0 });
	if (reply != NULL && wire->is_out_of_step) {
		g_autofree char *misfit = redis_reply_misfit(reply, (RedisShape){ shape, 0 });

		(void)error_set(error, POSTERN_ERROR_INVALID, "it answers %s with %s: is it a Redis?",
			(const char *)g_ptr_array_index(words, 0), misfit);
		return NULL;
	}
	if (reply != NULL && reply->type == REDIS_REPLY_ERROR) {
		redis_reply_explain(reply, error);
		return NULL;
	}
	return g_steal_pointer(&reply);
}

redisReply *
redis_wire_ask(RedisWire *wire, int64_t deadline_us, RedisKind shape, GError **error, ...)
{
	g_autoptr(GPtrArray) words = g_ptr_array_new();
	const char *word;
	va_list arguments;

	va_start(arguments, error);
	while ((word = va_arg(arguments, const char *)) != NULL)
		g_ptr_array_add(words, (void *)(uintptr_t)word);
	va_end(arguments);
	return redis_wire_ask_words(wire, deadline_us, shape, words, error);
}
