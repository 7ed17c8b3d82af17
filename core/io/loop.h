/* loop.h - an event loop: descriptors, timers, and results posted by other threads.
 *
 * A loop belongs to the thread that runs it; only loop_post() and loop_stop() may be called by others.
 * Watches, timers and posts are plain values inside the objects they serve: nothing is allocated for
 * them, and none may be moved or freed while the loop knows it. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

typedef struct Loop Loop;

enum { LOOP_READ = 1, LOOP_WRITE = 2, LOOP_SHARED = 4 /* a listening socket that other loops watch, too */ };

typedef struct {
	int fd; /* -1: not watched */
	unsigned events;
	void (*ready)(void *data, unsigned events); /* a hang-up or error comes as LOOP_READ */
	void *data;
} LoopWatch;

typedef struct {
	void (*fire)(void *data);
	void *data;
	int64_t at_us;    /* when it is to fire, monotonic; CLOCK_NEVER: not set */
	int64_t queued_us; /* where the heap has it: at or before at_us */
	size_t place;      /* in the heap, from 1; 0: not in it          */
} LoopTimer;

typedef struct LoopPost LoopPost;

struct LoopPost {
	LoopPost *next;
	void (*run)(void *data);
	void *data;
};

Loop *loop_new(const Clock *clock, GError **error);
void loop_free(Loop *loop);
/* Runs until loop_stop(); posts that came before the stop are run. */
void loop_run(Loop *loop);
void loop_stop(Loop *loop);
/* One round, which the thread's activity record shows: waits at most `wait_us` for something to happen. */
void loop_step(Loop *loop, int64_t wait_us);
/* True on the thread of a loop, which must never wait. */
bool loop_is_here(void);
/* When the present round began, monotonic: cheap, and good enough for deadlines. */
int64_t loop_now(const Loop *loop);

bool loop_watch(Loop *loop, LoopWatch *watch, int fd, unsigned events);
void loop_set_events(Loop *loop, LoopWatch *watch, unsigned events);
void loop_unwatch(Loop *loop, LoopWatch *watch); /* before the descriptor is closed */

void loop_set_timer(Loop *loop, LoopTimer *timer, int64_t at_us);
void loop_clear_timer(Loop *loop, LoopTimer *timer);

/* Any thread: `post->run` is called by the loop's thread, in the order of posting. */
void loop_post(Loop *loop, LoopPost *post);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Loop, loop_free)
