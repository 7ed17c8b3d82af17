/* health.h - how a DNS list does, for the plugins that ask lists; part of each of them as source.
 * Who does not answer is left out for a while, who lists everything until it does not.
 *
 * A list that was left out comes back by the self-test, so that no client waits for one that is
 * still dead.  The plugin has the options "patience", "pause", "pause-most" and "test-every"
 * (dnsbl.md), and calls health_test_all() in a tick. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "plugin-api.h"

typedef enum {
	MEANS_UNKNOWN, /* not asked yet, or no answer       */
	MEANS_NOTHING, /* not listed                        */
	MEANS_OTHER,   /* a code that does not count here   */
	MEANS_LISTED,
	MEANS_ERROR, /* the list refuses, or is no list   */
} Meaning;

/* What RFC 5782 5 wants of an entry, or of one of several. */
typedef struct {
	const char *name;           /* before the zone */
	bool is_listed;             /* it must be; else it must not be */
	bool is_alternative;        /* one that must be listed: this one or the one before */
	const char *shown, *advice; /* for people; the advice follows the sentence */
} ListTest;

/* What an answer means to the list; `value` gets the address that decided, borrowed from the
 * answer, or NULL. */
typedef Meaning ListMeaning(const void *list, const PtnAnswer *answer, const char **value);

enum { LIST_TESTS_MOST = 4 };

typedef struct {
	/* Of the plugin, borrowed. */
	const char *name;  /* in alarms and counters */
	const char *label; /* in texts, without secrets */
	const char *zone;  /* may be a secret */
	const ListTest *tests;
	unsigned n_tests; /* the first one must not be listed; at most LIST_TESTS_MOST */
	ListMeaning *meaning;
	const void *list; /* for it */
	/* Of health.c, guarded by `lock`. */
	GMutex lock;
	unsigned failures; /* in a row */
	gint64 pause;      /* the present one, or the next */
	bool is_left_out, lists_all, is_tested;
	char *trouble, *error; /* texts of its alarms; NULL: not raised */
	gint64 next_test, planned; /* `planned`: when that was decided; the clock may have been set back since */
} ListHealth;

/* Of zeroed memory in which the plugin has set its members. */
void health_init(ListHealth *list);
void health_clear(ListHealth *list);
/* False: nobody is to be asked there now. */
bool health_may_ask(ListHealth *list);
/* What an answer says of the list itself; UNKNOWN is a failure. */
void health_note(PtnHook *h, ListHealth *list, Meaning meaning, const char *value);
/* LISTED if the list can tell one from another, which has to be known before a listing counts;
 * OTHER, after a line in the log: it lists what no list does; UNKNOWN: it does not answer.  May
 * wait. */
Meaning health_control(PtnHook *h, ListHealth *list);
/* The self-test of all lists (of ListHealth*) that are due, and what follows from it; waits. */
void health_test_all(PtnHook *h, GPtrArray *lists);
/* A word for people; to be called for one row only. */
const char *health_describe(PtnHook *h, ListHealth *list);
/* The row of "doctor". */
void health_tell_doctor(PtnHook *h, const char *plugin, ListHealth *list);
/* Lowers its alarms. */
void health_end(PtnHook *h, ListHealth *list);
