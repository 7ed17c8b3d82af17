/* activity.h - what each thread is doing now, for those who look from outside: the crash handler
 * and the watchdog.
 *
 * Every thread has one record, made when it is first asked for.  The thread writes its own record
 * with plain stores: no lock, no allocation, no order is promised.  A reader may therefore see the
 * plugin of one hook with the session of the next; that is good enough for a line in a log, and
 * nothing else may rely on it.  Records are never freed, only used again by another thread, so that
 * a signal handler can walk through them at any time. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

typedef struct Activity Activity;

enum { ACTIVITY_SESSION_SIZE = 24 }; /* of a session's id with its NUL */

/* What a plugin's function is called for.  Texts must live as long as the process. */
typedef struct {
	const char *plugin;  /* NULL: none, the core itself works */
	const char *stage;   /* "mail", "tick", "command"; NULL without a plugin */
	const char *session; /* copied; NULL: none */
	uint64_t queue;      /* queue id; 0: none */
	int64_t since_us;    /* monotonic; 0 without a plugin */
	int64_t deadline_us; /* monotonic; 0: none */
} ActivityHook;

/* What a record said when it was read. */
typedef struct {
	const char *name; /* of the thread */
	int thread;       /* its number in the kernel */
	const char *plugin, *stage;
	char session[ACTIVITY_SESSION_SIZE]; /* "": none */
	uint64_t queue;
	int64_t since_us, deadline_us;
	int64_t busy_us; /* when a thread that goes round began its round, monotonic; 0: it waits */
} ActivityView;

/* Of the calling thread: its name for people (a text that lives as long as the process), and a
 * stack for signal handlers, so that an overflow of its own can be reported.  A thread that never
 * calls it gets both with its first hook. */
void activity_name(const char *name);

/* Around a call of a plugin's function, by the thread that calls it.  `before` keeps what the
 * record said, as calls may be nested.  With `what->queue` 0 the queue id of the record stays. */
void activity_begin(const ActivityHook *what, ActivityView *before);
void activity_end(const ActivityView *before);
/* The message that the calling thread works at from now on; 0: none. */
void activity_set_queue(uint64_t id);
/* By a thread that goes round (a loop, the committer): a round begins at `now_us` (monotonic), or,
 * with 0, the thread waits. */
void activity_round(int64_t now_us);

/* The calling thread's record, or NULL; async-signal-safe, as are all functions that follow. */
const Activity *activity_own(void);
/* The calling thread failed at `address`, which is where its stack ends. */
bool activity_is_overflow(const void *address);
/* All records: the first, the one behind `activity`, or NULL. */
const Activity *activity_next(const Activity *activity);
/* False: no thread uses the record now. */
bool activity_read(const Activity *activity, ActivityView *view);
