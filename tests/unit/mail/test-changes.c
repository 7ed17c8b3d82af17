/* test-changes.c - states of many recipients: what changed in them is written, and read as if the whole had been. */
#include "mail/state-changes.h"

#include <string.h>

#include "unit/mail/mail.h"

enum { MANY = 1000, ID = 100 };

/* The segments that the log has ever begun, in octets. */
static uint64_t
log_octets_used(Fixture *fixture)
{
	g_autofree char *path = g_build_filename(fixture->directory, "log", NULL);
	g_autoptr(GDir) directory = g_dir_open(path, 0, NULL);
	guint64 highest = 0;
	const char *name;

	while ((name = g_dir_read_name(directory)) != NULL)
		if (strlen(name) == 16)
			highest = MAX(highest, g_ascii_strtoull(name, NULL, 16));
	return highest * fixture->settings.segment_size;
}

static void
flush(Fixture *fixture)
{
	CU_ASSERT(spool_flush(fixture->spool, CLOCK_NEVER));
}

/* The hundred octets of a usual reply. */
static void
set_reply(MessageState *state, unsigned place, RecipientStatus status, unsigned number)
{
	g_autofree char *reply = g_strdup_printf("250 2.0.0 Ok: queued by mx%08u.example.org as 0123456789ABCDEF0123456789ABCDEF%08u",
		number, number);

	message_state_set_recipient(state, place, status, reply);
}

/* The message's state in the spool is `wanted`. */
static bool
state_is(Fixture *fixture, const MessageState *wanted)
{
	g_autoptr(SpoolMessage) message = spool_read(fixture->spool, wanted->id, NULL);
	const MessageState *found = message != NULL ? message->state : NULL;
	bool is_same = found != NULL && found->n_recipients == wanted->n_recipients &&
				   found->attempts == wanted->attempts && found->next_us == wanted->next_us;

	for (unsigned i = 0; is_same && i < wanted->n_recipients; i++)
		is_same = found->recipients[i].status == wanted->recipients[i].status &&
				  g_strcmp0(found->recipients[i].reply, wanted->recipients[i].reply) == 0;
	return is_same;
}

static MessageState *
send_to_many(Fixture *fixture, QueueId id, unsigned n)
{
	g_autoptr(SpoolMessage) message = NULL;

	CU_ASSERT_EQUAL_FATAL(fixture_commit(fixture, id, "body", n), SPOOL_COMMITTED);
	message = spool_read(fixture->spool, id, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(message);
	return g_steal_pointer(&message->state);
}

/* ---- the record ---- */

static void
test_record(void)
{
	g_autoptr(MessageState) state = message_state_new(7, 30), other = message_state_new(7, 30);
	g_autoptr(GByteArray) octets = g_byte_array_new();
	g_autoptr(GArray) places = NULL;
	g_autoptr(StateChanges) changes = NULL;

	set_reply(state, 3, RECIPIENT_DELIVERED, 3);
	set_reply(state, 29, RECIPIENT_FAILED, 29);
	state->attempts = 4;
	state->hold_reason = g_strdup("a reason");
	state->is_held = true;
	places = state_changed_places(state);
	CU_ASSERT_EQUAL(places->len, 2);
	state_changes_encode(state, places, octets);
	changes = state_changes_decode(octets->data, octets->len);
	CU_ASSERT_PTR_NOT_NULL_FATAL(changes);
	CU_ASSERT(changes->n_all == 30 && changes->n_open == 29);
	CU_ASSERT(state_changes_apply(changes, other));
	CU_ASSERT_EQUAL(other->recipients[29].status, RECIPIENT_FAILED);
	ASSERT_TEXT(other->recipients[3].reply, state->recipients[3].reply);
	CU_ASSERT(other->is_held && other->attempts == 4);
	ASSERT_TEXT(other->hold_reason, "a reason");
	for (guint size = 0; size < octets->len; size++)
		CU_ASSERT_PTR_NULL(state_changes_decode(octets->data, size));
}

/* Of another message, or of another number of recipients. */
static void
test_foreign(void)
{
	g_autoptr(MessageState) state = message_state_new(7, 30), fewer = message_state_new(7, 29),
							other = message_state_new(8, 30);
	g_autoptr(GByteArray) octets = g_byte_array_new();
	g_autoptr(GArray) places = NULL;
	g_autoptr(StateChanges) changes = NULL;

	set_reply(state, 29, RECIPIENT_DELIVERED, 1);
	places = state_changed_places(state);
	state_changes_encode(state, places, octets);
	changes = state_changes_decode(octets->data, octets->len);
	CU_ASSERT_FALSE(state_changes_apply(changes, fewer));
	CU_ASSERT_FALSE(state_changes_apply(changes, other));
}

/* ---- in the spool ---- */

/* 200 results of five recipients each, each on the disk before the next: a fraction of what 200 whole states take. */
static void
test_octets(void)
{
	g_autoptr(Fixture) fixture = fixture_new();
	g_autoptr(MessageState) state = send_to_many(fixture, ID, MANY);
	const uint64_t before = log_octets_used(fixture);
	g_autoptr(GByteArray) whole = g_byte_array_new();

	for (unsigned hop = 0; hop < 200; hop++) {
		for (unsigned i = 0; i < 5; i++)
			set_reply(state, hop * 5 + i, hop == 199 ? RECIPIENT_PENDING : RECIPIENT_DELIVERED, hop);
		spool_put_changes(fixture->spool, state);
		flush(fixture);
		CU_ASSERT(state_is(fixture, state));
	}
	message_state_encode(state, whole);
	CU_ASSERT(whole->len > 90000);
	CU_ASSERT(log_octets_used(fixture) - before < 20 * whole->len);
	fixture_reopen(fixture);
	CU_ASSERT(state_is(fixture, state));
}

/* Several changes while none of them is written yet. */
static void
test_pending(void)
{
	g_autoptr(Fixture) fixture = fixture_new();
	g_autoptr(MessageState) state = send_to_many(fixture, ID, MANY);

	for (unsigned i = 0; i < 40; i++) {
		set_reply(state, (i * 37) % MANY, RECIPIENT_DELIVERED, i);
		spool_put_changes(fixture->spool, state);
		CU_ASSERT(state_is(fixture, state));
	}
	flush(fixture);
	CU_ASSERT(state_is(fixture, state));
	fixture_reopen(fixture);
	CU_ASSERT(state_is(fixture, state));
}

/* A state that was not made of the present one is written whole, whatever it says of its changes. */
static void
test_stale(void)
{
	g_autoptr(Fixture) fixture = fixture_new();
	g_autoptr(MessageState) state = send_to_many(fixture, ID, 40);
	g_autoptr(MessageState) stale = message_state_copy(state);

	set_reply(state, 1, RECIPIENT_DELIVERED, 1);
	spool_put_changes(fixture->spool, state);
	flush(fixture);
	set_reply(stale, 2, RECIPIENT_DELIVERED, 2);
	spool_put_changes(fixture->spool, stale);
	flush(fixture);
	CU_ASSERT(state_is(fixture, stale));
	fixture_reopen(fixture);
	CU_ASSERT(state_is(fixture, stale));
}

/* The message moves from segment to segment while its state changes: no record is left behind in one that is used again. */
static void
test_moves(void)
{
	g_autoptr(Fixture) fixture = fixture_new();
	g_autoptr(MessageState) state = send_to_many(fixture, ID, 40);
	g_autofree char *body = g_strnfill(12000, 'b');
	SpoolFigures figures;

	for (unsigned i = 0; i < 3000; i++) {
		set_reply(state, i % 40, RECIPIENT_PENDING, i);
		spool_put_changes(fixture->spool, state);
		CU_ASSERT_EQUAL(fixture_commit(fixture, 1000 + i, body, 1), SPOOL_COMMITTED);
		if (i % 7 == 0)
			CU_ASSERT(state_is(fixture, state));
		if (i >= 20) {
			MessageState *end = message_state_new(1000 + i - 20, 1);

			message_state_set_recipient(end, 0, RECIPIENT_DELIVERED, NULL);
			spool_put_state(fixture->spool, end);
		}
	}
	spool_figures(fixture->spool, &figures);
	CU_ASSERT(figures.compacted_octets > 0);
	flush(fixture);
	CU_ASSERT(state_is(fixture, state));
	fixture_reopen(fixture);
	CU_ASSERT(state_is(fixture, state));
}

/* The last recipient ends the message, whole or by changes. */
static void
test_end(void)
{
	g_autoptr(Fixture) fixture = fixture_new();
	g_autoptr(MessageState) state = send_to_many(fixture, ID, 40);

	for (unsigned i = 0; i < 40; i++) {
		CU_ASSERT_EQUAL(spool_count(fixture->spool), 1);
		set_reply(state, i, RECIPIENT_DELIVERED, i);
		spool_put_changes(fixture->spool, state);
		if (i % 3 == 0)
			flush(fixture);
	}
	CU_ASSERT_EQUAL(spool_count(fixture->spool), 0);
	fixture_reopen(fixture);
	CU_ASSERT_EQUAL(spool_count(fixture->spool), 0);
}

/* A spool of the version before is read, and is of ours from then on: what an older Postern cannot read it refuses. */
static void
test_older_format(void)
{
	g_autoptr(Fixture) fixture = fixture_new();
	g_autoptr(MessageState) state = send_to_many(fixture, ID, 40);
	g_autofree char *path = g_build_filename(fixture->directory, "format", NULL);
	g_autofree char *text = NULL, *older = NULL, *after = NULL;

	CU_ASSERT(g_file_get_contents(path, &text, NULL, NULL));
	CU_ASSERT(g_str_has_prefix(text, "postern-spool 3 "));
	older = g_strconcat("postern-spool 2 ", text + strlen("postern-spool 3 "), NULL);
	CU_ASSERT(g_file_set_contents(path, older, -1, NULL));
	fixture_reopen(fixture);
	CU_ASSERT(state_is(fixture, state));
	CU_ASSERT(g_file_get_contents(path, &after, NULL, NULL));
	ASSERT_TEXT(after, text);
}

const UnitSuite changes_suite = { "changes", (const UnitTest[]){
	{ "a record of changes, and every piece of one", test_record },
	{ "changes of another message", test_foreign },
	{ "Q-10 200 results of a message to 1,000 recipients", test_octets },
	{ "changes that wait to be written are all there", test_pending },
	{ "a stale state is written whole", test_stale },
	{ "a message that moves while it changes", test_moves },
	{ "changes end a message", test_end },
	{ "Q-02 a spool of an older format", test_older_format },
	{ 0 } } };
