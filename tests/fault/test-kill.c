/* test-kill.c - a daemon is killed under load, again and again; a sink counts what it was given. */
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fault/fault.h"

enum { KILL_ROUNDS = 12, KILL_THREADS = 4, KILL_IDS = 1000000, KILL_WORDS = 40 };

typedef enum { KILL_SENT = 1, KILL_ACKNOWLEDGED, KILL_DELIVERED } KillWord;

/* What the child says, one word at a time: shorter than a pipe's atomic write. */
typedef struct {
	uint64_t word;
	QueueId id;
} KillLine;

typedef struct {
	Spool *spool;
	QueueId first;
	int pipe;
} KillLoad;

static void
kill_say(const KillLoad *load, KillWord word, QueueId id)
{
	const KillLine line = { word, id };

	if (write(load->pipe, &line, sizeof line) != (ssize_t)sizeof line)
		_exit(1);
}

/* Two messages at once; two of three are delivered, said by the sink, and then noted. */
static gpointer
kill_load(gpointer data)
{
	const KillLoad *load = data;

	for (QueueId id = load->first;; id += 2) {
		SpoolTransaction *transaction = spool_transaction_new();
		Content *content = content_new(load->spool);
		g_autofree char *body = g_strnfill((size_t)(id % 9000), 'k');

		content_append(content, body, (size_t)(id % 9000));
		if (!content_finish(content, NULL))
			_exit(1);
		spool_transaction_set_content(transaction, content);
		for (QueueId i = id; i < id + 2; i++) {
			Envelope *envelope = envelope_new(i);

			envelope_add_recipient(envelope, "k@example.net", NULL, 0);
			spool_transaction_add(transaction, envelope, NULL);
		}
		kill_say(load, KILL_SENT, id);
		if (spool_commit_wait(load->spool, transaction) != SPOOL_COMMITTED)
			_exit(1);
		kill_say(load, KILL_ACKNOWLEDGED, id);
		for (QueueId i = id; i < id + 2 && id % 3 != 0; i++) {
			MessageState *state = message_state_new(i, 1);

			message_state_set_recipient(state, 0, RECIPIENT_DELIVERED, "250 2.0.0 Ok");
			kill_say(load, KILL_DELIVERED, i);
			spool_put_state(load->spool, state);
		}
	}
	return NULL;
}

static void
kill_child(const char *directory, unsigned round, int pipe_end)
{
	KillLoad loads[KILL_THREADS];
	Spool *spool = ledger_open(directory, ledger_fast_disk());

	for (unsigned i = 0; i < KILL_THREADS; i++) {
		loads[i] = (KillLoad){ spool, ((QueueId)round * KILL_THREADS + i + 1) * KILL_IDS, pipe_end };
		(void)g_thread_new("load", kill_load, &loads[i]);
	}
	for (;;)
		pause();
}

/* Up to `most` words, or until the child is gone. */
static void
kill_listen(int pipe_end, unsigned most, GHashTable *acknowledged, GHashTable *delivered, GHashTable *sent)
{
	KillLine line;

	for (unsigned n = 0; n < most && read(pipe_end, &line, sizeof line) == (ssize_t)sizeof line; n++) {
		void *id = GSIZE_TO_POINTER(line.id);

		if (line.word == KILL_SENT)
			g_hash_table_add(sent, id);
		else if (line.word == KILL_ACKNOWLEDGED)
			g_hash_table_add(acknowledged, id);
		else
			g_hash_table_add(delivered, id);
	}
}

static void
kill_round(const char *directory, unsigned round, GHashTable *tables[3])
{
	int ends[2];
	pid_t child;

	CU_ASSERT_EQUAL_FATAL(pipe(ends), 0);
	child = fork();
	if (child == 0) {
		(void)close(ends[0]);
		kill_child(directory, round, ends[1]);
	}
	(void)close(ends[1]);
	/* By what it has done, not by the clock: on a slow machine, too, it is in the middle of its work. */
	kill_listen(ends[0], KILL_WORDS + round * KILL_WORDS, tables[0], tables[1], tables[2]);
	(void)kill(child, SIGKILL);
	kill_listen(ends[0], G_MAXUINT, tables[0], tables[1], tables[2]);
	(void)waitpid(child, NULL, 0);
	(void)close(ends[0]);
}

/* Each acknowledged message is there, or was given to the sink; what is there was sent. */
static unsigned
kill_compare(const char *directory, GHashTable *tables[3])
{
	Spool *spool = ledger_open(directory, ledger_fast_disk());
	unsigned n_lost = 0;
	GHashTableIter iter;
	SpoolFigures figures;
	void *key;

	if (spool == NULL)
		return 1;
	g_hash_table_iter_init(&iter, tables[0]);
	while (g_hash_table_iter_next(&iter, &key, NULL)) {
		for (QueueId id = GPOINTER_TO_SIZE(key); id < GPOINTER_TO_SIZE(key) + 2; id++) {
			g_autoptr(SpoolMessage) message = spool_read(spool, id, NULL);
			const bool is_there = message != NULL && spool_read_content(message, NULL);

			n_lost += !is_there && !g_hash_table_contains(tables[1], GSIZE_TO_POINTER(id));
		}
	}
	spool_figures(spool, &figures);
	n_lost += figures.has_damage;
	if (spool_count(spool) > 2 * g_hash_table_size(tables[2]))
		n_lost++;
	spool_close(spool);
	return n_lost;
}

static void
test_kill(void)
{
	g_autofree char *directory = unit_new_directory();
	GHashTable *tables[3]; /* acknowledged, delivered, sent */

	for (size_t i = 0; i < G_N_ELEMENTS(tables); i++)
		tables[i] = g_hash_table_new(NULL, NULL);
	for (unsigned round = 0; round < KILL_ROUNDS; round++) {
		kill_round(directory, round, tables);
		CU_ASSERT_EQUAL(kill_compare(directory, tables), 0);
	}
	CU_ASSERT(g_hash_table_size(tables[0]) > 100);
	CU_ASSERT(g_hash_table_size(tables[1]) > 100);
	for (size_t i = 0; i < G_N_ELEMENTS(tables); i++)
		g_hash_table_unref(tables[i]);
	unit_remove_directory(directory);
}

const UnitSuite kill_suite = { "kill", (const UnitTest[]){
	{ "Q-02 killed under load, again and again, nothing is lost", test_kill },
	{ 0 } } };
