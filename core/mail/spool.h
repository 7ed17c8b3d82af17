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
#include "proto/octets.h"

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
/* The same of a state that will change further: its version becomes the new one, and its recipients count as unchanged.
 * If it was made of the present state, only what changed in it is written, where that is less. */
void spool_put_changes(Spool *spool, MessageState *state);
/* The same; false, and nothing is done: the message has gone, or has another state by now than the one that was read. */
bool spool_put_unchanged(Spool *spool, MessageState *state);
/* Waits until everything put so far is durable, at most until `until_us` (monotonic).  False: it is not; a batch
 * failed, the disk is full, or the time is over.  The states are kept and written when that is possible. */
bool spool_flush(Spool *spool, int64_t until_us);

/* True while results of deliveries can be expected to become durable soon: the spool is open, its last batch succeeded,
 * at most 500 results are not durable yet, and none of them is older than a second.  Nothing is to be delivered
 * otherwise.  Does not wait. */
bool spool_can_record(Spool *spool);
/* Waits for that until `until_us` (monotonic). */
bool spool_wait_can_record(Spool *spool, int64_t until_us);

/* ---- reading ---- */

typedef struct SpoolReader SpoolReader;

/* A message as the queue holds it: envelope, present state, content.  Private to its caller. */
typedef struct {
	Envelope *envelope;
	MessageState *state;
	uint64_t size;      /* of the content as stored */
	OctetFacts facts;   /* of the content as stored, once it was read */
	Spool *spool;
	const char *content; /* all of it, behind which a NUL stands; NULL before spool_read_whole() */

	/* the spool's own */
	char *octets;
	uint64_t accounted;
	SpoolReader *reader;
	size_t header_end;
} SpoolMessage;

/* New.  NULL: NOT_FOUND, or DAMAGED, IO. */
SpoolMessage *spool_read(Spool *spool, QueueId id, GError **error);
void spool_message_free(SpoolMessage *message);
/* Reads all of the content once and verifies its checksum; one of at most 256 KiB is then in memory, a larger one is
 * not.  Blocks.  False: NOT_FOUND, DAMAGED, or IO (the disk cannot read it now; spool_damage() says so). */
bool spool_read_content(SpoolMessage *message, GError **error);
/* The same, and then all of it is in `content`, accounted like content that arrives ([spool] memory) until the message is
 * freed.  Blocks.  False, besides: FULL. */
bool spool_read_whole(SpoolMessage *message, GError **error);
/* The message as it is to be shown or sent: top lines, content without its cuts, bottom lines.  A large content is read
 * from the disk in steps of 256 KiB, each of which is passed on only if it is what spool_read_content(), which comes
 * first, verified.  Blocks.  False: `piece` returned false, or, with an error, DAMAGED or IO: what was passed on is then not
 * all of the message. */
typedef bool SpoolPiece(void *data, const char *octets, size_t size);
bool spool_message_pieces(const SpoolMessage *message, SpoolPiece *piece, void *data, GError **error);
/* The content alone, as it was received. */
bool spool_content_pieces(const SpoolMessage *message, SpoolPiece *piece, void *data, GError **error);
/* How many octets spool_message_pieces() would pass on.  Reads nothing. */
uint64_t spool_message_octets(const SpoolMessage *message);

/* Of a QueueId, for a GHashTable; g_int64_hash() lets ids of one second fall together. */
guint spool_id_hash(const void *id);

/* What the index knows of each live message, without touching the disk. */
typedef struct {
	QueueId id;
	uint64_t size;
	int64_t next_us; /* of a held message: when it is released, or CLOCK_NEVER */
	int64_t arrived_us;
	unsigned n_pending, n_recipients, attempts;
	bool is_held;  /* the message    */
	bool has_held; /* a recipient by itself, while the message is not */
	uint64_t version;
} SpoolSummary;

/* Calls `each` for all live messages, oldest first, until it returns false; under the index lock: be brief. */
void spool_each(Spool *spool, bool (*each)(void *data, const SpoolSummary *summary), void *data);
bool spool_summary(Spool *spool, QueueId id, SpoolSummary *summary);
size_t spool_count(Spool *spool);
/* The latest id (by id_is_later()) that the log has ever had, freed segments included; 0: none.  A source that passed it
 * draws no id a second time, however the clock was set. */
QueueId spool_highest_id(Spool *spool);

typedef struct {
	uint64_t messages, segments, log_octets, live_octets, files, free_octets;
	uint64_t commits, transactions, states, sync_us_last, sync_us_max, compacted_octets;
	/* From spool_put_state() until it is durable: a crash within delivers again what the next hop has. */
	uint64_t state_us_last, state_us_max;
	uint64_t unwritten; /* results of deliveries that are not durable yet */
	uint64_t damage; /* sentences of spool_damage() so far */
	bool is_closed, has_damage, can_record;
} SpoolFigures;

void spool_figures(Spool *spool, SpoolFigures *figures);
/* After SPOOL_CLOSED, until a probe succeeds: what cannot be recorded is not begun. */
bool spool_is_closed(Spool *spool);
/* New: what was found damaged, or could not be read, at start and since, one sentence each; at most a thousand. */
GPtrArray *spool_damage(Spool *spool);
/* After SPOOL_CLOSED: tries to write and sync again; true if it is open. */
bool spool_probe(Spool *spool);

/* ---- for posternctl, on a spool that no daemon owns ---- */

/* Reads everything, changes nothing; one sentence per finding.  True: all is whole. */
bool spool_check(const SpoolSettings *settings, GPtrArray *findings, GError **error);
/* The start after it counts what can be read of that segment, reports the rest as damage, and never writes to it.  False:
 * NOT_FOUND, EXISTS (a daemon owns the spool, or it was set aside before), IO. */
bool spool_set_aside(const SpoolSettings *settings, uint64_t number, GError **error);
/* Takes the live messages of the spool in `directory` (of a lost node) into this one, each with its state, and records
 * there whose they are; until then they are held here.  One whose id a message has here already gets a new one of `ids`,
 * and the log says both.  What an interruption left over is finished by the next call: also where it was another spool's
 * adoption, and that spool is adopted, in any order.  `n`: how many are free to go now.  Blocks.  False: NOT_FOUND, EXISTS
 * (a daemon owns it), IO, or DAMAGED (what is damaged stays there).  A queue over this spool learns of them by
 * queue_refill(). */
bool spool_adopt(Spool *spool, const char *directory, IdSource *ids, size_t *n, GError **error);
/* The message is held because an adoption was not finished: nobody may send it. */
bool spool_is_adopting(const char *hold_reason /* may be NULL */);
/* The reason of a hold that comes to a message which is held for `hold_reason`: an adoption goes on behind it, and the
 * message is held for `added` (NULL: "") when it is finished.  New. */
char *spool_hold_behind(const char *hold_reason, const char *added);
/* New: from which spools they are, and where those stood, as far as that is known; for people.  Blocks as well. */
char *spool_adopting_from(Spool *spool);
/* How many messages are held because an adoption was not finished.  Blocks: it reads every held message. */
size_t spool_count_adopting(Spool *spool);
/* "0123…", 32 hex digits: random, and the same over restarts.  Lives as long as the spool. */
const char *spool_instance(const Spool *spool);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Spool, spool_close)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SpoolTransaction, spool_transaction_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SpoolMessage, spool_message_free)
