/* store-ledger-private.h - pages of the ledger, for store-ledger*.c only. */
#pragma once

#include "service/store-ledger.h"

enum { LEDGER_NAME = 64 };

/* One counter in its present window, by the store's clock. */
typedef struct {
	char name[LEDGER_NAME];
	int64_t window_us, number; /* the window's length, and its number since 1970 */
	int64_t total;             /* of all nodes, as the store said last */
	int64_t own, alone, debt;  /* see store-ledger.h */
} LedgerCounter;

/* The counters of one key. */
typedef struct {
	char *key;
	uint64_t
		instance; /* who counts here: another one when this node no longer knows what it counted */
	uint64_t generation; /* rises with each settlement */
	GArray *counters;    /* LedgerCounter */
	unsigned users;      /* callers that have the page: it is not freed */
	unsigned under_way;  /* calls that were sent to the store and are not answered */
	uint64_t changes;    /* of own and debt without the store */
	bool is_unsettled, is_settling;
} LedgerPage;

struct StoreLedger {
	const Clock *clock;
	char *node;
	bool is_durable; /* nothing is counted without the store */
	GMutex lock;     /* guards all that follows; not held during calls of the store */
	GCond changed;
	GHashTable *pages; /* key -> LedgerPage* */
	int64_t skew_us;   /* the store's clock less ours */
	char *path;        /* NULL: no file */
	int file;          /* -1: none is open */
	size_t lines;      /* in it */
	bool has_failed;   /* and it was logged */
};

/* ---- store-ledger-page.c; lock held ---- */
/* New, of a new instance; in no table. */
LedgerPage *ledger_page_new(const StoreLedger *ledger, const char *key);
void ledger_page_free(void *page);
/* The page of the key; a new one if there is none.  NULL: there are as many as may be, and none
 * can be forgotten. */
LedgerPage *ledger_page_of(StoreLedger *ledger, const char *key);
/* In its present window at `now_us` by the store's clock; borrowed until the next call. */
LedgerCounter *ledger_counter(
	LedgerPage *page, const char *name, int64_t window_us, int64_t now_us);
/* The store's clock, as far as this node knows. */
int64_t ledger_now(const StoreLedger *ledger);
/* Counts without the store, or, where the part of this node would be exceeded, does not: TAKEN. */
PtnStatus ledger_count_alone(StoreLedger *ledger, LedgerPage *page, StoreTally *tallies, size_t n);

/* ---- store-ledger-file.c; lock held ---- */
/* Reads what was kept. */
void ledger_file_open(StoreLedger *ledger);
void ledger_file_close(StoreLedger *ledger);
/* The last line of a page holds. */
void ledger_file_add(StoreLedger *ledger, const LedgerPage *page);
/* All pages, in a new file. */
void ledger_file_write(StoreLedger *ledger);
