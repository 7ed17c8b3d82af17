/* stay-private.h - what stay*.c share. */
#pragma once

#include "engine/stay.h"

typedef struct {
	QueueId id;
	uint64_t octets;
	int64_t arrived_us;
	bool is_held;
} StayMessage;

typedef struct {
	StayWay way;
	GHashTable *messages;  /* id -> StayMessage* */
	uint64_t held, octets; /* of those that are held */
	bool is_new;           /* its way may have changed before it was noted */
	bool differs;          /* some that wait were routed by another way than `way` */
} StayDomain;

struct Stay {
	GMutex lock;         /* guards what follows */
	GHashTable *domains; /* name -> StayDomain* */
	GHashTable *of;      /* id -> GSList* of StayDomain* */
	uint64_t changes;    /* of the directory's domains, when they were looked at */
	bool has_new, looks_again;
	GArray *noted;       /* of QueueId: stay_note() */

	/* Of the thread that looks. */
	GArray *deferred;    /* of QueueId: messages that the start has still to look at, the next one last */
	GArray *unread;      /* the same, that the disk could not read */
	int64_t unread_us;   /* when that is tried again; monotonic */
};

/* ---- stay-fill.c; of the thread that looks ---- */
/* What could not be read, or was not looked at since the start, as far as its time allows. */
void stay_fill_more(Engine *engine);
/* The message cannot be read now: it is looked at again later. */
void stay_keep_unread(Stay *stay, QueueId id);

/* ---- stay.c ---- */
/* The message goes on because of a change: released if the hold is ours, due now if it is not held. */
void stay_let_go(Engine *engine, QueueId id);
