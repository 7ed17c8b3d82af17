/* connection-private.h - what connection.c and connection-loan.c share. */
#pragma once

#include "engine/pace.h"
#include "engine/server-private.h"

#define CONNECTION_GRACE_US CLOCK_SECOND    /* for a hook to notice its deadline itself */
#define CONNECTION_QUEUE_US (10 * CLOCK_SECOND) /* a loan may wait for its worker        */

typedef enum { PHASE_PROXY, PHASE_AUTO, PHASE_HANDSHAKE, PHASE_OPEN, PHASE_GONE } Phase;

struct Connection {
	Side *side;
	Snapshot *snapshot;
	const ListenerSettings *listener;
	Session *session;      /* NULL before it is known how the client speaks */
	Stream stream;
	LoopWatch watch;
	LoopTimer timer;
	GList link;
	Phase phase;
	ServerClient client;
	GHashTable *proxy;     /* what its PROXY header says beyond the address; NULL: nothing */
	IpAddress peer;        /* who connected: the client, or its proxy */
	bool is_lent, has_work, is_paused, is_closing, wants_tls, wants_write, is_draining;
	bool has_ended;        /* the client sends no more; it may still read (RFC 793 3.5, RFC 8446 6.1) */
	GByteArray *ahead;     /* read while the session is lent */
	GString *out;
	size_t out_sent;
	int64_t farewell_us;   /* of a connection that is closing: until when its last reply may be read */
	Pace pace;
	PaceOut pace_out;
	Work work;
	Workers *pool;
	LoopPost back;
	SessionNeed need;      /* of the loan that came back */
	bool was_committed;
	SpoolResult result;
};

/* ---- connection.c ---- */
void connection_free(Connection *connection);
void connection_close(Connection *connection);
/* False: the connection is gone. */
bool connection_send(Connection *connection);
/* What was earned goes out; then what had to wait for that. */
void connection_flush(Connection *connection);
void connection_add_output(Connection *connection, GString *more /* takes; NULL: nothing */);

/* How the client speaks is found out now. */
void connection_choose(Connection *connection);

/* ---- connection-proxy.c ---- */
/* Takes the PROXY header as soon as it is there; the connection may be gone then. */
void connection_read_proxy(Connection *connection);

/* ---- connection-time.c ---- */
/* The session was made, or TLS was begun: its time begins. */
void connection_begin_time(Connection *connection);
/* Sets the timer to the next deadline of an open connection; does nothing while another rules (a loan, a pause). */
void connection_arm(Connection *connection);
/* Octets of `out` went. */
void connection_note_sent(Connection *connection, uint64_t sent);
/* The timer of an open connection: ends the session or the connection, or sets the timer again.  It may be gone. */
void connection_judge_time(Connection *connection);

/* ---- connection-loan.c ---- */
/* Serves what the session needs, and runs it until it needs something from outside. */
void connection_settle(Connection *connection, SessionNeed need);
/* The loan's timer: is its hook stuck? */
void connection_watch_loan(Connection *connection);
/* By a worker, with a Connection*: replies already earned do not wait for the hook that comes. */
void connection_flush_loan(void *data);
/* The session came back; run by the loop. */
void connection_came_back(void *data);
/* By a worker: runs the session there. */
void connection_work(void *data);
