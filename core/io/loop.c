/* loop.c - epoll, a heap of timers, and a list of posts behind an eventfd. */
#include "io/loop.h"

#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/activity.h"
#include "base/error.h"

enum { LOOP_EVENTS = 256 };

struct Loop {
	const Clock *clock;
	int epoll, wakeup;
	int64_t now_us;
	atomic_bool is_stopped;
	GPtrArray *timers; /* of LoopTimer*, a binary heap by queued_us */
	struct epoll_event events[LOOP_EVENTS];
	int n_events, at_event; /* what this round has still to hand out */
	GMutex lock;            /* guards first and last */
	LoopPost *first, *last;
};

Loop *
loop_new(const Clock *clock, GError **error)
{
	g_autoptr(Loop) loop = g_new0(Loop, 1);
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = NULL };

	loop->clock = clock;
	loop->timers = g_ptr_array_new();
	loop->now_us = clock_monotonic(clock);
	g_mutex_init(&loop->lock);
	loop->wakeup = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (loop->wakeup < 0 || loop->epoll < 0 || epoll_ctl(loop->epoll, EPOLL_CTL_ADD, loop->wakeup, &event) < 0) {
		error_set_errno(error, "cannot make an event loop");
		return NULL;
	}
	return g_steal_pointer(&loop);
}

void
loop_free(Loop *loop)
{
	if (loop == NULL)
		return;
	if (loop->wakeup >= 0)
		(void)close(loop->wakeup);
	if (loop->epoll >= 0)
		(void)close(loop->epoll);
	g_ptr_array_unref(loop->timers);
	g_mutex_clear(&loop->lock);
	g_free(loop);
}

int64_t
loop_now(const Loop *loop)
{
	return loop->now_us;
}

/* ---- descriptors ---- */

static uint32_t
loop_epoll_events(unsigned events)
{
	return (events & LOOP_READ ? EPOLLIN : 0u) | (events & LOOP_WRITE ? EPOLLOUT : 0u) |
		   (events & LOOP_SHARED ? EPOLLEXCLUSIVE : 0u);
}

bool
loop_watch(Loop *loop, LoopWatch *watch, int fd, unsigned events)
{
	struct epoll_event event = { .events = loop_epoll_events(events), .data.ptr = watch };

	watch->fd = fd;
	watch->events = events;
	return epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

void
loop_set_events(Loop *loop, LoopWatch *watch, unsigned events)
{
	struct epoll_event event = { .events = loop_epoll_events(events), .data.ptr = watch };

	if (watch->events == events)
		return;
	watch->events = events;
	(void)epoll_ctl(loop->epoll, EPOLL_CTL_MOD, watch->fd, &event);
}

/* What this round has read but not handed out may name the watch, too. */
void
loop_unwatch(Loop *loop, LoopWatch *watch)
{
	if (watch->fd < 0)
		return;
	(void)epoll_ctl(loop->epoll, EPOLL_CTL_DEL, watch->fd, NULL);
	for (int i = loop->at_event; i < loop->n_events; i++)
		if (loop->events[i].data.ptr == watch)
			loop->events[i].data.ptr = NULL;
	watch->fd = -1;
}

static void
loop_hand_out(Loop *loop)
{
	uint64_t count;

	for (loop->at_event = 0; loop->at_event < loop->n_events;) {
		const struct epoll_event *event = &loop->events[loop->at_event++];
		const LoopWatch *watch = event->data.ptr;
		unsigned events = event->events & EPOLLOUT ? LOOP_WRITE : 0;

		if (event->events & ~(uint32_t)EPOLLOUT)
			events |= LOOP_READ;
		if (watch != NULL)
			watch->ready(watch->data, events);
		else
			(void)!read(loop->wakeup, &count, sizeof count); /* harmless for a watch that is gone */
	}
	loop->n_events = 0;
}

/* ---- timers ---- */

static LoopTimer *
loop_timer_at(const Loop *loop, size_t place)
{
	return g_ptr_array_index(loop->timers, place - 1);
}

static void
loop_place_timer(Loop *loop, LoopTimer *timer, size_t place)
{
	loop->timers->pdata[place - 1] = timer;
	timer->place = place;
}

static void
loop_sift_up(Loop *loop, LoopTimer *timer, size_t place)
{
	while (place > 1 && loop_timer_at(loop, place / 2)->queued_us > timer->queued_us) {
		loop_place_timer(loop, loop_timer_at(loop, place / 2), place);
		place /= 2;
	}
	loop_place_timer(loop, timer, place);
}

static void
loop_sift_down(Loop *loop, LoopTimer *timer, size_t place)
{
	const size_t count = loop->timers->len;

	for (;;) {
		size_t child = place * 2;

		if (child > count)
			break;
		if (child < count && loop_timer_at(loop, child + 1)->queued_us < loop_timer_at(loop, child)->queued_us)
			child++;
		if (loop_timer_at(loop, child)->queued_us >= timer->queued_us)
			break;
		loop_place_timer(loop, loop_timer_at(loop, child), place);
		place = child;
	}
	loop_place_timer(loop, timer, place);
}

void
loop_clear_timer(Loop *loop, LoopTimer *timer)
{
	const size_t place = timer->place;
	LoopTimer *last;

	timer->at_us = CLOCK_NEVER;
	if (place == 0)
		return;
	last = loop_timer_at(loop, loop->timers->len);
	g_ptr_array_set_size(loop->timers, (int)loop->timers->len - 1);
	timer->place = 0;
	if (last == timer)
		return;
	loop_sift_down(loop, last, place);
	loop_sift_up(loop, last, last->place);
}

/* A timer that only moves away (an idle timer at each command) keeps its place; it is queued anew when
 * its old time comes. */
void
loop_set_timer(Loop *loop, LoopTimer *timer, int64_t at_us)
{
	if (timer->place != 0 && at_us >= timer->queued_us) {
		timer->at_us = at_us;
		return;
	}
	loop_clear_timer(loop, timer);
	if (at_us == CLOCK_NEVER)
		return;
	timer->at_us = timer->queued_us = at_us;
	g_ptr_array_add(loop->timers, timer);
	loop_sift_up(loop, timer, loop->timers->len);
}

static void
loop_fire_timers(Loop *loop)
{
	while (loop->timers->len > 0) {
		LoopTimer *timer = loop_timer_at(loop, 1);
		const int64_t at_us = timer->at_us;

		if (timer->queued_us > loop->now_us)
			return;
		loop_clear_timer(loop, timer);
		if (at_us > loop->now_us)
			loop_set_timer(loop, timer, at_us);
		else
			timer->fire(timer->data);
	}
}

/* ---- posts ---- */

void
loop_post(Loop *loop, LoopPost *post)
{
	const uint64_t one = 1;
	bool was_empty;

	post->next = NULL;
	g_mutex_lock(&loop->lock);
	was_empty = loop->first == NULL;
	if (was_empty)
		loop->first = post;
	else
		loop->last->next = post;
	loop->last = post;
	g_mutex_unlock(&loop->lock);
	if (was_empty)
		(void)!write(loop->wakeup, &one, sizeof one);
}

static void
loop_run_posts(Loop *loop)
{
	LoopPost *post;

	g_mutex_lock(&loop->lock);
	post = loop->first;
	loop->first = loop->last = NULL;
	g_mutex_unlock(&loop->lock);
	while (post != NULL) {
		LoopPost *next = post->next; /* running it may free it */

		post->run(post->data);
		post = next;
	}
}

/* ---- running ---- */

static int
loop_wait_ms(const Loop *loop, int64_t wait_us)
{
	int64_t until_us = wait_us;

	if (loop->timers->len > 0)
		until_us = MIN(until_us, MAX(loop_timer_at(loop, 1)->queued_us - loop->now_us, 0));
	return (int)MIN((until_us + 999) / 1000, 60000);
}

void
loop_step(Loop *loop, int64_t wait_us)
{
	loop->now_us = clock_monotonic(loop->clock);
	activity_round(0);
	loop->n_events = epoll_wait(loop->epoll, loop->events, LOOP_EVENTS, loop_wait_ms(loop, wait_us));
	if (loop->n_events < 0)
		loop->n_events = 0; /* EINTR: the next round asks again */
	loop->now_us = clock_monotonic(loop->clock);
	activity_round(loop->now_us);
	loop_hand_out(loop);
	loop_run_posts(loop);
	loop_fire_timers(loop);
}

static _Thread_local bool loop_is_running;

bool
loop_is_here(void)
{
	return loop_is_running;
}

void
loop_run(Loop *loop)
{
	loop_is_running = true;
	while (!atomic_load(&loop->is_stopped))
		loop_step(loop, 60 * CLOCK_SECOND);
	loop_run_posts(loop);
	activity_round(0);
	loop_is_running = false;
}

void
loop_stop(Loop *loop)
{
	const uint64_t one = 1;

	atomic_store(&loop->is_stopped, true);
	(void)!write(loop->wakeup, &one, sizeof one);
}
