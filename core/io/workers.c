/* workers.c - threads that start when work waits and end when they have had none for a while. */
#include "io/workers.h"

#include <pthread.h>
#include <sys/resource.h>

enum { WORKERS_IDLE_S = 10 };

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { WORKERS_STACK = 2 * 1024 * 1024 };
#else
enum { WORKERS_STACK = 256 * 1024 };
#endif

struct Workers {
	WorkersSettings settings;
	GMutex lock; /* guards all below */
	GCond has_work, has_ended;
	Work *first, *last;
	unsigned threads, idle, queued;
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
	g_free(workers);
}

static Work *
workers_take(Workers *workers)
{
	const int64_t until_us = g_get_monotonic_time() + WORKERS_IDLE_S * G_USEC_PER_SEC;
	Work *work;

	workers->idle++;
	while (workers->first == NULL && !workers->is_stopped)
		if (!g_cond_wait_until(&workers->has_work, &workers->lock, until_us))
			break;
	workers->idle--;
	work = workers->first;
	if (work == NULL)
		return NULL;
	workers->first = work->next;
	workers->queued--;
	return work;
}

static void *
workers_main(void *data)
{
	Workers *workers = data;
	Work *work;

	pthread_setname_np(pthread_self(), workers->settings.name);
	if (workers->settings.nice > 0)
		(void)setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + workers->settings.nice);
	g_mutex_lock(&workers->lock);
	while ((work = workers_take(workers)) != NULL) {
		g_mutex_unlock(&workers->lock);
		work->run(work->data);
		g_mutex_lock(&workers->lock);
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
	pthread_attr_t attributes;
	pthread_t thread;
	bool is_started;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, WORKERS_STACK);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	is_started = pthread_create(&thread, &attributes, workers_main, workers) == 0;
	pthread_attr_destroy(&attributes);
	if (is_started)
		workers->threads++;
	return is_started;
}

bool
workers_run(Workers *workers, Work *work)
{
	bool is_taken = false;

	work->next = NULL;
	work->queued_us = clock_monotonic(workers->settings.clock);
	g_mutex_lock(&workers->lock);
	if (!workers->is_stopped && workers->idle <= workers->queued && workers->threads < workers->settings.most)
		(void)workers_start_thread(workers);
	if (!workers->is_stopped && workers->threads > 0 &&
		(workers->settings.most_queued == 0 || workers->queued < workers->settings.most_queued + workers->idle)) {
		if (workers->first == NULL)
			workers->first = work;
		else
			workers->last->next = work;
		workers->last = work;
		workers->queued++;
		is_taken = true;
		g_cond_signal(&workers->has_work);
	}
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
	g_mutex_lock(&workers->lock);
	figures->threads = workers->threads;
	figures->idle = workers->idle;
	figures->queued = workers->queued;
	figures->oldest_us =
		workers->first != NULL ? clock_monotonic(workers->settings.clock) - workers->first->queued_us : 0;
	g_mutex_unlock(&workers->lock);
}
