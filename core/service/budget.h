/* budget.h - what a limit answers when it is reached, and the two kinds of counters behind limits.
 *
 * A gauge counts what is in use now, a rate what happened in the present minute.  Any thread; neither
 * locks nor waits. */
#pragma once

#include <glib.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "service/metrics.h"

/* The reply to send when a limit is reached.  Static; `name` is the limit's name in metrics and log. */
typedef struct {
	const char *name;
	int code;
	const char *enhanced, *text;
	bool is_of_all; /* all clients together reached it: not the fault of the one that is refused */
} BudgetRefusal;

/* The metric "limit.NAME". */
void budget_count_refusal(const BudgetRefusal *refusal, Metrics *metrics);

/* References to an object of a table: whoever looks it up there and refers to it holds the table's lock, and so does whoever
 * drops the last reference; in between the counter needs no lock. */
typedef atomic_uint BudgetReferences;

void budget_ref(BudgetReferences *references);
/* Takes one away, and the table's lock where it may be the last.  True: it was, and the lock is held, to be given back by the
 * caller. */
bool budget_unref_and_lock(BudgetReferences *references, GMutex *lock);

typedef atomic_ullong BudgetGauge;
typedef atomic_ullong BudgetRate; /* the minute in the upper 32 bits, the count in the lower */

/* True: `n` more are in use now.  False: that would be more than `most`; nothing changed. */
bool budget_gauge_add(BudgetGauge *gauge, uint64_t n, uint64_t most);
void budget_gauge_remove(BudgetGauge *gauge, uint64_t n);

/* Counts one, and says how many there are in this minute.  `now_us`: monotonic. */
unsigned budget_rate_count(BudgetRate *rate, int64_t now_us);
/* How many there were in the minute of `now_us`. */
unsigned budget_rate_read(const BudgetRate *rate, int64_t now_us);
