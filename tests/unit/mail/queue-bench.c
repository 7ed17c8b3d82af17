/* queue-bench.c - a queue over a small spool. */
#include "unit/mail/queue-bench.h"

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

Bench *
bench_new(void)
{
	Bench *bench = g_new0(Bench, 1);

	bench->fixture = fixture_new();
	bench->queue = queue_new(bench->fixture->spool, &bench->fixture->clock, bench_wake, bench);
	queue_set_unparked(bench->queue, bench_unparked, bench);
	return bench;
}

void
bench_free(Bench *bench)
{
	queue_free(bench->queue);
	fixture_free(bench->fixture);
	g_free(bench);
}

void
bench_enter(Bench *bench, QueueId id)
{
	g_autoptr(MessageState) state = message_state_new(id, 1);

	CU_ASSERT_EQUAL(fixture_commit(bench->fixture, id, "body", 1), SPOOL_COMMITTED);
	state->next_us = bench->fixture->now_us;
	queue_enter(bench->queue, state);
}

MessageState *
bench_state(QueueId id, RecipientStatus status, int64_t next_us)
{
	MessageState *state = message_state_new(id, 1);

	message_state_set_recipient(state, 0, status, "said");
	state->next_us = next_us;
	return state;
}

void
bench_return(Bench *bench, MessageState *state)
{
	queue_record(bench->queue, state);
	queue_return(bench->queue, state);
	message_state_free(state);
}

QueueId
bench_take(Bench *bench)
{
	QueueId id = 0;
	int64_t due_us;

	return queue_take(bench->queue, &id, &due_us) ? id : 0;
}

void
bench_reopen(Bench *bench)
{
	queue_free(bench->queue);
	fixture_reopen(bench->fixture);
	bench->queue = queue_new(bench->fixture->spool, &bench->fixture->clock, bench_wake, bench);
	queue_set_unparked(bench->queue, bench_unparked, bench);
}

bool
bench_is_held(Bench *bench, QueueId id)
{
	SpoolSummary summary;

	CU_ASSERT_FATAL(spool_summary(bench->fixture->spool, id, &summary));
	return summary.is_held;
}
