/* activity.c - a list of records that only grows; that of a thread that ended is used again. */
#include "base/activity.h"

#include <glib.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/sanitizer.h"

enum {
	ACTIVITY_STACK = 24 * 1024, /* beside what the kernel puts there */
	ACTIVITY_NEAR = 64 * 1024,  /* an overflow may skip the guard page */
	ACTIVITY_WORDS = ACTIVITY_SESSION_SIZE / 8
};

struct Activity {
	Activity *next;
	atomic_int thread; /* 0: nobody's */
	_Atomic(const char *) name, plugin, stage;
	_Atomic uint64_t session[ACTIVITY_WORDS];
	_Atomic uint64_t queue;
	_Atomic int64_t since_us, deadline_us, busy_us;
	_Atomic uintptr_t lowest; /* end of the thread's stack; 0: not known */
	void *stack;              /* for signal handlers; NULL: none */
	size_t stack_size;
};

static _Atomic(Activity *) activity_first;
static _Thread_local Activity *activity_mine;

static void activity_leave(void *data);
static GPrivate activity_end_of_thread = G_PRIVATE_INIT(activity_leave);

#define put(field, value) atomic_store_explicit(&(field), (value), memory_order_relaxed)
#define get(field) atomic_load_explicit(&(field), memory_order_relaxed)

/* ---- records ---- */

static void
activity_add_stack(Activity *own)
{
	const long least = sysconf(_SC_MINSIGSTKSZ); /* depends on the registers of this processor */
	stack_t stack = { .ss_size = (size_t)MAX(least, 8192) + ACTIVITY_STACK };

	if (HAS_SANITIZER)
		return; /* it has one of its own */
	stack.ss_sp =
		mmap(NULL, stack.ss_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (stack.ss_sp == MAP_FAILED)
		return;
	own->stack = stack.ss_sp;
	own->stack_size = stack.ss_size;
	(void)sigaltstack(&stack, NULL);
}

/* The main thread's stack grows, and its end is not known. */
static void
activity_find_end(Activity *own, int thread)
{
	pthread_attr_t attributes;
	void *lowest = NULL;
	size_t size = 0;

	put(own->lowest, 0);
	if (thread == (int)getpid() || pthread_getattr_np(pthread_self(), &attributes) != 0)
		return;
	(void)pthread_attr_getstack(&attributes, &lowest, &size);
	pthread_attr_destroy(&attributes);
	put(own->lowest, (uintptr_t)lowest);
}

/* The thread ends. */
static void
activity_leave(void *data)
{
	const stack_t none = { .ss_flags = SS_DISABLE };
	Activity *own = data;

	if (own->stack != NULL) {
		(void)sigaltstack(&none, NULL);
		(void)munmap(own->stack, own->stack_size);
		own->stack = NULL;
	}
	activity_mine = NULL;
	atomic_store(&own->thread, 0);
}

static Activity *
activity_find_free(int thread)
{
	for (Activity *each = atomic_load(&activity_first); each != NULL; each = each->next) {
		int nobody = 0;

		if (atomic_compare_exchange_strong(&each->thread, &nobody, thread))
			return each;
	}
	return NULL;
}

static Activity *
activity_add(int thread)
{
	Activity *own = g_new0(Activity, 1);

	atomic_init(&own->thread, thread);
	own->next = atomic_load(&activity_first);
	while (!atomic_compare_exchange_weak(&activity_first, &own->next, own))
		continue;
	return own;
}

static Activity *
activity_enter(void)
{
	const int thread = (int)gettid();
	Activity *own = activity_find_free(thread);

	if (own == NULL)
		own = activity_add(thread);
	put(own->name, "thread");
	put(own->plugin, NULL);
	put(own->queue, 0);
	put(own->busy_us, 0);
	activity_find_end(own, thread);
	activity_add_stack(own);
	activity_mine = own;
	g_private_set(&activity_end_of_thread, own);
	return own;
}

static inline Activity *
activity_here(void)
{
	return G_LIKELY(activity_mine != NULL) ? activity_mine : activity_enter();
}

/* ---- writing ---- */

void
activity_name(const char *name)
{
	put(activity_here()->name, name);
}

static void
activity_put_session(Activity *own, const char *session)
{
	uint64_t words[ACTIVITY_WORDS] = { 0 };

	if (session != NULL)
		(void)g_strlcpy((char *)words, session, sizeof words);
	for (int i = 0; i < ACTIVITY_WORDS; i++)
		put(own->session[i], words[i]);
}

void
activity_begin(const ActivityHook *what, ActivityView *before)
{
	Activity *own = activity_here();

	(void)activity_read(own, before);
	activity_put_session(own, what->session);
	if (what->queue != 0)
		put(own->queue, what->queue);
	put(own->deadline_us, what->deadline_us);
	put(own->since_us, what->since_us);
	put(own->stage, what->stage);
	put(own->plugin, what->plugin);
}

void
activity_end(const ActivityView *before)
{
	Activity *own = activity_here();

	put(own->plugin, before->plugin);
	put(own->queue, before->queue);
	if (before->plugin == NULL)
		return;
	put(own->stage, before->stage);
	put(own->since_us, before->since_us);
	put(own->deadline_us, before->deadline_us);
	activity_put_session(own, before->session);
}

void
activity_set_queue(uint64_t id)
{
	put(activity_here()->queue, id);
}

void
activity_round(int64_t now_us)
{
	put(activity_here()->busy_us, now_us);
}

/* ---- reading ---- */

const Activity *
activity_own(void)
{
	return activity_mine;
}

bool
activity_is_overflow(const void *address)
{
	const uintptr_t at = (uintptr_t)address;
	const uintptr_t lowest = activity_mine != NULL ? get(activity_mine->lowest) : 0;

	return lowest != 0 && at >= lowest - ACTIVITY_NEAR && at < lowest + ACTIVITY_NEAR;
}

const Activity *
activity_next(const Activity *activity)
{
	return activity != NULL ? activity->next : atomic_load(&activity_first);
}

bool
activity_read(const Activity *activity, ActivityView *view)
{
	uint64_t words[ACTIVITY_WORDS];

	view->thread = atomic_load_explicit(&activity->thread, memory_order_relaxed);
	view->name = get(activity->name);
	view->plugin = get(activity->plugin);
	view->queue = get(activity->queue);
	view->busy_us = get(activity->busy_us);
	view->stage = view->plugin != NULL ? get(activity->stage) : NULL;
	view->since_us = view->plugin != NULL ? get(activity->since_us) : 0;
	view->deadline_us = view->plugin != NULL ? get(activity->deadline_us) : 0;
	view->session[0] = '\0';
	if (view->plugin == NULL)
		return view->thread != 0;
	for (int i = 0; i < ACTIVITY_WORDS; i++)
		words[i] = get(activity->session[i]);
	memcpy(view->session, words, sizeof view->session);
	view->session[ACTIVITY_SESSION_SIZE - 1] = '\0';
	return view->thread != 0;
}
