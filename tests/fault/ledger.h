/* ledger.h - what a client of the spool was told, step by step, and whether a spool agrees with it. */
#pragma once

#include "fault/sim-disk.h"
#include "mail/spool.h"

typedef struct Ledger Ledger;

/* New.  `sim` may be NULL: no steps are noted. */
Ledger *ledger_new(SimDisk *sim, uint32_t seed);
void ledger_free(Ledger *ledger);
/* `n` random operations on the spool: mail with copies, states, ends, flushes. */
void ledger_work(Ledger *ledger, Spool *spool, unsigned n);
/* Commits one message of that size with so many copies, waiting. */
SpoolResult ledger_commit(Ledger *ledger, Spool *spool, size_t size, unsigned n_copies);
/* The id of the message that comes next, and of the one that came last. */
void ledger_set_next(Ledger *ledger, QueueId id);
QueueId ledger_last(const Ledger *ledger);
/* The daemon was killed: states that were not flushed may be lost. */
void ledger_kill(Ledger *ledger);
/* Ends every message that is live, and flushes. */
bool ledger_finish_all(Ledger *ledger, Spool *spool);
/* How many mismatches there are between the spool and what was told up to `step`; each is printed. */
unsigned ledger_compare(Ledger *ledger, Spool *spool, guint step);
unsigned ledger_answers(const Ledger *ledger, SpoolResult result); /* how often it was given */

/* The index, as text: two spools that say the same are the same.  New. */
char *ledger_digest(Spool *spool);
/* Opens with small segments; prints why it cannot. */
Spool *ledger_open(const char *directory, const Disk *disk);
/* A system disk that does not sync: for what is thrown away anyway. */
const Disk *ledger_fast_disk(void);
