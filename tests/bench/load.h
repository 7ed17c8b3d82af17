/* load.h - the load generator: a table of sessions on one epoll loop.
 *
 * smtp-load.c reads the options, load-loop.c moves octets, load-session.c speaks SMTP, load-mix.c draws what
 * mixed load consists of, load-report.c prints the result. */
#pragma once

#include <signal.h>
#include <stdio.h>

#include "bench.h"

typedef struct {
	int sessions, messages_per_session; /* at once; messages 0: only sessions, `messages` of them */
	gint64 messages, size_bytes;
	char *content; /* a file; NULL: lines that say nothing */
	double seconds, idle_seconds;       /* idle_seconds > 0: open `sessions`, hold them */
	gboolean has_starttls, is_implicit_tls, is_pipelining;
	char *auth, *sender, *recipient, *helo, *accepted_to;
	char *proxied;                      /* the client's address, told by a PROXY header; NULL: none */
	gint64 first_id;
	/* Mixed load; see load-mix.c.  Percentages of recipients (gone, later) and of messages (cut). */
	char *mix;                          /* domains and their weights; NULL: every message is the same */
	gint64 largest_bytes, seed;
	double rate;                        /* messages a second; 0: as many as go */
	int gone_percent, later_percent, cut_percent;
} LoadOptions;

typedef enum {
	STAGE_CLOSED, STAGE_PAUSE, STAGE_CONNECT, STAGE_HANDSHAKE, /* no replies in these */
	STAGE_GREETING, STAGE_EHLO, STAGE_STARTTLS, STAGE_AUTH, STAGE_MAIL, STAGE_RCPT, STAGE_DATA, STAGE_CONTENT,
	STAGE_IDLE, STAGE_QUIT, STAGE_WAIT, /* WAIT: for the moment of the next message */
} LoadStage;

/* When a client leaves without a word; MAIL to DATA: before the reply to that command. */
typedef enum { CUT_NEVER, CUT_MAIL, CUT_RCPT, CUT_DATA, CUT_CONTENT, CUT_AFTER_DOT } LoadCut;

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
	GPtrArray *recipients;     /* of char*, of the message under way */
	guint n_named, n_accepted; /* recipients that were sent with RCPT; whose reply came */
	/* Mixed load. */
	LoadCut cut;
	int64_t due_ns;            /* STAGE_WAIT: go on then; else: leave then.  0: neither */
	bool is_whole, is_refused; /* is_whole: all of it was handed to the kernel, the final dot, too */
	guint32 body_crc;
	gint64 body_size;
} LoadSession;

typedef struct LoadMix LoadMix;

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
	LoadMix *mix; /* NULL: every message is the same */
	gint64 n_cut;
} Load;

/* load-loop.c */
void load_run(Load *load, const volatile sig_atomic_t *is_stopped);
void load_close(Load *load, LoadSession *session, bool is_broken); /* and opens it again if work is left */
void load_handshake(Load *load, LoadSession *session);

/* load-session.c: the replies in session->in; false: the session was closed, or is in a handshake. */
bool load_take_replies(Load *load, LoadSession *session);
void load_greet(LoadSession *session, const Load *load); /* sends EHLO */
bool load_has_work(const Load *load);
void load_next_message(Load *load, LoadSession *session);
void load_note_error(Load *load, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* load-mix.c */
void load_mix_start(Load *load);
void load_mix_draw(Load *load, LoadSession *session);      /* for the message session->id */
void load_mix_content(Load *load, LoadSession *session);   /* all of it, appended to session->out */
bool load_mix_must_wait(Load *load, LoadSession *session); /* for the next message; until session->due_ns */
bool load_mix_cuts(Load *load, LoadSession *session);      /* asked when all was sent: is the client to leave now? */
void load_mix_leave(Load *load, LoadSession *session);     /* closes the session by RST or FIN */
void load_mix_record(Load *load, const LoadSession *session, bool is_acknowledged);

/* load-report.c */
void load_report(Load *load);
void load_report_idle(const Load *load);
