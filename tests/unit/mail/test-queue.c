/* test-queue.c - who is next, and what the administrator may do about it. */
#include "mail/queue.h"

#include "unit/mail/mail.h"

typedef struct {
	Fixture *fixture;
	Queue *queue;
	int n_wakes;
} Bench;

static void
bench_wake(void *data)
{
	((Bench *)data)->n_wakes++;
}

static Bench *
bench_new(void)
{
	Bench *bench = g_new0(Bench, 1);

	bench->fixture = fixture_new();
	bench->queue = queue_new(bench->fixture->spool, &bench->fixture->clock, bench_wake, bench);
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

static QueueId
bench_take(Bench *bench)
{
	QueueId id = 0;
	int64_t next_us;

	return queue_take(bench->queue, bench->fixture->now_us, &id, &next_us) ? id : 0;
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
		CU_ASSERT(queue_update(bench->queue,
			bench_state(bench, id, RECIPIENT_PENDING, now_us + 1 + (int64_t)(id * 7919 % 211) * CLOCK_SECOND), NULL));
	CU_ASSERT_FALSE(queue_take(bench->queue, now_us, &id, &next_us));
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
	CU_ASSERT_EQUAL(queue_in_hand(bench->queue), 200);
}

static void
test_in_hand(void)
{
	g_autoptr(Bench) bench = bench_new();

	bench_enter(bench, 5);
	CU_ASSERT_EQUAL(bench_take(bench), 5);
	CU_ASSERT_EQUAL(bench_take(bench), 0);
	CU_ASSERT_EQUAL(queue_in_hand(bench->queue), 1);
	CU_ASSERT(queue_update(bench->queue, bench_state(bench, 5, RECIPIENT_DELIVERED, 0), NULL));
	CU_ASSERT_EQUAL(queue_in_hand(bench->queue), 0);
	CU_ASSERT_EQUAL(bench_take(bench), 0);
	CU_ASSERT_EQUAL(spool_count(bench->fixture->spool), 0);
	CU_ASSERT_FALSE(queue_do(bench->queue, 5, QUEUE_RETRY, NULL));
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
	CU_ASSERT(queue_update(bench->queue,
		bench_state(bench, 1, RECIPIENT_PENDING, bench->fixture->now_us + 50), NULL));
	CU_ASSERT_EQUAL(bench->n_wakes, 2);
	CU_ASSERT(queue_update(bench->queue,
		bench_state(bench, 2, RECIPIENT_PENDING, bench->fixture->now_us + 60), NULL));
	CU_ASSERT_EQUAL(bench->n_wakes, 2);
}

static void
test_hold(void)
{
	g_autoptr(Bench) bench = bench_new();
	g_autoptr(SpoolMessage) message = NULL;

	bench_enter(bench, 5);
	CU_ASSERT(queue_do(bench->queue, 5, QUEUE_HOLD, "by hand"));
	bench->fixture->now_us += 100 * CLOCK_SECOND;
	CU_ASSERT_EQUAL(bench_take(bench), 0);
	bench_reopen(bench);
	CU_ASSERT_EQUAL(bench_take(bench), 0);
	CU_ASSERT(queue_do(bench->queue, 5, QUEUE_RELEASE, NULL));
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
	CU_ASSERT(queue_update(bench->queue, state, NULL));
	CU_ASSERT_EQUAL(bench_take(bench), 0);
	bench_reopen(bench);
	CU_ASSERT_EQUAL(bench_take(bench), 0);
	bench->fixture->now_us += 61 * CLOCK_SECOND;
	CU_ASSERT_EQUAL(bench_take(bench), 5);
	message = spool_read(bench->fixture->spool, 5, NULL);
	CU_ASSERT_FALSE(message->state->is_held);
	CU_ASSERT_EQUAL(message->state->held_total_us, 61 * CLOCK_SECOND);
}

/* Verbs that come while the message is in hand win over what comes back. */
static void
test_verbs_in_hand(void)
{
	g_autoptr(Bench) bench = bench_new();
	const int64_t later_us = bench->fixture->now_us + 1000 * CLOCK_SECOND;
	g_autoptr(SpoolMessage) message = NULL;

	for (QueueId id = 1; id <= 3; id++) {
		bench_enter(bench, id);
		CU_ASSERT_EQUAL(bench_take(bench), id);
	}
	CU_ASSERT(queue_do(bench->queue, 1, QUEUE_HOLD, "wait"));
	CU_ASSERT(queue_do(bench->queue, 2, QUEUE_REMOVE, "not wanted"));
	CU_ASSERT(queue_do(bench->queue, 3, QUEUE_RETRY, NULL));
	for (QueueId id = 1; id <= 3; id++)
		CU_ASSERT(queue_update(bench->queue, bench_state(bench, id, RECIPIENT_PENDING, later_us), NULL));
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
	CU_ASSERT(queue_do(bench->queue, 5, QUEUE_REMOVE, "spam"));
	CU_ASSERT_EQUAL(spool_count(bench->fixture->spool), 0);
	CU_ASSERT_EQUAL(bench_take(bench), 0);
	CU_ASSERT_FALSE(queue_do(bench->queue, 5, QUEUE_REMOVE, "spam"));
}

static void
test_expire(void)
{
	g_autoptr(Bench) bench = bench_new();

	bench_enter(bench, 5);
	CU_ASSERT_EQUAL(bench_take(bench), 5);
	CU_ASSERT(queue_update(bench->queue,
		bench_state(bench, 5, RECIPIENT_PENDING, bench->fixture->now_us + 1000 * CLOCK_SECOND), NULL));
	CU_ASSERT_EQUAL(bench_take(bench), 0);
	CU_ASSERT_FALSE(queue_is_expired(bench->queue, 5));
	CU_ASSERT(queue_expire(bench->queue, 5));
	CU_ASSERT(queue_is_expired(bench->queue, 5));
	CU_ASSERT_EQUAL(bench_take(bench), 5);
	CU_ASSERT_FALSE(queue_expire(bench->queue, 6));
}

static SpoolTransaction *
bench_bounce(Bench *bench, QueueId id, size_t size)
{
	SpoolTransaction *transaction = spool_transaction_new();
	Content *content = content_new(bench->fixture->spool);
	g_autofree char *body = g_strnfill(size, 'b');

	content_append(content, body, size);
	spool_transaction_set_content(transaction, content);
	spool_transaction_add(transaction, fixture_envelope(id, 1), NULL);
	return transaction;
}

/* With its bounce, or neither; the second bounce fits no segment and fails. */
static void
test_bounce(void)
{
	g_autoptr(Bench) bench = bench_new();
	SpoolSummary summary;

	bench_enter(bench, 1);
	bench_enter(bench, 2);
	CU_ASSERT_EQUAL(bench_take(bench), 1);
	CU_ASSERT_EQUAL(bench_take(bench), 2);
	CU_ASSERT(queue_update(bench->queue, bench_state(bench, 1, RECIPIENT_BOUNCED, 0), bench_bounce(bench, 11, 10)));
	CU_ASSERT_FALSE(queue_update(bench->queue, bench_state(bench, 2, RECIPIENT_BOUNCED, 0),
		bench_bounce(bench, 12, 300 << 10)));
	CU_ASSERT_FALSE(spool_summary(bench->fixture->spool, 1, &summary));
	CU_ASSERT(spool_summary(bench->fixture->spool, 2, &summary));
	CU_ASSERT(spool_summary(bench->fixture->spool, 11, &summary));
	CU_ASSERT_FALSE(spool_summary(bench->fixture->spool, 12, &summary));
	CU_ASSERT_EQUAL(bench_take(bench), 0);
	bench->fixture->now_us += 61 * CLOCK_SECOND;
	CU_ASSERT_EQUAL(bench_take(bench), 2);
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

const UnitSuite queue_suite = { "queue", (const UnitTest[]){
	{ "Q-07 the one that is due first comes first, also after a restart", test_order },
	{ "a message in hand is nobody else's", test_in_hand },
	{ "wakes only for what is earlier than known", test_wake },
	{ "hold and release", test_hold },
	{ "a hold ends at its time", test_release_at },
	{ "verbs win over what comes back", test_verbs_in_hand },
	{ "remove", test_remove },
	{ "expire: due at once", test_expire },
	{ "a bounce and its state: both or neither", test_bounce },
	{ "refill enters what the queue does not know", test_refill },
	{ 0 } } };
