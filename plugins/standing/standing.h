/* standing.h - what the files of this plugin share. */
#pragma once

#include <glib.h>

#include "plugin-api.h"

#define DAY (86400 * PTN_SECOND)

/* What is counted of an account.  The first two are what the shares are of. */
typedef enum {
	COUNT_MESSAGES,      /* accepted */
	COUNT_RECIPIENTS,    /* of these */
	COUNT_ERRORS,        /* definite refusals of what it asked */
	COUNT_UNVERIFIED,    /* senders that plugin senderverify refused */
	COUNT_UNDELIVERABLE, /* recipients that a next hop refused for good */
	COUNT_COMPLAINTS,    /* by different people; over a window of its own, as the two below */
	COUNT_REPORTERS,     /* different ones that they came by */
	COUNT_COMPLAINED_OF, /* recipients that were accepted */
	COUNTS
} Count;

typedef struct {
	int64_t totals[COUNTS];
} Counters;

/* One rule: what there is, of how many, and from where on it is too much. */
typedef struct {
	const char *what; /* "undeliverable mail" */
	int64_t count, of, percent, most;
	bool is_passed;
	const char *words; /* "40 of 120 recipients" */
} Rule;

enum { RULES = 4 };

typedef struct {
	GMutex lock;        /* guards all below */
	GHashTable *waits;  /* login -> Waiting*: accepted mail that the store does not know of yet */
	GHashTable *told;   /* queue id and reply: refusals of one verdict at several recipients count once */
	GHashTable *alarms; /* login -> text, until the account may send again */
	bool has_restored;  /* the alarms of accounts that were disabled before the start; the tick's alone */
} Standing;

/* ---- counters.c ---- */
/* Accepted mail is remembered, and written by the next tick, or with the next of what counts against the account. */
void counters_remember(PtnHook *h, const char *login, int64_t recipients);
void counters_flush(PtnHook *h);
/* One more of `count`; judges.  UNSURE: neither. */
PtnStatus counters_add(PtnHook *h, const char *login, Count count);
/* One more complaint.  `reporter`: counts once in a window, until counters_forget(); NULL: each time.  `detail`: for the
 * notice. */
PtnStatus counters_add_complaint(PtnHook *h, const char *login, const char *reporter, const char *detail);
/* All, as they are. */
PtnStatus counters_read(PtnHook *h, const char *login, Counters *counters);
void counters_forget(PtnHook *h, const char *login);
/* By the options at hand: ptn_options_of(). */
void counters_judge(PtnHook *h, const Counters *counters, Rule rules[RULES]);

/* ---- action.c ---- */
/* Disables the account, holds its mail, or raises the alarm alone, as this option of it says; tells customer and postmaster;
 * once. */
PtnStatus action_take(PtnHook *h, const char *login, const char *option, const char *reason, const char *detail);
/* Ends alarms whose account may send again; at first raises those of accounts that were disabled or
 * held before the start. */
void action_tick(PtnHook *h);
/* Lowers all alarms; a successor raises those that still hold. */
void action_stop(PtnHook *h);
GHashTable *action_alarms_new(void);
/* "2026-11-22 14:05 excessive …", as long as it is known; else NULL. */
const char *action_last(PtnHook *h, const char *login);
/* "2026-11-22 14:05" */
const char *action_time(PtnHook *h);

/* ---- complaint.c ---- */
PtnFunction complaint_at_rcpt, complaint_at_message, complaint_route, complaint_deliver;
PtnFunction complaint_command_add, complaint_command_list;
