/* test-stay.c - mail that a domain holds, on a disk that cannot be read for a while. */
#include "fault/fault.h"
#include "fault/world.h"

#define STAY_DOMAIN "keep.example"
#define STAY_AGAIN_US (61 * CLOCK_SECOND) /* what could not be read is read again within a minute */

static void
set_mode(World *world, const char *mode)
{
	DirectoryEntry *entry = NULL;

	if (directory_find(world->engine.directory, PTN_DOMAIN, STAY_DOMAIN, CLOCK_NEVER, &entry) != PTN_OK)
		entry = directory_entry_new(PTN_DOMAIN, STAY_DOMAIN);
	directory_entry_set(entry, "mode", mode);
	CU_ASSERT_EQUAL(directory_save(world->engine.directory, entry, NULL, CLOCK_NEVER), PTN_OK);
	directory_entry_free(entry);
}

/* The domain holds a message, and no delivery runs. */
static World *
world_with_held(QueueId *id)
{
	World *world = world_new();
	g_autoptr(SpoolMessage) message = NULL;

	set_mode(world, directory_modes[MODE_HOLD]);
	*id = world_send(world, "r@" STAY_DOMAIN, NULL);
	message = spool_read(world->engine.spool, *id, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(message);
	message->state->is_held = true;
	message->state->held_since_us = clock_wall(&world->clock);
	message->state->hold_reason = stay_reason(STAY_DOMAIN);
	spool_put_state(world->engine.spool, g_steal_pointer(&message->state));
	CU_ASSERT(spool_flush(world->engine.spool, CLOCK_NEVER));
	world->engine.queue = queue_new(world->engine.spool, &world->clock, NULL, NULL);
	return world;
}

static void
world_with_held_free(World *world)
{
	g_clear_pointer(&world->engine.queue, queue_free);
	world_free(world);
}

static uint64_t
held(World *world)
{
	StayFigures figures;

	stay_figures(world->engine.stay, STAY_DOMAIN, &figures);
	return figures.messages;
}

static bool
is_held(World *world, QueueId id)
{
	SpoolSummary summary;

	CU_ASSERT_FATAL(spool_summary(world->engine.spool, id, &summary));
	return summary.is_held;
}

/* The start finds what it can read; the rest is found later, and goes on if its domain has changed meanwhile. */
static void
test_unread_at_start(void)
{
	QueueId id;
	World *world = world_with_held(&id);

	sim_disk_fail(world->sim, SIM_PREAD, SIM_EIO, 1, true);
	stay_fill(&world->engine);
	CU_ASSERT_EQUAL(held(world), 0);
	world_pass_time(world, STAY_AGAIN_US);
	stay_look(&world->engine);
	CU_ASSERT_EQUAL(held(world), 0);
	sim_disk_heal(world->sim);
	stay_look(&world->engine);
	CU_ASSERT_EQUAL(held(world), 0); /* once a minute is enough */
	world_pass_time(world, STAY_AGAIN_US);
	stay_look(&world->engine);
	CU_ASSERT_EQUAL(held(world), 1);
	CU_ASSERT(is_held(world, id));
	set_mode(world, directory_modes[MODE_OUTBOUND_ONLY]);
	stay_look(&world->engine);
	CU_ASSERT_EQUAL(held(world), 0);
	CU_ASSERT_FALSE(is_held(world, id));
	world_with_held_free(world);
}

/* The domain changes while its message cannot be read, and so not be released. */
static void
test_unread_at_change(void)
{
	QueueId id;
	World *world = world_with_held(&id);

	stay_fill(&world->engine);
	CU_ASSERT_EQUAL(held(world), 1);
	stay_look(&world->engine);
	set_mode(world, directory_modes[MODE_OUTBOUND_ONLY]);
	sim_disk_fail(world->sim, SIM_PREAD, SIM_EIO, 1, true);
	for (int i = 0; i < 3; i++) {
		stay_look(&world->engine);
		world_pass_time(world, STAY_AGAIN_US);
	}
	CU_ASSERT(is_held(world, id));
	sim_disk_heal(world->sim);
	stay_look(&world->engine);
	CU_ASSERT_FALSE(is_held(world, id));
	CU_ASSERT_EQUAL(held(world), 0);
	world_with_held_free(world);
}

/* What is held for its domain behind an adoption that was not finished is not the domain's to release. */
static void
test_adopting(void)
{
	QueueId id;
	World *world = world_with_held(&id);
	g_autofree char *ours = stay_reason(STAY_DOMAIN);
	SpoolMessage *message = spool_read(world->engine.spool, id, NULL);

	CU_ASSERT_PTR_NOT_NULL_FATAL(message);
	g_free(message->state->hold_reason);
	message->state->hold_reason = g_strconcat("adoption from spool 0123456789abcdef0123456789abcdef by spool "
											  "fedcba9876543210fedcba9876543210; held 0: ", ours, NULL);
	spool_put_state(world->engine.spool, g_steal_pointer(&message->state));
	spool_message_free(message);
	CU_ASSERT(spool_flush(world->engine.spool, CLOCK_NEVER));
	stay_fill(&world->engine);
	CU_ASSERT_EQUAL(held(world), 0);
	set_mode(world, directory_modes[MODE_OUTBOUND_ONLY]);
	stay_look(&world->engine);
	CU_ASSERT(is_held(world, id));
	CU_ASSERT_EQUAL(queue_let_go(world->engine.queue, id, stay_is_ours), QUEUE_DONE);
	CU_ASSERT(is_held(world, id));
	CU_ASSERT_EQUAL(spool_count_adopting(world->engine.spool), 1);
	world_with_held_free(world);
}

const UnitSuite stay_suite = { "stay", (const UnitTest[]){
	{ "I-13 held mail that the start cannot read is found when the disk works again", test_unread_at_start },
	{ "I-13 a domain that changes while its mail cannot be read releases it later", test_unread_at_change },
	{ "Q-18 a hold of a domain behind an adoption stays", test_adopting },
	{ 0 } } };
