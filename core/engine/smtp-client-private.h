/* smtp-client-private.h - a client's inside, for smtp-client*.c only. */
#pragma once

#include "engine/smtp-client.h"
#include "engine/smtp-dialog.h"
#include "proto/recode.h"

struct SmtpClient {
	const DeliverySettings *settings;
	HostQuirks *quirks;    /* NULL: none are remembered */
	char *place;           /* what they are remembered by */
	Wire *wire;
	char *peer;
	unsigned capabilities;
	int64_t attempt_until_us; /* the opening, or the transaction, ends by then; monotonic */
	uint64_t size_limit;   /* 0: none was told */
	unsigned messages;     /* transactions that came to their end */
	guint most_recipients; /* that it takes in one transaction; 0: no limit is known */
	bool is_local;         /* a Unix socket or loopback: nobody can listen */
	bool is_lmtp;          /* a reply per recipient behind the content (RFC 2033) */
	bool is_broken, skips_tls, tried_tls;
	bool is_ahead;         /* the envelope of the next task is out */
	bool has_new_quirk;    /* one was found that the next connection will mind */
};

/* Everything from now on ends within `time_us`, and with the attempt. */
void smtp_client_limit(SmtpClient *client, int64_t time_us);
/* The server offers this and cannot do it: remembered, and logged.  True: it was not known before. */
bool smtp_client_note_quirk(const SmtpClient *client, HostQuirk quirk);
/* The reply to the final dot has its own time (RFC 5321 4.5.3.2.6): who has the message by then need not get it again. */
void smtp_client_limit_final(SmtpClient *client);

/* ---- smtp-client-send.c ---- */
/* smtp_client_send() of recipients that can all be sent to as the server speaks, or none of them. */
bool smtp_client_send_task(SmtpClient *client, const SmtpTask *task, const SmtpTask *next, SentResult *results);

/* ---- smtp-client-form.c ---- */

/* How a message goes to the server. */
typedef struct {
	bool needs_utf8;     /* the envelope or the header has octets above 127 that only SMTPUTF8 speaks of */
	bool has_8bit;       /* something has */
	bool cannot_convert; /* it has 8-bit content, which the server does not take, where nothing may be changed */
	RecodePlan *plan;    /* NULL: the message goes as it is */
	uint64_t size;       /* of what goes */
} SendForm;

/* False: the message cannot be read.  `form` is to be cleared in any case. */
bool send_form_find(SendForm *form, const SmtpClient *client, const SmtpTask *task, GError **error);
/* It goes as it is, without SMTPUTF8; looks at no content. */
bool send_form_is_plain(const SmtpClient *client, const SmtpTask *task);
void send_form_clear(SendForm *form);
/* Why a server without SMTPUTF8 does not take it; new. */
char *send_form_no_utf8(const SmtpClient *client);
/* The address of the task's i-th recipient needs SMTPUTF8. */
bool send_form_is_utf8_recipient(const SmtpTask *task, guint i);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(SendForm, send_form_clear)

/* ---- one transaction ----
 *
 * A recipient is open until its result is known for this attempt; what is known holds, whatever becomes of the
 * connection afterwards. */
typedef struct {
	SmtpClient *client;
	const SmtpTask *task;
	const SmtpTask *next;  /* NULL: none is known */
	SentResult *results;   /* of the task */
	const guint *chosen;   /* the task's recipients that this transaction is for … */
	guint n;               /* … and how many they are */
	bool *is_open;         /* the same */
	bool *is_surplus;      /* of those that were too many for one transaction; they are not open */
	const SendForm *form;  /* of the task's message */
	guint accepted, surplus;
	guint refused;         /* RCPT was, for another reason than surplus */
	bool is_past_envelope; /* DATA was answered */
	bool is_confused;      /* a burst was answered as if it were something else */
	bool is_ended;         /* the final dot may be out */
	char *refusal;         /* new; the last reply that was none of success; NULL: there was none */
	bool has_421;          /* that reply closes the session (RFC 5321 3.8) */
	GError *error;         /* of the wire */
	GError *unread;        /* of the spool: the message could not be read to its end */
} Sending;

/* ---- smtp-client-envelope.c ---- */
/* New: why the server would not take the message; NULL: it can. */
char *sending_obstacle(const SmtpClient *client, const SendForm *form);
/* How many of `n` recipients go into one transaction. */
guint sending_most(const SmtpClient *client, guint n);
bool sending_can_pipeline(const Sending *sending);
void sending_settle(Sending *sending, guint i, SentStatus status, bool is_remote, const char *text);
void sending_settle_open(Sending *sending, SentStatus status, bool is_remote, const char *text);
guint sending_count_open(const Sending *sending);
/* What `code` means for a recipient. */
SentStatus sending_status(int code);
/* "550 5.1.1 …", in one line; new. */
char *sending_text(const ServerReply *reply);
/* A reply within the time of a command.  False: none came, or it closes the session: see `refusal`. */
bool sending_read(Sending *sending, ServerReply *reply);
/* The same, whose deadline the caller has set. */
bool sending_read_now(Sending *sending, ServerReply *reply);
/* The first burst of an envelope: MAIL, recipients, and DATA, if that is all. */
bool sending_write_first(Sending *sending);
/* MAIL, RCPT … and, where `data_code` is not 0 afterwards, DATA. */
bool sending_envelope(Sending *sending, bool *is_accepted, int *data_code, ServerReply *reply);
/* The reply to DATA was read: it stands for those that are open, unless it is one of success. */
bool sending_take_data(Sending *sending, const ServerReply *reply);
