/* smtp-client.h - sending messages to one server, pipelined, in straight-line code (RFC 5321, RFC 2920).
 *
 * Delivery threads only. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "engine/route.h"
#include "mail/spool.h"

typedef struct SmtpClient SmtpClient;

typedef enum { SENT_OK, SENT_DEFERRED, SENT_FAILED } SentStatus;

/* What became of one recipient. */
typedef struct {
	SentStatus status;
	char *reply;     /* new: "250 2.0.0 Ok", "450 4.2.1 …", or a sentence of ours that begins with an enhanced code */
	bool is_remote;  /* the reply is the server's */
} SentResult;

void sent_result_set(SentResult *result, SentStatus status, bool is_remote, const char *reply);

/* Connects to the first address that answers, says hello, starts TLS, authenticates.  NULL: `reply` (new) says
 * why; `status` whether to try again. */
SmtpClient *smtp_client_open(const DeliverySettings *settings, const NextHop *hop, const GPtrArray *addresses,
	SentStatus *status, char **reply);
void smtp_client_close(SmtpClient *client); /* says QUIT, waits for nothing */
/* One transaction for the recipients whose places in the envelope are in `places`; `results` has as many.
 * False: the connection is of no more use. */
bool smtp_client_send(SmtpClient *client, const SpoolMessage *message, const guint *places, guint n,
	SentResult *results);
bool smtp_client_is_alive(SmtpClient *client);
unsigned smtp_client_messages(const SmtpClient *client);
const char *smtp_client_peer(const SmtpClient *client); /* "mx.example.org[192.0.2.1]:25" */
bool smtp_client_relays_dsn(const SmtpClient *client);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(SmtpClient, smtp_client_close)
