/* sink-loop.c - accepts, reads, writes; then commits what the round brought. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "sink.h"

enum { SINK_EVENTS = 512, SINK_ACCEPTS = 64 };

static void
sink_watch(SinkThread *thread, SinkSession *session, int operation, bool wants_write)
{
	struct epoll_event event = { .data.ptr = session };

	event.events = (session->due_ns == 0 ? EPOLLIN : EPOLLRDHUP) | (wants_write ? EPOLLOUT : 0);
	if (operation == EPOLL_CTL_MOD && session->watched == event.events)
		return;
	session->watched = event.events;
	if (epoll_ctl(thread->epoll, operation, session->link.fd, &event) < 0)
		bench_fail("epoll: %s", g_strerror(errno));
}

static void
sink_session_free(SinkThread *thread, SinkSession *session)
{
	if (session->is_committing)
		g_ptr_array_remove_fast(thread->committing, session);
	if (session->due_ns != 0)
		g_ptr_array_remove_fast(thread->slow, session);
	bench_close(&session->link);
	g_ptr_array_free(session->recipients, TRUE);
	g_string_free(session->rest, TRUE);
	g_string_free(session->out, TRUE);
	g_string_free(session->content, TRUE);
	g_free(session);
}

static void
sink_start_tls(SinkThread *thread, SinkSession *session)
{
	session->starts_tls = false;
	session->is_handshaking = true;
	session->line_size = 0;
	bench_start_tls(&session->link, thread->sink->tls, true);
}

void
sink_flush(SinkThread *thread, SinkSession *session)
{
	while (session->out->len > 0) {
		const ssize_t written = bench_write(&session->link, session->out->str, session->out->len, "", 0);

		if (written == BENCH_AGAIN) {
			sink_watch(thread, session, EPOLL_CTL_MOD, true);
			return;
		}
		if (written < 0) {
			sink_session_free(thread, session);
			return;
		}
		g_string_erase(session->out, 0, written);
	}
	if (session->is_closing && !session->is_committing) {
		sink_session_free(thread, session);
		return;
	}
	if (session->starts_tls)
		sink_start_tls(thread, session);
	sink_watch(thread, session, EPOLL_CTL_MOD, false);
}

/* False: not done yet, or the session is gone. */
static bool
sink_handshake(SinkThread *thread, SinkSession *session)
{
	bool wants_write = false;
	const int result = bench_handshake(&session->link, &wants_write);

	if (result == BENCH_AGAIN)
		sink_watch(thread, session, EPOLL_CTL_MOD, wants_write);
	else if (result != 1)
		sink_session_free(thread, session);
	if (result != 1)
		return false;
	thread->handshakes++;
	session->is_handshaking = false;
	if (thread->sink->options.is_implicit_tls)
		sink_greet(session);
	return true;
}

static void
sink_read(SinkThread *thread, SinkSession *session)
{
	char octets[SINK_READ];
	ssize_t size;

	while ((size = bench_read(&session->link, octets, sizeof octets)) > 0) {
		if (!sink_take(thread, session, octets, (size_t)size)) {
			sink_session_free(thread, session);
			return;
		}
		if (session->is_closing || session->starts_tls || session->due_ns != 0 || (session->link.ssl == NULL && size < SINK_READ))
			break;
	}
	if (size == BENCH_CLOSED || size == BENCH_BROKEN)
		sink_session_free(thread, session);
	else
		sink_flush(thread, session);
}

void
sink_go_on(SinkThread *thread, SinkSession *session, bool is_well)
{
	g_autoptr(GString) rest = session->rest;

	session->rest = g_string_new(NULL);
	if (is_well && sink_take(thread, session, rest->str, rest->len))
		sink_flush(thread, session);
	else
		sink_session_free(thread, session);
}

/* While a reply is due nothing is read, but the end of the connection is seen at once. */
static void
sink_event(SinkThread *thread, SinkSession *session, uint32_t events)
{
	if (session->due_ns != 0 && (events & (EPOLLERR | EPOLLHUP | EPOLLRDHUP)) != 0) {
		sink_record_message(thread->sink, session, false);
		sink_session_free(thread, session);
	} else if (session->due_ns != 0) {
		sink_flush(thread, session);
	} else if (!session->is_handshaking || sink_handshake(thread, session)) {
		sink_read(thread, session);
	}
}

static void
sink_accept(SinkThread *thread)
{
	const int one = 1;

	for (int i = 0; i < SINK_ACCEPTS; i++) {
		SinkSession *session;
		const int fd = accept4(thread->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0)
			return;
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
		session = g_new0(SinkSession, 1);
		session->link.fd = fd;
		session->out = g_string_new(NULL);
		session->content = g_string_new(NULL);
		session->rest = g_string_new(NULL);
		session->recipients = g_ptr_array_new_with_free_func(g_free);
		thread->connections++;
		sink_watch(thread, session, EPOLL_CTL_ADD, false);
		if (thread->sink->options.is_implicit_tls)
			sink_start_tls(thread, session);
		else
			sink_greet(session);
		sink_flush(thread, session);
	}
}

static void
sink_listen(SinkThread *thread)
{
	const BenchAddress *address = &thread->sink->address;
	struct epoll_event event = { .events = EPOLLIN };
	const int one = 1;

	thread->listener = socket(address->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	(void)setsockopt(thread->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	(void)setsockopt(thread->listener, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
	if (bind(thread->listener, (const struct sockaddr *)&address->address, address->size) < 0 ||
		listen(thread->listener, 16384) < 0)
		bench_fail("cannot listen: %s", g_strerror(errno));
	thread->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (thread->epoll < 0 || epoll_ctl(thread->epoll, EPOLL_CTL_ADD, thread->listener, &event) < 0)
		bench_fail("epoll: %s", g_strerror(errno));
}

gpointer
sink_thread_run(gpointer data)
{
	SinkThread *thread = data;
	struct epoll_event events[SINK_EVENTS];

	sink_listen(thread);
	while (!atomic_load(&thread->sink->is_stopped)) {
		const int n = epoll_wait(thread->epoll, events, SINK_EVENTS, sink_reply_wait_ms(thread));

		for (int i = 0; i < n; i++) {
			SinkSession *session = events[i].data.ptr;

			if (session == NULL)
				sink_accept(thread);
			else
				sink_event(thread, session, events[i].events);
		}
		sink_reply_due(thread);
		sink_store_commit(thread);
	}
	return NULL;
}
