/* sink.h - the sink: threads that take messages, each with its own listener, loop and segment.
 *
 * smtp-sink.c reads the options and counts, sink-loop.c moves octets, sink-session.c speaks SMTP,
 * sink-reply.c answers messages, sink-record.c writes down what became of each recipient, sink-store.c makes messages
 * durable. */
#pragma once

#include <stdatomic.h>
#include <stdio.h>

#include "bench.h"
#include "proto/data.h"

enum { SINK_LINE_MAX = 1024, SINK_HEAD_MAX = 4096, SINK_REPORT_MAX = 65536, SINK_READ = 65536 };

typedef struct {
	int threads, refuse_percent;
	gint64 expected;       /* ids 1 … expected are looked for; 0: none */
	double seconds;
	gboolean is_implicit_tls, has_auth;
	char *store, *certificate, *key, *ids_to, *record_to;
	gboolean is_by_name;   /* the recipient's name says what is answered: gone… 550, later… now and then 450 */
	int drop_percent;      /* messages of a hundred in which the connection is closed, before anything is accepted */
	double delay_ms;       /* of the reply to a message, on average */
} SinkOptions;

/* What all threads share: the ids seen. */
typedef struct {
	SinkOptions options;
	BenchAddress address;
	SSL_CTX *tls;
	atomic_uchar *seen;
	atomic_llong unique, doubled, strangers;
	atomic_bool is_stopped;
	FILE *record; /* NULL: none */
} Sink;

typedef struct {
	BenchLink link;
	uint32_t watched; /* events of epoll */
	bool is_handshaking, is_closing, starts_tls, in_data, is_committing;
	unsigned n_recipients;
	GPtrArray *recipients; /* of char*; only for the record */
	bool is_report;        /* the sender is null */
	DataDecoder decoder;
	size_t line_size;
	char line[SINK_LINE_MAX];
	GString *out;
	GString *content; /* of the message: whole if it is stored, else its head */
	unsigned n_end;   /* octets seen of the empty line behind the header */
	guint32 body_crc;
	guint64 body_size;
	int64_t due_ns;   /* the reply to the message is sent then; 0: none is due */
	GString *rest;    /* came before that reply and is taken behind it */
} SinkSession;

typedef struct {
	Sink *sink;
	GThread *thread;
	int epoll, listener, segment; /* segment -1: nothing is stored */
	GPtrArray *committing;        /* of SinkSession*, whose messages wait for the sync */
	GPtrArray *slow;              /* of SinkSession*, whose replies are due later */
	GString *batch;
	guint64 position;
	GRand *luck;
	gint64 messages, octets, connections, handshakes, commits;
	int64_t first_ns, last_ns;
} SinkThread;

/* sink-loop.c */
gpointer sink_thread_run(gpointer thread);
void sink_flush(SinkThread *thread, SinkSession *session); /* may free it */
void sink_go_on(SinkThread *thread, SinkSession *session, bool is_well); /* behind a late reply; may free it */

/* sink-session.c; false: the client broke the protocol. */
bool sink_take(SinkThread *thread, SinkSession *session, const char *octets, size_t size);
void sink_greet(SinkSession *session);

/* sink-reply.c */
bool sink_is_slow(const Sink *sink);
bool sink_reply_taken(SinkThread *thread, SinkSession *session); /* false: the client has gone, nothing was accepted */
void sink_note_taken(SinkThread *thread, const SinkSession *session); /* counts it */
void sink_reply_later(SinkThread *thread, SinkSession *session);
void sink_reply_due(SinkThread *thread);
int sink_reply_wait_ms(const SinkThread *thread);

/* sink-record.c; without --record nothing is written. */
void sink_record_open(Sink *sink);
void sink_record_close(Sink *sink);
void sink_record_begin(SinkSession *session);
void sink_record_content(SinkSession *session, const char *octets, size_t size);
void sink_record_message(Sink *sink, const SinkSession *session, bool is_accepted);
void sink_record_refusal(Sink *sink, const char *recipient);

/* sink-store.c */
void sink_store_open(SinkThread *thread, unsigned number);
void sink_store_add(SinkThread *thread, SinkSession *session);
void sink_store_commit(SinkThread *thread); /* then answers those who wait */

/* smtp-sink.c */
void sink_note_id(Sink *sink, const GString *content);
gint64 sink_content_id(const GString *content); /* X-Bench-Id; 0: none */
