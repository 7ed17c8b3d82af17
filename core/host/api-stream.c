/* api-stream.c - a plugin's connections to other servers; closed with the hook. */
#include <string.h>

#include "base/log.h"
#include "engine/smtp-dialog.h"
#include "host/host-private.h"

static void
api_stream_free(void *data)
{
	PtnStream *stream = data;

	wire_close(stream->wire);
	g_free(stream->host);
	g_free(stream);
}

/* An address as it is, or the first of a name that answers. */
static Wire *
api_connect(PtnHook *h, const char *host, uint16_t port)
{
	static const PtnRecord families[] = { PTN_AAAA, PTN_A };
	IpAddress address;

	if (ip_parse(host, &address))
		return wire_open(&address, port, NULL, h->call->deadline_us, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(families); i++) {
		const PtnAnswer *answer = ptn_dns(h, host, families[i]);

		for (size_t k = 0; answer->status == PTN_OK && k < answer->count; k++) {
			Wire *wire = ip_parse(answer->values[k], &address)
							 ? wire_open(&address, port, NULL, h->call->deadline_us, NULL)
							 : NULL;

			if (wire != NULL)
				return wire;
		}
	}
	return NULL;
}

PtnStream *
ptn_open(PtnHook *h, const char *host, int port, PtnSecurity security)
{
	g_autoptr(Wire) wire = NULL;
	PtnStream *stream;

	if (!h->call->may_wait) {
		h->call->would_have_waited = true;
		return NULL;
	}
	if (port < 1 || port > 65535)
		return NULL;
	wire = api_connect(h, host, (uint16_t)port);
	if (wire == NULL)
		return NULL;
	wire_set_deadline(wire, h->call->deadline_us);
	if (security == PTN_TLS_NOW && !wire_start_tls(wire, h->instance->services->tls, host, TLS_VERIFY, NULL))
		return NULL;
	stream = g_new0(PtnStream, 1);
	stream->wire = g_steal_pointer(&wire);
	stream->host = g_strdup(host);
	if (h->streams == NULL)
		h->streams = g_ptr_array_new_with_free_func(api_stream_free);
	g_ptr_array_add(h->streams, stream);
	return stream;
}

bool
ptn_write(PtnHook *h, PtnStream *stream, const void *data, size_t size)
{
	(void)h;
	return wire_write(stream->wire, data, size, NULL);
}

const char *
ptn_read_line(PtnHook *h, PtnStream *stream)
{
	return region_strdup(h->call->region, wire_read_line(stream->wire, 64 * 1024, NULL));
}

/* ---- SMTP ---- */

static PtnReply
api_read_reply(PtnHook *h, PtnStream *stream, unsigned *capabilities)
{
	g_auto(ServerReply) reply;
	PtnReply answer = { .code = 0, .enhanced = "", .text = "no answer" };
	uint64_t size;

	smtp_reply_init(&reply);
	if (!smtp_read_reply(stream->wire, &reply, NULL))
		return answer;
	if (capabilities != NULL)
		*capabilities = smtp_capabilities(&reply, &size);
	answer.code = reply.code;
	answer.enhanced = region_strdup(h->call->region, reply.enhanced);
	answer.text = region_strdup(h->call->region, g_strdelimit(reply.text->str, "\n", ' '));
	return answer;
}

PtnReply
ptn_smtp(PtnHook *h, PtnStream *stream, const char *format, ...)
{
	const PtnReply none = { .code = 0, .enhanced = "", .text = "no answer" };
	va_list arguments;
	bool is_written;

	va_start(arguments, format);
	is_written = smtp_write_command_v(stream->wire, NULL, format, arguments);
	va_end(arguments);
	return is_written ? api_read_reply(h, stream, NULL) : none;
}

static PtnReply
api_say_hello(PtnHook *h, PtnStream *stream, unsigned *capabilities)
{
	const char *name = h->instance->services->helo;
	PtnReply reply = { 0 };

	*capabilities = 0;
	if (smtp_write_command(stream->wire, NULL, "EHLO %s", name))
		reply = api_read_reply(h, stream, capabilities);
	if (reply.code >= 500)
		reply = ptn_smtp(h, stream, "HELO %s", name);
	return reply;
}

/* Encryption without a check of the name: a probe needs no secrecy, only a server that wants it. */
PtnReply
ptn_smtp_hello(PtnHook *h, PtnStream *stream)
{
	unsigned capabilities;
	PtnReply reply = api_read_reply(h, stream, NULL);

	if (reply.code != 220)
		return reply;
	reply = api_say_hello(h, stream, &capabilities);
	if (reply.code != 250 || !(capabilities & SMTP_STARTTLS) || wire_is_secured(stream->wire))
		return reply;
	if (ptn_smtp(h, stream, "STARTTLS").code != 220)
		return reply;
	if (!wire_start_tls(stream->wire, h->instance->services->tls, stream->host, TLS_MAY, NULL))
		return (PtnReply){ .code = 0, .enhanced = "", .text = "the TLS handshake failed" };
	return api_say_hello(h, stream, &capabilities);
}
