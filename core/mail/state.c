/* state.c - the state of a message and its record (doc/spool-format.md). */
#include "mail/state.h"

#include "base/clock.h"

/* IS_WARNED: in records of version 2 only, which lack BY_RECIPIENT. */
enum { STATE_IS_HELD = 1, STATE_IS_WARNED = 2, STATE_BY_RECIPIENT = 4, STATE_TRIES_ALL = 8, STATE_HAS_HELD = 16 };
enum { RECIPIENT_HAS_MORE = 0x80, RECIPIENT_IS_WARNED = 1 };

MessageState *
message_state_new(QueueId id, unsigned n_recipients)
{
	MessageState *state = g_new0(MessageState, 1);

	state->id = id;
	state->n_recipients = n_recipients;
	state->recipients = g_new0(RecipientState, MAX(n_recipients, 1));
	return state;
}

void
message_state_free(MessageState *state)
{
	if (state == NULL)
		return;
	for (unsigned i = 0; i < state->n_recipients; i++)
		g_free(state->recipients[i].reply);
	g_free(state->recipients);
	g_free(state->hold_reason);
	g_free(state);
}

void
message_state_copy_head(const MessageState *from, MessageState *to)
{
	const unsigned n_recipients = to->n_recipients;
	RecipientState *recipients = to->recipients;

	g_free(to->hold_reason);
	*to = *from;
	to->hold_reason = g_strdup(from->hold_reason);
	to->n_recipients = n_recipients;
	to->recipients = recipients;
}

void
recipient_state_copy(const RecipientState *from, RecipientState *to)
{
	char *reply = g_strdup(from->reply);

	g_free(to->reply);
	*to = *from;
	to->reply = reply;
}

MessageState *
message_state_copy(const MessageState *state)
{
	MessageState *copy = message_state_new(state->id, state->n_recipients);

	message_state_copy_head(state, copy);
	for (unsigned i = 0; i < state->n_recipients; i++)
		recipient_state_copy(&state->recipients[i], &copy->recipients[i]);
	return copy;
}

unsigned
message_state_count(const MessageState *state, RecipientStatus status)
{
	unsigned n = 0;

	for (unsigned i = 0; i < state->n_recipients; i++)
		n += state->recipients[i].status == status;
	return n;
}

bool
recipient_state_is_open(const RecipientState *recipient)
{
	return recipient->status == RECIPIENT_PENDING || recipient->status == RECIPIENT_FAILED;
}

unsigned
message_state_count_open(const MessageState *state)
{
	return message_state_count(state, RECIPIENT_PENDING) + message_state_count(state, RECIPIENT_FAILED);
}

bool
message_state_is_finished(const MessageState *state)
{
	return message_state_count_open(state) == 0;
}

void
message_state_set_recipient(MessageState *state, unsigned i, RecipientStatus status, const char *reply)
{
	RecipientState *recipient = &state->recipients[i];
	char *copy = g_strdup(reply);

	g_free(recipient->reply);
	recipient->status = status;
	recipient->is_changed = true;
	recipient->reply = copy;
}

void
message_state_clear_changes(MessageState *state)
{
	for (unsigned i = 0; i < state->n_recipients; i++)
		state->recipients[i].is_changed = false;
}

void
message_state_set_size(MessageState *state, unsigned n_recipients)
{
	g_free(state->recipients);
	state->recipients = g_new0(RecipientState, MAX(n_recipients, 1));
	state->n_recipients = n_recipients;
}

void
message_state_encode_head(const MessageState *state, GByteArray *out)
{
	bytes_put64(out, state->id);
	bytes_put64(out, state->version);
	bytes_put64(out, (uint64_t)state->next_us);
	bytes_put64(out, (uint64_t)state->release_at_us);
	bytes_put64(out, (uint64_t)state->held_since_us);
	bytes_put64(out, (uint64_t)state->held_total_us);
	bytes_put32(out, state->attempts);
	bytes_put32(out, STATE_BY_RECIPIENT | (state->is_held ? STATE_IS_HELD : 0) |
			(state->tries_all ? STATE_TRIES_ALL : 0) | (message_state_has_held(state) ? STATE_HAS_HELD : 0));
	bytes_put_text(out, state->hold_reason);
}

/* Most recipients have nothing but their status. */
static bool
recipient_state_has_more(const RecipientState *recipient)
{
	return recipient_state_is_open(recipient) &&
		   (recipient->attempts != 0 || recipient->is_warned || recipient->next_us != 0 ||
			   recipient->held_since_us != 0 || recipient->held_total_us != 0 || recipient->way != 0);
}

void
message_state_encode_recipient(const RecipientState *recipient, GByteArray *out)
{
	const bool has_more = recipient_state_has_more(recipient);

	bytes_put8(out, (uint8_t)(recipient->status | (has_more ? RECIPIENT_HAS_MORE : 0)));
	bytes_put_text(out, recipient->reply);
	if (!has_more)
		return;
	bytes_put8(out, recipient->is_warned ? RECIPIENT_IS_WARNED : 0);
	bytes_put32(out, recipient->attempts);
	bytes_put64(out, (uint64_t)recipient->next_us);
	bytes_put64(out, (uint64_t)recipient->held_since_us);
	bytes_put64(out, (uint64_t)recipient->held_total_us);
	bytes_put64(out, recipient->way);
}

void
message_state_encode(const MessageState *state, GByteArray *out)
{
	message_state_encode_head(state, out);
	bytes_put32(out, state->n_recipients);
	for (unsigned i = 0; i < state->n_recipients; i++)
		message_state_encode_recipient(&state->recipients[i], out);
}

bool
message_state_decode_recipient(RecipientState *recipient, BytesReader *reader)
{
	const uint8_t first = bytes_get8(reader), status = first & ~RECIPIENT_HAS_MORE;
	uint8_t flags;

	if (status > RECIPIENT_FAILED)
		return false;
	recipient->status = status;
	recipient->reply = bytes_get_text(reader);
	if ((first & RECIPIENT_HAS_MORE) == 0)
		return true;
	flags = bytes_get8(reader);
	recipient->is_warned = (flags & RECIPIENT_IS_WARNED) != 0;
	recipient->attempts = bytes_get32(reader);
	recipient->next_us = (int64_t)bytes_get64(reader);
	recipient->held_since_us = (int64_t)bytes_get64(reader);
	recipient->held_total_us = (int64_t)bytes_get64(reader);
	recipient->way = bytes_get64(reader);
	return flags <= RECIPIENT_IS_WARNED;
}

static bool
message_state_read_recipients(MessageState *state, BytesReader *reader)
{
	const uint32_t n = bytes_get32(reader);

	/* A recipient takes five octets at least: no count makes us allocate more than the record can hold. */
	if (reader->is_bad || n > (size_t)(reader->end - reader->at) / 5)
		return false;
	message_state_set_size(state, n);
	for (unsigned i = 0; i < n; i++)
		if (!message_state_decode_recipient(&state->recipients[i], reader))
			return false;
	return !reader->is_bad && reader->at == reader->end;
}

bool
message_state_decode_head(MessageState *state, BytesReader *reader, StateMarks *marks)
{
	static const uint32_t shared = STATE_IS_HELD | STATE_IS_WARNED;
	static const uint32_t own = STATE_IS_HELD | STATE_BY_RECIPIENT | STATE_TRIES_ALL | STATE_HAS_HELD;
	uint32_t flags;

	state->id = bytes_get64(reader);
	state->version = bytes_get64(reader);
	state->next_us = (int64_t)bytes_get64(reader);
	state->release_at_us = (int64_t)bytes_get64(reader);
	state->held_since_us = (int64_t)bytes_get64(reader);
	state->held_total_us = (int64_t)bytes_get64(reader);
	state->attempts = bytes_get32(reader);
	flags = bytes_get32(reader);
	state->is_held = (flags & STATE_IS_HELD) != 0;
	marks->is_shared = (flags & STATE_BY_RECIPIENT) == 0;
	marks->is_warned = (flags & STATE_IS_WARNED) != 0;
	marks->has_held = (flags & STATE_HAS_HELD) != 0;
	state->tries_all = marks->is_shared || (flags & STATE_TRIES_ALL) != 0;
	state->hold_reason = bytes_get_text(reader);
	return !reader->is_bad && (flags & ~(marks->is_shared ? shared : own)) == 0;
}

void
message_state_share(MessageState *state, const StateMarks *marks)
{
	for (unsigned i = 0; marks->is_shared && i < state->n_recipients; i++) {
		RecipientState *recipient = &state->recipients[i];

		if (recipient->status != RECIPIENT_PENDING)
			continue;
		recipient->attempts = state->attempts;
		recipient->is_warned = marks->is_warned;
	}
}

MessageState *
message_state_decode(const uint8_t *data, size_t size)
{
	g_autoptr(MessageState) state = message_state_new(0, 0);
	BytesReader reader = { data, data + size, false };
	StateMarks marks;

	if (!message_state_decode_head(state, &reader, &marks) || !message_state_read_recipients(state, &reader))
		return NULL;
	message_state_share(state, &marks);
	return g_steal_pointer(&state);
}
