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
	bool is_changed;       /* since the state was read, or put to the spool last */
	bool is_warned;        /* the delay warning was sent */
	unsigned attempts;     /* that failed for now        */
	char *reply;           /* what the next hop (or we) said last, one line; NULL: nothing yet */
	int64_t next_us;       /* wall clock: not tried before; CLOCK_NEVER: when its domain changes */
	int64_t held_since_us; /* held by itself, because of its domain or next hop; 0: it is not */
	int64_t held_total_us; /* of such holds that ended */
	uint64_t way;          /* which way it went last, by the directory (engine/stay.h); 0: not known */
} RecipientState;

/* A message is finished when no recipient is open: pending, or failed and not reported.
 *
 * A hold of the message holds all its recipients; while it lasts none of them is held by itself.  Attempts, age and the
 * time of the next attempt are those of each recipient. */
typedef struct {
	QueueId id;
	uint64_t version;        /* the highest wins; given by the spool */
	int64_t next_us;         /* wall clock of the next attempt: that of the first recipient */
	bool tries_all;          /* then, whatever the times of the recipients */
	unsigned attempts;       /* of the recipient that has the most  */
	bool is_held;
	char *hold_reason;       /* NULL unless held                    */
	int64_t release_at_us;   /* 0: when somebody releases it        */
	int64_t held_since_us;   /* 0 unless held                       */
	int64_t held_total_us;   /* of holds that ended: counts for no expiry */
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

/* ---- state-hold.c: holds, ages and times ---- */
/* The message is held from now on, until `release_at_us` (0: until somebody releases it); `reason` is copied. */
void message_state_hold(MessageState *state, const char *reason, int64_t release_at_us, int64_t now_us);
/* It is due now, with all its recipients.  False: neither it nor one of its recipients is held. */
bool message_state_release(MessageState *state, int64_t now_us);
/* All its recipients are due now; false: they were. */
bool message_state_hurry(MessageState *state, int64_t now_us);
/* The recipient is held by itself, until `until_us` (CLOCK_NEVER: until its domain changes). */
void message_state_hold_recipient(MessageState *state, unsigned i, int64_t until_us, int64_t now_us);
/* Its hold is over; it may have had none. */
void message_state_end_hold(MessageState *state, unsigned i, int64_t now_us);
/* Pending and held by itself. */
bool recipient_state_is_held(const RecipientState *recipient);
/* A recipient is held by itself. */
bool message_state_has_held(const MessageState *state);
/* Recipients are pending, and all of them are held by themselves. */
bool message_state_is_all_held(const MessageState *state);
/* How long the recipient was held, with the message and by itself; that does not count for its age. */
int64_t message_state_held_us(const MessageState *state, unsigned i, int64_t now_us);
/* The recipient is pending, and to be tried in an attempt that begins now.  Held ones are, as their domains may have
 * changed; so is one whose time is further away than `longest_us`, which a wrong clock has written. */
bool message_state_is_due(const MessageState *state, unsigned i, int64_t now_us, int64_t longest_us);
/* When the first pending recipient is due; CLOCK_NEVER: none is pending, or all wait for their domains. */
int64_t message_state_first(const MessageState *state);

/* ---- for state-changes.c: the parts of the record ---- */

/* What the head of a record says beside the state. */
typedef struct {
	bool is_shared; /* version 2: attempts and the delay warning are those of all recipients that are pending */
	bool is_warned; /* of such a record */
	bool has_held;  /* message_state_has_held() of the whole state */
} StateMarks;

void message_state_set_size(MessageState *state, unsigned n_recipients); /* of one without recipients */
void message_state_copy_head(const MessageState *from, MessageState *to); /* all but the recipients */
void message_state_encode_head(const MessageState *state, GByteArray *out);
bool message_state_decode_head(MessageState *state, BytesReader *reader, StateMarks *marks);
/* What a record of version 2 means for each recipient. */
void message_state_share(MessageState *state, const StateMarks *marks);
void recipient_state_copy(const RecipientState *from, RecipientState *to);
void message_state_encode_recipient(const RecipientState *recipient, GByteArray *out);
bool message_state_decode_recipient(RecipientState *recipient, BytesReader *reader);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(MessageState, message_state_free)
