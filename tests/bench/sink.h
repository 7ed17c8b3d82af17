/* sink.h - the sink: threads that take messages, each with its own listener, loop and segment.
 *
 * smtp-sink.c reads the options and counts, sink-loop.c moves octets, sink-session.c speaks SMTP,
 * sink-store.c makes messages durable. */
#pragma once

#include <stdatomic.h>

#include "bench.h"
#include "proto/data.h"

enum { SINK_LINE_MAX = 1024, SINK_HEAD_MAX = 4096, SINK_READ = 65536 };

typedef struct {
	int threads, refuse_percent;
	gint64 expected;       /* ids 1 … expected are looked for; 0: none */
	double seconds;
	gboolean is_implicit_tls, has_auth;
	char *store, *certificate, *key, *ids_to;
} SinkOptions;

/* What all threads share: the ids seen. */
typedef struct {
	SinkOptions options;
	BenchAddress address;
	SSL_CTX *tls;
	atomic_uchar *seen;
	atomic_llong unique, doubled, strangers;
	atomic_bool is_stopped;
} Sink;

typedef struct {
	BenchLink link;
	bool is_handshaking, wants_write, is_closing, starts_tls, in_data, is_committing;
	unsigned n_recipients;
	DataDecoder decoder;
	size_t line_size;
	char line[SINK_LINE_MAX];
	GString *out;
	GString *content; /* of the message: whole if it is stored, else its head */
} SinkSession;

typedef struct {
	Sink *sink;
	GThread *thread;
	int epoll, listener, segment; /* segment -1: nothing is stored */
	GPtrArray *committing;        /* of SinkSession*, whose messages wait for the sync */
	GString *batch;
	guint64 position;
	GRand *luck;
	gint64 messages, octets, connections, handshakes, commits;
	int64_t first_ns, last_ns;
} SinkThread;

/* sink-loop.c */
gpointer sink_thread_run(gpointer thread);
void sink_flush(SinkThread *thread, SinkSession *session); /* may free it */

/* sink-session.c; false: the client broke the protocol. */
bool sink_take(SinkThread *thread, SinkSession *session, const char *octets, size_t size);
void sink_greet(SinkSession *session);

/* sink-store.c */
void sink_store_open(SinkThread *thread, unsigned number);
void sink_store_add(SinkThread *thread, SinkSession *session);
void sink_store_commit(SinkThread *thread); /* then answers those who wait */

/* smtp-sink.c */
void sink_note_id(Sink *sink, const GString *content);
