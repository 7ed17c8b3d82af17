/* test-transaction.c - edits of a message, and what is committed of it. */
#include "engine/transaction.h"

#include <string.h>

#include "engine/stay.h"
#include "proto/header.h"
#include "suites.h"
#include "unit/mail/mail.h"

typedef struct {
	Fixture *fixture;
	IdSource *ids;
	Transaction *transaction;
} World;

static void
world_start(World *world, const char *content)
{
	world->fixture = fixture_new();
	world->ids = id_source_new(&world->fixture->clock, 0);
	world->transaction = transaction_new(id_next(world->ids), "a@example.net", 1);
	envelope_add_recipient(world->transaction->envelope, "x@example.org", "rfc822;x@example.org", NOTIFY_SUCCESS);
	world->transaction->content = content_new(world->fixture->spool);
	content_append(world->transaction->content, content, strlen(content));
	world->transaction->body_offset = header_body(content, strlen(content));
}

static void
world_end(World *world)
{
	transaction_free(world->transaction);
	id_source_free(world->ids);
	fixture_free(world->fixture);
}

static void
act(World *world, Act what)
{
	transaction_apply(world->transaction, "p", &what, world->ids);
}

static char *
world_commit(World *world)
{
	CU_ASSERT_EQUAL(spool_commit_wait(world->fixture->spool, transaction_seal(world->transaction)), SPOOL_COMMITTED);
	return fixture_read(world->fixture->spool, world->transaction->id);
}

static void
check_text(const char *content, const char *remove, const char *add, const char *expected)
{
	g_autofree char *text = NULL;
	World world;

	world_start(&world, content);
	g_string_append(world.transaction->top, "Received: here\r\n");
	if (remove != NULL)
		act(&world, (Act){ .kind = ACT_REMOVE_HEADERS, .name = remove });
	if (add != NULL)
		act(&world, (Act){ .kind = ACT_ADD_HEADER, .name = add, .text = "1" });
	text = world_commit(&world);
	ASSERT_TEXT(text, expected);
	world_end(&world);
}

static void
test_edits(void)
{
	check_text("Subject: a\r\n\r\nbody\r\n", NULL, "X-A", "Received: here\r\nSubject: a\r\nX-A: 1\r\n\r\nbody\r\n");
	check_text("Bcc: x,\r\n y\r\nSubject: a\r\nbcc: z\r\n\r\nBcc: body\r\n", "BCC", NULL,
		"Received: here\r\nSubject: a\r\n\r\nBcc: body\r\n");
	check_text("Subject: a\r\n\r\nb\r\n", "Received", "X-A", "Subject: a\r\nX-A: 1\r\n\r\nb\r\n"); /* ours, too, if asked for */
}

static void
test_separator(void)
{
	check_text("\r\nbody\r\n", NULL, "X-A", "Received: here\r\nX-A: 1\r\n\r\nbody\r\n");
	check_text("body without header\r\n", NULL, "X-A", "Received: here\r\nX-A: 1\r\n\r\nbody without header\r\n");
	check_text("Subject: a\r\n", NULL, "X-A", "Received: here\r\nSubject: a\r\nX-A: 1\r\n\r\n");
	check_text("", NULL, "X-A", "Received: here\r\nX-A: 1\r\n\r\n");
}

/* By BDAT. */
static void
test_header_without_end(void)
{
	check_text("Subject: a", NULL, "X-A", "Received: here\r\nSubject: a\r\nX-A: 1\r\n\r\n");
	check_text("Subject: a\r\n b", NULL, "X-A", "Received: here\r\nSubject: a\r\n b\r\nX-A: 1\r\n\r\n");
	check_text("Subject: a", NULL, NULL, "Received: here\r\nSubject: a\r\n\r\n");
	check_text("Subject: a\r\nBcc: b", "Bcc", "X-A", "Received: here\r\nSubject: a\r\nX-A: 1\r\n\r\n");
	check_text("Bcc: b", "Bcc", "X-A", "Received: here\r\nX-A: 1\r\n\r\n");
	check_text("Bcc: b\r\nSubject: a", "Bcc", "X-A", "Received: here\r\nSubject: a\r\nX-A: 1\r\n\r\n");
}

static bool
world_needs_utf8(World *world)
{
	g_autofree char *text = world_commit(world);
	g_autoptr(SpoolMessage) message = spool_read(world->fixture->spool, world->transaction->id, NULL);

	CU_ASSERT_PTR_NOT_NULL_FATAL(message);
	return message->envelope->is_smtputf8;
}

static void
check_utf8(const char *content, const char *sender, const char *recipient, const char *header, bool is_needed)
{
	World world;

	world_start(&world, content);
	world.transaction->envelope->is_smtputf8 = true;
	if (sender != NULL)
		act(&world, (Act){ .kind = ACT_SET_SENDER, .text = sender });
	if (recipient != NULL)
		envelope_add_recipient(world.transaction->envelope, recipient, NULL, 0);
	if (header != NULL)
		act(&world, (Act){ .kind = ACT_ADD_HEADER, .name = "X-A", .text = header });
	CU_ASSERT_EQUAL(world_needs_utf8(&world), is_needed);
	world_end(&world);
}

static void
test_smtputf8(void)
{
	check_utf8("Subject: a\r\n\r\nb\xc3\xbc\r\n", NULL, NULL, NULL, false);
	check_utf8("Subject: \xc3\xbc\r\n\r\nb\r\n", NULL, NULL, NULL, true);
	check_utf8("Subject: a\r\n\r\n", "\xc3\xbc@example.net", NULL, NULL, true);
	check_utf8("Subject: a\r\n\r\n", NULL, "\xc3\xbc@example.org", NULL, true);
	check_utf8("Subject: a\r\n\r\n", NULL, NULL, "\xc3\xbc", true);
	check_utf8("", NULL, NULL, NULL, false);
}

static void
test_getters(void)
{
	World world;
	g_autofree char *first = NULL, *second = NULL, *added = NULL, *name = NULL, *value = NULL;

	world_start(&world, "Subject: a\r\n b\r\nX-A: one\r\nX-A: two\r\n\r\nX-A: body\r\n");
	first = transaction_header(world.transaction, "subject", 0);
	ASSERT_TEXT(first, "a b");
	second = transaction_header(world.transaction, "x-a", 1);
	ASSERT_TEXT(second, "two");
	CU_ASSERT_PTR_NULL(transaction_header(world.transaction, "x-a", 2));
	CU_ASSERT_TRUE(transaction_header_at(world.transaction, 1, &name, &value));
	ASSERT_TEXT(name, "X-A");
	CU_ASSERT_FALSE(transaction_header_at(world.transaction, 3, &name, &value));
	act(&world, (Act){ .kind = ACT_REMOVE_HEADERS, .name = "X-A" });
	CU_ASSERT_PTR_NULL(transaction_header(world.transaction, "x-a", 0));
	act(&world, (Act){ .kind = ACT_ADD_HEADER, .name = "X-A", .text = "three" });
	added = transaction_header(world.transaction, "x-a", 0);
	ASSERT_TEXT(added, "three");
	world_end(&world);
}

static void
test_envelope(void)
{
	const char *const two[] = { "y@example.org", "z@example.org", NULL };
	const char *const none[] = { NULL };
	World world;
	g_autoptr(SpoolMessage) message = NULL;
	g_autofree char *text = NULL;

	world_start(&world, "Subject: a\r\n\r\n");
	act(&world, (Act){ .kind = ACT_SET_SENDER, .text = "postmaster@example.net" });
	act(&world, (Act){ .kind = ACT_REPLACE_RECIPIENT, .index = 0, .list = two });
	act(&world, (Act){ .kind = ACT_REPLACE_RECIPIENT, .index = 9, .list = two });
	act(&world, (Act){ .kind = ACT_REPLACE_RECIPIENT, .index = 0, .list = none });
	act(&world, (Act){ .kind = ACT_NOTE, .name = "mark", .text = "1" });
	act(&world, (Act){ .kind = ACT_HOLD, .text = "why", .time_us = 77 });
	text = world_commit(&world);
	message = spool_read(world.fixture->spool, world.transaction->id, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(message);
	ASSERT_TEXT(message->envelope->sender, "postmaster@example.net");
	ASSERT_TEXT(world.transaction->submitted_sender, "a@example.net");
	CU_ASSERT_EQUAL_FATAL(message->envelope->recipients->len, 2);
	ASSERT_TEXT(((const Recipient *)message->envelope->recipients->pdata[0])->address, "y@example.org");
	ASSERT_TEXT(((const Recipient *)message->envelope->recipients->pdata[1])->original, "rfc822;x@example.org");
	ASSERT_TEXT(envelope_note(message->envelope, "p.mark"), "1");
	CU_ASSERT_TRUE(message->state->is_held);
	ASSERT_TEXT(message->state->hold_reason, "why");
	CU_ASSERT_EQUAL(message->state->release_at_us, 77);
	world_end(&world);
}

/* A plugin's hold is no hold of a domain, nor of an adoption, whatever it says. */
static void
test_hold_reasons(void)
{
	static const char adoption[] = "adoption from spool 0123456789abcdef0123456789abcdef";
	g_autofree char *domain = stay_reason("a.example");
	const char *const reasons[] = { adoption, domain };

	for (size_t i = 0; i < G_N_ELEMENTS(reasons); i++) {
		g_autoptr(SpoolMessage) message = NULL;
		g_autofree char *text = NULL;
		World world;

		world_start(&world, "Subject: a\r\n\r\n");
		act(&world, (Act){ .kind = ACT_HOLD, .text = reasons[i] });
		text = world_commit(&world);
		message = spool_read(world.fixture->spool, world.transaction->id, NULL);
		CU_ASSERT_PTR_NOT_NULL_FATAL(message);
		CU_ASSERT_TRUE(message->state->is_held);
		CU_ASSERT_FALSE(spool_is_adopting(message->state->hold_reason));
		CU_ASSERT_FALSE(stay_is_ours(message->state->hold_reason));
		CU_ASSERT_PTR_NOT_NULL(strstr(message->state->hold_reason, reasons[i]));
		world_end(&world);
	}
}

static void
test_copies(void)
{
	CopyNote note = { NULL, "p.kind", "bcc" };
	CopyAct copy = { "bounce@example.net", "archive@example.net", "X-Copy: yes\r\n", &note };
	World world;
	g_autofree char *original = NULL, *copied = NULL;
	g_autoptr(SpoolMessage) message = NULL;
	QueueId id;

	world_start(&world, "Subject: a\r\nBcc: b\r\n\r\nbody\r\n");
	act(&world, (Act){ .kind = ACT_COPY, .copy = &copy });
	act(&world, (Act){ .kind = ACT_REMOVE_HEADERS, .name = "Bcc" }); /* later edits are the copy's, too */
	envelope_set_note(world.transaction->envelope, "account", "user@example.net");
	id = ((const TransactionCopy *)world.transaction->copies->pdata[0])->id;
	original = world_commit(&world);
	ASSERT_TEXT(original, "Subject: a\r\n\r\nbody\r\n");
	CU_ASSERT_EQUAL(spool_count(world.fixture->spool), 2);
	copied = fixture_read(world.fixture->spool, id);
	ASSERT_TEXT(copied, "Subject: a\r\nX-Copy: yes\r\n\r\nbody\r\n");
	message = spool_read(world.fixture->spool, id, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(message);
	ASSERT_TEXT(message->envelope->sender, "bounce@example.net");
	ASSERT_TEXT(envelope_note(message->envelope, "p.kind"), "bcc");
	ASSERT_TEXT(envelope_note(message->envelope, "account"), "user@example.net");
	world_end(&world);
}

/* A copy of a message that is held would be that message on its way. */
static void
test_copies_held(void)
{
	CopyAct copy = { "bounce@example.net", "archive@example.net", "", NULL };
	World world;
	g_autofree char *original = NULL;
	g_autoptr(SpoolMessage) message = NULL;

	world_start(&world, "Subject: a\r\n\r\n");
	act(&world, (Act){ .kind = ACT_COPY, .copy = &copy });
	act(&world, (Act){ .kind = ACT_HOLD, .text = "why", .time_us = 77 });
	original = world_commit(&world);
	message = spool_read(
		world.fixture->spool, ((const TransactionCopy *)world.transaction->copies->pdata[0])->id, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(message);
	CU_ASSERT_TRUE(message->state->is_held);
	ASSERT_TEXT(message->state->hold_reason, "why");
	CU_ASSERT_EQUAL(message->state->release_at_us, 77);
	world_end(&world);
}

static void
test_copies_dropped(void)
{
	CopyAct copy = { "bounce@example.net", "archive@example.net", "", NULL };
	World world;

	world_start(&world, "Subject: a\r\n\r\n");
	act(&world, (Act){ .kind = ACT_COPY, .copy = &copy });
	spool_transaction_free(transaction_seal(world.transaction));
	fixture_reopen(world.fixture);
	CU_ASSERT_EQUAL(spool_count(world.fixture->spool), 0);
	world_end(&world);
}

static const UnitTest tests[] = {
	{ "header fields are added behind, removed with their folds, the body is left alone", test_edits },
	{ "a message without header or body gets the empty line it needs", test_separator },
	{ "E-24 SMTPUTF8 where it is needed", test_smtputf8 },
	{ "E-20 a header that does not end with CRLF", test_header_without_end },
	{ "getters show the header as edited so far", test_getters },
	{ "N-03 sender, recipients, notes, hold: the envelope that is queued", test_envelope },
	{ "Q-15 a plugin's reason is none of the core's own", test_hold_reasons },
	{ "a copy shares content and later edits, and has notes and headers of its own", test_copies },
	{ "what holds a message holds its copies", test_copies_held },
	{ "a message that is not committed leaves no copy behind", test_copies_dropped },
	{ NULL, NULL },
};

const UnitSuite suite_transaction = { "transaction", tests };
