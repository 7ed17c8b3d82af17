/* iphelper.h - an IP address helper: what it is, what is known of it, and who looks after it.
 *
 * A helper is a mail domain of the directory with iphelper.host and iphelper.port.  What was found out last is a state in
 * the store.  One node at a time holds the lease, and keeps all helpers in memory (scan.c). */
#pragma once

#include <glib.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "plugin-api.h"

/* What a check found, as it is written in the state. */
typedef enum { FOUND_NOTHING_YET, FOUND_ADDRESS, FOUND_FAILURE, FOUND_NONE, FOUND_INVALID } Finding;

typedef struct {
	int64_t last, next; /* since 1970; last 0: never, next 0: at the next scan */
	Finding finding;
	char *target; /* "HOST:PORT" that was asked for; owned */
} State;

typedef struct {
	char *domain, *host, *port;
	State state;
	unsigned seen;         /* the number of the walk that saw it last */
	unsigned scanned;      /* of the scan that took it up last: once each */
	bool is_taken_up;      /* by the scan that runs */
	bool is_gone;          /* no more in the table; whoever took it up frees it */
	PtnLookup *lookups[2]; /* A, AAAA; while it is being checked */
	int64_t begun;         /* the time left then */
} Helper;

typedef struct {
	atomic_bool is_scanning; /* whoever sets it has what follows to itself */
	int64_t next_scan;
	int64_t leased_until; /* past: perhaps another node looks after the helpers */
	bool is_read;         /* the helpers are those of `changes` */
	uint64_t changes;
	int64_t requests; /* of posternctl, that were taken */
	unsigned walks, scans;
	GHashTable *helpers; /* of Helper*, by domain */
} Instance;

/* What one check says. */
typedef struct {
	Finding finding;
	const char *address; /* of FOUND_ADDRESS */
	int64_t ttl;
} Outcome;

/* ---- state.c ---- */

void state_clear(State *state);
/* NONE: nothing is known.  `state` gets a target to be freed. */
PtnStatus state_read(PtnHook *h, const char *domain, State *state);
void state_write(PtnHook *h, const char *domain, const State *state);
void state_remove(PtnHook *h, const char *domain);
/* "no answer", "no address", …, for people. */
const char *state_finding_text(Finding finding);
/* posternctl wants this domain checked: told to whichever node holds the lease. */
PtnStatus state_request(PtnHook *h, const char *domain);
/* The requests since `*taken`, one at a time; NULL: there are no more. */
const char *state_next_request(PtnHook *h, int64_t *taken);

/* ---- check.c ---- */

/* Helpers are for these modes alone. */
bool check_is_mode_supported(const char *mode);
#define CHECK_MOST (20 * PTN_SECOND) /* a longer wait for an answer is no answer */

/* Starts what has to be asked for the helper. */
void check_start(PtnHook *h, Helper *helper);
bool check_is_there(PtnHook *h, const Helper *helper);
/* Judges the answers, switches the domain, tells people, writes the state. */
void check_finish(PtnHook *h, Helper *helper);
/* Takes the helper off its domain, whose mode it does not fit. */
void check_remove(PtnHook *h, PtnEntry *domain);

/* ---- scan.c ---- */

PtnVerdict scan_tick(PtnHook *h);
Instance *scan_instance(PtnHook *h);

/* ---- command.c ---- */

PtnVerdict command_add(PtnHook *h);
PtnVerdict command_set(PtnHook *h);
PtnVerdict command_list(PtnHook *h);
PtnVerdict command_show(PtnHook *h);
PtnVerdict command_check(PtnHook *h);
PtnVerdict command_remove(PtnHook *h);
/* Why this cannot be the host of a helper; NULL: it can. */
const char *command_host_complaint(PtnHook *h, const char *host);
const char *command_port_complaint(PtnHook *h, const char *port);
