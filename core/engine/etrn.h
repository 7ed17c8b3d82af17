/* etrn.h - requests to try the mail of a domain at once (ETRN, RFC 1985), coalesced.
 *
 * A pass over the queue reads every message of it, so clients only ask for one: of a domain that was
 * asked for a moment ago nothing is done, passes have a distance, and the list of those that wait has a
 * bound.  Whether a domain is ours is looked at when its turn comes, so that no answer and no time tells
 * a client which domains are hosted here. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "base/clock.h"
#include "io/workers.h"
#include "service/directory.h"

typedef struct Etrn Etrn;

typedef struct {
	const Clock *clock;
	Workers *workers;     /* NULL: a pass is begun by the thread that asks; for tests */
	Directory *directory;
	/* Messages for `domain` are due at once.  May wait. */
	void (*retry)(void *data, const char *domain);
	void *data;
	int64_t again_us;     /* a domain is not tried again within */
	int64_t distance_us;  /* between two passes */
	unsigned most;        /* domains that wait; ten times as many are known to have been tried in `again_us` */
} EtrnSettings;

Etrn *etrn_new(const EtrnSettings *settings);
void etrn_free(Etrn *etrn); /* no pass runs any more; NULL is allowed */
/* Any thread; never waits (with workers).  What does not fit the list is forgotten: the queue tries it in its own time. */
void etrn_ask(Etrn *etrn, const char *domain);
/* Once a second: begins the pass of a domain that waits, if it is time. */
void etrn_tick(Etrn *etrn);
/* Domains that wait. */
unsigned etrn_waiting(Etrn *etrn);
