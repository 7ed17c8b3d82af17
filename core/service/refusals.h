/* refusals.h - what was refused, by whom and why, for `posternctl why`: an append-only journal of 14 days.
 *
 * One file per day in `directory`, one JSON object a line; written behind by its own thread, so that
 * noting never waits (what does not fit the queue is counted).  Damaged or partial lines are skipped. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct Refusals Refusals;

typedef struct {
	int64_t time_us;
	const char *session, *queue_id, *client, *login, *sender, *recipient; /* NULL: not known */
	const char *stage, *plugin, *cause, *reply;
} Refusal;

typedef struct {
	const char *directory;
	int64_t keep_us;
	uint64_t most_per_day; /* octets of a day's file; what comes when it is full is lost, and counted */
	unsigned most_waiting; /* that wait to be written; the same */
} RefusalsSettings;

/* Makes the directory if needed. */
Refusals *refusals_open(const RefusalsSettings *settings, GError **error);
void refusals_close(Refusals *refusals);
void refusals_note(Refusals *refusals, const Refusal *refusal);
/* How many were lost because the queue or the day was full, or the disk refused. */
uint64_t refusals_lost(Refusals *refusals);
/* What was noted before the call is found.  Calls `each` for those in which `what` (NULL: all) equals a
 * session, queue id, client, login, sender or recipient
 * (addresses without case; a client that is a network equals the addresses in it), newest first, at most `limit`.  Reads
 * each day backwards in blocks. */
bool refusals_find(Refusals *refusals, const char *what, size_t limit,
	void (*each)(void *data, const Refusal *refusal), void *data, GError **error);
/* Removes the files of days older than the time to keep; called once an hour.  Days are those of UTC. */
void refusals_expire(Refusals *refusals, int64_t now_us);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Refusals, refusals_close)
