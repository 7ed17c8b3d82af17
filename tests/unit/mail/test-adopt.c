/* test-adopt.c - the mail of a lost node comes over, once. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "unit/mail/mail.h"

enum { ADOPTED = 250 };

static Fixture *
adopt_new_lost_node(void)
{
	Fixture *lost = fixture_new();
	MessageState *state = message_state_new(1, 2), *held = message_state_new(2, 2);
	SpoolTransaction *transaction = spool_transaction_new();
	Content *content = content_new(lost->spool);
	g_autofree char *large = g_strnfill(40 << 10, 'l');

	for (QueueId id = 1; id < ADOPTED; id++)
		CU_ASSERT_EQUAL(fixture_commit(lost, id, "of a lost node\r\n", 2), SPOOL_COMMITTED);
	state->attempts = 3;
	message_state_set_recipient(state, 0, RECIPIENT_DELIVERED, "250 Ok");
	spool_put_state(lost->spool, state);
	held->is_held = true;
	held->hold_reason = g_strdup("policy");
	spool_put_state(lost->spool, held);
	content_append(content, large, 40 << 10);
	CU_ASSERT(content_finish(content, NULL) && content_flush(content, NULL) && content_finish(content, NULL));
	spool_transaction_set_content(transaction, content);
	spool_transaction_add(transaction, fixture_envelope(ADOPTED, 1), NULL);
	CU_ASSERT_EQUAL(spool_commit_wait(lost->spool, transaction), SPOOL_COMMITTED);
	CU_ASSERT(spool_flush(lost->spool, CLOCK_NEVER));
	return lost;
}

static void
adopt_check(Fixture *fixture)
{
	g_autoptr(SpoolMessage) message = spool_read(fixture->spool, 1, NULL);

	CU_ASSERT_EQUAL(spool_count(fixture->spool), ADOPTED);
	CU_ASSERT_PTR_NOT_NULL_FATAL(message);
	CU_ASSERT_EQUAL(message->state->attempts, 3);
	CU_ASSERT_EQUAL(message->state->recipients[0].status, RECIPIENT_DELIVERED);
	CU_ASSERT_EQUAL(message->state->recipients[1].status, RECIPIENT_PENDING);
	for (QueueId id = 1; id <= ADOPTED; id++) {
		g_autoptr(SpoolMessage) held = id == 2 ? spool_read(fixture->spool, id, NULL) : NULL;
		g_autofree char *text = fixture_read(fixture->spool, id);
		SpoolSummary summary;

		CU_ASSERT_PTR_NOT_NULL_FATAL(text);
		CU_ASSERT_EQUAL(strlen(text), id == ADOPTED ? 40 << 10 : strlen("of a lost node\r\n"));
		CU_ASSERT(spool_summary(fixture->spool, id, &summary));
		CU_ASSERT_EQUAL(summary.is_held, id == 2);
		if (held != NULL)
			ASSERT_TEXT(held->state->hold_reason, "policy");
	}
}

static void
test_adopt(void)
{
	g_autoptr(Fixture) lost = adopt_new_lost_node(), fixture = fixture_new();
	g_autoptr(GError) error = NULL;
	size_t n = 0;

	CU_ASSERT_FALSE(spool_adopt(fixture->spool, lost->directory, &n, &error));
	CU_ASSERT(g_error_matches(error, POSTERN_ERROR, POSTERN_ERROR_EXISTS)); /* its daemon still runs */
	spool_close(lost->spool);
	CU_ASSERT(spool_adopt(fixture->spool, lost->directory, &n, NULL));
	CU_ASSERT_EQUAL(n, ADOPTED);
	adopt_check(fixture);
	fixture_reopen(fixture);
	adopt_check(fixture);
	CU_ASSERT(spool_adopt(fixture->spool, lost->directory, &n, NULL));
	CU_ASSERT_EQUAL(n, 0);
	lost->spool = spool_open(&lost->settings, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(lost->spool);
	CU_ASSERT_EQUAL(spool_count(lost->spool), 0);
}

/* A disk that fails for good after so many syncs: there the adoption is interrupted. */
typedef struct {
	Disk table;
	gint left;
} Interruption;

static int
adopt_sync(const Disk *disk, int fd)
{
	(void)fd;
	return g_atomic_int_add(&((Interruption *)(uintptr_t)disk)->left, -1) > 0 ? 0 : -1;
}

static unsigned
adopt_count_free(Spool *spool)
{
	unsigned n = 0;

	for (QueueId id = 1; id <= ADOPTED; id++) {
		SpoolSummary summary;

		n += spool_summary(spool, id, &summary) && !summary.is_held;
	}
	return n;
}

/* Interrupted anywhere: nothing is free to go in both places, and the next attempt ends it. */
static void
adopt_interrupted(gint n_syncs)
{
	g_autoptr(Fixture) lost = adopt_new_lost_node(), fixture = fixture_new();
	Interruption interruption = { *fixture->settings.disk, n_syncs };
	const Disk *disk = fixture->settings.disk;
	unsigned n_free_here, n_there;
	size_t n = 0, again = 0;

	interruption.table.fdatasync = interruption.table.fsync = adopt_sync;
	spool_close(lost->spool);
	spool_close(fixture->spool);
	interruption.left = G_MAXINT;
	fixture->settings.disk = &interruption.table;
	fixture->spool = spool_open(&fixture->settings, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(fixture->spool);
	g_atomic_int_set(&interruption.left, n_syncs);
	(void)spool_adopt(fixture->spool, lost->directory, &n, NULL);
	g_atomic_int_set(&interruption.left, G_MAXINT);
	fixture->settings.disk = disk;
	fixture_reopen(fixture);
	lost->spool = spool_open(&lost->settings, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(lost->spool);
	n_free_here = adopt_count_free(fixture->spool);
	n_there = (unsigned)spool_count(lost->spool);
	CU_ASSERT(n_free_here + n_there <= ADOPTED);
	spool_close(lost->spool);
	CU_ASSERT(spool_adopt(fixture->spool, lost->directory, &again, NULL));
	adopt_check(fixture);
	lost->spool = spool_open(&lost->settings, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(lost->spool);
	CU_ASSERT_EQUAL(spool_count(lost->spool), 0);
}

static void
test_interrupted(void)
{
	static const gint syncs[] = { 3, 20, 60, 99, 100, 101, 102, 103, 104, 105, 110, 150, 200, 250, 300 };

	for (size_t i = 0; i < G_N_ELEMENTS(syncs); i++)
		adopt_interrupted(syncs[i]);
}

static void
test_nothing(void)
{
	g_autoptr(Fixture) fixture = fixture_new();
	g_autofree char *directory = unit_new_directory();
	g_autoptr(GError) error = NULL;
	size_t n;

	CU_ASSERT_FALSE(spool_adopt(fixture->spool, directory, &n, &error));
	CU_ASSERT(g_error_matches(error, POSTERN_ERROR, POSTERN_ERROR_NOT_FOUND));
	CU_ASSERT_FALSE(spool_adopt(fixture->spool, fixture->directory, &n, NULL));
	unit_remove_directory(directory);
}

const UnitSuite adopt_suite = { "adopt", (const UnitTest[]){
	{ "all of it comes over, with its states, once", test_adopt },
	{ "an adoption that was interrupted goes on", test_interrupted },
	{ "no spool, or our own, is not adopted", test_nothing },
	{ 0 } } };
