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

/* What a route found out of a domain; `way` is compared with what the directory says later. */
typedef struct {
	char *domain, *way;
} StayWay;

/* Mode and what goes with it; new. */
char *stay_way(const DirectoryEntry *domain);
void stay_way_clear(StayWay *way);

/* The message waits until the domain's way is another; `is_held`: it counts as held. */
void stay_add(Stay *stay, const StayWay *way, const SpoolSummary *message, bool is_held);
/* It has gone on, or is gone. */
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

/* Enters what is held at start; reads the envelopes of held messages.  Once, before the first stay_look(). */
void stay_fill(Engine *engine);
/* Looks at domains that may have changed: what waited for one whose way is another now is due at once.  One thread at a time;
 * waits for the directory and the disk. */
void stay_look(Engine *engine);
