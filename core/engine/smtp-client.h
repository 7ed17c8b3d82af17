/* smtp-client.h - sending messages to one server, pipelined, in straight-line code (RFC 5321, RFC 2920), over LMTP, too (RFC 2033).
 *
 * Delivery threads only. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "engine/host-quirks.h"
#include "engine/route.h"
#include "mail/spool.h"

typedef struct SmtpClient SmtpClient;

typedef enum { SENT_OK, SENT_DEFERRED, SENT_FAILED, SENT_HELD } SentStatus;

/* What became of one recipient. */
typedef struct {
	SentStatus status;
	char *reply;     /* new: "250 2.0.0 Ok", "450 4.2.1 …", or a sentence of ours that begins with an enhanced code */
	bool is_remote;  /* the reply is the server's */
	bool is_final;   /* it lies in its mailbox: nobody further on reports */
	bool is_cut_off; /* deferred, as the session ended before the server could have the message: another
	                  * connection, or another server, may be tried at once */
} SentResult;

void sent_result_set(SentResult *result, SentStatus status, bool is_remote, const char *reply);

typedef struct {
	const DeliverySettings *settings; /* as long as the client */
	const NextHop *hop;
	const HopAddress *to;
	bool is_known;      /* the next hop has answered before: it has the time of a command, else that of greeting-timeout */
	HostQuirks *quirks; /* as long as the client; NULL: nothing is remembered */
} SmtpOpening;

/* Connects, says hello, starts TLS, authenticates.  NULL: `reply` (new) says why; it is to be tried again;
 * `is_untrusted`: its certificate is not accepted.  Blocks. */
SmtpClient *smtp_client_open(const SmtpOpening *opening, char **reply, bool *is_untrusted);
void smtp_client_close(SmtpClient *client); /* says QUIT, waits for nothing */
/* One transaction: a message, for the recipients whose places in its envelope are in `places`. */
typedef struct {
	const SpoolMessage *message; /* its content is read */
	const guint *places;
	guint n;
	const char *sender;          /* NULL: the envelope's */
	const RouteAnswer *ways;     /* by place: of those that are forwarded, to whom; NULL: nobody is */
} SmtpTask;

/* Several transactions, if the server takes only so many recipients in one (RFC 5321 4.5.3.1.10): those that it had too many
 * of go into the next one at once, as long as others get results.  `results` has one for each of the task's recipients.
 * With `next`, which the following call must then be about, its envelope may go out right behind this content, which
 * saves a round trip (RFC 2920 3.1).  False: the connection is of no more use. */
bool smtp_client_send(SmtpClient *client, const SmtpTask *task, const SmtpTask *next, SentResult *results);
/* The envelope of the next task is out: that call must come, or the connection be closed. */
bool smtp_client_is_ahead(const SmtpClient *client);
/* The last transaction failed by something that a new connection will avoid. */
bool smtp_client_has_new_quirk(const SmtpClient *client);
bool smtp_client_is_alive(SmtpClient *client);
unsigned smtp_client_messages(const SmtpClient *client);
const char *smtp_client_peer(const SmtpClient *client); /* "mx.example.org[192.0.2.1]:25" */
bool smtp_client_relays_dsn(const SmtpClient *client);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(SmtpClient, smtp_client_close)
