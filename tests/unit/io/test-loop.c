/* test-loop.c - timers by a clock that the test moves, posts of other threads, descriptors. */
#include "io/loop.h"

#include <unistd.h>

#include "suites.h"
#include "unit/service/fake-clock.h"

typedef struct {
	FakeClock clock;
	Loop *loop;
	GString *said;
} World;

static World *world_of_posts;

static void
world_start(World *world)
{
	world->clock = fake_clock();
	world->loop = loop_new(&world->clock.clock, NULL);
	world->said = g_string_new(NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(world->loop);
	world_of_posts = world;
}

static void
world_end(World *world)
{
	loop_free(world->loop);
	g_string_free(world->said, TRUE);
}

/* A step at once, that much later. */
static void
world_step(World *world, int64_t later_us)
{
	world->clock.now_us += later_us;
	loop_step(world->loop, 0);
}

typedef struct {
	LoopTimer timer;
	World *world;
	const char *name;
	int64_t again_us; /* 0: once */
} Named;

static void
named_fire(void *data)
{
	Named *named = data;

	g_string_append_printf(named->world->said, "%s ", named->name);
	if (named->again_us != 0)
		loop_set_timer(named->world->loop, &named->timer, loop_now(named->world->loop) + named->again_us);
}

static void
named_set(Named *named, World *world, const char *name, int64_t in_us)
{
	named->world = world;
	named->name = name;
	named->timer.fire = named_fire;
	named->timer.data = named;
	named->timer.at_us = CLOCK_NEVER;
	loop_set_timer(world->loop, &named->timer, world->clock.now_us + in_us);
}

static void
test_timers(void)
{
	World world;
	Named a = { 0 }, b = { 0 }, c = { 0 };

	world_start(&world);
	named_set(&c, &world, "c", 300);
	named_set(&a, &world, "a", 100);
	named_set(&b, &world, "b", 200);
	world_step(&world, 99);
	ASSERT_TEXT(world.said->str, "");
	world_step(&world, 1);
	ASSERT_TEXT(world.said->str, "a ");
	world_step(&world, 200);
	ASSERT_TEXT(world.said->str, "a b c ");
	world_step(&world, 1000);
	ASSERT_TEXT(world.said->str, "a b c ");
	world_end(&world);
}

static void
test_timers_moved(void)
{
	World world;
	Named a = { 0 }, b = { 0 };

	world_start(&world);
	named_set(&a, &world, "a", 100);
	named_set(&b, &world, "b", 200);
	loop_set_timer(world.loop, &a.timer, world.clock.now_us + 500); /* later */
	world_step(&world, 250);
	ASSERT_TEXT(world.said->str, "b ");
	loop_set_timer(world.loop, &a.timer, world.clock.now_us + 10); /* sooner */
	world_step(&world, 10);
	ASSERT_TEXT(world.said->str, "b a ");
	named_set(&a, &world, "a", 100);
	loop_clear_timer(world.loop, &a.timer);
	world_step(&world, 1000);
	ASSERT_TEXT(world.said->str, "b a ");
	world_end(&world);
}

static void
test_timer_again(void)
{
	World world;
	Named a = { .again_us = 100 };

	world_start(&world);
	named_set(&a, &world, "a", 100);
	for (int i = 0; i < 3; i++)
		world_step(&world, 100);
	ASSERT_TEXT(world.said->str, "a a a ");
	loop_clear_timer(world.loop, &a.timer);
	world_end(&world);
}

static void
test_many_timers(void)
{
	enum { N = 1000 };
	g_autofree Named *timers = g_new0(Named, N);
	World world;
	unsigned n = 0;

	world_start(&world);
	for (int i = 0; i < N; i++)
		named_set(&timers[i], &world, "x", 1 + (i * 7919) % N);
	for (int i = 0; i < N; i += 3)
		loop_clear_timer(world.loop, &timers[i].timer);
	for (int at = 1; at <= N; at++) {
		const size_t before = world.said->len;
		unsigned due = 0;

		for (int i = 0; i < N; i++)
			due += i % 3 != 0 && 1 + (i * 7919) % N == at;
		world_step(&world, 1);
		CU_ASSERT_EQUAL((world.said->len - before) / 2, due);
		n += due;
	}
	CU_ASSERT_EQUAL(n, N - (N + 2) / 3);
	world_end(&world);
}

/* ---- posts ---- */

typedef struct {
	LoopPost post;
	int number;
} Numbered;

static void
numbered_run(void *data)
{
	g_string_append_printf(world_of_posts->said, "%d ", ((const Numbered *)data)->number);
}

static void *
post_all(void *data)
{
	Numbered *posts = data;

	for (int i = 0; i < 5; i++) {
		posts[i].number = i;
		posts[i].post.run = numbered_run;
		posts[i].post.data = &posts[i];
		loop_post(world_of_posts->loop, &posts[i].post);
	}
	loop_stop(world_of_posts->loop);
	return NULL;
}

static void
test_posts(void)
{
	Numbered posts[5];
	World world;
	GThread *thread;

	world_start(&world);
	thread = g_thread_new("poster", post_all, posts);
	loop_run(world.loop);
	g_thread_join(thread);
	ASSERT_TEXT(world.said->str, "0 1 2 3 4 ");
	world_end(&world);
}

/* ---- descriptors ---- */

static void
watch_ready(void *data, unsigned events)
{
	World *world = data;

	g_string_append_printf(world->said, "%s%s ", events & LOOP_READ ? "r" : "", events & LOOP_WRITE ? "w" : "");
}

static void
test_watch(void)
{
	World world;
	LoopWatch watch = { .fd = -1, .ready = watch_ready };
	int ends[2];

	world_start(&world);
	watch.data = &world;
	CU_ASSERT_EQUAL_FATAL(pipe(ends), 0);
	CU_ASSERT_TRUE(loop_watch(world.loop, &watch, ends[0], LOOP_READ));
	world_step(&world, 1);
	ASSERT_TEXT(world.said->str, "");
	CU_ASSERT_EQUAL(write(ends[1], "x", 1), 1);
	world_step(&world, 1);
	ASSERT_TEXT(world.said->str, "r ");
	loop_set_events(world.loop, &watch, 0);
	world_step(&world, 1);
	ASSERT_TEXT(world.said->str, "r ");
	loop_set_events(world.loop, &watch, LOOP_READ);
	(void)close(ends[1]); /* a hang-up comes as something to read */
	world_step(&world, 1);
	ASSERT_TEXT(world.said->str, "r r ");
	loop_unwatch(world.loop, &watch);
	CU_ASSERT_EQUAL(watch.fd, -1);
	(void)close(ends[0]);
	world_end(&world);
}

static const UnitTest tests[] = {
	{ "timers fire when they are due, in the order of their times, once", test_timers },
	{ "a timer is moved both ways, and cleared", test_timers_moved },
	{ "a timer sets itself again", test_timer_again },
	{ "a thousand timers, a third of them cleared: each at its time", test_many_timers },
	{ "posts of another thread run in order; those before the stop are run", test_posts },
	{ "descriptors: reading, silence, a hang-up", test_watch },
	{ NULL, NULL },
};

const UnitSuite suite_loop = { "loop", tests };
