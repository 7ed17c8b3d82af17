/* test-delivery.c - what next hops have is recorded when it is known, and nothing is delivered that cannot be recorded. */
#include <stdio.h>

#include "fault/fault.h"
#include "fault/world.h"

static SpoolFigures
figures(World *world)
{
	SpoolFigures result;

	spool_figures(world->engine.spool, &result);
	return result;
}

static unsigned
active(World *world)
{
	return (unsigned)queue_active(world->engine.queue);
}

static size_t
queued(World *world)
{
	return spool_count(world->engine.spool);
}

/* ---- delivered twice ---- */

/* The batch with the report does not reach the disk.  What was delivered stays delivered, and who refused is not asked
 * again; the report comes when the disk takes it. */
static void
test_failed_report(void)
{
	World *world = world_new();
	QueueId id;

	world_add_hop(world, "slow-no");
	world_start(world);
	fault_wait_for_reserve(world->engine.spool);
	id = world_send(world, "r@fast.example", "r@slow-no.example", NULL);
	WORLD_WAIT_UNTIL(world, world_status(world, id, 0) == RECIPIENT_DELIVERED && figures(world).unwritten == 0);
	WORLD_WAIT_UNTIL(world, world_begun(world) == 1);
	sim_disk_fail(world->sim, SIM_PWRITEV, SIM_EIO, 1, false);
	world_open_gate(world);
	WORLD_WAIT_UNTIL(world, world_status(world, id, 1) == RECIPIENT_FAILED && active(world) == 0);
	CU_ASSERT_EQUAL(world_status(world, id, 0), RECIPIENT_DELIVERED);
	WORLD_WAIT_UNTIL(world, figures(world).unwritten == 0);
	world_cut_power(world);
	world_start(world);
	WORLD_WAIT_UNTIL(world, world_reports(world) == 1);
	WORLD_WAIT_UNTIL(world, queued(world) == 0);
	CU_ASSERT_EQUAL(world_tried(world, id, "r@fast.example"), 0);
	CU_ASSERT_EQUAL(world_tried(world, id, "r@slow-no.example"), 0);
	world_free(world);
}

/* Sends mail until no more is taken; the id of the last that was. */
static QueueId
fill_up(World *world, const char *const *recipients, unsigned *n)
{
	QueueId last = 0, id;

	for (*n = 0; (id = world_try_to_send(world, recipients)) != 0; ++*n)
		last = id;
	return last;
}

/* While the report cannot be written, minute after minute, nobody gets anything again; other mail goes on. */
static void
test_report_that_waits(void)
{
	static const char *const recipients[] = { "r@fast.example", "r@no.example", NULL };
	World *world = world_new();
	SpoolResult result = SPOOL_COMMITTED;
	unsigned sent;
	QueueId id;

	world_add_hop(world, "no");
	world_add_hop(world, "later");
	world_start(world);
	while (queued(world) < 40)
		(void)world_send(world, "r@later.example", NULL);
	WORLD_WAIT_UNTIL(world, active(world) == 0 && figures(world).unwritten == 0);
	fault_wait_for_reserve(world->engine.spool);
	sim_disk_set_capacity(world->sim, sim_disk_used(world->sim));
	/* the disk is full: states have their reserve, a report has none */
	id = fill_up(world, recipients, &sent);
	WORLD_WAIT_UNTIL(world,
		world_taken(world, id, "r@fast.example") == 1 && world_tried(world, id, "r@no.example") == 1);
	for (int i = 0; i < 5; i++) {
		world_pass_time(world, 61 * CLOCK_SECOND);
		g_usleep(50000);
	}
	CU_ASSERT_EQUAL(world_tried(world, id, "r@fast.example"), 1);
	CU_ASSERT_EQUAL(world_tried(world, id, "r@no.example"), 1);
	sim_disk_set_capacity(world->sim, 0);
	WORLD_WAIT_UNTIL(world, spool_has_room(world->engine.spool, &result));
	world_pass_time(world, 61 * CLOCK_SECOND);
	WORLD_WAIT_UNTIL(world, world_status(world, id, 1) != RECIPIENT_FAILED);
	WORLD_WAIT_UNTIL(world, world_reports(world) == sent);
	CU_ASSERT_EQUAL(world_tried(world, id, "r@fast.example"), 1);
	world_free(world);
}

/* One next hop hangs: what the others have is recorded meanwhile, and a power cut does not send it again. */
static void
test_hanging_hop(void)
{
	World *world = world_new();
	QueueId id;

	world_add_hop(world, "slow");
	world_add_hop(world, "no");
	world_start(world);
	id = world_send(world, "a@slow.example", "b@fast.example", "c@no.example", NULL);
	WORLD_WAIT_UNTIL(world, world_status(world, id, 1) == RECIPIENT_DELIVERED);
	WORLD_WAIT_UNTIL(world, world_status(world, id, 2) == RECIPIENT_FAILED && figures(world).unwritten == 0);
	CU_ASSERT_EQUAL(world_status(world, id, 0), RECIPIENT_PENDING);
	CU_ASSERT_EQUAL(world_reports(world), 0);
	world_cut_power(world);
	world_open_gate(world);
	world_start(world);
	WORLD_WAIT_UNTIL(world, queued(world) == 0 && world_reports(world) == 1);
	CU_ASSERT_EQUAL(world_tried(world, id, "a@slow.example"), 1);
	CU_ASSERT_EQUAL(world_tried(world, id, "b@fast.example"), 0);
	CU_ASSERT_EQUAL(world_tried(world, id, "c@no.example"), 0);
	world_free(world);
}

/* An orderly stop ends in its time, with all that is known on the disk. */
static void
test_stop_with_hanging_hop(void)
{
	World *world = world_new();
	QueueId ids[20];

	world_add_hop(world, "slow");
	world_start(world);
	for (size_t i = 0; i < G_N_ELEMENTS(ids); i++)
		ids[i] = world_send(world, "a@slow.example", "b@fast.example", NULL);
	WORLD_WAIT_UNTIL(world, world_taken_in_all(world) == G_N_ELEMENTS(ids));
	CU_ASSERT_FALSE(world_stop(world, CLOCK_SECOND / 10));
	CU_ASSERT(spool_flush(world->engine.spool, g_get_monotonic_time() + CLOCK_SECOND));
	world_cut_power(world);
	world_open_gate(world);
	world_start(world);
	WORLD_WAIT_UNTIL(world, queued(world) == 0);
	for (size_t i = 0; i < G_N_ELEMENTS(ids); i++) {
		CU_ASSERT_EQUAL(world_taken(world, ids[i], "a@slow.example"), 1);
		CU_ASSERT_EQUAL(world_taken(world, ids[i], "b@fast.example"), 0);
	}
	world_free(world);
}

/* One report for all failures, unless a next hop keeps it waiting for five minutes. */
static void
test_report_after_five_minutes(void)
{
	World *world = world_new();
	QueueId id;

	world_add_hop(world, "slow");
	world_add_hop(world, "no1");
	world_add_hop(world, "no2");
	world_start(world);
	id = world_send(world, "a@no1.example", "b@no2.example", "c@slow.example", NULL);
	WORLD_WAIT_UNTIL(world, world_status(world, id, 0) == RECIPIENT_FAILED &&
		world_status(world, id, 1) == RECIPIENT_FAILED);
	world_pass_time(world, 290 * CLOCK_SECOND);
	g_usleep(300000);
	CU_ASSERT_EQUAL(world_reports(world), 0);
	world_pass_time(world, 11 * CLOCK_SECOND);
	WORLD_WAIT_UNTIL(world, world_reports(world) == 1);
	CU_ASSERT_EQUAL(world_status(world, id, 0), RECIPIENT_BOUNCED);
	CU_ASSERT_EQUAL(world_status(world, id, 1), RECIPIENT_BOUNCED);
	CU_ASSERT_EQUAL(world_status(world, id, 2), RECIPIENT_PENDING);
	world_open_gate(world);
	WORLD_WAIT_UNTIL(world, queued(world) == 0);
	CU_ASSERT_EQUAL(world_reports(world), 1);
	world_free(world);
}

/* A message with one next hop writes one state, whatever becomes of its recipients. */
static void
test_one_state(void)
{
	World *world = world_new();
	unsigned before;

	world_start(world);
	before = figures(world).states;
	(void)world_send(world, "a@fast.example", "b@fast.example", "c@fast.example", NULL);
	WORLD_WAIT_UNTIL(world, queued(world) == 0 && active(world) == 0);
	CU_ASSERT(spool_flush(world->engine.spool, g_get_monotonic_time() + 5 * CLOCK_SECOND));
	CU_ASSERT_EQUAL(figures(world).states - before, 1);
	world_free(world);
}

/* A thousand recipients on two hundred next hops, whose answers come one by one: what is written does not grow with both. */
static void
test_many_hops(void)
{
	enum { HOPS = 200, EACH = 5 };
	World *world = world_new();
	g_autoptr(GPtrArray) recipients = g_ptr_array_new_with_free_func(g_free);
	uint64_t before;
	QueueId id;

	for (unsigned hop = 0; hop < HOPS; hop++) {
		g_autofree char *name = g_strdup_printf("step%u", hop);

		world_add_hop(world, name);
		for (unsigned i = 0; i < EACH; i++)
			g_ptr_array_add(recipients, g_strdup_printf("a-rather-long-name-of-a-recipient-%u@%s.example", i, name));
	}
	g_ptr_array_add(recipients, NULL);
	id = world_try_to_send(world, (const char *const *)recipients->pdata);
	CU_ASSERT_NOT_EQUAL_FATAL(id, 0);
	before = world_octets_written(world);
	world_start(world);
	for (unsigned hop = 0; hop < HOPS; hop++) {
		WORLD_WAIT_UNTIL(world, world_taken_in_all(world) >= (hop + 1) * EACH);
		WORLD_WAIT_UNTIL(world, world_status(world, id, hop * EACH) == RECIPIENT_DELIVERED || queued(world) == 0);
		CU_ASSERT(spool_flush(world->engine.spool, g_get_monotonic_time() + 5 * CLOCK_SECOND));
		world_next_step(world);
	}
	WORLD_WAIT_UNTIL(world, queued(world) == 0);
	/* a whole state takes some 50 KiB, and 200 of them 10 MiB */
	CU_ASSERT(world_octets_written(world) - before < 3 << 20);
	world_free(world);
}

/* ---- what cannot be recorded is not delivered ---- */

enum { UNRECORDED_MAIL = 3000, UNRECORDED_MOST = 500 + 200 };

/* From the middle of a long queue on nothing can be written; `fault`: how. */
static void
check_unrecorded(SimCall call, SimFault fault)
{
	World *world = world_new();
	unsigned taken;

	for (unsigned i = 0; i < UNRECORDED_MAIL; i++)
		(void)world_send(world, "r@fast.example", NULL);
	sim_disk_fail(world->sim, call, fault, 4, true);
	world_start(world);
	g_usleep(1500000);
	taken = world_taken_in_all(world);
	g_usleep(500000);
	CU_ASSERT_EQUAL(world_taken_in_all(world), taken);
	CU_ASSERT(figures(world).unwritten <= UNRECORDED_MOST);
	CU_ASSERT(taken < UNRECORDED_MAIL);
	CU_ASSERT_FALSE(spool_can_record(world->engine.spool));
	sim_disk_heal(world->sim);
	(void)spool_probe(world->engine.spool);
	WORLD_WAIT_UNTIL(world, queued(world) == 0);
	CU_ASSERT_EQUAL(world_taken_in_all(world), UNRECORDED_MAIL);
	world_free(world);
}

static void
test_unrecorded(void)
{
	check_unrecorded(SIM_PWRITEV, SIM_EIO);
	check_unrecorded(SIM_FDATASYNC, SIM_EIO);
}

/* The disk fails no call, but answers none: deliveries stand still until it does. */
static void
test_hanging_disk(void)
{
	check_unrecorded(SIM_FDATASYNC, SIM_HANGS);
	check_unrecorded(SIM_PWRITEV, SIM_HANGS);
}

/* A disk that is full, and stays so: deferrals do not use up what results need. */
static void
test_full_disk(void)
{
	static const char *const mixed[] = { "r@fast.example", "r@later.example", NULL };
	World *world = world_new();
	SpoolResult result = SPOOL_COMMITTED;
	unsigned before, sent;

	world_add_hop(world, "later");
	fault_wait_for_reserve(world->engine.spool);
	sim_disk_set_capacity(world->sim, sim_disk_used(world->sim));
	(void)fill_up(world, mixed, &sent);
	CU_ASSERT_FALSE(spool_has_room(world->engine.spool, &result));
	world_start(world);
	WORLD_WAIT_UNTIL(world, world_taken_in_all(world) == sent && active(world) == 0);
	WORLD_WAIT_UNTIL(world, figures(world).unwritten == 0);
	before = figures(world).states;
	for (int i = 0; i < 20; i++) {
		world_pass_time(world, 301 * CLOCK_SECOND);
		g_usleep(20000);
	}
	WORLD_WAIT_UNTIL(world, active(world) == 0);
	CU_ASSERT_EQUAL(figures(world).states, before);
	CU_ASSERT_EQUAL(world_taken_in_all(world), sent);
	CU_ASSERT(spool_can_record(world->engine.spool));
	world_free(world);
}

/* After a failed batch nothing is begun until one succeeds; a spool that nobody writes to finds that out by itself. */
static void
test_failed_batch(void)
{
	World *world = world_new();
	SpoolTransaction *transaction = spool_transaction_new();

	fault_wait_for_reserve(world->engine.spool);
	sim_disk_fail(world->sim, SIM_FDATASYNC, SIM_EIO, 1, false);
	spool_transaction_add(transaction, envelope_new(1), NULL);
	CU_ASSERT_EQUAL(spool_commit_wait(world->engine.spool, transaction), SPOOL_FAILED);
	CU_ASSERT_FALSE(spool_can_record(world->engine.spool));
	CU_ASSERT(spool_wait_can_record(world->engine.spool, g_get_monotonic_time() + 5 * CLOCK_SECOND));
	world_free(world);
}

/* ---- the clock ---- */

/* A wall clock that is wrong for a moment bounces nothing, and makes nothing wait. */
static void
test_excursion(void)
{
	World *world = world_new();
	QueueId id;

	world_add_hop(world, "later");
	world_start(world);
	id = world_send(world, "r@later.example", NULL);
	WORLD_WAIT_UNTIL(world, world_tried(world, id, "r@later.example") == 1 && active(world) == 0);
	world->wall_ahead_us = 6 * 86400 * CLOCK_SECOND;
	world_pass_time(world, 301 * CLOCK_SECOND);
	WORLD_WAIT_UNTIL(world, world_tried(world, id, "r@later.example") == 2 && active(world) == 0);
	CU_ASSERT_EQUAL(world_status(world, id, 0), RECIPIENT_PENDING);
	world->wall_ahead_us = 0;
	world_pass_time(world, 601 * CLOCK_SECOND);
	WORLD_WAIT_UNTIL(world, world_tried(world, id, "r@later.example") == 3 && active(world) == 0);
	CU_ASSERT_EQUAL(world_status(world, id, 0), RECIPIENT_PENDING);
	CU_ASSERT_EQUAL(world_reports(world), 0);
	/* what is really old is returned */
	world_pass_time(world, 5 * 86400 * CLOCK_SECOND);
	WORLD_WAIT_UNTIL(world, world_reports(world) == 1);
	world_free(world);
}

/* A daemon that starts with a clock far ahead tries again before it gives up. */
static void
test_start_ahead(void)
{
	World *world = world_new();
	QueueId id;

	world_add_hop(world, "later");
	id = world_send(world, "r@later.example", NULL);
	world->wall_ahead_us = 3650 * 86400 * CLOCK_SECOND;
	world_start(world);
	WORLD_WAIT_UNTIL(world, world_tried(world, id, "r@later.example") == 1 && active(world) == 0);
	CU_ASSERT_EQUAL(world_status(world, id, 0), RECIPIENT_PENDING);
	CU_ASSERT_EQUAL(world_reports(world), 0);
	world_free(world);
}

/* ---- one slow next hop ---- */

enum { SLOW_MAIL = 2000, SLOW_HANDFUL = 8, SLOW_CONNECTIONS = 20 };

static void
send_to_slow(World *world, QueueId *ids)
{
	for (unsigned i = 0; i < SLOW_MAIL; i++)
		ids[i] = world_send(world, "r@slow.example", NULL);
	WORLD_WAIT_UNTIL(world, world_begun(world) > 0);
	/* the scheduler has looked at all of it */
	WORLD_WAIT_UNTIL(world, world_waiting(world) + world_begun(world) + SLOW_HANDFUL >= SLOW_MAIL);
}

/* Its mail does not become active beyond a handful, and other mail passes. */
static void
test_slow_hop(void)
{
	World *world = world_new();
	QueueId ids[SLOW_MAIL];
	QueueId mixed;

	world_add_hop(world, "slow");
	world_start(world);
	send_to_slow(world, ids);
	WORLD_WAIT_UNTIL(world, active(world) <= world_begun(world) + SLOW_HANDFUL);
	mixed = world_send(world, "m@slow.example", "m@fast.example", NULL);
	WORLD_WAIT_UNTIL(world, world_taken(world, mixed, "m@fast.example") == 1);
	WORLD_WAIT_UNTIL(world, world_status(world, mixed, 1) == RECIPIENT_DELIVERED);
	WORLD_WAIT_UNTIL(world, active(world) <= world_begun(world) + SLOW_HANDFUL);
	world_open_gate(world);
	WORLD_WAIT_UNTIL(world, queued(world) == 0);
	CU_ASSERT_EQUAL(world_taken_in_all(world), SLOW_MAIL + 2);
	CU_ASSERT_EQUAL(world_tried(world, mixed, "m@fast.example"), 1);
	world_free(world);
}

/* Verbs take effect at once on all that is not on the wire. */
static void
test_verbs(void)
{
	World *world = world_new();
	QueueId ids[SLOW_MAIL];
	unsigned on_wire, held = 0;

	world_add_hop(world, "slow");
	world_start(world);
	send_to_slow(world, ids);
	for (unsigned i = 0; i < SLOW_MAIL; i++)
		held += queue_do(world->engine.queue, ids[i], i % 2 == 0 ? QUEUE_HOLD : QUEUE_REMOVE, "stop") == QUEUE_DONE;
	on_wire = world_begun(world);
	CU_ASSERT(held + SLOW_CONNECTIONS + SLOW_HANDFUL + 1 >= SLOW_MAIL);
	world_open_gate(world);
	WORLD_WAIT_UNTIL(world, active(world) == 0);
	CU_ASSERT_EQUAL(world_taken_in_all(world), on_wire);
	for (unsigned i = 0; i < SLOW_MAIL; i += 2) {
		SpoolSummary summary;

		if (spool_summary(world->engine.spool, ids[i], &summary))
			CU_ASSERT(summary.is_held);
	}
	world_free(world);
}

/* A parked message is counted once, however often it was retried, and not at all after other verbs. */
static void
test_parked_counts(void)
{
	enum { RETRIES = 5 };
	static const QueueVerb verbs[] = { QUEUE_HOLD, QUEUE_REMOVE, QUEUE_BOUNCE };
	World *world = world_new();
	QueueId ids[SLOW_MAIL];

	world_add_hop(world, "slow");
	world_start(world);
	send_to_slow(world, ids);
	for (unsigned n = 0; n < RETRIES; n++) {
		for (unsigned i = 0; i < SLOW_MAIL; i++)
			(void)queue_do(world->engine.queue, ids[i], QUEUE_RETRY, NULL);
		WORLD_WAIT_UNTIL(
			world, world_waiting(world) + world_begun(world) + SLOW_HANDFUL >= SLOW_MAIL);
		CU_ASSERT(world_waiting(world) <= SLOW_MAIL);
	}
	for (unsigned i = 0; i < SLOW_MAIL; i++)
		(void)queue_do(world->engine.queue, ids[i], verbs[i % G_N_ELEMENTS(verbs)], "5.0.0 stop");
	WORLD_WAIT_UNTIL(world, world_waiting(world) == 0);
	world_open_gate(world);
	WORLD_WAIT_UNTIL(world, active(world) == 0);
	CU_ASSERT(world_begun(world) <= SLOW_CONNECTIONS);
	world_free(world);
}

/* A reload that changes the route moves all mail that is not on the wire. */
static void
test_new_route(void)
{
	World *world = world_new();
	QueueId ids[SLOW_MAIL];

	world_add_hop(world, "slow");
	world_start(world);
	send_to_slow(world, ids);
	world_reroute(world, "slow", "fast");
	WORLD_WAIT_UNTIL(world, world_taken_in_all(world) + SLOW_CONNECTIONS + SLOW_HANDFUL >= SLOW_MAIL);
	CU_ASSERT(world_begun(world) <= SLOW_CONNECTIONS);
	world_open_gate(world);
	WORLD_WAIT_UNTIL(world, world_taken_in_all(world) == SLOW_MAIL);
	world_free(world);
}

/* One account's mail for a hundred hops that hang leaves connections to the mail of others. */
static void
test_account_share(void)
{
	enum { HOPS = 100, SHARE = 50 };
	World *world = world_new();
	g_autoptr(GPtrArray) recipients = g_ptr_array_new_with_free_func(g_free);
	QueueId other;

	for (unsigned i = 0; i < HOPS; i++) {
		g_autofree char *name = g_strdup_printf("slow%u", i);

		world_add_hop(world, name);
		g_ptr_array_add(recipients, g_strdup_printf("r@%s.example", name));
	}
	world_add_hop(world, "slow");
	g_ptr_array_add(recipients, NULL);
	world->account = "greedy@example.net";
	CU_ASSERT_NOT_EQUAL_FATAL(world_try_to_send(world, (const char *const *)recipients->pdata), 0);
	world_start(world);
	WORLD_WAIT_UNTIL(world, world_begun(world) == SHARE);
	(void)world_send(world, "g@fast.example", NULL); /* comes first there, and must wait */
	g_usleep(100000);
	CU_ASSERT_EQUAL(world_taken_in_all(world), 0);
	world->account = "modest@example.net";
	other = world_send(world, "r@fast.example", "r@slow.example", NULL);
	WORLD_WAIT_UNTIL(world, world_taken(world, other, "r@fast.example") == 1 && world_begun(world) == SHARE + 1);
	CU_ASSERT_EQUAL(world_tried(world, other, "r@slow.example"), 1);
	world_open_gate(world);
	WORLD_WAIT_UNTIL(world, queued(world) == 0);
	CU_ASSERT_EQUAL(world_taken_in_all(world), HOPS + 3);
	world_free(world);
}

/* Next hops get room for a message at the very moment at which its report is written: each way is begun once. */
static void
test_room_while_reporting(void)
{
	enum { ROUNDS = 3, MAIL = 150 };
	World *world = world_new();

	world_add_hop(world, "slow-a");
	world_add_hop(world, "slow-b");
	world_add_hop(world, "no");
	world_start(world);
	for (unsigned i = 0; i < MAIL; i++)
		CU_ASSERT_NOT_EQUAL(
			world_send(world, "a@slow-a.example", "b@slow-b.example", "c@no.example", NULL), 0);
	WORLD_WAIT_UNTIL(world, world_begun(world) >= 2);
	world_open_gate(world);
	for (unsigned i = 0; i < ROUNDS * MAIL; i++)
		CU_ASSERT_NOT_EQUAL(
			world_send(world, "a@slow-a.example", "b@slow-b.example", "c@no.example", NULL), 0);
	WORLD_WAIT_UNTIL(world, queued(world) == 0 && active(world) == 0);
	CU_ASSERT_EQUAL(world_reports(world), (1 + ROUNDS) * MAIL);
	CU_ASSERT_EQUAL(world_taken_in_all(world), 3 * (1 + ROUNDS) * MAIL);
	world_free(world);
}

const UnitSuite delivery_suite = { "delivery", (const UnitTest[]){
	{ "Q-11 a report that cannot be written sends nothing again", test_failed_report },
	{ "Q-11 a report waits for a disk that is full", test_report_that_waits },
	{ "Q-10 results are recorded while another next hop hangs", test_hanging_hop },
	{ "Q-10 a stop with a hanging next hop records what is known", test_stop_with_hanging_hop },
	{ "Q-11 one report of all failures, after five minutes at the latest", test_report_after_five_minutes },
	{ "Q-10 one next hop, one state", test_one_state },
	{ "Q-10 1,000 recipients on 200 next hops", test_many_hops },
	{ "Q-12 what cannot be recorded is not delivered", test_unrecorded },
	{ "Q-12 nothing is delivered while the disk hangs", test_hanging_disk },
	{ "Q-12 after a failed batch nothing is begun until one succeeds", test_failed_batch },
	{ "Q-12 a full disk has room for results, not for deferrals", test_full_disk },
	{ "Q-13 a clock that is wrong for a moment bounces nothing", test_excursion },
	{ "Q-13 a clock that is wrong at start bounces nothing", test_start_ahead },
	{ "Q-14 a slow next hop does not hold up other mail", test_slow_hop },
	{ "Q-20 an account has a share of the connections", test_account_share },
	{ "Q-11 next hops get room while the report of a message is written", test_room_while_reporting },
	{ "Q-14 verbs take effect on mail for a slow next hop at once", test_verbs },
	{ "Q-14 a parked message is counted once, and leaves nothing behind", test_parked_counts },
	{ "Q-14 a changed route takes effect on mail for a slow next hop at once", test_new_route },
	{ 0 } } };
