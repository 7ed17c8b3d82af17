/* test-queue.c - which message is next, and when. */
#include <string.h>

#include "unit/mail/queue-bench.h"

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
		bench_return(bench, bench_state(id, RECIPIENT_PENDING, now_us + 1 + (int64_t)(id * 7919 % 211) * CLOCK_SECOND));
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
	bench_return(bench, bench_state(5, RECIPIENT_DELIVERED, 0));
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
	bench_return(bench, bench_state(1, RECIPIENT_PENDING, bench->fixture->now_us + 50));
	CU_ASSERT_EQUAL(bench->n_wakes, 2);
	bench_return(bench, bench_state(2, RECIPIENT_PENDING, bench->fixture->now_us + 60));
	CU_ASSERT_EQUAL(bench->n_wakes, 2);
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

/* The adoption that goes on restores until when a message is held; the queue knows it as held by the one before. */
static void
test_refill_of_held(void)
{
	g_autoptr(Bench) bench = bench_new();
	MessageState *state = bench_state(5, RECIPIENT_PENDING, 0);

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

/* Ended behind the queue's back, by a transaction: it is not active for ever. */
static void
test_vanished(void)
{
	g_autoptr(Bench) bench = bench_new();
	MessageState *state = bench_state(5, RECIPIENT_DELIVERED, 0);

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
		bench_return(bench, bench_state(5, RECIPIENT_PENDING, fixture->now_us + 300 * CLOCK_SECOND));
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
	MessageState *held = bench_state(6, RECIPIENT_PENDING, 0);

	held->is_held = true;
	held->hold_reason = g_strdup("until tomorrow");
	held->release_at_us = far_us;
	bench_enter(bench, 5);
	CU_ASSERT_EQUAL(bench_take(bench), 5);
	bench_return(bench, bench_state(5, RECIPIENT_PENDING, far_us));
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
	{ "refill enters until when a message is held now", test_refill_of_held },
	{ "a message that has vanished is not active for ever", test_vanished },
	{ "Q-13 a wall clock that jumps neither delays mail nor hurries it", test_wall_clock_jumps },
	{ "Q-13 no pause is longer than the longest, whatever the spool says", test_longest_wait },
	{ "Q-07 Q-13 an age is believed after two attempts under one clock", test_attempts },
	{ "refill enters what the queue does not know", test_refill },
	{ 0 } } };
