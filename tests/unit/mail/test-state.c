/* test-state.c - the state of a message as octets and back. */
#include <string.h>

#include "base/clock.h"
#include "mail/bytes.h"
#include "mail/state-changes.h"
#include "unit/mail/mail.h"

static MessageState *
state_full(void)
{
	MessageState *state = message_state_new(77, 3);

	state->version = 9;
	state->next_us = -5;
	state->attempts = 4;
	state->is_held = true;
	state->hold_reason = g_strdup("by hand");
	state->release_at_us = 123;
	state->held_since_us = 12;
	state->held_total_us = 34;
	message_state_set_recipient(state, 0, RECIPIENT_DELIVERED, "250 2.0.0 Ok");
	message_state_set_recipient(state, 1, RECIPIENT_BOUNCED, "550 5.1.1 no");
	return state;
}

static void
test_round_trip(void)
{
	g_autoptr(MessageState) state = state_full(), copy = message_state_copy(state), back = NULL;
	g_autoptr(GByteArray) octets = g_byte_array_new(), again = g_byte_array_new();

	message_state_encode(state, octets);
	back = message_state_decode(octets->data, octets->len);
	CU_ASSERT_PTR_NOT_NULL_FATAL(back);
	CU_ASSERT_EQUAL(back->version, 9);
	CU_ASSERT_EQUAL(back->next_us, -5);
	CU_ASSERT(back->is_held);
	ASSERT_TEXT(back->hold_reason, "by hand");
	ASSERT_TEXT(back->recipients[1].reply, "550 5.1.1 no");
	CU_ASSERT_PTR_NULL(back->recipients[2].reply);
	message_state_encode(copy, again);
	CU_ASSERT(again->len == octets->len && memcmp(again->data, octets->data, octets->len) == 0);
}

/* What each recipient has of its own, and what only the whole has. */
static void
test_recipients(void)
{
	g_autoptr(MessageState) state = state_full(), back = NULL;
	g_autoptr(GByteArray) octets = g_byte_array_new();
	RecipientState *last = &state->recipients[2];

	last->is_warned = true;
	last->attempts = 3;
	last->next_us = CLOCK_NEVER;
	last->held_since_us = 5;
	last->held_total_us = 6;
	last->way = UINT64_MAX;
	state->tries_all = true;
	message_state_encode(state, octets);
	back = message_state_decode(octets->data, octets->len);
	CU_ASSERT_PTR_NOT_NULL_FATAL(back);
	last = &back->recipients[2];
	CU_ASSERT(last->is_warned && last->attempts == 3 && last->next_us == CLOCK_NEVER);
	CU_ASSERT(last->held_since_us == 5 && last->held_total_us == 6 && last->way == UINT64_MAX);
	CU_ASSERT(back->tries_all && message_state_has_held(back) && message_state_is_all_held(back));
	CU_ASSERT_EQUAL(message_state_held_us(back, 2, 20), 34 + 6 + (20 - 12) + (20 - 5));
}

/* A record as version 2 wrote it: two recipients, the first one delivered. */
static void
state_put_older(GByteArray *out, unsigned attempts, unsigned flags)
{
	const uint64_t times[] = { 77, 9, 1000, 0, 0, 34 }; /* id, version, next, release, held since, held before */

	for (size_t i = 0; i < G_N_ELEMENTS(times); i++)
		bytes_put64(out, times[i]);
	bytes_put32(out, attempts);
	bytes_put32(out, flags);
	bytes_put_text(out, NULL);
}

static void
state_put_older_recipient(GByteArray *out, RecipientStatus status, const char *reply)
{
	bytes_put8(out, (uint8_t)status);
	bytes_put_text(out, reply);
}

/* Attempts and the delay warning are those of each recipient that is pending, and all are due at the next attempt; changes
 * of that version say so again. */
static void
test_older(void)
{
	g_autoptr(GByteArray) octets = g_byte_array_new(), changed = g_byte_array_new();
	g_autoptr(MessageState) state = NULL;
	g_autoptr(StateChanges) changes = NULL;

	state_put_older(octets, 4, 0);
	bytes_put32(octets, 2);
	state_put_older_recipient(octets, RECIPIENT_DELIVERED, "250 Ok");
	state_put_older_recipient(octets, RECIPIENT_PENDING, "450 4.2.1 later");
	state = message_state_decode(octets->data, octets->len);
	CU_ASSERT_PTR_NOT_NULL_FATAL(state);
	CU_ASSERT(state->attempts == 4 && state->recipients[1].attempts == 4 && state->recipients[0].attempts == 0);
	CU_ASSERT_FALSE(state->recipients[1].is_warned);
	CU_ASSERT(state->next_us == 1000 && message_state_is_due(state, 1, 1000, 10));
	CU_ASSERT_EQUAL(message_state_held_us(state, 1, 5000), 34);
	state_put_older(changed, 7, 2);
	bytes_put32(changed, 2); /* recipients, open ones, changed ones */
	bytes_put32(changed, 1);
	bytes_put32(changed, 0);
	changes = state_changes_decode(changed->data, changed->len);
	CU_ASSERT_FATAL(changes != NULL && state_changes_apply(changes, state));
	CU_ASSERT(state->recipients[1].attempts == 7 && state->recipients[1].is_warned);
	ASSERT_TEXT(state->recipients[1].reply, "450 4.2.1 later");
}

/* By the wall clock, which may have been wrong when the time was written, and by the message's own. */
static void
test_due(void)
{
	g_autoptr(MessageState) state = message_state_new(77, 2);

	state->next_us = 100;
	state->recipients[0].next_us = 100;
	state->recipients[1].next_us = 200;
	CU_ASSERT(message_state_is_due(state, 0, 100, 1000) && !message_state_is_due(state, 1, 100, 1000));
	CU_ASSERT(message_state_is_due(state, 0, 50, 1000)); /* the queue says that it is time */
	CU_ASSERT(message_state_is_due(state, 1, 100, 99));  /* further away than possible */
	CU_ASSERT_EQUAL(message_state_first(state), 100);
	CU_ASSERT(message_state_hurry(state, 150));
	CU_ASSERT(message_state_is_due(state, 1, 150, 1000));
	CU_ASSERT_FALSE(message_state_hurry(state, 150));
	message_state_hold_recipient(state, 1, CLOCK_NEVER, 150);
	message_state_hold(state, "by hand", 0, 160);
	CU_ASSERT(state->recipients[1].held_since_us == 0 && state->recipients[1].held_total_us == 10);
	CU_ASSERT(message_state_release(state, 200));
	CU_ASSERT_EQUAL(message_state_held_us(state, 1, 300), 50); /* once, though two held it */
	CU_ASSERT_EQUAL(message_state_held_us(state, 0, 300), 40);
	CU_ASSERT_FALSE(message_state_release(state, 200));
}

static void
test_finished(void)
{
	g_autoptr(MessageState) state = state_full();

	CU_ASSERT_FALSE(message_state_is_finished(state));
	message_state_set_recipient(state, 2, RECIPIENT_REMOVED, NULL);
	CU_ASSERT(message_state_is_finished(state));
	message_state_set_recipient(state, 1, RECIPIENT_PENDING, state->recipients[1].reply);
	ASSERT_TEXT(state->recipients[1].reply, "550 5.1.1 no");
	CU_ASSERT_FALSE(message_state_is_finished(state));
}

static void
test_malformed(void)
{
	g_autoptr(MessageState) state = state_full();
	g_autoptr(GByteArray) octets = g_byte_array_new();

	message_state_encode(state, octets);
	for (guint size = 0; size < octets->len; size++) {
		g_autofree uint8_t *part = g_memdup2(octets->data, MAX(size, 1));

		CU_ASSERT_PTR_NULL(message_state_decode(part, size));
	}
	for (guint i = 0; i < octets->len; i++) {
		octets->data[i] ^= 0xff;
		message_state_free(message_state_decode(octets->data, octets->len));
		octets->data[i] ^= 0xff;
	}
}

const UnitSuite state_suite = { "state", (const UnitTest[]){
	{ "a state comes back as it was", test_round_trip },
	{ "Q-40 what each recipient has of its own comes back", test_recipients },
	{ "Q-40 a record of version 2 is read as what it meant", test_older },
	{ "Q-40 Q-13 when a recipient is due, and whose hold counts", test_due },
	{ "finished is when nobody is pending", test_finished },
	{ "what is no state is refused", test_malformed },
	{ 0 } } };
