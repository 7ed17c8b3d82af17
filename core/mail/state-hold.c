/* state-hold.c - holds of messages and of single recipients, and when a recipient is due. */
#include "base/clock.h"
#include "mail/state.h"

bool
recipient_state_is_held(const RecipientState *recipient)
{
	return recipient->status == RECIPIENT_PENDING && recipient->held_since_us != 0;
}

bool
message_state_has_held(const MessageState *state)
{
	for (unsigned i = 0; i < state->n_recipients; i++)
		if (recipient_state_is_held(&state->recipients[i]))
			return true;
	return false;
}

bool
message_state_is_all_held(const MessageState *state)
{
	unsigned n_held = 0;

	for (unsigned i = 0; i < state->n_recipients; i++)
		n_held += recipient_state_is_held(&state->recipients[i]);
	return n_held > 0 && n_held == message_state_count(state, RECIPIENT_PENDING);
}

void
message_state_hold_recipient(MessageState *state, unsigned i, int64_t until_us, int64_t now_us)
{
	RecipientState *recipient = &state->recipients[i];

	if (recipient->held_since_us == 0)
		recipient->held_since_us = now_us;
	recipient->next_us = until_us;
	recipient->is_changed = true;
}

void
message_state_end_hold(MessageState *state, unsigned i, int64_t now_us)
{
	RecipientState *recipient = &state->recipients[i];

	if (recipient->held_since_us == 0)
		return;
	recipient->held_total_us += MAX(now_us - recipient->held_since_us, 0);
	recipient->held_since_us = 0;
	recipient->next_us = 0;
	recipient->is_changed = true;
}

/* The time goes to one hold only: that of the message takes the place of those of its recipients. */
void
message_state_hold(MessageState *state, const char *reason, int64_t release_at_us, int64_t now_us)
{
	char *copy = g_strdup(reason != NULL ? reason : "");

	if (!state->is_held)
		state->held_since_us = now_us;
	for (unsigned i = 0; i < state->n_recipients; i++)
		message_state_end_hold(state, i, now_us);
	g_free(state->hold_reason);
	state->is_held = true;
	state->hold_reason = copy;
	state->release_at_us = release_at_us;
}

bool
message_state_release(MessageState *state, int64_t now_us)
{
	const bool has_held = message_state_has_held(state);

	if (!state->is_held && !has_held)
		return false;
	for (unsigned i = 0; i < state->n_recipients; i++)
		message_state_end_hold(state, i, now_us);
	if (state->is_held && state->held_since_us != 0) /* not known of a hold by an adoption */
		state->held_total_us += MAX(now_us - state->held_since_us, 0);
	state->is_held = false;
	state->held_since_us = 0;
	state->release_at_us = 0;
	g_clear_pointer(&state->hold_reason, g_free);
	state->next_us = now_us;
	state->tries_all = true;
	return true;
}

bool
message_state_hurry(MessageState *state, int64_t now_us)
{
	bool waits = state->next_us > now_us;

	for (unsigned i = 0; i < state->n_recipients && !waits && !state->tries_all; i++)
		waits = state->recipients[i].status == RECIPIENT_PENDING && state->recipients[i].next_us > now_us;
	if (!waits)
		return false;
	state->next_us = now_us;
	state->tries_all = true;
	return true;
}

int64_t
message_state_held_us(const MessageState *state, unsigned i, int64_t now_us)
{
	const RecipientState *recipient = &state->recipients[i];
	int64_t held_us = state->held_total_us + recipient->held_total_us;

	if (state->is_held && state->held_since_us != 0)
		held_us += MAX(now_us - state->held_since_us, 0);
	if (recipient->held_since_us != 0)
		held_us += MAX(now_us - recipient->held_since_us, 0);
	return held_us;
}

bool
message_state_is_due(const MessageState *state, unsigned i, int64_t now_us, int64_t longest_us)
{
	const RecipientState *recipient = &state->recipients[i];

	if (recipient->status != RECIPIENT_PENDING)
		return false;
	if (state->tries_all || recipient->held_since_us != 0 || recipient->next_us == CLOCK_NEVER)
		return true;
	/* the message is due by the monotonic clock, whatever the wall clock says of its first recipient */
	return recipient->next_us <= MAX(now_us, state->next_us) || recipient->next_us > now_us + longest_us;
}

int64_t
message_state_first(const MessageState *state)
{
	int64_t first_us = CLOCK_NEVER;

	for (unsigned i = 0; i < state->n_recipients; i++)
		if (state->recipients[i].status == RECIPIENT_PENDING)
			first_us = MIN(first_us, state->recipients[i].next_us);
	return first_us;
}
