/* state-changes.c - the record of changes (doc/spool-format.md). */
#include "mail/state-changes.h"

#include "mail/bytes.h"

GArray *
state_changed_places(const MessageState *state)
{
	GArray *places = g_array_new(FALSE, FALSE, sizeof(guint));

	for (guint i = 0; i < state->n_recipients; i++)
		if (state->recipients[i].is_changed)
			g_array_append_val(places, i);
	return places;
}

void
state_changes_encode(const MessageState *state, const GArray *places, GByteArray *out)
{
	message_state_encode_head(state, out);
	bytes_put32(out, state->n_recipients);
	bytes_put32(out, message_state_count_open(state));
	bytes_put32(out, places->len);
	for (guint i = 0; i < places->len; i++) {
		const guint place = g_array_index(places, guint, i);

		bytes_put32(out, place);
		message_state_encode_recipient(&state->recipients[place], out);
	}
}

/* Ascending places below the number of all, so that no record makes us allocate more than it can hold. */
static bool
state_changes_read_recipients(StateChanges *changes, BytesReader *reader)
{
	enum { LEAST = 9 };
	MessageState *state = changes->state;
	uint32_t n;

	changes->n_all = bytes_get32(reader);
	changes->n_open = bytes_get32(reader);
	n = bytes_get32(reader);
	if (reader->is_bad || n > (size_t)(reader->end - reader->at) / LEAST || n > changes->n_all ||
		changes->n_open > changes->n_all)
		return false;
	message_state_set_size(state, n);
	for (guint i = 0; i < n; i++) {
		const guint place = bytes_get32(reader);

		if (place >= changes->n_all || (i > 0 && place <= g_array_index(changes->places, guint, i - 1)) ||
			!message_state_decode_recipient(&state->recipients[i], reader))
			return false;
		g_array_append_val(changes->places, place);
	}
	return !reader->is_bad && reader->at == reader->end;
}

StateChanges *
state_changes_decode(const uint8_t *data, size_t size)
{
	g_autoptr(StateChanges) changes = g_new0(StateChanges, 1);
	BytesReader reader = { data, data + size, false };

	changes->state = message_state_new(0, 0);
	changes->places = g_array_new(FALSE, FALSE, sizeof(guint));
	if (!message_state_decode_head(changes->state, &reader, &changes->marks) ||
		!state_changes_read_recipients(changes, &reader))
		return NULL;
	return g_steal_pointer(&changes);
}

void
state_changes_free(StateChanges *changes)
{
	if (changes == NULL)
		return;
	message_state_free(changes->state);
	g_array_unref(changes->places);
	g_free(changes);
}

bool
state_changes_apply(const StateChanges *changes, MessageState *state)
{
	if (changes->state->id != state->id || changes->n_all != state->n_recipients)
		return false;
	message_state_copy_head(changes->state, state);
	for (guint i = 0; i < changes->places->len; i++) {
		const guint place = g_array_index(changes->places, guint, i);

		recipient_state_copy(&changes->state->recipients[i], &state->recipients[place]);
	}
	message_state_share(state, &changes->marks);
	return true;
}
