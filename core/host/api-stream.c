/* api-stream.c - a plugin's connections to other servers; closed with the hook. */
#include <string.h>

#include "base/log.h"
#include "engine/smtp-dialog.h"
#include "host/host-private.h"

enum { STREAM_ADDRESSES_MOST = 8 };

#define STREAM_CONNECT_US (10 * CLOCK_SECOND)

static void
api_stream_free(void *data)
{
	PtnStream *stream = data;

	wire_close(stream->wire);
	g_free(stream->host);
	g_free(stream);
}

/* Both families are asked for at once. */
GArray *
api_addresses(PtnHook *h, const char *host, bool *is_unsure)
{
	GArray *addresses = g_array_new(FALSE, FALSE, sizeof(IpAddress));
	PtnLookup *lookups[2];
	IpAddress address;

	if (ip_parse(host, &address)) {
		g_array_append_val(addresses, address);
		return addresses;
	}
	lookups[0] = ptn_dns_start(h, host, PTN_AAAA);
	lookups[1] = ptn_dns_start(h, host, PTN_A);
	for (size_t i = 0; i < G_N_ELEMENTS(lookups); i++) {
		const PtnAnswer *answer = ptn_dns_wait(h, lookups[i]);

		*is_unsure |= answer->status == PTN_UNSURE;
		for (size_t k = 0; answer->status == PTN_OK && k < answer->count; k++)
			if (addresses->len < STREAM_ADDRESSES_MOST && ip_parse(answer->values[k], &address))
				g_array_append_val(addresses, address);
	}
	return addresses;
}

static const char *
api_unix_path(const char *host)
{
	return g_str_has_prefix(host, "unix:/") ? host + strlen("unix:") : NULL;
}

/* A Unix socket, or else `address`. */
static Wire *
api_connect(PtnHook *h, const char *host, const IpAddress *address, uint16_t port, int64_t until_us)
{
	const HostServices *services = call_services(h);
	const char *path = api_unix_path(host);
	char text[IP_TEXT_SIZE];
	int fd;

	if (services->connect != NULL) {
		fd = services->connect(services->connect_data, path != NULL ? host : ip_format(address, text), port);
		return fd >= 0 ? wire_adopt(fd, until_us) : NULL;
	}
	return path != NULL ? wire_open_unix(path, until_us, NULL) : wire_open(address, port, NULL, until_us, NULL);
}

static int64_t
api_connect_until(PtnHook *h)
{
	return g_get_monotonic_time() + MIN(ptn_time_left(h) / 2, STREAM_CONNECT_US);
}

/* The first that answers; addresses that are silent share the time. */
static Wire *
api_connect_any(PtnHook *h, const char *host, uint16_t port, bool is_anywhere, IpAddress *address)
{
	g_autoptr(GArray) addresses = NULL;
	bool is_unsure = false;
	int64_t end_us;

	if (api_unix_path(host) != NULL)
		return is_anywhere ? api_connect(h, host, NULL, 0, api_connect_until(h)) : NULL;
	addresses = api_addresses(h, host, &is_unsure);
	for (guint i = addresses->len; i-- > 0 && !is_anywhere;)
		if (!api_may_reach(h, &g_array_index(addresses, IpAddress, i), port))
			g_array_remove_index(addresses, i);
	end_us = api_connect_until(h);
	for (guint i = 0; i < addresses->len; i++) {
		const int64_t now_us = g_get_monotonic_time();
		Wire *wire;

		*address = g_array_index(addresses, IpAddress, i);
		wire = api_connect(h, host, address, port, now_us + (end_us - now_us) / (addresses->len - i));
		if (wire != NULL)
			return wire;
	}
	return NULL;
}

PtnStream *
ptn_open(PtnHook *h, const char *host, int port, PtnSecurity security)
{
	const bool is_anywhere = (security & PTN_ANYWHERE) != 0;
	g_autoptr(Wire) wire = NULL;
	IpAddress address = { 0 };
	PtnStream *stream;

	if (!h->call->may_wait) {
		h->call->would_have_waited = true;
		return NULL;
	}
	if (api_unix_path(host) != NULL ? port != 0 : port < 1 || port > 65535)
		return NULL;
	wire = api_connect_any(h, host, (uint16_t)port, is_anywhere, &address);
	call_note(h, "connect %s port %d: %s", host, port, wire != NULL ? "ok" : "failed");
	if (wire == NULL)
		return NULL;
	wire_set_deadline(wire, h->call->deadline_us);
	if ((security & ~(unsigned)PTN_ANYWHERE) == PTN_TLS_NOW &&
		!wire_start_tls(wire, h->instance->services->tls, host, TLS_VERIFY, NULL))
		return NULL;
	stream = g_new0(PtnStream, 1);
	stream->wire = g_steal_pointer(&wire);
	stream->host = g_strdup(host);
	stream->address = address;
	stream->port = (uint16_t)port;
	if (h->streams == NULL)
		h->streams = g_ptr_array_new_with_free_func(api_stream_free);
	g_ptr_array_add(h->streams, stream);
	return stream;
}

bool
ptn_write(PtnHook *h, PtnStream *stream, const void *data, size_t size)
{
	wire_set_deadline(stream->wire, h->call->deadline_us);
	return wire_write(stream->wire, data, size, NULL);
}

const char *
ptn_read_line(PtnHook *h, PtnStream *stream)
{
	wire_set_deadline(stream->wire, h->call->deadline_us);
	return region_strdup(h->call->region, wire_read_line(stream->wire, 64 * 1024, NULL));
}

/* ---- SMTP ---- */

static PtnReply
api_read_reply(PtnHook *h, PtnStream *stream, unsigned *capabilities)
{
	g_auto(ServerReply) reply;
	PtnReply answer = { .code = 0, .enhanced = "", .text = "no answer" };
	g_autofree char *text = NULL;
	uint64_t size;

	smtp_reply_init(&reply);
	if (stream->is_broken)
		return answer;
	/* half of what is left, so that after a silent server there is time for another one */
	wire_set_deadline(stream->wire, g_get_monotonic_time() + ptn_time_left(h) / 2);
	/* one that comes late, or makes no sense, answers nothing else */
	stream->is_broken = !smtp_read_reply(stream->wire, NOISE_FAILS, &reply, NULL) || reply.is_odd;
	if (stream->is_broken)
		return answer;
	if (capabilities != NULL)
		*capabilities = smtp_capabilities(&reply, &size);
	answer.code = reply.code;
	answer.enhanced = region_strdup(h->call->region, reply.enhanced);
	text = smtp_reply_text(&reply);
	answer.text = region_strdup(h->call->region, text);
	return answer;
}

PtnReply
ptn_smtp(PtnHook *h, PtnStream *stream, const char *format, ...)
{
	const PtnReply none = { .code = 0, .enhanced = "", .text = "no answer" };
	g_autofree char *command = NULL;
	PtnReply reply = none;
	va_list arguments;

	va_start(arguments, format);
	command = g_strdup_vprintf(format, arguments);
	va_end(arguments);
	if (smtp_write_command(stream->wire, NULL, "%s", command))
		reply = api_read_reply(h, stream, NULL);
	call_note(h, "%s: %d %s", command, reply.code, reply.text);
	return reply;
}

static PtnReply
api_say_hello(PtnHook *h, PtnStream *stream, unsigned *capabilities)
{
	const char *name = call_services(h)->helo;
	PtnReply reply = { 0 };

	*capabilities = 0;
	if (smtp_write_command(stream->wire, NULL, "EHLO %s", name))
		reply = api_read_reply(h, stream, capabilities);
	if (reply.code >= 500)
		reply = ptn_smtp(h, stream, "HELO %s", name);
	return reply;
}

/* A server whose STARTTLS is broken is asked in clear: the same one, once more. */
static PtnReply
api_hello_in_clear(PtnHook *h, PtnStream *stream)
{
	const PtnReply broken = { .code = 0, .enhanced = "", .text = "the TLS handshake failed" };
	Wire *wire = api_connect(
		h, stream->host, &stream->address, stream->port, g_get_monotonic_time() + ptn_time_left(h) / 2);
	unsigned capabilities;
	PtnReply reply;

	if (wire == NULL)
		return broken;
	wire_close(stream->wire);
	stream->wire = wire;
	stream->is_broken = false;
	reply = api_read_reply(h, stream, NULL);
	return reply.code == 220 ? api_say_hello(h, stream, &capabilities) : reply;
}

/* Encryption without a check of the name: a probe needs no secrecy, only a server that wants it. */
PtnReply
ptn_smtp_hello(PtnHook *h, PtnStream *stream)
{
	unsigned capabilities;
	PtnReply reply = api_read_reply(h, stream, NULL), starttls;

	if (reply.code != 220)
		return reply;
	reply = api_say_hello(h, stream, &capabilities);
	if (reply.code != 250 || !(capabilities & SMTP_STARTTLS) || wire_is_secured(stream->wire))
		return reply;
	starttls = ptn_smtp(h, stream, "STARTTLS");
	if (starttls.code != 220 && starttls.code != 0)
		return reply;
	wire_set_deadline(stream->wire, g_get_monotonic_time() + ptn_time_left(h) / 2);
	if (starttls.code == 0 ||
		!wire_start_tls(stream->wire, h->instance->services->tls, stream->host, TLS_MAY, NULL))
		return api_hello_in_clear(h, stream);
	return api_say_hello(h, stream, &capabilities);
}
