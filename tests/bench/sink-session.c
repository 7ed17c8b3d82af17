/* sink-session.c - the server's side of SMTP, as little of it as a client needs. */
#include <string.h>

#include "sink.h"

void
sink_greet(SinkSession *session)
{
	g_string_append(session->out, "220 sink.test ESMTP\r\n");
}

static void
sink_content(void *data, const char *octets, size_t size)
{
	g_string_append_len(data, octets, (gssize)size);
}

static void
sink_head(void *data, const char *octets, size_t size)
{
	GString *head = data;

	if (head->len < SINK_HEAD_MAX)
		g_string_append_len(head, octets, (gssize)MIN(size, SINK_HEAD_MAX - head->len));
}

static void
sink_message_done(SinkThread *thread, SinkSession *session)
{
	session->in_data = false;
	session->n_recipients = 0;
	thread->messages++;
	thread->last_ns = bench_now_ns();
	if (thread->first_ns == 0)
		thread->first_ns = thread->last_ns;
	sink_note_id(thread->sink, session->content);
	if (thread->segment >= 0)
		sink_store_add(thread, session);
	else
		g_string_append(session->out, "250 2.0.0 Ok: taken\r\n");
	g_string_truncate(session->content, 0);
}

static size_t
sink_take_data(SinkThread *thread, SinkSession *session, const char *octets, size_t size)
{
	size_t used;

	if (data_decode(&session->decoder, octets, size, &used, thread->segment >= 0 ? sink_content : sink_head,
		session->content) == DATA_END)
		sink_message_done(thread, session);
	thread->octets += (gint64)used;
	return used;
}

static void
sink_ehlo(SinkThread *thread, SinkSession *session)
{
	const Sink *sink = thread->sink;

	g_string_append(session->out, "250-sink.test\r\n250-PIPELINING\r\n250-SIZE 209715200\r\n250-8BITMIME\r\n");
	if (sink->tls != NULL && session->link.ssl == NULL)
		g_string_append(session->out, "250-STARTTLS\r\n");
	if (sink->options.has_auth)
		g_string_append(session->out, "250-AUTH PLAIN\r\n");
	g_string_append(session->out, "250-ENHANCEDSTATUSCODES\r\n250-DSN\r\n250 SMTPUTF8\r\n");
}

static void
sink_ok(SinkThread *thread, SinkSession *session)
{
	(void)thread;
	session->n_recipients = 0;
	g_string_append(session->out, "250 2.0.0 Ok\r\n");
}

static void
sink_rcpt(SinkThread *thread, SinkSession *session)
{
	if (g_rand_int_range(thread->luck, 0, 100) < thread->sink->options.refuse_percent) {
		g_string_append(session->out, "451 4.3.0 Try again later\r\n");
		return;
	}
	session->n_recipients++;
	g_string_append(session->out, "250 2.1.5 Ok\r\n");
}

static void
sink_data(SinkThread *thread, SinkSession *session)
{
	(void)thread;
	if (session->n_recipients == 0) {
		g_string_append(session->out, "503 5.5.1 RCPT first\r\n");
		return;
	}
	session->in_data = true;
	session->decoder = (DataDecoder){ 0 };
	g_string_append(session->out, "354 Go on\r\n");
}

static void
sink_starttls(SinkThread *thread, SinkSession *session)
{
	if (thread->sink->tls == NULL || session->link.ssl != NULL) {
		g_string_append(session->out, "502 5.5.1 Not now\r\n");
		return;
	}
	session->starts_tls = true;
	g_string_append(session->out, "220 2.0.0 Ready\r\n");
}

static void
sink_auth(SinkThread *thread, SinkSession *session)
{
	const bool has_auth = thread->sink->options.has_auth;

	g_string_append(session->out, has_auth ? "235 2.7.0 Ok\r\n" : "502 5.5.1 Not here\r\n");
}

static void
sink_quit(SinkThread *thread, SinkSession *session)
{
	(void)thread;
	session->is_closing = true;
	g_string_append(session->out, "221 2.0.0 Bye\r\n");
}

static void
sink_command(SinkThread *thread, SinkSession *session)
{
	static const struct {
		const char *begin;
		void (*run)(SinkThread *thread, SinkSession *session);
	} commands[] = { { "EHLO", sink_ehlo }, { "HELO", sink_ok }, { "MAIL FROM:", sink_ok },
		{ "RCPT TO:", sink_rcpt }, { "DATA", sink_data }, { "RSET", sink_ok }, { "NOOP", sink_ok },
		{ "QUIT", sink_quit }, { "STARTTLS", sink_starttls }, { "AUTH PLAIN ", sink_auth } };

	for (size_t i = 0; i < G_N_ELEMENTS(commands); i++) {
		if (g_ascii_strncasecmp(session->line, commands[i].begin, strlen(commands[i].begin)) == 0) {
			commands[i].run(thread, session);
			return;
		}
	}
	g_string_append(session->out, "502 5.5.2 Not here\r\n");
}

bool
sink_take(SinkThread *thread, SinkSession *session, const char *octets, size_t size)
{
	while (size > 0 && !session->is_closing && !session->starts_tls) {
		const char *lf;
		size_t taken;

		if (session->is_committing) /* no client of ours sends on before the reply to its dot */
			return false;
		if (session->in_data) {
			taken = sink_take_data(thread, session, octets, size);
		} else {
			lf = memchr(octets, '\n', size);
			taken = lf != NULL ? (size_t)(lf - octets) + 1 : size;
			if (session->line_size + taken >= SINK_LINE_MAX)
				return false;
			memcpy(session->line + session->line_size, octets, taken);
			session->line_size += taken;
			session->line[session->line_size] = '\0';
			if (lf != NULL) {
				session->line_size = 0;
				sink_command(thread, session);
			}
		}
		octets += taken;
		size -= taken;
	}
	return true;
}
