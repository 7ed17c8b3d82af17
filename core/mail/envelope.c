/* envelope.c - the envelope and its record (doc/spool-format.md). */
#include "mail/envelope.h"

#include "mail/bytes.h"

static void
recipient_free(void *data)
{
	Recipient *recipient = data;

	g_free(recipient->address);
	g_free(recipient->original);
	g_free(recipient);
}

static void
note_free(void *data)
{
	Note *note = data;

	g_free(note->name);
	g_free(note->value);
	g_free(note);
}

Envelope *
envelope_new(QueueId id)
{
	Envelope *envelope = g_new0(Envelope, 1);

	envelope->id = id;
	envelope->sender = g_strdup("");
	envelope->top = g_strdup("");
	envelope->bottom = g_strdup("");
	envelope->recipients = g_ptr_array_new_with_free_func(recipient_free);
	envelope->cuts = g_array_new(FALSE, FALSE, sizeof(Cut));
	envelope->notes = g_ptr_array_new_with_free_func(note_free);
	return envelope;
}

void
envelope_free(Envelope *envelope)
{
	if (envelope == NULL)
		return;
	g_free(envelope->sender);
	g_free(envelope->envid);
	g_free(envelope->top);
	g_free(envelope->bottom);
	g_ptr_array_unref(envelope->recipients);
	g_array_unref(envelope->cuts);
	g_ptr_array_unref(envelope->notes);
	g_free(envelope);
}

static void
envelope_set_text(char **at, const char *text)
{
	g_free(*at);
	*at = g_strdup(text);
}

Envelope *
envelope_copy(const Envelope *envelope)
{
	Envelope *copy = envelope_new(envelope->id);

	copy->arrived_us = envelope->arrived_us;
	copy->ret = envelope->ret;
	copy->body = envelope->body;
	copy->is_smtputf8 = envelope->is_smtputf8;
	copy->envid = g_strdup(envelope->envid);
	envelope_set_text(&copy->sender, envelope->sender);
	envelope_set_text(&copy->top, envelope->top);
	envelope_set_text(&copy->bottom, envelope->bottom);
	for (guint i = 0; i < envelope->recipients->len; i++) {
		const Recipient *recipient = envelope->recipients->pdata[i];

		envelope_add_recipient(copy, recipient->address, recipient->original, recipient->notify);
	}
	g_array_append_vals(copy->cuts, envelope->cuts->data, envelope->cuts->len);
	for (guint i = 0; i < envelope->notes->len; i++) {
		const Note *note = envelope->notes->pdata[i];

		envelope_set_note(copy, note->name, note->value);
	}
	return copy;
}

void
envelope_add_recipient(Envelope *envelope, const char *address, const char *original, unsigned notify)
{
	Recipient *recipient = g_new(Recipient, 1);

	recipient->address = g_strdup(address);
	recipient->original = g_strdup(original);
	recipient->notify = notify;
	g_ptr_array_add(envelope->recipients, recipient);
}

static bool
envelope_find_note(const Envelope *envelope, const char *name, guint *at)
{
	for (guint i = 0; i < envelope->notes->len; i++) {
		const Note *note = envelope->notes->pdata[i];

		if (strcmp(note->name, name) == 0) {
			*at = i;
			return true;
		}
	}
	return false;
}

static void
envelope_take_note(Envelope *envelope, char *name, char *value)
{
	Note *note = g_new(Note, 1);

	note->name = name;
	note->value = value;
	g_ptr_array_add(envelope->notes, note);
}

void
envelope_set_note(Envelope *envelope, const char *name, const char *value)
{
	const bool is_there = value != NULL;
	guint at;

	if (!envelope_find_note(envelope, name, &at)) {
		if (is_there)
			envelope_take_note(envelope, g_strdup(name), g_strdup(value));
		return;
	}
	if (is_there)
		envelope_set_text(&((Note *)envelope->notes->pdata[at])->value, value);
	else
		g_ptr_array_remove_index(envelope->notes, at);
}

const char *
envelope_note(const Envelope *envelope, const char *name)
{
	guint at;

	return envelope_find_note(envelope, name, &at) ? ((const Note *)envelope->notes->pdata[at])->value : NULL;
}

void
envelope_encode(const Envelope *envelope, GByteArray *out)
{
	bytes_put64(out, envelope->id);
	bytes_put64(out, (uint64_t)envelope->arrived_us);
	bytes_put8(out, (uint8_t)envelope->ret);
	bytes_put8(out, (uint8_t)envelope->body);
	bytes_put8(out, envelope->is_smtputf8);
	bytes_put8(out, 0);
	bytes_put_text(out, envelope->sender);
	bytes_put_text(out, envelope->envid);
	bytes_put_text(out, envelope->top);
	bytes_put_text(out, envelope->bottom);
	bytes_put32(out, envelope->recipients->len);
	for (guint i = 0; i < envelope->recipients->len; i++) {
		const Recipient *recipient = envelope->recipients->pdata[i];

		bytes_put32(out, recipient->notify);
		bytes_put_text(out, recipient->address);
		bytes_put_text(out, recipient->original);
	}
	bytes_put32(out, envelope->cuts->len);
	for (guint i = 0; i < envelope->cuts->len; i++) {
		bytes_put64(out, g_array_index(envelope->cuts, Cut, i).offset);
		bytes_put64(out, g_array_index(envelope->cuts, Cut, i).length);
	}
	bytes_put32(out, envelope->notes->len);
	for (guint i = 0; i < envelope->notes->len; i++) {
		bytes_put_text(out, ((const Note *)envelope->notes->pdata[i])->name);
		bytes_put_text(out, ((const Note *)envelope->notes->pdata[i])->value);
	}
}

static void
envelope_read_recipients(Envelope *envelope, BytesReader *reader)
{
	const uint32_t n = bytes_get32(reader);

	for (uint32_t i = 0; i < n && !reader->is_bad; i++) {
		const uint32_t notify = bytes_get32(reader);
		g_autofree char *address = bytes_get_some_text(reader);
		g_autofree char *original = bytes_get_text(reader);

		if (!reader->is_bad)
			envelope_add_recipient(envelope, address, original, notify);
	}
}

static void
envelope_read_cuts(Envelope *envelope, BytesReader *reader)
{
	const uint32_t n = bytes_get32(reader);
	uint64_t passed = 0;

	for (uint32_t i = 0; i < n && !reader->is_bad; i++) {
		Cut cut;

		cut.offset = bytes_get64(reader);
		cut.length = bytes_get64(reader);
		if (cut.offset < passed || cut.length > UINT64_MAX - cut.offset)
			reader->is_bad = true;
		passed = cut.offset + cut.length;
		g_array_append_val(envelope->cuts, cut);
	}
}

static void
envelope_read_notes(Envelope *envelope, BytesReader *reader)
{
	const uint32_t n = bytes_get32(reader);

	for (uint32_t i = 0; i < n && !reader->is_bad; i++) {
		char *name = bytes_get_some_text(reader);
		char *value = bytes_get_some_text(reader);

		envelope_take_note(envelope, name, value);
	}
}

static void
envelope_read_text(BytesReader *reader, char **at)
{
	g_free(*at);
	*at = bytes_get_some_text(reader);
}

Envelope *
envelope_decode(const uint8_t *data, size_t size)
{
	g_autoptr(Envelope) envelope = envelope_new(0);
	BytesReader reader = { data, data + size, false };
	uint8_t ret, body, is_smtputf8;

	envelope->id = bytes_get64(&reader);
	envelope->arrived_us = (int64_t)bytes_get64(&reader);
	ret = bytes_get8(&reader);
	body = bytes_get8(&reader);
	is_smtputf8 = bytes_get8(&reader);
	if (bytes_get8(&reader) != 0 || ret > RET_HDRS || body > BODY_BINARYMIME || is_smtputf8 > 1)
		return NULL;
	envelope->ret = ret;
	envelope->body = body;
	envelope->is_smtputf8 = is_smtputf8;
	envelope_read_text(&reader, &envelope->sender);
	envelope->envid = bytes_get_text(&reader);
	envelope_read_text(&reader, &envelope->top);
	envelope_read_text(&reader, &envelope->bottom);
	envelope_read_recipients(envelope, &reader);
	envelope_read_cuts(envelope, &reader);
	envelope_read_notes(envelope, &reader);
	if (reader.is_bad || reader.at != reader.end)
		return NULL;
	return g_steal_pointer(&envelope);
}
