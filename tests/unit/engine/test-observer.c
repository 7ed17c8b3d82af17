/* test-observer.c - what observers are told: all of it, in order, as copies. */
#include "engine/observer.h"

#include <string.h>

#include "suites.h"
#include "unit/service/fake-clock.h"

static GString *heard;

static PtnVerdict
hear(const HookRow *row, HookCall *call)
{
	(void)row;
	g_string_append_printf(heard, "%s %d %s %s\n", stage_name(call->stage), call->code,
		call->facts != NULL ? call->facts->helo : "-", call->envelope != NULL ? call->envelope->sender : "-");
	hook_add_act(call, ACT_HOLD)->text = "too late to change anything";
	return PTN_NEXT;
}

typedef struct {
	FakeClock clock;
	Workers *workers;
	Metrics *metrics;
	Observer *observer;
	HookPlugin plugin;
	Snapshot *snapshot;
} World;

static void
world_start(World *world)
{
	static const PtnStage stages[] = { PTN_QUEUED, PTN_REPLY, PTN_DISCONNECT };
	Chain *chain = chain_new();

	*world = (World){ .clock = fake_clock(), .plugin = { .name = "p", .deadline_us = CLOCK_SECOND, .at_once = 1 } };
	for (size_t i = 0; i < G_N_ELEMENTS(stages); i++) {
		const HookRow row = { .plugin = &world->plugin, .stage = stages[i], .run = hear };

		chain_add(chain, &row);
	}
	heard = g_string_new(NULL);
	world->workers = workers_new(&(WorkersSettings){ .name = "observer", .most = 2, .clock = clock_system() });
	world->metrics = metrics_new();
	world->observer = observer_new(world->workers, world->metrics, 1000);
	world->snapshot = snapshot_new(engine_settings_new(), NULL, chain, NULL, NULL);
}

static void
world_end(World *world)
{
	const int64_t soon_us = g_get_monotonic_time() + 10 * CLOCK_SECOND;

	observer_stop(world->observer, soon_us);
	CU_ASSERT_TRUE(workers_stop(world->workers, soon_us));
	observer_free(world->observer);
	workers_free(world->workers);
	snapshot_unref(world->snapshot);
	metrics_free(world->metrics);
	g_string_free(heard, TRUE);
}

static void
test_copies(void)
{
	World world;
	SessionFacts facts = { .id = "s", .helo = g_strdup("first.example") };
	g_autoptr(Envelope) envelope = envelope_new(1);

	world_start(&world);
	g_free(envelope->sender);
	envelope->sender = g_strdup("a@example.net");
	observer_tell(world.observer, &(Observation){ .snapshot = world.snapshot, .stage = PTN_QUEUED, .facts = &facts,
		.envelope = envelope, .code = 250 });
	facts.helo[0] = 'F'; /* what it was when it happened counts */
	envelope->sender[0] = 'A';
	observer_tell(world.observer, &(Observation){ .snapshot = world.snapshot, .stage = PTN_REPLY, .facts = &facts, .code = 550 });
	observer_tell(world.observer, &(Observation){ .snapshot = world.snapshot, .stage = PTN_RESET, .facts = &facts });
	observer_tell(world.observer, &(Observation){ .snapshot = world.snapshot, .stage = PTN_DISCONNECT, .facts = &facts,
		.session_region = region_new(), .session_states = g_new0(void *, 1) });
	observer_stop(world.observer, g_get_monotonic_time() + 10 * CLOCK_SECOND);
	ASSERT_TEXT(heard->str, "queued 250 first.example a@example.net\nreply 550 First.example -\ndisconnect 0 First.example -\n");
	CU_ASSERT_EQUAL(metrics_get(world.metrics, "observer.lost"), 0);
	g_free(facts.helo);
	world_end(&world);
}

static void
test_order(void)
{
	g_autoptr(GString) expected = g_string_new(NULL);
	World world;

	world_start(&world);
	for (int i = 0; i < 500; i++) {
		observer_tell(world.observer, &(Observation){ .snapshot = world.snapshot, .stage = PTN_REPLY, .code = 400 + i });
		g_string_append_printf(expected, "reply %d - -\n", 400 + i);
	}
	observer_stop(world.observer, g_get_monotonic_time() + 10 * CLOCK_SECOND);
	ASSERT_TEXT(heard->str, expected->str);
	world_end(&world);
}

static GMutex gate;

static PtnVerdict
wait_at_gate(const HookRow *row, HookCall *call)
{
	(void)row, (void)call;
	g_mutex_lock(&gate);
	g_mutex_unlock(&gate);
	return PTN_NEXT;
}

/* A hook that hangs: neither events nor ends of sessions pile up without bound, and the memory of sessions is freed. */
static void
test_bounds(void)
{
	const HookRow *row;
	World world;

	world_start(&world);
	row = chain_row(world.snapshot->chain, PTN_DISCONNECT, 0);
	((HookRow *)(uintptr_t)row)->run = wait_at_gate;
	g_mutex_lock(&gate);
	for (int i = 0; i < 2000 + 500 + 1; i++) /* one of them is at the gate */
		observer_tell(world.observer, &(Observation){ .snapshot = world.snapshot, .stage = PTN_DISCONNECT,
			.session_region = region_new(), .session_states = g_new0(void *, 1) });
	CU_ASSERT_TRUE(metrics_get(world.metrics, "observer.lost") >= 500);
	CU_ASSERT_TRUE(metrics_get(world.metrics, "observer.lost") <= 501);
	for (int i = 0; i < 1000; i++) /* they have their own room */
		observer_tell(world.observer, &(Observation){ .snapshot = world.snapshot, .stage = PTN_QUEUED, .code = 250 });
	CU_ASSERT_TRUE(metrics_get(world.metrics, "observer.lost") <= 501);
	observer_tell(world.observer, &(Observation){ .snapshot = world.snapshot, .stage = PTN_QUEUED, .code = 250 });
	CU_ASSERT_TRUE(metrics_get(world.metrics, "observer.lost") >= 501);
	g_mutex_unlock(&gate);
	observer_stop(world.observer, g_get_monotonic_time() + 20 * CLOCK_SECOND);
	world_end(&world);
}

static PtnVerdict
refuse(const HookRow *row, HookCall *call)
{
	(void)row;
	call->code = 550;
	call->enhanced = "5.7.1";
	call->text = "too late";
	return PTN_REFUSED;
}

static PtnVerdict
fail(const HookRow *row, HookCall *call)
{
	(void)row, (void)call;
	return PTN_FAILED;
}

static void
test_failures(void)
{
	World world;
	const HookRow rows[] = { { .plugin = &world.plugin, .stage = PTN_DELIVERED, .run = refuse },
		{ .plugin = &world.plugin, .stage = PTN_DELIVERED, .run = fail },
		{ .plugin = &world.plugin, .stage = PTN_DELIVERED, .flags = PTN_HEAVY, .run = hear } };

	world_start(&world);
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
		chain_add(world.snapshot->chain, &rows[i]);
	observer_tell(world.observer, &(Observation){ .snapshot = world.snapshot, .stage = PTN_DELIVERED, .code = 250 });
	observer_stop(world.observer, g_get_monotonic_time() + 10 * CLOCK_SECOND);
	ASSERT_TEXT(heard->str, "delivered 250 - -\n");
	world_end(&world);
}

static const UnitTest tests[] = {
	{ "one that refuses or fails keeps nothing from those behind it, heavy or not", test_failures },
	{ "facts are those of the moment; stages that nobody hears are not kept", test_copies },
	{ "a hook that hangs: what waits is bounded, ends of sessions too", test_bounds },
	{ "everything comes in order, whatever threads there are", test_order },
	{ NULL, NULL },
};

const UnitSuite suite_observer = { "observer", tests };
