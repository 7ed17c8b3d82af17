/* spool.h - the durable log that keeps every message from its 250 to its end (doc/spool-format.md).
 *
 * 250 after end-of-data means that message, envelope and every copy survive a power cut.  One daemon
 * owns a spool.  Any thread may call any function unless it says otherwise. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/id.h"
#include "mail/content.h"
#include "mail/disk.h"
#include "mail/envelope.h"
#include "mail/state.h"

typedef struct {
	const char *directory;
	const Clock *clock;
	const Disk *disk;              /* NULL: the system's */
	uint64_t segment_size;         /* 0: 64 MiB; tests use less */
	uint64_t large;                /* content above has a file of its own; 0: 256 KiB */
	uint64_t memory;               /* of content in memory, over all sessions; 0: 256 MiB */
	uint64_t keep_free;            /* octets of the volume below which new mail is refused */
} SpoolSettings;

typedef enum {
	SPOOL_COMMITTED,
	SPOOL_FAILED, /* 451 4.3.0: the write or the sync failed; it will not come back */
	SPOOL_FULL,   /* 452 4.3.1 */
	SPOOL_CLOSED, /* 451 4.3.0: the spool is closed after a failure that could not be mended */
} SpoolResult;

/* Called once, by the committer's thread; must not wait. */
typedef void SpoolDone(void *data, SpoolResult result);

/* Recovers and starts the committer.  Every live message is then in the index: see spool_each(). */
Spool *spool_open(const SpoolSettings *settings, GError **error);
/* Syncs the last batch, stops the threads.  Nothing may be in use any more. */
void spool_close(Spool *spool);

/* Content once, an envelope per message (the original first, then copies), and states of other messages
 * that change with it (a bounce and the state that says "bounced").  All of it is durable, or none. */
typedef struct SpoolTransaction SpoolTransaction;
SpoolTransaction *spool_transaction_new(void);
void spool_transaction_free(SpoolTransaction *transaction);
void spool_transaction_set_content(SpoolTransaction *transaction, Content *content /* takes */);
/* `state`: its first state (held, say), or NULL: pending and due at once.  Takes both. */
void spool_transaction_add(SpoolTransaction *transaction, Envelope *envelope, MessageState *state);
/* Takes.  The state of a message already in the spool. */
void spool_transaction_add_state(SpoolTransaction *transaction, MessageState *state);

/* False, at once and without `done`, if new mail would be refused now; `reason` says how. */
bool spool_has_room(Spool *spool, SpoolResult *reason);
/* Sets aside octets of the volume for a message that grows; to be given back when it was written, committed or dropped.
 * False: with it less than keep_free would be left; nothing was set aside.  May look at the volume, does not wait. */
bool spool_reserve(Spool *spool, uint64_t octets);
void spool_unreserve(Spool *spool, uint64_t octets);
/* Takes the transaction; `done` is always called, later, by another thread. */
void spool_commit(Spool *spool, SpoolTransaction *transaction, SpoolDone *done, void *data);
/* The same, waiting: for workers and delivery threads. */
SpoolResult spool_commit_wait(Spool *spool, SpoolTransaction *transaction);
/* A state on its own: rides with the next batch, at most 100 ms later.  Takes. */
void spool_put_state(Spool *spool, MessageState *state);
/* Waits until everything put so far is durable; false: a sync failed. */
bool spool_flush(Spool *spool);

/* ---- reading ---- */

/* A message as the queue holds it: envelope, present state, content.  Private to its caller. */
typedef struct {
	Envelope *envelope;
	MessageState *state;
	uint64_t size;      /* of the content as stored */
	Spool *spool;
	const char *content; /* mapped or read by spool_read_content(); NULL before */
	void *mapping;       /* how to let go of it */
	size_t mapping_size;
} SpoolMessage;

/* New.  NULL: NOT_FOUND, or DAMAGED, IO. */
SpoolMessage *spool_read(Spool *spool, QueueId id, GError **error);
void spool_message_free(SpoolMessage *message);
/* Fills content/size, its checksum verified. */
bool spool_read_content(SpoolMessage *message, GError **error);
/* The message as it is to be shown or sent: top lines, content without its cuts, bottom lines, in pieces
 * for writev.  False from `piece` ends it.  spool_read_content() first. */
typedef bool SpoolPiece(void *data, const char *octets, size_t size);
bool spool_message_pieces(const SpoolMessage *message, SpoolPiece *piece, void *data);

/* Of a QueueId, for a GHashTable; g_int64_hash() lets ids of one second fall together. */
guint spool_id_hash(const void *id);

/* What the index knows of each live message, without touching the disk. */
typedef struct {
	QueueId id;
	uint64_t size;
	int64_t next_us; /* of a held message: when it is released, or CLOCK_NEVER */
	int64_t arrived_us;
	unsigned n_pending, n_recipients, attempts;
	bool is_held;
	uint64_t version;
} SpoolSummary;

/* Calls `each` for all live messages, oldest first, until it returns false; under the index lock: be brief. */
void spool_each(Spool *spool, bool (*each)(void *data, const SpoolSummary *summary), void *data);
bool spool_summary(Spool *spool, QueueId id, SpoolSummary *summary);
size_t spool_count(Spool *spool);

typedef struct {
	uint64_t messages, segments, log_octets, live_octets, files, free_octets;
	uint64_t commits, transactions, states, sync_us_last, sync_us_max, compacted_octets;
	/* From spool_put_state() until it is durable: a crash within delivers again what the next hop has. */
	uint64_t state_us_last, state_us_max;
	bool is_closed, has_damage;
} SpoolFigures;

void spool_figures(Spool *spool, SpoolFigures *figures);
/* After SPOOL_CLOSED, until a probe succeeds: what cannot be recorded is not begun. */
bool spool_is_closed(Spool *spool);
/* New: what was found damaged at start, one sentence each. */
GPtrArray *spool_damage(Spool *spool);
/* After SPOOL_CLOSED: tries to write and sync again; true if it is open. */
bool spool_probe(Spool *spool);

/* ---- for posternctl, on a spool that no daemon owns ---- */

/* Reads everything, changes nothing; one sentence per finding.  True: all is whole. */
bool spool_check(const SpoolSettings *settings, GPtrArray *findings, GError **error);
/* Takes the live messages of the spool in `directory` (of a lost node) into this one, each with its state,
 * and marks them there as taken, so that an interrupted adoption goes on where it stood: until it is marked
 * there, a message is held here.  `n`: how many.  Damaged ones stay where they are, and make it false.
 * A queue over this spool learns of them by queue_refill(). */
bool spool_adopt(Spool *spool, const char *directory, size_t *n, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Spool, spool_close)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SpoolTransaction, spool_transaction_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SpoolMessage, spool_message_free)
