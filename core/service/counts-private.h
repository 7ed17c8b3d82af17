/* counts-private.h - the table of counts.c, for counts-file.c. */
#pragma once

#include "service/counts.h"

enum { COUNTS_MARK_SIZE = 40 };

/* One counter of a key.  A number counts in the window beside it only. */
typedef struct {
	char *name;
	int64_t window_us;
	int64_t kept, kept_window;       /* not sent yet */
	int64_t doubtful, doubtful_window; /* sent, and not answered */
} Counter;

typedef struct {
	char *key;
	char mark[COUNTS_MARK_SIZE]; /* name of the counter of batches */
	int64_t batches;   /* that the store is known to have */
	GArray *counters;  /* of Counter; they only grow */
	unsigned users;    /* threads that hold a pointer to it while the lock is not theirs */
	bool is_busy;      /* one of them asks the store; the others wait */
	bool is_doubtful;  /* a batch, number `batches` + 1, is not answered */
	bool was_sent;     /* that one was sent, and so may be in the store */
	bool is_restarting; /* the store still has what is to be forgotten */
	bool is_kept;      /* something is kept */
	int64_t due_us;    /* monotonic: of the background */
} Key;

struct Counts {
	CountsSettings settings;
	uint32_t process;  /* drawn: no other process has its marks */
	GMutex lock;       /* guards what follows; never held while the store is asked */
	GCond is_idle;     /* a key is not busy any more */
	GHashTable *keys;  /* key -> Key* */
	uint64_t marks;    /* drawn so far */
	int64_t lost_us;   /* monotonic: when something was lost last, 0: the alarm is down */
};

/* The lock is held for all of these.  NULL: there are too many keys of which something is kept. */
Key *counts_find_locked(Counts *counts, const char *name);
/* Something of it is not stored. */
bool key_is_left(const Key *key);
/* The counter of that name, made if there is none. */
Counter *key_take_counter(const Key *key, const char *name);
