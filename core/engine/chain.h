/* chain.h - the hooks of all plugins, by stage, and how they are run.
 *
 * The engine knows a hook as a row with a function; host/ makes the rows from plugins. */
#pragma once

#include <glib.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "engine/hook.h"
#include "engine/stage.h"
#include "plugin-api.h"

typedef enum { HOOK_ENFORCES, HOOK_WARNS, HOOK_IS_OFF } HookMode;
/* Whose mail it judges: that of accounts, that which comes in for domains of ours, or both. */
typedef enum { HOOK_ON_SUBMISSION = 1, HOOK_ON_INBOUND = 2, HOOK_ON_BOTH = 3 } HookOn;

/* What a plugin did at one stage, since it was loaded. */
typedef struct {
	atomic_ullong calls, refusals, failures, time_us;
} HookFigures;

enum { HOOK_STAGES = PTN_EVENT + 1 };

/* What the chain has to know of a plugin; lives as long as the plugin's instance. */
typedef struct {
	const char *name;
	unsigned place;      /* its number in the list of plugins: where its states stand */
	HookMode mode;
	HookOn on;           /* 0: all mail */
	bool passes_on_error;
	int64_t deadline_us; /* of one hook */
	unsigned at_once;    /* workers it may hold */
	atomic_uint busy, orphans, background;
	HookFigures figures[HOOK_STAGES]; /* by PtnStage */
} HookPlugin;

struct HookRow {
	HookPlugin *plugin;
	PtnStage stage;
	unsigned flags;      /* PTN_INLINE, PTN_LATE, PTN_HEAVY */
	PtnVerdict (*run)(const HookRow *row, HookCall *call);
	void *data;          /* the host's */
};

typedef struct Chain Chain;

Chain *chain_new(void);
void chain_free(Chain *chain);
/* Rows of one stage run in the order of adding, late ones after all others.  Copies the row. */
void chain_add(Chain *chain, const HookRow *row);
const HookRow *chain_row(const Chain *chain, PtnStage stage, size_t i); /* NULL: no more */
bool chain_has(const Chain *chain, PtnStage stage);
/* How many plugins there are: places in the arrays of their states. */
unsigned chain_plugins(const Chain *chain);

/* ANYWHERE: a thread that takes every hook as it comes: observers, delivery. */
typedef enum { ON_LOOP, ON_WORKER, ON_CRUNCHER, ANYWHERE } Place;

typedef enum {
	CHAIN_PASSED,
	CHAIN_SETTLED,        /* PTN_DONE: AUTH, ROUTE, DELIVER */
	CHAIN_REFUSED,        /* the call says how */
	CHAIN_CLOSED,         /* the same, and the session ends */
	CHAIN_WANTS_WORKER,   /* go on there, with the same run */
	CHAIN_WANTS_CRUNCHER,
} ChainResult;

/* One passage through a stage; zeroed at its start, kept while it moves between threads. */
typedef struct {
	PtnStage stage;
	size_t next;          /* row to run */
	int64_t deadline_us;  /* of the whole; 0: not begun */
	atomic_llong hook_deadline_us; /* of the hook that runs now, monotonic; 0: none: for who watches */
	_Atomic(const HookRow *) running;
	bool is_orphaned;     /* a hook came back after it was given up: nobody waits for what it said */
} ChainRun;

typedef struct {
	const Chain *chain;
	int64_t chain_us;     /* the deadline of the whole */
	Place place;
	bool (*before_wait)(void *data); /* called before a hook that may wait; false: the client is gone */
	/* Applies what the hook did; called only for a verdict that lets the mail go on. */
	void (*apply)(void *data, const HookRow *row, HookCall *call);
	/* Of a rehearsal: what a hook said, before the plugin's mode and on-error are looked at.  NULL: nobody listens. */
	void (*told)(void *data, const HookRow *row, const HookCall *call, PtnVerdict verdict, int64_t took_us);
	void *data;
} ChainTask;

ChainResult chain_run(ChainRun *run, const ChainTask *task, HookCall *call);
/* The one that watches gives up: the running hook is counted as an orphan until it returns.  Returns its row, or NULL if none runs. */
const HookRow *chain_orphan(ChainRun *run);
const char *cause_name(PtnCause cause);
