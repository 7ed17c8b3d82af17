/* load-session.c - the client's side of SMTP: one reply after the other. */
#include <stdio.h>
#include <string.h>

#include "load.h"

enum { LOAD_LINE_MAX = 4096 };

void
load_note_error(Load *load, const char *format, ...)
{
	va_list arguments;

	if (load->first_error->len > 0)
		return;
	va_start(arguments, format);
	g_string_vprintf(load->first_error, format, arguments);
	va_end(arguments);
	for (char *c = load->first_error->str; *c != '\0'; c++)
		if ((unsigned char)*c < ' ' || (unsigned char)*c > '~' || *c == '"' || *c == '\\')
			*c = ' ';
}

static gint64
load_last_id(const Load *load)
{
	return load->options.first_id - 1 + load->options.messages;
}

bool
load_has_work(const Load *load)
{
	const LoadOptions *options = &load->options;

	if (options->messages_per_session == 0)
		return load->n_done + load->n_open + load->n_paused < options->messages;
	return load->next_id + load->n_reserved <= load_last_id(load);
}

static void
load_sample(GArray *samples, int64_t since_ns)
{
	const guint32 us = (guint32)CLAMP((bench_now_ns() - since_ns) / 1000, 0, G_MAXUINT32);

	g_array_append_val(samples, us);
}

void
load_greet(LoadSession *session, const Load *load)
{
	g_string_append_printf(session->out, "EHLO %s\r\n", load->options.helo);
	session->stage = STAGE_EHLO;
}

static void
load_quit(LoadSession *session)
{
	g_string_append(session->out, "QUIT\r\n");
	session->stage = STAGE_QUIT;
}

/* Session->n_named of the recipients were sent before; all that are left if the client pipelines, else one. */
static void
load_name_recipients(const Load *load, LoadSession *session)
{
	const guint until = load->options.is_pipelining ? session->recipients->len : session->n_named + 1;

	for (; session->n_named < until; session->n_named++)
		g_string_append_printf(session->out, "RCPT TO:<%s>\r\n",
			(const char *)session->recipients->pdata[session->n_named]);
}

static void
load_begin_message(Load *load, LoadSession *session)
{
	const LoadOptions *options = &load->options;

	session->n_messages++;
	load->n_reserved--;
	session->id = load->next_id++;
	session->n_named = session->n_accepted = 0;
	if (load->mix != NULL)
		load_mix_draw(load, session);
	session->mail_ns = bench_now_ns();
	session->stage = STAGE_MAIL;
	g_string_append_printf(session->out, "MAIL FROM:<%s>\r\n", options->sender);
	if (options->is_pipelining) {
		load_name_recipients(load, session);
		g_string_append(session->out, "DATA\r\n");
	}
}

void
load_next_message(Load *load, LoadSession *session)
{
	const LoadOptions *options = &load->options;

	if (session->n_messages >= options->messages_per_session || load->next_id > load_last_id(load)) {
		load_quit(session);
	} else if (load->mix != NULL && session->stage != STAGE_WAIT && load_mix_must_wait(load, session)) {
		session->stage = STAGE_WAIT;
	} else {
		load_begin_message(load, session);
	}
}

static void
load_ready(Load *load, LoadSession *session)
{
	load_sample(load->setups, session->opened_ns);
	load->ready++;
	if (load->options.idle_seconds > 0) {
		session->stage = STAGE_IDLE;
		load->n_opening--;
	} else if (load->options.messages_per_session == 0) {
		load->last_ns = bench_now_ns();
		load_quit(session);
	} else {
		load_next_message(load, session);
	}
}

static void
load_after_greeting(Load *load, LoadSession *session)
{
	load_greet(session, load);
}

static void
load_after_auth(Load *load, LoadSession *session)
{
	load_ready(load, session);
}

static void
load_after_ehlo(Load *load, LoadSession *session)
{
	if (load->options.has_starttls && !session->is_secured) {
		g_string_append(session->out, "STARTTLS\r\n");
		session->stage = STAGE_STARTTLS;
	} else if (load->auth_line != NULL) {
		g_string_append(session->out, load->auth_line);
		session->stage = STAGE_AUTH;
	} else {
		load_ready(load, session);
	}
}

static void
load_after_mail(Load *load, LoadSession *session)
{
	load_name_recipients(load, session);
	session->stage = STAGE_RCPT;
}

static void
load_after_rcpt(Load *load, LoadSession *session)
{
	if (++session->n_accepted < session->recipients->len) {
		load_name_recipients(load, session);
		return;
	}
	if (!load->options.is_pipelining)
		g_string_append(session->out, "DATA\r\n");
	session->stage = STAGE_DATA;
}

static void
load_after_data(Load *load, LoadSession *session)
{
	const LoadOptions *options = &load->options;
	const size_t before = session->out->len;
	size_t header;

	if (load->mix != NULL) {
		load_mix_content(load, session);
		return;
	}
	g_string_append_printf(session->out, "From: <%s>\r\nTo: <%s>\r\nSubject: bench\r\n"
		"Date: Thu, 01 Jan 2026 00:00:00 +0000\r\nMessage-ID: <%" G_GINT64_FORMAT ".%" G_GINT64_FORMAT "@%s>\r\n"
		"X-Bench-Id: %" G_GINT64_FORMAT "\r\n", options->sender, options->recipient, load->started_ns,
		session->id, options->helo, session->id);
	session->stage = STAGE_CONTENT;
	if (options->content != NULL) {
		session->content = load->filler->str;
		session->content_size = load->filler->len;
		return;
	}
	g_string_append(session->out, "\r\n");
	header = MIN(session->out->len - before, (size_t)options->size_bytes);
	if (load->filler->str[header] == '\n')
		header++; /* no bare LF: the cut was between CR and LF, and the message is an octet shorter */
	session->content = load->filler->str + header;
	session->content_size = load->filler->len - header;
}

static void
load_after_content(Load *load, LoadSession *session)
{
	load_sample(load->latencies, session->mail_ns);
	load->last_ns = bench_now_ns();
	load->accepted++;
	load->n_done++;
	if (load->mix != NULL)
		load_mix_record(load, session, true);
	else if (load->accepted_log != NULL)
		fprintf(load->accepted_log, "%" G_GINT64_FORMAT "\n", session->id);
	session->id = 0;
	load_next_message(load, session);
}

/* What a stage waits for, and what is done then.  QUIT and STARTTLS are closing and handshake, handled apart. */
static const struct {
	LoadStage stage;
	int code;
	void (*proceed)(Load *load, LoadSession *session);
} load_stages[] = {
	{ STAGE_GREETING, 220, load_after_greeting }, { STAGE_EHLO, 250, load_after_ehlo },
	{ STAGE_AUTH, 235, load_after_auth }, { STAGE_MAIL, 250, load_after_mail },
	{ STAGE_RCPT, 250, load_after_rcpt }, { STAGE_DATA, 354, load_after_data },
	{ STAGE_CONTENT, 250, load_after_content },
};

/* Takes the last line of a reply; false: the session was closed. */
static bool
load_take_reply(Load *load, LoadSession *session, int code, const char *text)
{
	if (session->stage == STAGE_QUIT) {
		load_close(load, session, false);
		return false;
	}
	if (session->stage == STAGE_STARTTLS && code == 220) {
		bench_start_tls(&session->link, load->tls, false);
		session->stage = STAGE_HANDSHAKE;
		g_string_truncate(session->in, 0); /* nothing of before the handshake counts behind it */
		load_handshake(load, session);
		return false;
	}
	for (size_t i = 0; i < G_N_ELEMENTS(load_stages); i++) {
		if (load_stages[i].stage == session->stage && load_stages[i].code == code) {
			load_stages[i].proceed(load, session);
			return true;
		}
	}
	load_note_error(load, "stage %d: %s", session->stage, text);
	session->is_refused = true;
	load_close(load, session, true);
	return false;
}

bool
load_take_replies(Load *load, LoadSession *session)
{
	size_t at = 0;
	char *lf;

	while ((lf = memchr(session->in->str + at, '\n', session->in->len - at)) != NULL) {
		char *line = session->in->str + at;

		*lf = '\0';
		at = (size_t)(lf - session->in->str) + 1;
		if (lf - line < 3)
			break;
		if (line[3] == '-')
			continue;
		if (!load_take_reply(load, session, (int)g_ascii_strtoll(line, NULL, 10), line))
			return false;
	}
	g_string_erase(session->in, 0, (gssize)at);
	if (session->in->len <= LOAD_LINE_MAX)
		return true;
	load_note_error(load, "stage %d: a reply without end", session->stage);
	load_close(load, session, true);
	return false;
}
