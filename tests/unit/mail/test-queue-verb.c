/* test-queue-verb.c - what the administrator may do to queued, active and parked messages. */
#include <errno.h>
#include <string.h>

#include "unit/mail/queue-bench.h"

static void
test_hold(void)
{
	g_autoptr(Bench) bench = bench_new();
	g_autoptr(SpoolMessage) message = NULL;

	bench_enter(bench, 5);
	CU_ASSERT_EQUAL(queue_do(bench->queue, 5, QUEUE_HOLD, "by hand"), QUEUE_DONE);
	bench->fixture->now_us += 100 * CLOCK_SECOND;
	CU_ASSERT_EQUAL(bench_take(bench), 0);
	bench_reopen(bench);
	CU_ASSERT_EQUAL(bench_take(bench), 0);
	CU_ASSERT_EQUAL(queue_do(bench->queue, 5, QUEUE_RELEASE, NULL), QUEUE_DONE);
	message = spool_read(bench->fixture->spool, 5, NULL);
	CU_ASSERT_FALSE(message->state->is_held);
	CU_ASSERT_EQUAL(message->state->held_total_us, 100 * CLOCK_SECOND);
	CU_ASSERT_EQUAL(bench_take(bench), 5);
}

/* A hold that ends by itself. */
static void
test_release_at(void)
{
	g_autoptr(Bench) bench = bench_new();
	const int64_t now_us = bench->fixture->now_us;
	g_autoptr(SpoolMessage) message = NULL;
	MessageState *state;

	bench_enter(bench, 5);
	CU_ASSERT_EQUAL(bench_take(bench), 5);
	state = bench_state(5, RECIPIENT_PENDING, now_us);
	state->is_held = true;
	state->hold_reason = g_strdup("greylist");
	state->held_since_us = now_us;
	state->release_at_us = now_us + 60 * CLOCK_SECOND;
	bench_return(bench, state);
	CU_ASSERT_EQUAL(bench_take(bench), 0);
	bench_reopen(bench);
	CU_ASSERT_EQUAL(bench_take(bench), 0);
	bench->fixture->now_us += 61 * CLOCK_SECOND;
	CU_ASSERT_EQUAL(bench_take(bench), 5);
	message = spool_read(bench->fixture->spool, 5, NULL);
	CU_ASSERT_FALSE(message->state->is_held);
	CU_ASSERT_EQUAL(message->state->held_total_us, 61 * CLOCK_SECOND);
}

/* Verbs that come while the message is active win over what comes back. */
static void
test_verbs_while_active(void)
{
	g_autoptr(Bench) bench = bench_new();
	const int64_t later_us = bench->fixture->now_us + 1000 * CLOCK_SECOND;
	g_autoptr(SpoolMessage) message = NULL;

	for (QueueId id = 1; id <= 3; id++) {
		bench_enter(bench, id);
		CU_ASSERT_EQUAL(bench_take(bench), id);
	}
	CU_ASSERT_EQUAL(queue_do(bench->queue, 1, QUEUE_HOLD, "wait"), QUEUE_WHEN_BACK);
	CU_ASSERT_EQUAL(queue_do(bench->queue, 2, QUEUE_REMOVE, "not wanted"), QUEUE_WHEN_BACK);
	CU_ASSERT_EQUAL(queue_do(bench->queue, 3, QUEUE_RETRY, NULL), QUEUE_WHEN_BACK);
	for (QueueId id = 1; id <= 3; id++)
		bench_return(bench, bench_state(id, RECIPIENT_PENDING, later_us));
	CU_ASSERT_EQUAL(bench_take(bench), 3);
	CU_ASSERT_EQUAL(bench_take(bench), 0);
	CU_ASSERT_EQUAL(spool_count(bench->fixture->spool), 2);
	message = spool_read(bench->fixture->spool, 1, NULL);
	CU_ASSERT(message->state->is_held);
	ASSERT_TEXT(message->state->hold_reason, "wait");
}

static void
test_remove(void)
{
	g_autoptr(Bench) bench = bench_new();

	bench_enter(bench, 5);
	CU_ASSERT_EQUAL(queue_do(bench->queue, 5, QUEUE_REMOVE, "spam"), QUEUE_DONE);
	CU_ASSERT_EQUAL(spool_count(bench->fixture->spool), 0);
	CU_ASSERT_EQUAL(bench_take(bench), 0);
	CU_ASSERT_EQUAL(queue_do(bench->queue, 5, QUEUE_REMOVE, "spam"), QUEUE_NOT_THERE);
}

/* A return to the sender is recorded, so that a crash does not undo it. */
static void
test_return_to_sender(void)
{
	g_autoptr(Bench) bench = bench_new();
	g_autoptr(SpoolMessage) message = NULL;

	bench_enter(bench, 5);
	CU_ASSERT_EQUAL(bench_take(bench), 5);
	bench_return(bench, bench_state(5, RECIPIENT_PENDING, bench->fixture->now_us + 1000 * CLOCK_SECOND));
	CU_ASSERT_EQUAL(bench_take(bench), 0);
	CU_ASSERT_EQUAL(queue_do(bench->queue, 5, QUEUE_BOUNCE, NULL), QUEUE_DONE);
	CU_ASSERT_EQUAL(queue_do(bench->queue, 6, QUEUE_BOUNCE, NULL), QUEUE_NOT_THERE);
	CU_ASSERT_EQUAL(bench_take(bench), 5);
	bench_reopen(bench);
	CU_ASSERT_EQUAL(bench_take(bench), 5);
	message = spool_read(bench->fixture->spool, 5, NULL);
	CU_ASSERT_EQUAL(message->state->recipients[0].status, RECIPIENT_FAILED);
	ASSERT_TEXT(message->state->recipients[0].reply, "5.4.7 returned by the administrator");
}

/* ---- parking ---- */

/* What the message `id` waits for. */
static void *
bench_waiting(QueueId id)
{
	static char things[16];

	return &things[id];
}

static QueueId
bench_park(Bench *bench, QueueId id)
{
	bench_enter(bench, id);
	CU_ASSERT_EQUAL(bench_take(bench), id);
	CU_ASSERT(queue_park(bench->queue, id, bench_waiting(id)));
	return id;
}

static void
test_park(void)
{
	g_autoptr(Bench) bench = bench_new();
	const QueueId id = bench_park(bench, 5);

	CU_ASSERT_EQUAL(queue_active(bench->queue), 0);
	CU_ASSERT_EQUAL(bench_take(bench), 0);
	CU_ASSERT_PTR_EQUAL(queue_unpark(bench->queue, id), bench_waiting(id));
	CU_ASSERT_PTR_NULL(queue_unpark(bench->queue, id));
	CU_ASSERT_EQUAL(queue_active(bench->queue), 1);
	CU_ASSERT(queue_park(bench->queue, id, bench_waiting(6)));
	CU_ASSERT_PTR_EQUAL(queue_unpark(bench->queue, id), bench_waiting(6));
	CU_ASSERT_EQUAL(bench->n_unparked, 0);
}

/* Nobody has a parked message: each verb takes effect at once. */
static void
test_verbs_while_parked(void)
{
	static const QueueVerb verbs[] = { [1] = QUEUE_HOLD, QUEUE_REMOVE, QUEUE_RETRY, QUEUE_BOUNCE };
	g_autoptr(Bench) bench = bench_new();
	SpoolSummary summary;

	for (QueueId id = 1; id <= 4; id++)
		(void)bench_park(bench, id);
	for (QueueId id = 1; id <= 4; id++) {
		CU_ASSERT_EQUAL(queue_do(bench->queue, id, verbs[id], "5.0.0 stop"), QUEUE_DONE);
		CU_ASSERT_EQUAL(bench->n_unparked, (int)id);
		CU_ASSERT_PTR_EQUAL(bench->unparked, bench_waiting(id));
		CU_ASSERT_PTR_NULL(queue_unpark(bench->queue, id));
	}
	CU_ASSERT(bench_is_held(bench, 1));
	CU_ASSERT_FALSE(spool_summary(bench->fixture->spool, 2, &summary));
	CU_ASSERT_EQUAL(queue_do(bench->queue, 1, QUEUE_RETRY, NULL), QUEUE_NOTHING);
	CU_ASSERT_EQUAL(bench->n_unparked, 4);
	CU_ASSERT_EQUAL(bench_take(bench), 3);
	CU_ASSERT_EQUAL(bench_take(bench), 4);
	CU_ASSERT_EQUAL(bench_take(bench), 0);
}

/* ---- verbs that come while somebody has the message ---- */

/* Whichever way it comes back. */
static void
test_verbs_are_not_forgotten(void)
{
	g_autoptr(Bench) bench = bench_new();
	SpoolSummary summary;

	for (QueueId id = 1; id <= 4; id++) {
		bench_enter(bench, id);
		CU_ASSERT_EQUAL(bench_take(bench), id);
		CU_ASSERT_FALSE(queue_is_called_back(bench->queue, id));
		CU_ASSERT_EQUAL(queue_do(bench->queue, id, id < 3 ? QUEUE_HOLD : QUEUE_REMOVE, "stop"), QUEUE_WHEN_BACK);
		CU_ASSERT(queue_is_called_back(bench->queue, id));
	}
	for (QueueId id = 1; id <= 4; id++) {
		if (id % 2 == 0)
			CU_ASSERT_FALSE(queue_park(bench->queue, id, bench_waiting(id)));
		queue_postpone(bench->queue, id, 0);
	}
	CU_ASSERT(bench_is_held(bench, 1));
	CU_ASSERT(bench_is_held(bench, 2));
	CU_ASSERT_PTR_NULL(queue_unpark(bench->queue, 2));
	CU_ASSERT_FALSE(spool_summary(bench->fixture->spool, 3, &summary));
	CU_ASSERT_FALSE(spool_summary(bench->fixture->spool, 4, &summary));
	CU_ASSERT_EQUAL(bench_take(bench), 0);
	CU_ASSERT_EQUAL(queue_active(bench->queue), 0);
}

/* The later one counts, and its reason: what an administrator noted about a hold is not sent to anybody. */
static void
test_later_verb_counts(void)
{
	g_autoptr(Bench) bench = bench_new();
	g_autoptr(SpoolMessage) returned = NULL;

	for (QueueId id = 1; id <= 3; id++) {
		bench_enter(bench, id);
		CU_ASSERT_EQUAL(bench_take(bench), id);
	}
	CU_ASSERT_EQUAL(queue_do(bench->queue, 1, QUEUE_HOLD, "case 4711"), QUEUE_WHEN_BACK);
	CU_ASSERT_EQUAL(queue_do(bench->queue, 1, QUEUE_BOUNCE, NULL), QUEUE_WHEN_BACK);
	CU_ASSERT_EQUAL(queue_do(bench->queue, 2, QUEUE_REMOVE, "no"), QUEUE_WHEN_BACK);
	CU_ASSERT_EQUAL(queue_do(bench->queue, 2, QUEUE_HOLD, "wait"), QUEUE_WHEN_BACK);
	CU_ASSERT_EQUAL(queue_do(bench->queue, 3, QUEUE_HOLD, "wait"), QUEUE_WHEN_BACK);
	CU_ASSERT_EQUAL(queue_do(bench->queue, 3, QUEUE_RETRY, NULL), QUEUE_WHEN_BACK);
	for (QueueId id = 1; id <= 3; id++)
		bench_return(bench, bench_state(id, RECIPIENT_PENDING, bench->fixture->now_us));
	returned = spool_read(bench->fixture->spool, 1, NULL);
	CU_ASSERT_EQUAL(returned->state->recipients[0].status, RECIPIENT_FAILED);
	ASSERT_TEXT(returned->state->recipients[0].reply, "5.4.7 returned by the administrator");
	CU_ASSERT(bench_is_held(bench, 2));
	CU_ASSERT(bench_is_held(bench, 3));
}

/* A hold is ended by a release alone, and a release of what is not held does not hurry it. */
static void
test_nothing_to_do(void)
{
	g_autoptr(Bench) bench = bench_new();
	const int64_t later_us = bench->fixture->now_us + 1000 * CLOCK_SECOND;

	bench_enter(bench, 1);
	bench_enter(bench, 2);
	CU_ASSERT_EQUAL(queue_do(bench->queue, 1, QUEUE_HOLD, "wait"), QUEUE_DONE);
	CU_ASSERT_EQUAL(queue_do(bench->queue, 1, QUEUE_RETRY, NULL), QUEUE_NOTHING);
	CU_ASSERT(bench_is_held(bench, 1));
	CU_ASSERT_EQUAL(bench_take(bench), 2);
	bench_return(bench, bench_state(2, RECIPIENT_PENDING, later_us));
	CU_ASSERT_EQUAL(queue_do(bench->queue, 2, QUEUE_RELEASE, NULL), QUEUE_NOTHING);
	CU_ASSERT_EQUAL(bench_take(bench), 0);
	CU_ASSERT_EQUAL(queue_do(bench->queue, 2, QUEUE_RETRY, NULL), QUEUE_DONE);
	CU_ASSERT_EQUAL(bench_take(bench), 2);
}

/* An adoption holds without saying since when: what is released then is not as young as if it had been held for ever. */
static void
test_hold_of_adoption(void)
{
	g_autoptr(Bench) bench = bench_new();
	MessageState *state = bench_state(5, RECIPIENT_PENDING, bench->fixture->now_us);
	g_autoptr(SpoolMessage) message = NULL;

	bench_enter(bench, 5);
	CU_ASSERT_EQUAL(bench_take(bench), 5);
	state->is_held = true;
	bench_return(bench, state);
	CU_ASSERT_EQUAL(queue_do(bench->queue, 5, QUEUE_RELEASE, NULL), QUEUE_DONE);
	message = spool_read(bench->fixture->spool, 5, NULL);
	CU_ASSERT_EQUAL(message->state->held_total_us, 0);
}

static bool
bench_is_ours(const char *reason)
{
	return strcmp(reason, "ours") == 0;
}

/* A domain that changes releases what its mode held, and nothing that somebody holds, not even since a moment ago. */
static void
test_let_go(void)
{
	g_autoptr(Bench) bench = bench_new();

	for (QueueId id = 1; id <= 4; id++)
		bench_enter(bench, id);
	CU_ASSERT_EQUAL(queue_do(bench->queue, 1, QUEUE_HOLD, "ours"), QUEUE_DONE);
	CU_ASSERT_EQUAL(queue_do(bench->queue, 2, QUEUE_HOLD, "theirs"), QUEUE_DONE);
	CU_ASSERT_EQUAL(queue_let_go(bench->queue, 1, bench_is_ours), QUEUE_DONE);
	CU_ASSERT_EQUAL(queue_let_go(bench->queue, 2, bench_is_ours), QUEUE_DONE);
	CU_ASSERT_FALSE(bench_is_held(bench, 1));
	CU_ASSERT(bench_is_held(bench, 2));
	for (QueueId id; (id = bench_take(bench)) != 0;)
		CU_ASSERT_NOT_EQUAL(id, 2);
	CU_ASSERT_EQUAL(queue_do(bench->queue, 3, QUEUE_HOLD, "theirs"), QUEUE_WHEN_BACK);
	CU_ASSERT_EQUAL(queue_let_go(bench->queue, 3, bench_is_ours), QUEUE_WHEN_BACK);
	CU_ASSERT_EQUAL(queue_let_go(bench->queue, 4, bench_is_ours), QUEUE_WHEN_BACK);
	bench_return(bench, bench_state(3, RECIPIENT_PENDING, 0));
	bench_return(bench, bench_state(4, RECIPIENT_PENDING, bench->fixture->now_us + 1000 * CLOCK_SECOND));
	CU_ASSERT(bench_is_held(bench, 3));
	CU_ASSERT_EQUAL(bench_take(bench), 4);
}

/* ---- a disk that cannot be read ---- */

typedef struct {
	Disk disk; /* first: the table is the object */
	ssize_t (*pread)(const Disk *disk, int fd, void *data, size_t size, off_t offset);
	Queue *queue;
	GThread *thread; /* whose reads fail; NULL: nobody's */
	QueueVerb verb;  /* comes while the first of them does */
	QueueResult result;
} BadDisk;

static ssize_t
bad_pread(const Disk *disk, int fd, void *data, size_t size, off_t offset)
{
	BadDisk *bad = (BadDisk *)(uintptr_t)disk;

	if (bad->thread != g_thread_self())
		return bad->pread(disk, fd, data, size, offset);
	if (bad->queue != NULL)
		bad->result = queue_do(g_steal_pointer(&bad->queue), 5, bad->verb, "5.0.0 meanwhile");
	errno = EIO;
	return -1;
}

static void
bench_use_bad_disk(Bench *bench, BadDisk *bad)
{
	*bad = (BadDisk){ .disk = *bench->fixture->settings.disk };
	bad->pread = bad->disk.pread;
	bad->disk.pread = bad_pread;
	bench->fixture->settings.disk = &bad->disk;
	bench_reopen(bench);
}

/* A retry of message 5 cannot be done, as that cannot be read; `verb` comes at the same time. */
static void
bench_retry_unreadable(Bench *bench, BadDisk *bad, QueueVerb verb)
{
	bad->queue = bench->queue;
	bad->verb = verb;
	bad->thread = g_thread_self();
	CU_ASSERT_EQUAL(queue_do(bench->queue, 5, QUEUE_RETRY, NULL), QUEUE_UNREADABLE);
	CU_ASSERT_EQUAL(bad->result, QUEUE_WHEN_BACK);
	CU_ASSERT_EQUAL(queue_active(bench->queue), 0);
}

/* A removal needs no state, and is done at once. */
static void
test_removal_while_unreadable(void)
{
	BadDisk bad;
	g_autoptr(Bench) bench = bench_new();
	SpoolSummary summary;

	bench_enter(bench, 5);
	bench_use_bad_disk(bench, &bad);
	bench_retry_unreadable(bench, &bad, QUEUE_REMOVE);
	CU_ASSERT_FALSE(spool_summary(bench->fixture->spool, 5, &summary));
	bad.thread = NULL;
	CU_ASSERT_EQUAL(queue_do(bench->queue, 5, QUEUE_RETRY, NULL), QUEUE_NOT_THERE);
}

/* Any other verb is kept until the message can be read: whoever has it next begins nothing with it. */
static void
test_hold_while_unreadable(void)
{
	BadDisk bad;
	g_autoptr(Bench) bench = bench_new();

	bench_enter(bench, 5);
	bench_use_bad_disk(bench, &bad);
	bench_retry_unreadable(bench, &bad, QUEUE_HOLD);
	CU_ASSERT_EQUAL(queue_do(bench->queue, 5, QUEUE_RELEASE, NULL), QUEUE_UNREADABLE);
	bad.thread = NULL;
	CU_ASSERT_FALSE(bench_is_held(bench, 5));
	bench->fixture->now_us += 61 * CLOCK_SECOND;
	CU_ASSERT_EQUAL(bench_take(bench), 5);
	CU_ASSERT(queue_is_called_back(bench->queue, 5));
	CU_ASSERT_FALSE(queue_park(bench->queue, 5, bench_waiting(5)));
	queue_postpone(bench->queue, 5, 0);
	CU_ASSERT(bench_is_held(bench, 5));
	CU_ASSERT_EQUAL(bench_take(bench), 0);
}

/* The later verb counts, here too. */
static void
test_verbs_after_unreadable(void)
{
	BadDisk bad;
	g_autoptr(Bench) bench = bench_new();

	bench_enter(bench, 5);
	bench_use_bad_disk(bench, &bad);
	bench_retry_unreadable(bench, &bad, QUEUE_HOLD);
	bad.thread = NULL;
	CU_ASSERT_EQUAL(queue_do(bench->queue, 5, QUEUE_RETRY, NULL), QUEUE_DONE);
	CU_ASSERT(bench_is_held(bench, 5));
	CU_ASSERT_EQUAL(queue_do(bench->queue, 5, QUEUE_RELEASE, NULL), QUEUE_DONE);
	bench_retry_unreadable(bench, &bad, QUEUE_HOLD);
	bad.thread = NULL;
	CU_ASSERT_EQUAL(queue_do(bench->queue, 5, QUEUE_BOUNCE, NULL), QUEUE_DONE);
	CU_ASSERT_FALSE(bench_is_held(bench, 5));
	CU_ASSERT_EQUAL(bench_take(bench), 5);
}

const UnitSuite queue_verb_suite = { "queue verbs", (const UnitTest[]){
	{ "hold and release", test_hold },
	{ "a hold ends at its time", test_release_at },
	{ "verbs win over what comes back", test_verbs_while_active },
	{ "remove", test_remove },
	{ "a return to the sender is durable, and due at once", test_return_to_sender },
	{ "a parked message waits for its next hop, and is not active", test_park },
	{ "Q-15 nothing is done by a retry of held mail, or a release of other mail", test_nothing_to_do },
	{ "Q-14 verbs take effect on a parked message at once", test_verbs_while_parked },
	{ "Q-15 verbs are not forgotten, whichever way a message comes back", test_verbs_are_not_forgotten },
	{ "Q-15 of two verbs the later counts, with its reason", test_later_verb_counts },
	{ "a hold of an adoption has no beginning", test_hold_of_adoption },
	{ "M-03 letting go releases only what was held for that, and no later hold", test_let_go },
	{ "Q-15 a removal that comes while a message cannot be read is done", test_removal_while_unreadable },
	{ "Q-15 a hold that comes while a message cannot be read is kept", test_hold_while_unreadable },
	{ "Q-15 of a kept verb and a later one the later counts", test_verbs_after_unreadable },
	{ 0 } } };
