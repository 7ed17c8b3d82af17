/* spool-adopt.h - an adoption under way: what spool-adopt.c and spool-adopt-held.c share. */
#pragma once

#include "mail/spool-private.h"

typedef struct {
	Spool *to, *from;
	IdSource *ids;
	const char *theirs;        /* the id of the spool */
	char claim[2 * SPOOL_ID_SIZE + 1]; /* ours */
	SpoolTaken *taken;         /* from there */
	SpoolTaken *lost;          /* from here, by others */
	GHashTable *begun;         /* id there → id here: of an adoption that was interrupted */
	GHashTable *released;      /* ids there, of those that were set free here */
	bool is_damaged;           /* what is not there may have been lost */
	GArray *adoptees;
	size_t n, n_damaged, n_unread;
} Adoption;

/* ---- spool-adopt-held.c: what is held here for an adoption from that spool ---- */
/* By the lines there it is set free, dropped, or noted in `begun`.  One that cannot be read now may be a copy of what is
 * about to be taken: then nothing is, and false is returned. */
bool spool_adopt_resolve_all(Adoption *adoption, GError **error);
/* The same of what was ours, and comes back from an heir that we adopted; `n` counts what is free now. */
bool spool_adopt_own(Spool *spool, size_t *n, GError **error);
/* The message if it is held here for an adoption from that spool; new.  NULL without an error: it is not. */
SpoolMessage *spool_adopt_find_held(const Adoption *adoption, QueueId id, SpoolHold *hold, GError **error);
/* It is held as it was before, if at all; false: it has changed since it was read. */
bool spool_adopt_release(Adoption *adoption, MessageState *state);
/* It ends, as `heir` has it; false as above. */
bool spool_adopt_drop(Adoption *adoption, MessageState *state, const char *heir);
/* Something of the spool could not be read: what is not there may have been lost. */
bool spool_has_damage(Spool *spool);
