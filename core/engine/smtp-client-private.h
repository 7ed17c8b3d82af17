/* smtp-client-private.h - a client's inside, for smtp-client*.c only. */
#pragma once

#include "engine/smtp-client.h"
#include "engine/smtp-dialog.h"

struct SmtpClient {
	const DeliverySettings *settings;
	Wire *wire;
	char *peer;
	unsigned capabilities;
	uint64_t size_limit;   /* 0: none was told */
	unsigned messages;
	bool is_local;         /* a Unix socket or loopback: nobody can listen */
	bool is_lmtp;          /* a reply per recipient behind the content (RFC 2033) */
	bool is_broken, skips_tls, tried_tls;
	bool is_ahead;         /* the envelope of the next task is out */
};

/* Everything from now on ends within `time_us`. */
void smtp_client_limit(SmtpClient *client, int64_t time_us);
