/* state.h - what has become of a message: absolute, versioned, small. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/id.h"
#include "mail/bytes.h"

typedef enum {
	RECIPIENT_PENDING,
	RECIPIENT_DELIVERED,
	RECIPIENT_BOUNCED,  /* failed, and reported, or not to be */
	RECIPIENT_REMOVED,  /* by the administrator   */
	RECIPIENT_FAILED,   /* failed for good, and still to be reported to the sender */
} RecipientStatus;

typedef struct {
	RecipientStatus status;
	bool is_changed;    /* since the state was read, or put to the spool last */
	char *reply;        /* what the next hop (or we) said last, one line; NULL: nothing yet */
} RecipientState;

/* A message is finished when no recipient is open: pending, or failed and not reported. */
typedef struct {
	QueueId id;
	uint64_t version;        /* the highest wins; given by the spool */
	int64_t next_us;         /* wall clock of the next attempt      */
	unsigned attempts;
	bool is_held;
	char *hold_reason;       /* NULL unless held                    */
	int64_t release_at_us;   /* 0: when somebody releases it        */
	int64_t held_since_us;   /* 0 unless held                       */
	int64_t held_total_us;   /* of holds that ended: counts for no expiry */
	bool is_warned;          /* the delay warning was sent          */
	unsigned n_recipients;
	RecipientState *recipients; /* in the order of the envelope     */
} MessageState;

MessageState *message_state_new(QueueId id, unsigned n_recipients);
void message_state_free(MessageState *state);
MessageState *message_state_copy(const MessageState *state);
bool message_state_is_finished(const MessageState *state);
unsigned message_state_count(const MessageState *state, RecipientStatus status);
/* Pending, or failed and not reported. */
bool recipient_state_is_open(const RecipientState *recipient);
unsigned message_state_count_open(const MessageState *state);
void message_state_set_recipient(MessageState *state, unsigned i, RecipientStatus status, const char *reply);
/* All its recipients count as unchanged. */
void message_state_clear_changes(MessageState *state);
void message_state_encode(const MessageState *state, GByteArray *out);
MessageState *message_state_decode(const uint8_t *data, size_t size); /* new, or NULL */

/* ---- for state-changes.c: the parts of the record ---- */
void message_state_set_size(MessageState *state, unsigned n_recipients); /* of one without recipients */
void message_state_copy_head(const MessageState *from, MessageState *to); /* all but the recipients */
void message_state_encode_head(const MessageState *state, GByteArray *out);
bool message_state_decode_head(MessageState *state, BytesReader *reader);
void message_state_encode_recipient(const RecipientState *recipient, GByteArray *out);
bool message_state_decode_recipient(RecipientState *recipient, BytesReader *reader);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(MessageState, message_state_free)
