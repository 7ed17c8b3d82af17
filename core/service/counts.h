/* counts.h - counting with the store so that nothing is forgotten and nothing is counted twice.
 *
 * What the store does not take is kept here and stored when it can be, however often that is tried.  A call that was not answered
 * may have been done, or be done later; so each batch of a key takes a number, a counter of its own beside those of the key
 * (its *mark*), in the same step: a batch whose number the mark has already is not added again.  Such a mark is of one table
 * and one key; it goes with them.
 *
 * While a remote store is unavailable the memory that stands in for it (store.h) is not asked: it forgets.
 *
 * Any thread; functions with a deadline block until it, if the store is remote. */
#pragma once

#include "service/metrics.h"
#include "service/store.h"

typedef struct Counts Counts;

typedef struct {
	Store *store;       /* borrowed, as all here; outlives the table; windows go by its clock */
	Metrics *metrics;   /* "counts.kept": keys with something that is not stored; "counts.lost"; alarm "counts.lost" */
	size_t most_keys;   /* that are known at a time; 0: 20,000 */
} CountsSettings;

/* New. */
Counts *counts_new(const CountsSettings *settings);
/* What is still kept is lost: counts_flush() and counts_save() before. */
void counts_free(Counts *counts);

/* Adds to counters of `key`; those of earlier calls that are still kept first.  `most` of a tally is not looked at.  OK: it is
 * stored, and `total` of each is the store's.  UNSURE: it is kept, and `total` is what is kept of this counter, here, in its
 * present window.  Each call names all counters that the key has.  What is kept is dropped when its window is over: nobody asks
 * any more.  Beyond `most_keys` what cannot be stored is lost, and counted. */
PtnStatus counts_add(Counts *counts, const char *key, StoreTally *tallies, size_t n, int64_t deadline_us);
/* The same without asking the store: it is kept at first, and stored with the next call of the key, or within some ten
 * seconds by counts_flush_due(). */
void counts_add_later(Counts *counts, const char *key, const StoreTally *tallies, size_t n);
/* All counters of the key start from nothing, for all nodes.  UNSURE: they do here, and will for the others. */
PtnStatus counts_restart(Counts *counts, const char *key, int64_t deadline_us);
/* Stores what is due, or all that is kept, as far as the store takes it; false: something is left. */
bool counts_flush_due(Counts *counts, int64_t deadline_us);
bool counts_flush(Counts *counts, int64_t deadline_us);

/* Writes what is kept to a file, for the next process; nothing kept is no file.  Blocks on the disk. */
bool counts_save(Counts *counts, const char *path, GError **error);
/* Keeps it again, and removes the file; before anybody counts.  No file is nothing. */
bool counts_load(Counts *counts, const char *path, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Counts, counts_free)
