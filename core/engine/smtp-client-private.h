/* smtp-client-private.h - a client's inside, for smtp-client*.c only. */
#pragma once

#include "engine/smtp-client.h"
#include "engine/smtp-dialog.h"
#include "proto/recode.h"

struct SmtpClient {
	const DeliverySettings *settings;
	Wire *wire;
	char *peer;
	unsigned capabilities;
	int64_t attempt_until_us; /* the opening, or the transaction, ends by then; monotonic */
	uint64_t size_limit;   /* 0: none was told */
	unsigned messages;
	bool is_local;         /* a Unix socket or loopback: nobody can listen */
	bool is_lmtp;          /* a reply per recipient behind the content (RFC 2033) */
	bool is_broken, skips_tls, tried_tls;
	bool is_ahead;         /* the envelope of the next task is out */
};

/* Everything from now on ends within `time_us`, and with the attempt. */
void smtp_client_limit(SmtpClient *client, int64_t time_us);
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
