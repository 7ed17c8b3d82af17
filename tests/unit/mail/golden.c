/* golden.c - a small spool with something of everything, and all that is known of a spool as text. */
#include "unit/mail/golden.h"

#include <stdio.h>
#include <string.h>

#define GOLDEN_DAY (INT64_C(86400) * CLOCK_SECOND)
#define GOLDEN_NOW (20000 * GOLDEN_DAY)

enum {
	GOLDEN_FIRST = 1000,
	GOLDEN_SMALL = 2000,
	GOLDEN_SMALL_N = 30,
	GOLDEN_MANY = 20,
	GOLDEN_LARGE = 20000
};

/* ---- what is written ---- */

static void
golden_set(char **text, const char *value)
{
	g_free(*text);
	*text = g_strdup(value);
}

/* With something in each field. */
static Envelope *
golden_envelope(QueueId id)
{
	Envelope *envelope = envelope_new(id);
	const Cut cuts[] = { { 0, 15 }, { 40, 6 } };

	envelope->arrived_us = GOLDEN_NOW - 3 * GOLDEN_DAY + (int64_t)id;
	golden_set(&envelope->sender, "sender+x@example.net");
	golden_set(&envelope->envid, "QQ+2B1");
	envelope->ret = RET_HDRS;
	envelope->body = BODY_8BITMIME;
	envelope->is_smtputf8 = true;
	envelope_add_recipient(
		envelope, "one@example.org", "rfc822;one+2B@example.org", NOTIFY_SUCCESS | NOTIFY_FAILURE);
	envelope_add_recipient(envelope, "zw\303\266lf@example.org", NULL, 0);
	envelope_add_recipient(envelope, "three@example.com", NULL, NOTIFY_NEVER);
	envelope_add_recipient(envelope, "four@example.com", "rfc822;four@example.com", NOTIFY_DELAY);
	golden_set(&envelope->top, "Received: from client.example.net\r\n");
	golden_set(&envelope->bottom, "X-Bottom: yes\r\n");
	g_array_append_vals(envelope->cuts, cuts, G_N_ELEMENTS(cuts));
	envelope_set_note(envelope, "account", "user@example.net");
	envelope_set_note(envelope, "session", "abcdef");
	return envelope;
}

static Content *
golden_content(const Fixture *fixture, size_t size)
{
	static const char zeros[512] = "";
	Content *content = content_new(fixture->spool);

	content_append(content, "X-Cut: x-here\r\nSubject: golden\r\n\r\n", 34);
	for (unsigned i = 0; i < 10; i++) {
		char line[24];

		content_append(content, line, (size_t)g_snprintf(line, sizeof line, "line %u\r\n", i));
	}
	while (content_size(content) < size) /* takes no room in the text of the spool */
		content_append(content, zeros, MIN(sizeof zeros, size - content_size(content)));
	if (size > fixture->settings.large)
		CU_ASSERT(content_flush(content, NULL) && content_finish(content, NULL));
	return content;
}

static MessageState *
golden_state(Fixture *fixture, QueueId id)
{
	g_autoptr(SpoolMessage) message = spool_read(fixture->spool, id, NULL);

	CU_ASSERT_PTR_NOT_NULL_FATAL(message);
	return g_steal_pointer(&message->state);
}

static void
golden_flush(Fixture *fixture)
{
	CU_ASSERT(spool_flush(fixture->spool, g_get_monotonic_time() + 10 * CLOCK_SECOND));
}

/* Two messages of one content: the first with a state of its own by now, the second held. */
static void
golden_fill_copies(Fixture *fixture)
{
	SpoolTransaction *transaction = spool_transaction_new();
	Envelope *copy = golden_envelope(GOLDEN_FIRST + 1);
	MessageState *held = message_state_new(GOLDEN_FIRST + 1, 1), *state;

	g_ptr_array_set_size(copy->recipients, 0);
	envelope_add_recipient(copy, "copy@example.net", NULL, 0);
	golden_set(&copy->sender, "");
	held->is_held = true;
	golden_set(&held->hold_reason, "held at acceptance");
	held->held_since_us = GOLDEN_NOW - 5 * CLOCK_SECOND;
	held->release_at_us = GOLDEN_NOW + GOLDEN_DAY;
	held->held_total_us = 7 * CLOCK_SECOND;
	spool_transaction_set_content(transaction, golden_content(fixture, 100));
	spool_transaction_add(transaction, golden_envelope(GOLDEN_FIRST), NULL);
	spool_transaction_add(transaction, copy, held);
	CU_ASSERT_EQUAL(spool_commit_wait(fixture->spool, transaction), SPOOL_COMMITTED);

	state = golden_state(fixture, GOLDEN_FIRST);
	state->attempts = 3;
	state->next_us = GOLDEN_NOW + 600 * CLOCK_SECOND;
	state->held_total_us = 11 * CLOCK_SECOND;
	message_state_set_recipient(state, 0, RECIPIENT_DELIVERED, "250 2.0.0 ok");
	message_state_set_recipient(state, 1, RECIPIENT_PENDING, "450 4.2.1 sp\303\244ter");
	message_state_set_recipient(state, 2, RECIPIENT_BOUNCED, "550 5.1.1 no");
	message_state_set_recipient(state, 3, RECIPIENT_FAILED, "554 5.7.1 no");
	state->tries_all = true;
	state->recipients[1].attempts = 3;
	state->recipients[1].is_warned = true;
	state->recipients[1].next_us = GOLDEN_NOW + 600 * CLOCK_SECOND;
	state->recipients[1].held_since_us = GOLDEN_NOW - 13 * CLOCK_SECOND;
	state->recipients[1].held_total_us = 17 * CLOCK_SECOND;
	state->recipients[1].way = UINT64_C(0x0123456789abcdef);
	spool_put_state(fixture->spool, state);
	golden_flush(fixture);
}

/* Its content has a file of its own. */
static void
golden_fill_large(Fixture *fixture)
{
	SpoolTransaction *transaction = spool_transaction_new();
	Envelope *envelope = fixture_envelope(GOLDEN_FIRST + 2, 1);

	envelope->ret = RET_FULL;
	envelope->body = BODY_BINARYMIME;
	spool_transaction_set_content(transaction, golden_content(fixture, GOLDEN_LARGE));
	spool_transaction_add(transaction, envelope, NULL);
	CU_ASSERT_EQUAL(spool_commit_wait(fixture->spool, transaction), SPOOL_COMMITTED);
}

/* So many recipients that of a changed state only what changed is written. */
static void
golden_fill_many(Fixture *fixture)
{
	MessageState *state;

	CU_ASSERT_EQUAL(
		fixture_commit(fixture, GOLDEN_FIRST + 3, "Subject: many\r\n\r\nx\r\n", GOLDEN_MANY),
		SPOOL_COMMITTED);
	state = golden_state(fixture, GOLDEN_FIRST + 3);
	state->next_us = GOLDEN_NOW + 60 * CLOCK_SECOND;
	for (unsigned i = 0; i < GOLDEN_MANY; i++)
		message_state_set_recipient(
			state, i, RECIPIENT_PENDING, "450 4.3.0 a reply of some length");
	spool_put_changes(fixture->spool, state);
	golden_flush(fixture);
	message_state_set_recipient(state, 5, RECIPIENT_REMOVED, "removed");
	message_state_set_recipient(state, GOLDEN_MANY - 1, RECIPIENT_DELIVERED, "250 ok");
	message_state_hold_recipient(state, 7, CLOCK_NEVER, GOLDEN_NOW - 19 * CLOCK_SECOND);
	spool_put_changes(fixture->spool, state);
	message_state_free(state);
	golden_flush(fixture);
}

/* More than a segment has room for, so that one is sealed; of most there is nothing left. */
static void
golden_fill_segment(Fixture *fixture)
{
	for (QueueId id = GOLDEN_SMALL; id < GOLDEN_SMALL + GOLDEN_SMALL_N; id++)
		CU_ASSERT_EQUAL(fixture_commit(fixture, id, "Subject: small\r\n\r\n", 1), SPOOL_COMMITTED);
	for (QueueId id = GOLDEN_SMALL; id < GOLDEN_SMALL + GOLDEN_SMALL_N; id++) {
		MessageState *state;

		if (id % 10 == 0)
			continue;
		state = golden_state(fixture, id);
		message_state_set_recipient(state, 0, RECIPIENT_DELIVERED, "250 ok");
		spool_put_state(fixture->spool, state);
	}
	golden_flush(fixture);
}

/* In place of the fixture's spool a fresh one, with small segments. */
static void
golden_begin(Fixture *fixture)
{
	char *old = fixture->directory;

	spool_close(fixture->spool);
	unit_remove_directory(old);
	g_free(old);
	fixture->directory = unit_new_directory();
	fixture->now_us = GOLDEN_NOW;
	fixture->settings.directory = fixture->directory;
	fixture->settings.segment_size = GOLDEN_SEGMENT;
	fixture->spool = spool_open(&fixture->settings, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(fixture->spool);
}

void
golden_fill(Fixture *fixture)
{
	golden_begin(fixture);
	golden_fill_copies(fixture);
	golden_fill_large(fixture);
	golden_fill_many(fixture);
	golden_fill_segment(fixture);
}

/* ---- what is read ---- */

/* One line, whatever it holds; "-" for none. */
static void
golden_put(GString *out, const char *name, const char *text)
{
	g_autofree char *escaped = text != NULL ? g_strescape(text, NULL) : g_strdup("-");

	g_string_append_printf(out, "  %s: %s\n", name, escaped);
}

static void
golden_put_envelope(GString *out, const Envelope *envelope)
{
	g_string_append_printf(out,
		"  arrived: %" G_GINT64_FORMAT "\n  ret: %d body: %d smtputf8: %d\n", envelope->arrived_us,
		envelope->ret, envelope->body, envelope->is_smtputf8);
	golden_put(out, "sender", envelope->sender);
	golden_put(out, "envid", envelope->envid);
	golden_put(out, "top", envelope->top);
	golden_put(out, "bottom", envelope->bottom);
	for (guint i = 0; i < envelope->cuts->len; i++)
		g_string_append_printf(out, "  cut: %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT "\n",
			g_array_index(envelope->cuts, Cut, i).offset,
			g_array_index(envelope->cuts, Cut, i).length);
	for (guint i = 0; i < envelope->notes->len; i++)
		golden_put(out, ((const Note *)envelope->notes->pdata[i])->name,
			((const Note *)envelope->notes->pdata[i])->value);
}

static void
golden_put_state(GString *out, const MessageState *state)
{
	g_string_append_printf(out,
		"  version: %" G_GUINT64_FORMAT " next: %" G_GINT64_FORMAT
		" tries-all: %d attempts: %u\n  held: %d release: %" G_GINT64_FORMAT
		" since: %" G_GINT64_FORMAT " total: %" G_GINT64_FORMAT "\n",
		state->version, state->next_us, state->tries_all, state->attempts, state->is_held,
		state->release_at_us, state->held_since_us, state->held_total_us);
	golden_put(out, "hold-reason", state->hold_reason);
}

static void
golden_put_recipient(GString *out, const Recipient *recipient, const RecipientState *state)
{
	g_string_append_printf(out, "  recipient: %s notify: %u original: %s\n", recipient->address,
		recipient->notify, recipient->original != NULL ? recipient->original : "-");
	g_string_append_printf(out,
		"    status: %d warned: %d attempts: %u next: %" G_GINT64_FORMAT
		" held-since: %" G_GINT64_FORMAT " held-total: %" G_GINT64_FORMAT
		" way: %" G_GINT64_MODIFIER "x reply: %s\n",
		state->status, state->is_warned, state->attempts, state->next_us, state->held_since_us,
		state->held_total_us, state->way, state->reply != NULL ? state->reply : "-");
}

static bool
golden_piece(void *data, const char *octets, size_t size)
{
	g_string_append_len(data, octets, (gssize)size);
	return true;
}

static void
golden_put_message(GString *out, Spool *spool, const SpoolSummary *summary)
{
	g_autoptr(SpoolMessage) message = spool_read(spool, summary->id, NULL);
	g_autoptr(GString) shown = g_string_new(NULL);
	g_autofree char *sum = NULL;

	g_string_append_printf(out,
		"message %" G_GUINT64_FORMAT "\n  index: size %" G_GUINT64_FORMAT " next %" G_GINT64_FORMAT
		" arrived %" G_GINT64_FORMAT
		" pending %u of %u attempts %u held %d %d version %" G_GUINT64_FORMAT "\n",
		summary->id, summary->size, summary->next_us, summary->arrived_us, summary->n_pending,
		summary->n_recipients, summary->attempts, summary->is_held, summary->has_held,
		summary->version);
	if (message == NULL) {
		g_string_append(out, "  cannot be read\n");
		return;
	}
	golden_put_envelope(out, message->envelope);
	golden_put_state(out, message->state);
	for (guint i = 0; i < message->state->n_recipients; i++)
		golden_put_recipient(out, g_ptr_array_index(message->envelope->recipients, i),
			&message->state->recipients[i]);
	if (!spool_read_content(message, NULL) ||
		!spool_message_pieces(message, golden_piece, shown, NULL)) {
		g_string_append(out, "  content cannot be read\n");
		return;
	}
	sum = g_compute_checksum_for_data(G_CHECKSUM_SHA256, (const guchar *)shown->str, shown->len);
	golden_put(out, "shown", shown->str); /* as far as it is text */
	g_string_append_printf(out, "  octets: %zu sha256: %s\n", shown->len, sum);
}

static bool
golden_collect(void *data, const SpoolSummary *summary)
{
	g_array_append_val((GArray *)data, *summary);
	return true;
}

char *
golden_text(Spool *spool)
{
	g_autoptr(GArray) summaries = g_array_new(FALSE, FALSE, sizeof(SpoolSummary));
	GString *out = g_string_new(NULL);

	spool_each(spool, golden_collect, summaries);
	g_string_append_printf(out, "highest id: %" G_GUINT64_FORMAT "\n", spool_highest_id(spool));
	for (guint i = 0; i < summaries->len; i++)
		golden_put_message(out, spool, &g_array_index(summaries, SpoolSummary, i));
	return g_string_free(out, FALSE);
}
