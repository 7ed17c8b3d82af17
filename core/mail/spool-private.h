/* spool-private.h - what the files of the spool share.
 *
 * Three threads: the committer (spool-commit.c) alone writes batches and is the only one to touch the active
 * segment; the keeper (spool-segment.c) makes segments ready, seals, recycles, unlinks; the compactor
 * (spool-compact.c) empties the oldest segment.  Locks: `lock` before `index_lock`, where both are held. */
#pragma once

#include <stdatomic.h>

#include "base/thread.h"
#include "mail/spool-record.h"
#include "mail/spool.h"

enum {
	SPOOL_SEGMENT_SIZE = 64 << 20,
	SPOOL_LARGE = 256 << 10,
	SPOOL_STEP = 1 << 20,       /* a segment is zero-filled in synced steps of this size */
	SPOOL_BATCH_MOST = 4 << 20,
	SPOOL_BATCH_PARTS = 1000,   /* below IOV_MAX */
	SPOOL_STATES_MOST = 1 << 20, /* octets of a batch for states alone, and for what is moved */
	SPOOL_MOVES_MOST = 512 << 10,
	SPOOL_RESERVED = 2,         /* segments that new mail does not touch */
	SPOOL_READY = SPOOL_RESERVED + 1,
	SPOOL_SPARES = 4,
	SPOOL_LEAST_SEGMENTS = 16,
	SPOOL_NO_BATCH = 1, /* no batch has this number; the first has the next one */
	SPOOL_UNWRITTEN_SOON = 200, /* so many results do not wait for a batch to ride with */
	SPOOL_UNWRITTEN_MOST = 500, /* with more of them no delivery is begun */
	SPOOL_CHANGES_LEAST = 16,   /* a state of fewer recipients is written whole */
	SPOOL_CHANGES_MOST = 32,    /* records of changes in a row, until the state is written whole */
};

#define SPOOL_MEMORY (UINT64_C(256) << 20)
#define SPOOL_STATE_DELAY_US (100 * INT64_C(1000))
#define SPOOL_PROBE_US (5 * INT64_C(1000000)) /* a closed spool is tried again this often */
#define SPOOL_RETRY_US (1 * INT64_C(1000000)) /* and what a full disk prevented, this often */
#define SPOOL_UNWRITTEN_US (1 * INT64_C(1000000)) /* a result older than this is not expected to become durable */

typedef struct SpoolEntry SpoolEntry;
typedef struct StatePut StatePut;

/* Held by the log while it is in use, by each reader and job, by nothing else. */
typedef struct {
	gint refs;
	int fd;
	uint64_t number, size;
	bool has_damage; /* `lock`; kept in lost/ when it is free, never used again */
	bool is_aside;   /* log/aside-NUMBER: its batches count as far as they can be read */

	/* the committer's (at start: recovery's) */
	uint64_t end; /* where the next batch goes */
	uint64_t first_batch, previous, last_batch, oldest;
	GByteArray *rows; /* of the summary; NULL once sealed */
	bool is_ended;    /* by a failed sync: no summary */

	/* index_lock */
	SpoolEntry *entries;
	uint64_t live_octets;
} SpoolSegment;

/* A content file, and how many contents lie in it. */
typedef struct {
	uint64_t number;
	unsigned refs;
} SpoolFile;

/* The content of one transaction, shared by the entries of its messages. */
typedef struct {
	unsigned refs;
	SpoolPlace place;
	SpoolSegment *segment; /* IN_SEGMENT */
} SpoolContent;

/* Where a record is. */
typedef struct {
	SpoolSegment *segment;
	uint32_t offset, length;
} RecordPlace;

/* A message in the index. */
struct SpoolEntry {
	QueueId id;
	uint64_t given;         /* version given last */
	uint64_t version;       /* of the state that the fields below tell */
	SpoolSegment *segment;  /* of the message record */
	SpoolSegment *state_segment; /* of the state record; NULL: it stands in the message record */
	uint32_t offset, length, state_offset, state_length;
	GArray *changes;        /* of RecordPlace: records of what changed since then, in their order; NULL: none */
	uint64_t placed;        /* version of the state that all these records make */
	SpoolContent *content;
	StatePut *pending;      /* its latest state, not yet durable; NULL: it is */
	int64_t next_us, arrived_us;
	uint32_t n_pending, n_recipients, attempts;
	bool is_held, has_held, is_finished, is_moving;
	bool is_stuck; /* the disk could not read it when it was to be moved: later again */
	SpoolEntry *older, *newer;         /* of all */
	SpoolEntry *before, *after;        /* of its segment */
};

/* A state on its way to the log. */
struct StatePut {
	StatePut *next;
	bool is_superseded; /* index_lock */
	unsigned n_results; /* index_lock; recipients whose result it brings, those of superseded ones included */
	int64_t put_us;     /* monotonic */
	SpoolRow row;
	uint32_t size;
	uint8_t octets[];   /* the record */
};

typedef struct {
	Envelope *envelope;
	MessageState *state;
} SpoolAddition;

struct SpoolTransaction {
	SpoolTransaction *next;
	Content *content;
	GArray *additions;  /* of SpoolAddition, until encoded */
	GPtrArray *states;  /* of MessageState*, until encoded */
	GByteArray *octets; /* its records */
	GArray *rows;       /* of SpoolRow, offsets within `octets` */
	uint32_t n_records;
	bool is_barrier;    /* of spool_flush() */
	uint64_t base;      /* where in the segment its octets went */
	SpoolDone *done;
	void *data;
	SpoolResult result;
};

/* A message to be written anew, out of the oldest segment. */
typedef struct SpoolMove SpoolMove;
struct SpoolMove {
	SpoolMove *next;
	QueueId id;
	uint64_t version; /* of `state`; if it is not the present one any more, the move is dropped */
	GByteArray *octets; /* the record */
	SpoolRow row;
	bool is_written;
};

/* One batch being put together by the committer. */
typedef struct {
	uint8_t header[SPOOL_BATCH_HEADER];
	struct iovec *parts;
	int n_parts;
	uint64_t size;  /* header and records so far */
	uint32_t n_records, n_rows;
	bool is_trial;  /* written even without records, to learn whether the disk takes a batch again */
	bool has_mark;
	uint8_t mark[SPOOL_MARK];
	SpoolRow mark_row;
	SpoolTransaction *transactions, **last_transaction;
	StatePut *states, **last_state;
	SpoolMove *moves, **last_move;
} SpoolBatch;

struct Spool {
	const Clock *clock;
	const Disk *disk;
	char *directory, *log_directory, *content_directory;
	uint64_t segment_size, large, memory, keep_free;
	uint8_t id[SPOOL_ID_SIZE];
	char id_text[2 * SPOOL_ID_SIZE + 1]; /* set by spool_open() */
	int lock_fd;
	bool is_read_only; /* spool_check() */
	bool is_older;     /* of a format version before ours */
	unsigned n_repeated; /* reads of the start */
	bool is_replaying; /* at start: files are looked after once all is known */

	atomic_uint_fast64_t in_memory;   /* octets of content */
	atomic_uint_fast64_t reserved;    /* octets of messages not committed and not written: spool-room.c */
	atomic_uint_fast64_t room_seen;   /* free octets of the volume, and when they were seen */
	atomic_llong room_seen_us;
	atomic_uint_fast64_t next_file;
	gint n_files;

	GMutex lock; /* guards what follows, up to the next lock */
	GCond committer_wakes, keeper_wakes, compactor_wakes, ready_came, backlog_shrank;
	bool is_stopping, is_closed, is_mail_full, has_prepare_failed, wants_probe;
	bool is_keeper_stopping, wants_retry; /* of what failed, now */
	unsigned probes; /* how many ended */
	int64_t compact_pause_us, compact_due_us; /* the compactor's own: how long it rests when nothing could be moved */
	SpoolTransaction *waiting, **last_waiting;
	StatePut *states, **last_state;
	int64_t states_since_us; /* of the first waiting state, monotonic */
	uint64_t n_unwritten;    /* results put and not durable */
	int64_t unwritten_since_us; /* the oldest of them; monotonic, 0: none */
	bool has_failed_batch;   /* and none has succeeded since */
	int64_t trial_us;        /* then: when an empty one is written, if no other is; monotonic */
	unsigned n_backlog_waiters;
	SpoolMove *moves, **last_move;
	uint64_t n_moves; /* waiting, or in the batch being written */
	GQueue segments; /* in use, oldest first; the last one is active */
	GQueue ready;    /* zero-filled or recycled, in the order of their numbers */
	GQueue freed;    /* to be recycled by the keeper */
	GQueue sealing;  /* a summary is to be written */
	GQueue spares;   /* numbers (new) of log/spare-N */
	uint64_t next_segment;
	uint64_t marked_segment; /* the newest one with a mark: older ones may be freed */
	SpoolFigures figures;
	GPtrArray *damage;

	/* the committer's own */
	SpoolSegment *active;
	uint64_t last_batch, next_batch;
	uint64_t ended_segment, ended_batch; /* to be declared before anything is written */
	GArray *undecided; /* numbers of content files of the batch that may come back until then */
	SpoolBatch batch;

	GMutex unlink_lock; /* within any other; guards `unlinks` */
	GArray *unlinks;    /* numbers of content files that go */

	GMutex index_lock; /* guards the index, and the marked fields of segments */
	GHashTable *index; /* &entry->id → entry, owned */
	GHashTable *files; /* &file->number → SpoolFile, owned */
	SpoolEntry *oldest, *newest;
	QueueId highest_id;  /* of all that the log ever had, by id_is_later() */
	size_t n_messages; /* without those finished, whose record is not durable yet */

	Thread *committer, *keeper, *compactor;
};

/* spool.c */
Spool *spool_new(const SpoolSettings *settings);
void spool_unload(Spool *spool);
char *spool_segment_path(const Spool *spool, const char *prefix, uint64_t number); /* new */
char *spool_file_path(const Spool *spool, uint64_t number);                        /* new */
bool spool_sync_directory(Spool *spool, const char *path, GError **error);
void spool_note_damage(Spool *spool, const char *format, ...) G_GNUC_PRINTF(2, 3); /* `lock` held, or no thread runs */
bool spool_lose(Spool *spool, const char *path); /* moves it to lost/ */
void spool_list_init(Spool *spool);

/* spool-room.c */
bool spool_room_is_short(Spool *spool); /* less is free than keep_free; any thread */

/* spool-start.c */
bool spool_load(Spool *spool, GError **error); /* lock, format, recovery; no thread runs */

/* spool-transaction.c */
bool spool_encode(Spool *spool, SpoolTransaction *transaction);

/* spool-commit.c */
gpointer spool_committer(gpointer data);
void spool_state_put_free(StatePut *put);
void spool_move_free(SpoolMove *move);

/* spool-backlog.c; with `lock` held */
void spool_backlog_put(Spool *spool, const StatePut *put, unsigned n_results);
void spool_backlog_written(Spool *spool, uint64_t n_results);
void spool_backlog_dropped(Spool *spool, uint64_t n_results, bool is_batch_empty);
void spool_backlog_failed(Spool *spool);
bool spool_backlog_is_urgent(const Spool *spool);
bool spool_backlog_can_record(const Spool *spool);

/* spool-fill.c; with `lock` held */
bool spool_fill(Spool *spool, SpoolBatch *batch);
bool spool_batch_is_to_write(const SpoolBatch *batch); /* it has records beside a mark, or is a trial */
void spool_roll(Spool *spool);

/* spool-batch.c */
void spool_batch_init(SpoolBatch *batch);
bool spool_batch_write(Spool *spool, SpoolBatch *batch);
bool spool_pwrite(const Disk *disk, int fd, struct iovec *parts, int n, uint64_t offset);

/* spool-file.c */
void spool_unlink_later(Spool *spool, uint64_t number);

/* spool-segment.c */
gpointer spool_keeper(gpointer data);
SpoolSegment *spool_segment_new(uint64_t number, uint64_t size, int fd);
SpoolSegment *spool_segment_ref(SpoolSegment *segment);
void spool_segment_unref(SpoolSegment *segment);
void spool_segment_close(Spool *spool, SpoolSegment *segment);
SpoolSegment *spool_segment_prepare(Spool *spool, GError **error);
void spool_segment_add_row(SpoolSegment *segment, const SpoolRow *row);
uint64_t spool_summary_size(uint64_t n_rows);
bool spool_segment_write_header(Spool *spool, SpoolSegment *segment, uint64_t ended_segment, uint64_t ended_batch);

/* spool-index.c; with index_lock held */
void spool_index_init(Spool *spool);
void spool_index_free(Spool *spool);
SpoolEntry *spool_index_find(Spool *spool, QueueId id);
bool spool_knows_id(Spool *spool, QueueId id); /* takes `index_lock`; a message that is ending, too */
SpoolContent *spool_index_content(Spool *spool, const SpoolPlace *place, SpoolSegment *segment);
void spool_index_add(Spool *spool, const SpoolRow *row, SpoolSegment *segment, SpoolContent *content);
void spool_index_place(SpoolEntry *entry, const SpoolRow *row, SpoolSegment *segment);
void spool_index_apply(SpoolEntry *entry, const SpoolRow *row);
void spool_index_set_state_place(SpoolEntry *entry, const SpoolRow *row, SpoolSegment *segment);
/* False, and logged: it is the state of another envelope. */
bool spool_index_takes(const SpoolEntry *entry, const MessageState *state);
void spool_index_remove(Spool *spool, SpoolEntry *entry);
void spool_content_unref(Spool *spool, SpoolContent *content);
void spool_index_move_content(Spool *spool, SpoolContent *content, const SpoolPlace *place);
void spool_index_finish(Spool *spool, SpoolEntry *entry);
void spool_index_sort(Spool *spool);
SpoolFile *spool_index_file(Spool *spool, uint64_t number);
void spool_index_drop_file(Spool *spool, uint64_t number);

/* spool-check.c */
GArray *spool_ids(Spool *spool); /* new, of QueueId: all live ones, oldest first */

/* spool-recover.c */
bool spool_recover(Spool *spool, GError **error);

/* What a segment says, by its summary or read batch by batch. */
typedef struct {
	GArray *rows; /* of SpoolRow */
	uint64_t first_batch, previous, last_batch, oldest, end;
	uint64_t last_at;     /* where the last batch lies; 0: known by the summary only */
	uint32_t last_length;
	bool has_summary, has_mark;
	QueueId highest;
	GPtrArray *findings; /* sentences */
	GByteArray *buffer;  /* the batch looked at */

	/* where the disk could not be read */
	unsigned n_unread;
	uint64_t unread_at;   /* there a batch may stand; 0: nowhere */
	int unread_errno;
	bool hides;           /* one did: a later batch follows on one that was not read */
	bool has_torn;        /* the header of a batch that is not whole stands behind the last one */
} SpoolScan;

typedef enum { SPOOL_SUMMARY_GOOD, SPOOL_SUMMARY_NONE, SPOOL_SUMMARY_UNREADABLE } SpoolSummaryResult;

/* spool-scan.c */
void spool_scan_init(SpoolScan *scan);
void spool_scan_clear(SpoolScan *scan);
void spool_scan_drop_rows(SpoolScan *scan);
void spool_scan_reset(SpoolScan *scan); /* all but the findings */
SpoolSummaryResult spool_scan_summary(Spool *spool, const SpoolSegment *segment, SpoolScan *scan);
/* Batches above `limit` do not count; 0: all do. */
void spool_scan_batches(Spool *spool, const SpoolSegment *segment, uint64_t limit, SpoolScan *scan);
/* Reads until `size` octets are there or the file ends, however short single reads are; how many; -1 and errno. */
ssize_t spool_pread_most(const Disk *disk, int fd, void *data, size_t size, uint64_t offset);
/* All of it, or false and errno: ENODATA if the file ends before. */
bool spool_pread(const Disk *disk, int fd, void *data, size_t size, uint64_t offset);
/* The same for the start: an error is given a second and a third chance, some times. */
bool spool_pread_again(Spool *spool, int fd, void *data, size_t size, uint64_t offset);

/* A segment that was found at the start. */
typedef struct {
	SpoolSegment *segment;
	SpoolSegmentHeader header;
	bool has_header;
	int header_errno; /* it could not be read */
	uint64_t limit;   /* is_ended: batches above do not count */
	bool is_ended;
	SpoolScan scan;
} Found;

typedef struct {
	GArray *found;         /* of Found, by number */
	GPtrArray *unfinished; /* paths of segments whose making was interrupted */
	uint64_t highest_batch, oldest;
	guint n_used; /* how many have batches, or stand before one that has */
	GArray *last_files; /* of uint64_t: content files that the last batch names */
} Recovery;

/* spool-list.c: the names in log/, and what the headers say. */
bool spool_list_log(Spool *spool, Recovery *recovery, GError **error);
bool spool_parse_name(const char *name, const char *prefix, uint64_t *number); /* "PREFIX" and 16 hex digits */

/* spool-judge.c: what is damaged, and whether it is known which messages there are. */
bool spool_judge(Spool *spool, Recovery *recovery, GError **error);
bool spool_refuse_unread(const Spool *spool, const Found *found, GError **error); /* false, always */

/* spool-replay.c: what a segment says goes into the index. */
bool spool_replay(Spool *spool, Recovery *recovery, Found *found, GError **error);

/* spool-tail.c: what was read at the start may be in the page cache only; it is written and synced again. */
bool spool_renew_tail(Spool *spool, const Recovery *recovery, GError **error);

/* Where a message is, taken under the index lock; the segments stay until it is let go of. */
typedef struct {
	SpoolSegment *segment, *state_segment, *content_segment;
	uint32_t offset, length, state_offset, state_length;
	GArray *changes; /* of RecordPlace, with references; NULL: none */
	uint64_t version;
	SpoolPlace place;
	GByteArray *pending; /* a record of the state or of changes, not durable yet */
} Whereabouts;

/* spool-read.c */
bool spool_look_up(Spool *spool, QueueId id, Whereabouts *found);
void spool_let_go(Whereabouts *found);
SpoolMessage *spool_read_at(Spool *spool, QueueId id, const Whereabouts *found, GError **error); /* new */

/* spool-content.c */
void spool_content_release(SpoolMessage *message); /* what it has read or opened of its content */

/* spool-damage.c: `spool->damage`, by any thread. */
void spool_report_damage(Spool *spool, const char *format, ...) G_GNUC_PRINTF(2, 3); /* takes `lock`; a sentence once */
/* The disk could not read that: `errno`.  The segment is not used again. */
void spool_report_unread(Spool *spool, SpoolSegment *segment, uint64_t offset);

/* What the reason of a hold says of an adoption under way. */
typedef struct {
	char from[2 * SPOOL_ID_SIZE + 1];
	char by[2 * SPOOL_ID_SIZE + 1]; /* "": not said */
	QueueId old_id;                 /* there; 0: the same as here */
	const char *rest;               /* borrowed: why it was held before; NULL: it was not */
	int64_t until_us;               /* and until when; 0: until somebody releases it */
} SpoolHold;

/* spool-hold.c */
char *spool_hold_format(const SpoolHold *hold); /* new */
bool spool_hold_parse(const char *reason /* may be NULL */, SpoolHold *hold);
void spool_hold_set(MessageState *state, const SpoolHold *hold);
void spool_hold_restore(MessageState *state); /* as it was before the adoption */

/* spool-taken.c */
typedef struct SpoolTaken SpoolTaken;
SpoolTaken *spool_taken_open(Spool *spool, bool may_create, GError **error); /* new */
void spool_taken_free(Spool *spool, SpoolTaken *taken);
const char *spool_taken_heir(const SpoolTaken *taken, QueueId id); /* NULL: nobody took it */
typedef struct {
	QueueId id;
	const char *heir; /* 32 hex digits, borrowed */
} SpoolTakenLine;
bool spool_taken_add(Spool *spool, SpoolTaken *taken, const GArray *lines /* of SpoolTakenLine */, GError **error); /* durable */
void spool_taken_mark(MessageState *state, const char *heir); /* what is open in it is removed */
void spool_taken_end(Spool *spool, MessageState *state /* takes */, const char *heir);
bool spool_taken_apply(Spool *spool, GError **error); /* ends what was taken and is live still */

/* spool-compact.c */
gpointer spool_compactor(gpointer data);

