/* workers.c - threads that start when work waits and end when they have had none for a while. */
#include "io/workers.h"

#include <sys/resource.h>

#include "base/thread.h"
#include "io/work-queue.h"

enum { WORKERS_IDLE_S = 10 };

struct Workers {
	WorkersSettings settings;
	GMutex lock; /* guards all below */
	GCond has_work, has_ended;
	WorkQueue queue;
	GPtrArray *running; /* clients whose works run; each as often as it has one */
	unsigned threads, idle;
	bool is_stopped;
};

Workers *
workers_new(const WorkersSettings *settings)
{
	Workers *workers = g_new0(Workers, 1);

	workers->settings = *settings;
	g_mutex_init(&workers->lock);
	g_cond_init(&workers->has_work);
	g_cond_init(&workers->has_ended);
	workers->running = g_ptr_array_new();
	return workers;
}

void
workers_free(Workers *workers)
{
	if (workers == NULL)
		return;
	g_mutex_clear(&workers->lock);
	g_cond_clear(&workers->has_work);
	g_cond_clear(&workers->has_ended);
	g_ptr_array_unref(workers->running);
	g_free(workers);
}

/* Lock held. */
static bool
workers_is_barred(const void *data, const void *client)
{
	const Workers *workers = data;
	unsigned n = 0;

	for (guint i = 0; i < workers->running->len; i++)
		n += g_ptr_array_index(workers->running, i) == client;
	return workers->settings.most_of_client > 0 && n >= workers->settings.most_of_client;
}

/* Lock held; waits for work.  NULL: there was none for a while, or the pool was stopped.  Works of a
 * barred client that are left then are taken by the threads that run its other works. */
static Work *
workers_take(Workers *workers)
{
	const int64_t until_us = g_get_monotonic_time() + WORKERS_IDLE_S * G_USEC_PER_SEC;
	Work *work;
	bool is_over = false;

	workers->idle++;
	while ((work = work_queue_take(&workers->queue, workers_is_barred, workers)) == NULL &&
		   !workers->is_stopped && !is_over)
		is_over = !g_cond_wait_until(&workers->has_work, &workers->lock, until_us);
	workers->idle--;
	return work;
}

static void *
workers_main(void *data)
{
	Workers *workers = data;
	const void *client;
	Work *work;

	if (workers->settings.nice > 0)
		(void)setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + workers->settings.nice);
	g_mutex_lock(&workers->lock);
	while ((work = workers_take(workers)) != NULL) {
		client = work->client;
		if (client != NULL)
			g_ptr_array_add(workers->running, (void *)(uintptr_t)client);
		g_mutex_unlock(&workers->lock);
		work->run(work->data); /* may free it */
		g_mutex_lock(&workers->lock);
		if (client != NULL)
			(void)g_ptr_array_remove_fast(workers->running, (void *)(uintptr_t)client);
	}
	workers->threads--;
	g_cond_broadcast(&workers->has_ended);
	g_mutex_unlock(&workers->lock);
	return NULL;
}

/* Called with the lock held.  If no thread can be started, those that run take the work later. */
static bool
workers_start_thread(Workers *workers)
{
	const bool is_started = thread_start(workers->settings.name, workers_main, workers);

	if (is_started)
		workers->threads++;
	return is_started;
}

bool
workers_run(Workers *workers, Work *work)
{
	const WorkersSettings *settings = &workers->settings;
	bool is_taken = false;

	work->next = NULL;
	work->queued_us = clock_monotonic(settings->clock);
	g_mutex_lock(&workers->lock);
	if (!workers->is_stopped && workers->idle <= workers->queue.count &&
		workers->threads < settings->most)
		(void)workers_start_thread(workers);
	if (!workers->is_stopped && workers->threads > 0 &&
		(settings->most_queued == 0 || workers->queue.count < settings->most_queued + workers->idle))
		is_taken = work_queue_add(&workers->queue, work, settings->most_queued_of_client);
	if (is_taken)
		g_cond_signal(&workers->has_work);
	g_mutex_unlock(&workers->lock);
	return is_taken;
}

bool
workers_stop(Workers *workers, int64_t deadline_us)
{
	const int64_t wait_us = MAX(deadline_us - clock_monotonic(workers->settings.clock), 0);
	const int64_t until_us = g_get_monotonic_time() + wait_us;
	bool is_done = true;

	g_mutex_lock(&workers->lock);
	workers->is_stopped = true;
	g_cond_broadcast(&workers->has_work);
	while (workers->threads > 0 && is_done)
		is_done = g_cond_wait_until(&workers->has_ended, &workers->lock, until_us);
	g_mutex_unlock(&workers->lock);
	return is_done;
}

void
workers_figures(Workers *workers, WorkersFigures *figures)
{
	const int64_t now_us = clock_monotonic(workers->settings.clock);

	g_mutex_lock(&workers->lock);
	figures->threads = workers->threads;
	figures->idle = workers->idle;
	figures->queued = workers->queue.count;
	figures->oldest_us = 0;
	for (const Work *work = workers->queue.first; work != NULL; work = work->next)
		figures->oldest_us = MAX(figures->oldest_us, now_us - work->queued_us);
	g_mutex_unlock(&workers->lock);
}
