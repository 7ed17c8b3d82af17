/* session.h - one SMTP conversation: octets in, replies out, no I/O of its own (RFC 5321).
 *
 * The connection moves octets between it and a stream; a test or a fuzzer does the same without one.
 * One thread at a time; session_gone() and session_orphan() may come from another. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine/engine.h"

typedef struct Session Session;

/* What it needs before it can go on. */
typedef enum {
	SESSION_WANTS_INPUT,
	SESSION_WANTS_WORKER,   /* the next hook may wait, or content is to be written: session_run() there */
	SESSION_WANTS_CRUNCHER,
	SESSION_WANTS_LOOP,     /* a cruncher's work is done: session_run() on the loop */
	SESSION_WANTS_COMMIT,   /* session_take_transaction(), commit, session_committed() */
	SESSION_WANTS_TLS,      /* its output sent: a handshake, then session_secured() */
	SESSION_WANTS_PAUSE,    /* its output is to wait session_pause_us() */
	SESSION_WANTS_CLOSE,    /* its output sent: close */
} SessionNeed;

typedef struct {
	Engine *engine;
	Snapshot *snapshot;                /* a reference is taken */
	const ListenerSettings *listener;  /* of the snapshot      */
	IpAddress client;
	uint16_t client_port;
	ClientBudget *client_budget;       /* a reference is taken; NULL: nothing is counted */
	GHashTable *proxy;                 /* see SessionFacts; a reference is taken; NULL: nothing */
	bool is_secured;                   /* TLS from the start: session_secured() follows at once */
	struct Explanation *explanation;   /* a rehearsal that fills it (explain.h); NULL: in earnest */
	/* Called on workers when replies were earned, to take them by session_take_output(). */
	void (*flush)(void *data);
	void *data;
} SessionSettings;

Session *session_new(const SessionSettings *settings);
/* After session_end(), if it ever ran. */
void session_free(Session *session);

/* Octets from the peer: consumed as far as may be, the rest is kept.  Then session_run(). */
void session_input(Session *session, const void *data, size_t size);
/* How much waits unconsumed: the connection stops reading beyond its bound. */
size_t session_input_waiting(const Session *session);
SessionNeed session_run(Session *session, Place place);
/* Replies earned so far; new, NULL: none. */
GString *session_take_output(Session *session);
int64_t session_pause_us(const Session *session);

/* The handshake's facts; strings are copied, NULL where there are none. */
void session_secured(Session *session, const char *version, const char *cipher, const char *client_name);
/* STARTTLS was answered with 220 and the handshake failed: nothing more can be said. */
void session_failed_tls(Session *session, const char *reason);
SpoolTransaction *session_take_transaction(Session *session);
void session_committed(Session *session, SpoolResult result);

/* Replies the loop itself gives, formed here: the words of 421 and their log line. */
typedef enum { SESSION_IDLE, SESSION_SLOW, SESSION_OLD, SESSION_STOPPING } SessionEnd;
void session_say_end(Session *session, SessionEnd why);
/* The pool it wanted is full, or it waited there too long: the stage ends with 451 or 454.  `why`: in whose words; NULL: the
 * gateway's own. */
void session_busy(Session *session, const BudgetRefusal *why);
/* True while nothing of a transaction is under way: a good moment to end it. */
bool session_is_between_messages(const Session *session);
/* True while the hooks that judge AUTH run. */
bool session_is_authenticating(const Session *session);

/* Lines that were taken as commands or answers, since the beginning: whether the client gets on. */
uint64_t session_steps(const Session *session);
/* True from DATA or the first BDAT to the end of the message, also while octets of a refused chunk are passed over. */
bool session_is_in_message(const Session *session);
/* When it has lasted too long (monotonic): at session-max-time between two messages, an idle-timeout later with an envelope
 * begun, CLOCK_NEVER within a message. */
int64_t session_ends_by(const Session *session);

/* Any thread: the client is gone; services of running hooks fail from now on. */
void session_gone(Session *session);
/* Any thread: when the running hook's deadline is (monotonic µs; 0: none runs). */
int64_t session_hook_deadline(const Session *session);
/* Any thread: gives up the running hook and what it was asked about; logs plugin and stage.  False: it came back just now. */
bool session_orphan(Session *session);
/* Last of all: tells the observers. */
void session_end(Session *session);
