/* daemon.h - everything wired together: start, reload, drain, stop. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "base/clock-jump.h"
#include "daemon/kept-alarms.h"
#include "engine/delivery.h"
#include "engine/server.h"
#include "host/host.h"

typedef struct Watchdog Watchdog;
typedef struct CrashRecord CrashRecord;

/* Made by the main thread.  Whoever changes or reads config, set or snapshot holds the lock. */
typedef struct {
	char *config_path;     /* NULL: embedded defaults */
	GMainLoop *loop;       /* of the main thread, borrowed; `posternctl stop` ends it */
	GMutex lock;
	Config *config;
	Config *started_with;  /* what options that need a restart still hold; the same from start to end: needs no lock */
	PluginSet *set;
	Snapshot *snapshot;
	HostServices services;
	Engine engine;
	Store *directory_store;
	Audit *audit;          /* over directory_store */
	GMutex audit_lock;     /* guards audit_set; taken inside of `lock`, too */
	PluginSet *audit_set;  /* whose secrets records leave out; daemon/control-audit.h */
	Server *server;
	Delivery *delivery;
	Work watch;            /* daemon/watch.h */
	atomic_bool is_watching;
	int64_t looked_for_old_us; /* for held mail that is old; monotonic, of that worker; 0: never */
	int64_t started_us;    /* wall clock */
	int64_t stopping_us;   /* monotonic, since a stop began */
	int64_t minute;        /* of the last look at certificates */
	ClockJump clock_jump;  /* of the main thread */
	unsigned node;         /* its number, for all of its life */
	Config *levels_config; /* in which levels were looked for, and the number of changes then; daemon/levels.h */
	uint64_t levels_changes;
	int64_t dns_due_us;    /* monotonic; the next question whether resolvers answer, of the worker that watches */
	int64_t claim_due_us;  /* monotonic; daemon/claim.h, of the worker that watches */
	atomic_llong adopting_us; /* monotonic: of the last look for adoptions that were not finished; 0: look now */
	uint64_t spool_damage; /* SpoolFigures.damage that the alarm tells */
	char *state_directory; /* for a certificate of our own, crashes and alarms */
	Watchdog *watchdog;    /* daemon/watchdog.h */
	KeptAlarms *alarms;
	CrashRecord *crashes;  /* daemon/crash-record.h, of the main thread */
	bool is_filtered;      /* the filter of system calls is in force, and stays; of the main thread's start */
} Daemon;

/* What a configuration turns into; also for `posternd -t` and --hooks, where nothing is started. */
typedef struct {
	Config *config;
	GPtrArray *rows; /* of PluginRows*; `config` keeps them, too */
	EngineSettings *engine;
	DeliverySettings *delivery;
	GPtrArray *warnings; /* of char*: what is allowed and not advised */
} Loaded;

/* False: `mistakes` has sentences. */
bool daemon_load(const char *path, Loaded *loaded, GPtrArray *mistakes);
void loaded_clear(Loaded *loaded);

/* Opens everything and starts; NULL with a sentence. */
Daemon *daemon_start(const char *path, GError **error);
/* Checks, then swaps; on a mistake nothing changes but the alarm reload.refused, which the next reload that works
 * ends, and NULL is returned.  Opens the log anew either way.  The text says what changed; new.  Reads files and may
 * block; any thread. */
char *daemon_reload(Daemon *daemon, GPtrArray *mistakes);
/* Opens the log of the configuration in use anew, after a rotation; if that fails the open one stays in use, and the
 * alarm log.closed says why, until it works.  Any thread. */
void daemon_reopen_log(Daemon *daemon);
/* Certificates whose files changed are read anew; a bad one raises an alarm and changes nothing.  Nothing is done while a
 * reload goes on. */
void daemon_look_at_certificates(Daemon *daemon);
/* Once a second, by the main thread. */
void daemon_tick(Daemon *daemon);
/* Logs how many lines about each client were left out since the last time. */
void daemon_report_left_out(Daemon *daemon);
/* The stop order of the design; `is_hasty`: goes straight to the last batch.  Frees it, unless somebody `is_in_use`
 * goes on with it: then the process ends here. */
void daemon_stop(Daemon *daemon, bool is_in_use, const volatile bool *is_hasty);
