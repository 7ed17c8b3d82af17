/* load-loop.c - opens sessions, moves their octets, and opens them again while work is left. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "load.h"

enum { LOAD_EVENTS = 256, LOAD_READ = 4096, LOAD_OPENING_MAX = 128 };

#define LOAD_PAUSE_NS INT64_C(20000000) /* before a session that failed is opened again */

static void
load_watch(Load *load, LoadSession *session, int operation, bool wants_write)
{
	struct epoll_event event = { .events = EPOLLIN | (wants_write ? EPOLLOUT : 0), .data.ptr = session };

	if (operation == EPOLL_CTL_MOD && session->wants_write == wants_write)
		return;
	session->wants_write = wants_write;
	if (epoll_ctl(load->epoll, operation, session->link.fd, &event) < 0)
		bench_fail("epoll: %s", g_strerror(errno));
}

static void
load_open(Load *load, LoadSession *session)
{
	const int one = 1;

	session->link.fd = socket(load->server.address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (session->link.fd < 0)
		bench_fail("socket: %s", g_strerror(errno));
	(void)setsockopt(session->link.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	session->stage = STAGE_CONNECT;
	session->is_secured = false;
	session->n_messages = 0;
	session->opened_ns = bench_now_ns();
	load->connects++;
	load->n_reserved += load->options.messages_per_session;
	load->n_open++;
	load->n_opening++;
	load_watch(load, session, EPOLL_CTL_ADD, true);
	if (connect(session->link.fd, (const struct sockaddr *)&load->server.address, load->server.size) < 0 &&
		errno != EINPROGRESS) {
		load_note_error(load, "connect: %s", g_strerror(errno));
		load_close(load, session, true);
	}
}

static void
load_count_closed(Load *load, LoadSession *session, bool is_broken)
{
	const LoadOptions *options = &load->options;

	if (session->id != 0) {
		load->refused++;
		load->n_done++;
		if (load->mix != NULL)
			load_mix_record(load, session, false);
	} else if (options->messages_per_session == 0 && session->stage == STAGE_QUIT) {
		load->n_done++;
	}
	if (is_broken)
		load->broken++;
	if (session->stage == STAGE_IDLE)
		load->dropped++;
	else if (options->idle_seconds > 0)
		load->n_opening--;
	session->id = 0;
}

void
load_close(Load *load, LoadSession *session, bool is_broken)
{
	load_count_closed(load, session, is_broken);
	bench_close(&session->link);
	load->n_open--;
	load->n_reserved -= load->options.messages_per_session - session->n_messages;
	g_string_truncate(session->in, 0);
	g_string_truncate(session->out, 0);
	session->content_size = session->sent = 0;
	session->due_ns = 0;
	session->stage = STAGE_CLOSED;
	if (load->options.idle_seconds > 0 || !load_has_work(load))
		return;
	session->stage = STAGE_PAUSE;
	session->reopen_ns = bench_now_ns() + (is_broken ? LOAD_PAUSE_NS : 0);
	load->n_paused++;
}

static void
load_reopen(Load *load)
{
	const int64_t now = bench_now_ns();

	for (int i = 0; i < load->options.sessions && load->n_paused > 0; i++) {
		LoadSession *session = &load->sessions[i];

		if (session->stage != STAGE_PAUSE || session->reopen_ns > now)
			continue;
		load->n_paused--;
		session->stage = STAGE_CLOSED;
		if (load_has_work(load))
			load_open(load, session);
	}
}

/* False: the session was closed. */
static bool
load_flush(Load *load, LoadSession *session)
{
	while (session->sent < session->out->len + session->content_size) {
		const size_t first = MIN(session->sent, session->out->len);
		const size_t second = session->sent - first;
		const ssize_t written = bench_write(&session->link, session->out->str + first, session->out->len - first,
			session->content + second, session->content_size - second);

		if (written == BENCH_AGAIN) {
			load_watch(load, session, EPOLL_CTL_MOD, true);
			return true;
		}
		if (written < 0) {
			load_note_error(load, "stage %d: the server closed while we wrote", session->stage);
			load_close(load, session, true);
			return false;
		}
		session->sent += (size_t)written;
	}
	g_string_truncate(session->out, 0);
	session->content_size = session->sent = 0;
	load_watch(load, session, EPOLL_CTL_MOD, false);
	if (load->mix == NULL || !load_mix_cuts(load, session))
		return true;
	load_mix_leave(load, session);
	return false;
}

/* Sessions whose moment has come: to begin the next message, or to leave. */
static void
load_run_due(Load *load)
{
	const int64_t now = bench_now_ns();

	for (int i = 0; i < load->options.sessions; i++) {
		LoadSession *session = &load->sessions[i];

		if (session->due_ns == 0 || session->due_ns > now || session->link.fd < 0)
			continue;
		session->due_ns = 0;
		if (session->stage == STAGE_WAIT) {
			load_next_message(load, session);
			(void)load_flush(load, session);
		} else if (session->stage == STAGE_CONTENT) {
			load_mix_leave(load, session);
		}
	}
}

static void
load_read(Load *load, LoadSession *session)
{
	char octets[LOAD_READ];
	ssize_t size;

	while ((size = bench_read(&session->link, octets, sizeof octets)) > 0) {
		g_string_append_len(session->in, octets, size);
		if (!load_take_replies(load, session) || !load_flush(load, session))
			return;
		if (session->link.ssl == NULL && size < (ssize_t)sizeof octets)
			return;
	}
	if (size == BENCH_AGAIN)
		return;
	if (session->stage != STAGE_QUIT)
		load_note_error(load, "stage %d: the server closed", session->stage);
	load_close(load, session, session->stage != STAGE_QUIT);
}

void
load_handshake(Load *load, LoadSession *session)
{
	bool wants_write = false;
	const int result = bench_handshake(&session->link, &wants_write);

	if (result == BENCH_AGAIN) {
		load_watch(load, session, EPOLL_CTL_MOD, wants_write);
		return;
	}
	if (result != 1) {
		load_note_error(load, "the TLS handshake failed");
		load_close(load, session, true);
		return;
	}
	load->handshakes++;
	session->is_secured = true;
	session->stage = STAGE_GREETING;
	if (!load->options.is_implicit_tls)
		load_greet(session, load);
	if (load_flush(load, session))
		load_read(load, session); /* the greeting may have come along */
}

static void
load_connected(Load *load, LoadSession *session)
{
	int number = 0;
	socklen_t size = sizeof number;

	(void)getsockopt(session->link.fd, SOL_SOCKET, SO_ERROR, &number, &size);
	if (number != 0) {
		load_note_error(load, "connect: %s", g_strerror(number));
		load_close(load, session, true);
		return;
	}
	session->stage = STAGE_GREETING;
	if (load->options.proxied != NULL)
		g_string_printf(session->out, "PROXY TCP4 %s 127.0.0.1 40000 25\r\n", load->options.proxied);
	if (!load_flush(load, session) || !load->options.is_implicit_tls)
		return;
	bench_start_tls(&session->link, load->tls, false);
	session->stage = STAGE_HANDSHAKE;
	load_handshake(load, session);
}

static void
load_event(Load *load, LoadSession *session, uint32_t events)
{
	if (session->link.fd < 0)
		return;
	if (session->stage == STAGE_CONNECT)
		load_connected(load, session);
	else if (session->stage == STAGE_HANDSHAKE)
		load_handshake(load, session);
	else if ((events & EPOLLOUT) == 0 || load_flush(load, session))
		load_read(load, session);
}

/* Nobody is there, or nobody who speaks as we do: no need to try until the time is over. */
static bool
load_is_hopeless(const Load *load)
{
	return load->ready == 0 && load->broken > 20 * (gint64)load->options.sessions + 100;
}

static bool
load_is_done(const Load *load)
{
	if (load_is_hopeless(load))
		return true;
	if (load->options.idle_seconds > 0)
		return load->n_opening == 0 && load->connects == load->options.sessions;
	return load->n_open == 0 && load->n_paused == 0;
}

static void
load_round(Load *load, int timeout_ms)
{
	struct epoll_event events[LOAD_EVENTS];
	const int n = epoll_wait(load->epoll, events, LOAD_EVENTS, timeout_ms);

	for (int i = 0; i < n; i++)
		load_event(load, events[i].data.ptr, events[i].events);
}

static void
load_hold(Load *load, const volatile sig_atomic_t *is_stopped)
{
	const int64_t until = bench_now_ns() + (int64_t)(load->options.idle_seconds * 1e9);

	load_report_idle(load);
	while (!*is_stopped && bench_now_ns() < until)
		load_round(load, 50);
}

void
load_run(Load *load, const volatile sig_atomic_t *is_stopped)
{
	const bool is_idle = load->options.idle_seconds > 0;
	const int64_t until = load->started_ns + (int64_t)(load->options.seconds * 1e9);
	int next = 0;

	do {
		while (next < load->options.sessions &&
			(is_idle ? load->n_opening < LOAD_OPENING_MAX : load_has_work(load)))
			load_open(load, &load->sessions[next++]);
		load_round(load, load->mix != NULL ? 1 : load->n_paused > 0 ? 5 : 50);
		if (load->mix != NULL)
			load_run_due(load);
		if (load->n_paused > 0)
			load_reopen(load);
	} while (!*is_stopped && bench_now_ns() < until && !load_is_done(load));
	if (is_idle)
		load_hold(load, is_stopped);
	for (int i = 0; load->mix != NULL && i < load->options.sessions; i++)
		if (load->sessions[i].id != 0)
			load_mix_record(load, &load->sessions[i], false);
}
