/* connection.c - moves octets between a stream and its session; runs on the connection's loop.
 *
 * The session is lent (connection-loan.c); the connection never is. */
#include <openssl/ssl.h>
#include <string.h>

#include "base/wipe.h"
#include "base/log.h"
#include "engine/connection-private.h"
#include "io/socket.h"

/* ---- the end ---- */

void
connection_free(Connection *connection)
{
	g_queue_unlink(&connection->side->connections, &connection->link);
	if (connection->session != NULL) {
		session_end(connection->session);
		session_free(connection->session);
	}
	if (connection->out != NULL)
		g_string_free(connection->out, TRUE);
	g_clear_pointer(&connection->ahead, wipe_free_array);
	g_clear_pointer(&connection->proxy, g_hash_table_unref);
	server_forget_client(&connection->client);
	snapshot_unref(connection->snapshot);
	atomic_fetch_sub(&connection->side->server->connections, 1);
	g_free(connection);
}

/* The descriptor goes at once; the rest when the session comes back. */
void
connection_close(Connection *connection)
{
	Loop *loop = connection->side->loop;

	if (connection->phase == PHASE_GONE)
		return;
	connection->phase = PHASE_GONE;
	loop_unwatch(loop, &connection->watch);
	loop_clear_timer(loop, &connection->timer);
	stream_close(&connection->stream);
	if (connection->client.is_counted)
		client_budget_disconnect(connection->client.budget);
	connection->client.is_counted = false;
	if (!connection->is_lent)
		connection_free(connection);
	else
		session_gone(connection->session);
}

/* ---- sending ---- */

static void
connection_watch(Connection *connection)
{
	const EngineSettings *settings = connection->snapshot->settings;
	const size_t unsent = connection->out != NULL ? connection->out->len - connection->out_sent : 0;
	unsigned events = 0;
	bool reads = !connection->is_closing && !connection->wants_tls && unsent < settings->max_unread;

	if (connection->is_lent)
		reads = reads && (connection->ahead == NULL || connection->ahead->len < settings->max_ahead);
	else if (connection->is_paused)
		reads = false;
	if (connection->phase != PHASE_OPEN)
		reads = !connection->wants_write;
	reads = reads && !connection->has_ended;
	if (reads)
		events |= LOOP_READ;
	if (connection->wants_write)
		events |= LOOP_WRITE;
	loop_set_events(connection->side->loop, &connection->watch, events);
}

/* False: the connection is gone. */
bool
connection_send(Connection *connection)
{
	GString *out = connection->out;
	const size_t before = connection->out_sent;

	connection->wants_write = false;
	while (out != NULL && connection->out_sent < out->len) {
		const ssize_t n =
			stream_write(&connection->stream, out->str + connection->out_sent, out->len - connection->out_sent);

		if (n > 0) {
			connection->out_sent += (size_t)n;
			continue;
		}
		connection->wants_write = n == STREAM_WANTS_WRITE;
		if (n == STREAM_WANTS_WRITE || n == STREAM_AGAIN) {
			connection_note_sent(connection, connection->out_sent - before);
			return true;
		}
		connection_close(connection);
		return false;
	}
	connection_note_sent(connection, connection->out_sent - before);
	if (out != NULL)
		g_string_free(out, TRUE);
	connection->out = NULL;
	connection->out_sent = 0;
	return true;
}

void
connection_add_output(Connection *connection, GString *more)
{
	if (more == NULL)
		return;
	if (connection->out == NULL) {
		connection->out = more;
		return;
	}
	g_string_append_len(connection->out, more->str, (gssize)more->len);
	g_string_free(more, TRUE);
}

/* ---- TLS ---- */

static char *
connection_client_name(SSL *tls)
{
	X509 *certificate = SSL_get1_peer_certificate(tls);
	char *name = NULL;

	if (certificate != NULL) {
		char text[256];

		if (X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, text, sizeof text) > 0)
			name = g_strdup(text);
		X509_free(certificate);
	}
	return name;
}

static void
connection_shake_hands(Connection *connection)
{
	const int result = stream_handshake(&connection->stream);

	connection->wants_write = result == STREAM_WANTS_WRITE;
	if (result == 1) {
		SSL *tls = connection->stream.tls;
		g_autofree char *name = connection_client_name(tls);

		connection->phase = PHASE_OPEN;
		session_secured(connection->session, SSL_get_version(tls), SSL_get_cipher_name(tls), name);
		connection_begin_time(connection);
		connection_settle(connection, SESSION_WANTS_LOOP);
	} else if (result == STREAM_FAILED) {
		session_failed_tls(connection->session, tls_failure());
		connection_close(connection);
	} else {
		connection_watch(connection);
	}
}

static void
connection_start_tls(Connection *connection)
{
	Loop *loop = connection->side->loop;

	connection->wants_tls = false;
	connection->phase = PHASE_HANDSHAKE;
	connection->stream.tls = tls_server_session(connection->snapshot->tls, connection->stream.fd);
	loop_set_timer(loop, &connection->timer, loop_now(loop) + connection->snapshot->settings->handshake_us);
	connection_shake_hands(connection);
}

/* What was earned goes out; then what had to wait for that. */
void
connection_flush(Connection *connection)
{
	if (connection->is_paused) {
		connection_watch(connection);
		return;
	}
	if (!connection_send(connection))
		return;
	if (connection->out == NULL && connection->is_closing) {
		connection_close(connection);
		return;
	}
	if (connection->out == NULL && connection->wants_tls) {
		connection_start_tls(connection);
		return;
	}
	connection_watch(connection);
	connection_arm(connection);
}

static void
connection_take_input(Connection *connection, const char *octets, size_t size)
{
	connection->pace.octets += size;
	if (connection->is_lent) {
		wipe_append(&connection->ahead, octets, size);
		return;
	}
	session_input(connection->session, octets, size);
}

/* A client that has shut its sending side still gets the replies to all that it sent; then the connection is closed.  Whether it
 * has closed its other side, too, shows when something is written. */
static void
connection_end_input(Connection *connection)
{
	connection->has_ended = true;
	if (connection->is_lent || connection->is_paused)
		connection_watch(connection);
	else
		connection_settle(connection, SESSION_WANTS_LOOP);
}

/* TLS may hold decrypted octets that no event will tell of: it is read until it has no more. */
static void
connection_read(Connection *connection)
{
	char *buffer = connection->side->buffer;

	for (;;) {
		const ssize_t n = stream_read(&connection->stream, buffer, SERVER_READ);

		if (n == STREAM_AGAIN || n == STREAM_WANTS_WRITE) {
			connection->wants_write = n == STREAM_WANTS_WRITE;
			connection_watch(connection);
			return;
		}
		if (n == STREAM_END && connection->phase == PHASE_OPEN) {
			connection_end_input(connection);
			return;
		}
		if (n <= 0) {
			connection_close(connection);
			return;
		}
		connection_take_input(connection, buffer, (size_t)n);
		explicit_bzero(buffer, (size_t)n); /* of all connections of the loop, and may have had a password */
		if (connection->stream.tls == NULL || SSL_pending(connection->stream.tls) == 0)
			break;
	}
	if (connection->is_lent)
		connection_watch(connection);
	else
		connection_settle(connection, SESSION_WANTS_LOOP);
}

/* ---- before the session ---- */

static void
connection_begin(Connection *connection, bool is_secured)
{
	const SessionSettings settings = { .engine = connection->side->server->engine,
		.snapshot = connection->snapshot,
		.listener = connection->listener,
		.client = connection->client.address,
		.client_port = connection->client.port,
		.client_budget = connection->client.budget,
		.proxy = connection->proxy,
		.is_secured = is_secured,
		.flush = connection_flush_loan,
		.data = connection };

	connection->session = session_new(&settings);
	connection->phase = PHASE_OPEN;
	connection_begin_time(connection);
	if (is_secured) {
		connection_start_tls(connection);
		return;
	}
	if (socket_has_input(connection->stream.fd)) /* who talks before the greeting is told so */
		connection_read(connection);
	else
		connection_settle(connection, SESSION_WANTS_LOOP);
}

/* A TLS record of type handshake, version 3.x. */
static void
connection_detect_tls(Connection *connection)
{
	unsigned char first[2];
	const ssize_t n = socket_peek(connection->stream.fd, first, sizeof first);

	if (n == 0)
		connection_close(connection);
	else if (n > 0)
		connection_begin(connection, first[0] == 0x16 && (n == 1 || first[1] == 3));
}

void
connection_choose(Connection *connection)
{
	Loop *loop = connection->side->loop;
	const ListenerTls tls = connection->snapshot->tls != NULL ? connection->listener->tls : LISTENER_TLS_NONE;

	if (tls == LISTENER_TLS_AUTO) {
		connection->phase = PHASE_AUTO;
		loop_set_timer(
			loop, &connection->timer, loop_now(loop) + connection->snapshot->settings->auto_tls_wait_us);
		connection_watch(connection);
		connection_detect_tls(connection);
	} else if (connection->listener->tls == LISTENER_TLS_IMPLICIT && tls == LISTENER_TLS_NONE) {
		connection_close(connection);
	} else {
		connection_begin(connection, tls == LISTENER_TLS_IMPLICIT);
	}
}

/* ---- events ---- */

static void
connection_ready(void *data, unsigned events)
{
	Connection *connection = data;

	switch (connection->phase) {
	case PHASE_PROXY:
		connection_read_proxy(connection);
		return;
	case PHASE_AUTO:
		connection_detect_tls(connection);
		return;
	case PHASE_HANDSHAKE:
		connection_shake_hands(connection);
		return;
	case PHASE_OPEN:
		break;
	case PHASE_GONE:
		return;
	}
	if (events & LOOP_WRITE) {
		connection_flush(connection);
		return; /* what can be read is told of again */
	}
	if (connection->has_ended) { /* not watched for input any more: it is an error or a reset */
		connection_close(connection);
		return;
	}
	connection_read(connection);
}

static void
connection_timeout(void *data)
{
	Connection *connection = data;

	if (connection->phase == PHASE_AUTO) {
		connection_begin(connection, false);
	} else if (connection->phase != PHASE_OPEN || connection->is_closing || connection->wants_tls) {
		connection_close(connection);
	} else if (connection->is_lent) {
		connection_watch_loan(connection);
	} else if (connection->is_paused) {
		connection->is_paused = false;
		connection_settle(connection, SESSION_WANTS_LOOP);
	} else {
		connection_judge_time(connection);
	}
}

void
connection_drain(Connection *connection)
{
	connection->is_draining = true;
	if (connection->phase == PHASE_OPEN && !connection->is_lent && !connection->is_paused &&
		!connection->is_closing)
		connection_settle(connection, SESSION_WANTS_LOOP);
	else if (connection->phase != PHASE_OPEN)
		connection_close(connection);
}

void
connection_open(Side *side, Snapshot *snapshot, const ListenerSettings *listener, int fd,
	const ServerClient *client, bool is_from_proxy)
{
	Connection *connection = g_new0(Connection, 1);

	connection->snapshot = snapshot;
	connection->listener = listener;
	connection->side = side;
	connection->pace_out.deadline_us = CLOCK_NEVER;
	connection->is_draining = atomic_load(&side->server->is_draining); /* accepted just before its door was shut */
	connection->client = *client;
	connection->peer = client->address;
	connection->stream.fd = fd;
	connection->watch.ready = connection_ready;
	connection->timer.fire = connection_timeout;
	connection->work.run = connection_work;
	connection->back.run = connection_came_back;
	connection->watch.data = connection->timer.data = connection->work.data = connection->back.data = connection;
	connection->link.data = connection;
	g_queue_push_tail_link(&side->connections, &connection->link);
	if (!loop_watch(side->loop, &connection->watch, fd, LOOP_READ)) {
		connection_close(connection);
		return;
	}
	if (!is_from_proxy) {
		connection_choose(connection);
		return;
	}
	connection->phase = PHASE_PROXY;
	loop_set_timer(side->loop, &connection->timer, loop_now(side->loop) + snapshot->settings->handshake_us);
	connection_read_proxy(connection);
}
