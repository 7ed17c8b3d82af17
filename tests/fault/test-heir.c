/* test-heir.c - the power goes at every step of an adoption; and states that are not of their envelopes. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/crc32c.h"
#include "base/error.h"
#include "fault/fault.h"
#include "mail/spool-record.h"

enum { HEIR_MESSAGES = 12, HEIR_CUTS = 150 };

static const char *const heir_parts[] = { "from", "from/log", "from/content", "from/lost", "to", "to/log", "to/content",
	"to/lost" };

static char *
heir_new_root(void)
{
	char *root = unit_new_directory();

	for (size_t i = 0; i < G_N_ELEMENTS(heir_parts); i++) {
		g_autofree char *path = g_build_filename(root, heir_parts[i], NULL);

		(void)mkdir(path, 0700);
	}
	return root;
}

static Spool *
heir_open(const char *root, const char *part, const Disk *disk)
{
	g_autofree char *directory = g_build_filename(root, part, NULL);

	return ledger_open(directory, disk);
}

/* Ids first … first + HEIR_MESSAGES - 1; the content says whose it is. */
static void
heir_fill(Spool *spool, const char *whose, QueueId first)
{
	for (QueueId id = first; id < first + HEIR_MESSAGES; id++) {
		SpoolTransaction *transaction = spool_transaction_new();
		Content *content = content_new(spool);
		Envelope *envelope = envelope_new(id);
		g_autofree char *body = g_strdup_printf("%s %u", whose, (unsigned)id);

		content_append(content, body, strlen(body));
		envelope_add_recipient(envelope, "r@example.net", NULL, 0);
		spool_transaction_set_content(transaction, content);
		spool_transaction_add(transaction, envelope, NULL);
		CU_ASSERT_EQUAL(spool_commit_wait(spool, transaction), SPOOL_COMMITTED);
	}
}

static bool
heir_collect(void *data, const SpoolSummary *summary)
{
	g_array_append_val((GArray *)data, *summary);
	return true;
}

/* Content → how often it is free to go, over the calls. */
static void
heir_count(Spool *spool, GHashTable *counts)
{
	g_autoptr(GArray) all = g_array_new(FALSE, FALSE, sizeof(SpoolSummary));

	spool_each(spool, heir_collect, all);
	for (guint i = 0; i < all->len; i++) {
		const SpoolSummary *summary = &g_array_index(all, SpoolSummary, i);
		g_autoptr(SpoolMessage) message = spool_read(spool, summary->id, NULL);
		gpointer n;

		CU_ASSERT_FATAL(message != NULL && spool_read_content(message, NULL));
		n = g_hash_table_lookup(counts, message->content);
		if (!summary->is_held)
			g_hash_table_insert(counts, g_strdup(message->content), GINT_TO_POINTER(GPOINTER_TO_INT(n) + 1));
	}
}

static unsigned
heir_count_bad(GHashTable *counts, guint expected)
{
	unsigned n_bad = 0;
	GHashTableIter each;
	void *n;

	g_hash_table_iter_init(&each, counts);
	while (g_hash_table_iter_next(&each, NULL, &n))
		n_bad += GPOINTER_TO_INT(n) != 1;
	return n_bad + (expected != 0 && g_hash_table_size(counts) != expected);
}

/* What is left: nothing goes out twice, and the next adoption brings all of it. */
static unsigned
heir_check(const char *root, IdSource *ids)
{
	g_autoptr(GHashTable) before = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_autoptr(GHashTable) after = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_autofree char *directory = g_build_filename(root, "from", NULL);
	Spool *from = heir_open(root, "from", ledger_fast_disk()), *to = heir_open(root, "to", ledger_fast_disk());
	unsigned n_bad;
	size_t n;

	CU_ASSERT_FATAL(from != NULL && to != NULL);
	heir_count(from, before);
	heir_count(to, before);
	n_bad = heir_count_bad(before, 0);
	spool_close(from);
	n_bad += !spool_adopt(to, directory, ids, &n, NULL);
	heir_count(to, after);
	n_bad += heir_count_bad(after, 2 * HEIR_MESSAGES) + (unsigned)spool_count_adopting(to);
	spool_close(to);
	from = heir_open(root, "from", ledger_fast_disk());
	n_bad += (unsigned)spool_count(from);
	spool_close(from);
	return n_bad;
}

static void
test_power(void)
{
	g_autofree char *root = heir_new_root(), *directory = g_build_filename(root, "from", NULL);
	SimDisk *sim = sim_disk_new(root);
	IdSource *ids = id_source_new(clock_system(), 1);
	Spool *from = heir_open(root, "from", sim_disk_table(sim)), *to = heir_open(root, "to", sim_disk_table(sim));
	GRand *rand = g_rand_new_with_seed(1);
	guint first, n_steps, stride;
	SimCut *cut;
	size_t n;

	CU_ASSERT_FATAL(from != NULL && to != NULL);
	heir_fill(from, "lost", 1);
	heir_fill(to, "heir", 1 + HEIR_MESSAGES / 2); /* half of the ids are in use */
	spool_close(from);
	first = sim_disk_step(sim);
	CU_ASSERT(spool_adopt(to, directory, ids, &n, NULL));
	CU_ASSERT_EQUAL(n, HEIR_MESSAGES);
	spool_close(to);
	n_steps = sim_disk_step(sim);
	stride = MAX((n_steps - first) / HEIR_CUTS, 1);
	cut = sim_cut_new(sim);
	for (guint step = first; step <= n_steps; step += stride) {
		g_autofree char *left = heir_new_root();
		unsigned n_bad;

		sim_cut_advance(cut, step);
		sim_cut_write(cut, left, rand);
		n_bad = heir_check(left, ids);
		if (n_bad > 0)
			fprintf(stderr, "\nstep %u of %u … %u: %u\n", step, first, n_steps, n_bad);
		CU_ASSERT_EQUAL(n_bad, 0);
		unit_remove_directory(left);
	}
	sim_cut_free(cut);
	g_rand_free(rand);
	id_source_free(ids);
	sim_disk_free(sim);
	unit_remove_directory(root);
}

/* ---- states of other envelopes ---- */

/* Appends a batch to segment 1 that says of message 1 what a message with three recipients would: what an adoption
 * under an id in use once wrote. */
static void
heir_forge_state(const char *directory)
{
	g_autofree char *path = g_build_filename(directory, "log/0000000000000001", NULL);
	g_autofree char *segment = NULL;
	g_autoptr(GByteArray) octets = g_byte_array_new();
	g_autoptr(MessageState) state = message_state_new(1, 3);
	SpoolBatchHeader header = { 0 }, found;
	uint8_t head[SPOOL_BATCH_HEADER];
	SpoolRow row;
	gsize size, at = SPOOL_BLOCK;

	CU_ASSERT_FATAL(g_file_get_contents(path, &segment, &size, NULL));
	while (spool_batch_header_decode((uint8_t *)segment + at, size - at, &found) && found.segment == 1) {
		header = found;
		at += spool_padded(found.length);
	}
	state->version = 9;
	state->attempts = 7;
	spool_state_encode(octets, state, &row);
	header.previous = header.number++;
	header.n_records = 1;
	header.length = SPOOL_BATCH_HEADER + octets->len;
	spool_batch_header_encode(&header, head);
	spool_batch_seal(head, crc32c(crc32c(0, head, sizeof head), octets->data, octets->len));
	memcpy(segment + at, head, sizeof head);
	memcpy(segment + at + sizeof head, octets->data, octets->len);
	CU_ASSERT_FATAL(g_file_set_contents(path, segment, (gssize)size, NULL));
}

/* It is damage: said at the start, and the message has the state that it had. */
static void
test_state(void)
{
	g_autofree char *directory = unit_new_directory();
	Spool *spool = ledger_open(directory, ledger_fast_disk());
	g_autoptr(SpoolMessage) message = NULL;
	SpoolFigures figures;

	CU_ASSERT_PTR_NOT_NULL_FATAL(spool);
	heir_fill(spool, "a", 1);
	spool_close(spool);
	heir_forge_state(directory);
	spool = ledger_open(directory, ledger_fast_disk());
	CU_ASSERT_PTR_NOT_NULL_FATAL(spool);
	spool_figures(spool, &figures);
	CU_ASSERT(figures.has_damage);
	CU_ASSERT_EQUAL(spool_count(spool), HEIR_MESSAGES);
	message = spool_read(spool, 1, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(message);
	CU_ASSERT_EQUAL(message->state->n_recipients, 1);
	CU_ASSERT_EQUAL(message->state->attempts, 0);
	/* Nor is one taken while it runs. */
	spool_put_state(spool, message_state_new(1, 3));
	CU_ASSERT(spool_flush(spool, CLOCK_NEVER));
	g_clear_pointer(&message, spool_message_free);
	message = spool_read(spool, 1, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(message);
	CU_ASSERT_EQUAL(message->state->n_recipients, 1);
	spool_close(spool);
	unit_remove_directory(directory);
}

const UnitSuite heir_suite = { "heir", (const UnitTest[]){
	{ "Q-18 the power goes at every step of an adoption: nothing is lost, nothing goes out twice", test_power },
	{ "Q-18 a state with another number of recipients than its envelope is damage", test_state },
	{ 0 } } };
