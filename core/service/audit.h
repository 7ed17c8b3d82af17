/* audit.h - who changed what: records in the store of the directory, which every node reads, and which expire.
 *
 * A record is written when the change was made.  One that cannot be written does not undo the change: the daemon must be
 * stopped, mail held and clients blocked while a Redis is unavailable, and a change that was made cannot be taken back
 * safely.  Such a record goes into the log instead, as an error, with all its fields.  Changes of the directory itself are
 * refused while its store is unavailable, so they rarely come to that.  Any thread. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "service/store.h"

typedef struct Audit Audit;

/* Who makes a change, on whose command.  Borrowed by whoever changes something. */
typedef struct {
	const char *who;     /* "alice", "1007", "daemon", "plugin standing" */
	const char *login;   /* the user who became `who` (sudo); NULL: not known */
	const char *command; /* "account set", "tick" */
	unsigned records;    /* that were made of it; of one thread */
} Actor;

/* Fields that are NULL are left out.  Texts longer than AUDIT_TEXT octets (before, after) or AUDIT_WORD (the others) are cut. */
typedef struct {
	int64_t time_us; /* wall clock; set by audit_write() */
	const char *who, *login, *node, *command; /* set by audit_write() */
	const char *kind, *name;       /* "account", "u@example.net"; of a command without entry: "", its words */
	const char *customer, *domain; /* that the entry belongs to, and belonged to: words */
	const char *options;           /* names of what changed, words */
	const char *before, *after;    /* NAME=VALUE …, or what a command answered */
} AuditRecord;

enum { AUDIT_TEXT = 4096, AUDIT_WORD = 512 };
#define AUDIT_PREFIX "audit/" /* of its keys; in store_watched */

/* `store` is that of the directory: borrowed, outlives it.  `node`: number or name of this node. */
Audit *audit_new(Store *store, const Clock *clock, const char *node, int64_t keep_us);
void audit_free(Audit *audit);
/* `actor` NULL: the daemon itself.  Counts the record in the actor.  May block (five seconds). */
void audit_write(Audit *audit, Actor *actor, const AuditRecord *record);

/* NULL and 0: any. */
typedef struct {
	const char *customer, *domain, *account, *who;
	int64_t since_us; /* wall clock */
	size_t limit;     /* records at most */
} AuditFilter;

/* Calls `each` for what the filter wants, newest first; the record lives until it returns.  Reads page by page.  UNSURE: the
 * store cannot be read.  Blocks. */
PtnStatus audit_each(
	Audit *audit, const AuditFilter *filter, void (*each)(void *data, const AuditRecord *record), void *data);
