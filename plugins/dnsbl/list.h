/* list.h - one DNS list: what is asked of it, what its answers mean, and how it is called where others can read it.
 *
 * The zone may contain a key (a subscriber's secret); `shown` is the zone without it, and all that replies, logs and
 * alarms may say. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "plugin-api.h"

typedef enum { ACTION_REJECT, ACTION_DEFER, ACTION_TAG, ACTION_WARN } Action; /* places in `actions` of dnsbl.c */

typedef enum {
	MEANS_UNKNOWN, /* not asked yet, or no answer       */
	MEANS_NOTHING, /* not listed                        */
	MEANS_OTHER,   /* a code that does not count here   */
	MEANS_LISTED,
	MEANS_ERROR,   /* the list refuses, or is no list   */
} Meaning;

typedef struct {
	guint32 first, last; /* addresses as numbers */
} Codes;

typedef struct {
	char *name;  /* of the item */
	char *zone;  /* a secret */
	char *shown;
	char *text;  /* NULL: what the list itself says */
	GArray *codes;
	gint64 weight;
	Action action;
	bool takes_ipv6;
	/* How it does; guarded by `lock` (health.c). */
	GMutex lock;
	unsigned failures;   /* in a row */
	gint64 pause;        /* the present one, or the next */
	bool is_left_out, lists_all, is_tested;
	char *trouble, *error; /* texts of its alarms; NULL: not raised */
	gint64 next_test;
} List;

/* Complaints are sentences, new; NULL: nothing is wrong.  They do not repeat what may be a secret. */
char *list_zone_complaint(const char *zone);
char *list_key_complaint(const char *key);
char *list_codes_complaint(const char *const *codes);

/* What the items of the configuration say, which was checked; an array that frees its lists. */
GPtrArray *list_read_all(PtnHook *h);

/* The name to ask for `ip`; that of the test entries (RFC 5782 5) for "127.0.0.1", "127.0.0.2", and, with `is_ipv6`,
 * ::FFFF:7F00:1 and ::FFFF:7F00:2. */
const char *list_name(PtnHook *h, const List *list, const char *ip);
const char *list_test_name(PtnHook *h, const List *list, int last, bool is_ipv6);
/* `value` gets the code that decided; borrowed from the answer. */
Meaning list_meaning(const List *list, const PtnAnswer *answer, const char **value);
/* Why the client is listed, for people; may wait.  "" : nobody says. */
const char *list_reason(PtnHook *h, const List *list, const char *ip);
