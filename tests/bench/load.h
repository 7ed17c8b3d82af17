/* load.h - the load generator: a table of sessions on one epoll loop.
 *
 * smtp-load.c reads the options, load-loop.c moves octets, load-session.c speaks SMTP, load-report.c tells. */
#pragma once

#include <signal.h>
#include <stdio.h>

#include "bench.h"

typedef struct {
	int sessions, messages_per_session; /* at once; messages 0: only sessions, `messages` of them */
	gint64 messages, size_bytes;
	double seconds, idle_seconds;       /* idle_seconds > 0: open `sessions`, hold them */
	gboolean has_starttls, is_implicit_tls, is_pipelining;
	char *auth, *sender, *recipient, *helo, *accepted_to;
	char *proxied;                      /* the client's address, told by a PROXY header; NULL: none */
} LoadOptions;

typedef enum {
	STAGE_CLOSED, STAGE_PAUSE, STAGE_CONNECT, STAGE_HANDSHAKE, /* no replies in these */
	STAGE_GREETING, STAGE_EHLO, STAGE_STARTTLS, STAGE_AUTH, STAGE_MAIL, STAGE_RCPT, STAGE_DATA, STAGE_CONTENT,
	STAGE_IDLE, STAGE_QUIT,
} LoadStage;

typedef struct {
	BenchLink link;
	LoadStage stage;
	bool is_secured, wants_write;
	int n_messages;      /* of this session */
	gint64 id;           /* of the message under way, 0: none */
	int64_t opened_ns, mail_ns, reopen_ns;
	GString *in, *out;
	const char *content; /* shared; goes out behind `out` */
	size_t content_size, sent; /* `sent` of both */
} LoadSession;

typedef struct {
	LoadOptions options;
	BenchAddress server;
	SSL_CTX *tls;
	char *auth_line;
	GString *filler;       /* size_bytes of lines and the end of data */
	LoadSession *sessions;
	int epoll, n_opening, n_paused, n_open;
	gint64 next_id, n_reserved; /* n_reserved: ids that the open sessions will still draw */
	gint64 n_done; /* messages with a verdict; sessions, where those are counted */
	gint64 accepted, refused, broken, connects, ready, handshakes, dropped;
	int64_t started_ns, last_ns;
	GArray *latencies, *setups; /* of guint32, µs */
	GString *first_error;
	FILE *accepted_log;
} Load;

/* load-loop.c */
void load_run(Load *load, const volatile sig_atomic_t *is_stopped);
void load_close(Load *load, LoadSession *session, bool is_broken); /* and opens it again if work is left */
void load_handshake(Load *load, LoadSession *session);

/* load-session.c: the replies in session->in; false: the session was closed, or is in a handshake. */
bool load_take_replies(Load *load, LoadSession *session);
void load_greet(LoadSession *session, const Load *load); /* sends EHLO */
bool load_has_work(const Load *load);
void load_note_error(Load *load, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* load-report.c */
void load_report(Load *load);
void load_report_idle(const Load *load);
