/* test-recipients.c - recipients of one message that are held, put off and given up each by itself, and changes of domains
 * that reach whatever waits for them. */
#include <string.h>

#include "fault/fault.h"
#include "fault/world.h"
#include "proto/date.h"

#define DAY (86400 * CLOCK_SECOND)
#define ROUND_US (DAY / 4) /* whatever was deferred is tried once when it has passed */

static void
set_domain(World *world, const char *name, DomainMode mode, const char *forward_to)
{
	g_autoptr(DirectoryEntry) entry = NULL;

	if (directory_find(world->engine.directory, PTN_DOMAIN, name, CLOCK_NEVER, &entry) != PTN_OK)
		entry = directory_entry_new(PTN_DOMAIN, name);
	directory_entry_set(entry, "mode", directory_modes[mode]);
	if (forward_to != NULL)
		directory_entry_set(entry, "forward-to", forward_to);
	CU_ASSERT_EQUAL(directory_save(world->engine.directory, entry, NULL, CLOCK_NEVER), PTN_OK);
}

static bool
is_idle(World *world)
{
	SpoolFigures figures;

	spool_figures(world->engine.spool, &figures);
	return queue_active(world->engine.queue) == 0 && figures.unwritten == 0;
}

static uint64_t
held(World *world, const char *domain)
{
	StayFigures figures;

	stay_figures(world->engine.stay, domain, &figures);
	return figures.messages;
}

static bool
is_message_held(World *world, QueueId id)
{
	SpoolSummary summary;

	return spool_summary(world->engine.spool, id, &summary) && summary.is_held;
}

/* Time passes while this recipient is tried again and again, and deferred. */
static void
defer_for(World *world, QueueId id, const char *recipient, int64_t us)
{
	for (int64_t passed_us = 0; passed_us < us; passed_us += ROUND_US) {
		const unsigned before = world_tried(world, id, recipient);

		world_pass_time(world, ROUND_US);
		WORLD_WAIT_UNTIL(world, world_tried(world, id, recipient) > before);
		if (world_tried(world, id, recipient) == before)
			return;
		WORLD_WAIT_UNTIL(world, is_idle(world));
	}
}

/* A process that ends, and another one that begins; `change` happens in between. */
static void
restart(World *world, void (*change)(World *world))
{
	WORLD_WAIT_UNTIL(world, is_idle(world));
	world_cut_power(world);
	stay_free(world->engine.stay);
	world->engine.stay = stay_new();
	if (change != NULL)
		change(world);
	stay_fill(&world->engine);
	world_start(world);
	stay_look(&world->engine);
}

/* keep.example holds, later.example defers. */
static World *
world_with_two(QueueId *id)
{
	World *world = world_new();

	world_add_hop(world, "later");
	world_add_hop(world, "later2");
	set_domain(world, "keep.example", MODE_HOLD, NULL);
	world_start(world);
	*id = world_send(world, "a@keep.example", "b@later.example", NULL);
	WORLD_WAIT_UNTIL(world, world_tried(world, *id, "b@later.example") == 1);
	WORLD_WAIT_UNTIL(world, is_idle(world));
	return world;
}

/* ---- held beside one that is deferred ---- */

static void
test_counts(void)
{
	QueueId id;
	World *world = world_with_two(&id);

	CU_ASSERT_EQUAL(held(world, "keep.example"), 1);
	CU_ASSERT_EQUAL(stay_octets(world->engine.stay, "keep.example"), 28);
	CU_ASSERT_FALSE(is_message_held(world, id));
	defer_for(world, id, "b@later.example", DAY);
	CU_ASSERT_EQUAL(held(world, "keep.example"), 1);
	restart(world, NULL);
	CU_ASSERT_EQUAL(held(world, "keep.example"), 1);
	world_free(world);
}

static void
go_to_later2(World *world)
{
	set_domain(world, "keep.example", MODE_FORWARD_MAILBOX, "x@later2.example");
	stay_look(&world->engine);
}

/* The one that is deferred expires in its time.  The other one has not aged meanwhile: it is not given up when it is
 * deferred for the first time, nor before it has been tried for as long itself. */
static void
check_ages(bool is_restarted)
{
	QueueId id;
	World *world = world_with_two(&id);

	defer_for(world, id, "b@later.example", 4 * DAY);
	CU_ASSERT_EQUAL(world_status(world, id, 1), RECIPIENT_PENDING);
	for (int i = 0; i < 30 && world_status(world, id, 1) == RECIPIENT_PENDING; i++)
		defer_for(world, id, "b@later.example", ROUND_US);
	WORLD_WAIT_UNTIL(world, world_status(world, id, 1) == RECIPIENT_BOUNCED && is_message_held(world, id));
	WORLD_WAIT_UNTIL(world, world_reports(world) == 2); /* a delay, and the failure */
	CU_ASSERT_EQUAL(held(world, "keep.example"), 1);
	world_pass_time(world, 3 * DAY);
	if (is_restarted)
		restart(world, NULL);
	go_to_later2(world);
	WORLD_WAIT_UNTIL(world, world_tried(world, id, "a@keep.example") == 1 && is_idle(world));
	CU_ASSERT_EQUAL(world_status(world, id, 0), RECIPIENT_PENDING);
	defer_for(world, id, "a@keep.example", 4 * DAY);
	CU_ASSERT_EQUAL(world_status(world, id, 0), RECIPIENT_PENDING);
	for (int i = 0; i < 30 && world_status(world, id, 0) == RECIPIENT_PENDING; i++)
		defer_for(world, id, "a@keep.example", ROUND_US);
	WORLD_WAIT_UNTIL(world, world_status(world, id, 0) != RECIPIENT_PENDING);
	WORLD_WAIT_UNTIL(world, world_reports(world) == (is_restarted ? 2 : 4));
	world_free(world);
}

static void
test_ages(void)
{
	check_ages(false);
}

static void
test_ages_over_restart(void)
{
	check_ages(true);
}

/* A warning says until when it is tried, which holds put off; it is sent once, also over a restart. */
static void
test_retried_until(void)
{
	World *world = world_new();
	g_autoptr(SpoolMessage) message = NULL;
	g_autofree char *report = NULL, *expected = NULL;
	char date[DATE_SIZE];
	int64_t held_us;
	QueueId id;

	world_add_hop(world, "later");
	world_start(world);
	id = world_send(world, "b@later.example", NULL);
	WORLD_WAIT_UNTIL(world, world_tried(world, id, "b@later.example") == 1 && is_idle(world));
	CU_ASSERT_EQUAL(queue_do(world->engine.queue, id, QUEUE_HOLD, "stop"), QUEUE_DONE);
	world_pass_time(world, 2 * DAY);
	CU_ASSERT_EQUAL(queue_do(world->engine.queue, id, QUEUE_RELEASE, NULL), QUEUE_DONE);
	WORLD_WAIT_UNTIL(world, world_tried(world, id, "b@later.example") == 2 && is_idle(world));
	CU_ASSERT_EQUAL(world_reports(world), 0); /* it is no older than it was */
	defer_for(world, id, "b@later.example", ROUND_US);
	WORLD_WAIT_UNTIL(world, world_reports(world) == 1 && is_idle(world));
	message = spool_read(world->engine.spool, id, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(message);
	held_us = message->state->held_total_us;
	CU_ASSERT(held_us >= 2 * DAY && held_us < 2 * DAY + 60 * CLOCK_SECOND);
	expected = g_strdup_printf(
		"\r\nWill-Retry-Until: %s\r\n", date_format(message->envelope->arrived_us + 5 * DAY + held_us, date));
	report = world_last_report(world);
	CU_ASSERT_PTR_NOT_NULL_FATAL(report);
	ASSERT_TEXT(strstr(report, expected) != NULL ? expected : report, expected);
	restart(world, NULL);
	defer_for(world, id, "b@later.example", DAY);
	CU_ASSERT_EQUAL(world_reports(world), 0);
	world_free(world);
}

/* Released while the other one is deferred still: each has its own pause, attempts and age. */
static void
test_back_off(void)
{
	QueueId id;
	World *world = world_with_two(&id);
	unsigned before;

	defer_for(world, id, "b@later.example", 2 * DAY);
	go_to_later2(world);
	WORLD_WAIT_UNTIL(world, world_tried(world, id, "a@keep.example") == 1 && is_idle(world));
	before = world_tried(world, id, "b@later.example");
	world_pass_time(world, 301 * CLOCK_SECOND); /* after one attempt it is five minutes, after many more than an hour */
	WORLD_WAIT_UNTIL(world, world_tried(world, id, "a@keep.example") == 2 && is_idle(world));
	CU_ASSERT_EQUAL(world_tried(world, id, "b@later.example"), before);
	defer_for(world, id, "b@later.example", DAY);
	CU_ASSERT_EQUAL(world_status(world, id, 0), RECIPIENT_PENDING);
	world_free(world);
}

/* The operator's retry is for all recipients, whenever they were due. */
static void
test_retry(void)
{
	QueueId id;
	World *world = world_with_two(&id);

	defer_for(world, id, "b@later.example", DAY);
	go_to_later2(world);
	WORLD_WAIT_UNTIL(world, world_tried(world, id, "a@keep.example") == 1 && is_idle(world));
	for (unsigned i = 0; i < 3; i++) {
		const unsigned before = world_tried(world, id, "b@later.example");

		CU_ASSERT_EQUAL(queue_do(world->engine.queue, id, QUEUE_RETRY, NULL), QUEUE_DONE);
		WORLD_WAIT_UNTIL(world, world_tried(world, id, "a@keep.example") == 2 + i && is_idle(world));
		CU_ASSERT_EQUAL(world_tried(world, id, "b@later.example"), before + 1);
	}
	world_free(world);
}

/* ---- changes of domains ---- */

/* one.example → two.example → x@later.example */
static World *
world_with_chain(QueueId *id)
{
	World *world = world_new();

	world_add_hop(world, "later");
	world_add_hop(world, "later2");
	set_domain(world, "one.example", MODE_FORWARD_MAILBOX, "a@two.example");
	set_domain(world, "two.example", MODE_FORWARD_MAILBOX, "x@later.example");
	world_start(world);
	*id = world_send(world, "a@one.example", NULL);
	WORLD_WAIT_UNTIL(world, world_tried(world, *id, "a@one.example") == 1 && is_idle(world));
	stay_look(&world->engine);
	WORLD_WAIT_UNTIL(world, is_idle(world));
	CU_ASSERT_EQUAL(world_tried(world, *id, "a@one.example"), 1);
	return world;
}

static void
change_first(World *world)
{
	set_domain(world, "one.example", MODE_FORWARD_MAILBOX, "x@fast.example");
}

static void
change_second(World *world)
{
	set_domain(world, "two.example", MODE_FORWARD_MAILBOX, "x@fast.example");
}

static void
check_chain(void (*change)(World *world), bool is_restarted)
{
	QueueId id;
	World *world = world_with_chain(&id);

	if (is_restarted) {
		restart(world, change);
	} else {
		change(world);
		stay_look(&world->engine);
	}
	WORLD_WAIT_UNTIL(world, world_taken(world, id, "a@one.example") == 1);
	world_free(world);
}

static void
test_every_step(void)
{
	check_chain(change_first, false);
	check_chain(change_second, false);
}

static void
test_restarted(void)
{
	check_chain(change_first, true);
	check_chain(change_second, true);
}

/* Nothing changed: what is deferred keeps its time. */
static void
test_restarted_unchanged(void)
{
	QueueId id;
	World *world = world_with_chain(&id);

	restart(world, NULL);
	for (int i = 0; i < 20; i++) {
		stay_look(&world->engine);
		g_usleep(5000);
	}
	CU_ASSERT(is_idle(world));
	CU_ASSERT_EQUAL(world_tried(world, id, "a@one.example"), 0);
	change_first(world); /* and it is known, so that a change counts later, too */
	stay_look(&world->engine);
	WORLD_WAIT_UNTIL(world, world_taken(world, id, "a@one.example") == 1);
	world_free(world);
}

/* Domains whose mail goes by MX or a [route] wait for changes, too, and so does one recipient beside another that is
 * tried more often. */
static void
test_all_modes(void)
{
	World *world = world_new();
	QueueId id;

	world_add_hop(world, "later");
	world_add_hop(world, "later2");
	set_domain(world, "later.example", MODE_OUTBOUND_ONLY, NULL);
	set_domain(world, "keep.example", MODE_HOLD, NULL);
	world_start(world);
	id = world_send(world, "a@later.example", "b@keep.example", NULL);
	WORLD_WAIT_UNTIL(world, world_tried(world, id, "a@later.example") == 1 && is_idle(world));
	defer_for(world, id, "a@later.example", DAY);
	set_domain(world, "keep.example", MODE_FORWARD_MAILBOX, "x@later2.example");
	stay_look(&world->engine);
	WORLD_WAIT_UNTIL(world, world_tried(world, id, "b@keep.example") == 1 && is_idle(world));
	world_pass_time(world, 301 * CLOCK_SECOND); /* the first one is not tried */
	WORLD_WAIT_UNTIL(world, world_tried(world, id, "b@keep.example") == 2 && is_idle(world));
	set_domain(world, "later.example", MODE_SECONDARY, NULL);
	stay_look(&world->engine);
	WORLD_WAIT_UNTIL(world, world_tried(world, id, "b@keep.example") == 3 && is_idle(world));
	world_free(world);
}

/* ---- held beside one that failed ---- */

/* Reports cannot be written while the disk is full.  They come all the same, and not when the holds end. */
static void
check_report_beside_hold(bool is_restarted)
{
	static const char *const recipients[] = { "a@keep.example", "b@no.example", NULL };
	SpoolResult reason;
	World *world = world_new();
	QueueId id = 0, next;
	unsigned sent = 0;

	world_add_hop(world, "later");
	world_add_hop(world, "no");
	set_domain(world, "keep.example", MODE_HOLD, NULL);
	world_start(world);
	for (int i = 0; i < 40; i++)
		(void)world_send(world, "r@later.example", NULL);
	WORLD_WAIT_UNTIL(world, is_idle(world));
	fault_wait_for_reserve(world->engine.spool);
	sim_disk_set_capacity(world->sim, sim_disk_used(world->sim));
	for (; (next = world_try_to_send(world, recipients)) != 0; sent++)
		id = next;
	CU_ASSERT_FATAL(sent > 0);
	WORLD_WAIT_UNTIL(world, world_status(world, id, 1) == RECIPIENT_FAILED && is_idle(world));
	CU_ASSERT(world_reports(world) < sent);
	if (is_restarted) {
		const unsigned before = world_reports(world);

		restart(world, NULL);
		world_pass_time(world, 61 * CLOCK_SECOND);
		WORLD_WAIT_UNTIL(world, world_reports(world) == sent - before);
	} else {
		sim_disk_set_capacity(world->sim, 0);
		WORLD_WAIT_UNTIL(world, spool_has_room(world->engine.spool, &reason));
		world_pass_time(world, 61 * CLOCK_SECOND);
		WORLD_WAIT_UNTIL(world, world_reports(world) == sent);
	}
	WORLD_WAIT_UNTIL(world, world_status(world, id, 1) == RECIPIENT_BOUNCED && is_message_held(world, id));
	CU_ASSERT_EQUAL(world_tried(world, id, "b@no.example"), is_restarted ? 0 : 1);
	CU_ASSERT_EQUAL(held(world, "keep.example"), sent);
	world_free(world);
}

static void
test_report_beside_hold(void)
{
	check_report_beside_hold(false);
}

static void
test_report_beside_hold_over_restart(void)
{
	check_report_beside_hold(true);
}

const UnitSuite recipients_suite = { "recipients", (const UnitTest[]){
	{ "Q-40 a recipient that its domain holds counts as held beside one that is deferred", test_counts },
	{ "Q-40 neither ages by the other's time, and none is given up when it is deferred first", test_ages },
	{ "Q-40 the same over a restart", test_ages_over_restart },
	{ "Q-07 Q-40 a warning says until when mail is tried, and comes once", test_retried_until },
	{ "Q-40 each recipient has its own pause", test_back_off },
	{ "Q-40 a retry is for all recipients", test_retry },
	{ "I-40 a change of each domain of a chain of forwards reaches deferred mail", test_every_step },
	{ "I-40 a change while the daemon was stopped, too", test_restarted },
	{ "I-40 deferred mail of domains that did not change keeps its time over a restart", test_restarted_unchanged },
	{ "I-40 domains whose mail goes by MX or a [route]", test_all_modes },
	{ "Q-11 Q-40 a report that waits beside a recipient that is held", test_report_beside_hold },
	{ "Q-11 Q-40 a report that waits beside a held recipient, over a restart", test_report_beside_hold_over_restart },
	{ 0 } } };
