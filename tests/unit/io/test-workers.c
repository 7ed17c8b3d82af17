/* test-workers.c - the bounds of a pool, and its end. */
#include "io/workers.h"

#include "suites.h"
#include "unit/service/fake-clock.h"

typedef struct {
	Work work;
	GMutex *lock;
	GCond *changed;
	bool *is_open;      /* it waits for that */
	unsigned *n_begun, *n_ended;
} Job;

typedef struct {
	FakeClock clock;
	GMutex lock;
	GCond changed;
	bool is_open;
	unsigned n_begun, n_ended;
	Job jobs[8];
} World;

static void
job_run(void *data)
{
	Job *job = data;

	g_mutex_lock(job->lock);
	(*job->n_begun)++;
	g_cond_broadcast(job->changed);
	while (!*job->is_open)
		g_cond_wait(job->changed, job->lock);
	(*job->n_ended)++;
	g_cond_broadcast(job->changed);
	g_mutex_unlock(job->lock);
}

static void
world_start(World *world)
{
	*world = (World){ .clock = fake_clock() };
	g_mutex_init(&world->lock);
	g_cond_init(&world->changed);
	for (size_t i = 0; i < G_N_ELEMENTS(world->jobs); i++) {
		Job *job = &world->jobs[i];

		*job = (Job){ .lock = &world->lock, .changed = &world->changed, .is_open = &world->is_open,
			.n_begun = &world->n_begun, .n_ended = &world->n_ended };
		job->work.run = job_run;
		job->work.data = job;
	}
}

static void
world_end(World *world)
{
	g_mutex_clear(&world->lock);
	g_cond_clear(&world->changed);
}

static bool
world_wait(World *world, const unsigned *count, unsigned n)
{
	const int64_t end_us = g_get_monotonic_time() + 60 * G_USEC_PER_SEC;
	bool is_there;

	g_mutex_lock(&world->lock);
	while (*count < n)
		if (!g_cond_wait_until(&world->changed, &world->lock, end_us))
			break;
	is_there = *count >= n;
	g_mutex_unlock(&world->lock);
	return is_there;
}

static void
world_open(World *world)
{
	g_mutex_lock(&world->lock);
	world->is_open = true;
	g_cond_broadcast(&world->changed);
	g_mutex_unlock(&world->lock);
}

static void
test_bounds(void)
{
	World world;
	Workers *workers;
	WorkersFigures figures;

	world_start(&world);
	workers = workers_new(&(WorkersSettings){ .name = "bounds", .most = 2, .most_queued = 3, .clock = &world.clock.clock });
	CU_ASSERT_TRUE(workers_run(workers, &world.jobs[0].work));
	CU_ASSERT_TRUE(workers_run(workers, &world.jobs[1].work));
	CU_ASSERT_TRUE(world_wait(&world, &world.n_begun, 2));
	for (int i = 2; i < 5; i++)
		CU_ASSERT_TRUE(workers_run(workers, &world.jobs[i].work));
	CU_ASSERT_FALSE(workers_run(workers, &world.jobs[5].work));
	__atomic_fetch_add(&world.clock.now_us, 5 * CLOCK_SECOND, __ATOMIC_RELAXED);
	workers_figures(workers, &figures);
	CU_ASSERT_EQUAL(figures.threads, 2);
	CU_ASSERT_EQUAL(figures.queued, 3);
	CU_ASSERT_EQUAL(figures.oldest_us, 5 * CLOCK_SECOND);
	world_open(&world);
	CU_ASSERT_TRUE(world_wait(&world, &world.n_ended, 5));
	CU_ASSERT_TRUE(workers_stop(workers, world.clock.now_us + 60 * CLOCK_SECOND));
	CU_ASSERT_EQUAL(world.n_begun, 5);
	workers_free(workers);
	world_end(&world);
}

static void
test_on_demand(void)
{
	World world;
	Workers *workers;
	WorkersFigures figures;

	world_start(&world);
	world.is_open = true;
	workers = workers_new(&(WorkersSettings){ .name = "demand", .most = 50, .clock = &world.clock.clock });
	workers_figures(workers, &figures);
	CU_ASSERT_EQUAL(figures.threads, 0);
	CU_ASSERT_TRUE(workers_run(workers, &world.jobs[0].work));
	CU_ASSERT_TRUE(world_wait(&world, &world.n_ended, 1));
	workers_figures(workers, &figures);
	CU_ASSERT_EQUAL(figures.threads, 1);
	CU_ASSERT_TRUE(workers_stop(workers, world.clock.now_us + 60 * CLOCK_SECOND));
	CU_ASSERT_FALSE(workers_run(workers, &world.jobs[1].work));
	workers_free(workers);
	world_end(&world);
}

static const UnitTest tests[] = {
	{ "no more threads and no longer queue than was said; the age of the queue", test_bounds },
	{ "threads are started on demand; after the stop nothing is taken", test_on_demand },
	{ NULL, NULL },
};

const UnitSuite suite_workers = { "workers", tests };
