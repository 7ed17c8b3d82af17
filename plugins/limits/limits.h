/* limits.h - what the files of the plugin share. */
#pragma once

#include <glib.h>

#include "plugins/limits/scope.h"

typedef struct {
	GMutex lock;
	GHashTable
		*passed; /* "SCOPE/WHO" -> Passed*: who cannot send before its window ends; so MAIL can say so at once */
	GHashTable *pages; /* the ledger: key of the store -> Page* */
} Limits;

/* ---- known.c ---- */
void known_start(Limits *limits);
void known_stop(Limits *limits);
/* Remembers that a limit of `who` was passed. */
void known_add(PtnHook *h, Scope scope, const char *who, const Limit *limit);
/* In words, new in the hook's memory; NULL: nothing is known of it. */
const char *known_find(PtnHook *h, Scope scope, const char *who);

/* ---- ledger.c ---- */
void ledger_start(Limits *limits);
void ledger_stop(Limits *limits);
/* The highest total of a shared counter that this node saw in the present window. */
int64_t ledger_total(PtnHook *h, const char *key, const char *name, int64_t window);
/* What a tally came to, or, if the store was away, what was counted without it. */
void ledger_note(PtnHook *h, const char *key, const PtnTally *tallies, size_t n, bool is_alone);
/* Adds what was counted alone to the shared counters; false: the store cannot be told. */
bool ledger_settle(PtnHook *h, const char *key);
PtnVerdict ledger_settle_all(PtnHook *h);

/* ---- notice.c ---- */
/* Tells the customer, once a day, that `percent` of a limit are used up; beside, so that the client does not wait. */
void notice_tell(PtnHook *h, const Share *share, const Limit *limit, int percent);

/* ---- usage.c ---- */
PtnVerdict usage_show(PtnHook *h);
