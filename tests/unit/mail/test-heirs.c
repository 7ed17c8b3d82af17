/* test-heirs.c - three nodes that are lost, adopt each other, are interrupted at that, and come back, at random: each
 * message is free to go in one place at most, at any time, and in the end in exactly one.
 *
 * HEIRS_SEED=N runs the story of that seed alone, HEIRS_STORIES=N so many of them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit/mail/mail.h"

enum { HEIRS = 3, HEIRS_EACH = 8, HEIRS_RECIPIENTS = 3, HEIRS_ALL = HEIRS * HEIRS_EACH, HEIRS_STORIES = 150, HEIRS_ACTS = 8 };

/* A disk whose syncs fail for good after so many. */
typedef struct {
	Disk table;
	gint left;
} FailingDisk;

typedef struct {
	GRand *rand;
	IdSource *ids;
	Fixture *nodes[HEIRS]; /* all closed but while they act */
	unsigned delivered[HEIRS_ALL], seen[HEIRS_ALL];
	bool has[HEIRS_ALL][HEIRS_RECIPIENTS]; /* who has the message */
	bool is_bad;           /* somebody would get it again */
	GString *acts;         /* for people */
} Story;

static int
heirs_sync(const Disk *disk, int fd)
{
	(void)fd;
	return g_atomic_int_add(&((FailingDisk *)(uintptr_t)disk)->left, -1) > 0 ? 0 : -1;
}

static bool
heirs_open(Fixture *node, const Disk *disk)
{
	SpoolSettings settings = node->settings;

	settings.disk = disk;
	node->spool = spool_open(&settings, NULL);
	return node->spool != NULL;
}

static void
heirs_close(Fixture *node)
{
	g_clear_pointer(&node->spool, spool_close);
}

static void
heirs_need(Fixture *node)
{
	CU_ASSERT_FATAL(heirs_open(node, node->settings.disk));
}

/* Half of the ids are given by the next node, too. */
static Fixture *
heirs_new_node(unsigned k)
{
	Fixture *node = fixture_new();

	for (unsigned i = 0; i < HEIRS_EACH; i++) {
		g_autofree char *body = g_strdup_printf("%u\r\n", k * HEIRS_EACH + i);

		CU_ASSERT_EQUAL(
			fixture_commit(node, 1 + k * HEIRS_EACH / 2 + i, body, 1 + i % 3), SPOOL_COMMITTED);
	}
	heirs_close(node);
	return node;
}

static bool
heirs_collect(void *data, const SpoolSummary *summary)
{
	g_array_append_val((GArray *)data, *summary);
	return true;
}

/* Some recipients get it, by chance. */
static void
heirs_deliver(Story *story, Fixture *node, QueueId id, unsigned number, double chance)
{
	g_autoptr(SpoolMessage) message = spool_read(node->spool, id, NULL);
	MessageState *state;

	CU_ASSERT_FATAL(message != NULL);
	state = g_steal_pointer(&message->state);
	for (unsigned i = 0; i < state->n_recipients; i++) {
		if (state->recipients[i].status != RECIPIENT_PENDING)
			continue;
		story->is_bad |= story->has[number][i];
		if (g_rand_double(story->rand) >= chance)
			continue;
		story->has[number][i] = true;
		message_state_set_recipient(state, i, RECIPIENT_DELIVERED, "250 Ok");
	}
	story->delivered[number] += message_state_is_finished(state);
	spool_put_state(node->spool, state);
}

/* Counts what is free to go in the node, and delivers some of it. */
static void
heirs_visit(Story *story, Fixture *node, double chance)
{
	g_autoptr(GArray) all = g_array_new(FALSE, FALSE, sizeof(SpoolSummary));

	spool_each(node->spool, heirs_collect, all);
	for (guint i = 0; i < all->len; i++) {
		const SpoolSummary *summary = &g_array_index(all, SpoolSummary, i);
		g_autofree char *body = fixture_read(node->spool, summary->id);
		unsigned number;

		CU_ASSERT_PTR_NOT_NULL_FATAL(body);
		number = (unsigned)strtoul(body, NULL, 10);
		CU_ASSERT_FATAL(number < HEIRS_ALL);
		if (summary->is_held)
			continue;
		story->seen[number]++;
		heirs_deliver(story, node, summary->id, number, chance);
	}
}

/* As if each node ran for a moment.  False: a message is free in two places, or delivered and free. */
static bool
heirs_look(Story *story, double chance)
{
	bool is_good;

	memset(story->seen, 0, sizeof story->seen);
	for (unsigned k = 0; k < HEIRS; k++) {
		heirs_need(story->nodes[k]);
		for (unsigned i = 0; i < HEIRS_ALL; i++)
			story->seen[i] += k == 0 ? story->delivered[i] : 0;
		heirs_visit(story, story->nodes[k], chance);
		heirs_close(story->nodes[k]);
	}
	is_good = !story->is_bad;
	for (unsigned i = 0; i < HEIRS_ALL; i++)
		is_good &= story->seen[i] <= 1;
	return is_good;
}

static bool
heirs_adopt(Story *story, unsigned to, unsigned from, gint n_syncs)
{
	FailingDisk disk = { *story->nodes[to]->settings.disk, G_MAXINT };
	bool is_whole;
	size_t n;

	g_string_append_printf(story->acts, " %u<-%u", to, from);
	if (n_syncs != G_MAXINT)
		g_string_append_printf(story->acts, "(%d)", n_syncs);
	disk.table.fdatasync = disk.table.fsync = heirs_sync;
	CU_ASSERT_FATAL(heirs_open(story->nodes[to], &disk.table));
	g_atomic_int_set(&disk.left, n_syncs);
	is_whole = spool_adopt(story->nodes[to]->spool, story->nodes[from]->directory, story->ids, &n, NULL);
	g_atomic_int_set(&disk.left, G_MAXINT);
	heirs_close(story->nodes[to]);
	return is_whole;
}

/* One node gets all that the others have, in any order, however often that takes. */
static bool
heirs_gather(Story *story, unsigned last)
{
	const unsigned first = (last + 1 + (unsigned)g_rand_int_range(story->rand, 0, 2)) % HEIRS;
	const unsigned a = first == last ? (last + 1) % HEIRS : first, b = HEIRS - last - a;
	bool is_good = true;

	for (unsigned i = 0; i < 2; i++)
		is_good &= heirs_adopt(story, last, a, G_MAXINT) && heirs_adopt(story, last, b, G_MAXINT);
	is_good &= heirs_look(story, 0);
	for (unsigned i = 0; i < HEIRS_ALL; i++) {
		if (story->seen[i] != 1)
			g_string_append_printf(story->acts, " %u:%u", i, story->seen[i]);
		is_good &= story->seen[i] == 1;
	}
	heirs_need(story->nodes[last]);
	if (spool_count_adopting(story->nodes[last]->spool) > 0)
		g_string_append_printf(story->acts, " held:%u", (unsigned)spool_count_adopting(story->nodes[last]->spool));
	is_good &= spool_count_adopting(story->nodes[last]->spool) == 0;
	heirs_close(story->nodes[last]);
	return is_good;
}

static bool
heirs_tell(Story *story)
{
	for (unsigned i = 0; i < HEIRS_ACTS; i++) {
		const unsigned to = (unsigned)g_rand_int_range(story->rand, 0, HEIRS);
		const unsigned from = (to + (unsigned)g_rand_int_range(story->rand, 1, HEIRS)) % HEIRS;
		const bool is_interrupted = g_rand_double(story->rand) < 0.8;

		(void)heirs_adopt(story, to, from, is_interrupted ? g_rand_int_range(story->rand, 1, 30) : G_MAXINT);
		if (!heirs_look(story, g_rand_double(story->rand) < 0.3 ? 0.3 : 0))
			return false;
	}
	return heirs_gather(story, (unsigned)g_rand_int_range(story->rand, 0, HEIRS));
}

static bool
heirs_run(guint32 seed)
{
	Story story = { .rand = g_rand_new_with_seed(seed),
		.ids = id_source_new(clock_system(), 7),
		.acts = g_string_new(NULL) };
	bool is_good;

	for (unsigned k = 0; k < HEIRS; k++)
		story.nodes[k] = heirs_new_node(k);
	is_good = heirs_tell(&story);
	if (!is_good)
		fprintf(stderr, "HEIRS_SEED=%u:%s\n", seed, story.acts->str);
	for (unsigned k = 0; k < HEIRS; k++) {
		heirs_need(story.nodes[k]);
		fixture_free(story.nodes[k]);
	}
	g_string_free(story.acts, TRUE);
	id_source_free(story.ids);
	g_rand_free(story.rand);
	return is_good;
}

static void
test_stories(void)
{
	const char *seed = g_getenv("HEIRS_SEED"), *stories = g_getenv("HEIRS_STORIES");
	const guint32 n = stories != NULL ? (guint32)strtoul(stories, NULL, 10) : HEIRS_STORIES;
	unsigned n_bad = 0;

	if (seed != NULL) {
		CU_ASSERT(heirs_run((guint32)strtoul(seed, NULL, 10)));
		return;
	}
	for (guint32 i = 1; i <= n; i++)
		n_bad += !heirs_run(i);
	CU_ASSERT_EQUAL(n_bad, 0);
}

const UnitSuite heirs_suite = { "heirs", (const UnitTest[]){
	{ "Q-18 three nodes that adopt each other and are interrupted: each message once", test_stories },
	{ 0 } } };
