/* test-state.c - the state of a message as octets and back. */
#include <string.h>

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
	{ "finished is when nobody is pending", test_finished },
	{ "what is no state is refused", test_malformed },
	{ 0 } } };
