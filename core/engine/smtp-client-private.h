/* smtp-client-private.h - a client's inside, for smtp-client*.c only. */
#pragma once

#include "engine/smtp-client.h"
#include "engine/smtp-dialog.h"

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
