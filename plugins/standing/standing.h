/* standing.h - what the files of this plugin share. */
#pragma once

#include <glib.h>

#include "plugin-api.h"
#include "plugins/standing/place.h"

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

enum { RULE_COMPLAINTS = 3, RULES };

/* Something that speaks against an account. */
typedef struct {
	const char *login;
	Count count;
	int64_t at;      /* when it happened, or when the message was accepted that it is about */
	bool has_place;  /* it is about a message that was counted there */
	Place place;
	bool is_counted; /* it is to be judged only */
	bool has_waited; /* in later.c */
} Event;

typedef struct {
	GMutex lock;        /* guards all below */
	GHashTable *later;  /* name -> Event*: see later.c */
	uint64_t postponed; /* events so far, for their names */
	GHashTable *told;   /* queue id and reply: refusals of one verdict at several recipients count once */
	GHashTable *alarms; /* login -> text, until the account may send again */
	bool has_restored;  /* the alarms of accounts that were disabled before the start; the tick's alone */
} Standing;

/* ---- counters.c ---- */
/* Mail that was accepted: written within ten seconds, or with the next event. */
void counters_remember(PtnHook *h, const char *login, const Place *place, int64_t recipients);
/* Counts, and judges.  UNSURE: the directory or the store does not answer now; it is counted, or judged, when they do. */
PtnStatus counters_add(PtnHook *h, const Event *event);
/* One more complaint.  `reporter`: counts once in a place; NULL: each time.  `detail`: for the notice.  NONE: it is about mail of
 * before a beginning, or too old; UNSURE: it is not counted. */
PtnStatus counters_add_complaint(PtnHook *h, const Event *event, const char *reporter, const char *detail);
/* All of a place, as they are. */
PtnStatus counters_read(PtnHook *h, const char *login, const Place *place, Counters *counters);
/* Of this place nothing counts any more, and who complained may do so again. */
void counters_forget(PtnHook *h, const char *login, const Place *place);
/* By the options at hand: ptn_options_of(). */
void counters_judge(PtnHook *h, const Counters *counters, Rule rules[RULES]);

/* ---- later.c ---- */
/* The event waits until the directory answers. */
void later_count(PtnHook *h, const Event *event);
/* What was counted in this place is judged when the store answers. */
void later_judge(PtnHook *h, const Event *event, const Place *place);
/* Tries what waits; false: nothing does. */
bool later_tick(PtnHook *h);
GHashTable *later_new(void);

/* ---- action.c ---- */
/* Disables the account, holds its mail, or raises the alarm alone, as this option of it says; tells customer and postmaster;
 * once.  `place`: what led to it, and is forgotten. */
PtnStatus action_take(PtnHook *h, const char *login, const Place *place, const char *option, const char *reason,
	const char *detail);
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
