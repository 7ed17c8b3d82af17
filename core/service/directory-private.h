/* directory-private.h - what directory*.c share. */
#pragma once

#include "service/directory-cache.h"
#include "service/directory.h"
#include "service/option.h"

struct Directory {
	Store *store;
	const Clock *clock;    /* of "enabled-since" */
	GMutex lock;           /* guards `secrets` */
	GHashTable *secrets;   /* by name; they never change */
	DirectoryCache *cache; /* NULL: the store is local */
	Audit *audit;          /* NULL: changes leave no record */
	DirectoryHide *hide;
	void *hide_data;
};

/* The form in which the value of an option of the core is stored: owners ("customer", "domain") in lower case and A-labels,
 * booleans as "yes" and "no"; any other value, and what has no such form, as it is.  New. */
char *directory_form(const char *name, const char *value);
/* The same of a value that was read: older versions, and other writers of the store, left values that are more than a line, or
 * too long.  New. */
char *directory_repair(const char *name, const char *value);
/* True: an option of the core that is yes or no. */
bool directory_is_boolean(const char *name);
/* A moment from now until which a check or a removal waits for the store. */
int64_t directory_deadline(void);
/* Whether entries of the kind have the customer of their domain. */
bool directory_has_owner(PtnKind kind);
/* Sets the domain by the name, and, unless it is NULL, the customer, as copies. */
void directory_take_owner(DirectoryEntry *entry, const char *customer);
/* A name or value as a record has it. */
void directory_put_escaped(GString *text, const char *value);
/* New, or NULL: no record.  The owner is as the record has it. */
DirectoryEntry *directory_parse_record(PtnKind kind, const char *name, const char *text, uint64_t version);

/* New. */
char *directory_key(PtnKind kind, const char *name);
char *directory_prefix(PtnKind kind);

/* The entry as it is before a change; NULL: there is none, or it cannot be read.  New. */
DirectoryEntry *directory_before(Directory *directory, PtnKind kind, const char *name, int64_t deadline_us);
/* Sets "enabled-since" of a customer or an account that `before` barred and `entry` does not; NULL: it is new. */
void directory_note_enabled(Directory *directory, const DirectoryEntry *before, DirectoryEntry *entry);
/* Records what differs; NULL: there was, or is now, no such entry.  Where nothing differs there is no record. */
void directory_audit(Directory *directory, Actor *actor, PtnKind kind, const char *name, DirectoryEntry *before,
	DirectoryEntry *after);
