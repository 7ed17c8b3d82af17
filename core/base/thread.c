/* thread.c - starting and joining threads. */
#include "base/thread.h"

#include <glib.h>
#include <pthread.h>

#include "base/activity.h"

struct Thread {
	const char *name;
	void *(*run)(void *data);
	void *data;
	pthread_t id;
	bool is_joined; /* somebody will */
	GMutex lock;    /* guards what follows */
	GCond ended;
	bool is_over;
};

static void
thread_free(Thread *thread)
{
	g_mutex_clear(&thread->lock);
	g_cond_clear(&thread->ended);
	g_free(thread);
}

static void *
thread_main(void *data)
{
	Thread *thread = data;
	const bool is_joined = thread->is_joined;

	pthread_setname_np(pthread_self(), thread->name);
	activity_name(thread->name);
	(void)thread->run(thread->data);
	if (!is_joined) {
		thread_free(thread);
		return NULL;
	}
	g_mutex_lock(&thread->lock);
	thread->is_over = true;
	g_cond_broadcast(&thread->ended);
	g_mutex_unlock(&thread->lock);
	return NULL;
}

/* NULL: it cannot be started. */
static Thread *
thread_begin(const char *name, void *(*run)(void *data), void *data, bool is_joined)
{
	Thread *thread = g_new0(Thread, 1);
	pthread_attr_t attributes;
	pthread_t id;
	int failure;

	thread->name = name;
	thread->run = run;
	thread->data = data;
	thread->is_joined = is_joined;
	g_mutex_init(&thread->lock);
	g_cond_init(&thread->ended);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, THREAD_STACK);
	if (!is_joined)
		pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	failure = pthread_create(&id, &attributes, thread_main, thread);
	pthread_attr_destroy(&attributes);
	if (failure != 0) {
		thread_free(thread);
		return NULL;
	}
	if (is_joined)
		thread->id = id; /* a detached one may be gone already */
	return thread;
}

Thread *
thread_new(const char *name, void *(*run)(void *data), void *data)
{
	Thread *thread = thread_begin(name, run, data, true);

	if (thread == NULL)
		g_error("cannot start the thread \"%s\"", name);
	return thread;
}

bool
thread_start(const char *name, void *(*run)(void *data), void *data)
{
	return thread_begin(name, run, data, false) != NULL;
}

void
thread_join(Thread *thread)
{
	(void)pthread_join(thread->id, NULL);
	thread_free(thread);
}

bool
thread_join_until(Thread *thread, int64_t deadline_us)
{
	bool is_over;

	g_mutex_lock(&thread->lock);
	while (!thread->is_over && g_cond_wait_until(&thread->ended, &thread->lock, deadline_us))
		continue;
	is_over = thread->is_over;
	g_mutex_unlock(&thread->lock);
	if (is_over)
		thread_join(thread);
	return is_over;
}

void
thread_set_default_stack(void)
{
	pthread_attr_t attributes;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, THREAD_STACK);
	(void)pthread_setattr_default_np(&attributes);
	pthread_attr_destroy(&attributes);
}
