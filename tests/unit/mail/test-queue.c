/* test-queue.c - who is next, and what the administrator may do about it. */
#include "mail/queue.h"

#include <string.h>

#include "unit/mail/mail.h"

typedef struct {
	Fixture *fixture;
	Queue *queue;
	int n_wakes;
	int n_unparked; /* verbs took so many parked messages */
	void *unparked; /* what the last of them had waited for */
} Bench;

static void
bench_wake(void *data)
{
	((Bench *)data)->n_wakes++;
}

static void
bench_unparked(void *data, void *waiting)
{
	Bench *bench = data;

	bench->n_unparked++;
	bench->unparked = waiting;
}

static Bench *
bench_new(void)
{
	Bench *bench = g_new0(Bench, 1);

	bench->fixture = fixture_new();
	bench->queue = queue_new(bench->fixture->spool, &bench->fixture->clock, bench_wake, bench);
	queue_set_unparked(bench->queue, bench_unparked, bench);
	return bench;
}

static void
bench_free(Bench *bench)
{
	queue_free(bench->queue);
	fixture_free(bench->fixture);
	g_free(bench);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Bench, bench_free)

static void
bench_enter(Bench *bench, QueueId id)
{
	g_autoptr(MessageState) state = message_state_new(id, 1);

	CU_ASSERT_EQUAL(fixture_commit(bench->fixture, id, "body", 1), SPOOL_COMMITTED);
	state->next_us = bench->fixture->now_us;
	queue_enter(bench->queue, state);
}

static MessageState *
bench_state(Bench *bench, QueueId id, RecipientStatus status, int64_t next_us)
{
	MessageState *state = message_state_new(id, 1);

	(void)bench;
	message_state_set_recipient(state, 0, status, "said");
	state->next_us = next_us;
	return state;
}

/* Takes the state. */
static void
bench_return(Bench *bench, MessageState *state)
{
	queue_record(bench->queue, state);
	queue_return(bench->queue, state);
	message_state_free(state);
}

static QueueId
bench_take(Bench *bench)
{
	QueueId id = 0;
	int64_t due_us;

	return queue_take(bench->queue, &id, &due_us) ? id : 0;
}

static void
bench_reopen(Bench *bench)
{
	queue_free(bench->queue);
	fixture_reopen(bench->fixture);
	bench->queue = queue_new(bench->fixture->spool, &bench->fixture->clock, bench_wake, bench);
}

static void
test_order(void)
{
	g_autoptr(Bench) bench = bench_new();
	const int64_t now_us = bench->fixture->now_us;
	unsigned seen = 0;
	int64_t last = 0, next_us;
	QueueId id;

	/* Taken in one order, put back in another, for 200 messages. */
	for (QueueId i = 1; i <= 200; i++)
		bench_enter(bench, i);
	while ((id = bench_take(bench)) != 0)
		bench_return(bench, bench_state(bench, id, RECIPIENT_PENDING, now_us + 1 + (int64_t)(id * 7919 % 211) * CLOCK_SECOND));
	CU_ASSERT_FALSE(queue_take(bench->queue, &id, &next_us));
	CU_ASSERT(next_us > now_us && next_us < now_us + 3 * CLOCK_SECOND);
	bench_reopen(bench);
	bench->fixture->now_us += 300 * CLOCK_SECOND;
	while ((id = bench_take(bench)) != 0) {
		const int64_t due = (int64_t)(id * 7919 % 211);

		CU_ASSERT(due >= last);
		last = due;
		seen++;
	}
	CU_ASSERT_EQUAL(seen, 200);
	CU_ASSERT_EQUAL(queue_active(bench->queue), 200);
}

static void
test_active(void)
{
	g_autoptr(Bench) bench = bench_new();

	bench_enter(bench, 5);
	CU_ASSERT_EQUAL(bench_take(bench), 5);
	CU_ASSERT_EQUAL(bench_take(bench), 0);
	CU_ASSERT_EQUAL(queue_active(bench->queue), 1);
	bench_return(bench, bench_state(bench, 5, RECIPIENT_DELIVERED, 0));
	CU_ASSERT_EQUAL(queue_active(bench->queue), 0);
	CU_ASSERT_EQUAL(bench_take(bench), 0);
	CU_ASSERT_EQUAL(spool_count(bench->fixture->spool), 0);
	CU_ASSERT_EQUAL(queue_do(bench->queue, 5, QUEUE_RETRY, NULL), QUEUE_NOT_THERE);
}

static void
test_wake(void)
{
	g_autoptr(Bench) bench = bench_new();

	CU_ASSERT_EQUAL(bench_take(bench), 0);
	bench_enter(bench, 1);
	CU_ASSERT_EQUAL(bench->n_wakes, 1);
	bench_enter(bench, 2);
	CU_ASSERT_EQUAL(bench->n_wakes, 1);
	CU_ASSERT_EQUAL(bench_take(bench), 1);
	CU_ASSERT_EQUAL(bench_take(bench), 2);
	CU_ASSERT_EQUAL(bench_take(bench), 0);
	bench_return(bench, bench_state(bench, 1, RECIPIENT_PENDING, bench->fixture->now_us + 50));
	CU_ASSERT_EQUAL(bench->n_wakes, 2);
	bench_return(bench, bench_state(bench, 2, RECIPIENT_PENDING, bench->fixture->now_us + 60));
	CU_ASSERT_EQUAL(bench->n_wakes, 2);
}

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
	state = bench_state(bench, 5, RECIPIENT_PENDING, now_us);
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
		bench_return(bench, bench_state(bench, id, RECIPIENT_PENDING, later_us));
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
	bench_return(bench, bench_state(bench, 5, RECIPIENT_PENDING, bench->fixture->now_us + 1000 * CLOCK_SECOND));
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

static void
test_refill(void)
{
	g_autoptr(Bench) bench = bench_new();

	CU_ASSERT_EQUAL(fixture_commit(bench->fixture, 7, "body", 1), SPOOL_COMMITTED);
	CU_ASSERT_EQUAL(bench_take(bench), 0);
	queue_refill(bench->queue);
	CU_ASSERT_EQUAL(bench_take(bench), 7);
	queue_refill(bench->queue);
	CU_ASSERT_EQUAL(bench_take(bench), 0);
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

static bool
bench_is_held(Bench *bench, QueueId id)
{
	SpoolSummary summary;

	CU_ASSERT_FATAL(spool_summary(bench->fixture->spool, id, &summary));
	return summary.is_held;
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
	CU_ASSERT_EQUAL(queue_do(bench->queue, 1, QUEUE_RETRY, NULL), QUEUE_DONE);
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
		bench_return(bench, bench_state(bench, id, RECIPIENT_PENDING, bench->fixture->now_us));
	returned = spool_read(bench->fixture->spool, 1, NULL);
	CU_ASSERT_EQUAL(returned->state->recipients[0].status, RECIPIENT_FAILED);
	ASSERT_TEXT(returned->state->recipients[0].reply, "5.4.7 returned by the administrator");
	CU_ASSERT(bench_is_held(bench, 2));
	CU_ASSERT(bench_is_held(bench, 3));
}

/* An adoption holds without saying since when: what is released then is not as young as if it had been held for ever. */
static void
test_hold_of_adoption(void)
{
	g_autoptr(Bench) bench = bench_new();
	MessageState *state = bench_state(bench, 5, RECIPIENT_PENDING, bench->fixture->now_us);
	g_autoptr(SpoolMessage) message = NULL;

	bench_enter(bench, 5);
	CU_ASSERT_EQUAL(bench_take(bench), 5);
	state->is_held = true;
	bench_return(bench, state);
	CU_ASSERT_EQUAL(queue_do(bench->queue, 5, QUEUE_RELEASE, NULL), QUEUE_DONE);
	message = spool_read(bench->fixture->spool, 5, NULL);
	CU_ASSERT_EQUAL(message->state->held_total_us, 0);
}

/* The adoption that goes on restores until when a message is held; the queue knows it as held by the one before. */
static void
test_refill_of_held(void)
{
	g_autoptr(Bench) bench = bench_new();
	MessageState *state = bench_state(bench, 5, RECIPIENT_PENDING, 0);

	bench_enter(bench, 5);
	CU_ASSERT_EQUAL(queue_do(bench->queue, 5, QUEUE_HOLD, "adopted"), QUEUE_DONE);
	state->is_held = true;
	state->held_since_us = bench->fixture->now_us;
	state->release_at_us = bench->fixture->now_us + 60 * CLOCK_SECOND;
	spool_put_state(bench->fixture->spool, state);
	queue_refill(bench->queue);
	CU_ASSERT_EQUAL(bench_take(bench), 0);
	bench->fixture->now_us += 61 * CLOCK_SECOND;
	CU_ASSERT_EQUAL(bench_take(bench), 5);
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
	bench_return(bench, bench_state(bench, 3, RECIPIENT_PENDING, 0));
	bench_return(bench, bench_state(bench, 4, RECIPIENT_PENDING, bench->fixture->now_us + 1000 * CLOCK_SECOND));
	CU_ASSERT(bench_is_held(bench, 3));
	CU_ASSERT_EQUAL(bench_take(bench), 4);
}

/* Ended behind the queue's back, by a transaction: it is not active for ever. */
static void
test_vanished(void)
{
	g_autoptr(Bench) bench = bench_new();
	MessageState *state = bench_state(bench, 5, RECIPIENT_DELIVERED, 0);

	bench_enter(bench, 5);
	CU_ASSERT_EQUAL(bench_take(bench), 5);
	spool_put_state(bench->fixture->spool, state);
	queue_postpone(bench->queue, 5, 60 * CLOCK_SECOND);
	CU_ASSERT_EQUAL(queue_active(bench->queue), 0);
	CU_ASSERT_EQUAL(queue_do(bench->queue, 5, QUEUE_RETRY, NULL), QUEUE_NOT_THERE);
}

/* ---- the clock ---- */

/* Mail that waits for 300 s waits for 300 s, whatever the wall clock does meanwhile. */
static void
test_wall_clock_jumps(void)
{
	static const int64_t jumps_us[] = { -3600 * CLOCK_SECOND, 6 * 86400 * CLOCK_SECOND };

	for (size_t i = 0; i < G_N_ELEMENTS(jumps_us); i++) {
		g_autoptr(Bench) bench = bench_new();
		Fixture *fixture = bench->fixture;

		bench_enter(bench, 5);
		CU_ASSERT_EQUAL(bench_take(bench), 5);
		bench_return(bench, bench_state(bench, 5, RECIPIENT_PENDING, fixture->now_us + 300 * CLOCK_SECOND));
		fixture->wall_ahead_us = jumps_us[i];
		CU_ASSERT_EQUAL(bench_take(bench), 0);
		fixture->now_us += 299 * CLOCK_SECOND;
		CU_ASSERT_EQUAL(bench_take(bench), 0);
		fixture->now_us += 2 * CLOCK_SECOND;
		CU_ASSERT_EQUAL(bench_take(bench), 5);
	}
}

/* What a wrong clock wrote to the spool delays nothing beyond the longest pause; a hold that ends at a time is no pause. */
static void
test_longest_wait(void)
{
	g_autoptr(Bench) bench = bench_new();
	const int64_t far_us = bench->fixture->now_us + 86400 * CLOCK_SECOND;
	MessageState *held = bench_state(bench, 6, RECIPIENT_PENDING, 0);

	held->is_held = true;
	held->hold_reason = g_strdup("until tomorrow");
	held->release_at_us = far_us;
	bench_enter(bench, 5);
	CU_ASSERT_EQUAL(bench_take(bench), 5);
	bench_return(bench, bench_state(bench, 5, RECIPIENT_PENDING, far_us));
	bench_enter(bench, 6);
	CU_ASSERT_EQUAL(bench_take(bench), 6);
	bench_return(bench, held);
	for (int i = 0; i < 2; i++) {
		queue_set_longest_wait(bench->queue, 4000 * CLOCK_SECOND);
		bench->fixture->now_us += 3999 * CLOCK_SECOND;
		CU_ASSERT_EQUAL(bench_take(bench), 0);
		bench->fixture->now_us += 2 * CLOCK_SECOND;
		CU_ASSERT_EQUAL(bench_take(bench), 5);
		CU_ASSERT_EQUAL(bench_take(bench), 0);
		bench_reopen(bench); /* and the same from the spool */
	}
	bench->fixture->now_us = far_us + 1;
	queue_set_longest_wait(bench->queue, 4000 * CLOCK_SECOND);
	CU_ASSERT_EQUAL(bench_take(bench) + bench_take(bench), 11);
}

/* A message's age is believed once it failed twice under the same clock. */
static void
test_attempts(void)
{
	g_autoptr(Bench) bench = bench_new();

	bench_enter(bench, 5);
	CU_ASSERT_FALSE(queue_was_attempted(bench->queue, 5));
	queue_note_attempt(bench->queue, 5);
	bench->fixture->now_us += 5000 * CLOCK_SECOND;
	CU_ASSERT(queue_was_attempted(bench->queue, 5));
	bench->fixture->wall_ahead_us = 20 * CLOCK_SECOND; /* the clock is set by hand, a little */
	CU_ASSERT(queue_was_attempted(bench->queue, 5));
	bench->fixture->wall_ahead_us = 6 * 86400 * CLOCK_SECOND;
	CU_ASSERT_FALSE(queue_was_attempted(bench->queue, 5));
	queue_note_attempt(bench->queue, 5);
	CU_ASSERT(queue_was_attempted(bench->queue, 5));
	bench->fixture->wall_ahead_us = 0;
	CU_ASSERT_FALSE(queue_was_attempted(bench->queue, 5));
	bench_reopen(bench);
	CU_ASSERT_FALSE(queue_was_attempted(bench->queue, 5));
}

const UnitSuite queue_suite = { "queue", (const UnitTest[]){
	{ "Q-07 the one that is due first comes first, also after a restart", test_order },
	{ "an active message is nobody else's", test_active },
	{ "wakes only for what is earlier than known", test_wake },
	{ "hold and release", test_hold },
	{ "a hold ends at its time", test_release_at },
	{ "verbs win over what comes back", test_verbs_while_active },
	{ "remove", test_remove },
	{ "a return to the sender is durable, and due at once", test_return_to_sender },
	{ "a parked message waits for its next hop, and is not active", test_park },
	{ "Q-14 verbs take effect on a parked message at once", test_verbs_while_parked },
	{ "Q-15 verbs are not forgotten, whichever way a message comes back", test_verbs_are_not_forgotten },
	{ "Q-15 of two verbs the later counts, with its reason", test_later_verb_counts },
	{ "a hold of an adoption has no beginning", test_hold_of_adoption },
	{ "refill enters until when a message is held now", test_refill_of_held },
	{ "M-03 letting go releases only what was held for that, and no later hold", test_let_go },
	{ "a message that has vanished is not active for ever", test_vanished },
	{ "Q-13 a wall clock that jumps neither delays mail nor hurries it", test_wall_clock_jumps },
	{ "Q-13 no pause is longer than the longest, whatever the spool says", test_longest_wait },
	{ "Q-07 Q-13 an age is believed after two attempts under one clock", test_attempts },
	{ "refill enters what the queue does not know", test_refill },
	{ 0 } } };
