/* smtp-dialog.h - speaking SMTP to a server over a wire: commands out, replies in (RFC 5321 4.2). */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "io/wire.h"
#include "proto/reply.h"

void smtp_reply_init(ServerReply *reply);
void smtp_reply_clear(ServerReply *reply);
typedef enum {
	NOISE_FAILS, /* a line without a code where a reply should begin: this is no SMTP server, or not any more */
	NOISE_WAITS, /* such lines are passed over, until the deadline */
} SmtpNoise;

enum { SMTP_REPLY_OCTETS_MAX = 1 << 20 }; /* of one reply that are read, kept or not */

/* Reads one reply into `reply`, cleared before.  Lines without a code behind the first line are passed over.  A reply that is
 * cut off, or does not end, counts by the last line that came (`is_torn`): after it the connection is of no use.  False:
 * nothing with a code came. */
bool smtp_read_reply(Wire *wire, SmtpNoise noise, ServerReply *reply, GError **error);
/* The text in one line of limited size; new. */
char *smtp_reply_text(const ServerReply *reply);
/* Writes "COMMAND\r\n"; what it says must be one line, else INVALID. */
bool smtp_write_command(Wire *wire, GError **error, const char *format, ...) G_GNUC_PRINTF(3, 4);

typedef enum {
	SMTP_PIPELINING = 1, SMTP_SIZE = 2, SMTP_8BITMIME = 4, SMTP_SMTPUTF8 = 8, SMTP_DSN = 16, SMTP_CHUNKING = 32,
	SMTP_STARTTLS = 64, SMTP_AUTH_PLAIN = 128, SMTP_AUTH_LOGIN = 256, SMTP_ENHANCED = 512,
} SmtpCapability;

/* What an EHLO reply offers; `size`: of SIZE, 0 for none. */
unsigned smtp_capabilities(const ServerReply *reply, uint64_t *size);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ServerReply, smtp_reply_clear)
