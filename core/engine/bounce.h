/* bounce.h - delivery status notifications: failed, delayed, delivered (RFC 3464, RFC 3461 6). */
#pragma once

#include <glib.h>

#include "engine/smtp-client.h"
#include "mail/spool.h"

typedef enum { DSN_FAILED, DSN_DELAYED, DSN_DELIVERED, DSN_RELAYED } DsnAction;

/* One recipient as it is reported. */
typedef struct {
	guint place;         /* in the envelope */
	DsnAction action;
	const char *reply;   /* last word of the next hop, or ours */
	bool is_remote;
	const char *peer;    /* NULL: no server was reached */
	int64_t expires_us;  /* wall clock, of DELAYED: it is tried until then */
} DsnRecipient;

typedef struct {
	const SpoolMessage *message;
	const DeliverySettings *settings;
	const DsnRecipient *recipients;
	guint n;
	bool has_content;    /* it was read; else the report does not return it */
	bool is_global;      /* of dsn_write(): in the types of RFC 6533; a caller leaves it false */
	int64_t now_us;
} DsnReport;

/* True if RFC 3461 lets the sender be told of `action` for this recipient; never for a null sender. */
bool dsn_is_wanted(const Envelope *envelope, guint place, DsnAction action);
/* The whole message, CRLF line ends, no line over 998 octets, to be sent from <> to the envelope's sender;
 * new.  Blocks where the content is large.
 * NULL: it cannot be read now. */
char *dsn_write(const DsnReport *report, const char *message_id);
