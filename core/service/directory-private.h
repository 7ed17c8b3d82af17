/* directory-private.h - what directory*.c share. */
#pragma once

#include "service/directory-cache.h"
#include "service/directory.h"

struct Directory {
	Store *store;
	GMutex lock;           /* guards `secrets` */
	GHashTable *secrets;   /* by name; they never change */
	DirectoryCache *cache; /* NULL: the store is local */
	Audit *audit;          /* NULL: changes leave no record */
	DirectoryHide *hide;
	void *hide_data;
};

/* New. */
char *directory_key(PtnKind kind, const char *name);
char *directory_prefix(PtnKind kind);

/* The entry as it is before a change, for directory_audit(); NULL: there is none, it cannot be read, or nothing is recorded.
 * New. */
DirectoryEntry *directory_audit_before(Directory *directory, PtnKind kind, const char *name, int64_t deadline_us);
/* Records what differs; NULL: there was, or is now, no such entry.  Where nothing differs there is no record. */
void directory_audit(Directory *directory, Actor *actor, PtnKind kind, const char *name, DirectoryEntry *before,
	DirectoryEntry *after);
