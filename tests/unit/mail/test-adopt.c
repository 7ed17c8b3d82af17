/* test-adopt.c - the mail of a lost node comes over, once. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "unit/mail/mail.h"

enum { ADOPTED = 250 };

/* New ids are above all that the tests give. */
static IdSource *
adopt_ids(void)
{
	static IdSource *ids;

	if (ids == NULL)
		ids = id_source_new(clock_system(), 7);
	return ids;
}

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

	CU_ASSERT_FALSE(spool_adopt(fixture->spool, lost->directory, adopt_ids(), &n, &error));
	CU_ASSERT(g_error_matches(error, POSTERN_ERROR, POSTERN_ERROR_EXISTS)); /* its daemon still runs */
	spool_close(lost->spool);
	CU_ASSERT(spool_adopt(fixture->spool, lost->directory, adopt_ids(), &n, NULL));
	CU_ASSERT_EQUAL(n, ADOPTED);
	adopt_check(fixture);
	fixture_reopen(fixture);
	adopt_check(fixture);
	CU_ASSERT(spool_adopt(fixture->spool, lost->directory, adopt_ids(), &n, NULL));
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
	(void)spool_adopt(fixture->spool, lost->directory, adopt_ids(), &n, NULL);
	g_atomic_int_set(&interruption.left, G_MAXINT);
	fixture->settings.disk = disk;
	fixture_reopen(fixture);
	lost->spool = spool_open(&lost->settings, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(lost->spool);
	n_free_here = adopt_count_free(fixture->spool);
	n_there = (unsigned)spool_count(lost->spool);
	CU_ASSERT(n_free_here + n_there <= ADOPTED);
	spool_close(lost->spool);
	CU_ASSERT(spool_adopt(fixture->spool, lost->directory, adopt_ids(), &again, NULL));
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

/* ---- ids that are in use, and heirs that died ---- */

static char *
adopt_body(const char *whose, QueueId id)
{
	return g_strdup_printf("%s %u\r\n", whose, (unsigned)id);
}

static Fixture *
adopt_new_node(const char *whose, QueueId first, QueueId last)
{
	Fixture *node = fixture_new();

	for (QueueId id = first; id <= last; id++) {
		g_autofree char *body = adopt_body(whose, id);

		CU_ASSERT_EQUAL(fixture_commit(node, id, body, 1 + id % 3), SPOOL_COMMITTED);
	}
	return node;
}

static bool
adopt_add_id(void *data, const SpoolSummary *summary)
{
	g_array_append_val((GArray *)data, *summary);
	return true;
}

/* How often that content is free to go in the spool; `n_held` counts any that is held. */
static unsigned
adopt_count(Spool *spool, const char *body, unsigned *n_held)
{
	g_autoptr(GArray) all = g_array_new(FALSE, FALSE, sizeof(SpoolSummary));
	unsigned n = 0;

	spool_each(spool, adopt_add_id, all);
	for (guint i = 0; i < all->len; i++) {
		const SpoolSummary *summary = &g_array_index(all, SpoolSummary, i);
		g_autofree char *text = fixture_read(spool, summary->id);

		CU_ASSERT_PTR_NOT_NULL_FATAL(text);
		n += !summary->is_held && strcmp(text, body) == 0;
		*n_held += summary->is_held;
	}
	return n;
}

static void
adopt_expect_once(Spool *spool, const char *whose, QueueId first, QueueId last)
{
	for (QueueId id = first; id <= last; id++) {
		g_autofree char *body = adopt_body(whose, id);
		unsigned n_held = 0;

		CU_ASSERT_EQUAL(adopt_count(spool, body, &n_held), 1);
		CU_ASSERT_EQUAL(n_held, 0);
	}
	CU_ASSERT_EQUAL(spool_count_adopting(spool), 0);
}

/* Two nodes had one number: of ids that both gave, each message keeps what is its own. */
static void
test_same_ids(void)
{
	g_autoptr(Fixture) lost = adopt_new_node("lost", 1, 40), heir = adopt_new_node("heir", 21, 60);
	size_t n;

	spool_close(lost->spool);
	CU_ASSERT(spool_adopt(heir->spool, lost->directory, adopt_ids(), &n, NULL));
	CU_ASSERT_EQUAL(n, 40);
	CU_ASSERT_EQUAL(spool_count(heir->spool), 80);
	adopt_expect_once(heir->spool, "lost", 1, 40);
	adopt_expect_once(heir->spool, "heir", 21, 60);
	fixture_reopen(heir);
	adopt_expect_once(heir->spool, "lost", 1, 40);
	adopt_expect_once(heir->spool, "heir", 21, 60);
	CU_ASSERT(spool_adopt(heir->spool, lost->directory, adopt_ids(), &n, NULL));
	CU_ASSERT_EQUAL(n, 0);
	lost->spool = spool_open(&lost->settings, NULL);
	CU_ASSERT_EQUAL(spool_count(lost->spool), 0);
}

/* The adoption by `heir` ends after so many syncs; both spools are closed then. */
static void
adopt_interrupt(Fixture *heir, const Fixture *lost, gint n_syncs)
{
	Interruption interruption = { *heir->settings.disk, G_MAXINT };
	const Disk *disk = heir->settings.disk;
	size_t n;

	interruption.table.fdatasync = interruption.table.fsync = adopt_sync;
	heir->settings.disk = &interruption.table;
	fixture_reopen(heir);
	g_atomic_int_set(&interruption.left, n_syncs);
	(void)spool_adopt(heir->spool, lost->directory, adopt_ids(), &n, NULL);
	g_atomic_int_set(&interruption.left, G_MAXINT);
	spool_close(heir->spool);
	heir->settings.disk = disk;
}

/* A third node adopts the lost one and its dead heir, in either order. */
static void
adopt_nested(gint n_syncs, bool is_heir_first)
{
	g_autoptr(Fixture) lost = adopt_new_node("lost", 1, 30), heir = adopt_new_node("heir", 16, 45),
					   third = adopt_new_node("third", 1, 10);
	const char *order[] = { is_heir_first ? heir->directory : lost->directory,
		is_heir_first ? lost->directory : heir->directory };
	size_t n = 0;

	spool_close(lost->spool);
	adopt_interrupt(heir, lost, n_syncs);
	for (size_t i = 0; i < G_N_ELEMENTS(order); i++)
		CU_ASSERT(spool_adopt(third->spool, order[i], adopt_ids(), &n, NULL));
	fixture_reopen(third);
	adopt_expect_once(third->spool, "lost", 1, 30);
	adopt_expect_once(third->spool, "heir", 16, 45);
	adopt_expect_once(third->spool, "third", 1, 10);
	/* Both come back, and have nothing that is free to go. */
	lost->spool = spool_open(&lost->settings, NULL);
	heir->spool = spool_open(&heir->settings, NULL);
	CU_ASSERT_EQUAL(spool_count(lost->spool), 0);
	CU_ASSERT_EQUAL(spool_count(heir->spool), 0);
}

static void
test_nested(void)
{
	for (gint n_syncs = 1; n_syncs < 60; n_syncs += n_syncs < 10 || n_syncs > 40 ? 1 : 7) {
		adopt_nested(n_syncs, false);
		adopt_nested(n_syncs, true);
	}
}

/* Until the lost spool is adopted, too, what its heir had begun stays held, and is counted. */
static void
test_waiting(void)
{
	g_autoptr(Fixture) lost = adopt_new_node("lost", 1, 30), heir = fixture_new(), third = fixture_new();
	size_t n = 0;

	spool_close(lost->spool);
	adopt_interrupt(heir, lost, 20);
	CU_ASSERT(spool_adopt(third->spool, heir->directory, adopt_ids(), &n, NULL));
	CU_ASSERT(spool_count(third->spool) > 0);
	CU_ASSERT_EQUAL(spool_count_adopting(third->spool), spool_count(third->spool));
	heir->spool = spool_open(&heir->settings, NULL);
	CU_ASSERT(spool_adopt(third->spool, lost->directory, adopt_ids(), &n, NULL));
	adopt_expect_once(third->spool, "lost", 1, 30);
	lost->spool = spool_open(&lost->settings, NULL);
}

/* An interrupted adoption, and the lost node comes back before it is finished: each message goes out once. */
static void
test_comes_back(void)
{
	for (gint n_syncs = 1; n_syncs < 45; n_syncs += 4) {
		g_autoptr(Fixture) lost = adopt_new_node("lost", 1, 30), heir = fixture_new();
		size_t n_there = 0, n_before = 0, n = 0;

		spool_close(lost->spool);
		adopt_interrupt(heir, lost, n_syncs);
		lost->spool = spool_open(&lost->settings, NULL);
		CU_ASSERT_PTR_NOT_NULL_FATAL(lost->spool);
		n_there = spool_count(lost->spool);
		for (QueueId id = 1; id <= 30; id++) {
			MessageState *state = message_state_new(id, 1 + id % 3);

			for (unsigned i = 0; i < state->n_recipients; i++)
				message_state_set_recipient(state, i, RECIPIENT_DELIVERED, "250 Ok");
			spool_put_state(lost->spool, state);
		}
		spool_close(lost->spool);
		heir->spool = spool_open(&heir->settings, NULL);
		n_before = spool_count(heir->spool) - spool_count_adopting(heir->spool);
		CU_ASSERT(spool_adopt(heir->spool, lost->directory, adopt_ids(), &n, NULL));
		CU_ASSERT_EQUAL(n_before + n + n_there, 30);
		CU_ASSERT_EQUAL(spool_count(heir->spool) - spool_count_adopting(heir->spool), n_before + n);
		lost->spool = spool_open(&lost->settings, NULL);
	}
}

static void
test_nothing(void)
{
	g_autoptr(Fixture) fixture = fixture_new();
	g_autofree char *directory = unit_new_directory();
	g_autoptr(GError) error = NULL;
	size_t n;

	CU_ASSERT_FALSE(spool_adopt(fixture->spool, directory, adopt_ids(), &n, &error));
	CU_ASSERT(g_error_matches(error, POSTERN_ERROR, POSTERN_ERROR_NOT_FOUND));
	CU_ASSERT_FALSE(spool_adopt(fixture->spool, fixture->directory, adopt_ids(), &n, NULL));
	unit_remove_directory(directory);
}

const UnitSuite adopt_suite = { "adopt", (const UnitTest[]){
	{ "all of it comes over, with its states, once", test_adopt },
	{ "an adoption that was interrupted goes on", test_interrupted },
	{ "Q-18 ids that both have: each message stays what it is", test_same_ids },
	{ "Q-18 a lost node and its dead heir are adopted in any order", test_nested },
	{ "what waits for another spool is held, and counted", test_waiting },
	{ "Q-18 a lost node that comes back delivers only what is its own", test_comes_back },
	{ "no spool, or our own, is not adopted", test_nothing },
	{ 0 } } };
