/* test-spool.c - commit, read, change, end, and all of it again after a restart. */
#include <string.h>

#include "base/error.h"
#include "unit/mail/mail.h"

static void
test_commit(void)
{
	g_autoptr(Fixture) fixture = fixture_new();

	for (int i = 0; i < 2; i++) {
		g_autofree char *text = NULL;
		g_autoptr(SpoolMessage) message = NULL;

		if (i == 0) {
			CU_ASSERT_EQUAL(fixture_commit(fixture, 10, "Subject: x\r\n\r\nbody\r\n", 2), SPOOL_COMMITTED);
		} else {
			fixture_reopen(fixture);
		}
		message = spool_read(fixture->spool, 10, NULL);
		CU_ASSERT_PTR_NOT_NULL_FATAL(message);
		CU_ASSERT_EQUAL(message->state->n_recipients, 2);
		CU_ASSERT_EQUAL(message->state->next_us, fixture->now_us);
		CU_ASSERT_EQUAL(message->size, 20);
		text = fixture_read(fixture->spool, 10);
		ASSERT_TEXT(text, "Subject: x\r\n\r\nbody\r\n");
	}
}

static void
test_pieces(void)
{
	static const struct {
		const char *body, *top, *bottom, *wanted;
		Cut cuts[2];
	} cases[] = {
		{ "A: 1\r\nB: 2\r\n\r\nbody\r\n", "T: 0\r\n", "Z: 9\r\n",
			"T: 0\r\nA: 1\r\nB: 2\r\nZ: 9\r\n\r\nbody\r\n", { { 0 } } },
		{ "A: 1\r\nB: 2\r\n\r\nbody\r\n", "", "Z: 9\r\n", "B: 2\r\nZ: 9\r\n\r\nbody\r\n", { { 0, 6 }, { 0 } } },
		{ "A: 1\r\nB: 2\r\n\r\nbody\r\n", "", "Z: 9\r\n", "A: 1\r\nZ: 9\r\n\r\nby\r\n", { { 6, 6 }, { 15, 2 } } },
		{ "\r\nbody\r\n", "T: 0\r\n", "Z: 9\r\n", "T: 0\r\nZ: 9\r\n\r\nbody\r\n", { { 0 } } },
		{ "A: 1\r\n", "", "Z: 9\r\n", "A: 1\r\nZ: 9\r\n", { { 0 } } },
		{ "A: 1\r\n\r\nA: 2\r\n\r\n", "", "", "A: 1\r\n\r\nA: 2\r\n\r\n", { { 0 } } },
		{ "", "T: 0\r\n", "", "T: 0\r\n", { { 0 } } },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(Fixture) fixture = fixture_new();
		SpoolTransaction *transaction = spool_transaction_new();
		Content *content = content_new(fixture->spool);
		Envelope *envelope = fixture_envelope(1, 1);
		g_autofree char *text = NULL;

		content_append(content, cases[i].body, strlen(cases[i].body));
		g_free(envelope->top);
		envelope->top = g_strdup(cases[i].top);
		g_free(envelope->bottom);
		envelope->bottom = g_strdup(cases[i].bottom);
		for (size_t k = 0; k < 2 && cases[i].cuts[k].length > 0; k++)
			g_array_append_val(envelope->cuts, cases[i].cuts[k]);
		spool_transaction_set_content(transaction, content);
		spool_transaction_add(transaction, envelope, NULL);
		CU_ASSERT_EQUAL(spool_commit_wait(fixture->spool, transaction), SPOOL_COMMITTED);
		text = fixture_read(fixture->spool, 1);
		ASSERT_TEXT(text, cases[i].wanted);
	}
}

static MessageState *
spool_test_state(QueueId id, unsigned attempts, RecipientStatus status)
{
	MessageState *state = message_state_new(id, 1);

	state->attempts = attempts;
	state->next_us = attempts * CLOCK_SECOND;
	message_state_set_recipient(state, 0, status, "said");
	return state;
}

static void
test_states(void)
{
	g_autoptr(Fixture) fixture = fixture_new();

	CU_ASSERT_EQUAL(fixture_commit(fixture, 10, "body", 1), SPOOL_COMMITTED);
	for (unsigned i = 1; i <= 50; i++) {
		g_autoptr(SpoolMessage) message = NULL;

		spool_put_state(fixture->spool, spool_test_state(10, i, RECIPIENT_PENDING));
		if (i % 10 == 0)
			CU_ASSERT(spool_flush(fixture->spool, CLOCK_NEVER));
		if (i % 20 == 0)
			fixture_reopen(fixture);
		message = spool_read(fixture->spool, 10, NULL);
		CU_ASSERT_PTR_NOT_NULL_FATAL(message);
		CU_ASSERT_EQUAL(message->state->attempts, i);
		ASSERT_TEXT(message->state->recipients[0].reply, "said");
	}
	fixture_reopen(fixture);
	CU_ASSERT_EQUAL(spool_count(fixture->spool), 1);
	spool_put_state(fixture->spool, spool_test_state(10, 51, RECIPIENT_DELIVERED));
	CU_ASSERT_EQUAL(spool_count(fixture->spool), 0);
	CU_ASSERT_PTR_NULL(spool_read(fixture->spool, 10, NULL));
	spool_put_state(fixture->spool, spool_test_state(10, 52, RECIPIENT_PENDING));
	fixture_reopen(fixture);
	CU_ASSERT_EQUAL(spool_count(fixture->spool), 0);
}

/* A bounce and the state that says so: together. */
static void
test_bounce(void)
{
	g_autoptr(Fixture) fixture = fixture_new();
	SpoolTransaction *transaction = spool_transaction_new();
	Content *content = content_new(fixture->spool);
	SpoolSummary summary;

	CU_ASSERT_EQUAL(fixture_commit(fixture, 10, "body", 1), SPOOL_COMMITTED);
	content_append(content, "report", 6);
	spool_transaction_set_content(transaction, content);
	spool_transaction_add(transaction, fixture_envelope(11, 1), NULL);
	spool_transaction_add_state(transaction, spool_test_state(10, 1, RECIPIENT_BOUNCED));
	CU_ASSERT_EQUAL(spool_commit_wait(fixture->spool, transaction), SPOOL_COMMITTED);
	for (int i = 0; i < 2; i++) {
		CU_ASSERT_FALSE(spool_summary(fixture->spool, 10, &summary));
		CU_ASSERT(spool_summary(fixture->spool, 11, &summary));
		fixture_reopen(fixture);
	}
}

static void
test_too_large(void)
{
	g_autoptr(Fixture) fixture = fixture_new();
	g_autofree char *body = g_strnfill(300 << 10, 'x');

	CU_ASSERT_EQUAL(fixture_commit(fixture, 1, body, 1), SPOOL_FAILED);
	CU_ASSERT_EQUAL(fixture_commit(fixture, 2, "body", 1), SPOOL_COMMITTED);
	CU_ASSERT_EQUAL(spool_count(fixture->spool), 1);
}

static bool
spool_test_collect(void *data, const SpoolSummary *summary)
{
	g_string_append_printf(data, "%u ", (unsigned)summary->id);
	return summary->id != 4;
}

static void
test_each(void)
{
	g_autoptr(Fixture) fixture = fixture_new();
	static const QueueId ids[] = { 5, 2, 9, 1, 3 };

	for (size_t i = 0; i < G_N_ELEMENTS(ids); i++)
		CU_ASSERT_EQUAL(fixture_commit(fixture, ids[i], "body", 1), SPOOL_COMMITTED);
	for (int i = 0; i < 2; i++) {
		g_autoptr(GString) seen = g_string_new(NULL);

		spool_each(fixture->spool, spool_test_collect, seen);
		ASSERT_TEXT(seen->str, "1 2 3 5 9 ");
		fixture_reopen(fixture);
	}
}

static void
test_held(void)
{
	g_autoptr(Fixture) fixture = fixture_new();
	MessageState *state = message_state_new(10, 1);
	SpoolTransaction *transaction = spool_transaction_new();
	SpoolSummary summary;

	state->is_held = true;
	state->hold_reason = g_strdup("policy");
	spool_transaction_add(transaction, fixture_envelope(10, 1), state);
	CU_ASSERT_EQUAL(spool_commit_wait(fixture->spool, transaction), SPOOL_COMMITTED);
	for (int i = 0; i < 2; i++) {
		g_autoptr(SpoolMessage) message = spool_read(fixture->spool, 10, NULL);

		CU_ASSERT_PTR_NOT_NULL_FATAL(message);
		ASSERT_TEXT(message->state->hold_reason, "policy");
		CU_ASSERT(spool_summary(fixture->spool, 10, &summary));
		CU_ASSERT(summary.is_held);
		CU_ASSERT_EQUAL(summary.next_us, CLOCK_NEVER);
		fixture_reopen(fixture);
	}
}

typedef struct {
	Fixture *fixture;
	QueueId first;
} Submitter;

enum { SUBMITTED = 200 };

static gpointer
spool_test_submit(gpointer data)
{
	const Submitter *submitter = data;
	unsigned n = 0;

	for (QueueId id = submitter->first; id < submitter->first + SUBMITTED; id++) {
		n += fixture_commit(submitter->fixture, id, "a body that many send", 1) == SPOOL_COMMITTED;
		spool_put_state(submitter->fixture->spool,
			spool_test_state(id, 1, id % 4 == 0 ? RECIPIENT_PENDING : RECIPIENT_DELIVERED));
	}
	return GUINT_TO_POINTER(n);
}

/* Eight at once, states in between, through many segments: each message comes back once. */
static void
test_many(void)
{
	g_autoptr(Fixture) fixture = fixture_new();
	Submitter submitters[8];
	GThread *threads[8];
	SpoolFigures figures;

	for (unsigned i = 0; i < 8; i++) {
		submitters[i] = (Submitter){ fixture, 10000 * (i + 1) };
		threads[i] = g_thread_new("submit", spool_test_submit, &submitters[i]);
	}
	for (unsigned i = 0; i < 8; i++)
		CU_ASSERT_EQUAL(GPOINTER_TO_UINT(g_thread_join(threads[i])), SUBMITTED);
	CU_ASSERT(spool_flush(fixture->spool, CLOCK_NEVER));
	spool_figures(fixture->spool, &figures);
	CU_ASSERT_EQUAL(figures.transactions, 8 * SUBMITTED);
	CU_ASSERT_EQUAL(spool_count(fixture->spool), 8 * SUBMITTED / 4);
	fixture_reopen(fixture);
	CU_ASSERT_EQUAL(spool_count(fixture->spool), 8 * SUBMITTED / 4);
	for (unsigned i = 0; i < 8; i++) {
		g_autofree char *text = fixture_read(fixture->spool, submitters[i].first + 4);

		ASSERT_TEXT(text, "a body that many send");
	}
}

static void
test_not_found(void)
{
	g_autoptr(Fixture) fixture = fixture_new();
	g_autoptr(GError) error = NULL;

	CU_ASSERT_PTR_NULL(spool_read(fixture->spool, 1, &error));
	CU_ASSERT(g_error_matches(error, POSTERN_ERROR, POSTERN_ERROR_NOT_FOUND));
}

/* A large content with lines at the end of its header, cuts, and a header that is longer than a step. */
static void
test_large_pieces(void)
{
	g_autoptr(Fixture) fixture = fixture_new();
	g_autoptr(GString) body = g_string_new(NULL);
	g_autofree char *text = NULL, *expected = NULL;
	SpoolTransaction *transaction = spool_transaction_new();
	Content *content = content_new(fixture->spool);
	Envelope *envelope = fixture_envelope(1, 1);
	const Cut cuts[] = { { 10, 20 }, { 300000, 400000 }, { 750000, 5 } };
	size_t header;

	for (int i = 0; i < 9000; i++)
		g_string_append_printf(body, "X-Field-%d: a value of this field\r\n", i);
	header = body->len;
	g_string_append(body, "\r\n");
	for (int i = 0; body->len < 1200000; i++)
		g_string_append_printf(body, "line %d of the body\r\n", i);
	content_append(content, body->str, body->len);
	CU_ASSERT(content_flush(content, NULL) && content_finish(content, NULL));
	g_free(envelope->top);
	envelope->top = g_strdup("Top: 1\r\n");
	g_free(envelope->bottom);
	envelope->bottom = g_strdup("Bottom: 1\r\n");
	g_array_append_vals(envelope->cuts, cuts, G_N_ELEMENTS(cuts));
	spool_transaction_set_content(transaction, content);
	spool_transaction_add(transaction, envelope, NULL);
	CU_ASSERT_EQUAL(spool_commit_wait(fixture->spool, transaction), SPOOL_COMMITTED);
	text = fixture_read(fixture->spool, 1);
	CU_ASSERT(header > 256 << 10 && header > 300000 && header < 700000);
	expected = g_strdup_printf("Top: 1\r\n%.10s%.*sBottom: 1\r\n%.*s%s", body->str, 300000 - 30, body->str + 30,
		750000 - 700000, body->str + 700000, body->str + 750005);
	CU_ASSERT_PTR_NOT_NULL_FATAL(text);
	CU_ASSERT_EQUAL(strlen(text), strlen(expected));
	CU_ASSERT(strcmp(text, expected) == 0);
}

/* ---- a new spool ---- */

typedef struct {
	Disk table;
	GPtrArray *calls;        /* "make PATH", "sync PATH" */
	char *opened[1024];
} Recorder;

static int
recorder_make(const Disk *disk, const char *path, mode_t mode)
{
	const int result = disk_system()->make_directory(disk_system(), path, mode);

	if (result == 0)
		g_ptr_array_add(((Recorder *)(uintptr_t)disk)->calls, g_strdup_printf("make %s", path));
	return result;
}

static int
recorder_open(const Disk *disk, const char *path, int flags, mode_t mode)
{
	const int fd = disk_system()->open(disk_system(), path, flags, mode);
	Recorder *recorder = (Recorder *)(uintptr_t)disk;

	if (fd >= 0 && fd < 1024) {
		g_free(recorder->opened[fd]);
		recorder->opened[fd] = g_strdup(path);
	}
	return fd;
}

static int
recorder_sync(const Disk *disk, int fd)
{
	Recorder *recorder = (Recorder *)(uintptr_t)disk;

	g_ptr_array_add(recorder->calls, g_strdup_printf("sync %s", recorder->opened[fd]));
	return 0;
}

static int
recorder_no_sync(const Disk *disk, int fd)
{
	(void)disk, (void)fd;
	return 0;
}

static guint
recorder_find(const Recorder *recorder, guint from, const char *what, const char *path)
{
	g_autofree char *call = g_strdup_printf("%s %s", what, path);

	while (from < recorder->calls->len && strcmp(recorder->calls->pdata[from], call) != 0)
		from++;
	return from;
}

/* Each directory that is made is synced in its parent. */
static void
test_directories(void)
{
	static const char *const parts[] = { "a", "a/b", "a/b/log", "a/b/content", "a/b/lost" };
	g_autofree char *root = unit_new_directory(), *directory = g_build_filename(root, "a/b", NULL);
	Recorder recorder = { *disk_system(), g_ptr_array_new_with_free_func(g_free), { NULL } };
	const SpoolSettings settings = {
		.directory = directory, .clock = clock_system(), .disk = &recorder.table, .segment_size = 256 << 10
	};
	Spool *spool;

	recorder.table.make_directory = recorder_make;
	recorder.table.open = recorder_open;
	recorder.table.fsync = recorder_sync;
	recorder.table.fdatasync = recorder_no_sync;
	spool = spool_open(&settings, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(spool);
	spool_close(spool);
	for (size_t i = 0; i < G_N_ELEMENTS(parts); i++) {
		g_autofree char *path = g_build_filename(root, parts[i], NULL), *parent = g_path_get_dirname(path);
		const guint made = recorder_find(&recorder, 0, "make", path);

		CU_ASSERT(made < recorder.calls->len);
		CU_ASSERT(recorder_find(&recorder, made, "sync", parent) < recorder.calls->len);
	}
	for (size_t i = 0; i < G_N_ELEMENTS(recorder.opened); i++)
		g_free(recorder.opened[i]);
	g_ptr_array_unref(recorder.calls);
	unit_remove_directory(root);
}

/* The clock was set back, and the daemon restarted: no id comes twice. */
static void
test_ids(void)
{
	g_autoptr(Fixture) fixture = fixture_new();
	QueueId last = 0;

	fixture->now_us = INT64_C(1795334400000000);
	for (int life = 0; life < 3; life++) {
		IdSource *source = id_source_new(&fixture->clock, 3);

		id_source_pass(source, spool_highest_id(fixture->spool));
		for (int i = 0; i < 20; i++) {
			const QueueId id = id_next(source);
			MessageState *state = message_state_new(id, 1);

			CU_ASSERT(id > last);
			last = id;
			CU_ASSERT_EQUAL(fixture_commit(fixture, id, "x", 1), SPOOL_COMMITTED);
			message_state_set_recipient(state, 0, RECIPIENT_DELIVERED, "250 Ok");
			spool_put_state(fixture->spool, state);
		}
		id_source_free(source);
		fixture->now_us -= 3600 * CLOCK_SECOND;
		fixture_reopen(fixture);
		CU_ASSERT_EQUAL(spool_count(fixture->spool), 0);
		CU_ASSERT_EQUAL(spool_highest_id(fixture->spool), last);
	}
}

const UnitSuite spool_suite = { "spool", (const UnitTest[]){
	{ "Q-02 a message is there after the commit, and after a restart", test_commit },
	{ "a message is read with its edits", test_pieces },
	{ "Q-02 the latest state is the one that is read", test_states },
	{ "a bounce and the state of its message come together", test_bounce },
	{ "what fits no segment is refused", test_too_large },
	{ "all live messages, oldest first", test_each },
	{ "a message may begin held", test_held },
	{ "Q-02 many at once", test_many },
	{ "no such message", test_not_found },
	{ "a large message is read with its edits, step by step", test_large_pieces },
	{ "Q-02 each directory of a new spool is synced in its parent", test_directories },
	{ "Q-01 no id comes twice, though the clock is set back", test_ids },
	{ 0 } } };
