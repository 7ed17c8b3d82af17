/* state-changes.h - what changed in a state: a record that does not grow with the number of recipients. */
#pragma once

#include "mail/state.h"

/* The state apart from its recipients, and those recipients that changed. */
typedef struct {
	MessageState *state;       /* its recipients are the changed ones, in the order of `places` */
	GArray *places;            /* of guint, ascending: their places in the envelope */
	unsigned n_all, n_open;    /* recipients of the message */
	StateMarks marks;          /* of the head */
} StateChanges;

/* Places of the recipients that are marked as changed, ascending; new array of guint. */
GArray *state_changed_places(const MessageState *state);
/* `places`: the recipients that the record holds. */
void state_changes_encode(const MessageState *state, const GArray *places, GByteArray *out);
StateChanges *state_changes_decode(const uint8_t *data, size_t size); /* new, or NULL */
void state_changes_free(StateChanges *changes);
/* The state becomes what it was when `changes` was made of it.  False: they are of another message. */
bool state_changes_apply(const StateChanges *changes, MessageState *state);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(StateChanges, state_changes_free)
