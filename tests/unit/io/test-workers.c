/* test-workers.c - the bounds of a pool, and its end. */
#include "io/work-queue.h"
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

/* "Ax" adds work x of client A (" x": of nobody), "." takes one; what was taken, and "!" for what was not added. */
static char *
take_turns(const char *script, unsigned most_of_client)
{
	static const char clients[26];
	WorkQueue queue = { 0 };
	Work works[32] = { 0 };
	GString *taken = g_string_new(NULL);
	size_t n = 0;

	for (const char *at = script; *at != '\0'; at++) {
		if (*at == '.') {
			const Work *work = work_queue_take(&queue, NULL, NULL);

			g_string_append_c(taken, work != NULL ? *(const char *)work->data : '-');
			continue;
		}
		works[n].client = *at != ' ' ? &clients[*at - 'A'] : NULL;
		works[n].data = (void *)(uintptr_t)++at;
		if (!work_queue_add(&queue, &works[n++], most_of_client))
			g_string_append_c(taken, '!');
	}
	CU_ASSERT_EQUAL(queue.count == 0, queue.first == NULL && queue.last == NULL);
	return g_string_free(taken, FALSE);
}

static void
test_turns(void)
{
	static const struct {
		const char *script;
		unsigned most_of_client;
		const char *taken;
	} cases[] = {
		{ " 1 2 3....", 0, "123-" },             /* without clients as they came */
		{ "A1A2A3B4C5.....", 0, "14523" },       /* a client with many works delays its own */
		{ "A1A2A3.B4...", 0, "1243" },           /* what waits for its turn is not overtaken by who comes later */
		{ "A1A2.B3.C4..", 0, "1234" },           /* … however many come */
		{ "A1A2 3B4.. 5...", 0, "13425" },       /* works of nobody have the turn in which they come */
		{ "A1A2A3B4A5....", 2, "!!142-" },       /* a client's bound concerns that client */
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *taken = take_turns(cases[i].script, cases[i].most_of_client);

		CU_ASSERT_STRING_EQUAL(taken, cases[i].taken);
	}
}

/* What one client has to do does not take every thread: another one's work begins at once. */
static void
test_threads_of_a_client(void)
{
	World world;
	Workers *workers;
	WorkersFigures figures;
	const char clients[2] = "";

	world_start(&world);
	workers = workers_new(
		&(WorkersSettings){ .name = "shares", .most = 2, .most_of_client = 1, .clock = &world.clock.clock });
	for (int i = 0; i < 4; i++) {
		world.jobs[i].work.client = &clients[0];
		CU_ASSERT_TRUE(workers_run(workers, &world.jobs[i].work));
	}
	CU_ASSERT_TRUE(world_wait(&world, &world.n_begun, 1));
	world.jobs[4].work.client = &clients[1];
	CU_ASSERT_TRUE(workers_run(workers, &world.jobs[4].work));
	CU_ASSERT_TRUE(world_wait(&world, &world.n_begun, 2));
	workers_figures(workers, &figures);
	CU_ASSERT_EQUAL(figures.queued, 3);
	CU_ASSERT_EQUAL(world.n_begun, 2);
	world_open(&world);
	CU_ASSERT_TRUE(workers_stop(workers, world.clock.now_us + 60 * CLOCK_SECOND));
	CU_ASSERT_EQUAL(world.n_ended, 5);
	workers_free(workers);
	world_end(&world);
}

static const UnitTest tests[] = {
	{ "no more threads and no longer queue than was said; the age of the queue", test_bounds },
	{ "threads are started on demand; after the stop nothing is taken", test_on_demand },
	{ "clients take turns, and nobody is overtaken for ever", test_turns },
	{ "one client holds so many threads at most", test_threads_of_a_client },
	{ NULL, NULL },
};

const UnitSuite suite_workers = { "workers", tests };
