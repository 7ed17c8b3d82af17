/* envelope.h - who a message is from and for, and what is to be changed when it is read.
 *
 * An Envelope never changes once committed; what happens to it later is a MessageState. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/id.h"

enum { NOTIFY_NEVER = 1, NOTIFY_SUCCESS = 2, NOTIFY_FAILURE = 4, NOTIFY_DELAY = 8 }; /* RFC 3461 4.1; 0: not given */
typedef enum { RET_NONE, RET_FULL, RET_HDRS } DsnReturn;                               /* RFC 3461 4.3 */
typedef enum { BODY_7BIT, BODY_8BITMIME, BODY_BINARYMIME } BodyType;

typedef struct {
	char *address;          /* as in RCPT TO, without brackets            */
	char *original;         /* ORCPT as given ("rfc822;…", xtext), or NULL */
	unsigned notify;
} Recipient;

/* A stretch of the content that is not shown, offset and length in octets. */
typedef struct {
	uint64_t offset, length;
} Cut;

typedef struct {
	char *name, *value;
} Note;

typedef struct {
	QueueId id;
	int64_t arrived_us;    /* wall clock */
	char *sender;          /* "" is the null sender */
	char *envid;           /* ENVID as given (xtext), or NULL */
	DsnReturn ret;
	BodyType body;
	bool is_smtputf8;      /* an address or the header needs it, not only that the client said it */
	GPtrArray *recipients; /* of Recipient*, frees them */
	char *top;             /* header lines put before the content, each ending with CRLF; never NULL */
	GArray *cuts;          /* of Cut, ascending, not overlapping */
	char *bottom;          /* header lines put at the end of the header (before the empty line); never NULL */
	GPtrArray *notes;      /* of Note*, frees them; core's: "account" "customer" "session" "submitted-sender" "hold"; of what
	                        * was held at its acceptance: "held-by" (plugin), "held-until" (µs), of a copy "original" (queue id) */
} Envelope;

Envelope *envelope_new(QueueId id);
void envelope_free(Envelope *envelope);
Envelope *envelope_copy(const Envelope *envelope);
/* Recipient is copied; `original` may be NULL. */
void envelope_add_recipient(Envelope *envelope, const char *address, const char *original, unsigned notify);
/* Replaces the note of that name; NULL removes it. */
void envelope_set_note(Envelope *envelope, const char *name, const char *value);
const char *envelope_note(const Envelope *envelope, const char *name); /* NULL: none */

/* The record as it stands in the spool (doc/spool-format.md); decode: new, NULL if it is not one. */
void envelope_encode(const Envelope *envelope, GByteArray *out);
Envelope *envelope_decode(const uint8_t *data, size_t size);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Envelope, envelope_free)
