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
	g_string_append_len(((SinkSession *)data)->content, octets, (gssize)size);
}

static void
sink_head(void *data, const char *octets, size_t size)
{
	SinkSession *session = data;
	GString *head = session->content;
	const size_t most = session->is_report ? SINK_REPORT_MAX : SINK_HEAD_MAX;

	if (head->len < most)
		g_string_append_len(head, octets, (gssize)MIN(size, most - head->len));
}

static void
sink_head_and_body(void *data, const char *octets, size_t size)
{
	sink_head(data, octets, size);
	sink_record_content(data, octets, size);
}

/* False: the connection is to be closed. */
static bool
sink_message_done(SinkThread *thread, SinkSession *session)
{
	session->in_data = false;
	session->n_recipients = 0;
	if (g_rand_int_range(thread->luck, 0, 100) < thread->sink->options.drop_percent)
		return false;
	if (thread->segment >= 0)
		sink_store_add(thread, session);
	else if (sink_is_slow(thread->sink))
		sink_reply_later(thread, session);
	else
		return sink_reply_taken(thread, session);
	return true;
}

/* False: the connection is to be closed. */
static bool
sink_take_data(SinkThread *thread, SinkSession *session, const char *octets, size_t size, size_t *used)
{
	const bool is_end = data_decode(&session->decoder, octets, size, used,
		thread->segment >= 0              ? sink_content
		: thread->sink->record != NULL    ? sink_head_and_body
										  : sink_head, session) == DATA_END;

	thread->octets += (gint64)*used;
	return !is_end || sink_message_done(thread, session);
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
	g_ptr_array_set_size(session->recipients, 0);
	g_string_append(session->out, "250 2.0.0 Ok\r\n");
}

static void
sink_mail(SinkThread *thread, SinkSession *session)
{
	session->is_report = g_ascii_strncasecmp(session->line, "MAIL FROM:<>", 12) == 0;
	sink_ok(thread, session);
}

/* True: answered, as the recipient's name says. */
static bool
sink_refuses(SinkThread *thread, SinkSession *session, const char *recipient)
{
	if (g_str_has_prefix(recipient, "gone")) {
		sink_record_refusal(thread->sink, recipient);
		g_string_append(session->out, "550 5.1.1 There is no such mailbox\r\n");
		return true;
	}
	if (!g_str_has_prefix(recipient, "later") || g_rand_boolean(thread->luck))
		return false;
	g_string_append(session->out, "450 4.2.1 Try again later\r\n");
	return true;
}

static void
sink_rcpt(SinkThread *thread, SinkSession *session)
{
	const char *begin = strchr(session->line, '<'), *end = strchr(session->line, '>');
	g_autofree char *recipient = NULL;

	if (begin == NULL || end == NULL || end < begin) {
		g_string_append(session->out, "501 5.1.3 Not an address\r\n");
		return;
	}
	recipient = g_strndup(begin + 1, (gsize)(end - begin - 1));
	if (thread->sink->options.is_by_name && sink_refuses(thread, session, recipient))
		return;
	if (g_rand_int_range(thread->luck, 0, 100) < thread->sink->options.refuse_percent) {
		g_string_append(session->out, "451 4.3.0 Try again later\r\n");
		return;
	}
	session->n_recipients++;
	if (thread->sink->record != NULL)
		g_ptr_array_add(session->recipients, g_steal_pointer(&recipient));
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
	g_string_truncate(session->content, 0);
	sink_record_begin(session);
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
	} commands[] = { { "EHLO", sink_ehlo }, { "HELO", sink_ok }, { "MAIL FROM:", sink_mail },
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

		if (session->due_ns != 0) {
			g_string_append_len(session->rest, octets, (gssize)size);
			return true;
		}
		if (session->is_committing) /* no client of ours sends on before the reply to its dot */
			return false;
		if (session->in_data) {
			if (!sink_take_data(thread, session, octets, size, &taken))
				return false;
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
