/* stay.h - messages that stay with us because of a domain of the directory: held by its mode, or put off by its host.
 *
 * By domain: so that what is held can be shown and bounded, and goes on by itself when the domain changes.  Any thread.
 * In memory; what is held is found again at start. */
#pragma once

#include "engine/engine.h"

Stay *stay_new(void);
void stay_free(Stay *stay);

/* Why a message is held where the mode of its domain is; new.  Of a hold with such a reason stay_is_ours() is true. */
char *stay_reason(const char *domain);
bool stay_is_ours(const char *hold_reason);
/* Holds of domains and of adoptions are known by their reasons.  True: whoever else holds mail may not give this one. */
bool stay_reason_is_reserved(const char *reason);
/* The reason that a plugin gives, in other words if it is reserved; new. */
char *stay_reason_of_plugin(const char *plugin, const char *reason);

/* What a route found out of a domain; `way` is compared with what the directory says later.  NULL: it could not say. */
typedef struct {
	char *domain, *way;
} StayWay;

/* Mode and what goes with it; new. */
char *stay_way(const DirectoryEntry *domain);
/* The domain comes next on the way of a recipient; `ways` (of StayWay*) is made with the first. */
void stay_ways_add(GPtrArray **ways, const char *domain, const DirectoryEntry *entry);
/* Where the way ends; NULL: `ways` is NULL. */
const char *stay_last_domain(const GPtrArray *ways);
/* A number that the state of a recipient remembers the ways by, over restarts and releases; 0: `ways` is NULL. */
uint64_t stay_digest(const GPtrArray *ways);

typedef enum {
	STAY_SAME,    /* or not known: `digest` is 0 */
	STAY_CHANGED, /* a domain is another than it was */
	STAY_UNSURE,  /* the directory cannot say now */
} StayAnswer;

/* Follows the forwards of the directory from `address`.  `ways` (new, or NULL: it has no domain on the way): those of
 * which `digest` was made, or all that there are now.  Waits for the directory. */
StayAnswer stay_ways_compare(const Engine *engine, const char *address, uint64_t digest, GPtrArray **ways);

/* The message waits until the domain's way is another; `is_held`: it counts as held. */
void stay_add(Stay *stay, const StayWay *way, const SpoolSummary *message, bool is_held);
/* It has gone on, or is gone: in all its domains. */
void stay_forget(Stay *stay, QueueId id);

typedef struct {
	uint64_t messages, octets;
	int64_t oldest_us; /* arrival of the oldest, wall clock */
} StayFigures;

/* Of held messages only; all are 0 where none is. */
void stay_figures(Stay *stay, const char *domain, StayFigures *figures);
uint64_t stay_octets(Stay *stay, const char *domain);
/* New array of names (freed by it): domains that have held messages. */
GPtrArray *stay_held_domains(Stay *stay);

/* Enters what is held, at start; reads the envelopes of these messages, and notes which others are to be looked at, as
 * they were deferred before.  Once, before the first stay_look(). */
void stay_fill(Engine *engine);
/* The message came by an adoption: the next looks see which domains it waits for. */
void stay_note(Stay *stay, QueueId id);
/* Looks at domains that may have changed, and at some of the messages that were deferred before the start: what waited
 * for a domain whose way is another now is due at once.  One thread at a time; waits for the directory and the disk. */
void stay_look(Engine *engine);
