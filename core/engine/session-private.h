/* session-private.h - the inside of a session, for session-*.c and cmd-*.c only. */
#pragma once

#include "engine/explain.h"
#include "engine/observer.h"
#include "engine/session.h"
#include "engine/transaction.h"
#include "proto/command.h"
#include "proto/data.h"
#include "proto/mbox.h"

/* Where a session stands; a row of the command table names those in which it is legal. */
typedef enum {
	STATE_START = 1, /* greeted, no HELO yet    */
	STATE_READY = 2, /* HELO was given          */
	STATE_MAIL = 4,  /* a sender was accepted    */
	STATE_RCPT = 8,  /* and a recipient          */
	STATE_CHUNK = 16, /* between two BDAT chunks */
	STATE_ANY = 31,
} SessionState;

typedef enum { INPUT_COMMANDS, INPUT_SASL, INPUT_DATA, INPUT_CHUNK } InputMode;

/* One verb, or one stage that no verb stands for. */
typedef struct {
	const char *verb;
	unsigned states;
	PtnStage stage;                              /* 0: no hooks */
	bool (*check)(Session *session, const Command *command); /* false: it has replied */
	void (*proceed)(Session *session);
	void (*refused)(Session *session);           /* after a hook refused; NULL: nothing to undo */
} CommandRow;

typedef enum { SASL_NONE, SASL_PLAIN, SASL_LOGIN_NAME, SASL_LOGIN_PASSWORD } SaslStep;

typedef struct KeptRefusal KeptRefusal;

void kept_refusal_free(KeptRefusal *kept);

struct Session {
	Engine *engine;
	Snapshot *snapshot;
	const ListenerSettings *listener;
	SessionFacts facts;
	void (*flush)(void *data);
	void *flush_data;
	GByteArray *in;
	size_t in_taken;
	GString *out;
	SessionState state;
	InputMode input;
	const CommandRow *row;     /* whose hooks run; NULL: none */
	ChainRun run;
	HookCall *call;            /* of the stage that runs; NULL between stages */
	SessionNeed wants;         /* SESSION_WANTS_INPUT: nothing special */
	int64_t pause_us;
	int64_t begun_us;          /* monotonic */
	uint64_t steps;            /* see session_steps() */
	unsigned commands, errors, refusals, junk, auth_failures; /* see session-errors.c */
	const CommandRow *command; /* that was taken last; NULL: none was */
	int refused_code;          /* of the last refusal, before the account's on-refusal */
	bool is_closing, is_secured, skips_line, failed_recipient;
	bool failed_mail;          /* MAIL or a chunk was refused, and neither RSET nor EHLO came since */
	bool failed_data;          /* DATA was refused behind a refusal, and neither MAIL nor RCPT came since */
	bool has_read_account, has_lost_account;
	bool has_said_ehlo;        /* since the connection, or TLS, began; HELO may have come behind it */
	bool has_greeted;          /* EHLO or HELO was given since the connection, or TLS, began */
	bool has_new_password;     /* another one than the session was opened with */
	bool was_told_disabled;    /* the last refusal: the credentials were right, the account is disabled (X.7.13) */
	Place place;               /* where session_run() runs it */
	bool goes_to_worker;       /* the check of a command asked for what is not at hand on a loop */
	void (*again)(Session *session); /* to be called by a worker, before anything else; NULL: nothing */
	atomic_bool is_gone;
	bool is_ended;
	/* authentication */
	SaslStep sasl;
	char *sasl_login, *sasl_password;
	char *identified;          /* by the AUTH stage */
	uint64_t account_changes, customer_changes, domain_changes; /* of the directory when the account was read */
	/* the reverse name, looked up beside everything else */
	DnsQuery *name_query; /* of `lookups` */
	bool is_confirming_name, has_looked_up_name;
	/* refusals to be told at RCPT (refuse-at = rcpt): of connect, tls and helo; of mail */
	KeptRefusal *kept, *kept_of_mail;
	/* the message being made */
	Transaction *transaction;
	Recipient *pending;        /* RCPT under way */
	guint accepted;            /* recipients before it */
	DataDecoder decoder;
	MboxFilter mbox;
	uint64_t chunk_left;
	bool chunk_is_last, skips_chunk, data_failed, data_ended;
	uint64_t data_size;
	uint64_t data_written;     /* of it, in a file */
	uint64_t data_counted;     /* octets of the client's budget */
	uint64_t data_reserved;    /* octets of the volume */
	const BudgetRefusal *data_refusal; /* the limit that its message reached; NULL: none */
	SpoolTransaction *sealed;
	char *queue_text;          /* what log and Received call the message */
	Explanation *explanation;  /* NULL: this is no rehearsal */
	/* plugins */
	Region *region;
	void **plugin_states;
	Lookups *lookups;
	GPtrArray *asked;          /* of a rehearsal; NULL: there is none */
};

/* ---- session-reply.c ---- */
void session_put_line(Session *session, int code, char separator, const char *enhanced, const char *text);
/* "CODE ENHANCED text\r\n"; enhanced NULL: none. */
void session_reply(Session *session, int code, const char *enhanced, const char *format, ...) G_GNUC_PRINTF(4, 5);
/* True: a line of the log about what the client did may be written; else it is counted under `reason`. */
bool session_may_log(const Session *session, const char *reason);
/* Something that speaks against a client: a metric "event.NAME", a log line, told to plugins. */
void session_event(Session *session, const char *name);

/* ---- session-errors.c ---- */
/* A refusal was sent: counts it, if it is one that counts, and slows or ends the session. */
void session_count_error(Session *session, PtnCause cause, int code);
/* The command that is taken now does nothing without a message behind it: it is free only up to a point. */
void session_count_junk(Session *session, const CommandRow *row);
/* A message was accepted: what was counted before it counts no more. */
void session_forgive(Session *session);

/* ---- session-refusal.c ---- */
/* The client's address was blocked meanwhile: says 421 and closes. */
bool session_is_blocked(Session *session);
/* A reply that is a refusal of ours: counted, noted for `posternctl why`, told to observers. */
void session_reject(Session *session, PtnCause cause, int code, const char *enhanced, const char *format, ...)
	G_GNUC_PRINTF(5, 6);
/* The same of a command that makes no sense only because we refused one before it, as pipelining clients cannot know
 * (RFC 2920 3.1): no violation of the protocol. */
void session_reject_behind(Session *session, int code, const char *enhanced, const char *text);
/* A refusal made by a hook, in `session->call`. */
void session_reject_by(Session *session, const char *plugin);
/* Says 421 (or what is given) and closes. */
void session_close_with(Session *session, PtnCause cause, int code, const char *enhanced, const char *text);
/* The hook's refusal in `session->call` is told later; false: it is to be told now. */
bool session_keep_refusal(Session *session, const char *plugin);
/* At RCPT: refuses as was decided earlier; false: nothing was. */
bool session_tell_kept(Session *session);

/* ---- session-stage.c ---- */
void session_begin_stage(Session *session, const CommandRow *row);
/* The directory could not tell: on a loop that may only mean that it had to be asked.  True: the check returns false
 * without a reply, and a worker does it again from its start. */
bool session_goes_to_worker(Session *session);
/* Runs the hooks of `session->row`; false: `need` says where it is to go on. */
bool session_run_stage(Session *session, Place place, SessionNeed *need);
/* Tells plugins; the rest of the observation is the session's. */
void session_observe(Session *session, Observation what);

/* ---- explain.c, of a rehearsal ---- */
void explain_hook(void *data, const HookRow *row, const HookCall *call, PtnVerdict verdict, int64_t took_us);
void explain_refusal(const Session *session, const char *stage, const char *plugin, const char *reply);

/* ---- session-cmd.c ---- */
/* PathFlags of MAIL and RCPT: what the listener tolerates, and UTF-8 if it was announced. */
unsigned session_path_flags(const Session *session, bool is_utf8);
const CommandRow *session_find_command(const char *verb);
/* Takes the next command or SASL line; false: none is complete, or `need` says where it is to go on. */
bool session_take_line(Session *session, SessionNeed *need);
/* Lines a browser or a message would send instead of commands (C-17). */
bool session_is_foreign(const char *line);
/* Where TLS begins by STARTTLS, or there is none: the client has begun a handshake instead of reading the greeting.  True:
 * it was told so, and the session ends. */
bool session_refuse_handshake(Session *session);

/* True: the session has lasted as long as it may, and says so; it is not within a message. */
bool session_is_too_old(Session *session);

/* ---- session-data.c ---- */
void session_start_data(Session *session);
void session_start_chunk(Session *session, uint64_t size, bool is_last);
/* Chunk octets that follow a BDAT already refused. */
void session_skip_chunk(Session *session, uint64_t size);
/* Takes message octets; false: more are needed, or `need` says where it is to go on. */
bool session_take_data(Session *session, Place place, SessionNeed *need);
void session_drop_transaction(Session *session);

/* ---- session-space.c ---- */
/* Takes what the message has grown to; NULL, or the limit that it reached. */
const BudgetRefusal *session_take_space(Session *session);
/* All that came is in a file: the volume's own figures show it now. */
void session_note_written(Session *session);
/* The message is over, or not kept: gives everything back. */
void session_release_space(Session *session);

/* ---- session-trace.c ---- */
/* Received, Date, Message-ID, the headers of the service; what is to be left out.  TRACE_LOOP: too many hops;
 * TRACE_TOO_LONG: more header fields than are looked at, so that some would stay that are to be left out;
 * TRACE_UNREADABLE: the disk cannot read the header, so that it is not known what is in it. */
typedef enum { TRACE_GOOD, TRACE_LOOP, TRACE_TOO_LONG, TRACE_UNREADABLE } TraceResult;
TraceResult session_trace(Session *session);

/* ---- session-account.c ---- */
/* Reads account and customer of the login anew if the directory changed.  UNSURE: it cannot be reached. */
PtnStatus session_read_account(Session *session);
/* Moves the lookup of the client's name on; never waits. */
void session_look_up_name(Session *session);

extern const CommandRow session_connect_row, session_tls_row, session_auth_row, session_authenticated_row,
	session_message_row;

/* One check and proceed per verb, in cmd-*.c. */
bool cmd_hello_check(Session *session, const Command *command);
void cmd_hello_proceed(Session *session);
void cmd_helo_proceed(Session *session);
bool cmd_starttls_check(Session *session, const Command *command);
void cmd_starttls_proceed(Session *session);
bool cmd_auth_check(Session *session, const Command *command);
void cmd_auth_proceed(Session *session);
void cmd_auth_take_response(Session *session, char *line, size_t size);
bool cmd_mail_check(Session *session, const Command *command);
void cmd_mail_proceed(Session *session);
void cmd_mail_refused(Session *session);
bool cmd_rcpt_check(Session *session, const Command *command);
void cmd_rcpt_proceed(Session *session);
void cmd_rcpt_refused(Session *session);
bool cmd_data_check(Session *session, const Command *command);
void cmd_data_proceed(Session *session);
bool cmd_bdat_check(Session *session, const Command *command);
void cmd_bdat_proceed(Session *session);
void cmd_bdat_refused(Session *session);
void cmd_bdat_skip(Session *session, const Command *command);
bool cmd_none_check(Session *session, const Command *command);
void cmd_rset_proceed(Session *session);
void cmd_noop_proceed(Session *session);
bool cmd_vrfy_check(Session *session, const Command *command);
bool cmd_etrn_check(Session *session, const Command *command);
void cmd_help_proceed(Session *session);
void cmd_quit_proceed(Session *session);
